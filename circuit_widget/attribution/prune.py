"""Pruning: which nodes and edges of a graph account for nearly all of its effect."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32

from circuit_widget.attribution.influence import edge_scores, fewest_reaching, flow


class Pruned(NamedTuple):
    """The pruned graph: masks of the remaining features and errors, and the weights between the remaining nodes."""

    features: Bool[np.ndarray, " features"]
    errors: Bool[np.ndarray, " errors"]
    weights: Float32[np.ndarray, "kept_targets kept_sources"]


def prune(
    weights: Float32[np.ndarray, "targets sources"],
    feature_layer: Int32[np.ndarray, " features"],
    target_weight: Float[np.ndarray, " logits"],
    keep_features: Bool[np.ndarray, " features"],
    keep_errors: Bool[np.ndarray, " errors"],
    edge_threshold: float,
) -> Pruned:
    """Drop nodes, then all edges but the fewest that add up to `edge_threshold` of the summed edge score.

    The score of an edge from s to t is `Â[t, s] (I_t + w_t)`: `Â` the absolute weights with each row scaled to sum 1,
    `I_t` the influence and `w_t` the `target_weight` of t, all in the graph of the kept nodes. Then features and errors
    without an outgoing edge and features without an incoming edge are dropped until none is left; tokens and logits
    always stay. (Ameisen et al. 2025, "Circuit Tracing", graph pruning.)
    """
    n_features, n_errors = len(keep_features), len(keep_errors)
    features, errors = np.flatnonzero(keep_features), np.flatnonzero(keep_errors)
    rows = np.concatenate([features, np.arange(n_features, weights.shape[0])])
    columns = np.concatenate([features, n_features + errors, np.arange(n_features + n_errors, weights.shape[1])])
    part = weights[np.ix_(rows, columns)]

    influence, totals = flow(part, feature_layer[features], target_weight)
    effect = np.concatenate([influence[: len(features)], target_weight])
    edges = fewest_reaching(edge_scores(part, effect, totals), edge_threshold)
    alive = connected(edges, len(features), len(errors))

    alive_rows = np.concatenate([alive[: len(features)], np.ones(len(target_weight), dtype=bool)])
    part *= edges
    left_features, left_errors = np.zeros(n_features, dtype=bool), np.zeros(n_errors, dtype=bool)
    left_features[features] = alive[: len(features)]
    left_errors[errors] = alive[len(features) : len(features) + len(errors)]
    return Pruned(left_features, left_errors, part[np.ix_(alive_rows, alive)])


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
