"""Pruning: the nodes and edges that are kept and dropped."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuit_widget.errors import CircuitError
from circuit_widget.graph import Graph, NodeKind, PromptToken, Target
from tests.graph.graphs import random_graph

SEEDS = st.integers(0, 2**32 - 1)
SHARES = st.floats(0, 1)


def chain(weights: np.ndarray) -> Graph:
    """One feature in each of three layers, one error in each, one token, one logit."""
    return Graph.build(
        tokens=[PromptToken("Dallas", 5)],
        targets=[Target("Austin", 9, 0.5, 4.0)],
        position=0,
        n_layers=3,
        feature_layer=np.arange(3),
        feature_position=np.zeros(3, dtype=int),
        feature_index=np.array([4, 5, 6]),
        activation=np.ones(3, dtype=np.float32),
        error_layer=np.arange(3),
        error_position=np.zeros(3, dtype=int),
        token_position=np.zeros(1, dtype=int),
        weights=weights.astype(np.float32),
        labels={"0_4_0": "Dallas", "2_6_0": "say Austin"},
        recipe={"model": "chain"},
    )


#    features   errors    token
WEIGHTS = np.array(
    [
        [0, 0, 0, 0, 0, 0, 1],  # 0_4_0 reads the token
        [1, 0, 0, 0, 0, 0, 0],  # 1_5_0 reads 0_4_0
        [0, 0.02, 0, 0, 0, 0, 0.98],  # 2_6_0 reads 1_5_0 a little, and the token
        [0, 0.02, 0.9, 0, 0, 0.08, 0],  # the logit reads 1_5_0 a little, 2_6_0, and the error of its layer
    ]
)


def test_keeps_the_fewest_nodes_that_reach_the_threshold() -> None:
    graph = chain(WEIGHTS)
    np.testing.assert_allclose(graph.influence, [0.019, 0.019, 0.45, 0, 0, 0.04, 0.46, 0], atol=1e-6)
    assert graph.prune(0.8, 1).node_ids == ("2_6_0", "E_5_0", "4_9_0")
    assert graph.prune(0.93, 1).node_ids == ("2_6_0", "2_-1_0", "E_5_0", "4_9_0")
    assert graph.prune(1, 1).node_ids == ("0_4_0", "1_5_0", "2_6_0", "2_-1_0", "E_5_0", "4_9_0")


def test_nodes_without_a_path_to_the_logits_are_dropped() -> None:
    # The two edges out of 1_5_0 have .01 and .009 of .988, each less than the one edge into it: they fall first.
    small = chain(WEIGHTS).prune(1, 0.97)
    assert small.node_ids == ("2_6_0", "2_-1_0", "E_5_0", "4_9_0")
    np.testing.assert_array_equal(small.weights, np.float32([[0, 0, 0.98], [0.9, 0.08, 0]]))


def test_tokens_and_logits_stay_whatever_the_threshold() -> None:
    small = chain(WEIGHTS).prune(0, 0)
    assert small.node_ids == ("E_5_0", "4_9_0")
    assert not small.weights.any()


def test_a_pruned_graph_has_the_whole_graphs_numbers_and_the_labels_of_its_nodes() -> None:
    graph = chain(WEIGHTS)
    small = graph.prune(0.8, 0.98)
    assert small.scores() == graph.scores()
    for node in small.node_ids:
        assert small.influence[small.index(node)] == graph.influence[graph.index(node)]
        assert small.share[small.index(node)] == graph.share[graph.index(node)]
    assert dict(small.labels) == {"2_6_0": "say Austin"}
    assert small.recipe == {"model": "chain", "thresholds": {"node": 0.8, "edge": 0.98}}
    assert (graph.pruned, small.pruned) == (False, True)
    assert "thresholds" not in graph.recipe


def test_scores_of_a_circuit_need_the_whole_graph() -> None:
    small = chain(WEIGHTS).prune()
    with pytest.raises(CircuitError, match="Use the graph it was pruned from"):
        small.scores(keep=["2_6_0"])


@pytest.mark.parametrize("thresholds", [{"node_threshold": 1.1}, {"edge_threshold": -0.1}, {"node_threshold": np.nan}])
def test_thresholds_are_shares(thresholds: dict[str, float]) -> None:
    with pytest.raises(CircuitError, match=r"between 0 and 1; given (1\.1|-0\.1|nan)"):
        random_graph(0).prune(**thresholds)


@given(SEEDS, SHARES, SHARES)
def test_a_pruned_graph_is_connected_and_its_edges_are_unchanged(
    seed: int, node_threshold: float, edge_threshold: float
) -> None:
    graph = random_graph(seed)
    small = graph.prune(node_threshold, edge_threshold)
    kinds = np.array(small.node_kinds)
    fed = np.asarray(small.weights.any(axis=1))
    feeds = np.asarray(small.weights.any(axis=0))
    assert fed[: small.n_features].all()
    assert feeds[: small.n_features + small.n_errors].all()
    for kind in (NodeKind.TOKEN, NodeKind.LOGIT):
        assert (kinds == kind).sum() == (np.array(graph.node_kinds) == kind).sum()
    before: Any = graph.to_frames()[1].set_index(["source", "target"])["weight"]
    for edge in small.to_frames()[1].itertuples():
        assert before[edge.source, edge.target] == edge.weight


@given(SEEDS, SHARES, SHARES, SHARES)
def test_a_higher_edge_threshold_keeps_no_less(seed: int, node_threshold: float, one: float, other: float) -> None:
    graph = random_graph(seed)
    small, large = (graph.prune(node_threshold, threshold) for threshold in sorted([one, other]))
    assert set(small.node_ids) <= set(large.node_ids)
    assert edges(small) <= edges(large)


@given(SEEDS, SHARES, SHARES)
def test_a_higher_node_threshold_keeps_no_less(seed: int, one: float, other: float) -> None:
    graph = random_graph(seed)
    small, large = (graph.prune(threshold, 1) for threshold in sorted([one, other]))
    assert set(small.node_ids) <= set(large.node_ids)
    assert edges(small) <= edges(large)


@given(SEEDS, SHARES)
def test_pruning_again_for_the_same_share_changes_nothing(seed: int, node_threshold: float) -> None:
    once = random_graph(seed).prune(node_threshold, 1)
    again = once.prune(node_threshold, 1)
    assert again.node_ids == once.node_ids
    np.testing.assert_array_equal(again.weights, once.weights)


def edges(graph: Graph) -> set[tuple[str, str]]:
    frame = graph.to_frames()[1]
    return set(zip(frame["source"], frame["target"], strict=True))
