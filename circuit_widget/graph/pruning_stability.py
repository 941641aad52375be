"""Stability of a graph: in how many of several prunings each of its nodes and edges stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int32

from circuit_widget.arguments import check_callable, entries_of, share_of
from circuit_widget.attribution.prune import remaining
from circuit_widget.errors import Cancelled, CircuitError, CircuitWidgetError
from circuit_widget.graph.subgraph import kept_nodes
from circuit_widget.graph.tables import edge_frame, node_frame
from circuit_widget.model.runs_model import CANCELLED_IS
from circuit_widget.progress import IsCancelled, ProgressChoice, reporting

if TYPE_CHECKING:
    import pandas

    from circuit_widget.graph.graph import Graph

NODE_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
EDGE_THRESHOLDS = (0.9, 0.95, 0.98, 0.99)
"""The thresholds that a graph is pruned with unless others are given: each pair of the two, 20 prunings."""


@dataclass(frozen=True, eq=False, repr=False)
class GraphStability:
    """In how many prunings of one graph each node and each edge stays.

    Attributes:
        graph: the whole graph.
        node_thresholds, edge_thresholds: the graph was pruned with each pair of them, see `Graph.prune`.
        node_kept: number of prunings in which each node stays, in node order; tokens and logits stay in all.
        edge_kept: number of prunings in which each edge stays, in the shape of `graph.weights`.
    """

    graph: Graph = field(repr=False)
    node_thresholds: tuple[float, ...]
    edge_thresholds: tuple[float, ...]
    node_kept: Int32[np.ndarray, " nodes"]
    edge_kept: Int32[np.ndarray, "targets sources"]

    def __post_init__(self) -> None:
        self.node_kept.setflags(write=False)
        self.edge_kept.setflags(write=False)

    @property
    def prunings(self) -> int:
        """Number of prunings."""
        return len(self.node_thresholds) * len(self.edge_thresholds)

    @property
    def by_node(self) -> Mapping[str, float]:
        """Share of the prunings in which each node stays, by node id."""
        return dict(zip(self.graph.node_ids, (self.node_kept / self.prunings).tolist(), strict=True))

    @property
    def nodes(self) -> pandas.DataFrame:
        """One row for each node, in node order: the columns of `Graph.to_frames`, kept, stability.

        `kept` is the number of prunings in which the node stays, `stability` is their share of all.
        """
        return node_frame(self.graph).assign(kept=self.node_kept, stability=self.node_kept / self.prunings)

    @property
    def edges(self) -> pandas.DataFrame:
        """One row for each edge of the graph: source, target, weight, kept, stability; see `nodes`."""
        kept = self.edge_kept[np.nonzero(self.graph.weights)]
        return edge_frame(self.graph).assign(kept=kept, stability=kept / self.prunings)

    def __repr__(self) -> str:
        kept = self.node_kept[: self.graph.n_features]
        edges = self.edge_kept[np.nonzero(self.graph.weights)]
        always, never = int((kept == self.prunings).sum()), int((kept == 0).sum())
        return (
            f"Of {len(kept):,} {self.graph.basis}, {_stay(always)} in all {self.prunings} prunings "
            f"(nodes {_range(self.node_thresholds)}, edges {_range(self.edge_thresholds)}), "
            f"{len(kept) - always - never:,} in some and {never:,} in none; of {len(edges):,} edges, "
            f"{_stay(int((edges == self.prunings).sum()))} in all."
        )


def stability(
    graph: Graph,
    node_thresholds: Iterable[float] = NODE_THRESHOLDS,
    edge_thresholds: Iterable[float] = EDGE_THRESHOLDS,
    *,
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> GraphStability:
    """In how many prunings each node and edge stays: `prune` with each pair of a node and an edge threshold.

    By default nodes 0.5, 0.6, 0.7, 0.8, 0.9 and edges 0.9, 0.95, 0.98, 0.99: 20 prunings. What stays in all of them does
    not depend on which of these thresholds one takes. `progress` and `cancelled` are as in `trace`.
    Raises CircuitError for thresholds that are no list of different shares, and for a pruned graph, which no longer has
    all the nodes and edges that are counted.
    """
    nodes, edges = _thresholds(node_thresholds, "node"), _thresholds(edge_thresholds, "edge")
    check_callable(cancelled, CANCELLED_IS, CircuitWidgetError)
    if graph.pruned:
        raise CircuitError(
            "This graph was pruned and no longer has every node and edge whose stability is counted. "
            "Use the graph it was pruned from."
        )
    node_kept = np.zeros(graph.n_nodes, dtype=np.int32)
    edge_kept = np.zeros(graph.weights.shape, dtype=np.int32)
    with reporting(progress) as report:
        for place, node_threshold in enumerate(nodes):
            part = kept_nodes(graph, node_threshold)
            counts = np.zeros(part.weights.shape, dtype=np.int32)
            for number, edge_threshold in enumerate(edges):
                if cancelled is not None and cancelled():
                    raise Cancelled("Pruning was cancelled.")
                report((place + number / len(edges)) / len(nodes), "Pruning")
                left = remaining(part, edge_threshold)
                node_kept[part.columns[left.columns]] += 1
                counts += left.edges
            edge_kept[np.ix_(part.rows, part.columns)] += counts
        report(1.0, "Pruned")
    node_kept[graph.weights.shape[1] :] = len(nodes) * len(edges)
    return GraphStability(graph, nodes, edges, node_kept, edge_kept)


def _thresholds(given: object, kind: str) -> tuple[float, ...]:
    expected = f"The {kind} thresholds are a list of shares between 0 and 1"
    shares = [
        share_of(one, f"A threshold of {kind}s", CircuitError) for one in entries_of(given, expected, CircuitError)
    ]
    if not shares:
        raise CircuitError(f"{expected}; given none.")
    if len(set(shares)) < len(shares):
        raise CircuitError(f"{expected}, each once, so that no pruning counts twice; given {len(shares)} with repeats.")
    return tuple(sorted(shares))


def _stay(count: int) -> str:
    return f"{count:,} {'stays' if count == 1 else 'stay'}"


def _range(thresholds: tuple[float, ...]) -> str:
    low, high = f"{thresholds[0]:.3g}", f"{thresholds[-1]:.3g}"
    return low if len(thresholds) == 1 else f"{low} to {high}"
