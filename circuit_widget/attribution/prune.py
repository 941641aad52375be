"""Pruning: which nodes and edges of a graph account for nearly all of its effect."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, Int64

from circuit_widget.attribution.influence import edge_scores, fewest_reaching, flow


class KeptPart(NamedTuple):
    """The graph of the kept nodes: indices of its rows and columns in the whole one, its weights, and its edge scores."""

    rows: Int64[np.ndarray, " kept_targets"]
    columns: Int64[np.ndarray, " kept_sources"]
    n_features: int
    n_errors: int
    weights: Float32[np.ndarray, "kept_targets kept_sources"]
    scores: Float32[np.ndarray, "kept_targets kept_sources"]


class Remaining(NamedTuple):
    """Masks of the rows, columns and edges of a `KeptPart` that stay."""

    rows: Bool[np.ndarray, " kept_targets"]
    columns: Bool[np.ndarray, " kept_sources"]
    edges: Bool[np.ndarray, "kept_targets kept_sources"]


def kept_part(
    weights: Float32[np.ndarray, "targets sources"],
    feature_layer: Int32[np.ndarray, " features"],
    target_weight: Float[np.ndarray, " logits"],
    keep_features: Bool[np.ndarray, " features"],
    keep_errors: Bool[np.ndarray, " errors"],
) -> KeptPart:
    """Drop features and errors; tokens and logits always stay.

    The score of an edge from s to t is `Â[t, s] (I_t + w_t)`: `Â` the absolute weights with each row scaled to sum 1,
    `I_t` the influence and `w_t` the `target_weight` of t, all in the graph of the kept nodes.
    (Ameisen et al. 2025, "Circuit Tracing", graph pruning.)
    """
    n_features, n_errors = len(keep_features), len(keep_errors)
    features, errors = np.flatnonzero(keep_features), np.flatnonzero(keep_errors)
    rows = np.concatenate([features, np.arange(n_features, weights.shape[0])])
    columns = np.concatenate([features, n_features + errors, np.arange(n_features + n_errors, weights.shape[1])])
    part = weights[np.ix_(rows, columns)]
    influence, totals = flow(part, feature_layer[features], target_weight)
    effect = np.concatenate([influence[: len(features)], target_weight])
    return KeptPart(rows, columns, len(features), len(errors), part, edge_scores(part, effect, totals))


def remaining(part: KeptPart, edge_threshold: float) -> Remaining:
    """Drop all edges but the fewest that add up to `edge_threshold` of the summed edge score, then nodes without a path.

    Features and errors without an outgoing edge and features without an incoming edge are dropped, with their edges, until
    none is left.
    """
    edges = fewest_reaching(part.scores, edge_threshold)
    columns = connected(edges, part.n_features, part.n_errors)
    n_logits = len(part.rows) - part.n_features
    rows = np.concatenate([columns[: part.n_features], np.ones(n_logits, dtype=bool)])
    edges &= rows[:, None] & columns
    return Remaining(rows, columns, edges)


def connected(
    edges: Bool[np.ndarray, "targets sources"], n_features: int, n_errors: int
) -> Bool[np.ndarray, " sources"]:
    """Mask of the sources that stay: features and errors without outgoing edges, and features without incoming ones, go.

    This is repeated until no such node is left.
    """
    alive = np.ones(edges.shape[1], dtype=bool)
    outgoing, incoming = edges.sum(axis=0), edges.sum(axis=1)
    while True:
        dead = alive & (outgoing == 0)
        dead[n_features + n_errors :] = False
        dead[:n_features] |= alive[:n_features] & (incoming[:n_features] == 0)
        if not dead.any():
            return alive
        alive &= ~dead
        outgoing -= edges[:n_features][dead[:n_features]].sum(axis=0)
        incoming -= edges[:, dead].sum(axis=1)


def fewest_influential(
    share: Float32[np.ndarray, " sources"], influence: Float32[np.ndarray, " sources"], threshold: float
) -> Bool[np.ndarray, " sources"]:
    """Mask of the fewest sources that add up to the share `threshold` of all influence.

    These are the most influential. Sources equal to the last of them are included, sources without influence never are.
    `share` is the cumulative share of influence in the whole graph, so the mask is also right for a part of it.
    """
    some = influence > 0
    if threshold >= 1 or not some.any():
        return some
    order = np.argsort(share, kind="stable")
    share_of_stronger = np.concatenate([[0.0], share[order][:-1]])
    needed = influence[order[(share_of_stronger < threshold) & some[order]]]
    return some & (influence >= needed.min()) if len(needed) else np.zeros_like(some)
