"""The circuit: the user's document on a graph, its rules, its JSON, and the edges between its boxes."""

from circuit_widget.circuit.document import Circuit, Supernode

__all__ = ["Circuit", "Supernode"]
