"""How studies run their experiments: on a Runner, in parts if effects are wanted while the study runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from circuit_widget.arguments import check_callable
from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.kinds import Intervention
from circuit_widget.intervention.mode import Mode
from circuit_widget.progress import IsCancelled, ProgressChoice, ReportProgress, reporting
from circuit_widget.tracing.activations import Activations
from circuit_widget.transcoder.transcoder_set import TranscoderSet

OnEffects: TypeAlias = Callable[[int, Sequence[Effect]], None]
"""Called with effects of a study as soon as they are measured: the number of the first one, and the effects."""

ON_EFFECTS_IS = "on_effects is a function that is given the number of the first effect and some effects,"

PART = 6
"""How many experiments of a study run between two calls of `on_effects`."""

MOST_EXPERIMENTS = 10_000
"""Each has an effect with all logits; more of them would fill the memory of most machines."""


class Runner(Protocol):
    """A model that experiments run on."""

    transcoders: TranscoderSet

    def intervene_many(
        self,
        graph: Graph,
        experiments: Sequence[Sequence[Intervention] | Intervention],
        *,
        mode: Mode = "total",
        progress: ProgressChoice = None,
        cancelled: IsCancelled | None = None,
    ) -> tuple[Effect, ...]:
        """Return the effect of each of several experiments."""

    def _activations_of(self, graph: Graph, *, cancelled: IsCancelled | None = None) -> Activations:
        """Return the active features of a graph's prompt, up to its traced position."""


def in_parts(
    model: Runner,
    graph: Graph,
    experiments: Sequence[Intervention],
    mode: Mode,
    on_effects: OnEffects | None,
    progress: ProgressChoice,
    cancelled: IsCancelled | None,
) -> tuple[Effect, ...]:
    """Return the effects of experiments, run together or, if `on_effects` is given, a few at a time."""
    check_callable(on_effects, ON_EFFECTS_IS, InterventionError)
    if len(experiments) > MOST_EXPERIMENTS:
        raise InterventionError(
            f"This sweep has {len(experiments):,} experiments; at most {MOST_EXPERIMENTS:,} run at once. Sweep in parts."
        )
    if on_effects is None:
        return model.intervene_many(graph, experiments, mode=mode, progress=progress, cancelled=cancelled)
    effects: list[Effect] = []
    with reporting(progress) as report:
        for start in range(0, len(experiments), PART):
            some = experiments[start : start + PART]
            part = part_of(report, start / len(experiments), (start + len(some)) / len(experiments))
            found = model.intervene_many(graph, some, mode=mode, progress=part, cancelled=cancelled)
            effects += found
            on_effects(start, found)
    return tuple(effects)


def part_of(report: ReportProgress, start: float, end: float) -> ReportProgress:
    """Return a progress callback for one part of a run, which is the share from `start` to `end` of the whole."""
    return lambda done, text: report(start + (end - start) * done, text)
