"""Running an MLP at some rows of a batch only: at the others what it writes is known, or not needed."""

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
class Kept:
    """The captured output of an MLP, which stays where the MLP does not run; `some` are the places where it does.

    They count the rows of all re-runs of a batch one after the other.
    """

    some: Int[Tensor, " n"]
    captured: Float[Tensor, "rows d_model"]

    def filled(self, output: Float[Tensor, "batch rows d_model"]) -> Float[Tensor, "batch rows d_model"]:
        """Return an output with the captured one at all other rows."""
        filled = self.captured.to(output.dtype).repeat(len(output), 1, 1)
        filled.flatten(0, 1)[self.some] = output.flatten(0, 1)[self.some]
        return filled


def run_some(hooks: Hooks, mlp: nn.Module, rows: Sequence[range], n_rows: int) -> Int[Tensor, " n"] | None:
    """Make an MLP run at `rows` of each re-run of a batch, each of `n_rows` in all, and return zeros elsewhere.

    Returns the places where it runs, as `Kept` counts them, or None where these are all.
    """
    if all(len(some) == n_rows for some in rows):
        return None
    device = module_device(mlp)
    index = torch.cat(
        [
            torch.arange(some.start, some.stop, dtype=torch.long, device=device) + place * n_rows
            for place, some in enumerate(rows)
        ]
    )

    def spread(_: tuple[Any, ...], output: Any) -> Any:
        own: Tensor = first(output)
        whole = own.new_zeros(len(rows) * n_rows, own.shape[-1]).index_copy_(0, index, own[0])
        whole = whole.unflatten(0, (len(rows), n_rows))
        return (whole, *output[1:]) if isinstance(output, tuple) else whole

    hooks.replace_input(mlp, lambda x: x.flatten(0, 1)[None, index])
    hooks.after(mlp, spread)
    return index
