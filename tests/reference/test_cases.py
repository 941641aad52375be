"""Every case of the reference library: active features, edges, what pruning keeps, scores, interventions."""

from functools import cache

import numpy as np
import pytest

from circuit_widget.attribution.targets import Contrast, Direction, choose_targets
from circuit_widget.graph import Graph
from circuit_widget.intervention import Scale
from circuit_widget.nodes import Feature
from circuit_widget.tracing.target_readout import target_source_of
from circuit_widget.tracing.trace import trace_run
from tests.models import REFERENCE, REFERENCE_CASES, reference_model, run_of

PROMPTS = ("p0", "p1")
MODES = {"direct": "preactivations", "frozen_attention": "activations", "total": "activations"}
STRENGTHS = {"zero": 0, "twice": 2}

every_case = pytest.mark.parametrize("case", REFERENCE_CASES)
every_prompt = pytest.mark.parametrize("prompt", PROMPTS)


@cache
def numbers(case: str, name: str) -> dict[str, np.ndarray]:
    with np.load(REFERENCE / case / f"{name}.npz") as file:
        return dict(file)


@cache
def traced(case: str, prompt: str) -> Graph:
    return reference_model(case).trace(numbers(case, f"{prompt}_graph")["input_tokens"].tolist())


def active_features(graph: Graph) -> np.ndarray:
    return np.stack([graph.feature_layer, graph.feature_position, graph.feature_index], axis=1)


@every_prompt
@every_case
def test_the_same_features_are_active_as_strongly(case: str, prompt: str) -> None:
    found, graph = numbers(case, f"{prompt}_graph"), traced(case, prompt)
    np.testing.assert_array_equal(active_features(graph), found["active_features"])
    np.testing.assert_allclose(graph.activation, found["activation_values"], atol=1e-5, rtol=0)


@every_prompt
@every_case
def test_the_same_tokens_are_targets(case: str, prompt: str) -> None:
    found, graph = numbers(case, f"{prompt}_graph"), traced(case, prompt)
    assert [target.token_id for target in graph.targets] == found["logit_tokens"].tolist()
    np.testing.assert_allclose(graph.target_weight, found["logit_probabilities"], atol=1e-5, rtol=0)


@every_prompt
@every_case
def test_every_edge_is_the_same(case: str, prompt: str) -> None:
    found, graph = numbers(case, f"{prompt}_graph"), traced(case, prompt)
    n_sources = graph.weights.shape[1]
    rows = np.r_[: graph.n_features, n_sources : n_sources + len(graph.targets)]
    np.testing.assert_allclose(graph.weights, found["adjacency_matrix"][rows][:, :n_sources], atol=1e-5, rtol=0)


@every_prompt
@every_case
def test_scores_are_the_same(case: str, prompt: str) -> None:
    found, scores = numbers(case, f"{prompt}_graph"), traced(case, prompt).scores()
    assert scores.replacement == pytest.approx(float(found["replacement_score"]), abs=1e-5)
    assert scores.completeness == pytest.approx(float(found["completeness_score"]), abs=1e-5)


@every_prompt
@every_case
def test_pruning_keeps_the_same_nodes_and_edges(case: str, prompt: str) -> None:
    found, graph = numbers(case, f"{prompt}_graph"), traced(case, prompt)
    small = graph.prune(0.8, 0.98)
    kept = np.flatnonzero(found["prune_node_mask"])
    assert list(small.node_ids) == [graph.node_ids[node] for node in kept]
    edges = np.unpackbits(found["prune_edge_mask"], axis=1, count=graph.n_nodes).astype(bool)
    expected = edges[kept[small.row_nodes]][:, kept[: small.weights.shape[1]]]
    np.testing.assert_array_equal(small.weights != 0, expected)
    assert np.count_nonzero(expected) == np.count_nonzero(edges)


@every_prompt
@every_case
def test_the_same_features_are_chosen_under_a_limit(case: str, prompt: str) -> None:
    found, whole, model = numbers(case, f"{prompt}_limited"), traced(case, prompt), reference_model(case)
    run = run_of(model, [token.token_id for token in whole.tokens])
    small = trace_run(
        run,
        choose_targets(target_source_of(model.model, run), None),
        max_features=int(found["max_feature_nodes"]),
        step=int(found["batch_size"] * found["update_interval"]),
    )
    chosen = found["selected_features"]
    np.testing.assert_array_equal(active_features(small), active_features(whole)[chosen])
    rows = np.r_[chosen, whole.n_features : len(whole.weights)]
    np.testing.assert_allclose(small.weights[:, : len(chosen)], whole.weights[rows][:, chosen], atol=1e-5, rtol=0)
    np.testing.assert_allclose(small.weights.sum(1), whole.weights[rows].sum(1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("strength", STRENGTHS)
@every_prompt
@every_case
def test_an_intervention_does_the_same(case: str, prompt: str, strength: str, mode: str) -> None:
    found, graph = numbers(case, f"{prompt}_interventions"), traced(case, prompt)
    changed = [Feature(*(int(number) for number in row)) for row in found["features"]]
    effect = reference_model(case).intervene(graph, Scale(changed, STRENGTHS[strength]), mode=mode)
    np.testing.assert_allclose(effect.logits_before, found["base.logits"], atol=2e-5, rtol=0)
    np.testing.assert_allclose(effect.logits_after, found[f"{strength}.{mode}.logits"], atol=2e-5, rtol=0)
    is_changed = effect.nodes["id"].isin([feature.id for feature in changed]).to_numpy()
    expected = found[f"{strength}.{mode}.{MODES[mode]}"]
    np.testing.assert_allclose(effect.nodes["after"][~is_changed], expected[~is_changed], atol=2e-5, rtol=0)
    np.testing.assert_allclose(
        effect.nodes["after"][is_changed], STRENGTHS[strength] * found["before"], atol=1e-5, rtol=0
    )


def test_targets_given_as_ids_are_the_same() -> None:
    found = numbers("llama-relu", "p0_ids")
    graph = reference_model().trace(found["token_ids"].tolist(), targets=found["target_ids"].tolist())
    np.testing.assert_allclose(graph.target_weight, found["target_probabilities"], atol=1e-6, rtol=0)
    assert_same_rows(graph, found)


def test_a_logit_difference_is_the_same() -> None:
    found = numbers("llama-relu", "p0_difference")
    graph = reference_model().trace(found["token_ids"].tolist(), targets=Contrast(188, 142))
    assert (graph.targets[0].token_id, graph.targets[0].probability) == (206, 1.0)
    assert_same_rows(graph, found)


def test_a_direction_of_ones_own_is_the_same() -> None:
    model, found = reference_model(), numbers("llama-relu", "p0_difference")
    rows = model.model.unembedding.weight
    direction = Direction("188 not 142", rows[188] - rows[142])
    graph = model.trace(found["token_ids"].tolist(), targets=direction)
    assert (graph.targets[0].token, graph.targets[0].probability) == ("188 not 142", 1.0)
    assert_same_rows(graph, found)


def assert_same_rows(graph: Graph, found: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(graph.weights[graph.n_features :], found["weights"], atol=1e-5, rtol=0)
    assert graph.scores().replacement == pytest.approx(float(found["replacement"]), abs=1e-5)
    assert graph.scores().completeness == pytest.approx(float(found["completeness"]), abs=1e-5)
    kept = set(graph.prune(0.8, 0.98).node_ids)
    assert kept == {graph.node_ids[node] for node in np.flatnonzero(found["kept_nodes"])}
