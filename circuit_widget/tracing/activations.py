"""The active features of a prompt, and their activations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32

from circuit_widget.arguments import whole_number
from circuit_widget.errors import InterventionError, NodeError
from circuit_widget.graph import Feature, Graph
from circuit_widget.graph.graph_argument import require_graph

SAME_ACTIVATION = 0.02
"""Largest allowed difference between activations of a graph and of a model, as a share of the largest; dtypes round."""


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
        if max(feature.layer, feature.position, feature.feature) > np.iinfo(np.int32).max:
            return None
        low, high = self._range(feature.layer, feature.position)
        row = low + int(np.searchsorted(self.feature[low:high], feature.feature))
        return row if row < high and self.feature[row] == feature.feature else None

    def _range(self, layer: int, position: int) -> tuple[int, int]:
        """Return the first row of a layer and position, and that after the last."""
        first, last = self._first_rows(layer), self._first_rows(layer + 1)
        low, high = first + np.searchsorted(self.position[first:last], [position, position + 1])
        return int(low), int(high)

    def _first_rows(self, layer: int) -> int:
        return int(np.searchsorted(self.layer, layer))

    def __len__(self) -> int:
        return len(self.value)

    def at(self, layer: int, position: int) -> dict[Feature, float]:
        """Return the active features of one layer at one position. Raises NodeError for other numbers."""
        layer, position = whole_number(layer, "A layer", NodeError), whole_number(position, "A position", NodeError)
        if max(layer, position) > np.iinfo(np.int32).max:
            return {}
        low, high = self._range(layer, position)
        return {
            Feature(layer, position, int(feature)): float(value)
            for feature, value in zip(self.feature[low:high], self.value[low:high], strict=True)
        }

    def agree_with(self, graph: Graph) -> bool:
        """Return whether the features of a graph of this prompt have the same activations here.

        Raises InterventionError for anything but a graph.
        """
        require_graph(graph, InterventionError)
        features = zip(graph.feature_layer, graph.feature_position, graph.feature_index, strict=True)
        here = np.array([self.get(Feature(*feature), 0.0) for feature in features], dtype=np.float32)
        tolerance = SAME_ACTIVATION * max(1.0, float(np.abs(graph.activation).max(initial=0.0)))
        return bool((np.abs(here - graph.activation) <= tolerance).all())
