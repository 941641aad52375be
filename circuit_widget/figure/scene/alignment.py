"""Circuits of different prompts in one layout: a box stands where its like stands in the other panels, by group name."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.figure.layout.circuit_layout import CircuitLayout, LayoutBox
from circuit_widget.figure.scene.arrangement import fitting, rows_of_boxes
from circuit_widget.figure.scene.circuit_picture import CircuitPicture
from circuit_widget.figure.scene.outcome_places import covered
from circuit_widget.graph import Graph
from circuit_widget.nodes import NodeKind

Key: TypeAlias = tuple[str, str, int]
"""The kind of a box, its name where that says what it is like, and how often the circuit had that before."""


def aligned(
    graphs: Sequence[Graph], circuits: Sequence[Circuit], pictures: Sequence[CircuitPicture], width: float
) -> list[CircuitPicture]:
    """Return pictures of circuits with boxes that are alike at the same place: of a group's name, of a token's or output's turn.

    A box that only one circuit has keeps its place free in the others. Where what effects bring in would cover something,
    each picture stays as it is.
    """
    keys = [keys_of(picture) for picture in pictures]
    described = [
        rows_of_boxes(graph, circuit, one) for graph, circuit, one in zip(graphs, circuits, pictures, strict=True)
    ]
    alike: dict[Key, list[LayoutBox]] = {}
    for some, (own, brought), picture in zip(keys, described, pictures, strict=True):
        for key, box in zip([*some, *_brought(brought, picture)], [*own, *brought], strict=True):
            alike.setdefault(key, []).append(box)
    rows = {key: _mean(boxes) for key, boxes in alike.items()}
    height, layout = fitting(list(rows.values()), width, any(circuit.positions for circuit in circuits))
    places = dict(zip(rows, layout.boxes, strict=True))
    made = []
    for some, (_, brought), picture in zip(keys, described, pictures, strict=True):
        own_boxes = [
            place._replace(cards=box.cards)
            for place, box in zip((places[key] for key in some), picture.layout.boxes, strict=True)
        ]
        others = [places[key] for key in _brought(brought, picture)]
        count = 0 if picture.injected is None else 1
        made.append(
            replace(
                picture,
                layout=CircuitLayout(tuple(own_boxes), layout.text_size),
                height=height,
                injected_box=others[0] if count else None,
                answer_boxes=tuple(others[count:]),
            )
        )
    return made if all(covered(one) == 0 for one in made) else list(pictures)


def keys_of(picture: CircuitPicture) -> list[Key]:
    """Return what each box of a circuit is like: its name, or for tokens and outputs its turn among them."""
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for name, kind in zip(picture.names, picture.kinds, strict=True):
        what = ("group" if kind is None else kind.value, "" if kind in (NodeKind.TOKEN, NodeKind.LOGIT) else name)
        found.append((*what, seen[what]))
        seen[what] += 1
    return found


def _brought(boxes: Sequence[LayoutBox], picture: CircuitPicture) -> list[Key]:
    """Return what each box that an effect brought in is like: what was swapped in comes first."""
    count = 0 if picture.injected is None else 1
    return [("answer" if at >= count else "injected", box.name, 0) for at, box in enumerate(boxes)]


def _mean(boxes: Sequence[LayoutBox]) -> LayoutBox:
    """Return a box with room for the longest of the names, at the mean layer and position."""
    first = max(boxes, key=lambda box: len(box.name))
    layer = sum(box.layer for box in boxes) / len(boxes)
    position = sum(box.position for box in boxes) / len(boxes)
    stored = next((box.stored for box in boxes if box.stored is not None), None)
    return first._replace(members=max(box.members for box in boxes), layer=layer, position=position, stored=stored)
