"""What the graph says experiments will do: its linear model, run forwards, several at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.intervention.execution.graph_features import Watched
from circuit_widget.intervention.execution.plan import Constants, Experiment, held_among
from circuit_widget.model.capture import Capture
from circuit_widget.model.frozen import FrozenModel
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.system.plain_torch import inference
from circuit_widget.transcoder.at_positions import read_at, write_at
from circuit_widget.transcoder.transcoder_set import TranscoderSet


@dataclass(frozen=True, eq=False)
class Predicted:
    """Watched features as predicted, and the predicted change of the normed residual stream at the traced position.

    Features are in the graph's order.
    """

    features: Float[Tensor, "batch features"]
    normed: Float[Tensor, "batch d_model"]


def predict(
    frozen: FrozenModel,
    transcoders: TranscoderSet,
    watched: Watched,
    experiments: Sequence[Experiment],
    *,
    knock_on: Collection[int],
) -> Predicted:
    """Return what the frozen model makes of experiments.

    `delta_t = sum_s A[t,s] / a_s * delta_s`, in layer order, with held features fixed. Held features and errors write
    wherever they do; at layers `knock_on` the other watched features that write there pass their change on, at other layers they
    only read. With every layer in it this is the graph's own prediction; with none, the `direct` effect. Both equal
    what the unpruned graph's edges give.
    """
    first_layer = min(experiment.first_layer for experiment in experiments)
    first_position = min(experiment.first_position for experiment in experiments)
    reached = {layer: watched.reached(layer, first_position) for layer in range(first_layer, len(frozen.layers))}
    held = held_among(watched, experiments)
    holding = {layer for experiment in experiments for layer in experiment.places}
    deltas = torch.zeros(held.shape, dtype=torch.float32, device=held.device)

    def change(layer: int, x: Float[Tensor, "*batch rows d_model"]) -> Float[Tensor, "batch rows d_model"]:
        x = x.expand(len(experiments), *x.shape[-2:])
        here = reached[layer]
        read = read_at(x, here.rows, watched.encoder_rows(layer, here)).to(deltas.device)
        deltas[:, here.columns] = read.masked_fill(held[:, here.columns], 0) if layer in holding else read
        skip = transcoders.skip(layer)
        written = torch.zeros_like(x, memory_format=torch.contiguous_format) if skip is None else x @ skip.T
        for row, experiment in enumerate(experiments):
            for constants in experiment.constants.get(layer, ()):
                add_constants(written[row], constants, first_position)
        for source in range(first_layer, layer + 1):
            if layer in transcoders.written_layers(source):
                add_held(written, transcoders, experiments, source, layer, first_position)
                passing = reached[source]
                if layer in knock_on and len(passing):
                    directions = watched.decoder_rows(source, passing, layer)
                    changes = deltas[:, passing.columns].to(written.device)
                    write_at(written, passing.rows.to(written.device), directions, changes)
        return written

    with inference():
        entering = _entering(experiments, range(first_position, frozen.n_positions))
        normed = frozen.propagate(change, first_layer, entering, first_position=first_position)
        features = watched.before + deltas
        for row, experiment in enumerate(experiments):
            hold_at(features[row], experiment)
    return Predicted(watched.in_graph_order(features), normed)


def _entering(experiments: Sequence[Experiment], rows: range) -> Float[Tensor, "batch rows d_model"] | None:
    """Return what held tokens add to the residual stream that enters the first layer, None where none is held."""
    each = [experiment.entering(rows) for experiment in experiments]
    given = next((one for one in each if one is not None), None)
    return None if given is None else torch.stack([torch.zeros_like(given) if one is None else one for one in each])


def add_held(
    written: Float[Tensor, "batch rows d_model"],
    transcoders: TranscoderSet,
    experiments: Sequence[Experiment],
    source: int,
    layer: int,
    first_position: int,
) -> None:
    """Add what the held features of layer `source` write at `layer`, by their change from what they are on the prompt."""
    for row, experiment in enumerate(experiments):
        if source in experiment.places:
            index = experiment.places[source].index
            changes = experiment.values[index] - experiment.before[index]
            add_writes(written[row], transcoders, experiment, source, layer, changes, first_position)


def add_writes(
    written: Float[Tensor, "rows d_model"],
    transcoders: TranscoderSet,
    experiment: Experiment,
    source: int,
    layer: int,
    changes: Float[Tensor, " n"],
    first_position: int,
) -> None:
    """Add what changes of the held features of layer `source` write at `layer`; rows start at `first_position`."""
    places = experiment.places[source]
    rows = transcoders.decoder_rows(source, places.features, layer).to(written.device)
    positions = places.positions.to(written.device) - first_position
    written.index_add_(0, positions, rows * changes[:, None].to(written.device))


def add_constants(written: Float[Tensor, "rows d_model"], constants: Constants, first_position: int) -> None:
    """Add what held errors add; rows start at `first_position`."""
    positions = constants.positions.to(written.device) - first_position
    written.index_add_(0, positions, constants.changes.to(written.device))


def hold_at(features: Float[Tensor, " features"], experiment: Experiment) -> None:
    """Put the held ones among watched features at what they are held at."""
    features[experiment.columns] = experiment.values[experiment.of_graph]


def logits_after(model: LanguageModel, captured: Capture, predicted: Predicted) -> Float[Tensor, "batch vocabulary"]:
    """Return the logits at the traced position when the normed residual stream changes as predicted.

    They are linear in it up to the model's softcap, where it has one.
    """
    return model.capped(captured.uncapped_logits + model.unembed(predicted.normed))
