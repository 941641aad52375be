"""Runs an MLP at some rows of a batch only: at the others its output is known from the capture, or not needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from circuit_widget.model.block import module_device
from circuit_widget.model.capture import first
from circuit_widget.model.hooks import Hooks


@dataclass(frozen=True, eq=False)
class CapturedOutput:
    """The captured output of an MLP, used at the rows where the MLP does not run.

    `indices` are the rows where it runs; they count the rows of all re-runs of a batch in sequence.
    """

    indices: Int[Tensor, " n"]
    captured: Float[Tensor, "rows d_model"]

    def filled(self, output: Float[Tensor, "batch rows d_model"]) -> Float[Tensor, "batch rows d_model"]:
        """Return an output with the captured output at all other rows."""
        filled = self.captured.to(output.dtype).repeat(len(output), 1, 1)
        filled.flatten(0, 1)[self.indices] = output.flatten(0, 1)[self.indices]
        return filled


def run_at_rows(
    hooks: Hooks, mlp: nn.Module, mlp_end: nn.Module, rows: Sequence[range], n_rows: int
) -> Int[Tensor, " n"] | None:
    """Set hooks with which an MLP runs only at `rows` of each re-run of a batch and returns zeros at its other rows.

    `mlp` is given its input, and `mlp_end` gives its output, of the same shape. Every re-run has `n_rows` rows. Returns the
    indices of the rows where it runs, as `CapturedOutput` counts them, or None for all rows.
    """
    if all(len(re_run) == n_rows for re_run in rows):
        return None
    device = module_device(mlp)
    index = torch.cat(
        [
            torch.arange(re_run.start, re_run.stop, dtype=torch.long, device=device) + number * n_rows
            for number, re_run in enumerate(rows)
        ]
    )

    shapes: list[torch.Size] = []

    def gather(x: Tensor) -> Tensor:
        shapes[:] = [x.shape]
        return x.reshape(-1, x.shape[-1])[None, index]

    def scatter(_: tuple[Any, ...], output: Any) -> Any:
        own: Tensor = first(output)
        whole = own.new_zeros(len(rows) * n_rows, own.shape[-1]).index_copy_(0, index, own[0]).view(shapes[0])
        return (whole, *output[1:]) if isinstance(output, tuple) else whole

    hooks.replace_input(mlp, gather)
    hooks.after(mlp_end, scatter)
    return index
