"""The circuit widget: one graph, its circuit and its experiments, displayed in a notebook and in step with Python."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

import anywidget
import traitlets

from circuit_widget.arguments import plain_number, truth_value
from circuit_widget.attribution.targets import TargetChoice
from circuit_widget.characters import beginning
from circuit_widget.circuit.circuit import Circuit, NodeChoice
from circuit_widget.errors import InterventionError
from circuit_widget.figure.figure import ChosenFont, Figure, FigureEffect, Part, Theme
from circuit_widget.graph import Feature, Graph
from circuit_widget.graph.tracing_model import TracingModel
from circuit_widget.intervention import Ablate, Add, Intervention, Scale, Set, SwapIn
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.intervention.studies.strength_sweep import FACTORS
from circuit_widget.model.sampling import Options
from circuit_widget.model.tokens.prompt import PromptInput
from circuit_widget.tracing.tracing_again import TraceChanges
from circuit_widget.widget.experiments.experiments import Experiments
from circuit_widget.widget.experiments.named_nodes import nodes_of
from circuit_widget.widget.experiments.study_runs import SweepPlan
from circuit_widget.widget.graphs import Graphs
from circuit_widget.widget.html_file.write import write_html
from circuit_widget.widget.preconditions import FRONTEND, check_bundle, check_given, with_model
from circuit_widget.widget.requests.receiver import Receiver
from circuit_widget.widget.saved_picture import SavedPicture, display_in_notebook
from circuit_widget.widget.state import page_writes as page
from circuit_widget.widget.state.comparison_trait import comparison_trait, prompt_stability_trait
from circuit_widget.widget.state.traits import circuit_trait
from circuit_widget.widget.subshell import answer_where_requested
from circuit_widget.widget.wire.envelopes import Notice
from circuit_widget.widget.wire.graph_messages import Capabilities, GraphSteps
from circuit_widget.widget.wire.sending import LONGEST_NOTICE, json_of, send_message, sendable, sentence
from circuit_widget.widget.worker.worker import Worker

if TYPE_CHECKING:
    import pandas

    from circuit_widget.intervention.mode import Mode
    from circuit_widget.intervention.studies.validation import Validation

LOG = logging.getLogger(__name__)


class CircuitWidget(anywidget.AnyWidget):
    """A graph in a notebook: what is clicked there is a Python value here, and what is set here is seen there.

    Args:
        graph: the attribution graph to display.
        model: the replacement model that interventions run on; by default the one that traced the graph. Without one,
            looking, grouping and figures work, and interventions raise NoModelError.
        circuit: the circuit to start from.
        keep: a file for circuit, history and thresholds, written after each edit; if it exists, the widget starts with
            what is in it. Without one, it starts with what the last widget on the same graph had in this process.
        theme: "auto" follows the notebook's.
        height: of the map beside a circuit, in CSS pixels; all panes together are at least 1.35 times as high.

    `circuit` and `selected` (node ids) can be read, set, and followed with `observe`. `effect` is the displayed effect or None,
    `study` the last sweep, text or validation, as the page has them. A supernode's name stands for its members, a label for the
    features that have it. Methods that run the model raise NoModelError without one, and InterventionError or CircuitError.

    Raises CircuitWidgetError where the frontend has not been built, or the model cannot have traced the graph; CircuitError
    or NodeError where the circuit does not fit the graph, or `keep` is a file of another graph or in use elsewhere.
    """

    _esm = FRONTEND.module
    _code = traitlets.Bytes(FRONTEND.code, read_only=True).tag(sync=True)
    _panels = traitlets.Bytes(FRONTEND.panels, read_only=True).tag(sync=True)

    snapshot = traitlets.Dict(read_only=True).tag(sync=True)
    circuit = circuit_trait()
    _doubtful_names: traitlets.List[dict[str, Any]] = traitlets.List(read_only=True).tag(sync=True)
    _box_edges = traitlets.Dict(read_only=True).tag(sync=True)
    # Echoed, so that a selection made here and one made there at the same moment end up the same.
    selected: traitlets.List[str] = traitlets.List().tag(sync=True)
    comparison = comparison_trait()
    prompt_stability = prompt_stability_trait()
    effect = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True, echo_update=False)
    study = traitlets.Dict(allow_none=True, default_value=None, read_only=True).tag(sync=True)
    experiments: traitlets.List[dict[str, Any]] = traitlets.List(read_only=True).tag(sync=True)
    settings = traitlets.Dict().tag(sync=True, echo_update=False)
    capabilities = traitlets.Dict(read_only=True).tag(sync=True)
    kept = traitlets.Dict(read_only=True).tag(sync=True)
    _picture_state = traitlets.Dict(read_only=True).tag(sync=True)
    graphs = traitlets.Dict(json_of(GraphSteps(None, None)), read_only=True).tag(sync=True)

    def __init__(
        self,
        graph: Graph,
        *,
        model: TracingModel | None = None,
        circuit: Circuit | None = None,
        keep: str | os.PathLike[str] | None = None,
        theme: Literal["auto", "light", "dark"] = "auto",
        height: int = 420,
    ) -> None:
        check_bundle(str(self._esm))
        check_given(graph, circuit)
        graph, fitting, why_not = with_model(graph, model)
        settings = page.check_settings({"theme": theme, "height": plain_number(height)})
        self.model = fitting
        self._graphs = Graphs(self, self._state_lock, self._notify, lambda why: self._worker.end(self, why))
        first = self._graphs.start(graph, fitting, why_not, keep, circuit)
        self.set_trait("capabilities", json_of(Capabilities(fitting is not None, why_not, figure=True)))
        self.observe(answer_where_requested, "comm")
        super().__init__(circuit=first, settings=settings)
        self._picture = SavedPicture(self, lambda state: self._experiments.traits.set("_picture_state", json_of(state)))
        self._graphs.displayed.keeping.start()
        self.observe(lambda _: self._picture.changed(), ["circuit", "effect", "snapshot"])
        self.observe(lambda _: self._graphs.changed(), ["circuit", "effect"])
        self._worker = Worker.of(graph if fitting is None else fitting, self)
        receiver = Receiver(self, self._graphs, self._worker, self.send, lambda: self._picture.outputs())
        self.on_msg(lambda _, content, __: receiver.receive(content))

    @property
    def graph(self) -> Graph:
        """The graph on the screen."""
        return self._experiments.graph

    @property
    def _experiments(self) -> Experiments:
        return self._graphs.experiments

    def retrace(
        self,
        prompt: PromptInput | None = None,
        *,
        targets: Sequence[TargetChoice] | TargetChoice | None = None,
        token_position: int | None = None,
        max_features: int | None = None,
    ) -> Graph:
        """Trace again with the settings of the graph, except for those given; display the new graph, and return it.

        `targets` are by default the same on the same prompt, and the likeliest tokens on another. `token_position` is that
        of a token of the prompt to explain: what comes before it becomes the prompt. The circuit is taken over as far as
        it fits (see `carry_over`); experiments stay with their graph. Raises as `ReplacementModel.trace`, and PromptError
        for settings that exclude each other; then everything stays as it was.
        """
        return self._graphs.retrace(TraceChanges(prompt, targets, token_position, max_features))

    def undo_retrace(self) -> None:
        """Display the graph before the last trace again, with its circuit and experiments; up to five are kept."""
        self._graphs.step("earlier")

    def redo_retrace(self) -> None:
        """Display the graph again that `undo_retrace` took away."""
        self._graphs.step("later")

    def group(self, name: str, nodes: NodeChoice) -> None:
        """Move nodes into the supernode of a name, made if there is none. Raises CircuitError for a wrong name or nodes."""
        with self._state_lock:
            self.circuit = self.circuit.group(name, nodes_of(self.graph, self.circuit, nodes))

    def ungroup(self, name: str) -> None:
        """Dissolve a supernode. Raises CircuitError when there is none of that name."""
        with self._state_lock:
            self.circuit = self.circuit.ungroup(name)

    def rename(self, name: str, new_name: str) -> None:
        """Give a supernode another name. Raises CircuitError when there is none, or the name is taken."""
        with self._state_lock:
            self.circuit = self.circuit.rename(name, new_name)

    def pin(self, nodes: NodeChoice) -> None:
        """Keep nodes in the circuit. Raises CircuitError for nodes that the graph does not have."""
        with self._state_lock:
            self.circuit = self.circuit.pin(nodes_of(self.graph, self.circuit, nodes))

    def unpin(self, nodes: NodeChoice) -> None:
        """Keep nodes no longer. Raises CircuitError for nodes that the graph does not have."""
        with self._state_lock:
            self.circuit = self.circuit.unpin(nodes_of(self.graph, self.circuit, nodes))

    def label(self, node: str | Feature, text: str) -> None:
        """Label a node; an empty text removes the label. Raises CircuitError for a text that cannot be a label."""
        with self._state_lock:
            self.circuit = self.circuit.label(node, text)

    def select(self, nodes: NodeChoice) -> None:
        """Select nodes, or a supernode's by its name. Raises CircuitError for nodes that the graph does not have."""
        with self._state_lock:
            wanted = self.graph.resolve(nodes_of(self.graph, self.circuit, nodes))
            self.selected = [self.graph.node_ids[index] for index in wanted]

    @property
    def effects(self) -> list[Effect]:
        """The effects of all experiments, made by clicks or in cells, the last one last."""
        return self._experiments.effects()

    def history(self) -> pandas.DataFrame:
        """Return one row for each experiment: what was done, the likeliest token before and after, and how it ran."""
        return self._experiments.to_frame()

    def history_file(self) -> str:
        """Return the same as the text of a CSV file."""
        return self._experiments.to_csv()

    def ablate(self, nodes: NodeChoice, mode: Mode = "total") -> Effect:
        """Clamp features to zero, remove errors and tokens, and return the effect; see `intervene`."""
        return self.intervene(Ablate(nodes), mode)

    def scale(self, nodes: NodeChoice, factor: float, mode: Mode = "total") -> Effect:
        """Multiply features, errors or tokens by a factor and return the effect; see `intervene`."""
        return self.intervene(Scale(nodes, factor), mode)

    def set(self, nodes: NodeChoice, value: float | Sequence[float], mode: Mode = "total") -> Effect:
        """Clamp features to a value, or to one value each, and return the effect; see `intervene`."""
        return self.intervene(Set(nodes, value), mode)

    def add(self, nodes: NodeChoice, value: float | Sequence[float], mode: Mode = "total") -> Effect:
        """Add a value to features, or one value each, and return the effect; see `intervene`."""
        return self.intervene(Add(nodes, value), mode)

    def swap(
        self,
        nodes: NodeChoice,
        prompt: str | Sequence[int],
        features: NodeChoice | None = None,
        mode: Mode = "total",
        alignment: Mapping[int, int] | None = None,
    ) -> Effect:
        """Give nodes their values in another prompt and return the effect; see `SwapIn`, `intervene`."""
        return self.intervene(SwapIn(nodes, prompt, features, alignment), mode)

    def intervene(self, interventions: Intervention | Iterable[Intervention], mode: Mode = "total") -> Effect:
        """Run the model with nodes changed, display the effect, and return it.

        `mode` names what is frozen meanwhile; see `ReplacementModel.intervene`. Raises CircuitError for names and nodes
        that the graph does not have, or of which none can be changed; InterventionError for changes that cannot be made.
        """
        return self._experiments.intervene(interventions, mode)

    def controls(self, n: int = 20, seed: int = 0) -> Controls:
        """Run the displayed experiment on random features like those it changed; raises InterventionError without either."""
        return self._experiments.controls(n, seed)

    def sweep(self, nodes: NodeChoice, factors: Sequence[float] = FACTORS, mode: Mode = "total") -> Any:
        """Multiply nodes by each of several factors, display the dose-response curve, and return the Sweep."""
        plan = SweepPlan("factor", self._experiments.resolved(Scale(nodes, 0.0)), factors)
        return self._experiments.sweep(plan, mode)

    def sweep_last_layer(self, interventions: Intervention | Iterable[Intervention]) -> Any:
        """Make a change with the MLP outputs up to each layer frozen in turn, display the curve, and return the Sweep."""
        return self._experiments.sweep(SweepPlan("last_layer", self._experiments.resolved(interventions)), "total")

    def sweep_groups(self, *, pairs: bool = False, mode: Mode = "total") -> Any:
        """Ablate each box of the circuit in turn, and each pair with `pairs`, display that, and return the GroupSweep."""
        plan = SweepPlan("pairs" if truth_value(pairs, "pairs", InterventionError) else "groups")
        return self._experiments.sweep(plan, mode)

    def generate(
        self, interventions: Intervention | Iterable[Intervention] | None = None, **options: Unpack[Options]
    ) -> Any:
        """Let the model generate text, as it is and under interventions, display both, and return them.

        By default the interventions are the displayed ones. `options` are those of `ReplacementModel.generate`.
        """
        experiments = self._experiments
        given = experiments.displayed_interventions() if interventions is None else experiments.resolved(interventions)
        return experiments.generate(given, options)

    def validate(self, mode: Mode = "total") -> Validation:
        """Ablate each box of the circuit (or the most influential features), and display and return how well the graph predicts that."""
        return self._experiments.validate(mode)

    def recall(self, number: int) -> Effect:
        """Display an experiment of the history again and return its effect. Raises NodeError when there is none."""
        self._experiments.display(number)
        return self._experiments.effect_of(number)

    def compare(self, first: int, second: int) -> pandas.DataFrame:
        """Return the likely tokens of two experiments: token, token_id, before, first, second. Raises NodeError."""
        return self._experiments.compare(first, second)

    def rename_experiment(self, number: int, name: str) -> None:
        """Give an experiment another name. Raises NodeError when there is none, or the name is empty or too long."""
        self._experiments.rename(number, name)

    def forget(self, number: int) -> None:
        """Delete an experiment; a displayed one goes off the screen. Raises NodeError when there is none."""
        self._experiments.forget(number)

    def start_afresh(self) -> None:
        """Start with an empty circuit and history; `bring_back` returns what was there."""
        self._experiments.start_afresh()

    def bring_back(self) -> None:
        """Put back the circuit and the history that `start_afresh` took away; what was made since is set aside."""
        self._experiments.bring_back()

    def reset(self) -> None:
        """Take the effect off the screen; it stays in `effects`."""
        self.set_trait("effect", None)

    def record(self, effect: Effect, name: str) -> dict[str, Any]:
        """Keep an effect under a name, display it, and return its message; raises as `Experiments.record`."""
        return json_of(self._experiments.record(effect, name))

    def displayed(self) -> tuple[Graph, Circuit, FigureEffect]:
        """Return the graph, the circuit and the effect, or its controls, that the widget displays, for `panels`."""
        return self._experiments.displayed()

    def figure(
        self, part: Part = "both", width: float = 6.75, theme: Theme = "paper", font: ChosenFont = None
    ) -> Figure:
        """Return what the widget displays as a figure for a paper; width in inches. Raises FigureError as `make_figure`."""
        return self._experiments.figure(part, width, theme, font)

    def to_html(self, path: str | Path) -> Path:
        """Write what the widget displays as one file that opens without Python or a network; raises as `write_html`."""
        return write_html(self._experiments.state(), path)

    def close(self) -> None:
        """Cancel what runs for this widget, release the model's thread, write what is kept, and take the widget off the page."""
        if "_graphs" in self.__dict__:
            self._graphs.close()
        if (worker := self.__dict__.pop("_worker", None)) is not None:
            worker.release(self)
            self._picture.close()
        super().close()

    def setup_instance(self, *args: Any, **kwargs: Any) -> None:
        """Prepare the instance before its traits are set."""
        object.__setattr__(self, "_state_lock", threading.RLock())
        super().setup_instance(*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        # Cells, message handlers and the worker set traits from threads of their own.
        with self._state_lock:
            page.check_trait(name, value)
            super().__setattr__(name, value)

    def set_state(self, sync_data: Mapping[str, Any]) -> None:
        """Take over what the page set, as far as it may and as it makes sense; send back the rest as it is here."""
        with self._state_lock:
            writes = page.page_writes(sync_data, self.graph, self.circuit)
            for name, why in writes.refused.items():
                self._notify(f"A change of the {name} was not taken over: {why}")
            if "circuit" in writes.refused:
                super().__setattr__("circuit", page.above(self.circuit, sync_data["circuit"]))
            super().set_state(writes.accepted)
            # An effect that came while the page took one off the screen is taken off the page too.
            changed = [one for one in writes.foreign if one in self.keys and sync_data[one] != getattr(self, one)]
            if returned := [*writes.refused, *changed, *({"effect"} & writes.accepted.keys())]:
                self.send_state(returned)

    @traitlets.validate("circuit")
    def _valid_circuit(self, proposal: Any) -> Circuit:
        circuit: Circuit = proposal.value.check(self.graph)
        self._graphs.send_circuit(circuit)
        return page.revised(circuit, self.circuit)

    @traitlets.validate("selected")
    def _valid_selection(self, proposal: Any) -> list[str]:
        nodes = [self.graph.node_ids[index] for index in self.graph.resolve(proposal.value)]
        self._graphs.send_nodes(frozenset(nodes))
        return list(dict.fromkeys(nodes))

    @traitlets.validate("settings", "effect", "study", "experiments", "capabilities", "kept", "graphs")
    def _valid_message(self, proposal: Any) -> Any:
        name, value = proposal.trait.name, proposal.value
        return page.check_settings(value) if name == "settings" else sendable(f"The {name}", value)

    def _notify(self, message: str) -> None:
        """Show a sentence in the widget's message line."""
        send_message(self.send, Notice(sentence(message, LONGEST_NOTICE)))

    def _send(self, msg: Any, buffers: Any = None) -> None:
        try:
            super()._send(msg, buffers)
        except Exception:
            # Of a request the page needs an answer; state it requests again, and what comes after must not be lost with it.
            if msg.get("method") == "custom":
                raise
            LOG.exception("A change could not be sent to the page.")

    def _handle_msg(self, msg: Mapping[str, Any]) -> None:
        if page.is_widget_message(msg["content"].get("data")):
            super()._handle_msg(msg)
        else:
            self._notify("A message from the page was ignored: it is not one that this widget knows.")

    def _ipython_display_(self, **kwargs: Any) -> None:
        view, metadata = self._repr_mimebundle_(**kwargs) or ({}, {})
        display_in_notebook(view, metadata, self._picture)

    def __repr__(self) -> str:
        words = " ".join(token.text.strip() for token in self.graph.tokens)
        return f"<CircuitWidget: {beginning(words, 100)} → {self.graph.targets[0].token}>"
