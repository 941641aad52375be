"""How much of the model a graph explains: the replacement score and the completeness score."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32

from circuit_widget.attribution.influence import Flow, flow, input_totals


def replacement_and_completeness(
    weights: Float32[np.ndarray, "targets sources"],
    feature_layer: Int32[np.ndarray, " features"],
    n_errors: int,
    target_weight: Float[np.ndarray, " logits"],
) -> tuple[float, float]:
    """The two scores of a graph, both in [0, 1].

    Replacement is `I_tokens / (I_tokens + I_errors)`, the summed influence of the tokens as a share of that of tokens and
    errors; 0 where neither has influence. Completeness is `sum_t (1 - sum_e Â[t, e]) (I_t + w_t) / sum_t (I_t + w_t)`
    with t over all nodes and e over errors: `Â` the absolute weights with each row scaled to sum 1, `I_t` the influence
    of t, and `w_t` its `target_weight`, 0 for all nodes but logits.
    (Ameisen et al. 2025, "Circuit Tracing", graph scores.)
    """
    return scores_of(flow(weights, feature_layer, target_weight), weights, len(feature_layer), n_errors, target_weight)


def scores_of(
    solved: Flow,
    weights: Float32[np.ndarray, "targets sources"],
    n_features: int,
    n_errors: int,
    target_weight: Float[np.ndarray, " logits"],
) -> tuple[float, float]:
    """The two scores, from a flow that is already solved."""
    influence, totals = solved
    from_errors = float(influence[n_features : n_features + n_errors].sum())
    from_tokens = float(influence[n_features + n_errors :].sum())
    reached = from_tokens + from_errors
    effect = np.concatenate([influence[:n_features], target_weight])
    everything = float(effect.sum()) + reached
    error_totals = input_totals(weights[:, n_features : n_features + n_errors])
    error_share = np.divide(error_totals, totals, out=np.zeros_like(totals), where=totals > 0)
    unexplained = float((error_share * effect).sum())
    return (from_tokens / reached if reached else 0.0, 1.0 - unexplained / everything if everything else 0.0)


def fold_dropped(
    weights: Float32[np.ndarray, "targets sources"],
    keep: Bool[np.ndarray, " features"],
    feature_key: Int32[np.ndarray, " features"],
    error_key: Int32[np.ndarray, " errors"],
) -> tuple[Float32[np.ndarray, "kept_targets kept_sources"], int]:
    """Weights of the graph without some of its features, whose effects become part of the errors.

    The signed column of a dropped feature is added to the error of the same layer and position, and its row is removed. A
    key is one number for each layer and position; a key without an error gets one. Returns the weights and the number of
    errors in them.
    """
    n_features, n_errors = len(keep), len(error_key)
    rows = np.concatenate([np.flatnonzero(keep), np.arange(n_features, weights.shape[0])])
    unexplained = np.concatenate([np.flatnonzero(~keep), np.arange(n_features, n_features + n_errors)])
    key = np.concatenate([feature_key[~keep], error_key])
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    columns = weights[np.ix_(rows, unexplained[order])]
    errors = np.add.reduceat(columns, starts, axis=1) if len(starts) else columns
    kept = weights[np.ix_(rows, np.flatnonzero(keep))]
    tokens = weights[rows, n_features + n_errors :]
    return np.concatenate([kept, errors, tokens], axis=1), len(starts)
