"""The visible part of a graph, and the thresholds of a circuit that has none of its own."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.display.filtering import passes_filters
from circuit_widget.display.token_runs import LONG_PROMPT, runs_without
from circuit_widget.graph import Graph

MOST_NODES = 1_500
MOST_EDGES = 30_000

NODE_THRESHOLD = 0.8
"""Share of influence that visible nodes have at first, where that is not too much to read."""
EDGE_THRESHOLD = 0.98
"""Share of edge score that visible edges have at first, where that is not too much to read."""
READABLE_NODES = 120
"""Features and errors that are visible at first, at most."""
READABLE_EDGES = 200
"""Edges that are within the edge threshold at first, at most."""
TOKEN_EDGES = 20
"""Tokens whose strongest edge is visible though it is beyond the threshold: of a long prompt, all of them are a fog."""


@dataclass(frozen=True)
class ErrorBand:
    """The visible errors of a layer that are drawn as one band: how many, and their summed influence."""

    layer: int
    count: int
    influence: float


@dataclass(frozen=True)
class VisibleGraph:
    """Indices of the visible nodes, ascending, and the visible edges between them, weakest first.

    `error_bands` are from the lowest layer up; the errors in them are not among the nodes.

    `share` is the edge's weight as a signed share of its target's whole input. `score` is the summed share of edge score
    of this edge and all stronger ones: the lower, the stronger.
    """

    nodes: Int[np.ndarray, " visible"]
    source: Int[np.ndarray, " edges"]
    target: Int[np.ndarray, " edges"]
    share: Float[np.ndarray, " edges"]
    score: Float[np.ndarray, " edges"]
    error_bands: tuple[ErrorBand, ...] = ()


@dataclass(frozen=True)
class Thresholds:
    """The share of influence that visible nodes have, and the share of edge score that visible edges have."""

    node: float
    edge: float


def first_thresholds(graph: Graph) -> Thresholds:
    """Return the thresholds of a circuit that has none of its own: the largest at which a person can read the map.

    At most 120 features and errors are within the node threshold, which is at most 0.8, and at most 200 edges between
    visible nodes are within the edge threshold, which is at most 0.98.
    """
    ranked = graph.share[: graph.n_features + graph.n_errors]
    node = _largest(np.sort(ranked), READABLE_NODES, NODE_THRESHOLD)
    visible = _within(graph, node, np.zeros(graph.n_nodes, dtype=bool))
    edges = graph.strongest_edges(READABLE_EDGES + 1, among=np.flatnonzero(visible))
    return Thresholds(node, _largest(edges.share, READABLE_EDGES, EDGE_THRESHOLD))


def thresholds_of(graph: Graph, circuit: Circuit) -> Thresholds:
    """Return the thresholds of a circuit on a graph: its own, or else the first ones."""
    node, edge = circuit.node_threshold, circuit.edge_threshold
    if node is not None and edge is not None:
        return Thresholds(node, edge)
    first = first_thresholds(graph)
    return Thresholds(first.node if node is None else node, first.edge if edge is None else edge)


def _largest(shares: Float[np.ndarray, " items"], most: int, limit: float) -> float:
    """Return the largest threshold up to a limit that at most `most` of the shares, ascending, are within."""
    if len(shares) <= most or shares[most] > limit:
        return limit
    return float(shares[shares < shares[most]][-1:].sum())


def visible_graph(graph: Graph, circuit: Circuit) -> VisibleGraph:
    """Return the nodes within the node threshold, tokens, logits and the circuit's nodes, and edges within theirs.

    Features and errors without a path of visible nodes to a logit are not visible unless they are in the circuit. The
    strongest edge from each node on such a path is visible whatever the threshold; of tokens, the 20 strongest of these
    are. The token at position 0 is visible only with a visible edge or in the circuit. At most the 1,500 nodes with most
    influence and the 30,000 strongest edges are visible. What the circuit's filters hide is not visible unless it is in
    the circuit, and is on paths nevertheless. Of a prompt with more than 24 tokens, at least 3 in a row are not visible if
    they have no visible edge, nothing else visible at their positions, and are not in the circuit.
    """
    thresholds = thresholds_of(graph, circuit)
    grouped = [node for supernode in circuit.supernodes for node in supernode.nodes]
    kept = np.zeros(graph.n_nodes, dtype=bool)
    kept[list(graph.resolve([*circuit.pinned, *grouped]))] = True
    within = _within(graph, thresholds.node, kept)
    strongest = graph.strongest_edges(MOST_EDGES, among=np.flatnonzero(within))
    source, target = strongest.source, strongest.target
    reaching = _reaching(graph, source, target)
    ranked = graph.n_features + graph.n_errors
    visible = within & (reaching | kept)
    visible[ranked:] = True
    visible &= passes_filters(graph, circuit) | kept
    in_bands = np.zeros(graph.n_nodes, dtype=bool)
    in_bands[graph.n_features : ranked] = circuit.filters.error_bands
    in_bands &= visible & ~kept
    visible &= ~in_bands
    between = visible[source] & visible[target] & _of_sign(strongest.weight, circuit.filters.sign)
    by_threshold = strongest.share <= thresholds.edge
    backbone = _backbone(source, target, strongest.share, between & reaching[target])
    weak = np.flatnonzero(backbone & ~by_threshold & (source >= ranked))
    backbone[weak[np.lexsort((source[weak], strongest.share[weak].astype(np.float32)))[TOKEN_EDGES:]]] = False
    between &= by_threshold | backbone
    first = ranked + np.flatnonzero(graph.token_position == 0)
    visible[first[~kept[first] & ~np.isin(first, source[between])]] = False
    order = np.flatnonzero(between)[::-1]
    source, target = source[order], target[order]
    _hide_idle_tokens(graph, kept, visible, source)
    share = strongest.weight[order] / graph.input_total[target]
    return VisibleGraph(
        np.flatnonzero(visible), source, target, share, strongest.share[order], _error_bands(graph, in_bands)
    )


def _hide_idle_tokens(
    graph: Graph,
    kept: Bool[np.ndarray, " nodes"],
    visible: Bool[np.ndarray, " nodes"],
    source: Int[np.ndarray, " edges"],
) -> None:
    """Take the tokens of a long prompt that have nothing to show out of the visible nodes, where they are in a run."""
    if len(graph.tokens) <= LONG_PROMPT:
        return
    ranked = graph.n_features + graph.n_errors
    positions = graph.node_position
    busy = visible.copy()
    busy[ranked : graph.weights.shape[1]] &= kept[ranked : graph.weights.shape[1]]
    busy[source] = True
    for first, last in runs_without(positions[busy].tolist(), len(graph.tokens)):
        idle = (positions >= first) & (positions <= last)
        visible[idle] = False


def _error_bands(graph: Graph, errors: Bool[np.ndarray, " nodes"]) -> tuple[ErrorBand, ...]:
    """Return the bands of some errors, one for each layer that has any."""
    layers, influence = graph.node_layer[errors], graph.influence[errors]
    return tuple(
        ErrorBand(layer, int((layers == layer).sum()), float(influence[layers == layer].sum()))
        for layer in np.unique(layers).tolist()
    )


def _of_sign(weight: Float[np.ndarray, " edges"], sign: str | None) -> Bool[np.ndarray, " edges"]:
    """Return which edges have a sign: all of them where it is None."""
    if sign is None:
        return np.ones(len(weight), dtype=bool)
    return weight > 0 if sign == "excites" else weight < 0


def _within(graph: Graph, threshold: float, kept: Bool[np.ndarray, " nodes"]) -> Bool[np.ndarray, " nodes"]:
    """Return which nodes are within a threshold, tokens, logits, or kept."""
    within = kept.copy()
    ranked = graph.n_features + graph.n_errors
    sources = graph.weights.shape[1]
    if sources:
        limit = max(threshold, float(graph.share[:sources].min()))
        strongest = np.argsort(-graph.influence[:ranked], kind="stable")[:MOST_NODES]
        within[strongest[graph.share[strongest] <= limit]] = True
    within[ranked:] = True
    return within


def _reaching(
    graph: Graph, source: Int[np.ndarray, " edges"], target: Int[np.ndarray, " edges"]
) -> Bool[np.ndarray, " nodes"]:
    """Return the nodes with a path over the edges to a logit, logits among them."""
    reaching = np.zeros(graph.n_nodes, dtype=bool)
    reaching[graph.weights.shape[1] :] = True
    found = len(source)
    while found:
        found = int((reaching[target] & ~reaching[source]).sum())
        reaching[source[reaching[target]]] = True
    return reaching


def _backbone(
    source: Int[np.ndarray, " edges"],
    target: Int[np.ndarray, " edges"],
    share: Float[np.ndarray, " edges"],
    onward: Bool[np.ndarray, " edges"],
) -> Bool[np.ndarray, " edges"]:
    """Return which edges are the strongest from their source, of those that lead onward."""
    candidates = np.flatnonzero(onward)
    ordered = candidates[np.lexsort((target[candidates], share[candidates]))]
    _, strongest = np.unique(source[ordered], return_index=True)
    backbone = np.zeros(len(source), dtype=bool)
    backbone[ordered[strongest]] = True
    return backbone
