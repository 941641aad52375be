"""What a widget needs before it can be displayed: the frontend's bundle, and a model that fits the graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuit_widget.circuit.circuit_argument import require_circuit
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.model.closed import CLOSED
from circuit_widget.tracing.attach_model import ATTENTION_NODES
from circuit_widget.widget.packed_bundle import packed_bundle

if TYPE_CHECKING:
    from circuit_widget.replacement_model import ReplacementModel

BUNDLE = Path(__file__).parent / "static" / "widget.js"
PANELS = BUNDLE.with_name("panels.js")
FRONTEND = packed_bundle(BUNDLE, PANELS)
NO_MODEL = (
    "This graph has no model to run: it was loaded from a file. Load the model it was traced with, and show the graph "
    "with graph.show(model)."
)


def check_bundle(code: str) -> None:
    """Raise CircuitWidgetError where there is no code of the frontend."""
    if not code:
        raise CircuitWidgetError(
            f"The widget's frontend is missing: there is no {BUNDLE.name} or no {PANELS.name} in {BUNDLE.parent}. In a source checkout "
            "build it with `npm ci && npm run build` in the folder js; otherwise install the package again. "
            "Then restart the kernel."
        )


def check_given(graph: object, circuit: object) -> None:
    """Raise CircuitWidgetError for what is no graph or no circuit, and NodeError or CircuitError where they do not fit."""
    checked = require_graph(graph, CircuitWidgetError)
    if circuit is not None:
        require_circuit(circuit, "The circuit of a widget is a Circuit, or None", CircuitWidgetError).check(checked)


def with_model(graph: Graph, given: Any) -> tuple[Graph, ReplacementModel | None, str]:
    """Return a graph, with the model that interventions on it run on, or None and the reason why they cannot run.

    Raises CircuitWidgetError for what is no model, and for one that cannot have traced the graph.
    """
    model: Any = given if given is not None else graph.model
    if model is None:
        return graph, None, ATTENTION_NODES if "layer_names" in graph.recipe else NO_MODEL
    if isinstance(model, type) or not hasattr(model, "intervene"):
        raise CircuitWidgetError(
            f"A model to intervene on comes from circuit_widget.load(); given {type(model).__name__}."
        )
    if getattr(model, "closed", False):
        return graph, None, CLOSED
    return model.attach(graph), model, ""
