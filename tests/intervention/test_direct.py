"""`direct` interventions and the graph's edges are the same linear model, reached from opposite sides."""

import numpy as np
import pytest

from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate, Scale
from circuit_widget.replacement_model import ReplacementModel
from tests.models import PROMPT_IDS, reference_model, tiny_model

MODELS = {
    "reference": lambda: reference_model(),
    "tiny": lambda: tiny_model(),
    "jump": lambda: tiny_model(jump=True),
    "skip": lambda: tiny_model(skip=True),
    "top-k": lambda: tiny_model(top_k=9),
    "cross-layer": lambda: tiny_model(cross_layer=True),
    "cross-layer jump": lambda: tiny_model(cross_layer=True, jump=True),
    "cross-layer top-k": lambda: tiny_model(cross_layer=True, top_k=9),
}


@pytest.fixture(scope="module", params=MODELS)
def traced(request: pytest.FixtureRequest) -> tuple[ReplacementModel, Graph]:
    model = MODELS[request.param]()
    return model, model.trace(PROMPT_IDS if request.param != "reference" else "the capital of France is")


def test_ablating_a_feature_takes_its_edges_away(traced: tuple[ReplacementModel, Graph]) -> None:
    model, graph = traced
    strongest = np.abs(graph.weights[:, : graph.n_features]).max(0).argsort()[::-1]
    sources = np.concatenate([strongest[:12], np.arange(0, graph.n_features, max(1, graph.n_features // 12))])
    for source in sources.tolist():
        effect = model.intervene(graph, Ablate(graph.node_ids[source]), mode="direct")
        change = (effect.nodes["after"] - effect.nodes["before"]).to_numpy()
        others = np.arange(graph.n_features) != source
        edges = -graph.weights[:, source]
        np.testing.assert_allclose(change[others], edges[: graph.n_features][others], atol=1e-5, rtol=0)
        logits = effect.logits_after - effect.logits_before
        ids = [target.token_id for target in graph.targets]
        np.testing.assert_allclose(logits[ids] - logits.mean(), edges[graph.n_features :], atol=1e-5, rtol=0)
        assert effect.nodes["after"][source] == 0


def test_a_group_scaled_has_the_sum_of_its_edges(traced: tuple[ReplacementModel, Graph]) -> None:
    model, graph = traced
    group = np.flatnonzero(graph.feature_position == 2)[:5]
    effect = model.intervene(graph, Scale([graph.node_ids[node] for node in group], 3), mode="direct")
    change = (effect.nodes["after"] - effect.nodes["before"]).to_numpy()
    others = np.setdiff1d(np.arange(graph.n_features), group)
    np.testing.assert_allclose(change[others], 2 * graph.weights[others][:, group].sum(1), atol=2e-5, rtol=0)


def test_the_prediction_of_a_direct_effect_is_the_effect(traced: tuple[ReplacementModel, Graph]) -> None:
    model, graph = traced
    effect = model.intervene(graph, Ablate(graph.node_ids[0]), mode="direct")
    np.testing.assert_array_equal(effect.nodes["predicted"], effect.nodes["after"])
    for token, logit in effect.predicted_logits.items():
        assert logit == pytest.approx(effect.logits_after[token], abs=1e-5)


def test_the_prediction_of_a_total_effect_follows_the_edges(traced: tuple[ReplacementModel, Graph]) -> None:
    model, graph = traced
    group = np.flatnonzero((graph.feature_layer <= 1) & (graph.feature_position >= 2))[::7][:6]
    effect = model.intervene(graph, Scale([graph.node_ids[node] for node in group], -1), mode="total")
    delta = np.zeros(graph.n_features)
    delta[group] = -2 * graph.activation[group]
    for layer in range(graph.n_layers):
        free = np.setdiff1d(np.flatnonzero(graph.feature_layer == layer), group)
        delta[free] = graph.weights[free, : graph.n_features] @ (delta / graph.activation)
    predicted = (effect.nodes["predicted"] - effect.nodes["before"]).to_numpy()
    np.testing.assert_allclose(predicted, delta, atol=5e-5, rtol=1e-4)
    logits = graph.weights[graph.n_features :, : graph.n_features] @ (delta / graph.activation)
    changes = np.array([effect.predicted_logits[t.token_id] - effect.logits_before[t.token_id] for t in graph.targets])
    np.testing.assert_allclose(changes - changes[0], logits - logits[0], atol=1e-4, rtol=1e-4)
