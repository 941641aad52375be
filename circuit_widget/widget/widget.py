"""The circuit widget: one graph, its circuit and its experiments, shown in a notebook and kept in step with Python."""

from __future__ import annotations

import logging
from typing import Any, Literal

from circuit_widget.arguments import of_type, plain_number
from circuit_widget.characters import beginning
from circuit_widget.circuit.document import Circuit, NodeChoice
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.figure.figure import MOST_BOXES, Figure, Part, make_figure
from circuit_widget.graph import Feature, Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.graph.tracing_model import TracingModel
from circuit_widget.model.closed import CLOSED
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.widget.jobs.experimenting import ExperimentWidget
from circuit_widget.widget.jobs.requests import Requests
from circuit_widget.widget.jobs.worker import Worker
from circuit_widget.widget.picture import static_bundle
from circuit_widget.widget.state.experiment import nodes_of

LOG = logging.getLogger(__name__)

NO_MODEL = (
    "This graph has no model to run: it was loaded from a file. Load the model it was traced with, and show the graph "
    "with graph.show(model)."
)


class CircuitWidget(ExperimentWidget):
    """A graph in a notebook: what is clicked there is a Python value here, and what is set here is seen there.

    Args:
        graph: the attribution graph to show.
        model: the replacement model that interventions run on; by default the one that traced the graph. Without one,
            looking, grouping and figures work, and interventions say why not.
        circuit: the circuit to start from.
        theme: "auto" follows the notebook's.
        height: of the map, in CSS pixels.

    `circuit` and `selected` (node ids) can be read, set, and followed with `observe`. `effects` are those of all
    experiments kept, `history()` tells of them; `effect` is the one on show as the frontend has it, or None, and `study`
    the sweep, text or validation made last.

    Raises:
        CircuitWidgetError: the frontend has not been built, or the model cannot have traced the graph.
        CircuitError, NodeError: the circuit does not fit the graph.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        model: TracingModel | None = None,
        circuit: Circuit | None = None,
        theme: Literal["auto", "light", "dark"] = "auto",
        height: int = 420,
    ) -> None:
        require_graph(graph, CircuitWidgetError)
        if circuit is not None:
            of_type(circuit, Circuit, "The circuit of a widget is a Circuit, or None", CircuitWidgetError)
        height = plain_number(height)
        given = model if model is not None else graph.model
        fitting = _fitting(graph, given)
        why_not = "" if fitting is not None else NO_MODEL if given is None else CLOSED
        super().__init__(graph, circuit or Circuit(), {"theme": theme, "height": height}, fitting, why_not)
        self._worker = Worker.of(graph if fitting is None else fitting, self)
        self._requests = Requests(self, self._worker)
        self.on_msg(lambda _, content, __: self._requests.receive(content))

    def group(self, name: str, nodes: NodeChoice) -> None:
        """Put nodes into the supernode of a name, made if there is none, taking them out of others.

        Raises CircuitError for a name or nodes that cannot be.
        """
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
            self.selected = [self.graph.node_ids[place] for place in wanted]

    def figure(self, part: Part = "both", width: float = 6.75) -> Figure:
        """Return what the widget shows, effect and controls included, as a figure for a paper; the width is in inches.

        Raises FigureError for another part, a width out of range, and a circuit without boxes.
        """
        return make_figure(self.graph, self.circuit, self.shown_outcome(), part, width)

    def close(self) -> None:
        """Cancel what runs for this widget, let go of the model's thread, and take the widget off the page."""
        worker = self.__dict__.pop("_worker", None)
        if worker is not None:
            worker.release(self)
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        shown = super()._repr_mimebundle_(**kwargs)
        if shown is None:
            return None
        bundle, metadata = shown
        try:
            # A circuit of too many boxes for a picture is left out of it.
            drawn: Part = "both" if len(self.circuit.boxes()) <= MOST_BOXES else "map"
            static = static_bundle(self.figure(drawn))
        except Exception:
            # A picture for viewers without widgets is no reason not to show the widget.
            LOG.exception("The static picture could not be drawn.")
            static = {}
        return {**bundle, **static}, metadata

    def __repr__(self) -> str:
        words = " ".join(token.text.strip() for token in self.graph.tokens)
        return f"<CircuitWidget: {beginning(words, 100)} → {self.graph.targets[0].token}>"


def _fitting(graph: Graph, model: Any) -> ReplacementModel | None:
    if model is None:
        return None
    if isinstance(model, type) or not hasattr(model, "intervene"):
        raise CircuitWidgetError(
            f"A model to intervene on comes from circuit_widget.load(); given {type(model).__name__}."
        )
    if getattr(model, "closed", False):
        return None
    if model.n_layers != graph.n_layers:
        raise CircuitWidgetError(
            f"The graph has {graph.n_layers} layers and the model {model.n_layers}: another model traced it. "
            "Give that one, or none to look only."
        )
    fitting: ReplacementModel = model
    return fitting
