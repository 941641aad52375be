"""Influence: the share of the effect on the targets that passes through each node, exact in one pass over the layers.

Everywhere in this package a row of `weights` is the target of edges (features, then logits), a column their source
(features, then errors, then tokens), and features are sorted by layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int, Real

BYTES_AT_ONCE = 1 << 20
"""Bytes of weights processed together, so that they stay in the processor's cache."""


class Flow(NamedTuple):
    """The flow of effect through a graph: the influence of each source, and the summed absolute weight of each row."""

    influence: Float64[np.ndarray, " sources"]
    totals: Float64[np.ndarray, " targets"]


def flow(
    weights: Float[np.ndarray, "targets sources"],
    feature_layer: Int[np.ndarray, " features"],
    target_weight: Float[np.ndarray, " logits"],
) -> Flow:
    """Influence of every source, `w (Â + Â² + ...)`, and the summed absolute weight of every row.

    `Â[t, s] = |A[t, s]| / sum_s' |A[t, s']|` with A the `weights`: the absolute weights with each row scaled to sum 1.
    `w` is `target_weight`, one weight for each logit row, usually its probability, and 0 for all other rows. Logits are
    not sources. The graph is acyclic, so the influence of a source is complete once the rows of all higher layers are
    added: one pass from the logits to the lowest layer solves the series exactly.
    (Ameisen et al. 2025, "Circuit Tracing", graph pruning.)
    """
    n_targets, n_sources = weights.shape
    n_features = len(feature_layer)
    influence, totals = np.zeros(n_sources), np.zeros(n_targets)
    at_once = rows_at_once(n_sources)
    buffer = np.empty((at_once, n_sources), dtype=np.float32)
    for rows, below in layers_from_top(feature_layer, n_targets):
        for part in slices(rows, at_once):
            features = np.abs(weights[part, :below], out=buffer[: part.stop - part.start, :below])
            others = np.abs(weights[part, n_features:], out=buffer[: part.stop - part.start, n_features:])
            total = features.sum(axis=1).astype(np.float64) + others.sum(axis=1)
            effect = target_weight[part.start - n_features :][: len(total)] if below == n_features else influence[part]
            share = score_scale(effect, total)
            influence[:below] += share @ features
            influence[n_features:] += share @ others
            totals[part] = total
    return Flow(influence, totals)


def input_totals(weights: Float[np.ndarray, "targets sources"]) -> Float64[np.ndarray, " targets"]:
    """Summed absolute weight of each row: the denominator of Â (see `flow`)."""
    totals = np.empty(weights.shape[0], dtype=np.float64)
    for part in slices(slice(0, len(totals)), rows_at_once(weights.shape[1])):
        totals[part] = np.abs(weights[part]).sum(axis=1)
    return totals


def edge_scores(
    weights: Float[np.ndarray, "targets sources"],
    effect: Float[np.ndarray, " targets"],
    totals: Float64[np.ndarray, " targets"],
) -> Float32[np.ndarray, "targets sources"]:
    """Score of every edge, `Â[t, s] * effect[t]`.

    `Â` is as in `flow`, `totals` the summed absolute weights of the rows, and `effect[t] = I_t + w_t` the influence plus
    the target weight of row t.
    """
    scores: Float32[np.ndarray, "targets sources"] = np.abs(weights).astype(np.float32, copy=False)
    scores *= score_scale(effect, totals)[:, None]
    return scores


def score_scale(
    effect: Float[np.ndarray, " targets"], totals: Float64[np.ndarray, " targets"]
) -> Float32[np.ndarray, " targets"]:
    """The factor of each row from absolute weights to edge scores, `effect[t] / totals[t]`; 0 for rows without input."""
    scale: Float32[np.ndarray, " targets"] = np.zeros(len(totals), dtype=np.float32)
    np.divide(effect, totals, out=scale, where=totals > 0, casting="unsafe")
    return scale


def cumulative_share(scores: Real[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """Share of the total that each score and all higher ones add up to.

    The highest score has its own share, zeros have 1; of equal scores the first counts as higher.
    """
    # One integer orders by score, highest first, then by index; sorting it is several times faster than an argsort.
    flat = np.ascontiguousarray(scores, dtype=np.float32).ravel()
    indices = np.flatnonzero(flat)
    shares = np.ones(flat.shape, dtype=np.float32)
    if len(indices):
        # Widened before the shift: NumPy 1 keeps 32 bits where such an array is combined with a single 64-bit number.
        rank = (np.uint32(0xFFFFFFFF) - flat[indices].view(np.uint32)).astype(np.uint64)
        keys = rank << np.uint64(32) | indices.astype(np.uint64)
        keys.sort()
        order = keys & np.uint64(0xFFFFFFFF)
        running = np.cumsum(flat[order], dtype=np.float64)
        shares[order] = running / running[-1]
    return shares.reshape(scores.shape)


def fewest_reaching(scores: Real[np.ndarray, "*shape"], threshold: float) -> Bool[np.ndarray, "*shape"]:
    """Mask of the fewest scores that add up to the share `threshold` of the total.

    These are the highest scores. Scores equal to the lowest of them are included, zeros never are.
    """
    if threshold <= 0:
        return np.zeros(scores.shape, dtype=bool)
    scores = np.asarray(scores, dtype=np.float32)
    flat = scores[scores > 0]
    if threshold >= 1 or not len(flat):
        return scores > 0
    wanted = threshold * flat.sum(dtype=np.float64)
    # Positive floats have the order of their bits: buckets of leading bits find the cut without sorting everything.
    bucket = flat.view(np.uint32) >> np.uint32(16)
    reached = np.cumsum(np.bincount(bucket, weights=flat)[::-1])
    last = min(int(np.searchsorted(reached, wanted)), len(reached) - 1)
    above = reached[last - 1] if last else 0.0
    inside = -np.sort(-flat[bucket == len(reached) - 1 - last])
    running = above + np.cumsum(inside, dtype=np.float64)
    cut = inside[min(int(np.searchsorted(running, wanted)), len(inside) - 1)]
    enough: Bool[np.ndarray, "*shape"] = scores >= cut
    return enough


def layers_from_top(feature_layer: Int[np.ndarray, " features"], n_targets: int) -> Iterator[tuple[slice, int]]:
    """Row ranges from the logits down to the lowest layer, each with the number of features in lower layers."""
    n_features = len(feature_layer)
    yield slice(n_features, n_targets), n_features
    starts = np.flatnonzero(np.diff(feature_layer, prepend=-1)).tolist()
    for start, stop in reversed(list(pairwise([*starts, n_features]))):
        yield slice(start, stop), start


def rows_at_once(n_columns: int) -> int:
    """Number of rows of a matrix that together stay in the processor's cache."""
    return max(1, BYTES_AT_ONCE // (4 * max(1, n_columns)))


def slices(whole: slice, size: int) -> Iterator[slice]:
    """Parts of a range of rows, `size` of them at a time."""
    for start in range(whole.start, whole.stop, size):
        yield slice(start, min(start + size, whole.stop))
