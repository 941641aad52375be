"""All edges of an attribution graph, in two passes through the frozen model, without autograd.

In this room a *row* is a node that edges lead to, a feature or a target; a *target* is an explained logit, contrast or
direction.

The frozen model is linear, because its attention patterns and norm denominators are constants. The direct effect of a
source node s on a node t is `A[t, s] = a_s <w_enc,t, J W_dec,s>`: `a_s` is the activation of s and `W_dec,s` its decoder row,
`w_enc,t` the encoder row of t, and `J` the Jacobian of the frozen model from where s writes to where t reads. For an error
or a token, `a_s W_dec,s` is its vector; for a logit, `w_enc,t` is its direction after the final norm.

The downward pass computes `J^T w_enc,t` layer by layer from the top: attention multiplies by the transposed `W_O`, the
pattern and the transposed `W_V`. MLPs without a skip connection change nothing: their features and errors are sources, whose
products with the vectors are computed on the way. Rows of neighbouring positions are propagated together; a row has no sources after
its position nor above its layer. The upward pass computes `J W_dec,s` for the sources of the lowest layers. The two
meet at the split layer, chosen for the fewest operations. (Ameisen et al. 2025, "Circuit Tracing", attribution graphs.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuit_widget.attribution.layer_nodes import LayerNodes, NodeLayout, RequestedRows, requested_rows
from circuit_widget.attribution.lazy_zeros import lazy_zeros
from circuit_widget.attribution.propagation import LayerJacobian, PropagatedVectors, Scratch, Span, before_norm
from circuit_widget.attribution.split_layer import best_split_layer, operation_count
from circuit_widget.attribution.upward_pass import UpwardPass, UpwardVectors
from circuit_widget.errors import Cancelled
from circuit_widget.model.frozen import FrozenModel
from circuit_widget.progress import IsCancelled
from circuit_widget.system.plain_torch import inference

CHUNK_BYTES = {"cpu": 1 << 23}
"""Memory of the vectors propagated together: on a CPU they should fit into its cache."""

ACCELERATOR_CHUNK_BYTES = 1 << 29

CHUNK_OPERATIONS = {"cpu": 5e9}
"""Additions and multiplications between two checks for a cancel."""

ACCELERATOR_CHUNK_OPERATIONS = 5e11

ENOUGH_ROWS = {"cpu": 24}
"""Number of rows from which a stretch, consecutive positions propagated together, needs no further position."""

ACCELERATOR_ENOUGH_ROWS = 512

STRETCH_SHARE = {"cpu": 0.25}
"""Largest stretch, as a share of all positions: vectors of its earlier positions have zeros at the later ones."""

ACCELERATOR_STRETCH_SHARE = 0.5

UPWARD_BYTES = 1 << 28
"""Memory of the upward vectors at the split layer."""


class EdgeComputation:
    """Computes the incoming edges of the nodes of one prompt, of all or of some at a time."""

    def __init__(
        self,
        frozen: FrozenModel,
        layers: Sequence[LayerNodes],
        embedding: Float[Tensor, "positions d_model"],
        targets: Float[Tensor, "targets d_model"],
        *,
        n_rows: int | None = None,
    ) -> None:
        """`targets` are directions after the final norm at `frozen.position`.

        `n_rows` is the number of rows that will be requested in total (by default all), to choose the split layer.
        """
        self.frozen = frozen
        self.layers = layers
        self.embedding = embedding
        self.layout = NodeLayout(layers, len(embedding), frozen.position, len(targets))
        with inference():
            self.targets = frozen.final.transposed(targets, 0)
        self.jacobians = [
            LayerJacobian(layer, nodes.skip, upwards=False) for layer, nodes in zip(frozen.layers, layers, strict=True)
        ]
        self.work = operation_count(frozen, self.layout, n_rows)
        self.scratch = Scratch()
        self.chunk_share = 1.0
        self._upward: UpwardVectors | None = None

    def edges(
        self,
        rows: Int[Tensor, " rows"] | None = None,
        *,
        progress: Callable[[float], None] | None = None,
        cancelled: IsCancelled | None = None,
    ) -> Float[Tensor, "rows columns"]:
        """Return the direct effect of every source on the requested features and targets (default: all), on the CPU.

        Row numbers count features first (by layer), then targets; the result has the requested order. Columns are the
        features, then the errors (by layer, one for each position), then the tokens. Entries are `A[t, s]` of this
        module's docstring, in units of the pre-activation or logit of t. When a device runs out of memory, fewer
        vectors are propagated together.

        Raises:
            Cancelled: `cancelled()` became true.
            IndexError: there is no such row.
        """

        def check_cancelled() -> None:
            if cancelled is not None and cancelled():
                raise Cancelled("The trace was cancelled.")

        numbers = (
            torch.arange(self.layout.n_rows, dtype=torch.long, device="cpu") if rows is None else rows.cpu().long()
        )
        with inference():
            requested, upward = requested_rows(self.layout, numbers), self._upward_pass(check_cancelled)
            weights = torch.from_numpy(lazy_zeros(len(numbers), self.layout.n_columns))
            done = 0
            for layer, low in enumerate(upward.low):
                result_rows, found = requested[layer].result_rows, low[requested[layer].local]
                for columns in self.layout.sources(layer):
                    first = self.layout.column_below(layer, columns.start)
                    _put(weights, result_rows, columns, found[:, first : first + columns.stop - columns.start])
                done += len(result_rows)
            for layer, result_rows, part in _DownwardPass(self, requested, upward, check_cancelled).run():
                for columns in self.layout.sources(layer):
                    _put(weights, result_rows, columns, part[:, columns])
                done += len(result_rows)
                if progress is not None:
                    progress(done / len(numbers))
            weights[:, self.layout.token(0) : self.layout.token(self.layout.first_position)] = upward.prefix[numbers]
        if progress is not None:
            progress(1.0)
        return weights

    def _upward_pass(self, check_cancelled: Callable[[], None]) -> UpwardVectors:
        """Run the upward pass once for all rows; without a split where the device has no memory for its vectors."""
        if self._upward is None:
            split_layer = best_split_layer(self.work, UPWARD_BYTES)
            upward_pass = UpwardPass(
                self.frozen, self.layers, self.layout, self.embedding, self.scratch, check_cancelled
            )
            try:
                self._upward = upward_pass.run(split_layer, self.targets)
            except torch.cuda.OutOfMemoryError:
                self.scratch.forget()
                self._upward = upward_pass.run(-1, self.targets)
        return self._upward


def _put(
    weights: Float[Tensor, "rows columns"],
    result_rows: Int[Tensor, " n"],
    columns: slice,
    part: Float[Tensor, "n some_columns"],
) -> None:
    weights[:, columns].index_copy_(0, result_rows, part)


def compute_edges(
    frozen: FrozenModel,
    layers: Sequence[LayerNodes],
    embedding: Float[Tensor, "positions d_model"],
    targets: Float[Tensor, "targets d_model"],
    *,
    rows: Int[Tensor, " rows"] | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: IsCancelled | None = None,
) -> Float[Tensor, "rows columns"]:
    """Return `EdgeComputation(frozen, layers, embedding, targets).edges(rows, ...)`, for a single request."""
    return EdgeComputation(frozen, layers, embedding, targets).edges(rows, progress=progress, cancelled=cancelled)


@dataclass(frozen=True)
class _Group:
    """Requested rows `start` to `stop` of one layer."""

    layer: int
    start: int
    stop: int


class _DownwardPass:
    """Propagates the rows above the split layer downwards."""

    def __init__(
        self,
        computation: EdgeComputation,
        requested: Sequence[RequestedRows],
        upward: UpwardVectors,
        check_cancelled: Callable[[], None],
    ) -> None:
        self.computation = computation
        self.layout = computation.layout
        self.requested = requested
        self.upward = upward
        self.check_cancelled = check_cancelled

    def run(self) -> Iterator[tuple[int, Int[Tensor, " n"], Float[Tensor, "n columns"]]]:
        """Yield the incoming edges of all rows above the split layer, in parts: layer, rows of the result, edges."""
        end = self.layout.traced
        while end >= self.layout.first_position:
            start = self._stretch(end)
            queue = [group for group in self._groups(start, end) if group.stop > group.start]
            while queue:
                chunk, rest = self._chunk(queue, end)
                try:
                    part = self._propagate(chunk, end)
                except torch.cuda.OutOfMemoryError:
                    if sum(group.stop - group.start for group in chunk) == 1:
                        raise
                    self.computation.chunk_share /= 2
                    self.computation.scratch.forget()
                    continue
                queue = rest
                first = 0
                for group in chunk:
                    result_rows = self.requested[group.layer].result_rows[group.start : group.stop]
                    yield group.layer, result_rows, part[first : first + len(result_rows)]
                    first += len(result_rows)
            end = start - 1

    def _stretch(self, end: int) -> int:
        """Return the first of the positions whose rows are propagated together with those at `end`."""
        enough = ENOUGH_ROWS.get(self._device(-1).type, ACCELERATOR_ENOUGH_ROWS)
        above = [rows.bounds for rows in self.requested[self.upward.split_layer + 1 :]]
        share = STRETCH_SHARE.get(self._device(-1).type, ACCELERATOR_STRETCH_SHARE)
        lowest = end - int(share * (end - self.layout.first_position))
        start = end
        while True:
            n_rows = sum(bounds[end + 1] - bounds[start] for bounds in above)
            if n_rows >= enough or start <= lowest:
                return start
            start -= 1

    def _groups(self, start: int, end: int) -> Iterator[_Group]:
        for layer in range(self.layout.n_layers, self.upward.split_layer, -1):
            bounds = self.requested[layer].bounds
            yield _Group(layer, bounds[start], bounds[end + 1])

    def _chunk(self, queue: Sequence[_Group], end: int) -> tuple[list[_Group], list[_Group]]:
        """Split off as many rows, from the top layer down, as can be propagated together."""
        device = self._device(-1).type
        n_positions = end - self.layout.first_position + 1
        memory = CHUNK_BYTES.get(device, ACCELERATOR_CHUNK_BYTES) * self.computation.chunk_share
        operations = CHUNK_OPERATIONS.get(device, ACCELERATOR_CHUNK_OPERATIONS) * self.computation.chunk_share
        work = self.computation.work
        step = n_positions * (work.step_operations + work.mixing_operations * n_positions)
        room = max(1, int(min(memory / (4 * work.d_model * n_positions), operations / step)))
        chunk: list[_Group] = []
        for index, group in enumerate(queue):
            count = min(room, group.stop - group.start)
            chunk.append(_Group(group.layer, group.start, group.start + count))
            room -= count
            if not room:
                rest = (
                    [_Group(group.layer, group.start + count, group.stop)] if group.start + count < group.stop else []
                )
                return chunk, [*rest, *queue[index + 1 :]]
        return chunk, []

    def _propagate(self, chunk: Sequence[_Group], end: int) -> Float[Tensor, "n columns"]:
        """Propagate one chunk of rows downwards; return all their incoming edges, valid until the next chunk."""
        first = self.layout.first_position
        groups = {group.layer: group for group in chunk}
        top = min(chunk[0].layer, self.layout.n_layers - 1)
        device = self._device(top)
        vectors = PropagatedVectors(
            first, end - first + 1, self.computation.work.d_model, device, self.computation.scratch, owns_memory=False
        )
        count = sum(group.stop - group.start for group in chunk)
        out = self.computation.scratch.take("edges", device, count, self.layout.n_columns).zero_()
        if self.layout.n_layers in groups:
            self._add_rows(vectors, groups[self.layout.n_layers])
        for layer in range(top, max(self.upward.split_layer, 0) - 1, -1):
            self.check_cancelled()
            vectors.to(self._device(layer))
            out = out.to(self._device(layer))
            self._read(layer, vectors, out)
            if layer == self.upward.split_layer:
                break
            jacobian = self.computation.jacobians[layer]
            vectors.skip(jacobian)
            if not jacobian.layer.parallel and layer in groups:
                self._add_rows(vectors, groups[layer])
            vectors.attend(jacobian)
            if jacobian.layer.parallel and layer in groups:
                self._add_rows(vectors, groups[layer])
        self._read_upward_vectors(vectors, out)
        return out.cpu()

    def _add_rows(self, vectors: PropagatedVectors, group: _Group) -> None:
        requested = self.requested[group.layer]
        local = requested.local[group.start : group.stop]
        spans = tuple(
            Span(position, max(start, group.start) - group.start, min(stop, group.stop) - group.start)
            for position, (start, stop) in enumerate(zip(requested.bounds, requested.bounds[1:], strict=False))
            if max(start, group.start) < min(stop, group.stop)
        )
        if group.layer == self.layout.n_layers:
            readers = self.computation.targets[local.to(self.computation.targets.device)]
        else:
            nodes, norm = self.computation.layers[group.layer], self.computation.frozen.layers[group.layer].reading
            local = local.to(nodes.encoder_rows.device)
            readers = before_norm(norm, nodes.encoder_rows[local], nodes.positions[local])
        vectors.add(readers.to(vectors.fresh.device), spans)

    def _read(self, layer: int, vectors: PropagatedVectors, out: Float[Tensor, "n columns"]) -> None:
        """Write the effects of one layer's features and errors on the propagated rows."""
        nodes, layout = self.computation.layers[layer], self.layout
        self._read_one_each(nodes.errors, layout.error(layer, 0), vectors, out)
        for position in range(vectors.first, vectors.first + vectors.n_positions):
            for numbers, at_position in vectors.at(position):
                for writes in nodes.writes:
                    start, stop = layout.bounds[writes.layer][position : position + 2]
                    if start < stop:
                        column = layout.first_feature[writes.layer]
                        out[numbers, column + start : column + stop].addmm_(at_position, writes.rows[start:stop].T)

    def _read_one_each(
        self, sources: Float[Tensor, "positions d_model"], column: int, vectors: PropagatedVectors, out: Tensor
    ) -> None:
        """Write the effects of sources of which each position has one; `column` is that of the first."""
        first, end, n_dense = vectors.first, vectors.first + vectors.n_positions, vectors.dense.shape[1]
        if n_dense:
            pairs = zip(vectors.dense, sources[first:end], strict=True)
            # A batched product with vectors is slow on a processor, many small products on an accelerator.
            effects = (
                torch.stack([at_position @ source for at_position, source in pairs])
                if out.device.type == "cpu"
                else torch.bmm(vectors.dense, sources[first:end, :, None])[:, :, 0]
            )
            out[:n_dense, column + first : column + end] = effects.T
        for span in vectors.spans:
            rows = slice(n_dense + span.start, n_dense + span.stop)
            out[rows, column + span.position] = vectors.fresh[span.start : span.stop] @ sources[span.position]

    def _read_upward_vectors(self, vectors: PropagatedVectors, out: Float[Tensor, "n columns"]) -> None:
        """Write the effects of the upward vectors at the split layer, or of the tokens where there is none."""
        end = vectors.first + vectors.n_positions
        if self.upward.split_layer < 0:
            self._read_one_each(self.computation.embedding.to(out.device), self.layout.token(0), vectors, out)
        for stretch in self.upward.stretches:
            self.check_cancelled()
            if stretch.first >= end:
                continue
            products = self.computation.scratch.take("products", out.device, len(out), len(stretch.vectors)).zero_()
            for position in range(stretch.first, end):
                for numbers, at_position in vectors.at(position):
                    for source_numbers, sources in stretch.vectors.at(position):
                        products[numbers, source_numbers].addmm_(at_position, sources.T)
            for block in stretch.blocks:
                out[:, block.columns] += products[:, block.start : block.stop]

    def _device(self, layer: int) -> torch.device:
        return self.computation.frozen.layers[layer].device
