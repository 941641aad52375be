"""Which features are active on a prompt, and how strongly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Int32

from circuit_widget.arguments import whole_number
from circuit_widget.errors import InterventionError, NodeError
from circuit_widget.graph import Feature, Graph
from circuit_widget.graph.graph_argument import require_graph

SAME_ACTIVATION = 0.02
"""How far, as a share of the largest, activations of a graph may differ from a model's: 16-bit types round."""


@dataclass(frozen=True, eq=False)
class Activations(Mapping[Feature, float]):
    """The active features of a prompt, sorted by (layer, position, feature), as a mapping Feature -> activation.

    The same is there as arrays: `layer`, `position`, `feature`, `value`. Features before `first_position` (BOS) are not
    counted.
    """

    layer: Int32[np.ndarray, " n"]
    position: Int32[np.ndarray, " n"]
    feature: Int32[np.ndarray, " n"]
    value: Float32[np.ndarray, " n"]
    first_position: int = 1

    @cached_property
    def _table(self) -> dict[Feature, float]:
        places = zip(self.layer.tolist(), self.position.tolist(), self.feature.tolist(), strict=True)
        return {Feature(*place): value for place, value in zip(places, self.value.tolist(), strict=True)}

    def __getitem__(self, feature: Feature) -> float:
        return self._table[feature]

    def __iter__(self) -> Iterator[Feature]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self.value)

    def at(self, layer: int, position: int) -> dict[Feature, float]:
        """Return the active features of one layer at one position. Raises NodeError for what is no whole number from 0 up."""
        layer, position = whole_number(layer, "A layer", NodeError), whole_number(position, "A position", NodeError)
        if max(layer, position) > np.iinfo(np.int32).max:
            return {}
        first, last = np.searchsorted(self.layer, [layer, layer + 1])
        low, high = first + np.searchsorted(self.position[first:last], [position, position + 1])
        return {
            Feature(layer, position, int(feature)): float(value)
            for feature, value in zip(self.feature[low:high], self.value[low:high], strict=True)
        }

    def agree_with(self, graph: Graph) -> bool:
        """Return whether the features of a graph of this prompt are active here, as strongly as it says.

        Raises InterventionError for what is no graph.
        """
        require_graph(graph, InterventionError)
        places = zip(graph.feature_layer, graph.feature_position, graph.feature_index, strict=True)
        here = np.array([self.get(Feature(*place), 0.0) for place in places], dtype=np.float32)
        tolerance = SAME_ACTIVATION * max(1.0, float(np.abs(graph.activation).max(initial=0.0)))
        return bool((np.abs(here - graph.activation) <= tolerance).all())
