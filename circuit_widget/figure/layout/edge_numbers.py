"""Where the numbers of edges between boxes are: on their edges, clear of boxes and of each other.

The screen runs the same functions (js/src/layout/edge-numbers.ts); tests/fixtures/layout.json checks both.
"""

import math
from collections.abc import Sequence
from typing import Final

from circuit_widget.figure.layout.circuit_layout import CARD, PlacedBox
from circuit_widget.figure.layout.map_labels import Area
from circuit_widget.figure.layout.routing import Route

NUMBER_HEIGHT: Final = 14.0
NUMBER_INSET: Final = 3.0
"""Between the ends of a number and the ends of its ground."""
NUMBER_CLEARANCE: Final = 2.0
"""Between a number and a box."""
ABOVE_BOX: Final = 22.0
"""Height above a box where its result, or the mark on it, may be."""
NUMBER_STEPS: Final = 14
"""Places that are tried before the middle of an edge, and as many after it."""
NUMBER_STEP: Final = 1 / 32
"""Between two of these places, as a share of the whole edge."""

_Point = tuple[float, float]


def box_area(box: PlacedBox, text_room: float = 0.0, mark_room: float = 0.0) -> Area:
    """Return what a box takes up, with a result beside or above it and a mark at its left, of these widths."""
    above = ABOVE_BOX if text_room > 0 or mark_room > 0 else 0.0
    return Area(
        box.x - max(box.w / 2 + mark_room, text_room / 2) - NUMBER_CLEARANCE,
        box.y - box.h / 2 - CARD * box.cards - above - NUMBER_CLEARANCE,
        box.x + box.w / 2 + CARD * box.cards + text_room + NUMBER_CLEARANCE,
        box.y + box.h / 2 + NUMBER_CLEARANCE,
    )


def number_places(
    taken: Sequence[Area], routes: Sequence[Route], widths: Sequence[float], width: float, height: float
) -> tuple[_Point | None, ...]:
    """Return the middle of each edge's number; None for an edge on which there is no room for one.

    Numbers of wide edges come first. Each is as near to the middle of its edge as it can be without covering a taken area,
    another number or the end of the page; a place that no other edge crosses goes before one that an edge does. `widths`
    are those of the numbers.
    """
    lines = [[_point(route.path, step / 64) for step in range(65)] for route in routes]
    found: list[_Point | None] = [None] * len(routes)
    areas = list(taken)
    for index in sorted(range(len(routes)), key=lambda index: (-math.floor(1e6 * routes[index].width + 0.5), index)):
        places = [_point(routes[index].path, share) for share in _shares()]
        free = [place for place in places if _is_free(_area(place, widths[index]), areas, width, height)]
        others = [line for number, line in enumerate(lines) if number != index]
        alone = (place for place in free if not _is_crossed(_area(place, widths[index]), others))
        chosen = next(alone, free[0] if free else None)
        if chosen is not None:
            found[index] = chosen
            areas.append(_area(chosen, widths[index]))
    return tuple(found)


def _shares() -> list[float]:
    steps = [NUMBER_STEP * step for step in range(1, NUMBER_STEPS + 1)]
    return [0.5, *(0.5 + sign * step for step in steps for sign in (-1, 1))]


def _area(place: _Point, width: float) -> Area:
    x, y = place
    return Area(x - width / 2, y - NUMBER_HEIGHT / 2, x + width / 2, y + NUMBER_HEIGHT / 2)


def _is_free(area: Area, taken: Sequence[Area], width: float, height: float) -> bool:
    if area.x0 < 0 or area.y0 < 0 or area.x1 > width or area.y1 > height:
        return False
    return not any(one.x0 < area.x1 and area.x0 < one.x1 and one.y0 < area.y1 and area.y0 < one.y1 for one in taken)


def _is_crossed(area: Area, lines: Sequence[Sequence[_Point]]) -> bool:
    return any(area.x0 < x < area.x1 and area.y0 < y < area.y1 for line in lines for x, y in line)


def _point(path: Sequence[float], share: float) -> _Point:
    """Return the point at a share of a path of cubics, each of which counts the same."""
    cubics = (len(path) - 2) // 6
    along = share * cubics
    cubic = min(math.floor(along), cubics - 1)
    t, at = along - cubic, 6 * cubic
    weights = ((1 - t) * (1 - t) * (1 - t), 3 * (1 - t) * (1 - t) * t, 3 * (1 - t) * t * t, t * t * t)
    x = sum(weight * path[at + 2 * corner] for corner, weight in enumerate(weights))
    y = sum(weight * path[at + 2 * corner + 1] for corner, weight in enumerate(weights))
    return x, y
