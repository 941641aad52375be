"""The nodes of a graph as the sweep sees them: what features read and write, layer by layer, and where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Writes:
    """What the nodes of `layer` write to some layer's output, a row for each of them: decoder row times activation."""

    layer: int
    rows: Float[Tensor, "n d_model"]


@dataclass(frozen=True, eq=False)
class LayerNodes:
    """The features that read at one layer and are nodes, sorted by position, and what is written there; float32.

    `reads` are encoder rows. `writes` are what features add to the residual stream at this layer, those of this layer
    and, in cross-layer transcoders, of layers below it; `errors` has a row for each position. `skip` is the matrix
    of the transcoder's linear skip connection (output = skip @ input), if it has one. All are on the layer's device.
    """

    positions: Int[Tensor, " n"]
    reads: Float[Tensor, "n d_model"]
    writes: tuple[Writes, ...]
    errors: Float[Tensor, "positions d_model"]
    skip: Float[Tensor, "d_model d_model"] | None = None


class NodeLayout:
    """Where each node stands: rows are features (layer by layer, by position), then targets; columns are features,
    then errors (layer-major, one for each position), then tokens.

    Attributes:
        bounds: for each layer, the number of its features before each position, and in all.
        first_feature: for each layer, the number of features below it, and in all.
        first_position: the first position with a feature or an error, at most the traced one.
    """

    def __init__(self, layers: Sequence[LayerNodes], n_positions: int, traced: int, n_targets: int) -> None:
        self.n_layers = len(layers)
        self.n_positions = n_positions
        self.traced = traced
        self.n_targets = n_targets
        self.positions = [layer.positions.cpu() for layer in layers]
        every = torch.arange(n_positions + 1, dtype=torch.long, device="cpu")
        self.bounds = [torch.searchsorted(positions, every).tolist() for positions in self.positions]
        self.first_feature = [0]
        for positions in self.positions:
            self.first_feature.append(self.first_feature[-1] + len(positions))
        self.n_features = self.first_feature[-1]
        self.first_position = min(traced, *(self._first_used(layer) for layer in layers))

    @property
    def n_rows(self) -> int:
        """Number of features and targets."""
        return self.n_features + self.n_targets

    @property
    def n_columns(self) -> int:
        """Number of features, errors and tokens."""
        return self.n_features + (self.n_layers + 1) * self.n_positions

    def error(self, layer: int, position: int) -> int:
        """Return the column of an error."""
        return self.n_features + layer * self.n_positions + position

    def token(self, position: int) -> int:
        """Return the column of a token."""
        return self.n_features + self.n_layers * self.n_positions + position

    def sources(self, layer: int) -> tuple[slice, slice, slice]:
        """Return the columns from which the features of `layer` can have edges (those above the last: the targets)."""
        return (
            slice(0, self.first_feature[layer]),
            slice(self.n_features, self.error(layer, 0)),
            slice(self.token(0), self.n_columns),
        )

    def low_column(self, layer: int, column: int) -> int:
        """Return where a column is among those that features of `layer` can have edges from: lower ones and tokens."""
        if column < self.n_features:
            return column
        if column < self.token(0):
            return self.first_feature[layer] + column - self.n_features
        return self.first_feature[layer] + layer * self.n_positions + column - self.token(0)

    def _first_used(self, layer: LayerNodes) -> int:
        errors = layer.errors.any(1).nonzero()
        used = [self.n_positions]
        if len(errors):
            used.append(int(errors[0, 0]))
        if len(layer.positions):
            used.append(int(layer.positions[0]))
        return min(used)


@dataclass(frozen=True, eq=False)
class AskedRows:
    """The rows of one layer (or, one above the last, of the targets) whose edges are wanted.

    `local` are their numbers within the layer, ascending; `places` the rows of the result they fill. `bounds` counts
    those before each position, and in all.
    """

    local: Int[Tensor, " n"]
    places: Int[Tensor, " n"]
    bounds: list[int]

    def __len__(self) -> int:
        return len(self.local)


def asked_rows(layout: NodeLayout, numbers: Int[Tensor, " rows"]) -> list[AskedRows]:
    """Sort row numbers by layer; the targets come last, as one more layer.

    Raises:
        IndexError: there is no such row.
    """
    if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < layout.n_rows:
        raise IndexError(f"rows go from 0 to {layout.n_rows - 1}; given {int(numbers.min())} to {int(numbers.max())}")
    order = torch.sort(numbers, stable=True).indices
    sorted_numbers, every = numbers[order], torch.arange(layout.n_positions + 1, dtype=torch.long, device="cpu")
    ends = torch.searchsorted(
        sorted_numbers, torch.tensor([*layout.first_feature, layout.n_rows], dtype=torch.long, device="cpu")
    ).tolist()
    asked = []
    for layer in range(layout.n_layers + 1):
        part = slice(ends[layer], ends[layer + 1])
        local = sorted_numbers[part] - layout.first_feature[layer]
        at = torch.full_like(local, layout.traced) if layer == layout.n_layers else layout.positions[layer][local]
        asked.append(AskedRows(local, order[part], torch.searchsorted(at, every).tolist()))
    return asked
