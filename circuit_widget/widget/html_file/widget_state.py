"""What a widget displays at one moment, from which an HTML file is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.comparison.compare import GraphComparison
from circuit_widget.comparison.prompt_stability import PromptStability
from circuit_widget.figure.figure import MOST_BOXES, Figure, Part, make_figure
from circuit_widget.graph import Graph
from circuit_widget.widget.history.history import HistoryEntry

if TYPE_CHECKING:
    from circuit_widget.replacement_model import ReplacementModel

HEIGHT = 420
"""The height of the map where no widget has another, in CSS pixels."""


@dataclass(frozen=True, eq=False)
class WidgetState:
    """A graph, its circuit, and the experiments made on it.

    Attributes:
        model: where feature cards come from; None for none.
        selected: ids of the selected nodes.
        height: of the map, in CSS pixels.
        sent: ids of nodes that are in the page's graph whatever their influence.
        history: the recorded experiments, the first one first.
        displayed: the number of the displayed experiment, None for none.
        study: the message of the study made last, None for none.
        prompt_stability: over prompts that mean the same, None for none.
        comparison: with the graph beside, None for none.
        table: the table of the experiments, as the text of a CSV file.
    """

    graph: Graph
    model: ReplacementModel | None
    circuit: Circuit
    selected: tuple[str, ...] = ()
    height: int = HEIGHT
    sent: frozenset[str] = frozenset()
    history: tuple[HistoryEntry, ...] = ()
    displayed: int | None = None
    study: Mapping[str, Any] | None = None
    comparison: GraphComparison | None = None
    prompt_stability: PromptStability | None = None
    table: str = ""

    def figure(self, edge_threshold: float | None = None, title: str | None = None) -> Figure:
        """Return the figure of what is displayed; without the circuit where it has too many boxes for a figure.

        `edge_threshold` replaces the circuit's; `title` is a line above the figure.
        """
        entry = next((one for one in self.history if one.number == self.displayed), None)
        outcome = None if entry is None else entry.controls or entry.effect
        part: Part = "both" if len(self.circuit.boxes()) <= MOST_BOXES else "map"
        circuit = self.circuit
        if edge_threshold is not None:
            circuit = replace(circuit, edge_threshold=edge_threshold)
        return make_figure(self.graph, circuit, outcome, part, title=title)
