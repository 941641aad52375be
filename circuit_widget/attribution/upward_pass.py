"""The lower half of the sweep: the sources of the lowest layers, carried up to where the targets' vectors meet them.

A source is a change of the residual stream. Carried upwards it is read at once by all features of the layers it passes;
targets above the meeting layer are carried down to it, and need no step further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.attribution.layer_nodes import LayerNodes, NodeLayout, Writes
from circuit_widget.attribution.propagation import Carried, Passage, Scratch, Span, transposed
from circuit_widget.model.frozen import FrozenModel

BAND_POSITIONS = 8
"""At most so many positions start together: a band is carried on all positions from its first on."""

BAND_SOURCES = 64
"""Sources that are enough for a band of their own."""


@dataclass(frozen=True)
class SourceBlock:
    """Neighbouring vectors of a band, `start` to `stop`, that are neighbouring columns, from `column` on."""

    start: int
    stop: int
    column: int

    @property
    def columns(self) -> slice:
        """The columns."""
        return slice(self.column, self.column + self.stop - self.start)


@dataclass(eq=False)
class LayerBand:
    """The sources of some neighbouring positions on their way up.

    `blocks` say which columns the vectors under way are. `first_of[layer]` is the number of the first that is a
    feature of that layer.
    """

    first: int
    last: int
    carried: Carried
    blocks: list[SourceBlock]
    first_of: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Lifted:
    """What the lower half leaves to the upper half.

    Attributes:
        meeting: the layer at whose output targets and sources meet; -1 for the embeddings.
        bands: the sources there: tokens and, of the layers below `meeting`, features and errors; none with -1.
        low: for each layer up to `meeting`, the edges of its features: their columns are the features of the layers
            below, the errors of the layers below, the tokens.
        prefix: for all rows, the edges from the tokens before the first position with features.
    """

    meeting: int
    bands: list[LayerBand]
    low: list[Float[Tensor, "_features _low_columns"]]
    prefix: Float[Tensor, "rows tokens"]


class Lift:
    """Carries sources up."""

    def __init__(
        self,
        frozen: FrozenModel,
        layers: Sequence[LayerNodes],
        layout: NodeLayout,
        embedding: Float[Tensor, "positions d_model"],
        scratch: Scratch,
        ask: Callable[[], None],
    ) -> None:
        """`ask` is called between layers, and raises to stop."""
        self.frozen = frozen
        self.layers = layers
        self.layout = layout
        self.embedding = embedding
        self.scratch = scratch
        self.ask = ask
        self.passages = [
            Passage(layer, nodes.skip, upwards=True) for layer, nodes in zip(frozen.layers, layers, strict=True)
        ]

    def lift(self, meeting: int, targets: Float[Tensor, "targets d_model"]) -> Lifted:
        """Carry all sources below `meeting` up to its output; `targets` are directions before the final norm."""
        first, last = self.layout.first_position, self.layout.traced
        bands = [self._tokens(*band, last) for band in self._bands(meeting, first, last)]
        low = []
        for layer in range(meeting + 1):
            width = self.layout.low_column(layer, self.layout.n_columns)
            n_features = len(self.layers[layer].positions)
            read = torch.zeros(n_features, width, dtype=torch.float32, device=self.frozen.layers[layer].device)
            for band in bands:
                self._pass(layer, band, read, partial(self.layout.low_column, layer))
                if layer < meeting:
                    self._write(layer, band)
            low.append(read.cpu())
        return Lifted(meeting, bands, low, self._prefix(targets))

    def _prefix(self, targets: Float[Tensor, "targets d_model"]) -> Float[Tensor, "rows tokens"]:
        """Carry the tokens before the first position with features all the way up.

        Targets need not be carried down on those positions then, where they would meet nothing but tokens.
        """
        first, last = self.layout.first_position, self.layout.traced
        if not first:
            return torch.empty(self.layout.n_rows, 0, dtype=torch.float32, device="cpu")
        band = self._tokens(0, first - 1, last)
        found = []
        for layer, nodes in enumerate(self.layers):
            read = torch.zeros(
                len(nodes.positions), first, dtype=torch.float32, device=self.frozen.layers[layer].device
            )
            self._pass(layer, band, read, lambda column: column - self.layout.token(0))
            found.append(read.cpu())
        _, vectors = next(band.carried.at(last))
        return torch.cat([*found, (targets @ vectors.to(targets.device).T).cpu()])

    def _bands(self, meeting: int, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield the positions from `first` to `last` in bands, each by the numbers of its first and last."""
        bounds = self.layout.bounds[: max(0, meeting)]
        while meeting >= 0 and first <= last:
            stop, held = first, 0
            while stop <= last and stop - first < BAND_POSITIONS and held < BAND_SOURCES:
                held += 1 + sum(layer[stop + 1] - layer[stop] + 1 for layer in bounds)
                stop += 1
            yield first, stop - 1
            first = stop

    def _tokens(self, first: int, last: int, end: int) -> LayerBand:
        """Return a band with the tokens from `first` to `last`, which will be carried on positions up to `end`."""
        device, d_model = self.frozen.layers[0].device, self.embedding.shape[1]
        carried = Carried(first, end - first + 1, d_model, device, self.scratch, lasting=True)
        spans = tuple(Span(position, place, place + 1) for place, position in enumerate(range(first, last + 1)))
        carried.join(self.embedding[first : last + 1].to(device), spans)
        return LayerBand(first, last, carried, [SourceBlock(0, last + 1 - first, self.layout.token(first))])

    def _pass(
        self, layer: int, band: LayerBand, read: Float[Tensor, "rows some_columns"], place_of: Callable[[int], int]
    ) -> None:
        """Carry a band through one layer; let the layer's features read it on the way."""
        self.ask()
        passage, carried = self.passages[layer], band.carried
        carried.to(self.frozen.layers[layer].device)
        if passage.layer.parallel:
            self._read(layer, band, read, place_of)
        carried.attend(passage)
        if not passage.layer.parallel:
            self._read(layer, band, read, place_of)
        carried.skip(passage)

    def _read(
        self, layer: int, band: LayerBand, read: Float[Tensor, "rows some_columns"], place_of: Callable[[int], int]
    ) -> None:
        nodes, norm, bounds = self.layers[layer], self.frozen.layers[layer].reading, self.layout.bounds[layer]
        for position in range(band.first, self.layout.traced + 1):
            start, stop = bounds[position : position + 2]
            if start == stop:
                continue
            readers = transposed(norm, nodes.reads[start:stop], nodes.positions[start:stop])
            found = self.scratch.take("met", read.device, stop - start, len(band.carried)).zero_()
            for some, vectors in band.carried.at(position):
                found[:, some] = readers @ vectors.T
            for block in band.blocks:
                column = place_of(block.column)
                read[start:stop, column : column + block.stop - block.start] = found[:, block.start : block.stop]

    def _write(self, layer: int, band: LayerBand) -> None:
        """Let a layer's features and errors join, and add what features of lower layers write there."""
        nodes, layout, carried = self.layers[layer], self.layout, band.carried
        own = torch.zeros(len(nodes.positions), nodes.errors.shape[1], dtype=torch.float32, device=nodes.errors.device)
        for writes in nodes.writes:
            if writes.layer == layer:
                own = writes.rows
            else:
                self._add(writes, band)
        bounds, positions, n = layout.bounds[layer], range(band.first, band.last + 1), len(carried)
        start, stop = bounds[band.first], bounds[band.last + 1]
        features = (
            Span(at, bounds[at] - start, bounds[at + 1] - start) for at in positions if bounds[at] < bounds[at + 1]
        )
        errors = (Span(at, stop - start + place, stop - start + place + 1) for place, at in enumerate(positions))
        carried.join(torch.cat([own[start:stop], nodes.errors[band.first : band.last + 1]]), (*features, *errors))
        band.first_of[layer] = n
        band.blocks.append(SourceBlock(n, n + stop - start, layout.first_feature[layer] + start))
        band.blocks.append(SourceBlock(n + stop - start, len(carried), layout.error(layer, band.first)))

    def _add(self, writes: Writes, band: LayerBand) -> None:
        """Add what features of a lower layer, already under way, write at another layer."""
        bounds, carried = self.layout.bounds[writes.layer], band.carried
        offset = band.first_of[writes.layer] - bounds[band.first]
        for position in range(band.first, band.last + 1):
            start, stop = bounds[position : position + 2]
            carried.dense[position - carried.first, offset + start : offset + stop] += writes.rows[start:stop]
