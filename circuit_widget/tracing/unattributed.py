"""What no node of a graph has a share in: position embeddings, MLPs at tokens whose features do not count, and biases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.model.language_model import LanguageModel
from circuit_widget.system.plain_torch import inference
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.transcoder.transcoder_set import TranscoderSet


@dataclass(frozen=True)
class OutsideNodes:
    """The shares that things without a node have in each of some targets, as numbers in the targets' units.

    `positions` are learned position embeddings, None where the model adds none. `uncounted` is what MLPs write at tokens
    whose features do not count. `has_biases` is whether the model or its transcoders have a bias that is not zero: then
    biases have the rest.
    """

    positions: Sequence[float] | None
    uncounted: Sequence[float]
    has_biases: bool


def outside_nodes(
    model: LanguageModel, transcoders: TranscoderSet, run: PromptRun, directions: Float[Tensor, "targets d_model"]
) -> OutsideNodes:
    """Return the shares of what is no node in targets with these directions after the final norm.

    Attention patterns and norm denominators are frozen; each part is propagated through the frozen model by itself.
    """
    frozen, captured = run.frozen, run.captured
    counted = slice(run.prompt.first_position, run.position + 1)

    def skipped(layer: int, x: Float[Tensor, "positions d_model"]) -> Float[Tensor, "positions d_model"]:
        skip = transcoders.skip(layer)
        return torch.zeros_like(x) if skip is None else x @ skip.T

    def uncounted(layer: int, x: Float[Tensor, "positions d_model"]) -> Float[Tensor, "positions d_model"]:
        pieces = captured.layers[layer]
        written = pieces.mlp_output - skipped(layer, pieces.mlp_input)
        written[counted] = 0
        return skipped(layer, x) + written

    with inference():
        writes = directions @ frozen.propagate(uncounted, 0).to(directions.device)
        positions = None
        if model.positions is not None:
            added = captured.layers[0].residual.float() - captured.embedding
            positions = (directions @ frozen.propagate(skipped, 0, added).to(directions.device)).tolist()
    return OutsideNodes(positions, writes.tolist(), _has_biases(model, transcoders))


def _has_biases(model: LanguageModel, transcoders: TranscoderSet) -> bool:
    """Return whether a bias of the model or of the transcoders' decoders is not zero."""
    named = (one for name, one in model.network.named_parameters() if name.endswith("bias"))
    decoders = (transcoders.decoder_bias(layer) for layer in range(model.n_layers))
    return any(bool(one.any()) for biases in (named, decoders) for one in biases)
