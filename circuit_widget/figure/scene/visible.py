"""The visible part of a graph: the display rule of the screen, for figures."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from circuit_widget.circuit.document import Circuit
from circuit_widget.figure.layout.map_layout import MapNode
from circuit_widget.graph import Graph

MOST_NODES = 1_500
MOST_EDGES = 30_000


@dataclass(frozen=True)
class VisibleGraph:
    """Indices of the visible nodes, ascending, and the visible edges between them, weakest first.

    `share` is the edge's weight as a signed share of its target's whole input. `score` is the summed share of edge score
    of this edge and all stronger ones: the lower, the stronger.
    """

    nodes: Int[np.ndarray, " visible"]
    source: Int[np.ndarray, " edges"]
    target: Int[np.ndarray, " edges"]
    share: Float[np.ndarray, " edges"]
    score: Float[np.ndarray, " edges"]


def visible_graph(graph: Graph, circuit: Circuit) -> VisibleGraph:
    """Return the nodes within the node threshold, tokens, logits and the circuit's nodes, and edges within theirs.

    The token at position 0 is visible only with a visible edge or in the circuit. At most the 1,500 nodes with most
    influence and the 30,000 strongest edges are visible.
    """
    grouped = [node for supernode in circuit.supernodes for node in supernode.nodes]
    kept = np.zeros(graph.n_nodes, dtype=bool)
    kept[list(graph.resolve([*circuit.pinned, *grouped]))] = True
    visible = kept.copy()
    ranked = graph.n_features + graph.n_errors
    sources = graph.weights.shape[1]
    if sources:
        limit = max(circuit.node_threshold, float(graph.share[:sources].min()))
        strongest = np.argsort(-graph.influence[:ranked], kind="stable")[:MOST_NODES]
        visible[strongest[graph.share[strongest] <= limit]] = True
    visible[ranked:] = True
    edges = _edges(graph, visible, circuit.edge_threshold)
    first = ranked + np.flatnonzero(graph.token_position == 0)
    visible[first[~kept[first] & ~np.isin(first, edges.source)]] = False
    return VisibleGraph(np.flatnonzero(visible), edges.source, edges.target, edges.share, edges.score)


def _edges(graph: Graph, visible: np.ndarray, threshold: float) -> VisibleGraph:
    edges = graph.strongest_edges(MOST_EDGES, among=np.flatnonzero(visible))
    order = np.flatnonzero(edges.share <= threshold)[::-1]
    source, target = edges.source[order], edges.target[order]
    return VisibleGraph(
        np.flatnonzero(visible), source, target, edges.weight[order] / graph.input_total[target], edges.share[order]
    )


def map_nodes(graph: Graph, nodes: Iterable[int]) -> list[MapNode]:
    """Return nodes as the layout of the map takes them."""
    layer, position = graph.node_layer, graph.node_position
    return [
        MapNode(str(graph.node_kinds[node]), int(layer[node]), int(position[node]), float(graph.influence[node]))
        for node in nodes
    ]
