"""Clamped features as arrays: an experiment can clamp all neurons of a prompt, which are hundreds of thousands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from circuit_widget.nodes import Feature


@dataclass(frozen=True)
class ClampedFeature:
    """A feature, its activation on the prompt, and the value at which it is clamped."""

    feature: Feature
    before: float
    value: float


@dataclass(frozen=True, eq=False)
class FeatureClamps:
    """Clamped features, sorted, each once.

    Attributes:
        features: layer, position and number of each.
        before, value: their activations on the prompt, and the values at which they are clamped.
    """

    features: Int64[np.ndarray, "n 3"]
    before: Float64[np.ndarray, " n"]
    value: Float64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.features)

    def __iter__(self) -> Iterator[ClampedFeature]:
        for numbers, before, value in zip(
            self.features.tolist(), self.before.tolist(), self.value.tolist(), strict=True
        ):
            yield ClampedFeature(Feature(*numbers), before, value)

    def where(self, chosen: Bool[np.ndarray, " n"]) -> FeatureClamps:
        """Return those that are chosen."""
        return FeatureClamps(self.features[chosen], self.before[chosen], self.value[chosen])

    def ids(self) -> list[str]:
        """Return the node id of each."""
        layers, positions, numbers = (column.tolist() for column in self.features.T)
        return list(map("{}_{}_{}".format, layers, numbers, positions))


def rows_in(among: Int64[np.ndarray, "rows 3"], features: Int64[np.ndarray, "n 3"]) -> Int64[np.ndarray, " n"]:
    """Return the row of each feature among others, -1 where it is none of them; features are layer, position and number."""
    rows = np.full(len(features), -1, dtype=np.int64)
    if not len(among) or not len(features):
        return rows
    _, n_positions, n_numbers = (np.maximum(among.max(axis=0), features.max(axis=0)) + 1).tolist()
    known, wanted = ((some[:, 0] * n_positions + some[:, 1]) * n_numbers + some[:, 2] for some in (among, features))
    order = np.argsort(known, kind="stable")
    found = order[np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)]
    return np.where(known[found] == wanted, found, rows)


def latest(
    features: Int64[np.ndarray, "n 3"], values: Float64[np.ndarray, " n"]
) -> tuple[Int64[np.ndarray, "distinct 3"], Float64[np.ndarray, " distinct"]]:
    """Return features sorted and each once, with the last of the values it has."""
    order = np.lexsort((features[:, 2], features[:, 1], features[:, 0]))
    features, values = features[order], values[order]
    last = np.ones(len(features), dtype=bool)
    last[:-1] = np.any(features[1:] != features[:-1], axis=1)
    return features[last], values[last]
