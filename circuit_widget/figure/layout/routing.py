"""Routes of edges: gentle cubics, spread over the sides of boxes, around all other boxes.

The screen runs the same functions (js/src/layout/routing.ts); tests/fixtures/layout.json checks both.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from circuit_widget.figure.layout.circuit_layout import CARD, PlacedBox
from circuit_widget.figure.layout.detour import Lane, rising_path
from circuit_widget.figure.layout.strokes import edge_width, head_length

TIP_GAP: Final = 3.0
INSET: Final = 10.0
PORT_PITCH: Final = 16.0
LEAST_SHARE: Final = 0.04
BUNDLED: Final = 0.8
"""How much of the way to their trunk edges between two columns of the map go."""
BUNDLED_RISE: Final = 120.0
"""Height from which they go that far."""


class Link(NamedTuple):
    """An edge between boxes, by index, with its signed share of the target's input."""

    source: int
    target: int
    share: float


class Route(NamedTuple):
    """The path (x0, y0, then six numbers for each cubic) to the base of the head; its tip; its unit direction."""

    path: tuple[float, ...]
    tip: tuple[float, float]
    direction: tuple[float, float]
    width: float


_Point = tuple[float, float]


def visible_links(links: Sequence[Link], least_share: float = LEAST_SHARE) -> tuple[Link, ...]:
    """Return the links to draw: those with at least this share of the target's input, and the strongest into each box."""
    strongest: dict[int, float] = {}
    for link in links:
        strongest[link.target] = max(strongest.get(link.target, 0.0), abs(link.share))
    return tuple(
        link for link in links if abs(link.share) > 0 and abs(link.share) >= min(least_share, strongest[link.target])
    )


def visible_onward(links: Sequence[Link], least_share: float = LEAST_SHARE) -> tuple[Link, ...]:
    """Return the links to draw of those from one box that an experiment brings in.

    They are those with at least this share of the target's input, and the strongest of all, so that the box has one.
    """
    strongest = max((abs(link.share) for link in links), default=0.0)
    return tuple(link for link in links if abs(link.share) > 0 and abs(link.share) >= min(least_share, strongest))


class Trunk(NamedTuple):
    """Where the edges from one column of the map to another run together: the middles of the columns, and a height."""

    source: float
    target: float
    y: float


def map_edge(
    x0: float, y0: float, r0: float, x1: float, y1: float, r1: float, trunk: Trunk | None = None
) -> tuple[float, ...]:
    """Return the cubic of a map edge, top of source to bottom of target.

    It is drawn towards the trunk of its columns, and bowed if it would run along its own column.
    """
    start, end = y0 - r0, y1 + r1
    rise = start - end
    if trunk is not None:
        pull = BUNDLED * min(1.0, max(0.0, rise) / BUNDLED_RISE)
        height = min(max(trunk.y, end + 0.3 * rise), start - 0.3 * rise) if rise > 0 else (start + end) / 2
        middle = start - 0.5 * rise + pull * (height - (start - 0.5 * rise))
        return (
            x0, start, x0 + pull * (trunk.source - x0), middle, x1 + 0.6 * pull * (trunk.target - x1), middle, x1, end,
        )  # fmt: skip
    bow = min(22.0, 0.1 * rise) * max(0.0, 1.0 - abs(x1 - x0) / 24.0) if rise > 90.0 else 0.0
    return (x0, start, x0 + bow, start - 0.5 * rise, x1 + bow, end + 0.5 * rise, x1, end)


def route_edges(boxes: Sequence[PlacedBox], links: Sequence[Link], width: float) -> tuple[Route, ...]:
    """Return one route for each link, in their order."""
    sides = [_sides(boxes, link) for link in links]
    towards = [
        ((boxes[link.target].x, boxes[link.target].y), (boxes[link.source].x, boxes[link.source].y)) for link in links
    ]
    routes = _routes(boxes, links, sides, towards, width)
    # A path that bends around a box starts towards the bend: a second pass orders the ports by that direction.
    bends = [
        ((route.path[6], route.path[7]), (route.path[-8], route.path[-7])) if len(route.path) > 8 else old
        for route, old in zip(routes, towards, strict=True)
    ]
    return tuple(_routes(boxes, links, sides, bends, width) if bends != towards else routes)


def _routes(
    boxes: Sequence[PlacedBox],
    links: Sequence[Link],
    sides: Sequence[tuple[str, str]],
    towards: Sequence[tuple[_Point, _Point]],
    width: float,
) -> list[Route]:
    starts, ends = _ports(boxes, links, sides, towards)
    lanes: list[Lane] = []
    return [
        _route(boxes, link, sides[index], starts[index], ends[index], width, lanes) for index, link in enumerate(links)
    ]


def _sides(boxes: Sequence[PlacedBox], link: Link) -> tuple[str, str]:
    source, target = boxes[link.source], boxes[link.target]
    if target.y + target.h / 2 + 8 <= source.y - source.h / 2:
        return "top", "bottom"
    if source.y + source.h / 2 + 8 <= target.y - target.h / 2:
        return "bottom", "top"
    low, high = min(source.x, target.x), max(source.x, target.x)
    between = any(
        low < box.x < high and abs(box.y - (source.y + target.y) / 2) < box.h
        for index, box in enumerate(boxes)
        if index not in (link.source, link.target)
    )
    if between or abs(source.x - target.x) < (source.w + target.w) / 2 + 14:
        return "top", "top"
    return ("right", "left") if source.x < target.x else ("left", "right")


def _ports(
    boxes: Sequence[PlacedBox],
    links: Sequence[Link],
    sides: Sequence[tuple[str, str]],
    towards: Sequence[tuple[_Point, _Point]],
) -> tuple[list[_Point], list[_Point]]:
    """Return the points where edges leave and arrive: side by side, in the order of their slopes."""
    groups: dict[tuple[int, str], list[tuple[int, int, int]]] = {}
    for index, link in enumerate(links):
        for end, box in enumerate((link.source, link.target)):
            side = sides[index][end]
            groups.setdefault((box, side), []).append((_slope(boxes[box], towards[index][end], side), index, end))
    points: list[list[_Point]] = [[(0.0, 0.0)] * len(links), [(0.0, 0.0)] * len(links)]
    for (box, side), members in groups.items():
        upright = side in ("left", "right")
        room = (boxes[box].h if upright else boxes[box].w) - 2 * (4.0 if upright else INSET)
        pitch = min(PORT_PITCH, room / max(1, len(members) - 1))
        for order, (_, index, end) in enumerate(sorted(members)):
            points[end][index] = _on_side(boxes[box], side, (order - (len(members) - 1) / 2) * pitch)
    _straighten(boxes, groups, sides, points)
    return points[0], points[1]


def _straighten(
    boxes: Sequence[PlacedBox],
    groups: dict[tuple[int, str], list[tuple[int, int, int]]],
    sides: Sequence[tuple[str, str]],
    points: list[list[_Point]],
) -> None:
    """Slide an end that is alone on its side under the edge's other end, where the box reaches that far."""
    for (box, _), members in groups.items():
        _, index, end = members[0]
        y = points[end][index][1]
        other = points[1 - end][index][0]
        vertical = sides[index] in (("top", "bottom"), ("bottom", "top"))
        if len(members) == 1 and vertical and abs(other - boxes[box].x) <= boxes[box].w / 2 - INSET:
            points[end][index] = (other, y)


def _slope(box: PlacedBox, towards: _Point, side: str) -> int:
    """Return the slope in millionths, so that rounding cannot separate equal slopes."""
    upright = side in ("left", "right")
    slope = towards[1] - box.y if upright else (towards[0] - box.x) / max(12.0, abs(towards[1] - box.y))
    return math.floor(1e6 * slope + 0.5)


def _on_side(box: PlacedBox, side: str, shift: float) -> _Point:
    match side:
        case "top":
            return box.x + shift, box.y - box.h / 2 - box.cards * CARD
        case "bottom":
            return box.x + shift, box.y + box.h / 2
        case "left":
            return box.x - box.w / 2, box.y + shift
        case _:
            return box.x + box.w / 2, box.y + shift


def _route(
    boxes: Sequence[PlacedBox],
    link: Link,
    sides: tuple[str, str],
    start: _Point,
    end: _Point,
    width: float,
    lanes: list[Lane],
) -> Route:
    stroke = edge_width(link.share)
    back = TIP_GAP + head_length(stroke)
    if sides in (("right", "left"), ("left", "right")):
        sign = 1.0 if sides[0] == "right" else -1.0
        cards = boxes[link.source].cards * CARD if sign > 0 else boxes[link.target].cards * CARD
        gap = TIP_GAP + (cards if sign < 0 else 0.0)
        x0, x1 = start[0] + (cards if sign > 0 else 0.0), end[0] - sign * (gap + head_length(stroke))
        middle = (x0 + x1) / 2
        across = (x0, start[1], middle, start[1], middle, end[1], x1, end[1])
        return Route(across, (end[0] - sign * gap, end[1]), (sign, 0.0), stroke)
    if sides == ("top", "top"):
        rise = 20.0 + 0.12 * abs(end[0] - start[0])
        crest = min(start[1], end[1]) - rise
        arch = (start[0], start[1], start[0], crest, end[0], crest, end[0], end[1] - back)
        return Route(arch, (end[0], end[1] - TIP_GAP), (0.0, 1.0), stroke)
    # Downward edges are upward ones in a mirror.
    sign = 1.0 if sides[0] == "top" else -1.0
    obstacles = [_mirrored(box, sign) for index, box in enumerate(boxes) if index not in (link.source, link.target)]
    upward = rising_path(
        (start[0], sign * start[1]), (end[0], sign * end[1] + back), obstacles, stroke, width, lanes, sign
    )
    mirrored = tuple(value if number % 2 == 0 else sign * value for number, value in enumerate(upward))
    return Route(mirrored, (end[0], end[1] + sign * TIP_GAP), (0.0, -sign), stroke)


def _mirrored(box: PlacedBox, sign: float) -> PlacedBox:
    return box._replace(y=sign * box.y)
