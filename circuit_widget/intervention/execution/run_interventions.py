"""Runs interventions on the model and puts the measured effect beside the one that the graph predicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float32

from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect, node_frame, token_frame
from circuit_widget.intervention.execution.clamp import clamp, without_everywhere
from circuit_widget.intervention.execution.graph_features import GraphFeatures
from circuit_widget.intervention.execution.injected import injected_edges, injected_of
from circuit_widget.intervention.execution.measure import measure
from circuit_widget.intervention.execution.plan import ClampPlan, plan_clamps
from circuit_widget.intervention.execution.predict import logits_after, predict
from circuit_widget.intervention.execution.resolve import ResolveContext, RunPrompt, graph_lookup, left_out_lookup
from circuit_widget.intervention.execution.target_readings import TargetReaders, TargetReading
from circuit_widget.intervention.injected_edges import InjectedEdges
from circuit_widget.intervention.kinds import Intervention
from circuit_widget.intervention.mode import CheckedMode
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.rerun import batches
from circuit_widget.model.tokens.tokenizer import token_text
from circuit_widget.progress import IsCancelled
from circuit_widget.system.plain_torch import inference
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.transcoder.transcoder_set import TranscoderSet


@dataclass(frozen=True, eq=False)
class _Numbers:
    """What one experiment did and was predicted to do: activations of the graph's features, and logits."""

    features: Float32[np.ndarray, " features"]
    predicted_features: Float32[np.ndarray, " features"]
    logits: Float32[np.ndarray, " vocabulary"]
    predicted_logits: Float32[np.ndarray, " vocabulary"]
    readings: Mapping[int, TargetReading]
    seconds: float


def run_interventions(
    model: LanguageModel,
    transcoders: TranscoderSet,
    run: PromptRun,
    graph: Graph,
    graph_features: GraphFeatures,
    experiments: Sequence[tuple[Intervention, ...]],
    mode: CheckedMode,
    *,
    run_prompt: RunPrompt,
    label: Callable[[int, int, float], str | None],
    progress: Callable[[float], None] | None = None,
    cancelled: IsCancelled | None = None,
) -> tuple[Effect, ...]:
    """Return the effect of each of several experiments on the prompt of `run`.

    Each experiment is one or more interventions at once. `graph_features` are those of `graph`. `run_prompt` runs another
    prompt, to swap in from; `label` returns the label of a feature, given layer, number and activation. All experiments are
    checked before the first one runs.

    Raises:
        InterventionError: an experiment leaves the model without finite logits.
        InterventionError, NodeError: as `clamp` does.
        Cancelled: `cancelled()` became true between two layers.
    """
    with inference():
        context = ResolveContext(
            run, graph_lookup(graph), transcoders, run_prompt, left_out_lookup(graph, run.activations)
        )
        plans = [plan_clamps(graph, graph_features, clamp(interventions, context)) for interventions in experiments]
        starts = [(one.first_layer, one.first_position) for one in plans]
        readers, found = TargetReaders(model, run, graph), dict[int, _Numbers]()
        for batch in batches(model, run.captured, starts):
            together, started, done = [plans[number] for number in batch], time.perf_counter(), len(found)

            def report(share: float, done: int = done, size: int = len(batch)) -> None:
                if progress is not None:
                    progress((done + share * size) / len(experiments))

            measured = measure(
                model, transcoders, run, graph_features, together, mode, progress=report, cancelled=cancelled
            )
            features, logits = measured.features.cpu().numpy(), measured.logits.cpu().numpy()
            seconds = (time.perf_counter() - started) / len(batch)
            _require_finite(logits, [experiments[number] for number in batch])
            predicted = predict(run.frozen, transcoders, graph_features, together, knock_on=mode.knock_on)
            predicted_logits = logits_after(model, run.captured, predicted).cpu().numpy()
            for row, number in enumerate(batch):
                found[number] = _Numbers(
                    features[row],
                    predicted.features[row].cpu().numpy(),
                    logits[row],
                    predicted_logits[row],
                    readers.read(measured.normed[row], predicted.normed[row]),
                    seconds,
                )
    logits_of = [found[number].logits for number in range(len(plans))]
    edges = injected_edges(model, transcoders, run, graph, graph_features, plans, logits_of, cancelled=cancelled)
    effect_of = _EffectMaker(model, run, graph, mode, label)
    return tuple(
        effect_of(
            tuple(without_everywhere(one, context) for one in interventions),
            plans[number],
            found[number],
            edges[number],
        )
        for number, interventions in enumerate(experiments)
    )


def _require_finite(
    logits: Float32[np.ndarray, "batch vocabulary"], experiments: Sequence[tuple[Intervention, ...]]
) -> None:
    for row, interventions in zip(logits, experiments, strict=True):
        if not np.isfinite(row).all():
            description = ", ".join(one.description for one in interventions)
            raise InterventionError(
                f"With “{description}” the model's logits are no longer finite numbers; "
                "give values nearer to what is usual."
            )


@dataclass(frozen=True, eq=False)
class _EffectMaker:
    """Makes the Effects of experiments on one graph; what they have in common is computed once."""

    model: LanguageModel
    run: PromptRun
    graph: Graph
    mode: CheckedMode
    label: Callable[[int, int, float], str | None]

    def __call__(
        self,
        interventions: tuple[Intervention, ...],
        plan: ClampPlan,
        numbers: _Numbers,
        edges: InjectedEdges | None,
    ) -> Effect:
        """Return the effect of one experiment."""
        graph, clamped, outside = self.graph, plan.clamped, plan.outside_graph
        outside_before, outside_value = (
            torch.as_tensor(part).to(torch.float32).numpy() for part in (outside.before, outside.value)
        )
        before, after, predicted = (
            np.concatenate([of_graph, of_others])
            for of_graph, of_others in (
                (graph.activation, outside_before),
                (numbers.features, outside_value),
                (numbers.predicted_features, outside_value),
            )
        )
        signs = np.where(clamped.before != 0, clamped.before, clamped.value)
        texts = map(self.label, clamped.features[:, 0].tolist(), clamped.features[:, 2].tolist(), signs.tolist())
        return Effect(
            graph=graph,
            interventions=interventions,
            mode=self.mode.name,
            frozen=self.mode.frozen,
            nodes=node_frame([*self._ids, *outside.ids()], before, after, predicted),
            tokens=token_frame(self._before, numbers.logits, numbers.predicted_logits, self._token_texts),
            logits_before=self._before,
            logits_after=numbers.logits,
            logits_predicted=numbers.predicted_logits,
            readings=numbers.readings,
            injected=tuple((item.feature, item.value) for item in injected_of(plan)),
            injected_edges=edges,
            labels={node: text for node, text in zip(clamped.ids(), texts, strict=True) if text},
            seconds=numbers.seconds,
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
