"""Edges onward from injected features are edges of the graph's own prompt: what their direct effects on it are."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate, Effect, Set, SwapIn
from circuit_widget.intervention.execution.injected import target_rows
from circuit_widget.intervention.injected_edges import InjectedEdges
from circuit_widget.model.neuron_set import Neurons
from circuit_widget.nodes import Feature
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.system.plain_torch import inference
from circuit_widget.tracing.target_readout import chosen_targets
from circuit_widget.wording.outcome import changed_nodes
from tests.models import PROMPT_IDS, reference_model, tiny_model

MODELS = {
    "reference": lambda: reference_model(),
    "skip": lambda: tiny_model(skip=True),
    "cross-layer jump": lambda: tiny_model(cross_layer=True, jump=True),
    "neurons": lambda: neuron_model(),
}


def neuron_model() -> ReplacementModel:
    """The tiny model with its own neurons."""
    model = tiny_model().model
    return ReplacementModel(model, Neurons(model))


OTHER = (1, 17, 43, 7, 98, 17, 120)


@pytest.fixture(scope="module", params=["reference", "skip", "cross-layer jump"])
def traced(request: pytest.FixtureRequest) -> tuple[ReplacementModel, Graph]:
    model = MODELS[request.param]()
    return model, model.trace(PROMPT_IDS if request.param != "reference" else "the capital of France is")


def inactive(model: ReplacementModel, graph: Graph, layer: int, position: int, count: int) -> list[Feature]:
    """Features that are not active on the prompt of a graph."""
    active = {Feature(int(one), int(at), int(number)) for one, at, number in _features(graph)}
    candidates = (Feature(layer, position, number) for number in range(model.transcoders.n_features(layer)))
    return [one for one in candidates if one not in active][:count]


def _features(graph: Graph) -> Sequence[tuple[int, int, int]]:
    return list(zip(graph.feature_layer, graph.feature_position, graph.feature_index, strict=True))


def edges_of(effect: Effect) -> InjectedEdges:
    assert effect.injected_edges is not None
    return effect.injected_edges


def test_they_are_the_direct_effects_of_the_features_at_their_values(traced: tuple[ReplacementModel, Graph]) -> None:
    model, graph = traced
    values = {one: 0.5 + number for number, one in enumerate(inactive(model, graph, 0, 2, 3))}
    given = Set(list(values), list(values.values()))
    direct = model.intervene(graph, given, mode="direct")
    weights = edges_of(direct).weights
    change = (direct.nodes["after"] - direct.nodes["before"]).to_numpy()[: graph.n_features]
    np.testing.assert_allclose(weights[: graph.n_features], change, atol=1e-5, rtol=1e-5)
    logits = direct.logits_after - direct.logits_before
    ids = [target.token_id for target in graph.targets]
    np.testing.assert_allclose(weights[graph.n_features :], logits[ids] - logits.mean(), atol=2e-5, rtol=1e-5)
    assert np.abs(weights).max() > 1e-3
    # What is frozen in the re-run changes nothing about them.
    np.testing.assert_array_equal(edges_of(model.intervene(graph, given)).weights, weights)


def test_what_else_is_changed_is_no_part_of_them(traced: tuple[ReplacementModel, Graph]) -> None:
    model, graph = traced
    injected = Set(inactive(model, graph, 0, 2, 2), 3.0)
    alone = edges_of(model.intervene(graph, injected)).weights
    reached = int(np.abs(alone[: graph.n_features]).argmax())
    both = edges_of(model.intervene(graph, [injected, Ablate(graph.node_ids[reached])])).weights
    assert alone[reached] != 0
    assert both[reached] == 0, "a clamped feature responds to nothing"
    others = np.arange(len(alone)) != reached
    np.testing.assert_allclose(both[others], alone[others], atol=1e-6)


def test_experiments_of_one_batch_have_their_own(traced: tuple[ReplacementModel, Graph]) -> None:
    model, graph = traced
    one, other = inactive(model, graph, 0, 2, 2)
    experiments = [Set(one, 2.0), Ablate(graph.node_ids[0]), Set(other, 3.0)]
    first, without, last = model.intervene_many(graph, experiments)
    assert without.injected_edges is None
    for effect, experiment in ((first, experiments[0]), (last, experiments[2])):
        single = edges_of(model.intervene(graph, experiment)).weights
        np.testing.assert_allclose(edges_of(effect).weights, single, atol=1e-6)


def test_a_likely_token_that_is_no_target_has_its_input_in_units_of_a_target(
    traced: tuple[ReplacementModel, Graph],
) -> None:
    model, graph = traced
    prompt = PROMPT_IDS if len(graph.tokens) == len(PROMPT_IDS) else "the capital of France is"
    lone = model.trace(prompt, targets=[graph.targets[-1].token_id])
    effect = model.intervene(lone, Set(inactive(model, lone, 0, 2, 2), 2.0))
    assert edges_of(effect).answers
    for token, found in edges_of(effect).answers.items():
        assert token != lone.targets[0].token_id
        as_target = model.trace(prompt, targets=[token])
        assert found.total == pytest.approx(float(as_target.input_total[-1]), rel=1e-4)
        logits = (measured := model.intervene(lone, effect.interventions, mode="direct")).logits_after
        change = logits - measured.logits_before
        assert found.weight == pytest.approx(float(change[token] - change.mean()), abs=2e-5)


@pytest.mark.parametrize("name", MODELS)
def test_the_nodes_of_a_limited_graph_have_its_edges(name: str) -> None:
    model = MODELS[name]()
    graph = model.trace(PROMPT_IDS if name != "reference" else "the capital of France is", max_features=12)
    run = model._run_of(graph, None)
    directions = [target.direction for target in chosen_targets(model.model, run, graph).values()]
    with inference():
        found = target_rows(run, graph, torch.stack(directions))
    np.testing.assert_allclose(found, graph.weights[graph.n_features :], rtol=1e-4, atol=1e-5)


def test_a_swap_has_them_with_the_values_of_the_other_prompt() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    swap = SwapIn([graph.node_ids[node] for node in np.flatnonzero(graph.feature_position == 2)[:4]], list(OTHER))
    effect = model.intervene(graph, swap)
    assert effect.injected
    names, values = zip(*effect.injected, strict=True)
    alone = model.intervene(graph, Set(list(names), list(values)), mode="direct")
    clamped = set(changed_nodes(effect.interventions[0]))
    free = [row for row in range(graph.n_features) if graph.node_ids[row] not in clamped]
    np.testing.assert_allclose(edges_of(effect).weights[free], edges_of(alone).weights[free], atol=1e-6)
