"""The experiments on the graph of a widget: run, kept and displayed, from Python and for the page alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from circuit_widget.arguments import of_type
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import InterventionError, MessageError, NodeError, NoModelError
from circuit_widget.figure.figure import Figure, FigureEffect, Part, Theme, make_figure
from circuit_widget.figure.output.chosen_font import ChosenFont
from circuit_widget.graph import Feature, Graph
from circuit_widget.graph.node_table import feature_at
from circuit_widget.intervention import Intervention
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.kinds import intervention_tuple
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.model.sampling import Options
from circuit_widget.widget.experiments.experiment_names import experiment_name
from circuit_widget.widget.experiments.named_nodes import resolved_intervention
from circuit_widget.widget.experiments.study_runs import (
    Callbacks,
    Study,
    SweepPlan,
    generation_name,
    run_generation,
    run_sweep,
    run_validation,
    sweep_name,
)
from circuit_widget.widget.history.history import History, HistoryEntry, check_name, compared_tokens, entry_of
from circuit_widget.widget.history.work import Work
from circuit_widget.widget.html_file.widget_state import WidgetState
from circuit_widget.widget.message_builders.effect import comparison_message, effect_message
from circuit_widget.widget.state.sent_graph import SentGraph
from circuit_widget.widget.state.traits import Traits
from circuit_widget.widget.wire.experiment_messages import ComparisonMessage, EffectMessage
from circuit_widget.widget.wire.graph_messages import Kept
from circuit_widget.widget.wire.schema import plain
from circuit_widget.widget.wire.sending import sendable
from circuit_widget.widget.wire.study_messages import StudyMessage

if TYPE_CHECKING:
    import pandas

    from circuit_widget.intervention.mode import Mode
    from circuit_widget.intervention.studies.validation import Validation
    from circuit_widget.replacement_model import ReplacementModel


AFRESH = "Started afresh"


@dataclass(frozen=True, eq=False)
class Experiments:
    """The experiments of one widget: what runs the model, the history, and the traits that display them.

    Each of `listeners` is called after a change of the history; `set_aside` is what starting afresh took away.

    What runs the model raises NoModelError where there is none; `why_not` is then its sentence.
    """

    graph: Graph
    model: ReplacementModel | None
    why_not: str
    traits: Traits
    sent: SentGraph
    history: History = field(default_factory=History)
    injected: dict[str, Feature] = field(default_factory=dict)
    set_aside: list[tuple[Work, Kept]] = field(default_factory=list)
    listeners: list[Callable[[], object]] = field(default_factory=list)

    def effects(self) -> list[Effect]:
        """Return the effects of all experiments, the last one last."""
        with self.traits.lock:
            return [one.effect for one in self.history]

    def to_frame(self) -> pandas.DataFrame:
        """Return one row for each experiment; see `History.to_frame`."""
        with self.traits.lock:
            return self.history.to_frame()

    def to_csv(self) -> str:
        """Return the same as the text of a CSV file."""
        with self.traits.lock:
            return self.history.to_csv()

    def work(self) -> Work:
        """Return the circuit and the experiments as they are now."""
        with self.traits.lock:
            return Work(self.traits.circuit, tuple(self.history), self.history.made, self.traits.displayed)

    def restore(self, work: Work) -> None:
        """Put a circuit and experiments in place of the present ones, and display what was displayed."""
        with self.traits.lock, self.traits.together():
            self.traits.set("circuit", work.circuit)
            self.history.replace(work.entries, work.made)
            self.injected.update({feature.id: feature for one in work.entries for feature, _ in one.effect.injected})
            self._list()
            if work.displayed is None:
                self.traits.set("effect", None)
            else:
                self.display(work.displayed)

    def start_afresh(self) -> None:
        """Put an empty circuit and history in place of the present ones, which `bring_back` returns."""
        with self.traits.lock, self.traits.together():
            self.set_aside.append((self.work(), self.traits.kept))
            self.restore(Work())
            self.traits.set("kept", plain(replace(self.traits.kept, sentence=AFRESH, step="bring_back")))

    def bring_back(self) -> None:
        """Put back what starting afresh took away; what was made since is set aside. Does nothing where there is nothing."""
        with self.traits.lock, self.traits.together():
            if not self.set_aside:
                return
            earlier, kept = self.set_aside.pop()
            self.set_aside.append((self.work(), self.traits.kept))
            self.restore(earlier)
            self.traits.set("kept", plain(replace(self.traits.kept, sentence=kept.sentence, step=kept.step)))

    def required_model(self) -> ReplacementModel:
        """Return the model. Raises NoModelError where there is none."""
        if self.model is None:
            raise NoModelError(self.why_not)
        return self.model

    def name_of(self, interventions: Sequence[Intervention]) -> str:
        """Return the name of an experiment: "Texas ×0, capital ×2"."""
        return experiment_name(self.graph, self.traits.circuit, interventions)

    def resolved(self, interventions: Intervention | Iterable[Intervention]) -> tuple[Intervention, ...]:
        """Return interventions with supernodes and labels replaced by the nodes that they name."""
        circuit = self.traits.circuit
        return tuple(resolved_intervention(self.graph, circuit, one) for one in intervention_tuple(interventions))

    def intervene(self, interventions: Intervention | Iterable[Intervention], mode: Mode) -> Effect:
        """Run an intervention, display its effect, and return it; see `CircuitWidget.intervene`."""
        effect = self.required_model().intervene(self.graph, self.resolved(interventions), mode=mode)
        self.record(effect, self.name_of(effect.interventions))
        return effect

    def controls(self, n: int, seed: int) -> Controls:
        """Run controls of the displayed experiment, display and return them. Raises InterventionError where there is none."""
        model = self.required_model()
        number = self.traits.displayed
        if number is None:
            raise InterventionError("No experiment is displayed; run one, such as widget.ablate(nodes), or recall one.")
        effect = self.effect_of(number)
        controls = model.controls(self.graph, effect.interventions, n=n, seed=seed, mode=effect.mode)
        self.record_controls(number, controls)
        return controls

    def sweep(self, plan: SweepPlan, mode: Mode) -> Any:
        """Run a sweep, display it while it fills in, and return its result."""
        model, circuit = self.required_model(), self.traits.circuit
        name = sweep_name(self.graph, circuit, plan)
        return self._display(run_sweep(model, self.graph, circuit, plan, mode, name, Callbacks()))

    def generate(self, interventions: Sequence[Intervention], options: Options) -> Any:
        """Let the model generate text as it is and under interventions, display both, and return them."""
        callbacks = Callbacks(options.get("progress"), options.get("cancelled"))
        name = generation_name(self.graph, self.traits.circuit, interventions)
        study = run_generation(self.required_model(), self.graph, interventions, name, callbacks, options)
        return self._display(study)

    def validate(self, mode: Mode) -> Validation:
        """Ablate each box of the circuit in turn, display how well the graph predicts the effects, and return that.

        Without boxes that have features, the most influential features of the graph are ablated.
        """
        study = run_validation(self.required_model(), self.graph, self.traits.circuit, mode, Callbacks())
        validation: Validation = self._display(study)
        return validation

    def state(self) -> WidgetState:
        """Return what the widget displays, as it is now."""
        with self.traits.lock:
            return WidgetState(
                self.graph,
                self.model,
                self.traits.circuit,
                self.traits.selected,
                self.traits.height,
                self.sent.nodes,
                tuple(self.history),
                self.traits.displayed,
                self.traits.study,
                self.traits.comparison,
                self.traits.prompt_stability,
                self.history.to_csv(),
            )

    def displayed_interventions(self) -> tuple[Intervention, ...]:
        """Return the interventions of the displayed experiment; none where none is displayed."""
        number = self.traits.displayed
        return () if number is None else self.effect_of(number).interventions

    def displayed_outcome(self) -> Effect | Controls | None:
        """Return the displayed effect, or its controls where they ran."""
        with self.traits.lock:
            number = self.traits.displayed
            recorded = None if number is None else self.history.find(number)
            return None if recorded is None else recorded.controls or recorded.effect

    def displayed(self) -> tuple[Graph, Circuit, FigureEffect]:
        """Return the graph, its circuit and the displayed effect, or its controls where they ran."""
        with self.traits.lock:
            return self.graph, self.traits.circuit, self.displayed_outcome()

    def figure(self, part: Part, width: float, theme: Theme, font: ChosenFont = None) -> Figure:
        """Return what the widget displays as a figure for a paper; width in inches. Raises FigureError as `make_figure`."""
        return make_figure(*self.displayed(), part, width, None, theme, font)

    def effect_of(self, number: int) -> Effect:
        """Return the effect of an experiment. Raises NodeError when there is none."""
        with self.traits.lock:
            return self.history.find(number).effect

    def compare(self, first: int, second: int) -> pandas.DataFrame:
        """Return the likely tokens of two experiments. Raises NodeError when there is none of those numbers."""
        with self.traits.lock:
            return compared_tokens(self.history.find(first).effect, self.history.find(second).effect)

    def message(self, number: int) -> EffectMessage:
        """Return the message of an experiment. Raises NodeError when there is none."""
        with self.traits.lock:
            return effect_message(self.history.find(number), self.traits.circuit, self.sent.nodes)

    def comparison(self, number: int, beside: int) -> ComparisonMessage:
        """Return the message of an experiment beside another. Raises NodeError when there is none of those numbers."""
        with self.traits.lock:
            return comparison_message(self.history.find(beside), self.history.find(number), self.sent.nodes)

    def display(self, number: int) -> EffectMessage:
        """Display an experiment and return its message. Raises NodeError when there is none."""
        with self.traits.lock:
            message = self.message(number)
            self.traits.set("effect", plain(message))
        return message

    def rename(self, number: int, name: str) -> None:
        """Give an experiment another name. Raises NodeError when there is none, or for what is no name."""
        with self.traits.lock:
            self.history.rename(number, name)
            self._list()
            if self.traits.displayed == number:
                self.display(number)

    def forget(self, number: int) -> None:
        """Delete an experiment; a displayed one is no longer displayed. Raises NodeError when there is none."""
        with self.traits.lock:
            self.history.forget(number)
            if self.traits.displayed == number:
                self.traits.set("effect", None)
            self._list()

    def record(self, effect: Effect, name: str) -> EffectMessage:
        """Keep an effect under a name, display it, and return its message.

        Raises MessageError, and keeps nothing, where it could not be sent to the page, or for what is no Effect; NodeError
        for what is no name.
        """
        of_type(effect, Effect, "What is recorded is an Effect, as model.intervene returns it", MessageError)
        check_name(name)
        with self.traits.lock:
            message = self._keep(self.history.next(effect, name))
            self.injected.update({feature.id: feature for feature, _ in effect.injected})
            self._list()
            self.traits.set("effect", plain(message))
        return message

    def record_controls(self, number: int, controls: Controls) -> EffectMessage:
        """Keep controls with their experiment and return its message.

        Raises NodeError when it was forgotten meanwhile; MessageError, and keeps nothing, where they could not be sent to
        the page, or for what is no Controls.
        """
        of_type(controls, Controls, "What is recorded is Controls, as model.controls returns them", MessageError)
        with self.traits.lock:
            message = self._keep(replace(self.history.find(number), controls=controls))
            self._list()
            if self.traits.displayed == number:
                self.traits.set("effect", plain(message))
        return message

    def record_study(self, study: Study) -> StudyMessage:
        """Display a study and return its message. Raises MessageError where it could not be sent, or is no Study."""
        of_type(study, Study, "What is recorded is a Study", MessageError)
        self.traits.set("study", sendable("The study", plain(study.message)))
        return study.message

    def feature_of(self, node: str) -> Feature:
        """Return the feature of a node id. Raises NodeError for other kinds of node, and for ids that are not known."""
        if isinstance(node, str) and node in self.injected:
            return self.injected[node]
        graph, index = self.graph, self.graph.index(node)
        if index >= graph.n_features:
            raise NodeError(f"{node} is a node of kind {graph.node_kinds[index]}; a feature is expected.")
        return feature_at(graph, index)

    def _display(self, study: Study) -> Any:
        self.record_study(study)
        return study.result

    def _keep(self, recorded: HistoryEntry) -> EffectMessage:
        # What cannot be sent must not be kept: everything that is sent after it would fail as well.
        sendable("The experiment", plain(entry_of(recorded)))
        message = effect_message(recorded, self.traits.circuit, self.sent.nodes)
        sendable("The effect", plain(message))
        self.history.keep(recorded)
        return message

    def _list(self) -> None:
        self.traits.set("experiments", [plain(entry) for entry in self.history.entries()])
        for listener in self.listeners:
            listener()
