"""The layer at which the downward and the upward pass meet, chosen for the fewest operations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from circuit_widget.attribution.layer_nodes import NodeLayout
from circuit_widget.model.frozen import FrozenModel

Counts = Float64[np.ndarray, "layers positions"]


@dataclass(frozen=True)
class Cost:
    """The cost of computing edges: additions and multiplications, and bytes of the upward vectors stored at the split layer."""

    operations: float
    stored_bytes: float


@dataclass(frozen=True, eq=False)
class OperationCount:
    """The sizes that determine the cost of computing edges.

    `rows` is the number of requested rows by layer (the logits one above the last) and position; `sources` that of
    tokens (first row), then of features and errors by layer; both from the first position with a feature to the traced
    one.
    """

    d_model: int
    head_width: int
    n_heads: int
    n_value_heads: int
    parallel: bool
    rows: Counts
    sources: Counts

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return len(self.rows) - 1

    @property
    def step_operations(self) -> int:
        """Operations that project one vector on one position into attention heads and back."""
        return 2 * self.d_model * self.head_width * (self.n_heads + self.n_value_heads)

    @property
    def mixing_operations(self) -> int:
        """Operations that move one vector in all heads from one position to another."""
        return 2 * self.n_heads * self.head_width

    def step(self, n_positions: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Return the operations that propagate one vector at `n_positions` positions through one layer."""
        found: Float64[np.ndarray, " n"] = n_positions * (self.step_operations + self.mixing_operations * n_positions)
        return found

    def first_step(self, n_positions: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Return the operations that propagate a vector from one position to `n_positions` through one layer."""
        projected = 4 * self.d_model * self.head_width * self.n_heads
        return projected + 2 * self.n_heads * self.d_model * n_positions

    def propagation(self, counts: Float64[np.ndarray, " positions"], n_positions: np.ndarray, steps: int) -> float:
        """Return the operations that propagate vectors through `steps` layers."""
        if steps <= 0:
            return 0.0
        return float(counts @ (self.first_step(n_positions) + (steps - 1) * self.step(n_positions)))

    def reading(self) -> float:
        """Return the operations of the products between rows and the sources below them."""
        below = np.cumsum(np.cumsum(self.sources, axis=0), axis=1)
        return float(2 * self.d_model * (self.rows * below).sum())

    def cost(self, split_layer: int) -> Cost:
        """Return the cost of computing edges, split at the output of a layer; -1 means the embeddings."""
        n_positions = self.rows.shape[1]
        reach = np.arange(1, n_positions + 1, dtype=np.float64)
        total = self.reading()
        for layer in range(split_layer + 1, self.n_layers + 1):
            steps = layer - split_layer - (1 if self.parallel or layer == self.n_layers else 0)
            total += self.propagation(self.rows[layer], reach, steps)
        if split_layer < 0:
            return Cost(total, 0.0)
        for layer in range(-1, split_layer):
            total += self.propagation(self.sources[layer + 1], reach[::-1], split_layer - layer)
        stored = self.sources[: split_layer + 1].sum(0)
        above = self.rows[split_layer + 1 :].sum(0)
        # A source at q and a row at p have p - q + 1 positions in common; `reading` counts one of their products.
        overlap = np.maximum(reach[:, None] - reach[None, :], 0)
        total += float(2 * self.d_model * (above @ overlap @ stored))
        edges = self.sources[: split_layer + 1].sum() ** 2 / 2
        return Cost(total, float(4 * self.d_model * (stored @ reach[::-1]) + 4 * edges))


def operation_count(frozen: FrozenModel, layout: NodeLayout, n_rows: int | None) -> OperationCount:
    """Return the sizes of the computation for `n_rows` of all rows (None: all), evenly distributed over layers and positions."""
    value_heads, head_width, d_model = frozen.layers[0].value.shape
    used = slice(layout.first_position, layout.traced + 1)
    features = np.diff(np.array(layout.bounds), axis=1)[:, used]
    rows = np.concatenate([features, np.zeros_like(features[:1])])
    rows[-1, -1] = layout.n_targets
    share = 1.0 if n_rows is None else min(1.0, n_rows / max(1, layout.n_rows))
    return OperationCount(
        d_model=d_model,
        head_width=head_width,
        n_heads=frozen.layers[0].pattern.shape[0],
        n_value_heads=value_heads,
        parallel=frozen.layers[0].parallel,
        rows=share * rows,
        sources=np.concatenate([np.ones_like(rows[:1]), features + 1]).astype(np.float64),
    )


def best_split_layer(work: OperationCount, stored_bytes: float) -> int:
    """Return the split layer with the fewest operations whose upward vectors fit into `stored_bytes`; -1 for no split."""
    costs = {split_layer: work.cost(split_layer) for split_layer in range(-1, work.n_layers)}
    return min(
        (split_layer for split_layer, cost in costs.items() if cost.stored_bytes <= stored_bytes),
        key=lambda split_layer: costs[split_layer].operations,
    )
