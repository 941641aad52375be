"""A circuit ready to draw: its boxes with names, kinds and outcomes, where they are, and the edges between them."""

from dataclasses import dataclass, replace

from circuit_widget.circuit.circuit import Box
from circuit_widget.figure.layout.circuit_layout import (
    BOX_TEXT,
    CircuitLayout,
    PlacedBox,
)
from circuit_widget.figure.layout.routing import Link, Route, route_edges
from circuit_widget.graph import Graph
from circuit_widget.nodes import NodeKind
from circuit_widget.wording.outcome import Injected, NewAnswer, Outcome, outcome


@dataclass(frozen=True)
class CircuitPicture:
    """A circuit ready to draw: its boxes with names, kinds, outcomes and layout, and the links between them.

    `links` are those of `total` that have at least `least_share` of a box's input, and the strongest into each box. `onward`
    are those from what was swapped in, the last box of all (see `onward_links`). `routes` are the ways of both. What an
    effect brings in comes with its boxes: `injected` with `injected_box`, `answers` with `answer_boxes`. The picture is as high
    as text of the size `text` needs.
    """

    boxes: tuple[Box, ...]
    names: tuple[str, ...]
    kinds: tuple[NodeKind | None, ...]
    outcomes: tuple[Outcome, ...]
    layout: CircuitLayout
    links: tuple[Link, ...]
    onward: tuple[Link, ...]
    least_share: float
    total: int
    numbered: bool
    injected: Injected | None
    injected_box: PlacedBox | None
    answers: tuple[NewAnswer, ...]
    answer_boxes: tuple[PlacedBox, ...]
    width: float
    height: float
    text: float = BOX_TEXT

    @property
    def brought(self) -> tuple[PlacedBox, ...]:
        """The boxes that an effect brought in, the swapped-in one last."""
        return self.answer_boxes if self.injected_box is None else (*self.answer_boxes, self.injected_box)

    @property
    def drawn(self) -> tuple[Link, ...]:
        """All links, those from what was swapped in last."""
        return self.links if self.injected_box is None else (*self.links, *self.onward)

    @property
    def routes(self) -> tuple[Route, ...]:
        """The ways of all links, around everything that is drawn."""
        return route_edges((*self.layout.boxes, *self.brought), self.drawn, self.width)


def without_effect(graph: Graph, picture: CircuitPicture) -> CircuitPicture:
    """Return the same picture before the effect: every box where it is, nothing brought in."""
    outcomes = tuple(outcome(graph, box, None) for box in picture.boxes)
    return replace(picture, outcomes=outcomes, onward=(), injected=None, injected_box=None, answers=(), answer_boxes=())
