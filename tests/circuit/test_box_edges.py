"""Edges between boxes, against the table that also checks the frontend, and against their definition."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuit_widget.circuit.box_edges import NodeEdges, box_edges, shares_into

FIXTURE = json.loads((Path(__file__).parents[1] / "fixtures/box_edges.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", FIXTURE["cases"], ids=lambda case: case["case"])
def test_case(case: dict[str, Any]) -> None:
    index = {node: place for place, node in enumerate(case["nodes"])}
    edges = NodeEdges(
        source=np.array([index[source] for source, _, _ in case["edges"]]),
        target=np.array([index[target] for _, target, _ in case["edges"]]),
        weight=np.array([weight for _, _, weight in case["edges"]], dtype=np.float32),
        input_total=np.array(case["input_total"], dtype=np.float32),
    )
    found = box_edges(edges, [[index[node] for node in box] for box in case["boxes"]])
    assert [(edge.source, edge.target) for edge in found] == [(source, target) for source, target, _ in case["expect"]]
    assert [edge.share for edge in found] == pytest.approx([share for _, _, share in case["expect"]], abs=1e-6)


@pytest.mark.parametrize("case", FIXTURE["into"], ids=lambda case: case["case"])
def test_shares_of_what_comes_from_elsewhere(case: dict[str, Any]) -> None:
    index = {node: place for place, node in enumerate(case["nodes"])}
    edges = NodeEdges(
        source=np.array([index[source] for source, _, _ in case["edges"]]),
        target=np.array([index[target] for _, target, _ in case["edges"]]),
        weight=np.array([weight for _, _, weight in case["edges"]], dtype=np.float32),
        input_total=np.array(case["input_total"], dtype=np.float32),
    )
    weights = np.array([case["weights"].get(node, 0.0) for node in case["nodes"]])
    found = shares_into(edges, [[index[node] for node in box] for box in case["boxes"]], weights)
    assert found == pytest.approx(case["expect"], abs=1e-6)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32])
def test_node_numbers_of_any_type_and_more_pairs_of_boxes_than_such_a_type_counts(dtype: type[np.generic]) -> None:
    n = 70_000
    edges = NodeEdges(
        source=np.array([0, n - 2], dtype=dtype),
        target=np.array([n - 1, n - 1], dtype=dtype),
        weight=np.array([3, -1], dtype=np.float32),
        input_total=np.array([0] * (n - 1) + [4], dtype=np.float32),
    )
    found = box_edges(edges, [[node] for node in range(n)])
    assert [(edge.source, edge.target, edge.share) for edge in found] == [(0, n - 1, 0.75), (n - 2, n - 1, -0.25)]


def by_definition(weights: np.ndarray, boxes: list[list[int]], source: int, target: int) -> float | None:
    """The share, written as its formula is."""
    inputs = np.abs(weights).sum(axis=1)
    members, sources = boxes[target], boxes[source]
    outside = [node for node in range(len(weights)) if node not in members]
    fed = [node for node in members if inputs[node] > 0]
    fraction = sum(np.abs(weights[node, outside]).sum() / inputs[node] for node in fed)
    effect = sum(weights[node, other] / inputs[node] for node in fed for other in sources)
    return effect / fraction if fraction > 0 and effect != 0 else None


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(1, 5))
def test_definition(seed: int, n_nodes: int, n_boxes: int) -> None:
    random = np.random.default_rng(seed)
    weights = np.tril(random.integers(-8, 9, (n_nodes, n_nodes)), -1) * (random.random((n_nodes, n_nodes)) < 0.6)
    member = random.integers(-1, n_boxes, n_nodes)
    boxes = [np.flatnonzero(member == box).tolist() for box in range(n_boxes)]
    target, source = np.nonzero(weights)
    edges = NodeEdges(
        source, target, weights[target, source].astype(np.float32), np.abs(weights).sum(axis=1).astype(np.float64)
    )

    found = {(edge.source, edge.target): edge.share for edge in box_edges(edges, boxes)}

    for one in range(n_boxes):
        for other in range(n_boxes):
            share = None if one == other else by_definition(weights, boxes, one, other)
            # A sum that is zero but for rounding may or may not be an edge.
            if share is None or abs(share) < 1e-9:
                assert abs(found.get((one, other), 0.0)) < 1e-9
            else:
                assert found[one, other] == pytest.approx(share, rel=1e-5)
    assert all(abs(share) <= 1 + 1e-6 for share in found.values())
