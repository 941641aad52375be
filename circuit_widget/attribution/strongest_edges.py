"""The strongest edges of a graph, without a ranking of all of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Float64, Int

from circuit_widget.attribution.influence import layers_from_top, rows_at_once, score_scale, slices


class StrongestEdges(NamedTuple):
    """Rows and columns of edges in a matrix of weights, the strongest first, and the cumulative share of each.

    The share of an edge is the share of the whole graph's edge score of this edge and all edges at least as strong.
    """

    row: Int[np.ndarray, " edges"]
    column: Int[np.ndarray, " edges"]
    share: Float32[np.ndarray, " edges"]


def strongest_edges(
    weights: Float[np.ndarray, "targets sources"],
    feature_layer: Int[np.ndarray, " features"],
    effect: Float[np.ndarray, " targets"],
    totals: Float64[np.ndarray, " targets"],
    rows: Int[np.ndarray, " some_targets"],
    columns: Int[np.ndarray, " some_sources"],
    count: int | None = None,
) -> StrongestEdges:
    """Return the strongest edges from `columns` to `rows`, at most `count`; of equals, those first in the matrix.

    The score of an edge from s to t is `Â[t, s] * effect[t]`: `Â` the absolute weights with each row scaled to sum 1,
    `effect[t]` the influence plus the target weight of t. `totals` are the summed absolute weights of the rows. Edges
    with score 0 are left out. Only scores at least as high as the last one returned are sorted.
    """
    weights = np.asarray(weights, dtype=np.float32)
    scale = score_scale(effect, totals)
    scores = np.abs(weights[np.ix_(rows, columns)])
    scores *= scale[rows][:, None]
    flat = scores.ravel()
    indices = np.flatnonzero(flat)
    if count is not None and 0 < count < len(indices):
        indices = indices[flat[indices] >= _largest(flat[indices], count)[-1]]
    indices = indices[np.argsort(-flat[indices], kind="stable")][:count]
    row, column = np.divmod(indices, max(1, len(columns)))
    shares = np.zeros(0, dtype=np.float32)
    if len(indices):
        ranked = _at_least(flat[indices[-1]], weights, feature_layer, scale)
        reached = np.cumsum(ranked[::-1], dtype=np.float64)[::-1] / (effect * (totals > 0)).sum()
        shares = np.minimum(reached[np.searchsorted(ranked, flat[indices])], 1.0).astype(np.float32)
    return StrongestEdges(rows[row], columns[column], shares)


def _largest(values: Float32[np.ndarray, " values"], count: int) -> Float32[np.ndarray, " count"]:
    """Return the `count` largest of more positive numbers, highest first."""
    # Positive floats have the order of their bits: buckets of leading bits leave little to sort.
    bucket = values.view(np.uint32) >> np.uint32(16)
    counts = np.cumsum(np.bincount(bucket)[::-1], dtype=np.int64)
    last = len(counts) - 1 - int(np.searchsorted(counts, count))
    return np.sort(values[bucket >= last])[::-1][:count]


def _at_least(
    least: np.float32,
    weights: Float32[np.ndarray, "targets sources"],
    feature_layer: Int[np.ndarray, " features"],
    scale: Float32[np.ndarray, " targets"],
) -> Float32[np.ndarray, " scores"]:
    """Return all scores of a graph from `least` up, ascending."""
    n_features, at_once = len(feature_layer), rows_at_once(weights.shape[1])
    found = []
    for rows, below in layers_from_top(feature_layer, weights.shape[0]):
        for part in slices(rows, at_once):
            for columns in (slice(0, below), slice(n_features, None)):
                scores = np.abs(weights[part, columns])
                scores *= scale[part, None]
                found.append(scores[scores >= least])
    return np.sort(np.concatenate(found))
