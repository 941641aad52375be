"""Which nodes and edges of two graphs are the same ones."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from circuit_widget.graph import Graph
from circuit_widget.graph.recipe_checks import target_kinds
from circuit_widget.nodes import NodeKind

NOWHERE = -1
"""Index of a node that a graph does not have."""


@dataclass(frozen=True)
class MatchedNodes:
    """The nodes of two graphs, each once: its indices in node order here and there, NOWHERE where a graph lacks it."""

    here: Int64[np.ndarray, " nodes"]
    there: Int64[np.ndarray, " nodes"]


@dataclass(frozen=True)
class MatchedEdges:
    """The edges of two graphs, each once: source and target among the matched nodes; weights, NaN where there is none."""

    source: Int64[np.ndarray, " edges"]
    target: Int64[np.ndarray, " edges"]
    before: Float32[np.ndarray, " edges"]
    after: Float32[np.ndarray, " edges"]


def match_nodes(graph: Graph, other: Graph, pairs: Mapping[int, int]) -> MatchedNodes:
    """Return which nodes are the same: first those of `graph` in node order, then those that only `other` has.

    Features are the same with the same layer and number at positions that are counterparts, errors with the same layer
    there, tokens by position alone, logits by token. `pairs` maps positions of `graph` to those of `other`, each once.
    """
    positions = {other_position: position for position, other_position in pairs.items()}
    places = {key: index for index, key in enumerate(_keys(graph, {position: position for position in pairs}))}
    there = np.full(graph.n_nodes, NOWHERE, dtype=np.int64)
    only_there = []
    for index, key in enumerate(_keys(other, positions)):
        place = None if key is None else places.get(key)
        if place is None:
            only_there.append(index)
        else:
            there[place] = index
    here = np.concatenate([np.arange(graph.n_nodes), np.full(len(only_there), NOWHERE)], dtype=np.int64)
    return MatchedNodes(here, np.concatenate([there, np.array(only_there, dtype=np.int64)]))


def match_edges(graph: Graph, other: Graph, nodes: MatchedNodes) -> MatchedEdges:
    """Return the edges of both graphs, those with the largest absolute weight in either first."""
    count = len(nodes.here)
    before, after = _edges(graph, nodes.here, count), _edges(other, nodes.there, count)
    numbers = np.union1d(before[0], after[0])
    weights = [_spread(numbers, *one) for one in (before, after)]
    size = np.fmax(*(np.abs(one) for one in weights))
    order = np.argsort(-size, kind="stable")
    return MatchedEdges(numbers[order] % count, numbers[order] // count, weights[0][order], weights[1][order])


def _keys(graph: Graph, positions: Mapping[int, int]) -> list[Hashable | None]:
    """Return what says of each node which one it is; None at positions without a counterpart.

    `positions` are those of the graph with their counterparts.
    """
    keys: list[Hashable | None] = []
    numbers = [*graph.feature_index.tolist(), *([None] * (graph.n_nodes - graph.n_features))]
    first_logit = graph.weights.shape[1]
    rows = zip(graph.node_kinds, graph.node_layer.tolist(), graph.node_position.tolist(), numbers, strict=True)
    for kind, layer, position, number in list(rows)[:first_logit]:
        keys.append((kind, layer, positions[position], number) if position in positions else None)
    kinds = target_kinds(graph.recipe) or [target.token_id for target in graph.targets]
    for target, token in zip(graph.targets, kinds, strict=True):
        # The ids of contrasts and directions are those of one graph alone.
        keys.append((NodeKind.LOGIT, target.token if token is None else target.token_id))
    return keys


def _edges(
    graph: Graph, indices: Int64[np.ndarray, " nodes"], count: int
) -> tuple[Int64[np.ndarray, " edges"], Float32[np.ndarray, " edges"]]:
    """Return the number of each edge of a graph, in ascending order, and its weight."""
    places = np.zeros(graph.n_nodes, dtype=np.int64)
    has = indices != NOWHERE
    places[indices[has]] = np.flatnonzero(has)
    target, source = np.nonzero(graph.weights)
    numbers = places[graph.row_nodes[target]] * count + places[source]
    order = np.argsort(numbers)
    return numbers[order], graph.weights[target, source][order]


def _spread(
    numbers: Int64[np.ndarray, " edges"], own: Int64[np.ndarray, " some"], weights: Float32[np.ndarray, " some"]
) -> Float32[np.ndarray, " edges"]:
    spread: Float32[np.ndarray, " edges"] = np.full(len(numbers), np.nan, dtype=np.float32)
    spread[np.searchsorted(numbers, own)] = weights
    return spread
