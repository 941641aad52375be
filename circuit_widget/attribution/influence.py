"""How much of the effect on the explained logits passes through each node, solved exactly in one pass over the layers.

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
"""Weights taken to absolute value together: few enough to stay in the processor's cache."""


class Flow(NamedTuple):
    """How effect flows through a graph: each source's influence, and each row's summed absolute weight."""

    influence: Float64[np.ndarray, " sources"]
    totals: Float64[np.ndarray, " targets"]


def flow(
    weights: Float[np.ndarray, "targets sources"],
    feature_layer: Int[np.ndarray, " features"],
    target_weight: Float[np.ndarray, " logits"],
) -> Flow:
    """Influence of every source: `w (Â + Â² + ...)`, Â the absolute weights with each row scaled to sum 1; and its sums.

    The graph has no cycles, so a source's influence is complete once the rows of all higher layers are in.
    `target_weight` is one weight for each logit row, usually its probability; logits themselves are no sources.
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
    """Summed absolute weight of each row: what Â divides by."""
    totals = np.empty(weights.shape[0], dtype=np.float64)
    for part in slices(slice(0, len(totals)), rows_at_once(weights.shape[1])):
        totals[part] = np.abs(weights[part]).sum(axis=1)
    return totals


def edge_scores(
    weights: Float[np.ndarray, "targets sources"],
    effect: Float[np.ndarray, " targets"],
    totals: Float64[np.ndarray, " targets"],
) -> Float32[np.ndarray, "targets sources"]:
    """Score of every edge, `Â[t, s] * effect[t]`, where the effect of a row is its influence plus its target weight."""
    scores: Float32[np.ndarray, "targets sources"] = np.abs(weights).astype(np.float32, copy=False)
    scores *= score_scale(effect, totals)[:, None]
    return scores


def score_scale(
    effect: Float[np.ndarray, " targets"], totals: Float64[np.ndarray, " targets"]
) -> Float32[np.ndarray, " targets"]:
    """What the absolute weights of each row are multiplied by to be edge scores; 0 for rows without input."""
    scale: Float32[np.ndarray, " targets"] = np.zeros(len(totals), dtype=np.float32)
    np.divide(effect, totals, out=scale, where=totals > 0, casting="unsafe")
    return scale


def cumulative_share(scores: Real[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """Share of the total held by each score together with all higher ones.

    The highest has its own share, zeros have 1; of equal scores the one that comes first counts as higher.
    """
    # One integer orders by score, highest first, then by place; sorting it is several times faster than an argsort.
    flat = np.ascontiguousarray(scores, dtype=np.float32).ravel()
    places = np.flatnonzero(flat)
    shares = np.ones(flat.shape, dtype=np.float32)
    if len(places):
        # Widened before the shift: NumPy 1 keeps 32 bits where an array of them meets a single number of 64.
        rank = (np.uint32(0xFFFFFFFF) - flat[places].view(np.uint32)).astype(np.uint64)
        keys = rank << np.uint64(32) | places.astype(np.uint64)
        keys.sort()
        order = keys & np.uint64(0xFFFFFFFF)
        running = np.cumsum(flat[order], dtype=np.float64)
        shares[order] = running / running[-1]
    return shares.reshape(scores.shape)


def fewest_holding(scores: Real[np.ndarray, "*shape"], threshold: float) -> Bool[np.ndarray, "*shape"]:
    """The fewest scores that together hold `threshold` of the total, as a mask.

    These are the highest, with equals of the last one included and zeros never.
    """
    if threshold <= 0:
        return np.zeros(scores.shape, dtype=bool)
    scores = np.asarray(scores, dtype=np.float32)
    flat = scores[scores > 0]
    if threshold >= 1 or not len(flat):
        return scores > 0
    wanted = threshold * flat.sum(dtype=np.float64)
    # Positive floats are ordered as their bits are: buckets of leading bits find the cut without sorting everything.
    bucket = flat.view(np.uint32) >> np.uint32(16)
    held = np.cumsum(np.bincount(bucket, weights=flat)[::-1])
    last = min(int(np.searchsorted(held, wanted)), len(held) - 1)
    above = held[last - 1] if last else 0.0
    inside = -np.sort(-flat[bucket == len(held) - 1 - last])
    running = above + np.cumsum(inside, dtype=np.float64)
    cut = inside[min(int(np.searchsorted(running, wanted)), len(inside) - 1)]
    enough: Bool[np.ndarray, "*shape"] = scores >= cut
    return enough


def layers_from_top(feature_layer: Int[np.ndarray, " features"], n_targets: int) -> Iterator[tuple[slice, int]]:
    """Row ranges from the logits down to the lowest layer, each with the number of feature columns that can feed it."""
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
