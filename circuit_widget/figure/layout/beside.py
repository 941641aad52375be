"""Where a box is that an experiment brings in, a swapped-in one or a new answer: beside the box that it belongs to.

The screen runs the same function (js/src/layout/beside.ts), tested against the same fixture.
"""

from collections.abc import Sequence
from typing import Final

from circuit_widget.figure.layout.circuit_layout import CARD, PlacedBox, box_size
from circuit_widget.figure.layout.detour import is_clear
from circuit_widget.figure.layout.routing import Route

ANSWER_GAP: Final = 96.0
"""Between a new answer and the answer beside it: room for two probabilities."""
RIGHT_GAP: Final = 60.0
"""Between the box and the one at its left: room for a percentage and a tie."""
LEFT_GAP: Final = 72.0
"""Between the box and the one at its right: room for a mark and a tie."""
DIAGONAL: Final = 14.0
"""Between the two boxes, across and up or down, where they are not side by side."""
INJECTED_MARGIN: Final = 4.0
"""Between the box and the ends of the circuit."""
EDGE_CLEARANCE: Final = 5.0
ANSWER_TOP: Final = 12.0
"""Above a new answer that is beside no other."""
ANSWER_STEP: Final = 12.0
"""Between the places that are tried for it."""
PLACE_STEP: Final = 16.0
"""Between the places of a grid that are tried for a box which has no room beside its own."""
MOST_PLACES: Final = 40
"""How many of them, nearest first, are tried for one that no edge crosses."""
CORNER: Final = (12.0, 30.0)
"""From the right and from the top, of a box that belongs to none of the circuit."""


def box_beside(
    name: str,
    members: int,
    beside: int | None,
    placed: Sequence[PlacedBox],
    routes: Sequence[Route],
    width: float,
    height: float,
    gaps: tuple[float, float] = (RIGHT_GAP, LEFT_GAP),
) -> PlacedBox:
    """The box at the first of six places by the box of index `beside` that are free: right, left, above, below.

    Where none is, it is at the nearest free place of all. A place that no edge crosses goes before one that edges have to
    go around.
    """
    w, h = box_size(name)
    cards = min(members - 1, 2)
    if beside is None:
        return PlacedBox(width - w / 2 - CORNER[0], h / 2 + CORNER[1], w, h, cards)
    host = placed[beside]
    aside, apart = (host.w + w) / 2, (host.h + h) / 2 + DIAGONAL
    near = aside + DIAGONAL
    steps = (
        (aside + gaps[0], 0),
        (-aside - gaps[1], 0),
        (near, -apart),
        (-near, -apart),
        (near, apart),
        (-near, apart),
    )
    places = [PlacedBox(host.x + dx, host.y + dy, w, h, cards) for dx, dy in steps]
    free = [place for place in places if _is_free(place, placed, width, height)] or _free_places(
        places[0]._replace(x=host.x, y=host.y), placed, width, height
    )
    for place in free:
        if all(is_clear(route.path, (place,), EDGE_CLEARANCE) for route in routes):
            return place
    rightmost = width - w / 2 - CARD * cards - INJECTED_MARGIN
    crowded = PlacedBox(min(rightmost, host.x + aside + 20), max(h, host.y - h), w, h, cards)
    return next(iter(free), crowded)


def _free_places(box: PlacedBox, placed: Sequence[PlacedBox], width: float, height: float) -> list[PlacedBox]:
    """The free places of a grid over the whole circuit, those nearest to the box first."""
    found: list[tuple[float, PlacedBox]] = []
    for row in range(int(height / PLACE_STEP)):
        for column in range(int(width / PLACE_STEP)):
            place = box._replace(x=PLACE_STEP * column, y=PLACE_STEP * row)
            if _is_free(place, placed, width, height):
                dx, dy = place.x - box.x, place.y - box.y
                found.append((dx * dx + dy * dy, place))
    return [place for _, place in sorted(found, key=lambda one: one[0])[:MOST_PLACES]]


def answers_beside(
    names: Sequence[str],
    outputs: Sequence[int],
    placed: Sequence[PlacedBox],
    routes: Sequence[Route],
    width: float,
    height: float,
) -> list[PlacedBox]:
    """The boxes of new answers, each beside the one before, the first beside the rightmost of the boxes in `outputs`.

    Without outputs, the first is at the top, as far right as it is free.
    """
    boxes = list(placed)
    host = max(outputs, key=lambda output: placed[output].x, default=None)
    for name in names:
        if host is None:
            boxes.append(_at_the_top(name, boxes, width, height))
        else:
            boxes.append(box_beside(name, 1, host, boxes, routes, width, height, (ANSWER_GAP, ANSWER_GAP)))
        host = len(boxes) - 1
    return boxes[len(placed) :]


def _at_the_top(name: str, placed: Sequence[PlacedBox], width: float, height: float) -> PlacedBox:
    """The box with room at its right for what is written there."""
    w, h = box_size(name)
    rightmost = width - w / 2 - ANSWER_GAP - INJECTED_MARGIN
    steps = max(1, int((rightmost - w / 2) / ANSWER_STEP))
    places = [PlacedBox(rightmost - ANSWER_STEP * step, h / 2 + ANSWER_TOP, w, h, 0) for step in range(steps)]
    for place in places:
        if _is_free(place._replace(x=place.x + ANSWER_GAP / 2, w=w + ANSWER_GAP), placed, width, height):
            return place
    return places[0]


def _is_free(place: PlacedBox, placed: Sequence[PlacedBox], width: float, height: float) -> bool:
    """Whether a box is inside the circuit and clear of the others."""
    left, right = place.x - place.w / 2, place.x + place.w / 2 + CARD * place.cards
    top, bottom = place.y - place.h / 2 - CARD * place.cards, place.y + place.h / 2
    across = left >= INJECTED_MARGIN and right <= width - INJECTED_MARGIN
    return (
        across
        and top >= INJECTED_MARGIN
        and bottom <= height - INJECTED_MARGIN
        and all(
            abs(one.x - place.x) > (one.w + place.w) / 2 + 8 or abs(one.y - place.y) > (one.h + place.h) / 2 + 6
            for one in placed
        )
    )
