"""What experiments do to the real model, several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.intervention.execution.graph_features import Watched
from circuit_widget.intervention.execution.plan import Experiment
from circuit_widget.intervention.execution.predict import add_constants, add_writes, hold_at, logits_after, predict
from circuit_widget.intervention.mode import Regime
from circuit_widget.model.capture import Capture
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.rerun import Batch, Conditions, Edit, rerun_batch
from circuit_widget.progress import IsCancelled
from circuit_widget.system.plain_torch import inference
from circuit_widget.tracing.run import Run
from circuit_widget.tracing.target_source import final_normed
from circuit_widget.transcoder.transcoder_set import TranscoderSet


@dataclass(frozen=True, eq=False)
class Measured:
    """Watched features after experiments (held ones at their value), and the logits at the traced position.

    Features are in the graph's order. `normed` is the residual stream there after the final norm.
    """

    features: Float[Tensor, "batch features"]
    normed: Float[Tensor, "batch d_model"]
    logits: Float[Tensor, "batch vocabulary"]


def measure(
    model: LanguageModel,
    transcoders: TranscoderSet,
    run: Run,
    watched: Watched,
    experiments: Sequence[Experiment],
    regime: Regime,
    *,
    progress: Callable[[float], None] | None = None,
    cancelled: IsCancelled | None = None,
) -> Measured:
    """Return what the watched features and the logits become while nodes are held, sorted by first layer.

    In `direct` the model is linear and features are read before their activation function; elsewhere after it.

    Raises:
        Cancelled: `cancelled()` became true between two layers.
    """
    conditions = regime.conditions
    if conditions is None:
        direct = predict(run.frozen, transcoders, watched, experiments, knock_on=())
        normed = final_normed(model, run) + direct.normed.to(model.device)
        return Measured(direct.features, normed, logits_after(model, run.captured, direct))
    batch = rerun_batch(
        model,
        run.captured,
        [
            Edit(
                one.first_layer,
                one.first_position,
                _Holding(transcoders, one, conditions, run.captured),
                one.entering(range(one.first_position, run.position + 1)),
            )
            for one in experiments
        ],
        conditions=conditions,
        progress=progress,
        cancelled=cancelled,
    )
    return Measured(_read_features(transcoders, batch, watched, experiments), batch.normed, batch.logits)


class _Holding:
    """What is added to each MLP's output: `(value - activation) * decoder row` for each held feature that writes there.

    For held errors it is a constant, their change from what they are on the prompt.

    A clamped output holds the original activations, so there the change is counted from those; elsewhere from what the
    feature would be now, where it reads. Cross-layer features that read no later than a clamped range ends are not
    written past it: the MLPs there answer to the change themselves, and it would count twice. A skip connection is no
    feature and linear: a clamped output keeps following it, as edges do.
    """

    def __init__(
        self, transcoders: TranscoderSet, experiment: Experiment, conditions: Conditions, captured: Capture
    ) -> None:
        self._transcoders = transcoders
        self._experiment = experiment
        self._clamped = conditions.clamped
        self._captured = captured
        self._now: dict[int, Tensor] = {}

    def __call__(self, layer: int, x: Float[Tensor, "rows d_model"]) -> Float[Tensor, "rows d_model"] | None:
        experiment, start = self._experiment, self._experiment.first_position
        if layer in experiment.places and layer not in self._clamped:
            places = experiment.places[layer]
            _, now = self._transcoders.read(layer, places.features, places.positions - start, x[None])
            self._now[layer] = now[0]
        sources = [source for source in experiment.places if source <= layer and self._reaches(source, layer)]
        skip = self._transcoders.skip(layer) if layer in self._clamped else None
        constants = [one for one in experiment.constants.get(layer, ()) if self._reaches(one.source, layer)]
        if skip is None and not sources and not constants:
            return None
        before = self._captured.layers[layer].mlp_input[start : start + len(x)]
        added = torch.zeros_like(x) if skip is None else (x - before) @ skip.T
        for source in sources:
            index = experiment.places[source].index
            now = experiment.before[index] if layer in self._clamped else self._now[source]
            changes = experiment.values[index] - now.to(experiment.before.device)
            add_writes(added, self._transcoders, experiment, source, layer, changes, start)
        for one in constants:
            add_constants(added, one, start)
        return added

    def _reaches(self, source: int, layer: int) -> bool:
        """Return whether what is held at layer `source` is written to `layer`."""
        past = len(self._clamped) > 0 and source <= self._clamped[-1] < layer
        return layer in self._transcoders.written_layers(source) and not past


def _read_features(
    transcoders: TranscoderSet, batch: Batch, watched: Watched, experiments: Sequence[Experiment]
) -> Float[Tensor, "batch features"]:
    """Return activations read from what the MLPs were given in the re-runs.

    What stands before an experiment's first position is what it was: the batch runs it again only for the others.
    """
    after = watched.before.repeat(len(experiments), 1)
    first = torch.tensor([experiment.first_position for experiment in experiments], dtype=torch.long, device="cpu")
    with inference():
        for layer, x in batch.mlp_inputs.items():
            reached = watched.reached(layer, batch.first_position)
            rows = watched.encoder_rows(layer, reached)
            _, activation = transcoders.read(layer, reached.features, reached.rows, x, rows)
            here = activation.to(after.device)
            late = first[: len(x), None].to(after.device) - batch.first_position
            if bool(late.any()):
                before = watched.before[reached.columns].expand(len(x), -1)
                here = torch.where(reached.rows.to(after.device) < late, before, here)
            after[: len(x), reached.columns] = here
        for row, experiment in enumerate(experiments):
            hold_at(after[row], experiment)
    return watched.in_graph_order(after)
