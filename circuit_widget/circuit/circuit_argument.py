"""Checks of an argument that has to be a circuit."""

from __future__ import annotations

from circuit_widget.arguments import quoted
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import CircuitWidgetError


def require_circuit(given: object, what: str, error: type[CircuitWidgetError]) -> Circuit:
    """Return an argument if it is a circuit. Raises `error` for anything else."""
    if isinstance(given, Circuit):
        return given
    raise error(f"{what}; given {quoted(given)}.{to_circuit_hint(given)}")


def to_circuit_hint(given: object) -> str:
    """Return how to make a circuit of what can become one, such as a proposal; empty for anything else."""
    can = not isinstance(given, type) and callable(getattr(given, "to_circuit", None))
    return f" A {type(given).__name__} becomes a circuit by its method to_circuit()." if can else ""
