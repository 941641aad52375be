"""The places of circles within one cell of the map: pure functions of numbers, ported in js/src/layout/map-rows.ts."""

import math
from collections.abc import Sequence
from typing import Final

NODE_GAP: Final = 1.5
"""Least space between two nodes of a cell that has room for its nodes."""
LANES: Final = 6
"""Lines of nodes in a row, at most."""


def lanes_of(lines: int, step: float) -> list[float]:
    """Return the lines of a row, by their distance from its middle, the nearest first."""
    lanes = [step * (line - (lines - 1) / 2) for line in range(lines)]
    return sorted(lanes, key=lambda lane: (abs(lane), lane))


def extent(placed: Sequence[tuple[float, float]], radii: Sequence[float]) -> float:
    """Return the width of circles that `fill` placed: they begin at 0."""
    return max(x + radius for (x, _), radius in zip(placed, radii, strict=True))


def pack(radii: Sequence[float], room: float, height: float, most: int) -> list[tuple[float, float]]:
    """Return offsets from the centre of a cell: in one line, else in staggered lines up to `most`, squeezed if need be."""
    largest = max(radii)
    spread = max(0.0, height / 2 - largest - 0.75)
    placed: list[tuple[float, float]] = []
    for lines in range(1, min(most, len(radii)) + 1):
        step = min(2 * spread / (lines - 1), 2 * largest + NODE_GAP) if lines > 1 else 0.0
        placed = fill(radii, lanes_of(lines, step))
        width = extent(placed, radii)
        if width <= room:
            return [(x - width / 2, y) for x, y in placed]
    low, high = min(x for x, _ in placed), max(x for x, _ in placed)
    factor = max(0.0, room - 2 * largest) / (high - low) if high > low else 0.0
    return [((x - (low + high) / 2) * factor, y) for x, y in placed]


def fill(radii: Sequence[float], lanes: Sequence[float]) -> list[tuple[float, float]]:
    """Put circles, in order, as far to the left as they go without touching the earlier ones."""
    ends: list[list[tuple[float, float]]] = [[] for _ in lanes]
    placed = []
    for radius in radii:
        best_lane, best_x = 0, math.inf
        for lane, offset in enumerate(lanes):
            x = radius
            for other, end in zip(lanes, ends, strict=True):
                for other_x, other_radius in end[-3:]:
                    reach = radius + other_radius + NODE_GAP
                    apart = reach * reach - (offset - other) * (offset - other)
                    if apart > 0:
                        x = max(x, other_x + math.sqrt(apart))
            if x < best_x - 1e-9:
                best_lane, best_x = lane, x
        ends[best_lane].append((best_x, radius))
        placed.append((best_x, lanes[best_lane]))
    return placed
