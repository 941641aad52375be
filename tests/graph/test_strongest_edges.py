"""The strongest edges and their shares, against a sort of all edge scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuit_widget.attribution.strongest_edges import strongest_edges
from circuit_widget.graph import Graph
from tests.graph.graphs import dense, random_graph

SEEDS = st.integers(0, 2**32 - 1)


def all_scores(graph: Graph) -> np.ndarray:
    """Edge scores `Â[t,s] (I_t + w_t)` in the shape of the weights, in double precision."""
    absolute = np.abs(dense(graph)[graph.row_nodes][:, : graph.weights.shape[1]])
    totals = absolute.sum(axis=1, keepdims=True)
    share = np.divide(absolute, totals, out=np.zeros_like(absolute), where=totals > 0)
    effect = np.concatenate([graph.influence[: graph.n_features], graph.target_weight])
    scores: np.ndarray = share * effect[:, None]
    return scores


@given(SEEDS, st.integers(0, 200))
def test_the_strongest_edges_are_those_a_sort_would_find(seed: int, count: int) -> None:
    graph = random_graph(seed, density=0.8)
    scores = all_scores(graph)
    edges = graph.strongest_edges(count)
    row = np.searchsorted(graph.row_nodes, edges.target)
    ranked = np.sort(scores[scores > 0])[::-1]
    assert len(edges.share) == min(count, len(ranked))
    np.testing.assert_allclose(scores[row, edges.source], ranked[:count], rtol=1e-5)
    np.testing.assert_array_equal(edges.weight, graph.weights[row, edges.source])
    np.testing.assert_allclose(edges.share, np.cumsum(ranked)[:count] / ranked.sum(), atol=1e-5)


@given(SEEDS)
def test_weights_of_double_precision_have_the_same_strongest_edges(seed: int) -> None:
    graph = random_graph(seed, density=0.8)
    every = (np.arange(len(graph.row_nodes)), np.arange(graph.weights.shape[1]), 10)
    effect, totals = np.concatenate([graph.influence[: graph.n_features], graph.target_weight]), graph.input_total
    found = [
        strongest_edges(weights, graph.feature_layer, effect, totals[graph.row_nodes], *every)
        for weights in (graph.weights, graph.weights.astype(np.float64))
    ]
    for single, double in zip(*found, strict=True):
        np.testing.assert_array_equal(single, double)


@given(SEEDS, SEEDS)
def test_edges_among_some_nodes_keep_their_share_of_the_whole_graph(seed: int, choice: int) -> None:
    graph = random_graph(seed, density=0.8)
    among = np.flatnonzero(np.random.default_rng(choice).random(graph.n_nodes) < 0.5)
    inside = {
        (source, target): share
        for source, target, share in zip(*_ends(graph), strict=True)
        if source in among and target in among
    }
    edges = graph.strongest_edges(among=among)
    assert dict(zip(zip(edges.source.tolist(), edges.target.tolist(), strict=True), edges.share, strict=True)) == inside
    assert list(edges.share) == sorted(edges.share)


def _ends(graph: Graph) -> tuple[list[int], list[int], list[float]]:
    edges = graph.strongest_edges()
    return edges.source.tolist(), edges.target.tolist(), edges.share.tolist()


def test_equally_strong_edges_share_alike_and_come_in_order() -> None:
    graph = random_graph(3, density=0.8)
    weights = np.where(graph.weights != 0, np.float32(1), np.float32(0))
    edges = Graph.build(**{**_fields(graph), "weights": weights}).strongest_edges()
    for share in np.unique(edges.share):
        tied = np.flatnonzero(edges.share == share)
        assert share == pytest.approx(edges.share[tied[-1]])
        same_target = np.diff(edges.target[tied]) == 0
        assert (np.diff(edges.source[tied])[same_target] > 0).all()
    assert edges.share[-1] == pytest.approx(1)


def _fields(graph: Graph) -> dict[str, object]:
    names = (
        "tokens targets position n_layers feature_layer feature_position feature_index activation "
        "error_layer error_position token_position"
    )
    return {name: getattr(graph, name) for name in names.split()}
