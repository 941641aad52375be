"""The strongest edges of a graph, by their share of the effect on the targets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from circuit_widget.arguments import whole_number
from circuit_widget.attribution.strongest_edges import strongest_edges
from circuit_widget.errors import NodeError
from circuit_widget.graph import node_table
from circuit_widget.graph.node_table import Edges

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph


def edges_by_score(graph: Graph, count: int | None, among: Iterable[int] | None) -> Edges:
    """Return the edges with the highest score; see `Graph.strongest_edges`."""
    if count is not None:
        count = whole_number(count, "count, the number of edges, or None for all,", NodeError)
    chosen = node_table.among(graph, among)
    found = strongest_edges(
        graph.weights,
        graph.feature_layer,
        np.concatenate([graph.influence[: graph.n_features], graph.target_weight]),
        graph.input_total[graph.row_nodes],
        np.flatnonzero(chosen[graph.row_nodes]),
        np.flatnonzero(chosen[: graph.weights.shape[1]]),
        count,
    )
    weight = graph.weights[found.row, found.column]
    return Edges(found.column, graph.row_nodes[found.row], weight, found.share)
