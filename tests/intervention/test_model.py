"""Intervening through the public interface: what is clamped, what is reported, what is refused."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.errors import InterventionError, NodeError
from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate, Add, Scale, Set, SwapIn
from circuit_widget.nodes import Feature
from tests.models import reference_model, tiny_model

PROMPT, OTHER = "the capital of France is", "the capital of Spain is"


@pytest.fixture(scope="module")
def graph() -> Graph:
    return reference_model().trace(PROMPT)


def strongest(graph: Graph, count: int) -> list[str]:
    return [graph.node_ids[node] for node in graph.influence[: graph.n_features].argsort()[::-1][:count]]


def test_an_effect_reports_what_was_done_and_what_it_did(graph: Graph) -> None:
    nodes = strongest(graph, 3)
    effect = reference_model().intervene(graph, Scale(nodes, -1))
    assert effect.nodes["id"].tolist() == list(graph.node_ids[: graph.n_features])
    np.testing.assert_array_equal(effect.nodes["before"], graph.activation)
    clamped = effect.nodes.set_index("id").loc[nodes]
    np.testing.assert_allclose(clamped["after"], -clamped["before"], rtol=1e-6)
    np.testing.assert_allclose(clamped["predicted"], -clamped["before"], rtol=1e-6)
    assert effect.ratio(nodes) == pytest.approx((-1, -1))
    assert (effect.mode, effect.frozen, effect.device, effect.dtype) == ("total", "nothing frozen", "cpu", "float32")
    assert set(effect.predicted_logits) == {target.token_id for target in graph.targets}
    assert effect.injected == ()
    assert effect.name == "3 features ×−1"


def test_token_tables_have_the_top_ten_of_both_sides(graph: Graph) -> None:
    effect = reference_model().intervene(graph, Ablate(strongest(graph, 20)))
    expected = set(effect.logits_before.argsort()[-10:]) | set(effect.logits_after.argsort()[-10:])
    assert set(effect.tokens["token_id"]) == expected
    assert effect.tokens["before"].is_monotonic_decreasing
    probability = np.exp(effect.logits_after) / np.exp(effect.logits_after).sum()
    np.testing.assert_allclose(effect.tokens["after"], probability[effect.tokens["token_id"]], rtol=1e-4)
    np.testing.assert_array_equal(effect.tokens["logit_before"], effect.logits_before[effect.tokens["token_id"]])


def test_an_inactive_feature_can_be_set_and_is_reported_as_injected(graph: Graph) -> None:
    model = reference_model()
    inactive = next(Feature(1, 5, n) for n in range(512) if Feature(1, 5, n) not in model.activations(PROMPT))
    effect = model.intervene(graph, Set(inactive, 4.0))
    assert effect.injected == ((inactive, 4.0),)
    row = effect.nodes.iloc[-1]
    assert (row["id"], row["before"], row["after"], row["predicted"]) == (inactive.id, 0.0, 4.0, 4.0)
    added = model.intervene(graph, Add(inactive, 4.0))
    np.testing.assert_array_equal(added.logits_after, effect.logits_after)
    assert np.isnan(effect.ratio(inactive)).all()
    with pytest.raises(
        InterventionError, match=r"not active on this prompt, so there is nothing to ablate; Set and Add"
    ):
        model.intervene(graph, Ablate(inactive))
    with pytest.raises(InterventionError, match="nothing to scale"):
        model.intervene(graph, Scale(inactive, 2))


def test_a_later_intervention_on_the_same_feature_holds(graph: Graph) -> None:
    node = strongest(graph, 1)
    effect = reference_model().intervene(graph, [Ablate(node), Set(node, 2.5)])
    assert effect.nodes.set_index("id").loc[node[0], "after"] == 2.5


def test_swapping_in_takes_the_other_prompts_values_at_the_changed_positions(graph: Graph) -> None:
    model = reference_model()
    nodes = [
        node
        for node, layer, position in zip(graph.node_ids, graph.feature_layer, graph.feature_position, strict=False)
        if (layer, position) == (0, 4)
    ]
    effect = model.intervene(graph, SwapIn(nodes, OTHER))
    here, there = model.activations(PROMPT).at(0, 4), model.activations(OTHER).at(0, 4)
    assert {feature for feature, _ in effect.injected} == set(there) - set(here)
    after = effect.nodes.set_index("id")["after"]
    for feature in {**here, **there}:
        assert after[feature.id] == pytest.approx(there.get(feature, 0.0), abs=1e-6)


def test_the_features_to_swap_in_can_be_named() -> None:
    model = tiny_model()
    graph = model.trace([1, 17, 42, 5])
    chosen = [Feature(0, 2, 7), Feature(0, 2, 9)]
    effect = model.intervene(graph, SwapIn(graph.node_ids[graph.n_features - 1], [1, 17, 43, 5], features=chosen))
    values = model.activations([1, 17, 43, 5])
    after = effect.nodes.set_index("id")["after"]
    for feature in chosen:
        assert after[feature.id] == pytest.approx(values.get(feature, 0.0), abs=1e-6)


def test_values_come_from_the_aligned_position_of_a_longer_prompt(graph: Graph) -> None:
    model = reference_model()
    longer = "the capital of the France is"
    places = zip(graph.node_ids, graph.feature_position, graph.feature_layer, strict=False)
    nodes = [node for node, position, layer in places if (layer, position) == (1, 4)]
    after = model.intervene(graph, SwapIn(nodes, longer)).nodes.set_index("id")["after"]
    there = model.activations(longer).at(1, 5)
    expected = {Feature(1, 4, feature.feature).id: value for feature, value in there.items()}
    for node in {*nodes, *expected}:
        assert after[node] == pytest.approx(expected.get(node, 0.0), abs=1e-6)


def test_a_place_without_counterpart_cannot_be_swapped() -> None:
    model = reference_model()
    graph = model.trace("the capital of the city of France is")
    node = next(node for node, position in zip(graph.node_ids, graph.feature_position, strict=False) if position == 4)
    with pytest.raises(InterventionError, match=r"has no counterpart in the other prompt"):
        model.intervene(graph, SwapIn(node, "the capital of France is"))


def test_a_pruned_graph_can_be_intervened_on_like_the_whole(graph: Graph) -> None:
    small, node = graph.prune(), strongest(graph, 1)
    whole_effect, small_effect = (reference_model().intervene(part, Ablate(node)) for part in (graph, small))
    np.testing.assert_array_equal(whole_effect.logits_after, small_effect.logits_after)
    assert small_effect.nodes["id"].tolist() == list(small.node_ids[: small.n_features])


def test_a_graph_saved_and_read_again_gives_the_same_effect(graph: Graph, tmp_path: Path) -> None:
    again = cw.Graph.load(graph.save(tmp_path / "graph.safetensors"))
    node = strongest(graph, 1)
    effects = [reference_model().intervene(one, Ablate(node)) for one in (graph, again)]
    np.testing.assert_array_equal(effects[0].logits_after, effects[1].logits_after)


def test_a_graph_of_another_model_is_refused(graph: Graph) -> None:
    with pytest.raises(InterventionError, match="traced with another model or other transcoders"):
        tiny_model().intervene(graph, Ablate(strongest(graph, 1)))
    foreign = tiny_model(seed=4).trace([1, 5, 6])
    with pytest.raises(InterventionError, match="traced with another model or other transcoders"):
        tiny_model().intervene(foreign, Ablate(strongest(foreign, 1)))


def test_a_graph_of_the_same_model_in_another_dtype_is_refused_with_both_dtypes(graph: Graph) -> None:
    other = dataclasses.replace(
        graph, activation=graph.activation * np.float32(1.1), recipe={**graph.recipe, "dtype": "bfloat16"}, model=None
    )
    with pytest.raises(InterventionError) as refusal:
        reference_model().intervene(other, Ablate(strongest(graph, 1)))
    assert str(refusal.value) == (
        f"This graph was traced with weights in bfloat16, and {reference_model().name!r} is loaded in float32: its features "
        "have other activations here, by more than is usual for rounding. Load the model with dtype='bfloat16', or trace the "
        "prompt again with this one."
    )
    for recipe in ({"dtype": "float32"}, {"dtype": "bfloat16", "model": "another"}, {"dtype": "[1](x)"}):
        changed = dataclasses.replace(other, recipe={**other.recipe, **recipe})
        with pytest.raises(InterventionError, match="traced with another model or other transcoders"):
            reference_model().intervene(changed, Ablate(strongest(graph, 1)))


@pytest.mark.parametrize(
    ("nodes", "error", "message"),
    [
        ("0_99999_3", NodeError, "The graph has no node"),
        (Feature(4, 2, 0), NodeError, "the model has layers 0 to 3"),
        (Feature(0, 2, 512), NodeError, "layer 0 has features 0 to 511"),
        (Feature(0, 0, 1), InterventionError, "positions 1 to 5 can"),
        (Feature(0, 6, 1), InterventionError, "positions 1 to 5 can"),
        ("5_98_5", InterventionError, "Features, errors and tokens can be changed; '5_98_5' is of kind logit."),
    ],
)
def test_what_cannot_be_changed_is_named(graph: Graph, nodes: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as refusal:
        reference_model().intervene(graph, Set(nodes, 1.0))
    assert message in str(refusal.value)


@pytest.mark.parametrize("mode", ["frozen", "1", "0-9", (2, 1), (0, 4), range(0), None, 3])
def test_a_mode_that_does_not_exist_is_refused(graph: Graph, mode: object) -> None:
    with pytest.raises(InterventionError) as refusal:
        reference_model().intervene(graph, Ablate(strongest(graph, 1)), mode=mode)
    assert "A mode is direct, frozen_attention, total" in str(refusal.value) or "lie in 0 to 3" in str(refusal.value)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("kind", "number"), [(Scale, 1e308), (Scale, -1e39), (Set, 1e39), (Add, -1e300)])
def test_a_value_beyond_the_numbers_of_a_model_is_refused(graph: Graph, kind: Any, number: float) -> None:
    with pytest.raises(
        InterventionError, match=r"would be clamped at -?[\de.+-]+|inf, and the numbers of a model end at"
    ):
        reference_model().intervene(graph, kind(graph.node_ids[0], number))


def test_no_intervention_is_refused(graph: Graph) -> None:
    with pytest.raises(InterventionError, match="There is no intervention"):
        reference_model().intervene(graph, [])


def test_an_effect_can_be_plotted(graph: Graph) -> None:
    effect = reference_model().intervene(graph, Ablate(strongest(graph, 2)))
    before, after, predicted = effect.plot().data
    np.testing.assert_allclose(before.x, effect.tokens["before"])
    np.testing.assert_allclose(after.x, effect.tokens["after"])
    assert set(predicted.y) == {target.token for target in graph.targets} & set(effect.tokens["token"])
    expected = np.exp(effect.logits_predicted.astype(float))
    place = {target.token: target.token_id for target in graph.targets}
    np.testing.assert_allclose(predicted.x, [expected[place[token]] / expected.sum() for token in predicted.y])


def test_a_ratio_counts_a_node_once_however_it_is_given(graph: Graph) -> None:
    one, other = strongest(graph, 2)
    effect = reference_model().intervene(graph, [Ablate(one), Scale(other, 3)])
    place = graph.index(one)
    layer, position, number = (
        column[place] for column in (graph.feature_layer, graph.feature_position, graph.feature_index)
    )
    feature = Feature(int(layer), int(position), int(number))
    assert effect.ratio([one, one, feature, other]) == effect.ratio([one, other]) != effect.ratio([one, one])


def test_a_ratio_of_an_unknown_node_is_refused(graph: Graph) -> None:
    effect = reference_model().intervene(graph, Ablate(strongest(graph, 2)))
    with pytest.raises(NodeError, match="'nothing' is not a feature of this effect"):
        effect.ratio("nothing")


def test_progress_rises_to_one(graph: Graph) -> None:
    done: list[float] = []
    reference_model().intervene(graph, Ablate(strongest(graph, 1)), progress=lambda part, text: done.append(part))
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_an_intervention_before_an_earlier_position_is_that_of_the_shorter_prompt() -> None:
    model = reference_model()
    graph = model.trace(PROMPT, position=3)
    effect = model.intervene(graph, Ablate(strongest(graph, 3)))
    short = model.trace("the capital of")
    again = model.intervene(short, Ablate(strongest(graph, 3)))
    np.testing.assert_allclose(effect.logits_after, again.logits_after, atol=1e-5, rtol=0)
