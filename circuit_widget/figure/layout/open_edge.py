"""How an edge of the map shows its stability: whole at both ends, open in the middle for the prunings that drop it.

The screen runs the same functions (js/src/layout/open-edge.ts), tested against the same fixture.
"""

from itertools import pairwise
from typing import Final, TypeAlias

LEAST_WHOLE: Final = 0.2
"""Part of an edge that is drawn in full though no pruning keeps it, so that its sign and its ends can be seen."""
OPEN_WIDTH: Final = 0.6
"""Width of the line in the middle of an edge, in pixels."""
OPEN_OPACITY: Final = 0.45
"""Opacity of the line in the middle, as a share of the edge's."""

Cubic: TypeAlias = tuple[float, ...]
"""A cubic as its start, two control points and its end: eight numbers."""


def open_edge(path: Cubic, stability: float) -> tuple[Cubic, Cubic, Cubic] | None:
    """Return the start, the middle and the end of an edge by the share of prunings that keep it; None where all of them do."""
    if stability >= 1:
        return None
    end = max(stability, LEAST_WHOLE) / 2
    start, rest = _split(path, end)
    middle, last = _split(rest, (1 - 2 * end) / (1 - end))
    return start, middle, last


def _split(path: Cubic, at: float) -> tuple[Cubic, Cubic]:
    """Return a cubic in two parts (de Casteljau)."""
    points = [path[0:2], path[2:4], path[4:6], path[6:8]]
    left, right = [points[0]], [points[3]]
    while len(points) > 1:
        points = [
            (one[0] + (other[0] - one[0]) * at, one[1] + (other[1] - one[1]) * at) for one, other in pairwise(points)
        ]
        left.append(points[0])
        right.insert(0, points[-1])
    return _flat(left), _flat(right)


def _flat(points: list[tuple[float, ...]]) -> Cubic:
    return tuple(value for point in points for value in point)
