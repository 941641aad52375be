"""What a new graph records of the flow of effect: influence, its cumulative share, and scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32

from circuit_widget.attribution.influence import cumulative_share, flow
from circuit_widget.attribution.scores import scores_of
from circuit_widget.nodes import Scores, Target


class FlowValues(NamedTuple):
    """Influence and share of all nodes in node order, 0 for logits, and the scores."""

    influence: Float32[np.ndarray, " nodes"]
    share: Float32[np.ndarray, " nodes"]
    scores: Scores


def flow_of(
    weights: Float32[np.ndarray, "targets sources"],
    feature_layer: Int32[np.ndarray, " features"],
    n_errors: int,
    targets: Sequence[Target],
) -> FlowValues:
    """Return the flow values of a graph with these weights; see `Graph`."""
    target_weight = np.array([target.probability for target in targets], dtype=np.float64)
    solved = flow(weights, feature_layer, target_weight)
    scores = scores_of(solved, weights, len(feature_layer), n_errors, target_weight)
    by_source, logits = solved.influence.astype(np.float32), np.zeros(len(targets), dtype=np.float32)
    influence = np.concatenate([by_source, logits])
    return FlowValues(influence, np.concatenate([cumulative_share(by_source), logits]), Scores(*scores))
