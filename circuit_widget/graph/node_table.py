"""Ids, kinds, layers and positions of the nodes of a graph, in node order."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int, Int32, Int64

from circuit_widget.arguments import entries_of, one_line, quoted, whole_number
from circuit_widget.attribution.influence import input_totals
from circuit_widget.errors import NodeError
from circuit_widget.nodes import Feature, NodeKind, error_id, feature_id, logit_id, token_id

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph


class Edges(NamedTuple):
    """Some edges: indices of source and target in node order, signed weights, and cumulative shares of the edge score."""

    source: Int[np.ndarray, " edges"]
    target: Int[np.ndarray, " edges"]
    weight: Float32[np.ndarray, " edges"]
    share: Float32[np.ndarray, " edges"]


def node_ids(graph: Graph) -> tuple[str, ...]:
    """Ids of all nodes, in node order."""
    features = zip(
        graph.feature_layer.tolist(), graph.feature_index.tolist(), graph.feature_position.tolist(), strict=True
    )
    errors = zip(graph.error_layer.tolist(), graph.error_position.tolist(), strict=True)
    return (
        *(feature_id(*feature) for feature in features),
        *(error_id(*error) for error in errors),
        *(token_id(graph.tokens[position].token_id, position) for position in graph.token_position.tolist()),
        *(logit_id(graph.n_layers, target.token_id, graph.position) for target in graph.targets),
    )


def node_kinds(graph: Graph) -> tuple[NodeKind, ...]:
    """Kinds of all nodes, in node order."""
    counts = (graph.n_features, graph.n_errors, len(graph.token_position), len(graph.targets))
    return tuple(kind for kind, count in zip(NodeKind, counts, strict=True) for _ in range(count))


def node_layer(graph: Graph) -> Int32[np.ndarray, " nodes"]:
    """Layers of all nodes, in node order: -1 for tokens, n_layers for logits."""
    tokens, logits = np.full(len(graph.token_position), -1), np.full(len(graph.targets), graph.n_layers)
    return np.concatenate([graph.feature_layer, graph.error_layer, tokens, logits], dtype=np.int32)


def node_position(graph: Graph) -> Int32[np.ndarray, " nodes"]:
    """Positions of all nodes, in node order; the traced position for logits."""
    logits = np.full(len(graph.targets), graph.position)
    return np.concatenate([graph.feature_position, graph.error_position, graph.token_position, logits], dtype=np.int32)


def row_nodes(graph: Graph) -> Int64[np.ndarray, " targets"]:
    """Index in node order of each row of a graph's weights."""
    features, logits = np.arange(graph.n_features), np.arange(graph.weights.shape[1], graph.n_nodes)
    return np.concatenate([features, logits], dtype=np.int64)


def input_total(graph: Graph) -> Float64[np.ndarray, " nodes"]:
    """Summed absolute weight of all edges into each node, in node order; read-only."""
    totals = np.zeros(graph.n_nodes, dtype=np.float64)
    totals[graph.row_nodes] = input_totals(graph.weights)
    totals.setflags(write=False)
    return totals


def feature_at(graph: Graph, index: int) -> Feature:
    """The feature at an index in node order."""
    columns = (graph.feature_layer, graph.feature_position, graph.feature_index)
    return Feature(*(int(column[index]) for column in columns))


def feature_numbers(graph: Graph) -> Int64[np.ndarray, "features 3"]:
    """The layer, position and number of each feature, in node order."""
    columns = (graph.feature_layer, graph.feature_position, graph.feature_index)
    return np.stack(columns, axis=1).astype(np.int64)


def among(graph: Graph, indices: Iterable[int] | None) -> Bool[np.ndarray, " nodes"]:
    """Mask of the nodes with these indices in node order; all for None. Raises NodeError for other indices."""
    if indices is None:
        return np.ones(graph.n_nodes, dtype=bool)
    listed = entries_of(indices, "among is a list of indices in node order, or None for all nodes", NodeError)
    chosen = np.zeros(graph.n_nodes, dtype=bool)
    what, last = "An index in node order", graph.n_nodes - 1
    chosen[[whole_number(index, what, NodeError, most=last) for index in listed]] = True
    return chosen


def labelled(graph: Graph, label: str) -> tuple[str, ...]:
    """Ids of the features with exactly this label, in node order. Raises NodeError where there is none."""
    if not isinstance(label, str) or not label.strip():
        raise NodeError(f"A label is a text that is not empty; given {quoted(label)}.")
    ids = graph.node_ids[: graph.n_features]
    found = tuple(node for node in ids if graph.labels.get(node) == label)
    if found:
        return found
    known = sorted({other for node in ids if (other := graph.labels.get(node))})
    nearest = difflib.get_close_matches(label[:80], known, n=3, cutoff=0.5)
    text = one_line(label, 41)
    known_labels = (
        f"the nearest labels are {', '.join(f'“{other}”' for other in nearest)}"
        if nearest
        else f"it has {len(known)} different labels, see graph.labels"
        if known
        else "none of its features has a label"
    )
    raise NodeError(f"No feature of the graph has the label “{text}”; {known_labels}.")
