"""The part of the widget that runs the model: experiments and studies, from Python and for the frontend alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from circuit_widget.arguments import of_type, truth_value
from circuit_widget.circuit.document import Circuit, NodeChoice
from circuit_widget.errors import InterventionError, MessageError, NodeError, NoModelError
from circuit_widget.graph import Feature, Graph
from circuit_widget.graph.node_table import feature_at
from circuit_widget.intervention import Ablate, Add, Intervention, Scale, Set, SwapIn
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.kinds import intervention_tuple
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.intervention.studies.strength_sweep import FACTORS
from circuit_widget.widget.jobs.study_runs import Study, SweepPlan, Under, run_generation, run_sweep, run_validation
from circuit_widget.widget.state.experiment import changed_by, comparison_message, effect_message, experiment_name
from circuit_widget.widget.state.history import History, HistoryEntry, checked_name, compared_tokens, entry_of
from circuit_widget.widget.state.traits import SharedWidget
from circuit_widget.widget.wire.messages import Capabilities
from circuit_widget.widget.wire.schema import plain
from circuit_widget.widget.wire.sending import sendable
from circuit_widget.wording.outcome import subject

if TYPE_CHECKING:
    import pandas

    from circuit_widget.intervention.mode import Mode
    from circuit_widget.intervention.studies.controls import Controls
    from circuit_widget.intervention.studies.validation import Validation
    from circuit_widget.model.sampling import Options
    from circuit_widget.replacement_model import ReplacementModel


class ExperimentWidget(SharedWidget):
    """Experiments on a graph: each is kept, and shown in the frontend.

    Nodes are named as `intervene` says. Every method that runs the model raises NoModelError where there is none, and
    InterventionError or CircuitError for what cannot be done.
    """

    def __init__(
        self,
        graph: Graph,
        circuit: Circuit,
        settings: Mapping[str, Any],
        model: ReplacementModel | None,
        why_not: str,
    ) -> None:
        self.model = model
        self._why_not = why_not
        self._history = History()
        self._injected: dict[str, Feature] = {}
        super().__init__(graph, circuit, settings, Capabilities(model is not None, why_not, figure=True))

    @property
    def effects(self) -> list[Effect]:
        """The effects of all experiments kept, clicked or called for, the last one last."""
        with self._state_lock:
            return [one.effect for one in self._history]

    def history(self) -> pandas.DataFrame:
        """Return one row for each experiment kept: what was done, the likeliest token before and after, and how it ran."""
        with self._state_lock:
            return self._history.to_frame()

    def history_file(self) -> str:
        """Return the same as the text of a CSV file."""
        with self._state_lock:
            return self._history.to_csv()

    def ablate(self, nodes: NodeChoice, mode: Mode = "total") -> Effect:
        """Set features to zero, take errors or tokens away, and return what that did; see `intervene`."""
        return self.intervene(Ablate(nodes), mode)

    def scale(self, nodes: NodeChoice, factor: float, mode: Mode = "total") -> Effect:
        """Multiply features, errors or tokens by a factor and return what that did; see `intervene`."""
        return self.intervene(Scale(nodes, factor), mode)

    def set(self, nodes: NodeChoice, value: float | Sequence[float], mode: Mode = "total") -> Effect:
        """Set features to a value, or to one value each, and return what that did; see `intervene`."""
        return self.intervene(Set(nodes, value), mode)

    def add(self, nodes: NodeChoice, value: float | Sequence[float], mode: Mode = "total") -> Effect:
        """Add a value to features, or one value each, and return what that did; see `intervene`."""
        return self.intervene(Add(nodes, value), mode)

    def swap(
        self,
        nodes: NodeChoice,
        prompt: str | Sequence[int],
        features: NodeChoice | None = None,
        mode: Mode = "total",
        alignment: Mapping[int, int] | None = None,
    ) -> Effect:
        """Give nodes what they are in another prompt and return what that did; see `SwapIn`, `intervene`."""
        return self.intervene(SwapIn(nodes, prompt, features, alignment), mode)

    def intervene(self, interventions: Intervention | Iterable[Intervention], mode: Mode = "total") -> Effect:
        """Run the model with nodes changed, show what it did in the widget, and return it.

        Nodes of the interventions may be named: a supernode stands for its members, a label for the features that have
        it. `mode` names what is frozen meanwhile; see `ReplacementModel.intervene`.

        Raises:
            NoModelError: the graph came from a file and no model was given.
            CircuitError: a name or node that is not there, or nothing that can be changed among the nodes.
            InterventionError: a change that cannot be made.
        """
        model = self._model()
        effect = model.intervene(self.graph, self._meant(interventions), mode=mode)
        self.record(effect, experiment_name(self.graph, self.circuit, effect.interventions))
        return effect

    def controls(self, n: int = 20, seed: int = 0) -> Controls:
        """Run the experiment on show on random features like those it changed, show that as a band, and return it.

        Raises:
            InterventionError: no experiment is on show, or nothing could stand in for what it changed.
        """
        model = self._model()
        number = self.shown_experiment()
        if number is None:
            raise InterventionError("No experiment is on show; run one, such as widget.ablate(nodes), or recall one.")
        effect = self.effect_of(number)
        controls = model.controls(self.graph, effect.interventions, n=n, seed=seed, mode=effect.mode)
        self.record_controls(number, controls)
        return controls

    def sweep(self, nodes: NodeChoice, factors: Sequence[float] = FACTORS, mode: Mode = "total") -> Any:
        """Multiply nodes by each of several factors, show the dose-response curve, and return the Sweep."""
        asked = self._meant(Scale(nodes, 0.0))
        return self._sweep(SweepPlan("factor", asked, factors), mode, asked)

    def sweep_last_layer(self, interventions: Intervention | Iterable[Intervention]) -> Any:
        """Make a change with the MLP outputs up to each layer frozen in turn, show the curve, and return the Sweep."""
        asked = self._meant(interventions)
        return self._sweep(SweepPlan("last_layer", asked), "total", asked)

    def sweep_groups(self, *, pairs: bool = False, mode: Mode = "total") -> Any:
        """Ablate each box of the circuit in turn, and each pair if asked for, show that, and return the GroupSweep."""
        pairs = truth_value(pairs, "pairs", InterventionError)
        return self._sweep(SweepPlan("pairs" if pairs else "groups"), mode, ())

    def generate(
        self, interventions: Intervention | Iterable[Intervention] | None = None, **options: Unpack[Options]
    ) -> Any:
        """Let the model go on from the prompt, as it is and under interventions, show both, and return them.

        By default the interventions are those on show; with none on show the model goes on as it is. `options` are those
        of `ReplacementModel.generate`.
        """
        asked = self._shown_interventions() if interventions is None else self._meant(interventions)
        name = experiment_name(self.graph, self.circuit, asked)
        study = run_generation(
            self._model(), self.graph, asked, name, Under(options.get("progress"), options.get("cancelled")), options
        )
        self.record_study(study)
        return study.result

    def validate(self, mode: Mode = "total") -> Validation:
        """Ablate each box of the circuit in turn, show how well the graph predicts what that does, and return it.

        Without boxes that have features, the most influential features of the graph are ablated.
        """
        study = run_validation(self._model(), self.graph, self.circuit, mode, Under())
        self.record_study(study)
        return study.result  # type: ignore[return-value]

    def recall(self, number: int) -> Effect:
        """Put an experiment of the history back on show and return its effect. Raises NodeError when there is none."""
        self.show_experiment(number)
        return self.effect_of(number)

    def compare(self, first: int, second: int) -> pandas.DataFrame:
        """Return what two experiments of the history made of the likely tokens: token, token_id, before, first, second.

        Raises NodeError when there is none of those numbers.
        """
        with self._state_lock:
            return compared_tokens(self._history.find(first).effect, self._history.find(second).effect)

    def rename_experiment(self, number: int, name: str) -> None:
        """Give an experiment another name. Raises NodeError when there is none, or the name is empty or too long."""
        with self._state_lock:
            self._history.rename(number, name)
            self._refresh(number)

    def forget(self, number: int) -> None:
        """Delete an experiment; one on show goes off the screen. Raises NodeError when there is none."""
        with self._state_lock:
            self._history.forget(number)
            if self.shown_experiment() == number:
                self.set_trait("effect", None)
            self._list_experiments()

    def reset(self) -> None:
        """Take the effect off the screen; it stays in `effects`."""
        with self._state_lock:
            self.set_trait("effect", None)

    def record(self, effect: Effect, name: str) -> dict[str, Any]:
        """Keep an effect under a name, put it on show, and return its message.

        Raises MessageError, and keeps nothing, where the page could not be told of it, or for what is no effect; NodeError for
        what is no name.
        """
        of_type(effect, Effect, "What is recorded is an Effect, as model.intervene returns it", MessageError)
        checked_name(name)
        with self._state_lock:
            recorded = self._history.next(effect, name)
            message = self._keep(recorded)
            self._injected.update({feature.id: feature for feature, _ in effect.injected})
            self._list_experiments()
            self.set_trait("effect", message)
        return message

    def record_controls(self, number: int, controls: Controls) -> dict[str, Any]:
        """Keep controls with their experiment and return its message.

        Raises NodeError when it was forgotten meanwhile; MessageError, and keeps nothing, where the page could not be
        told of them, or for what is no Controls.
        """
        of_type(controls, Controls, "What is recorded is Controls, as model.controls returns them", MessageError)
        with self._state_lock:
            message = self._keep(replace(self._history.find(number), controls=controls))
            self._list_experiments()
            if self.shown_experiment() == number:
                self.set_trait("effect", message)
        return message

    def _keep(self, recorded: HistoryEntry) -> dict[str, Any]:
        # What cannot be sent must not be kept: it would stand in the way of everything that is sent after it.
        sendable("The experiment", plain(entry_of(recorded)))
        message: dict[str, Any] = sendable("The effect", effect_message(recorded, self.circuit, self._shown))
        self._history.keep(recorded)
        return message

    def record_study(self, study: Study) -> dict[str, Any]:
        """Put a study on show and return its message. Raises MessageError where it could not be sent, or is none."""
        of_type(study, Study, "What is recorded is a Study", MessageError)
        message: dict[str, Any] = sendable("The study", plain(study.message))
        with self._state_lock:
            self.set_trait("study", message)
        return message

    def effect_of(self, number: int) -> Effect:
        """Return the effect of an experiment. Raises NodeError when there is none."""
        with self._state_lock:
            return self._history.find(number).effect

    def shown_outcome(self) -> Effect | Controls | None:
        """Return the effect on show, or its controls where they ran."""
        with self._state_lock:
            number = self.shown_experiment()
            recorded = None if number is None else self._history.find(number)
            return None if recorded is None else recorded.controls or recorded.effect

    def shown_experiment(self) -> int | None:
        """Return the number of the experiment on show, None for none."""
        return None if self.effect is None else int(self.effect["id"])

    def experiment_message(self, number: int) -> dict[str, Any]:
        """Return the message of an experiment. Raises NodeError when there is none."""
        with self._state_lock:
            return effect_message(self._history.find(number), self.circuit, self._shown)

    def comparison_message(self, number: int, beside: int) -> dict[str, Any]:
        """Return the message of an experiment beside another. Raises NodeError when there is none of those numbers."""
        with self._state_lock:
            return comparison_message(self._history.find(beside), self._history.find(number), self._shown)

    def show_experiment(self, number: int) -> dict[str, Any]:
        """Put an experiment on show and return its message. Raises NodeError when there is none."""
        with self._state_lock:
            self.set_trait("effect", self.experiment_message(number))
            message: dict[str, Any] = self.effect
        return message

    def feature_of(self, node: str) -> Feature:
        """Return the feature of a node id. Raises NodeError for other kinds of node, and for ids that are not known."""
        if isinstance(node, str) and node in self._injected:
            return self._injected[node]
        graph, place = self.graph, self.graph.index(node)
        if place >= graph.n_features:
            raise NodeError(f"{node} is a node of kind {graph.node_kinds[place]}; a feature is expected.")
        return feature_at(graph, place)

    def _sweep(self, plan: SweepPlan, mode: Mode, asked: Sequence[Intervention]) -> Any:
        match plan.axis:
            case "factor":
                name = subject(self.graph, self.circuit, asked[0])
            case "last_layer":
                name = experiment_name(self.graph, self.circuit, asked)
            case axis:
                name = "pairs of boxes" if axis == "pairs" else "each box"
        study = run_sweep(self._model(), self.graph, self.circuit, plan, mode, name, Under())
        self.record_study(study)
        return study.result

    def _shown_interventions(self) -> tuple[Intervention, ...]:
        number = self.shown_experiment()
        return () if number is None else self.effect_of(number).interventions

    def _refresh(self, number: int) -> None:
        """Show an experiment anew, where it is on show, and its line in the history."""
        self._list_experiments()
        if self.shown_experiment() == number:
            self.show_experiment(number)

    def _list_experiments(self) -> None:
        self.set_trait("experiments", [plain(entry) for entry in self._history.entries()])

    def _model(self) -> ReplacementModel:
        if self.model is None:
            raise NoModelError(self._why_not)
        return self.model

    def _meant(self, interventions: Intervention | Iterable[Intervention]) -> tuple[Intervention, ...]:
        return tuple(changed_by(self.graph, self.circuit, one) for one in intervention_tuple(interventions))
