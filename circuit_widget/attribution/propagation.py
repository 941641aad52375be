"""Products of vectors with the Jacobian of the frozen model, layer by layer, without autograd.

Upwards, vectors are changes of the residual stream, multiplied by the Jacobian of each layer. Downwards they are
gradients of rows, the nodes that edges lead to, with respect to the residual stream, multiplied by its transpose.
Attention mixes positions: a vector starts at one position and spreads to later positions upwards, to earlier ones
downwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.model.frozen import FrozenLayer, FrozenNorm

CACHED_PATTERN_BYTES = 1 << 24
"""Attention patterns of one layer up to this size are kept in memory in the order in which they are multiplied."""

BLOCK = 256
"""Positions multiplied together: for longer prompts only the causal half of each pattern is multiplied, in such blocks."""


class Scratch:
    """Memory that is reused: newly allocated pages cost a processor more than the arithmetic on them."""

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, torch.device], Tensor] = {}

    def take(self, name: str, device: torch.device, *shape: int) -> Tensor:
        """Return an uninitialised tensor; it is valid until the next call with the same name."""
        size = math.prod(shape)
        buffer = self._buffers.get((name, device))
        if buffer is None or len(buffer) < size:
            self._buffers.pop((name, device), None)
            buffer = self._buffers[name, device] = torch.empty(size, dtype=torch.float32, device=device)
        return buffer[:size].view(shape)

    def forget(self) -> None:
        """Release the memory."""
        self._buffers.clear()


@dataclass(frozen=True)
class Span:
    """Rows `start` to `stop` of vectors that are all at one position."""

    position: int
    start: int
    stop: int


def before_norm(norm: FrozenNorm, readers: Float[Tensor, "n d_model"], positions: Tensor) -> Float[Tensor, "n d_model"]:
    """Return vectors times the Jacobian of a frozen norm: from gradients after it to gradients before it.

    `positions` has the position of each vector.
    """
    before = replace(norm, scale=None).transposed(readers, 0)
    return before if norm.scale is None else before * norm.scale[positions.to(norm.scale.device), None]


class LayerJacobian:
    """The Jacobian of one layer of the frozen model (`upwards`), or its transpose, as an operator on vectors.

    It is the identity plus an attention part plus an MLP part. The attention part is the sum over heads of
    `pattern[q, k] W_O W_V` from position k to position q, times the frozen 1 / denominators of the norms: `W_V` and `W_O`
    are the head's value and output projections, `pattern` is its attention pattern. The MLP part is the skip connection of
    the transcoder, or zero, because features and errors are nodes of the graph.
    """

    def __init__(self, layer: FrozenLayer, skip: Float[Tensor, "d_model d_model"] | None, *, upwards: bool) -> None:
        heads = layer.pattern.shape[0]
        value_heads, width, d_model = layer.value.shape
        self.layer = layer
        self.skip = skip
        self.upwards = upwards
        self.shape = (value_heads, heads // value_heads, width)
        value, output = layer.value.reshape(-1, d_model), layer.output.reshape(d_model, -1)
        self.into, self.out = (value.T, output.T) if upwards else (output, value)
        self.mixed_in, self.mixed_out = (1, self.shape[1]) if upwards else (self.shape[1], 1)

    def scaled_pattern(self, heads: slice, to: slice, start: slice) -> Float[Tensor, "heads to from"]:
        """Return the weight from each position in `start` to each in `to`, for some heads, denominators included."""
        queries, keys = (to, start) if self.upwards else (start, to)
        pattern = self.layer.pattern[heads, queries, keys] * self.layer.attention_scale[keys]
        if self.layer.output_scale is not None:
            pattern = pattern * self.layer.output_scale[queries, None]
        return pattern if self.upwards else pattern.transpose(1, 2)

    def mixing(self, to: slice, start: slice) -> Float[Tensor, "value_heads to_and_heads from_and_heads"]:
        """Return the weights between positions as one matrix for each value head."""
        whole = slice(None)
        if self.layer.pattern.numel() * 4 <= CACHED_PATTERN_BYTES:
            part = self._ordered[:, to, :, start]
        else:
            part = self._order(self.scaled_pattern(whole, to, start))
        value_heads, n_to, n_out, n_from, n_in = part.shape
        return part.reshape(value_heads, n_to * n_out, n_from * n_in)

    @cached_property
    def _ordered(self) -> Float[Tensor, "value_heads to out from in"]:
        return self._order(self.scaled_pattern(slice(None), slice(None), slice(None))).contiguous()

    def _order(self, pattern: Float[Tensor, "heads to from"]) -> Float[Tensor, "value_heads to out from in"]:
        _, n_to, n_from = pattern.shape
        pattern = pattern.reshape(self.shape[0], self.mixed_out, self.mixed_in, n_to, n_from)
        return pattern.permute(0, 3, 1, 4, 2)

    def add_attention(self, vectors: Float[Tensor, "positions n d_model"], first: int, scratch: Scratch) -> None:
        """Add the attention part of the product to vectors, in place; their first position is `first`."""
        n_positions, n, d_model = vectors.shape
        value_heads, _, width = self.shape
        n_in, n_out, device = self.mixed_in, self.mixed_out, vectors.device
        rows = n_positions * n
        flat = vectors.view(rows, d_model)
        projected = torch.mm(flat, self.into, out=scratch.take("projected", device, rows, self.into.shape[1]))
        projected = projected.view(n_positions, n, value_heads, n_in, width)
        mixed = scratch.take("mixed", device, value_heads, n_positions, n_in, n, width)
        mixed.copy_(projected.permute(2, 0, 3, 1, 4))
        mixed = mixed.view(value_heads, n_positions * n_in, n * width)
        moved = scratch.take("moved", device, value_heads, n_positions * n_out, n * width)
        for to in range(0, n_positions, BLOCK):
            end = min(to + BLOCK, n_positions)
            low, high = (0, end) if self.upwards else (to, n_positions)
            pattern = self.mixing(slice(first + to, first + end), slice(first + low, first + high))
            part = mixed[:, low * n_in : high * n_in]
            if n_positions <= BLOCK:
                torch.bmm(pattern, part, out=moved)
            else:
                moved[:, to * n_out : end * n_out] = torch.bmm(pattern, part)
        gathered = scratch.take("projected", device, n_positions, n, value_heads, n_out, width)
        gathered.copy_(moved.view(value_heads, n_positions, n_out, n, width).permute(1, 3, 0, 2, 4))
        flat.addmm_(gathered.view(rows, value_heads * n_out * width), self.out)

    def attend_from_one_position(
        self,
        fresh: Float[Tensor, "fresh d_model"],
        spans: tuple[Span, ...],
        first: int,
        found: Float[Tensor, "positions fresh d_model"],
    ) -> None:
        """Fill `found` with vectors that are each at one position, plus their attention part at all positions."""
        n = len(fresh)
        value_heads, groups, width = self.shape
        layer = self.layer
        mixed = (fresh @ self.into).view(n, value_heads, self.mixed_in, width).permute(1, 2, 0, 3)
        if self.upwards:
            heads = layer.output.permute(1, 2, 0)
            mixed = mixed.expand(-1, groups, -1, -1)
        else:
            heads = layer.value.repeat_interleave(groups, 0)
        projected = torch.bmm(mixed.reshape(value_heads * groups, n, width), heads)
        every, whole = slice(None), slice(first, first + len(found))
        for span in spans:
            pattern = self.scaled_pattern(every, whole, slice(span.position, span.position + 1))[:, :, 0]
            part = projected[:, span.start : span.stop].reshape(len(heads), -1)
            out = found[:, span.start : span.stop]
            torch.mm(pattern.T, part, out=out.view(len(found), -1))
            out[span.position - first] += fresh[span.start : span.stop]

    @cached_property
    def _skip_matrix(self) -> Float[Tensor, "d_model d_model"]:
        """The transposed Jacobian of the skip connection with its norms, without the denominators of these."""
        assert self.skip is not None
        reading, writing = replace(self.layer.reading, scale=None), replace(self.layer.writing, scale=None)
        every = torch.eye(self.skip.shape[0], dtype=torch.float32, device=self.skip.device)
        return reading.transposed(writing.transposed(every, 0) @ self.skip, 0)

    def apply_skip(
        self, vectors: Float[Tensor, "positions n d_model"], first: int
    ) -> Float[Tensor, "positions n d_model"]:
        """Return the skip-connection part of the product; `first` is the first position of the vectors."""
        skipped = vectors @ (self._skip_matrix.T if self.upwards else self._skip_matrix)
        for scale in (self.layer.reading.scale, self.layer.writing.scale):
            if scale is not None:
                skipped = skipped * scale[first : first + len(vectors), None, None]
        return skipped


class PropagatedVectors:
    """Vectors between two layers: first those with values at many positions (`dense`), then those at one (`fresh`)."""

    def __init__(
        self, first: int, n_positions: int, d_model: int, device: torch.device, scratch: Scratch, *, owns_memory: bool
    ) -> None:
        """With `owns_memory` they have memory of their own; otherwise that of `scratch`, which only one such group may use."""
        self.scratch = scratch
        self.owns_memory = owns_memory
        self._uses_second_buffer = False
        self.first = first
        self.n_positions = n_positions
        self.dense = torch.empty(n_positions, 0, d_model, dtype=torch.float32, device=device)
        self.fresh = torch.empty(0, d_model, dtype=torch.float32, device=device)
        self.spans: tuple[Span, ...] = ()

    def __len__(self) -> int:
        return self.dense.shape[1] + len(self.fresh)

    def at(self, position: int) -> Iterator[tuple[slice, Float[Tensor, "n d_model"]]]:
        """Yield the vectors that have values at one position, with their indices."""
        n_dense = self.dense.shape[1]
        if n_dense:
            yield slice(0, n_dense), self.dense[position - self.first]
        for span in self.spans:
            if span.position == position:
                yield slice(n_dense + span.start, n_dense + span.stop), self.fresh[span.start : span.stop]

    def to(self, device: torch.device) -> None:
        """Move the vectors to the device of the next layer."""
        self.dense, self.fresh = self.dense.to(device), self.fresh.to(device)

    def add(self, vectors: Float[Tensor, "n d_model"], spans: tuple[Span, ...]) -> None:
        """Add vectors that are each at one position; `spans` counts from the first of them."""
        n = len(self.fresh)
        self.fresh = torch.cat([self.fresh, vectors]) if n else vectors
        self.spans += tuple(Span(span.position, n + span.start, n + span.stop) for span in spans)

    def attend(self, jacobian: LayerJacobian) -> None:
        """Multiply by one layer's attention part and, where the MLP is parallel to it, by its skip connection."""
        skipped_parts = self._apply_skip(jacobian) if jacobian.layer.parallel and jacobian.skip is not None else None
        n_dense, spans = self.dense.shape[1], self.spans
        if n_dense:
            jacobian.add_attention(self.dense, self.first, self.scratch)
        if len(self.fresh):
            found = self._room(n_dense + len(self.fresh))
            found[:, :n_dense] = self.dense
            jacobian.attend_from_one_position(self.fresh, spans, self.first, found[:, n_dense:])
            self.dense = found
        self.fresh, self.spans = self.fresh[:0], ()
        if skipped_parts is not None:
            self.dense[:, :n_dense] += skipped_parts[0]
            for span, skipped in zip(
                spans, skipped_parts[1].split([span.stop - span.start for span in spans]), strict=True
            ):
                self.dense[span.position - self.first, n_dense + span.start : n_dense + span.stop] += skipped

    def _room(self, n: int) -> Float[Tensor, "positions n d_model"]:
        """Return memory for this many vectors, other than the memory of the current ones."""
        shape = (self.n_positions, n, self.dense.shape[2])
        if self.owns_memory:
            return self.dense.new_empty(shape)
        self._uses_second_buffer = not self._uses_second_buffer
        return self.scratch.take(f"vectors {self._uses_second_buffer}", self.dense.device, *shape)

    def skip(self, jacobian: LayerJacobian) -> None:
        """Multiply by the skip connection of a layer whose MLP comes after attention."""
        if jacobian.layer.parallel or jacobian.skip is None:
            return
        dense, fresh = self._apply_skip(jacobian)
        self.dense += dense
        self.fresh = self.fresh + fresh

    def _apply_skip(
        self, jacobian: LayerJacobian
    ) -> tuple[Float[Tensor, "positions n_dense d_model"], Float[Tensor, "n_fresh d_model"]]:
        dense = jacobian.apply_skip(self.dense, self.first)
        parts = [jacobian.apply_skip(self.fresh[None, span.start : span.stop], span.position)[0] for span in self.spans]
        return dense, torch.cat(parts) if parts else self.fresh
