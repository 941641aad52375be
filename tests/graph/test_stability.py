"""Stability of a graph: in how many prunings a node or edge stays, as pruning itself has it."""

import numpy as np
import pytest

from circuit_widget.errors import Cancelled, CircuitError
from circuit_widget.graph import Graph
from tests.graph.graphs import random_graph
from tests.graph.test_prune import WEIGHTS, chain


def by_pruning(
    graph: Graph, nodes: tuple[float, ...], edges: tuple[float, ...]
) -> tuple[dict[str, int], dict[str, int]]:
    """Return in how many prunings each node and each edge is, by pruning one by one."""
    node_kept = dict.fromkeys(graph.node_ids, 0)
    edge_kept: dict[str, int] = {}
    for node_threshold in nodes:
        for edge_threshold in edges:
            left_nodes, left_edges = graph.prune(node_threshold, edge_threshold).to_frames()
            for node in left_nodes["id"]:
                node_kept[node] += 1
            for edge in left_edges["source"] + ">" + left_edges["target"]:
                edge_kept[edge] = edge_kept.get(edge, 0) + 1
    return node_kept, edge_kept


@pytest.mark.parametrize("seed", range(6))
def test_it_counts_what_pruning_keeps(seed: int) -> None:
    graph = random_graph(seed, n_layers=5, n_positions=4)
    nodes, edges = (0.3, 0.6, 0.9, 1.0), (0.2, 0.5, 0.8, 0.95)
    found = graph.stability(nodes, edges, progress=False)
    node_kept, edge_kept = by_pruning(graph, nodes, edges)
    assert dict(zip(found.nodes["id"], found.nodes["kept"], strict=True)) == node_kept
    assert found.by_node == {node: count / 16 for node, count in node_kept.items()}
    rows = zip(found.edges["source"] + ">" + found.edges["target"], found.edges["kept"], strict=True)
    assert {edge: count for edge, count in rows if count} == edge_kept
    assert len(found.edges) == np.count_nonzero(graph.weights)


def test_a_node_is_not_stable_whose_only_path_is_pruned() -> None:
    # 1_5_0 has influence enough to be kept, and both of its edges are among the weakest.
    found = chain(WEIGHTS).stability([1.0], [0.9, 1.0], progress=False)
    assert found.by_node["1_5_0"] == found.by_node["0_4_0"] == 0.5
    assert found.by_node["2_6_0"] == found.by_node["4_9_0"] == found.by_node["E_5_0"] == 1.0
    assert found.by_node["0_-1_0"] == 0.0


def test_the_default_grid_is_stated() -> None:
    graph = chain(WEIGHTS)
    found = graph.stability(progress=False)
    assert found.prunings == 20
    assert str(found) == (
        "Of 3 features, 1 stays in all 20 prunings (nodes 0.5 to 0.9, edges 0.9 to 0.99), 0 in some and 2 in none; of 7 edges, "
        "2 stay in all."
    )
    assert list(found.edges.columns) == ["source", "target", "weight", "kept", "stability"]
    assert list(found.nodes.columns) == [*graph.to_frames()[0].columns, "kept", "stability"]


def test_a_pruned_graph_is_refused() -> None:
    with pytest.raises(CircuitError, match="Use the graph it was pruned from"):
        chain(WEIGHTS).prune().stability()


def test_a_threshold_counts_once() -> None:
    with pytest.raises(CircuitError, match="each once, so that no pruning counts twice; given 2 with repeats"):
        chain(WEIGHTS).stability([0.5, 0.5])


def test_it_can_be_cancelled_and_says_how_far_it_is() -> None:
    seen: list[float] = []
    chain(WEIGHTS).stability([0.5], [0.8, 0.9], progress=lambda done, _: seen.append(done))
    assert seen == [0.0, 0.5, 1.0]
    with pytest.raises(Cancelled):
        chain(WEIGHTS).stability(progress=False, cancelled=lambda: True)
