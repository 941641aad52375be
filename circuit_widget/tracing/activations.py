"""The active features of a prompt, and their activations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from circuit_widget.arguments import whole_number
from circuit_widget.errors import InterventionError, NodeError
from circuit_widget.graph import Feature, Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.graph.node_table import feature_numbers

SAME_ACTIVATION = 0.02
"""Largest allowed difference between activations of a graph and of a model, as a share of the largest; dtypes round."""

LARGEST = int(np.iinfo(np.int32).max)
"""Largest layer, position or number of a feature that the arrays can have."""


@dataclass(frozen=True, eq=False)
class Activations(Mapping[Feature, float]):
    """The active features of a prompt, sorted by (layer, position, feature), as a mapping Feature -> activation.

    The arrays `layer`, `position`, `feature`, `value` have the same. Features before `first_position` (BOS) are left out.
    """

    layer: Int32[np.ndarray, " n"]
    position: Int32[np.ndarray, " n"]
    feature: Int32[np.ndarray, " n"]
    value: Float32[np.ndarray, " n"]
    first_position: int = 1

    def __getitem__(self, feature: Feature) -> float:
        row = self._row(feature) if isinstance(feature, Feature) else None
        if row is None:
            raise KeyError(feature)
        return float(self.value[row])

    def __iter__(self) -> Iterator[Feature]:
        features = zip(self.layer.tolist(), self.position.tolist(), self.feature.tolist(), strict=True)
        return (Feature(*feature) for feature in features)

    def _row(self, feature: Feature) -> int | None:
        """Return the row of a feature in the arrays, None where it is not active."""
        here = rows_at(self, feature.layer, feature.position)
        row = _rows_of(self.feature[here], feature.feature)
        return here.start + row.start if row.stop > row.start else None

    def __len__(self) -> int:
        return len(self.value)

    def at(self, layer: int, position: int) -> dict[Feature, float]:
        """Return the active features of one layer at one position. Raises NodeError for other numbers."""
        layer, position = whole_number(layer, "A layer", NodeError), whole_number(position, "A position", NodeError)
        here = rows_at(self, layer, position)
        return {
            Feature(layer, position, feature): value
            for feature, value in zip(self.feature[here].tolist(), self.value[here].tolist(), strict=True)
        }

    def agree_with(self, graph: Graph) -> bool:
        """Return whether the features of a graph of this prompt have the same activations here.

        Raises InterventionError for anything but a graph.
        """
        return share_that_differs(self, require_graph(graph, InterventionError)) == 0


def share_that_differs(found: Activations, graph: Graph) -> float:
    """Return the share of a graph's features that have other activations on its prompt here, by more than rounding."""
    here = values_of(found, feature_numbers(graph)).astype(np.float32)
    tolerance = SAME_ACTIVATION * max(1.0, float(np.abs(graph.activation).max(initial=0.0)))
    return float((np.abs(here - graph.activation) > tolerance).mean()) if len(here) else 0.0


def numbers_of(features: Iterable[Feature]) -> Int64[np.ndarray, "n 3"]:
    """Return the layer, position and number of each of many features, one row for each."""
    return np.array(list(map(attrgetter("layer", "position", "feature"), features)), dtype=np.int64).reshape(-1, 3)


def rows_at(found: Activations, layer: int, position: int) -> slice:
    """Return where the features of one layer at one position are in the arrays."""
    of_layer = _rows_of(found.layer, layer)
    here = _rows_of(found.position[of_layer], position)
    return slice(of_layer.start + here.start, of_layer.start + here.stop)


def features_at(found: Activations, layer: int, position: int) -> Int64[np.ndarray, "n 3"]:
    """Return the active features of one layer at one position, as `numbers_of` does."""
    numbers = found.feature[rows_at(found, layer, position)].astype(np.int64)
    return np.stack([np.full_like(numbers, layer), np.full_like(numbers, position), numbers], axis=1)


def active_rows(found: Activations, features: Int64[np.ndarray, "n 3"]) -> Int64[np.ndarray, " n"]:
    """Return the row of each of many features in the arrays, given as `numbers_of` returns them; -1 where not active."""
    rows = np.full(len(features), -1, dtype=np.int64)
    for (layer, position), chosen in by_place(features):
        here = rows_at(found, layer, position)
        active, wanted = found.feature[here], np.minimum(features[chosen, 2], LARGEST).astype(np.int32)
        if len(active):
            row = np.minimum(np.searchsorted(active, wanted), len(active) - 1)
            rows[chosen] = np.where(active[row] == wanted, here.start + row, -1)
    return rows


def values_of(found: Activations, features: Int64[np.ndarray, "n 3"]) -> Float64[np.ndarray, " n"]:
    """Return the activation of each of many features, given as `numbers_of` returns them; 0 where it is not active."""
    rows = active_rows(found, features)
    values = np.zeros(len(features), dtype=np.float64)
    values[rows >= 0] = found.value[rows[rows >= 0]]
    return values


def by_place(features: Int64[np.ndarray, "n 3"]) -> Iterator[tuple[tuple[int, int], Int64[np.ndarray, " rows"]]]:
    """Yield each layer and position that has some of the features, in order, with the rows of these, ascending."""
    order = np.lexsort((features[:, 1], features[:, 0]))
    places = features[order, :2]
    bounds = np.flatnonzero(np.any(places[1:] != places[:-1], axis=1)) + 1
    for rows in np.split(order, bounds) if len(order) else ():
        layer, position = features[rows[0], :2].tolist()
        yield (layer, position), rows


def _rows_of(ascending: Int32[np.ndarray, " n"], number: int) -> slice:
    """Return where a number is in ascending ones."""
    if number > LARGEST:
        return slice(0, 0)
    # NumPy converts the whole array to the dtype of the number if that is another one.
    wanted = np.int32(number)
    return slice(int(np.searchsorted(ascending, wanted)), int(np.searchsorted(ascending, wanted, side="right")))
