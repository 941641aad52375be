"""A graph from a table of its nodes, a table of its edges, and its description: what GraphML, Parquet and networkx have."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from circuit_widget.arguments import plain_number, quoted
from circuit_widget.graph.header_json import LARGEST, description, read_description
from circuit_widget.nodes import NodeKind, logit_id

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph

DESCRIPTION = "circuit_widget"
"""Name of the description, as JSON, among the attributes of a whole graph in these formats."""

LARGEST_WHOLE = 2**31 - 1


def description_text(graph: Graph) -> str:
    """Return everything of a graph but its arrays and its model as JSON of ASCII characters alone."""
    return json.dumps(description(graph), allow_nan=False)


def graph_of_tables(text: str, nodes: Sequence[Mapping[str, Any]], edges: Iterable[tuple[Any, Any, Any]]) -> Graph:
    """Return the graph of a description, rows of nodes in any order, and edges as source, target and weight.

    Of a node's columns, `id`, `kind`, `layer`, `position`, `feature`, `activation`, `influence` and `share` are read; the
    others are in the description. Raises ValueError, with a sentence, for what is missing or contradicts itself.
    """
    from circuit_widget.graph.file import graph_of_parts

    fields = read_description(text)
    logits = [logit_id(fields["n_layers"], one.token_id, fields["position"]) for one in fields["targets"]]
    rows = {kind: [row for row in nodes if row.get("kind") == str(kind)] for kind in NodeKind}
    if sum(map(len, rows.values())) != len(nodes):
        other = next(row for row in nodes if row.get("kind") not in [str(kind) for kind in NodeKind])
        raise ValueError(f"the node {quoted(other.get('id'))} is of the kind {quoted(other.get('kind'))}")
    features = sorted(rows[NodeKind.FEATURE], key=lambda row: _place(row, feature=True))
    errors = sorted(rows[NodeKind.ERROR], key=_place)
    tokens = sorted(rows[NodeKind.TOKEN], key=lambda row: _whole(row, "position"))
    order = {node: number for number, node in enumerate(logits)}
    ends = sorted(rows[NodeKind.LOGIT], key=lambda row: order.get(str(row.get("id")), len(order)))
    sources, targets = [*features, *errors, *tokens], [*features, *ends]
    everything = [*sources, *ends]
    arrays = {
        "feature_layer": _numbers(features, "layer"),
        "feature_position": _numbers(features, "position"),
        "feature_index": _numbers(features, "feature"),
        "activation": _reals(features, "activation"),
        "error_layer": _numbers(errors, "layer"),
        "error_position": _numbers(errors, "position"),
        "token_position": _numbers(tokens, "position"),
        "weights": _weights(targets, sources, edges),
        "influence": _reals(everything, "influence"),
        "share": _reals(everything, "share"),
    }
    graph = graph_of_parts(text, arrays)
    for node, row in zip(graph.node_ids, everything, strict=True):
        if node != row.get("id"):
            raise ValueError(f"the node {quoted(row.get('id'))} is {node} by its columns")
    return graph


def _place(row: Mapping[str, Any], feature: bool = False) -> tuple[int, ...]:
    keys = ("layer", "position", "feature") if feature else ("layer", "position")
    return tuple(_whole(row, key) for key in keys)


def _whole(row: Mapping[str, Any], key: str) -> int:
    value = plain_number(row.get(key))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -1 <= value <= LARGEST_WHOLE:
        raise ValueError(f"the {key} of the node {quoted(row.get('id'))} is {quoted(value)}, expected a whole number")
    return value


def _real(what: str, given: object) -> float:
    value = plain_number(given)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        raise ValueError(f"{what} is {quoted(value)}, expected a number")
    return float(value)


def _numbers(rows: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    return np.array([_whole(row, key) for row in rows], dtype=np.int32)


def _reals(rows: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    return np.array([_real(f"the {key} of the node {quoted(row.get('id'))}", row.get(key)) for row in rows], np.float32)


def _weights(
    targets: Sequence[Mapping[str, Any]],
    sources: Sequence[Mapping[str, Any]],
    edges: Iterable[tuple[Any, Any, Any]],
) -> np.ndarray:
    rows, columns = ({str(row.get("id")): number for number, row in enumerate(end)} for end in (targets, sources))
    weights = np.zeros((len(targets), len(sources)), dtype=np.float32)
    for number, (source, target, weight) in enumerate(edges):
        row, column = rows.get(target), columns.get(source)
        if row is None or column is None:
            raise ValueError(
                f"edge {number} leads from {quoted(source)} to {quoted(target)}, between which none can be"
            )
        if weights[row, column]:
            raise ValueError(f"edge {number} leads from {quoted(source)} to {quoted(target)}, as another edge does")
        weights[row, column] = _real(f"the weight of edge {number}", weight)
    return weights
