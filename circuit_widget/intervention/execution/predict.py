"""What the graph predicts that interventions do: its linear model, run forwards, for several plans at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.intervention.execution.graph_features import GraphFeatures
from circuit_widget.intervention.execution.plan import ClampPlan, ErrorWrites, clamped_mask
from circuit_widget.model.capture import Capture
from circuit_widget.model.frozen import FrozenModel
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.system.plain_torch import inference
from circuit_widget.transcoder.at_positions import read_at, write_at
from circuit_widget.transcoder.transcoder_set import TranscoderSet


@dataclass(frozen=True, eq=False)
class Prediction:
    """The predicted activations of the graph features, and the change of the normed residual stream.

    `changes` are the changes of what features read, 0 for those below the first clamped layer. Features are in the graph's
    order. The residual stream is that at the traced position, after the final norm.
    """

    features: Float[Tensor, "batch features"]
    changes: Float[Tensor, "batch features"]
    normed: Float[Tensor, "batch d_model"]


def predict(
    frozen: FrozenModel,
    transcoders: TranscoderSet,
    graph_features: GraphFeatures,
    plans: Sequence[ClampPlan],
    *,
    knock_on: Collection[int],
) -> Prediction:
    """Return what the frozen model makes of some plans.

    The change of a feature t that is not clamped is `delta_t = sum_s A[t,s] / a_s * delta_s`, in layer order: `delta_s`
    is the change of a source s, `a_s` its activation on the prompt, and `A[t,s]` the edge from s to t of the unpruned
    graph. Clamped features and errors write at every layer they write to. The changes of the other features are
    written only at layers `knock_on`; at other layers they are read and stop there. With every layer in `knock_on`
    this is the graph's own prediction, direct and indirect effects together; with none it is the direct effect alone.
    """
    first_layer = min(one.first_layer for one in plans)
    first_position = min(one.first_position for one in plans)
    in_layer = {
        layer: graph_features.in_layer(layer, first_position) for layer in range(first_layer, len(frozen.layers))
    }
    clamped = clamped_mask(graph_features, plans)
    clamped_layers = {layer for one in plans for layer in one.layers}
    deltas = torch.zeros(clamped.shape, dtype=torch.float32, device=clamped.device)

    def change(layer: int, x: Float[Tensor, "*batch rows d_model"]) -> Float[Tensor, "batch rows d_model"]:
        x = x.expand(len(plans), *x.shape[-2:])
        here = in_layer[layer]
        read = read_at(x, here.rows, graph_features.encoder_rows(layer, here)).to(deltas.device)
        deltas[:, here.columns] = read.masked_fill(clamped[:, here.columns], 0) if layer in clamped_layers else read
        skip = transcoders.skip(layer)
        written = torch.zeros_like(x, memory_format=torch.contiguous_format) if skip is None else x @ skip.T
        for row, one in enumerate(plans):
            for writes in one.error_writes.get(layer, ()):
                add_error_writes(written[row], writes, first_position)
        for source in range(first_layer, layer + 1):
            if layer in transcoders.written_layers(source):
                add_clamped_features(written, transcoders, plans, source, layer, first_position)
                passing = in_layer[source]
                if layer in knock_on and len(passing):
                    directions = graph_features.decoder_rows(source, passing, layer)
                    changes = deltas[:, passing.columns].to(written.device)
                    write_at(written, passing.rows.to(written.device), directions, changes)
        return written

    with inference():
        entering = _embedding_changes(plans, range(first_position, frozen.n_positions))
        normed = frozen.propagate(change, first_layer, entering, first_position=first_position)
        features = graph_features.before + deltas
        for row, one in enumerate(plans):
            set_clamped(features[row], one)
    return Prediction(graph_features.in_graph_order(features), graph_features.in_graph_order(deltas), normed)


def _embedding_changes(plans: Sequence[ClampPlan], rows: range) -> Float[Tensor, "batch rows d_model"] | None:
    """Return what clamped tokens add to the residual stream that enters the first layer, None where none is clamped."""
    each = [one.embedding_change(rows) for one in plans]
    first = next((change for change in each if change is not None), None)
    if first is None:
        return None
    return torch.stack([torch.zeros_like(first) if change is None else change for change in each])


def add_clamped_features(
    written: Float[Tensor, "batch rows d_model"],
    transcoders: TranscoderSet,
    plans: Sequence[ClampPlan],
    source: int,
    layer: int,
    first_position: int,
) -> None:
    """Add what the clamped features of layer `source` write at `layer`, by their change from what they are on the prompt."""
    for row, one in enumerate(plans):
        if source in one.layers:
            index = one.layers[source].index
            changes = one.values[index] - one.before[index]
            add_feature_writes(written[row], transcoders, one, source, layer, changes, first_position)


def add_feature_writes(
    written: Float[Tensor, "rows d_model"],
    transcoders: TranscoderSet,
    plan: ClampPlan,
    source: int,
    layer: int,
    changes: Float[Tensor, " n"],
    first_position: int,
) -> None:
    """Add what `changes` of the clamped features of layer `source` write at `layer`; rows start at `first_position`."""
    clamps = plan.layers[source]
    rows = transcoders.decoder_rows(source, clamps.features, layer).to(written.device)
    positions = clamps.positions.to(written.device) - first_position
    written.index_add_(0, positions, rows * changes[:, None].to(written.device))


def add_error_writes(written: Float[Tensor, "rows d_model"], writes: ErrorWrites, first_position: int) -> None:
    """Add what clamped errors add; rows start at `first_position`."""
    positions = writes.positions.to(written.device) - first_position
    written.index_add_(0, positions, writes.changes.to(written.device))


def set_clamped(features: Float[Tensor, " features"], plan: ClampPlan) -> None:
    """Set the clamped ones among the graph features to their values, in place."""
    features[plan.columns] = plan.values[plan.of_graph]


def logits_after(model: LanguageModel, captured: Capture, predicted: Prediction) -> Float[Tensor, "batch vocabulary"]:
    """Return the logits at the traced position when the normed residual stream changes as predicted.

    They are linear in it up to the model's softcap, where it has one.
    """
    return model.capped(captured.uncapped_logits + model.unembed(predicted.normed))
