"""The first thresholds of a graph: what a person can read of it."""

import numpy as np
import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.display.visible_graph import (
    READABLE_EDGES,
    READABLE_NODES,
    Thresholds,
    first_thresholds,
    thresholds_of,
    visible_graph,
)
from circuit_widget.graph import Graph, PromptToken, Target

N_LAYERS = 6


def large(n_features: int, seed: int = 0, ties: bool = False) -> Graph:
    """A graph of many features whose edges run up the layers; with ties, all of a layer are alike."""
    generator = np.random.default_rng(seed)
    layer = np.sort(np.arange(n_features, dtype=np.int32) % N_LAYERS)
    error_layer = np.arange(N_LAYERS, dtype=np.int32)
    source_layer = np.concatenate([layer, error_layer, [-1]])
    target_layer = np.concatenate([layer, [N_LAYERS]])
    size = (len(target_layer), len(source_layer))
    weights = np.ones(size) if ties else generator.normal(size=size) ** 3
    weights = np.where(source_layer < target_layer[:, None], weights, 0).astype(np.float32)
    zeros = np.zeros(n_features, dtype=np.int32)
    return Graph.build(
        tokens=[PromptToken("The", 0)],
        targets=[Target("end", 1, 0.5, 2.0)],
        position=0,
        n_layers=N_LAYERS,
        feature_layer=layer,
        feature_position=zeros,
        feature_index=np.arange(n_features, dtype=np.int32),
        activation=np.ones(n_features, dtype=np.float32),
        error_layer=error_layer,
        error_position=np.zeros(N_LAYERS, dtype=np.int32),
        token_position=np.zeros(1, dtype=np.int32),
        weights=weights,
        labels={},
        recipe={},
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_large_graph_begins_with_what_a_person_can_read_and_no_less(seed: int) -> None:
    graph = large(700, seed)
    first = first_thresholds(graph)
    ranked = graph.share[: graph.n_features + graph.n_errors]
    assert first.node < 0.8
    assert (ranked <= first.node).sum() == READABLE_NODES
    nodes = visible_graph(graph, Circuit()).nodes
    within = graph.strongest_edges(among=nodes.tolist()).share <= first.edge
    assert within.sum() == READABLE_EDGES
    drawn = visible_graph(graph, Circuit())
    assert READABLE_EDGES <= len(drawn.source) <= READABLE_EDGES + len(drawn.nodes)


def test_nodes_of_equal_share_come_all_or_not_at_all() -> None:
    graph = large(1_200, ties=True)
    first = first_thresholds(graph)
    ranked = graph.share[: graph.n_features + graph.n_errors]
    assert (ranked <= first.node).sum() <= READABLE_NODES


def test_a_small_graph_begins_with_what_it_always_had() -> None:
    assert first_thresholds(large(12)) == Thresholds(0.8, 0.98)


def test_thresholds_of_the_circuit_go_before_those_of_the_graph() -> None:
    graph = large(700)
    first = first_thresholds(graph)
    assert thresholds_of(graph, Circuit()) == first
    assert thresholds_of(graph, Circuit(node_threshold=0.8)) == Thresholds(0.8, first.edge)
    assert thresholds_of(graph, Circuit(edge_threshold=0.98)) == Thresholds(first.node, 0.98)
    assert thresholds_of(graph, Circuit(node_threshold=0.0, edge_threshold=0.0)) == Thresholds(0.0, 0.0)
    assert Circuit.from_json(Circuit().to_json()) == Circuit()


def test_every_visible_node_has_a_way_to_the_output() -> None:
    graph = large(700)
    for circuit in (Circuit(), Circuit(node_threshold=0.3, edge_threshold=0.0)):
        found = visible_graph(graph, circuit)
        onward = dict(zip(found.source.tolist(), found.target.tolist(), strict=True))
        logit = graph.n_nodes - 1
        for node in found.nodes.tolist():
            steps = 0
            while node != logit:
                node, steps = onward[node], steps + 1
            assert steps <= N_LAYERS + 1


def test_the_edge_that_is_kept_leads_to_the_output_and_not_to_where_the_path_ends() -> None:
    # a -> b -> c -> output carries more than a -> output, but c is not visible.
    weights = np.zeros((4, 4), dtype=np.float32)
    weights[1, 0] = weights[2, 1] = 1.0
    weights[3, 2], weights[3, 0] = 0.6, 0.4
    graph = Graph.build(
        tokens=[PromptToken("The", 0)],
        targets=[Target("end", 1, 0.5, 2.0)],
        position=0,
        n_layers=3,
        feature_layer=np.arange(3, dtype=np.int32),
        feature_position=np.zeros(3, dtype=np.int32),
        feature_index=np.arange(3, dtype=np.int32),
        activation=np.ones(3, dtype=np.float32),
        error_layer=np.zeros(0, dtype=np.int32),
        error_position=np.zeros(0, dtype=np.int32),
        token_position=np.zeros(1, dtype=np.int32),
        weights=weights,
        labels={},
        recipe={},
    )
    a, b, _ = graph.node_ids[:3]
    found = visible_graph(graph, Circuit(node_threshold=0.0, edge_threshold=0.0).pin([b]))
    edges = zip(found.source.tolist(), found.target.tolist(), strict=True)
    assert [graph.node_ids[node] for node in found.nodes][:2] == [a, b]
    assert list(edges) == [(0, graph.n_nodes - 1)]
