"""The choice of the features that become nodes of a graph with a limited number of features.

The edges of the targets are computed first. Influence along the edges computed so far ranks the features; the most
influential are chosen and their edges computed, step by step, until enough are chosen.
(Ameisen et al. 2025, "Circuit Tracing".)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Float64, Int, Int64

from circuit_widget.attribution.influence import input_totals, rows_at_once, score_scale, slices

FIRST_STEP = 64
"""Features chosen from the edges of the targets alone."""

GROWTH = 0.5
"""Features chosen in a later step, as a share of those chosen before: the ranking changes less as more edges are known."""

WIDE_SHARE = 8
"""Rows with all columns use at most one part in this many of the memory for all rows."""

RowsOf = Callable[[Int64[np.ndarray, " rows"]], Float32[np.ndarray, "rows columns"]]
"""Computes all incoming edges of the nodes with these row numbers (features first, then targets)."""


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a row: features sorted by (layer, position), then errors, then tokens.

    `error_of_feature` is the index, among the errors, of the error at the layer and position of each feature; it is
    non-decreasing.
    """

    feature_layer: Int[np.ndarray, " features"]
    error_of_feature: Int[np.ndarray, " features"]
    n_errors: int
    n_tokens: int

    def __len__(self) -> int:
        return len(self.feature_layer) + self.n_errors + self.n_tokens


class Selection(NamedTuple):
    """The chosen features, ascending, and the edges between the nodes; every other feature is part of an error.

    Rows are the chosen features, then the targets; columns the chosen features, then all errors, then all tokens.
    `dropped_candidates` is the number of features that could no longer be chosen for lack of memory.
    """

    features: Int64[np.ndarray, " chosen"]
    weights: Float32[np.ndarray, "rows kept_columns"]
    dropped_candidates: int


def select_features(
    rows_of: RowsOf,
    columns: Columns,
    target_weight: Float[np.ndarray, " targets"],
    count: int,
    *,
    step: int | None = None,
    store_bytes: int | None = None,
) -> Selection:
    """Return the `count` most influential features and all edges between them; only their rows are computed.

    Influence is computed from known edges only, so the choice depends a little on how often features are ranked: after
    every `step` features; by default after 64, then whenever their number has grown by half. The column of a feature that
    is not chosen is added to the error of its layer and position. Rows are kept in `store_bytes`. Where all columns do
    not fit into it, the columns of the least influential features are added to the errors early, and these features can
    no longer be chosen.
    """
    n_features, n_targets = len(columns.feature_layer), len(target_weight)
    count = min(count, n_features)
    store = _RowStore(rows_of, columns, target_weight, count, store_bytes)
    store.add(np.arange(n_features, n_features + n_targets, dtype=np.int64))
    chosen = 0
    while chosen < count:
        size = step or max(FIRST_STEP, int(GROWTH * chosen))
        features = store.strongest(min(size, count - chosen))
        store.add(features)
        chosen += len(features)
    return store.finish()


class _FoldedColumns:
    """Adds the columns of features that are no longer candidates to the errors at their layers and positions."""

    def __init__(
        self, columns: Columns, before: Int64[np.ndarray, " before"], after: Int64[np.ndarray, " after"]
    ) -> None:
        """`after` is a part of `before`; both ascend."""
        self.n_before, self.n_after = len(before), len(after)
        self.kept = np.searchsorted(before, after)
        error = columns.error_of_feature[before]
        self.starts = np.flatnonzero(np.diff(error, prepend=-1))
        self.errors = len(after) + error[self.starts]

    def __call__(self, weights: Float32[np.ndarray, "rows columns"]) -> Float32[np.ndarray, "rows fewer_columns"]:
        """Return fewer columns for the same rows; overwrites `weights`."""
        if self.n_after == self.n_before:
            return weights
        narrowed = np.concatenate([np.take(weights, self.kept, axis=1), weights[:, self.n_before :]], axis=1)
        weights[:, self.kept] = 0
        narrowed[:, self.errors] += np.add.reduceat(weights[:, : self.n_before], self.starts, axis=1)
        return narrowed


@dataclass(eq=False)
class _RowBlock:
    """Rows computed together, ascending; `totals` are their summed absolute weights over all sources.

    `bounds[layer]` is the first of the rows at that layer or above it; targets count as one layer above the last.
    """

    rows: Int64[np.ndarray, " rows"]
    bounds: Int64[np.ndarray, " bounds"]
    weights: Float32[np.ndarray, "rows columns"]
    totals: Float64[np.ndarray, " rows"]


class _RowStore:
    """The rows computed so far; their columns are the features that can still be chosen (`candidates`), errors, tokens."""

    def __init__(
        self,
        rows_of: RowsOf,
        columns: Columns,
        target_weight: Float[np.ndarray, " targets"],
        count: int,
        store_bytes: int | None,
    ) -> None:
        self.rows_of = rows_of
        self.columns = columns
        self.target_weight = target_weight
        self.count = count
        self.capacity = None if store_bytes is None else store_bytes // np.dtype(np.float32).itemsize
        self.n_features = len(columns.feature_layer)
        self.n_layers = int(columns.feature_layer[-1]) + 1 if self.n_features else 0
        self.row_layer = np.append(columns.feature_layer, np.full(len(target_weight), self.n_layers))
        self.candidates = np.arange(self.n_features, dtype=np.int64)
        self.chosen = np.zeros(self.n_features, dtype=bool)
        self.blocks: list[_RowBlock] = []
        self.n_rows = 0

    def add(self, rows: Int64[np.ndarray, " rows"]) -> None:
        """Compute some rows, ascending, and keep them."""
        self._make_room(len(rows))
        at_once = len(rows)
        if self.capacity is not None:
            at_once = max(1, min(at_once, self.capacity // (WIDE_SHARE * len(self.columns))))
        fold = _FoldedColumns(self.columns, np.arange(self.n_features, dtype=np.int64), self.candidates)
        for part in slices(slice(0, len(rows)), at_once):
            some = rows[part]
            weights = self.rows_of(some)
            totals = input_totals(weights)
            weights = fold(weights)
            bounds = np.searchsorted(self.row_layer[some], np.arange(self.n_layers + 2))
            self.blocks.append(_RowBlock(some, bounds, weights, totals))
        self.chosen[rows[rows < self.n_features]] = True
        self.n_rows += len(rows)

    def strongest(self, count: int) -> Int64[np.ndarray, " count"]:
        """Return the most influential candidates along known edges that are not chosen yet, ascending."""
        influence = self._influence()
        influence[self.chosen[self.candidates]] = -1
        strongest: Int64[np.ndarray, " count"] = self.candidates[_largest(influence, count)]
        return strongest

    def finish(self) -> Selection:
        """Return the chosen features with their edges; the store is empty afterwards."""
        features = np.flatnonzero(self.chosen)
        n_columns = len(features) + self.columns.n_errors + self.columns.n_tokens
        weights = np.empty((self.n_rows, n_columns), dtype=np.float32)
        fold = _FoldedColumns(self.columns, self.candidates, features)
        while self.blocks:
            block = self.blocks.pop()
            targets = block.rows - self.n_features + len(features)
            row_indices = np.where(block.rows < self.n_features, np.searchsorted(features, block.rows), targets)
            at_once = rows_at_once(block.weights.shape[1])
            for part in slices(slice(0, len(row_indices)), at_once):
                weights[row_indices[part]] = fold(block.weights[part])
        return Selection(features, weights, self.n_features - len(self.candidates))

    def _influence(self) -> Float64[np.ndarray, " candidates"]:
        """Return the influence of every candidate along the known edges, in one pass from the targets downwards."""
        n_candidates = len(self.candidates)
        influence = np.zeros(n_candidates, dtype=np.float64)
        below = np.searchsorted(self.row_layer[self.candidates], np.arange(self.n_layers + 1)).tolist()
        at_once = rows_at_once(n_candidates)
        buffer = np.empty((at_once, n_candidates), dtype=np.float32)
        for layer in range(self.n_layers, 0, -1):
            for block in self.blocks:
                for part in slices(slice(*block.bounds[layer : layer + 2].tolist()), at_once):
                    rows = block.rows[part]
                    if layer == self.n_layers:
                        effect = self.target_weight[rows - self.n_features]
                    else:
                        effect = influence[np.searchsorted(self.candidates, rows)]
                    absolute = np.abs(block.weights[part, : below[layer]], out=buffer[: len(rows), : below[layer]])
                    influence[: below[layer]] += score_scale(effect, block.totals[part]) @ absolute
        return influence

    def _make_room(self, n_rows: int) -> None:
        """Drop the least influential candidates where this many more rows would not fit; keep at least `count`."""
        if self.capacity is None or not self.blocks:
            return
        n_others = self.columns.n_errors + self.columns.n_tokens
        n_known = self.n_rows + n_rows
        if n_known * (len(self.candidates) + n_others) <= self.capacity:
            return
        # Room for half as many rows again, so that folding columns, which copies all weights, is rare.
        ahead = min(self.count + len(self.target_weight), n_known + n_known // 2)
        n_kept = max(self.count, self.capacity // ahead - n_others)
        if n_kept >= len(self.candidates):
            return
        influence = self._influence()
        influence[self.chosen[self.candidates]] = np.inf
        kept = self.candidates[_largest(influence, n_kept)]
        fold = _FoldedColumns(self.columns, self.candidates, kept)
        for block in self.blocks:
            block.weights = fold(block.weights)
        self.candidates = kept


def _largest(values: Float64[np.ndarray, " values"], count: int) -> Int64[np.ndarray, " count"]:
    """Return the indices, ascending, of the largest values."""
    if count >= len(values):
        return np.arange(len(values), dtype=np.int64)
    return np.sort(np.argpartition(values, len(values) - count)[len(values) - count :])
