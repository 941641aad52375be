"""The check of an argument that must be a graph."""

from __future__ import annotations

from circuit_widget.arguments import of_type
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.graph.graph import Graph


def require_graph(graph: object, error: type[CircuitWidgetError]) -> Graph:
    """Return an argument if it is a Graph. Raises `error` for anything else."""
    return of_type(graph, Graph, "A graph is what model.trace(prompt) or Graph.load(path) returns", error)
