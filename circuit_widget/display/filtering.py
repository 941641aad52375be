"""Which nodes of a graph the filters of its circuit hide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32, Integer

from circuit_widget.nodes import NodeKind

if TYPE_CHECKING:
    from circuit_widget.circuit.circuit import Circuit
    from circuit_widget.graph import Graph
    from circuit_widget.graph.pruning_stability import GraphStability

MOST_STABILITY_EDGES = 4_000_000
"""A graph with more edges is pruned 20 times in more than half a second: too long to wait for a map."""

UNKNOWN = -1.0


def known_stability(graph: Graph) -> GraphStability | None:
    """Return the stability of a graph, see `Graph.stability`; None where the graph was pruned or is too large to wait for it."""
    if graph.pruned or np.count_nonzero(graph.weights) > MOST_STABILITY_EDGES:
        return None
    return graph.stability(progress=False)


def node_stability(graph: Graph, found: GraphStability | None) -> Float32[np.ndarray, " nodes"]:
    """Return the share of prunings in which each node stays; -1 where it is not known."""
    if found is None:
        return np.full(graph.n_nodes, UNKNOWN, dtype=np.float32)
    return (found.node_kept / found.prunings).astype(np.float32)


def kept_edges(
    found: GraphStability, source: Integer[np.ndarray, " edges"], target: Integer[np.ndarray, " edges"]
) -> Integer[np.ndarray, " edges"]:
    """Return the number of prunings in which each of some edges stays, by the indices of their nodes in node order."""
    kept: Integer[np.ndarray, " edges"] = found.edge_kept[np.searchsorted(found.graph.row_nodes, target), source]
    return kept


def passes_filters(graph: Graph, circuit: Circuit) -> Bool[np.ndarray, " nodes"]:
    """Return which nodes the filters of a circuit leave visible, whether or not the nodes are in the circuit.

    Errors that are drawn as bands pass, unless another filter hides them.
    """
    filters = circuit.filters
    hidden = [index for node in filters.hidden if (index := graph.find(node)) is not None]
    ranked = graph.n_features + graph.n_errors
    passes = np.ones(graph.n_nodes, dtype=bool)
    passes[[index for index in hidden if graph.node_kinds[index] is not NodeKind.LOGIT]] = False
    if filters.kinds is not None:
        kinds = zip(graph.node_kinds, range(graph.n_nodes), strict=True)
        passes[[node for kind, node in kinds if kind != NodeKind.LOGIT and kind not in filters.kinds]] = False
    if filters.layers is not None:
        passes[:ranked] &= _between(graph.node_layer[:ranked], filters.layers)
    if filters.positions is not None:
        sources = graph.weights.shape[1]
        passes[:sources] &= _between(graph.node_position[:sources], filters.positions)
    if filters.label is not None:
        words = filters.label.lower().split()
        texts = [(circuit.labels.get(node) or graph.labels.get(node) or "").lower() for node in graph.node_ids[:ranked]]
        passes[:ranked] &= np.array([all(word in text for word in words) for text in texts], dtype=bool)
    if filters.stability is not None:
        stability = node_stability(graph, known_stability(graph))[:ranked]
        passes[:ranked] &= (stability == UNKNOWN) | (stability >= np.float32(filters.stability))
    return passes


def _between(numbers: Integer[np.ndarray, " nodes"], bounds: tuple[int, int]) -> Bool[np.ndarray, " nodes"]:
    return (numbers >= bounds[0]) & (numbers <= bounds[1])
