"""The work on one graph: its circuit and its experiments."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.widget.history.history import HistoryEntry


@dataclass(frozen=True, eq=False)
class Work:
    """A circuit, its experiments, how many were ever made, and the number of the displayed one."""

    circuit: Circuit = field(default_factory=Circuit)
    entries: tuple[HistoryEntry, ...] = ()
    made: int = 0
    displayed: int | None = None

    @property
    def has_circuit(self) -> bool:
        """Whether anything is in the circuit, or a threshold differs from a new one's."""
        return replace(self.circuit, revision=0) != Circuit()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to keep."""
        return not self.entries and not self.has_circuit

    def on(self, graph: Graph) -> Work:
        """Return the same on a graph of the same identity, so that the earlier one is not kept in memory."""
        return replace(self, entries=tuple(_on(one, graph) for one in self.entries))


def _on(one: HistoryEntry, graph: Graph) -> HistoryEntry:
    controls = one.controls
    if controls is not None:
        others = tuple(_moved(effect, graph) for effect in controls.controls)
        controls = replace(controls, effect=_moved(controls.effect, graph), controls=others)
    return replace(one, effect=_moved(one.effect, graph), controls=controls)


def _moved(effect: Effect, graph: Graph) -> Effect:
    return replace(effect, graph=graph)
