"""Where targets carried down and sources carried up should meet, so that the sweep takes the fewest operations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from circuit_widget.attribution.layer_nodes import NodeLayout
from circuit_widget.model.frozen import FrozenModel

Counts = Float64[np.ndarray, "layers positions"]


@dataclass(frozen=True)
class Cost:
    """What a sweep takes: additions and multiplications, and bytes of what the lower half leaves to the upper."""

    operations: float
    waiting_bytes: float


@dataclass(frozen=True, eq=False)
class OperationCount:
    """The sizes that decide what a sweep takes.

    `targets` counts asked rows by layer (the logits one above the last) and position; `sources` counts tokens (first),
    then features and errors by layer; both on positions from the first with a feature to the traced one.
    """

    d_model: int
    head_width: int
    n_heads: int
    n_value_heads: int
    parallel: bool
    targets: Counts
    sources: Counts

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return len(self.targets) - 1

    @property
    def step_operations(self) -> int:
        """Operations that project one vector on one position into attention heads and back."""
        return 2 * self.d_model * self.head_width * (self.n_heads + self.n_value_heads)

    @property
    def mixing_operations(self) -> int:
        """Operations that carry one vector in all heads from one position to another."""
        return 2 * self.n_heads * self.head_width

    def step(self, n_positions: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Return the operations that carry one vector, on so many positions, through one layer."""
        found: Float64[np.ndarray, " n"] = n_positions * (self.step_operations + self.mixing_operations * n_positions)
        return found

    def first_step(self, n_positions: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Return the operations that carry a vector from one position to so many."""
        projected = 4 * self.d_model * self.head_width * self.n_heads
        return projected + 2 * self.n_heads * self.d_model * n_positions

    def carrying(self, counts: Float64[np.ndarray, " positions"], n_positions: np.ndarray, steps: int) -> float:
        """Return the operations that carry vectors through some layers."""
        if steps <= 0:
            return 0.0
        return float(counts @ (self.first_step(n_positions) + (steps - 1) * self.step(n_positions)))

    def reading(self) -> float:
        """Return the operations that read what is written at the layers the targets pass."""
        below = np.cumsum(np.cumsum(self.sources, axis=0), axis=1)
        return float(2 * self.d_model * (self.targets * below).sum())

    def cost(self, meeting: int) -> Cost:
        """Return what the sweep takes when targets and sources meet at the output of a layer, -1 for the embeddings."""
        n_positions = self.targets.shape[1]
        reach = np.arange(1, n_positions + 1, dtype=np.float64)
        total = self.reading()
        for layer in range(meeting + 1, self.n_layers + 1):
            steps = layer - meeting - (1 if self.parallel or layer == self.n_layers else 0)
            total += self.carrying(self.targets[layer], reach, steps)
        if meeting < 0:
            return Cost(total, 0.0)
        for layer in range(-1, meeting):
            total += self.carrying(self.sources[layer + 1], reach[::-1], meeting - layer)
        waiting = self.sources[: meeting + 1].sum(0)
        above = self.targets[meeting + 1 :].sum(0)
        # A source on q meets a target on p at the p - q + 1 positions between; one of them counts as its reading.
        overlap = np.maximum(reach[:, None] - reach[None, :], 0)
        total += float(2 * self.d_model * (above @ overlap @ waiting))
        edges = self.sources[: meeting + 1].sum() ** 2 / 2
        return Cost(total, float(4 * self.d_model * (waiting @ reach[::-1]) + 4 * edges))


def work_of(frozen: FrozenModel, layout: NodeLayout, n_rows: int | None) -> OperationCount:
    """Return the sizes of a sweep in which `n_rows` of all rows are asked for (None: all), as if drawn evenly."""
    value_heads, head_width, d_model = frozen.layers[0].value.shape
    used = slice(layout.first_position, layout.traced + 1)
    features = np.diff(np.array(layout.bounds), axis=1)[:, used]
    targets = np.concatenate([features, np.zeros_like(features[:1])])
    targets[-1, -1] = layout.n_targets
    share = 1.0 if n_rows is None else min(1.0, n_rows / max(1, layout.n_rows))
    return OperationCount(
        d_model=d_model,
        head_width=head_width,
        n_heads=frozen.layers[0].pattern.shape[0],
        n_value_heads=value_heads,
        parallel=frozen.layers[0].parallel,
        targets=share * targets,
        sources=np.concatenate([np.ones_like(targets[:1]), features + 1]).astype(np.float64),
    )


def best_meeting(work: OperationCount, waiting_bytes: float) -> int:
    """Return the layer at whose output meeting takes the fewest operations, with what waits there in so much memory."""
    costs = {meeting: work.cost(meeting) for meeting in range(-1, work.n_layers)}
    return min(
        (meeting for meeting, cost in costs.items() if cost.waiting_bytes <= waiting_bytes),
        key=lambda meeting: costs[meeting].operations,
    )
