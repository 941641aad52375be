"""From interventions on a graph to what they do to the model, beside what the graph predicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32

from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect, node_frame, token_frame
from circuit_widget.intervention.execution.clamp import hold, spelled_out
from circuit_widget.intervention.execution.graph_features import Watched
from circuit_widget.intervention.execution.measure import measure
from circuit_widget.intervention.execution.plan import Experiment, plan
from circuit_widget.intervention.execution.predict import logits_after, predict
from circuit_widget.intervention.execution.resolve import Other, Setting, left_out_in, named_in
from circuit_widget.intervention.execution.target_readings import Readers, TargetReading
from circuit_widget.intervention.kinds import Intervention
from circuit_widget.intervention.mode import Regime
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.rerun import batches
from circuit_widget.model.tokens.tokenizer import token_text
from circuit_widget.progress import IsCancelled
from circuit_widget.system.plain_torch import inference
from circuit_widget.tracing.run import Run
from circuit_widget.transcoder.transcoder_set import TranscoderSet


@dataclass(frozen=True, eq=False)
class _FeatureNumbers:
    """What one experiment of a batch did and was predicted to do."""

    features: Float32[np.ndarray, " features"]
    predicted: Float32[np.ndarray, " features"]
    logits: Float32[np.ndarray, " vocabulary"]
    expected: Float32[np.ndarray, " vocabulary"]
    readings: Mapping[int, TargetReading]
    seconds: float


def carry_out_batch(
    model: LanguageModel,
    transcoders: TranscoderSet,
    run: Run,
    graph: Graph,
    watched: Watched,
    asked: Sequence[tuple[Intervention, ...]],
    regime: Regime,
    *,
    other: Other,
    label: Callable[[int, int], str | None],
    progress: Callable[[float], None] | None = None,
    cancelled: IsCancelled | None = None,
) -> tuple[Effect, ...]:
    """Return the effect of each of several experiments on the prompt of `run`, `watched` at the features of `graph`.

    `other` runs another prompt, to swap in from; `label` names a feature, given its layer and number. All are checked
    before the first one runs.

    Raises:
        InterventionError: an experiment leaves the model without finite logits.
        InterventionError, NodeError: as `hold` does.
        Cancelled: `cancelled()` became true between two layers.
    """
    with inference():
        setting = Setting(run, named_in(graph), transcoders, other, left_out_in(graph, run.activations))
        experiments = [plan(graph, watched, hold(interventions, setting)) for interventions in asked]
        starts = [(one.first_layer, one.first_position) for one in experiments]
        readers, found = Readers(model, run, graph), dict[int, _FeatureNumbers]()
        for batch in batches(model, run.captured, starts):
            together, started, done = [experiments[place] for place in batch], time.perf_counter(), len(found)

            def report(share: float, done: int = done, size: int = len(batch)) -> None:
                if progress is not None:
                    progress((done + share * size) / len(experiments))

            measured = measure(model, transcoders, run, watched, together, regime, progress=report, cancelled=cancelled)
            features, logits = measured.features.cpu().numpy(), measured.logits.cpu().numpy()
            seconds = (time.perf_counter() - started) / len(batch)
            _refuse_unless_finite(logits, [asked[place] for place in batch])
            predicted = predict(run.frozen, transcoders, watched, together, knock_on=regime.knock_on)
            expected = logits_after(model, run.captured, predicted).cpu().numpy()
            for row, place in enumerate(batch):
                found[place] = _FeatureNumbers(
                    features[row],
                    predicted.features[row].cpu().numpy(),
                    logits[row],
                    expected[row],
                    readers.read(measured.normed[row], predicted.normed[row]),
                    seconds,
                )
    report_of = _Report(model, run, graph, regime, label)
    return tuple(
        report_of(tuple(spelled_out(one, setting) for one in interventions), experiments[place], found[place])
        for place, interventions in enumerate(asked)
    )


def _refuse_unless_finite(
    logits: Float32[np.ndarray, "batch vocabulary"], asked: Sequence[tuple[Intervention, ...]]
) -> None:
    for row, interventions in zip(logits, asked, strict=True):
        if not np.isfinite(row).all():
            done = ", ".join(one.description for one in interventions)
            raise InterventionError(
                f"With “{done}” the model's logits are no longer finite numbers; give values nearer to what is usual."
            )


@dataclass(frozen=True, eq=False)
class _Report:
    """Puts the numbers of experiments on one graph in words and tables, with what they have in common made once."""

    model: LanguageModel
    run: Run
    graph: Graph
    regime: Regime
    label: Callable[[int, int], str | None]

    def __call__(
        self, interventions: tuple[Intervention, ...], experiment: Experiment, found: _FeatureNumbers
    ) -> Effect:
        """Return the effect of one experiment."""
        graph, held = self.graph, experiment.held
        added = np.array([[item.before, item.value] for item in experiment.added], dtype=np.float32).reshape(-1, 2)
        before, after, predicted = (
            np.concatenate([values, extra])
            for values, extra in (
                (graph.activation, added[:, 0]),
                (found.features, added[:, 1]),
                (found.predicted, added[:, 1]),
            )
        )
        labels = ((item.feature.id, self.label(item.feature.layer, item.feature.feature)) for item in held)
        return Effect(
            graph=graph,
            interventions=interventions,
            mode=self.regime.name,
            frozen=self.regime.frozen,
            nodes=node_frame(self._ids + tuple(item.feature.id for item in experiment.added), before, after, predicted),
            tokens=token_frame(self._before, found.logits, found.expected, self._token_texts),
            logits_before=self._before,
            logits_after=found.logits,
            logits_predicted=found.expected,
            readings=found.readings,
            injected=tuple((item.feature, item.value) for item in held if item.before == 0 and item.value != 0),
            labels={node: text for node, text in labels if text},
            seconds=found.seconds,
            device=str(self.model.device),
            dtype=str(self.model.dtype).removeprefix("torch."),
        )

    @cached_property
    def _ids(self) -> tuple[str, ...]:
        return self.graph.node_ids[: self.graph.n_features]

    @cached_property
    def _before(self) -> Float32[np.ndarray, " vocabulary"]:
        before: np.ndarray = self.run.captured.logits.cpu().numpy()
        return before

    @cached_property
    def _texts(self) -> dict[int, str]:
        return {}

    def _token_texts(self, ids: Sequence[int]) -> list[str]:
        for token in ids:
            if token not in self._texts:
                self._texts[token] = token_text(self.model.tokenizer, token)
        return [self._texts[token] for token in ids]
