"""Edges between boxes of a circuit, from the edges between their nodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float64, Int64, Integer

if TYPE_CHECKING:
    from circuit_widget.graph import Graph


LEAST_OUTSIDE = 1e-6
"""Share of a box's input below which its input from outside counts as rounding error."""


@dataclass(frozen=True)
class NodeEdges:
    """Edges between nodes, by node index, and the summed absolute weight of everything that enters each node."""

    source: Integer[np.ndarray, " edges"]
    target: Integer[np.ndarray, " edges"]
    weight: Float[np.ndarray, " edges"]
    input_total: Float[np.ndarray, " nodes"]


@dataclass(frozen=True)
class BoxEdge:
    """An edge between two boxes, by their index; `share` is signed, in [-1, 1]."""

    source: int
    target: int
    share: float


def edges_among(graph: Graph, boxes: Sequence[Sequence[int]]) -> NodeEdges:
    """Return all edges of a graph between the nodes of some boxes, weak ones included."""
    boxed = np.unique(np.array([node for box in boxes for node in box], dtype=np.int64))
    rows, columns = np.flatnonzero(np.isin(graph.row_nodes, boxed)), boxed[boxed < graph.weights.shape[1]]
    weights = graph.weights[np.ix_(rows, columns)]
    target, source = np.nonzero(weights)
    return NodeEdges(columns[source], graph.row_nodes[rows[target]], weights[target, source], graph.input_total)


def outside_inputs(edges: NodeEdges, boxes: Sequence[Sequence[int]]) -> list[float]:
    """Return for each box T the sum of `f(t)` over its nodes, as in `box_edges`."""
    found: list[float] = _outside(edges, boxes)[1].tolist()
    return found


def shares_into(edges: NodeEdges, boxes: Sequence[Sequence[int]], weights: Float[np.ndarray, " nodes"]) -> list[float]:
    """Return the signed share of each box's input from outside that something outside the graph supplies.

    `weights` are its direct effects on the nodes. The share of box T is `sum_{t in T} (weights[t] / I(t)) /
    sum_{t in T} f(t)`, with `I` and `f` as in `box_edges`: it compares with the shares of the edges into T, of whose input
    it is no part, and can exceed 1. 0 for a box without input from outside.
    """
    _, outside = _outside(edges, boxes)
    total = edges.input_total.astype(np.float64)
    share = np.divide(weights, total, out=np.zeros_like(total), where=total > 0)
    sums = [math.fsum(share[list(nodes)]) for nodes in boxes]
    return [float(one / own) if own > LEAST_OUTSIDE else 0.0 for one, own in zip(sums, outside.tolist(), strict=True)]


def box_edges(edges: NodeEdges, boxes: Sequence[Sequence[int]]) -> list[BoxEdge]:
    """Return the signed share of each box's input from outside that each other box supplies, by source, then target.

    The edge from box S to box T is `sum_{s in S, t in T} (A[t,s] / I(t)) / sum_{t in T} f(t)`. Here `A[t,s]` is the edge
    weight from node s to node t, `I(t)` the sum of `|A[t,s]|` over all sources s of t, `E(t)` the same sum over the
    sources outside T, and `f(t) = E(t) / I(t)`. A node belongs to one box at most. Pairs without an effect have no edge,
    nor have boxes without input from outside.
    """
    n_boxes = len(boxes)
    box_of, outside = _outside(edges, boxes)
    source, target, share = box_of[edges.source], box_of[edges.target], _shares(edges)
    across = (source != target) & (source >= 0) & (target >= 0)
    pairs, pair_of = np.unique(source[across] * n_boxes + target[across], return_inverse=True)
    sums = np.bincount(pair_of, weights=share[across], minlength=len(pairs))
    return [
        BoxEdge(pair // n_boxes, pair % n_boxes, total / outside[pair % n_boxes])
        for pair, total in zip(pairs.tolist(), sums.tolist(), strict=True)
        if total != 0 and outside[pair % n_boxes] > LEAST_OUTSIDE
    ]


def _shares(edges: NodeEdges) -> Float64[np.ndarray, " edges"]:
    """Return the weight of each edge as a share of its target's whole input."""
    total = edges.input_total[edges.target].astype(np.float64)
    shares: Float64[np.ndarray, " edges"] = np.divide(edges.weight, total, out=np.zeros_like(total), where=total > 0)
    return shares


def _outside(
    edges: NodeEdges, boxes: Sequence[Sequence[int]]
) -> tuple[Int64[np.ndarray, " nodes"], Float64[np.ndarray, " boxes"]]:
    """Return the box of each node, -1 for none, and for each box the sum of its nodes' shares of input from outside."""
    n_boxes = len(boxes)
    box_of = np.full(len(edges.input_total), -1, dtype=np.int64)
    for box, nodes in enumerate(boxes):
        box_of[list(nodes)] = box
    source, target = box_of[edges.source], box_of[edges.target]
    boxed = np.flatnonzero((box_of >= 0) & (edges.input_total > 0))
    outside = np.bincount(box_of[boxed], minlength=n_boxes).astype(np.float64)
    within = (source == target) & (target >= 0)
    outside -= np.bincount(target[within], weights=np.abs(_shares(edges)[within]), minlength=n_boxes)
    return box_of, outside
