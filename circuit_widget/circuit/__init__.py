"""The circuit: the user's document on a graph, its rules, its JSON, and the edges between its boxes."""

from circuit_widget.circuit.circuit import Circuit, Supernode
from circuit_widget.circuit.filters import Filters

__all__ = ["Circuit", "Filters", "Supernode"]
