"""The numbers by which files of circuit-tracer and Neuronpedia name a feature: layer and feature in one number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt

PLACES = 100_000
"""The factor of the layer in the older numbers, of gemma-2-2b."""


@dataclass(frozen=True)
class FeatureIds:
    """A way to write layer and feature as one number.

    Attributes:
        name: what errors call it.
        join: layer and feature to the number.
        split: the number to layer and feature.
    """

    name: str
    join: Callable[[int, int], int]
    split: Callable[[int], tuple[int, int]]


def _pair(layer: int, feature: int) -> int:
    total = layer + feature
    return total * (total + 1) // 2 + feature


def _unpair(number: int) -> tuple[int, int]:
    total = (isqrt(8 * number + 1) - 1) // 2
    feature = number - total * (total + 1) // 2
    return total - feature, feature


PAIRED = FeatureIds("a Cantor pair of layer and feature", _pair, _unpair)
"""The Cantor pairing (layer + feature)(layer + feature + 1) / 2 + feature; 1670217704 is feature 57794 of layer 1."""

DECIMAL = FeatureIds(
    "the layer before five digits of the feature",
    lambda layer, feature: layer * PLACES + feature,
    lambda number: divmod(number, PLACES),
)
"""The older numbers of gemma-2-2b: 2305458 is feature 5458 of layer 23."""
