"""Parts of a graph: the pruned graph, and the scores of a circuit of some of its features."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from circuit_widget.arguments import share_of
from circuit_widget.attribution.prune import KeptPart, fewest_influential, kept_part, remaining
from circuit_widget.attribution.scores import fold_dropped, replacement_and_completeness
from circuit_widget.errors import CircuitError
from circuit_widget.graph.arrays import ERROR_ARRAYS, FEATURE_ARRAYS
from circuit_widget.nodes import Scores

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph


def kept_nodes(graph: Graph, node_threshold: float) -> KeptPart:
    """The graph of the fewest features and errors with this share of the summed influence, and its edge scores."""
    n_sources = graph.weights.shape[1]
    keep = fewest_influential(graph.share[:n_sources], graph.influence[:n_sources], node_threshold)
    features, errors = keep[: graph.n_features], keep[graph.n_features : graph.n_features + graph.n_errors]
    return kept_part(graph.weights, graph.feature_layer, graph.target_weight, features, errors)


def prune(graph: Graph, node_threshold: float = 0.8, edge_threshold: float = 0.98) -> Graph:
    """The part with nearly all of the effect, as a graph of its own.

    Keeps the fewest nodes with `node_threshold` of the summed influence, then the fewest edges with `edge_threshold`
    of the summed edge score (see `strongest_edges`). Then features and errors without a path to the logits are
    dropped; tokens and logits always stay. Both thresholds are in [0, 1]. Influence, share and scores remain those of
    the whole graph.
    Raises CircuitError when a threshold is out of range.
    """
    node_threshold = share_of(node_threshold, "The node threshold", CircuitError)
    edge_threshold = share_of(edge_threshold, "The edge threshold", CircuitError)
    part = kept_nodes(graph, node_threshold)
    left = remaining(part, edge_threshold)
    nodes = np.zeros(graph.n_nodes, dtype=bool)
    nodes[part.columns[left.columns]] = True
    nodes[graph.weights.shape[1] :] = True
    features, errors = nodes[: graph.n_features], nodes[graph.n_features : graph.n_features + graph.n_errors]
    left_ids = {node for node, stays in zip(graph.node_ids, nodes, strict=True) if stays}
    return replace(
        graph,
        **{name: getattr(graph, name)[features] for name in FEATURE_ARRAYS},
        **{name: getattr(graph, name)[errors] for name in ERROR_ARRAYS},
        weights=(part.weights * left.edges)[np.ix_(left.rows, left.columns)],
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
