"""Detours: how an edge that rises past other boxes avoids them, by leaning or through the gaps between them.

The screen runs the same functions (js/src/layout/detour.ts); tests/fixtures/layout.json checks both.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from circuit_widget.figure.layout.circuit_layout import CARD, PlacedBox

CLEAR: Final = 7.0
LANE: Final = 7.0
SAMPLES: Final = 24
EDGE: Final = 4.0
LEANS: Final = ((0.5, 0.5), (0.35, 0.65), (0.65, 0.35), (0.25, 0.8), (0.8, 0.25), (0.15, 0.95), (0.95, 0.15))


class Lane(NamedTuple):
    """A vertical stretch between boxes that an edge has taken."""

    x: float
    top: float
    bottom: float


class _BoxRow(NamedTuple):
    """Boxes side by side: the height that they take together, and what each blocks of it, from left to right."""

    top: float
    bottom: float
    blocked: tuple[tuple[float, float], ...]


class _State(NamedTuple):
    cost: float
    x: float
    y: float
    path: tuple[float, ...]


_Point = tuple[float, float]


def rising_path(
    start: _Point,
    end: _Point,
    obstacles: Sequence[PlacedBox],
    stroke: float,
    width: float,
    lanes: list[Lane],
    sign: float,
) -> tuple[float, ...]:
    """Return the cubics of an upward edge (y falling), vertical at both ends, and add its lanes to `lanes`.

    `sign` is -1 if the picture is mirrored; lanes are not mirrored.
    """
    near = [box for box in obstacles if box.y - box.h / 2 < start[1] - 1 and box.y + box.h / 2 > end[1] + 1]
    clearance = CLEAR + stroke / 2
    for lean in LEANS:
        path = _curve((start, end), lean)
        if not near or is_clear(path, near, clearance):
            return path
    rows = _rows(near, clearance)
    gates = [
        (row, _lane(x, row, width, lanes, sign)) for row, x in zip(rows, _thread(start, end, rows, width), strict=True)
    ]
    for index in range(len(gates) - 1, -1, -1):
        fewer = gates[:index] + gates[index + 1 :]
        if is_clear(_curve(_through(start, fewer, end)), near, clearance - 1.0):
            gates = fewer
    lanes.extend(Lane(x, *_extent(row, sign)) for row, x in gates)
    return _curve(_through(start, gates, end))


def _extent(row: _BoxRow, sign: float) -> tuple[float, float]:
    return min(sign * row.top, sign * row.bottom), max(sign * row.top, sign * row.bottom)


def _through(start: _Point, gates: Sequence[tuple[_BoxRow, float]], end: _Point) -> list[_Point]:
    points = [start]
    for row, x in gates:
        points += [(x, min(row.bottom, start[1])), (x, max(row.top, end[1]))]
    return [*points, end]


def _rows(near: Sequence[PlacedBox], clearance: float) -> list[_BoxRow]:
    """Return the rows of boxes from the bottom up."""
    rows: list[_BoxRow] = []
    for box in sorted(near, key=lambda box: (-box.y, box.x)):
        top, bottom = box.y - box.h / 2 - 2, box.y + box.h / 2 + 2
        span = (box.x - box.w / 2 - clearance, box.x + box.w / 2 + box.cards * CARD + clearance)
        if rows and bottom > rows[-1].top:
            last = rows[-1]
            rows[-1] = _BoxRow(min(top, last.top), max(bottom, last.bottom), (*last.blocked, span))
        else:
            rows.append(_BoxRow(top, bottom, (span,)))
    return rows


def _gaps(row: _BoxRow, width: float) -> list[tuple[float, float]]:
    """Return the free stretches of a row; if there are none, those that are free with less room around boxes."""
    for give in (0.0, 0.5, 0.9):
        gaps = []
        left = EDGE
        for low, high in sorted(row.blocked):
            if low + give * CLEAR > left:
                gaps.append((left, low + give * CLEAR))
            left = max(left, high - give * CLEAR)
        if width - EDGE > left:
            gaps.append((left, width - EDGE))
        if gaps:
            break
    return gaps or [(EDGE, EDGE)]


def _thread(start: _Point, end: _Point, rows: Sequence[_BoxRow], width: float) -> list[float]:
    """Return one x for each row, free of boxes, so that the path strays and turns least (dynamic programming)."""
    states = [_State(0.0, start[0], start[1], ())]
    for row in rows:
        middle = (row.top + row.bottom) / 2
        line = start[0] + (end[0] - start[0]) * min(1.0, max(0.0, (start[1] - middle) / (start[1] - end[1])))
        choices = sorted({min(max(x, low), high) for low, high in _gaps(row, width) for x in (line, start[0], end[0])})
        states = [_cheapest(states, x, middle, 0.2 * abs(x - line) + _beside(x, row)) for x in choices]
    return list(_cheapest(states, end[0], end[1], 0.0).path[:-1])


def _cheapest(states: Sequence[_State], x: float, y: float, price: float) -> _State:
    """Return the cheapest state that ends at (x, y); among equal ones, up to rounding, the leftmost."""
    best, least = states[0], math.inf
    for state in states:
        cost = state.cost + math.sqrt((x - state.x) * (x - state.x) + (y - state.y) * (y - state.y))
        if cost < least - 1e-6:
            best, least = state, cost
    return _State(least + price, x, y, (*best.path, x))


def _beside(x: float, row: _BoxRow) -> float:
    """Return the cost of running through the percentage at the right of a box."""
    return 6.0 if any(high - 1.0 <= x < high + 28.0 for _, high in row.blocked) else 0.0


def _lane(x: float, row: _BoxRow, width: float, lanes: Sequence[Lane], sign: float) -> float:
    """Return the free x nearest to the given one that no earlier edge took at this height."""
    top, bottom = _extent(row, sign)
    taken = [lane.x for lane in lanes if lane.top < bottom and lane.bottom > top]
    low, high = next(((low, high) for low, high in _gaps(row, width) if low - 1e-6 <= x <= high + 1e-6), (x, x))
    for step in range(8):
        for candidate in (x + step * LANE, x - step * LANE):
            inside = low - 1e-6 <= candidate <= high + 1e-6
            if inside and all(abs(candidate - other) >= LANE - 1e-6 for other in taken):
                return candidate
    return x


def _curve(points: Sequence[_Point], lean: tuple[float, float] = LEANS[0]) -> tuple[float, ...]:
    """Return cubics through the points, vertical at each; `lean` is how far the handles reach along the rise."""
    path = list(points[0])
    for (x0, y0), (x1, y1) in pairwise(points):
        path += [x0, y0 + (y1 - y0) * lean[0], x1, y1 + (y0 - y1) * lean[1], x1, y1]
    return tuple(path)


def is_clear(path: Sequence[float], boxes: Sequence[PlacedBox], clearance: float) -> bool:
    """Return whether cubics keep the clearance from all boxes."""
    for start in range(0, len(path) - 2, 6):
        x0, y0, x1, y1, x2, y2, x3, y3 = path[start : start + 8]
        for sample in range(SAMPLES + 1):
            t = sample / SAMPLES
            u = 1.0 - t
            x = u * u * u * x0 + 3 * u * u * t * x1 + 3 * u * t * t * x2 + t * t * t * x3
            y = u * u * u * y0 + 3 * u * u * t * y1 + 3 * u * t * t * y2 + t * t * t * y3
            for box in boxes:
                right = box.w / 2 + box.cards * CARD + clearance
                if -box.w / 2 - clearance < x - box.x < right and abs(y - box.y) < box.h / 2 + 2:
                    return False
    return True
