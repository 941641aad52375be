"""Sweeps, steered texts and validations run for a widget: displayed while they run, and a message once they are done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from circuit_widget.arguments import check_callable, entries_of, finite_number
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import InterventionError, PromptError
from circuit_widget.graph import Graph
from circuit_widget.intervention.as_code import (
    groups_code,
    intervention_code,
    keyword_code,
    nodes_code,
    study_code,
    value_code,
)
from circuit_widget.intervention.kinds import Intervention, NodeEntry
from circuit_widget.intervention.mode import Mode, read_mode
from circuit_widget.intervention.studies.strength_sweep import FACTORS
from circuit_widget.model.sampling import Options
from circuit_widget.progress import IsCancelled, ProgressChoice
from circuit_widget.widget.experiments.experiment_names import changed_name, experiment_name
from circuit_widget.widget.message_builders.study_results import (
    GrowingTexts,
    SweepSoFar,
    circuit_groups,
    validation_message,
)
from circuit_widget.widget.wire.study_messages import Axis, StudyMessage

if TYPE_CHECKING:
    from circuit_widget.intervention.effect import Effect
    from circuit_widget.intervention.studies.group_sweep import GroupSweep
    from circuit_widget.intervention.studies.steered_generation import SteeredGeneration
    from circuit_widget.intervention.studies.strength_sweep import Sweep
    from circuit_widget.intervention.studies.validation import Validation
    from circuit_widget.replacement_model import ReplacementModel
    from circuit_widget.tracing.generation import Generation

Result: TypeAlias = "Sweep | GroupSweep | SteeredGeneration | Generation | Validation"


class OnPartial(Protocol):
    """Receives a study as far as it is, from a function that makes its message."""

    def __call__(self, body: Callable[[], StudyMessage]) -> None: ...


@dataclass(frozen=True)
class Callbacks:
    """What a study calls while it runs: with its progress, to learn whether to stop, with its results so far."""

    progress: ProgressChoice = None
    cancelled: IsCancelled | None = None
    on_partial: OnPartial | None = None


@dataclass(frozen=True, eq=False)
class Study:
    """A study that ran: its result as a Python value, and as a message to the page."""

    result: Result
    message: StudyMessage


@dataclass(frozen=True, eq=False)
class SweepPlan:
    """What a sweep varies: the strength of the nodes that interventions are on, the last frozen layer, or the box."""

    axis: Axis
    interventions: Sequence[Intervention] = ()
    factors: Sequence[float] = FACTORS

    def __post_init__(self) -> None:
        if self.factors is not FACTORS:
            listed = entries_of(self.factors, "The factors of a sweep are a list of numbers", InterventionError)
            numbers = tuple(finite_number(one, "A factor", InterventionError) for one in listed)
            object.__setattr__(self, "factors", numbers)

    @property
    def nodes(self) -> list[NodeEntry]:
        """The nodes whose strength is varied."""
        return list(dict.fromkeys(node for one in self.interventions for node in one.members))


def run_sweep(
    model: ReplacementModel,
    graph: Graph,
    circuit: Circuit,
    plan: SweepPlan,
    mode: Mode,
    name: str,
    callbacks: Callbacks,
) -> Study:
    """Run a sweep on the boxes of the circuit, and display it while it fills in.

    Raises:
        InterventionError: no box of the circuit has features, or as the model's sweeps do.
    """
    axis = plan.axis
    groups = circuit_groups(graph, circuit) if axis in ("groups", "pairs") else {}
    labels, values = _labels(graph, plan, groups)
    so_far = SweepSoFar(
        graph,
        circuit,
        axis,
        name,
        labels,
        values,
        _sweep_code(graph, plan, groups, read_mode(mode, graph.n_layers).name),
    )

    def seen(start: int, effects: Sequence[Effect]) -> None:
        so_far.add(start, effects)
        if callbacks.on_partial is not None:
            callbacks.on_partial(so_far.message)

    options: dict[str, Any] = {"progress": callbacks.progress, "cancelled": callbacks.cancelled, "on_effects": seen}
    result: Sweep | GroupSweep
    if axis == "factor":
        result = model.sweep(graph, plan.nodes, plan.factors, mode=mode, **options)
    elif axis == "last_layer":
        result = model.sweep_last_layer(graph, plan.interventions, **options)
    else:
        result = model.sweep_groups(graph, groups, pairs=axis == "pairs", mode=mode, **options)
    return Study(result, so_far.message())


def sweep_name(graph: Graph, circuit: Circuit, plan: SweepPlan) -> str:
    """Return the name of a sweep: what is varied."""
    match plan.axis:
        case "factor":
            return ", ".join(changed_name(graph, circuit, one) for one in plan.interventions[:1])
        case "last_layer":
            return experiment_name(graph, circuit, plan.interventions)
        case "pairs":
            return "pairs of boxes"
        case "groups":
            return "each box"


def _sweep_code(graph: Graph, plan: SweepPlan, groups: Mapping[str, Sequence[str]], mode: str) -> str:
    if plan.axis == "last_layer":
        interventions = ", ".join(map(intervention_code, plan.interventions))
        return study_code(graph, "sweep_last_layer", [f"[{interventions}]"])
    if plan.axis == "factor":
        factors = [] if plan.factors is FACTORS else [value_code(list(plan.factors))]
        return study_code(graph, "sweep", [nodes_code(plan.nodes), *factors, keyword_code("mode", mode)])
    pairs = [keyword_code("pairs", True)] if plan.axis == "pairs" else []
    return study_code(graph, "sweep_groups", [groups_code(groups), *pairs, keyword_code("mode", mode)])


def generation_name(graph: Graph, circuit: Circuit, interventions: Sequence[Intervention]) -> str:
    """Return the name of generated text: that of the interventions, or that there are none."""
    return experiment_name(graph, circuit, interventions) or "as it is"


def _labels(
    graph: Graph, plan: SweepPlan, groups: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return the names of the experiments of a sweep, and the numbers that are varied, if any are."""
    if plan.axis == "factor":
        factors = tuple(plan.factors)
        return tuple(f"×{factor:g}".replace("-", "−") for factor in factors), factors
    if plan.axis == "last_layer":
        return tuple(f"to layer {layer}" for layer in range(graph.n_layers)), tuple(map(float, range(graph.n_layers)))
    names = list(groups)
    pairs = [f"{one} + {other}" for index, one in enumerate(names) for other in names[index + 1 :]]
    return tuple(names + pairs if plan.axis == "pairs" else names), ()


def run_generation(
    model: ReplacementModel,
    graph: Graph,
    interventions: Sequence[Intervention],
    name: str,
    callbacks: Callbacks,
    options: Options,
) -> Study:
    """Let the model generate text after the traced position, as it is and under interventions."""
    prompt = model.prompt_of(graph.tokens[: graph.position + 1])
    texts = GrowingTexts(
        graph,
        name,
        tuple(interventions),
        options.get("new_tokens", False),
        options.get("max_new_tokens", 32),
        options.get("temperature", 0.0),
    )

    given = options.get("on_token")
    check_callable(given, "on_token is a function that is given each token,", PromptError)

    def on_token(token: Any) -> None:
        texts.add(token)
        if given is not None:
            given(token)
        if callbacks.on_partial is not None:
            callbacks.on_partial(lambda: texts.message(options.get("seed")))

    ways: Options = {**options, "on_token": on_token, "progress": callbacks.progress, "cancelled": callbacks.cancelled}
    if interventions:
        steered = model.generate(prompt, interventions=list(interventions), **ways)
        return Study(steered, texts.result(steered))
    ways["new_tokens"] = False
    text = model.generate(prompt, **ways)
    return Study(text, texts.result(text))


def run_validation(model: ReplacementModel, graph: Graph, circuit: Circuit, mode: Mode, callbacks: Callbacks) -> Study:
    """Ablate each box of the circuit in turn, or where it has no features the most influential ones of the graph."""
    boxes = any(node in graph.node_ids[: graph.n_features] for box in circuit.boxes() for node in box.nodes)
    groups = circuit_groups(graph, circuit) if boxes else None
    result = model.validate(graph, groups, mode=mode, progress=callbacks.progress, cancelled=callbacks.cancelled)
    return Study(result, validation_message(graph, groups, result, read_mode(mode, graph.n_layers).name))
