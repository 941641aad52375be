"""Running the real model again from the first layer and position that an intervention touches.

Everything below and before is taken from the captured pass: the residual stream at the entry of the first layer, and
each layer's keys and values of earlier positions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.errors import Cancelled
from circuit_widget.model.capture import Capture, LayerCapture
from circuit_widget.model.hooks import Hooks
from circuit_widget.model.language_model import Block, LanguageModel

MlpEdit: TypeAlias = Callable[[int, Float[Tensor, "rows d_model"]], Float[Tensor, "rows d_model"] | None]
"""From a layer and what its MLP reads now (rows from the first position on) to what is added to its output."""


@dataclass(frozen=True)
class Conditions:
    """What is frozen while the model runs again: attention patterns, and MLP outputs in a range of layers."""

    frozen_attention: bool = False
    clamped: range = range(0)


@dataclass(frozen=True, eq=False)
class Rerun:
    """What the MLPs read from `first_layer` on, at positions `first_position` to the traced one, and its logits."""

    first_layer: int
    first_position: int
    mlp_inputs: Mapping[int, Float[Tensor, "rows d_model"]]
    logits: Float[Tensor, " vocabulary"]


def rerun(
    model: LanguageModel,
    captured: Capture,
    edit: MlpEdit,
    *,
    first_layer: int,
    first_position: int,
    conditions: Conditions = Conditions(),
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Rerun:
    """Run layers `first_layer` and above on positions `first_position` to the traced one, adding what `edit` returns.

    In a clamped layer the MLP's output is its captured one, plus the edit.

    Raises:
        Cancelled: `cancelled()` became true between two layers.
    """
    rows = slice(first_position, captured.position + 1)
    mlp_inputs: dict[int, Tensor] = {}
    with torch.inference_mode():
        residual = captured.layers[first_layer].residual[None, rows]
        for layer in range(first_layer, model.n_layers):
            if cancelled is not None and cancelled():
                raise Cancelled("The intervention was cancelled.")
            block, pieces = model.blocks[layer], captured.layers[layer]
            with Hooks() as hooks:

                def mlp(args: tuple[Any, ...], output: Tensor, layer: int = layer) -> Tensor | None:
                    mlp_inputs[layer] = args[0][0].float()
                    added = edit(layer, mlp_inputs[layer])
                    if layer in conditions.clamped:
                        output = captured.layers[layer].mlp_output[None, rows].to(output.dtype)
                    return output if added is None else output + added.to(output.dtype)

                hooks.after(block.mlp, mlp)
                if conditions.frozen_attention:
                    _freeze_pattern(hooks, model, block, pieces, rows)
                result = block.whole(residual, **_arguments(pieces, rows))
            residual = result[0] if isinstance(result, tuple) else result
            if progress is not None:
                progress((layer + 1 - first_layer) / (model.n_layers - first_layer))
        logits = model.unembedding(model.final_norm(residual[:, -1]))[0].float()
    return Rerun(first_layer, first_position, mlp_inputs, logits)


class _EarlierPositions:
    """The cache a block sees: the captured keys and values of the positions that are not run again."""

    def __init__(self, pieces: LayerCapture, first_position: int) -> None:
        self._keys = pieces.keys[:, :, :first_position]
        self._values = pieces.values[:, :, :first_position]

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Return keys and values of all positions."""
        return torch.cat([self._keys, key_states], dim=2), torch.cat([self._values, value_states], dim=2)


def _arguments(pieces: LayerCapture, rows: slice) -> dict[str, Any]:
    """Return the keyword arguments of a block's captured call, cut to the rows that run again."""
    arguments = dict(pieces.arguments)
    mask = arguments.get("attention_mask")
    if mask is not None:
        arguments["attention_mask"] = mask[:, :, rows, : rows.stop]
    for name in ("position_ids", "cache_position"):
        if arguments.get(name) is not None:
            arguments[name] = arguments[name][..., rows]
    if arguments.get("position_embeddings") is not None:
        arguments["position_embeddings"] = tuple(table[:, rows] for table in arguments["position_embeddings"])
    arguments[pieces.cache_argument] = _EarlierPositions(pieces, rows.start)
    return arguments


def _freeze_pattern(hooks: Hooks, model: LanguageModel, block: Block, pieces: LayerCapture, rows: slice) -> None:
    """Make attention move its new values by the captured pattern, whatever its queries and keys say."""
    moved: list[Tensor] = []

    def value(_: tuple[Any, ...], output: Tensor) -> None:
        new = output[0].float().reshape(output.shape[1], model.n_value_heads, model.head_width).transpose(0, 1)
        values = torch.cat([pieces.values[0, :, : rows.start].float(), new], dim=1)
        shared = values.repeat_interleave(model.n_heads // model.n_value_heads, dim=0)
        heads = pieces.pattern[:, rows, : rows.stop] @ shared
        moved[:] = [heads.transpose(0, 1).reshape(1, output.shape[1], -1).to(output.dtype)]

    hooks.after(block.value, value)
    hooks.replace_input(block.output, lambda _: moved[0])
