"""The upward pass of the computation of edges: sources of the lowest layers, propagated upwards to the split layer.

A source is a change of the residual stream: the output of a feature, an error, or the embedding of a token. On the way up
it is multiplied with the encoder rows of every layer it passes, which gives the edges to the features there. Rows above
the split layer are propagated down to it and multiplied with the sources there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.attribution.layer_nodes import LayerNodes, NodeLayout, Writes
from circuit_widget.attribution.propagation import LayerJacobian, PropagatedVectors, Scratch, Span, before_norm
from circuit_widget.model.frozen import FrozenModel

STRETCH_POSITIONS = 8
"""Most positions of a stretch: consecutive positions whose sources are propagated together.

All its vectors have values at all positions from its first on.
"""

STRETCH_SOURCES = 64
"""Number of sources from which a stretch needs no further position."""


@dataclass(frozen=True)
class SourceBlock:
    """Vectors `start` to `stop` of a stretch, whose columns are consecutive, from `column` on."""

    start: int
    stop: int
    column: int

    @property
    def columns(self) -> slice:
        """The columns of the vectors."""
        return slice(self.column, self.column + self.stop - self.start)


@dataclass(eq=False)
class Stretch:
    """The sources at the positions from `first` to `last`, propagated upwards together.

    `blocks` map the vectors to columns. `first_of[layer]` is the index of the first vector of a feature of that layer.
    """

    first: int
    last: int
    vectors: PropagatedVectors
    blocks: list[SourceBlock]
    first_of: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class UpwardVectors:
    """The result of the upward pass.

    Attributes:
        split_layer: the layer at whose output downward and upward vectors are multiplied; -1 for the embeddings.
        stretches: the sources propagated to that output: tokens, and features and errors of the layers below `split_layer`;
            none with -1.
        low: for each layer up to `split_layer`, the incoming edges of its features; columns are the features and errors
            of lower layers, then the tokens.
        prefix: for all rows, the edges from the tokens before the first position with features.
    """

    split_layer: int
    stretches: list[Stretch]
    low: list[Float[Tensor, "_features _low_columns"]]
    prefix: Float[Tensor, "rows tokens"]


class UpwardPass:
    """Propagates sources upwards."""

    def __init__(
        self,
        frozen: FrozenModel,
        layers: Sequence[LayerNodes],
        layout: NodeLayout,
        embedding: Float[Tensor, "positions d_model"],
        scratch: Scratch,
        check_cancelled: Callable[[], None],
    ) -> None:
        """`check_cancelled` is called between layers, and raises to stop."""
        self.frozen = frozen
        self.layers = layers
        self.layout = layout
        self.embedding = embedding
        self.scratch = scratch
        self.check_cancelled = check_cancelled
        self.jacobians = [
            LayerJacobian(layer, nodes.skip, upwards=True) for layer, nodes in zip(frozen.layers, layers, strict=True)
        ]

    def run(self, split_layer: int, targets: Float[Tensor, "targets d_model"]) -> UpwardVectors:
        """Propagate all sources below `split_layer` to its output; `targets` are directions before the final norm."""
        first, last = self.layout.first_position, self.layout.traced
        stretches = [self._tokens(*stretch, last) for stretch in self._stretches(split_layer, first, last)]
        low = []
        for layer in range(split_layer + 1):
            width = self.layout.column_below(layer, self.layout.n_columns)
            n_features = len(self.layers[layer].positions)
            read = torch.zeros(n_features, width, dtype=torch.float32, device=self.frozen.layers[layer].device)
            for stretch in stretches:
                self._pass(layer, stretch, read, partial(self.layout.column_below, layer))
                if layer < split_layer:
                    self._write(layer, stretch)
            low.append(read.cpu())
        return UpwardVectors(split_layer, stretches, low, self._prefix(targets))

    def _prefix(self, targets: Float[Tensor, "targets d_model"]) -> Float[Tensor, "rows tokens"]:
        """Propagate the tokens before the first position with features through all layers.

        Then the downward pass can leave out these positions, where tokens are the only sources.
        """
        first, last = self.layout.first_position, self.layout.traced
        if not first:
            return torch.empty(self.layout.n_rows, 0, dtype=torch.float32, device="cpu")
        stretch = self._tokens(0, first - 1, last)
        found = []
        for layer, nodes in enumerate(self.layers):
            read = torch.zeros(
                len(nodes.positions), first, dtype=torch.float32, device=self.frozen.layers[layer].device
            )
            self._pass(layer, stretch, read, lambda column: column - self.layout.token(0))
            found.append(read.cpu())
        _, vectors = next(stretch.vectors.at(last))
        return torch.cat([*found, (targets @ vectors.to(targets.device).T).cpu()])

    def _stretches(self, split_layer: int, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield the first and last position of each stretch between `first` and `last`."""
        bounds = self.layout.bounds[: max(0, split_layer)]
        while split_layer >= 0 and first <= last:
            stop, n_sources = first, 0
            while stop <= last and stop - first < STRETCH_POSITIONS and n_sources < STRETCH_SOURCES:
                n_sources += 1 + sum(layer[stop + 1] - layer[stop] + 1 for layer in bounds)
                stop += 1
            yield first, stop - 1
            first = stop

    def _tokens(self, first: int, last: int, end: int) -> Stretch:
        """Return a stretch with the tokens from `first` to `last`; its vectors have values at positions up to `end`."""
        device, d_model = self.frozen.layers[0].device, self.embedding.shape[1]
        vectors = PropagatedVectors(first, end - first + 1, d_model, device, self.scratch, owns_memory=True)
        spans = tuple(Span(position, index, index + 1) for index, position in enumerate(range(first, last + 1)))
        vectors.add(self.embedding[first : last + 1].to(device), spans)
        return Stretch(first, last, vectors, [SourceBlock(0, last + 1 - first, self.layout.token(first))])

    def _pass(
        self, layer: int, stretch: Stretch, read: Float[Tensor, "rows some_columns"], column_of: Callable[[int], int]
    ) -> None:
        """Propagate a stretch through one layer, and compute the edges to the layer's features on the way."""
        self.check_cancelled()
        jacobian, vectors = self.jacobians[layer], stretch.vectors
        vectors.to(self.frozen.layers[layer].device)
        if jacobian.layer.parallel:
            self._read(layer, stretch, read, column_of)
        vectors.attend(jacobian)
        if not jacobian.layer.parallel:
            self._read(layer, stretch, read, column_of)
        vectors.skip(jacobian)

    def _read(
        self, layer: int, stretch: Stretch, read: Float[Tensor, "rows some_columns"], column_of: Callable[[int], int]
    ) -> None:
        nodes, norm, bounds = self.layers[layer], self.frozen.layers[layer].reading, self.layout.bounds[layer]
        for position in range(stretch.first, self.layout.traced + 1):
            start, stop = bounds[position : position + 2]
            if start == stop:
                continue
            readers = before_norm(norm, nodes.encoder_rows[start:stop], nodes.positions[start:stop])
            found = self.scratch.take("products", read.device, stop - start, len(stretch.vectors)).zero_()
            for some, vectors in stretch.vectors.at(position):
                found[:, some] = readers @ vectors.T
            for block in stretch.blocks:
                column = column_of(block.column)
                read[start:stop, column : column + block.stop - block.start] = found[:, block.start : block.stop]

    def _write(self, layer: int, stretch: Stretch) -> None:
        """Add the sources of a layer to a stretch, and what features of lower layers write at this layer."""
        nodes, layout, vectors = self.layers[layer], self.layout, stretch.vectors
        own = torch.zeros(len(nodes.positions), nodes.errors.shape[1], dtype=torch.float32, device=nodes.errors.device)
        for writes in nodes.writes:
            if writes.layer == layer:
                own = writes.rows
            else:
                self._add(writes, stretch)
        bounds, positions, n = layout.bounds[layer], range(stretch.first, stretch.last + 1), len(vectors)
        start, stop = bounds[stretch.first], bounds[stretch.last + 1]
        features = (
            Span(at, bounds[at] - start, bounds[at + 1] - start) for at in positions if bounds[at] < bounds[at + 1]
        )
        errors = (Span(at, stop - start + index, stop - start + index + 1) for index, at in enumerate(positions))
        vectors.add(torch.cat([own[start:stop], nodes.errors[stretch.first : stretch.last + 1]]), (*features, *errors))
        stretch.first_of[layer] = n
        stretch.blocks.append(SourceBlock(n, n + stop - start, layout.first_feature[layer] + start))
        stretch.blocks.append(SourceBlock(n + stop - start, len(vectors), layout.error(layer, stretch.first)))

    def _add(self, writes: Writes, stretch: Stretch) -> None:
        """Add to the vectors of a lower layer's features what these features write at another layer."""
        bounds, vectors = self.layout.bounds[writes.layer], stretch.vectors
        offset = stretch.first_of[writes.layer] - bounds[stretch.first]
        for position in range(stretch.first, stretch.last + 1):
            start, stop = bounds[position : position + 2]
            vectors.dense[position - vectors.first, offset + start : offset + stop] += writes.rows[start:stop]
