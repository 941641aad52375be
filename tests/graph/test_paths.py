"""The strongest paths, against all paths of small graphs, one by one."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuit_widget.errors import NodeError
from circuit_widget.graph import Graph
from tests.graph.graphs import dense, random_graph
from tests.widget.small_graph import small_graph

SEEDS = st.integers(0, 2**32 - 1)
Walk = tuple[tuple[int, ...], float]


def normalised(graph: Graph) -> np.ndarray:
    """Signed weights of all nodes by all nodes, each row's absolute values scaled to sum 1."""
    weights = dense(graph).astype(np.float64)
    totals = np.abs(weights).sum(axis=1, keepdims=True)
    shares: np.ndarray = np.divide(weights, totals, out=np.zeros_like(weights), where=totals > 0)
    return shares


def walks(edges: np.ndarray, node: int, ends: set[int], never: set[int], longest: int = 99) -> Iterator[Walk]:
    """Yield every path from a node to the first of `ends`, with its product; none goes through `never`."""
    for after in np.flatnonzero(edges[:, node]).tolist():
        if after in ends:
            yield (node, after), edges[after, node]
        if after not in ends and after not in never and longest > 1:
            for rest, strength in walks(edges, after, ends, never, longest - 1):
                yield (node, *rest), edges[after, node] * strength


def check(graph: Graph, expected: list[Walk], k: int, source: list[int] | None, target: list[int] | None) -> None:
    """See that `paths` finds the strongest of these walks, with their shares of all of them."""
    ids = np.array(graph.node_ids, dtype=object)
    source_ids, target_ids = (None if nodes is None else list(ids[nodes]) for nodes in (source, target))
    frame = graph.paths(source_ids, target_ids, k)
    total = sum(abs(strength) for _, strength in expected)
    ranked = sorted((abs(strength) for _, strength in expected), reverse=True)
    np.testing.assert_allclose(frame["strength"].abs(), ranked[:k], rtol=1e-6, atol=1e-12)
    known = {tuple(ids[list(nodes)]): strength for nodes, strength in expected}
    for nodes, share, strength in frame.itertuples(index=False):
        assert strength == pytest.approx(known[nodes], rel=1e-6)
        assert share == pytest.approx(known[nodes] / total, rel=1e-6)


@given(SEEDS, st.integers(1, 30))
def test_paths_between_nodes_are_the_strongest_of_all(seed: int, k: int) -> None:
    graph = random_graph(seed, density=0.6)
    choice = np.random.default_rng(seed).permutation(graph.n_nodes).tolist()
    source, target = choice[: 1 + seed % 3], choice[3 : 4 + seed % 4]
    edges = normalised(graph)
    expected = [walk for node in source for walk in walks(edges, node, set(target), set(source))]
    check(graph, [walk for walk in expected if walk[0][-1] in target], k, source, target)


@given(SEEDS, st.integers(1, 30))
def test_paths_into_nodes_have_two_edges_and_all_of_the_input(seed: int, k: int) -> None:
    graph = random_graph(seed, density=0.6)
    edges = normalised(graph)
    target = np.random.default_rng(seed).permutation(graph.n_nodes)[: 1 + seed % 3].tolist()
    expected: list[Walk] = []
    for end in target:
        for middle in set(np.flatnonzero(edges[end]).tolist()) - set(target):
            before = np.flatnonzero(edges[middle]).tolist()
            if not before:
                expected.append(((middle, end), edges[end, middle]))
            for node in set(before) - set(target):
                expected.append(((node, middle, end), edges[end, middle] * edges[middle, node]))
    check(graph, expected, k, None, target)
    if len(target) == 1 and expected:
        assert sum(abs(strength) for _, strength in expected) == pytest.approx(1, rel=1e-6)


@given(SEEDS, st.integers(1, 30))
def test_paths_out_of_nodes_have_their_influence(seed: int, k: int) -> None:
    graph = random_graph(seed, density=0.6)
    edges = normalised(graph)
    effect = np.concatenate([graph.influence[: graph.weights.shape[1]], graph.target_weight]).astype(np.float64)
    logits = set(range(graph.weights.shape[1], graph.n_nodes))
    source = np.random.default_rng(seed).permutation(graph.n_nodes)[: 1 + seed % 3].tolist()
    expected: list[Walk] = []
    for node in source:
        for middle in set(np.flatnonzero(edges[:, node]).tolist()) - set(source):
            if middle in logits:
                expected.append(((node, middle), edges[middle, node] * effect[middle]))
            for end in set(np.flatnonzero(edges[:, middle]).tolist()) - set(source):
                expected.append(((node, middle, end), edges[middle, node] * edges[end, middle] * effect[end]))
    expected = [walk for walk in expected if walk[1] != 0]
    check(graph, expected, k, source, None)
    if len(source) == 1:
        summed = sum(abs(strength) for _, strength in expected)
        assert summed == pytest.approx(
            [*graph.influence[: graph.weights.shape[1]], *[0] * len(logits)][source[0]], abs=1e-5
        )


def test_all_paths_together_have_the_whole_share() -> None:
    graph = small_graph()
    frame = graph.paths("E_4_4", graph.node_ids[-1], k=1_000)
    assert frame["share"].abs().sum() == pytest.approx(1)
    assert (np.sign(frame["share"]) == np.sign(frame["strength"])).all()
    assert frame["nodes"].map(len).max() > 3


def test_where_no_path_leads_the_table_is_empty() -> None:
    graph = small_graph()
    frame = graph.paths(graph.node_ids[-1], "E_4_4")
    assert frame.empty
    assert list(frame.columns) == ["nodes", "share", "strength"]
    assert graph.paths(target="E_4_4").empty
    assert graph.paths(source=graph.node_ids[-1]).empty


def test_what_has_no_answer_is_refused() -> None:
    graph = small_graph()
    with pytest.raises(NodeError, match="need a source, a target, or both"):
        graph.paths()
    with pytest.raises(NodeError, match="both have '1_8_4'"):
        graph.paths(["0_2_4", "1_8_4"], ["1_8_4"])
    with pytest.raises(NodeError, match="k, the number of paths, is a whole number from 1 to 1,000; given 0"):
        graph.paths("0_2_4", "1_8_4", k=0)
    with pytest.raises(NodeError, match="no node “0_2_5”"):
        graph.paths("0_2_5", "1_8_4")
