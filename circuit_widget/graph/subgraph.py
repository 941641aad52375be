"""Parts of a graph: the pruned graph, and the scores of a circuit of some of its features."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from circuit_widget.arguments import share_of
from circuit_widget.attribution.prune import fewest_influential, prune
from circuit_widget.attribution.scores import fold_dropped, replacement_and_completeness
from circuit_widget.errors import CircuitError
from circuit_widget.graph.arrays import ERROR_ARRAYS, FEATURE_ARRAYS
from circuit_widget.nodes import Scores

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph


def pruned(graph: Graph, node_threshold: float, edge_threshold: float) -> Graph:
    """The part of a graph with nearly all of the effect; see `Graph.prune`."""
    node_threshold = share_of(node_threshold, "The node threshold", CircuitError)
    edge_threshold = share_of(edge_threshold, "The edge threshold", CircuitError)
    n_sources = graph.weights.shape[1]
    keep = fewest_influential(graph.share[:n_sources], graph.influence[:n_sources], node_threshold)
    left = prune(
        graph.weights,
        graph.feature_layer,
        graph.target_weight,
        keep[: graph.n_features],
        keep[graph.n_features : graph.n_features + graph.n_errors],
        edge_threshold,
    )
    others = np.ones(graph.n_nodes - graph.n_features - graph.n_errors, dtype=bool)
    nodes = np.concatenate([left.features, left.errors, others])
    left_ids = {node for node, stays in zip(graph.node_ids, nodes, strict=True) if stays}
    return replace(
        graph,
        **{name: getattr(graph, name)[left.features] for name in FEATURE_ARRAYS},
        **{name: getattr(graph, name)[left.errors] for name in ERROR_ARRAYS},
        weights=left.weights,
        influence=graph.influence[nodes],
        share=graph.share[nodes],
        labels={node: text for node, text in graph.labels.items() if node in left_ids},
        recipe={**graph.recipe, "thresholds": {"node": node_threshold, "edge": edge_threshold}},
    )


def scores_of_circuit(graph: Graph, keep: Iterable[int]) -> Scores:
    """The scores of the circuit of the features with these indices in node order; see `Graph.scores`."""
    if graph.pruned:
        raise CircuitError(
            "This graph was pruned and no longer has every edge that the scores of a circuit depend on. "
            "Use the graph it was pruned from."
        )
    kept = np.zeros(graph.n_nodes, dtype=bool)
    kept[list(keep)] = True
    features, positions = kept[: graph.n_features], len(graph.tokens)
    weights, n_errors = fold_dropped(
        graph.weights,
        features,
        graph.feature_layer * positions + graph.feature_position,
        graph.error_layer * positions + graph.error_position,
    )
    return Scores(*replacement_and_completeness(weights, graph.feature_layer[features], n_errors, graph.target_weight))
