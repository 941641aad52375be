"""The nodes of a graph as the computation of edges uses them: encoder rows and writes of each layer, and the rows and columns of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Writes:
    """What the features of `layer` write to the output of one layer: a row per feature, decoder row times activation."""

    layer: int
    rows: Float[Tensor, "n d_model"]


@dataclass(frozen=True, eq=False)
class LayerNodes:
    """The feature nodes that read at one layer, sorted by position, and everything that is written there; float32.

    `positions` and `encoder_rows` have a row for each feature, `errors` one for each position. `writes` are what features
    add to the residual stream at this layer: those of this layer and, in cross-layer transcoders, of lower layers. `skip`
    is the matrix of the transcoder's linear skip connection (output = skip @ input), if it has one. All are on the
    layer's device.
    """

    positions: Int[Tensor, " n"]
    encoder_rows: Float[Tensor, "n d_model"]
    writes: tuple[Writes, ...]
    errors: Float[Tensor, "positions d_model"]
    skip: Float[Tensor, "d_model d_model"] | None = None


class NodeLayout:
    """Rows and columns of the nodes in the matrix of edges.

    Rows are features (by layer, then position), then targets. Columns are features, then errors (by layer, one for each
    position), then tokens.

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
        """Return the columns of the sources that the features of `layer` can have; `n_layers` means the targets."""
        return (
            slice(0, self.first_feature[layer]),
            slice(self.n_features, self.error(layer, 0)),
            slice(self.token(0), self.n_columns),
        )

    def column_below(self, layer: int, column: int) -> int:
        """Return the index of a column among the columns of sources below `layer`: features, errors and tokens."""
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
class RequestedRows:
    """The requested rows of one layer; the targets count as one layer above the last.

    `local` are their row numbers within the layer, ascending; `result_rows` their rows in the result. `bounds[p]` is the
    number of them before position p; its last entry is the number of all.
    """

    local: Int[Tensor, " n"]
    result_rows: Int[Tensor, " n"]
    bounds: list[int]

    def __len__(self) -> int:
        return len(self.local)


def requested_rows(layout: NodeLayout, numbers: Int[Tensor, " rows"]) -> list[RequestedRows]:
    """Group requested row numbers by layer; the targets are the last group.

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
    requested = []
    for layer in range(layout.n_layers + 1):
        part = slice(ends[layer], ends[layer + 1])
        local = sorted_numbers[part] - layout.first_feature[layer]
        at = torch.full_like(local, layout.traced) if layer == layout.n_layers else layout.positions[layer][local]
        requested.append(RequestedRows(local, order[part], torch.searchsorted(at, every).tolist()))
    return requested
