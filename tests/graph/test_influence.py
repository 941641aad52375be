"""Influence, cumulative shares and scores against their definitions, written out on small graphs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuit_widget.attribution import influence
from circuit_widget.attribution.influence import cumulative_share, edge_scores, fewest_reaching, flow
from circuit_widget.graph import Graph
from tests.graph.graphs import dense, random_graph

SEEDS = st.integers(0, 2**32 - 1)
SCORES = st.lists(st.floats(0, 1e6, width=32), max_size=60).map(lambda values: np.array(values, dtype=np.float32))


def normalised(graph: Graph) -> np.ndarray:
    absolute = np.abs(dense(graph))
    totals = absolute.sum(axis=1, keepdims=True)
    shares: np.ndarray = np.divide(absolute, totals, out=np.zeros_like(absolute), where=totals > 0)
    return shares


def weight_of_logits(graph: Graph) -> np.ndarray:
    weight = np.zeros(graph.n_nodes)
    weight[-len(graph.targets) :] = [target.probability for target in graph.targets]
    return weight


def series(graph: Graph) -> np.ndarray:
    """w (Â + Â² + ...), term by term."""
    step, total = weight_of_logits(graph), np.zeros(graph.n_nodes)
    for _ in range(graph.n_nodes):
        step = step @ normalised(graph)
        total += step
    return total


@given(SEEDS, st.floats(0, 1))
def test_influence_is_the_sum_of_the_series(seed: int, density: float) -> None:
    graph = random_graph(seed, density=density)
    np.testing.assert_allclose(graph.influence, series(graph), atol=1e-6)


def test_rows_taken_a_few_at_a_time_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = random_graph(11, density=0.8, n_targets=5)
    monkeypatch.setattr(influence, "BYTES_AT_ONCE", 200)
    in_parts = random_graph(11, density=0.8, n_targets=5)
    np.testing.assert_allclose(in_parts.influence, at_once.influence, rtol=1e-6)
    np.testing.assert_allclose(in_parts.strongest_edges().share, at_once.strongest_edges().share, rtol=1e-6)
    assert in_parts.scores().completeness == pytest.approx(at_once.scores().completeness, rel=1e-6)


@given(SEEDS)
def test_influence_is_conserved_at_nodes_with_inputs(seed: int) -> None:
    """Nodes with inputs pass all of their influence on: tokens and errors get the whole weight of the logits."""
    graph = random_graph(seed, density=0.8)
    has_input = np.zeros(graph.n_nodes, dtype=bool)
    has_input[graph.row_nodes] = graph.weights.any(axis=1)
    started = weight_of_logits(graph)[has_input].sum()
    assert graph.influence[~has_input].sum() == pytest.approx(started, abs=1e-6)


@given(SEEDS)
def test_scores_follow_their_definition(seed: int) -> None:
    graph = random_graph(seed)
    through, errors = series(graph), slice(graph.n_features, graph.n_features + graph.n_errors)
    tokens = slice(errors.stop, errors.stop + len(graph.token_position))
    effect = through + weight_of_logits(graph)
    reached = through[tokens].sum() + through[errors].sum()
    completeness = ((1 - normalised(graph)[:, errors].sum(axis=1)) * effect).sum() / effect.sum()
    assert graph.scores().replacement == pytest.approx(through[tokens].sum() / reached if reached else 0, abs=1e-6)
    assert graph.scores().completeness == pytest.approx(completeness, abs=1e-6)


@given(SEEDS, SEEDS)
def test_scores_of_a_circuit_fold_dropped_features_into_errors(seed: int, choice: int) -> None:
    graph = random_graph(seed, density=0.8)
    keep = np.random.default_rng(choice).random(graph.n_features) < 0.5
    weights = graph.weights.copy()
    for feature in np.flatnonzero(~keep):
        index = graph.feature_layer[feature] * len(graph.tokens) + graph.feature_position[feature]
        weights[:, graph.n_features + index] += weights[:, feature]
        weights[:, feature] = 0
        weights[feature] = 0
    folded = random_graph(seed, density=0.8)
    expected = Graph.build(**{**fields(folded), "weights": weights}).scores()

    found = graph.scores(keep=[graph.node_ids[index] for index in np.flatnonzero(keep)])

    assert found.replacement == pytest.approx(expected.replacement, abs=1e-6)
    assert found.completeness == pytest.approx(expected.completeness, abs=1e-6)


def fields(graph: Graph) -> dict[str, object]:
    names = (
        "tokens targets position n_layers feature_layer feature_position feature_index activation "
        "error_layer error_position token_position weights"
    )
    return {name: getattr(graph, name) for name in names.split()}


def test_scores_of_all_features_are_those_of_the_graph() -> None:
    graph = random_graph(3, density=0.8)
    whole = graph.scores()
    again = graph.scores(keep=graph.node_ids)
    assert (again.replacement, again.completeness) == pytest.approx((whole.replacement, whole.completeness), abs=1e-6)


@given(SCORES)
def test_cumulative_share_counts_everything_higher(scores: np.ndarray) -> None:
    shares = cumulative_share(scores)
    total = scores.sum(dtype=np.float64)
    for index, score in enumerate(scores):
        higher = (scores > score) | ((scores == score) & (np.arange(len(scores)) <= index))
        expected = scores[higher].sum(dtype=np.float64) / total if score > 0 else 1.0
        assert shares[index] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.uint32, np.int64])
def test_shares_of_known_scores(dtype: type[np.generic]) -> None:
    shares = cumulative_share(np.array([1, 5, 2, 0], dtype=dtype))
    assert shares.dtype == np.float32
    assert shares.tolist() == [1.0, 0.625, 0.875, 1.0]


def test_shares_follow_the_last_bit_of_a_score_and_then_its_index() -> None:
    smallest, one, largest = np.array([1, 0x3F800000, 0x7F7FFFFF], dtype=np.uint32).view(np.float32)
    assert cumulative_share(np.array([one, np.nextafter(one, largest)])).tolist() == [1.0, pytest.approx(0.5)]
    assert cumulative_share(np.array([smallest, 2 * smallest])).tolist() == [1.0, pytest.approx(2 / 3)]
    assert cumulative_share(np.array([largest, largest])).tolist() == [0.5, 1.0]
    far = np.zeros(70_000, dtype=np.float32)
    far[[3, 65_536, 69_999]] = [1, 5, 2]
    assert cumulative_share(far)[[3, 65_536, 69_999, 0]].tolist() == [1.0, 0.625, 0.875, 1.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_fewest_of_known_scores(dtype: type[np.generic]) -> None:
    scores = np.array([[1, 5], [2, 0]], dtype=dtype)
    assert fewest_reaching(scores, 0.625).tolist() == [[False, True], [False, False]]
    assert fewest_reaching(scores, 0.626).tolist() == [[False, True], [True, False]]
    assert fewest_reaching(scores, 0.876).tolist() == [[True, True], [True, False]]


@given(SEEDS)
def test_weights_and_effects_of_either_precision_have_the_same_influence_and_scores(seed: int) -> None:
    graph = random_graph(seed, density=0.8)
    double = graph.weights.astype(np.float64)
    single, other = (flow(weights, graph.feature_layer, graph.target_weight) for weights in (graph.weights, double))
    np.testing.assert_allclose(other.influence, single.influence, rtol=1e-6)
    effect = np.concatenate([single.influence[: graph.n_features], graph.target_weight])
    pairs = [(weights, kind) for weights in (graph.weights, double) for kind in (np.float32, np.float64)]
    scores = [edge_scores(weights, effect.astype(kind), single.totals) for weights, kind in pairs]
    assert all(found.dtype == np.float32 for found in scores)
    for found in scores[1:]:
        np.testing.assert_allclose(found, scores[0], rtol=1e-6)


@given(SCORES, st.floats(0.01, 0.99))
def test_fewest_scores_that_reach_a_threshold(scores: np.ndarray, threshold: float) -> None:
    kept = fewest_reaching(scores, threshold)
    wanted, total = threshold * scores.sum(dtype=np.float64), scores.sum(dtype=np.float64)
    assert scores[kept].sum(dtype=np.float64) >= wanted - 1e-6 * total
    assert not kept[scores == 0].any()
    if kept.any():
        least = scores[kept].min()
        assert (scores >= least).sum() == kept.sum()
        assert scores[scores > least].sum(dtype=np.float64) < wanted + 1e-6 * total
