"""Runs of positions of a prompt at which nothing is visible: pure functions, the same as in js/src/core/token-runs.ts."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

LONG_PROMPT: Final = 24
"""A prompt with more tokens hides those at whose positions nothing else is visible and that have no visible edge."""
LEAST_RUN: Final = 3
"""Positions in a row without visible nodes that the map draws as one band; fewer have no column."""


def runs_without(busy: Iterable[int], n_positions: int) -> list[tuple[int, int]]:
    """Return the first and the last position of each run of at least 3 that are not busy, in order."""
    ends = [-1, *sorted({position for position in busy if 0 <= position < n_positions}), n_positions]
    gaps = [(before + 1, after - 1) for before, after in pairwise(ends)]
    return [(first, last) for first, last in gaps if last - first + 1 >= LEAST_RUN]
