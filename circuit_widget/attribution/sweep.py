"""The edges of an attribution graph: one walk through the frozen model, without autograd.

Between norms and patterns that are constants the model is linear, so what a target reads is a vector on the residual
stream that can be carried downwards: through attention with the transposed `W_O`, the stored pattern and the
transposed `W_V`, past every MLP unchanged (its transcoder's features and error are sources, read on the way). Targets
of neighbouring positions walk side by side; a target never touches positions after its own nor layers above it. What a
source writes can be carried upwards in the same way; where the two halves of the work balance, they meet.
(Ameisen et al. 2025, "Circuit Tracing", attribution graphs.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuit_widget.attribution.layer_nodes import AskedRows, LayerNodes, NodeLayout, asked_rows
from circuit_widget.attribution.lazy_zeros import lazy_zeros
from circuit_widget.attribution.propagation import Carried, Passage, Scratch, Span, transposed
from circuit_widget.attribution.split_layer import best_meeting, work_of
from circuit_widget.attribution.upward_pass import Lift, Lifted
from circuit_widget.errors import Cancelled
from circuit_widget.model.frozen import FrozenModel
from circuit_widget.progress import IsCancelled
from circuit_widget.system.plain_torch import inference

CHUNK_BYTES = {"cpu": 1 << 23}
"""Memory of the vectors carried together: on a CPU they should stay near its cache."""

ACCELERATOR_CHUNK_BYTES = 1 << 29

CHUNK_OPERATIONS = {"cpu": 5e9}
"""Additions and multiplications between two questions whether to go on."""

ACCELERATOR_CHUNK_OPERATIONS = 5e11

ENOUGH_TARGETS = {"cpu": 24}
"""Targets that are enough for a walk of their own; fewer are joined by those of the positions before."""

ACCELERATOR_ENOUGH_TARGETS = 512

BAND_SHARE = {"cpu": 0.25}
"""Share of a walk's positions on which targets may start together: those of earlier ones are carried as zeros first."""

ACCELERATOR_BAND_SHARE = 0.5

WAITING_BYTES = 1 << 28
"""Memory of the sources that wait for targets where they meet."""


class EdgeSweep:
    """Computes incoming edges of the nodes of one prompt, all or some at a time."""

    def __init__(
        self,
        frozen: FrozenModel,
        layers: Sequence[LayerNodes],
        embedding: Float[Tensor, "positions d_model"],
        targets: Float[Tensor, "targets d_model"],
        *,
        n_rows: int | None = None,
    ) -> None:
        """`targets` are the directions read after the final norm at `frozen.position`.

        `n_rows` says how many rows will be asked for in all (by default all), to choose the fastest way to them.
        """
        self.frozen = frozen
        self.layers = layers
        self.embedding = embedding
        self.layout = NodeLayout(layers, len(embedding), frozen.position, len(targets))
        with inference():
            self.targets = frozen.final.transposed(targets, 0)
        self.passages = [
            Passage(layer, nodes.skip, upwards=False) for layer, nodes in zip(frozen.layers, layers, strict=True)
        ]
        self.work = work_of(frozen, self.layout, n_rows)
        self.scratch = Scratch()
        self.chunk_share = 1.0
        self._lifted: Lifted | None = None

    def edges(
        self,
        rows: Int[Tensor, " rows"] | None = None,
        *,
        progress: Callable[[float], None] | None = None,
        cancelled: IsCancelled | None = None,
    ) -> Float[Tensor, "rows columns"]:
        """Return the direct effect of every source on the asked features and targets (all by default), on the CPU.

        Rows are numbered features first (layer by layer), then targets, and come in the order asked for; columns are
        the features, then the errors (layer-major, one for each position), then the tokens. An entry is
        `a_s <reader of t, J W_dec,s>`, in units of the target's pre-activation or logit. When a device runs out of
        memory, fewer vectors are carried together.

        Raises:
            Cancelled: `cancelled()` became true.
            IndexError: there is no such row.
        """

        def ask() -> None:
            if cancelled is not None and cancelled():
                raise Cancelled("The trace was cancelled.")

        numbers = (
            torch.arange(self.layout.n_rows, dtype=torch.long, device="cpu") if rows is None else rows.cpu().long()
        )
        with inference():
            asked, lifted = asked_rows(self.layout, numbers), self._lower_half(ask)
            weights = torch.from_numpy(lazy_zeros(len(numbers), self.layout.n_columns))
            done = 0
            for layer, low in enumerate(lifted.low):
                places, found = asked[layer].places, low[asked[layer].local]
                for columns in self.layout.sources(layer):
                    first = self.layout.low_column(layer, columns.start)
                    _put(weights, places, columns, found[:, first : first + columns.stop - columns.start])
                done += len(places)
            for layer, places, part in _Walk(self, asked, lifted, ask).down():
                for columns in self.layout.sources(layer):
                    _put(weights, places, columns, part[:, columns])
                done += len(places)
                if progress is not None:
                    progress(done / len(numbers))
            weights[:, self.layout.token(0) : self.layout.token(self.layout.first_position)] = lifted.prefix[numbers]
        if progress is not None:
            progress(1.0)
        return weights

    def _lower_half(self, ask: Callable[[], None]) -> Lifted:
        """Carry sources up, once for all rows; where there is no memory for them, only those that must be."""
        if self._lifted is None:
            meeting = best_meeting(self.work, WAITING_BYTES)
            lift = Lift(self.frozen, self.layers, self.layout, self.embedding, self.scratch, ask)
            try:
                self._lifted = lift.lift(meeting, self.targets)
            except torch.cuda.OutOfMemoryError:
                self.scratch.forget()
                self._lifted = lift.lift(-1, self.targets)
        return self._lifted


def _put(
    weights: Float[Tensor, "rows columns"],
    places: Int[Tensor, " n"],
    columns: slice,
    part: Float[Tensor, "n some_columns"],
) -> None:
    weights[:, columns].index_copy_(0, places, part)


def sweep(
    frozen: FrozenModel,
    layers: Sequence[LayerNodes],
    embedding: Float[Tensor, "positions d_model"],
    targets: Float[Tensor, "targets d_model"],
    *,
    rows: Int[Tensor, " rows"] | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: IsCancelled | None = None,
) -> Float[Tensor, "rows columns"]:
    """Return `Sweep(frozen, layers, embedding, targets).edges(rows, ...)`, for those who ask once."""
    return EdgeSweep(frozen, layers, embedding, targets).edges(rows, progress=progress, cancelled=cancelled)


@dataclass(frozen=True)
class _Group:
    """Asked rows `start` to `stop` of one layer."""

    layer: int
    start: int
    stop: int


class _Walk:
    """The targets above the meeting layer on their way down."""

    def __init__(self, sweep: EdgeSweep, asked: Sequence[AskedRows], lifted: Lifted, ask: Callable[[], None]) -> None:
        self.sweep = sweep
        self.layout = sweep.layout
        self.asked = asked
        self.lifted = lifted
        self.ask = ask

    def down(self) -> Iterator[tuple[int, Int[Tensor, " n"], Float[Tensor, "n columns"]]]:
        """Carry down all targets above the meeting layer; yield layer, places of rows, and all their incoming edges."""
        end = self.layout.traced
        while end >= self.layout.first_position:
            start = self._band(end)
            queue = [group for group in self._groups(start, end) if group.stop > group.start]
            while queue:
                chunk, rest = self._chunk(queue, end)
                try:
                    part = self._carry(chunk, end)
                except torch.cuda.OutOfMemoryError:
                    if sum(group.stop - group.start for group in chunk) == 1:
                        raise
                    self.sweep.chunk_share /= 2
                    self.sweep.scratch.forget()
                    continue
                queue = rest
                first = 0
                for group in chunk:
                    places = self.asked[group.layer].places[group.start : group.stop]
                    yield group.layer, places, part[first : first + len(places)]
                    first += len(places)
            end = start - 1

    def _band(self, end: int) -> int:
        """Return the first of the positions whose targets walk together with those of `end`."""
        enough = ENOUGH_TARGETS.get(self._device(-1).type, ACCELERATOR_ENOUGH_TARGETS)
        above = [rows.bounds for rows in self.asked[self.lifted.meeting + 1 :]]
        share = BAND_SHARE.get(self._device(-1).type, ACCELERATOR_BAND_SHARE)
        lowest = end - int(share * (end - self.layout.first_position))
        start = end
        while True:
            held = sum(bounds[end + 1] - bounds[start] for bounds in above)
            if held >= enough or start <= lowest:
                return start
            start -= 1

    def _groups(self, start: int, end: int) -> Iterator[_Group]:
        for layer in range(self.layout.n_layers, self.lifted.meeting, -1):
            bounds = self.asked[layer].bounds
            yield _Group(layer, bounds[start], bounds[end + 1])

    def _chunk(self, queue: Sequence[_Group], end: int) -> tuple[list[_Group], list[_Group]]:
        """Split off as many targets, from the top layer down, as may be carried together."""
        device = self._device(-1).type
        n_positions = end - self.layout.first_position + 1
        memory = CHUNK_BYTES.get(device, ACCELERATOR_CHUNK_BYTES) * self.sweep.chunk_share
        operations = CHUNK_OPERATIONS.get(device, ACCELERATOR_CHUNK_OPERATIONS) * self.sweep.chunk_share
        work = self.sweep.work
        step = n_positions * (work.step_operations + work.mixing_operations * n_positions)
        room = max(1, int(min(memory / (4 * work.d_model * n_positions), operations / step)))
        chunk: list[_Group] = []
        for place, group in enumerate(queue):
            count = min(room, group.stop - group.start)
            chunk.append(_Group(group.layer, group.start, group.start + count))
            room -= count
            if not room:
                rest = (
                    [_Group(group.layer, group.start + count, group.stop)] if group.start + count < group.stop else []
                )
                return chunk, [*rest, *queue[place + 1 :]]
        return chunk, []

    def _carry(self, chunk: Sequence[_Group], end: int) -> Float[Tensor, "n columns"]:
        """Carry one chunk of targets down; return all their incoming edges, valid until the next chunk."""
        first = self.layout.first_position
        joining = {group.layer: group for group in chunk}
        top = min(chunk[0].layer, self.layout.n_layers - 1)
        device = self._device(top)
        carried = Carried(first, end - first + 1, self.sweep.work.d_model, device, self.sweep.scratch, lasting=False)
        count = sum(group.stop - group.start for group in chunk)
        out = self.sweep.scratch.take("edges", device, count, self.layout.n_columns).zero_()
        if self.layout.n_layers in joining:
            self._join(carried, joining[self.layout.n_layers])
        for layer in range(top, max(self.lifted.meeting, 0) - 1, -1):
            self.ask()
            carried.to(self._device(layer))
            out = out.to(self._device(layer))
            self._read(layer, carried, out)
            if layer == self.lifted.meeting:
                break
            passage = self.sweep.passages[layer]
            carried.skip(passage)
            if not passage.layer.parallel and layer in joining:
                self._join(carried, joining[layer])
            carried.attend(passage)
            if passage.layer.parallel and layer in joining:
                self._join(carried, joining[layer])
        self._meet(carried, out)
        return out.cpu()

    def _join(self, carried: Carried, group: _Group) -> None:
        asked = self.asked[group.layer]
        local = asked.local[group.start : group.stop]
        spans = tuple(
            Span(position, max(start, group.start) - group.start, min(stop, group.stop) - group.start)
            for position, (start, stop) in enumerate(zip(asked.bounds, asked.bounds[1:], strict=False))
            if max(start, group.start) < min(stop, group.stop)
        )
        if group.layer == self.layout.n_layers:
            readers = self.sweep.targets[local.to(self.sweep.targets.device)]
        else:
            nodes, norm = self.sweep.layers[group.layer], self.sweep.frozen.layers[group.layer].reading
            local = local.to(nodes.reads.device)
            readers = transposed(norm, nodes.reads[local], nodes.positions[local])
        carried.join(readers.to(carried.fresh.device), spans)

    def _read(self, layer: int, carried: Carried, out: Float[Tensor, "n columns"]) -> None:
        """Write the effects of one layer's features and errors on the targets under way."""
        nodes, layout = self.sweep.layers[layer], self.layout
        self._read_one_each(nodes.errors, layout.error(layer, 0), carried, out)
        for position in range(carried.first, carried.first + carried.n_positions):
            for some, vectors in carried.at(position):
                for writes in nodes.writes:
                    start, stop = layout.bounds[writes.layer][position : position + 2]
                    if start < stop:
                        column = layout.first_feature[writes.layer]
                        out[some, column + start : column + stop].addmm_(vectors, writes.rows[start:stop].T)

    def _read_one_each(
        self, sources: Float[Tensor, "positions d_model"], column: int, carried: Carried, out: Tensor
    ) -> None:
        """Write the effects of sources of which there is one on each position; `column` is that of the first."""
        first, end, n_dense = carried.first, carried.first + carried.n_positions, carried.dense.shape[1]
        if n_dense:
            pairs = zip(carried.dense, sources[first:end], strict=True)
            # A batched product with vectors is slow on a processor, many small products on an accelerator.
            effects = (
                torch.stack([vectors @ source for vectors, source in pairs])
                if out.device.type == "cpu"
                else torch.bmm(carried.dense, sources[first:end, :, None])[:, :, 0]
            )
            out[:n_dense, column + first : column + end] = effects.T
        for span in carried.spans:
            rows = slice(n_dense + span.start, n_dense + span.stop)
            out[rows, column + span.position] = carried.fresh[span.start : span.stop] @ sources[span.position]

    def _meet(self, carried: Carried, out: Float[Tensor, "n columns"]) -> None:
        """Write the effects of the sources that wait at the meeting layer, or of the tokens where there is none."""
        end = carried.first + carried.n_positions
        if self.lifted.meeting < 0:
            self._read_one_each(self.sweep.embedding.to(out.device), self.layout.token(0), carried, out)
        for band in self.lifted.bands:
            self.ask()
            if band.first >= end:
                continue
            met = self.sweep.scratch.take("met", out.device, len(out), len(band.carried)).zero_()
            for position in range(band.first, end):
                for some, vectors in carried.at(position):
                    for other, sources in band.carried.at(position):
                        met[some, other].addmm_(vectors, sources.T)
            for block in band.blocks:
                out[:, block.columns] += met[:, block.start : block.stop]

    def _device(self, layer: int) -> torch.device:
        return self.sweep.frozen.layers[layer].device
