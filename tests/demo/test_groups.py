"""The groups of features that stand for a state or for "capital" follow their rule and fit a graph's positions."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

import circuit_widget as cw
from circuit_widget.demo import MODEL, TRANSCODERS, facts
from circuit_widget.demo.groups import (
    CAPITAL,
    Member,
    capital_features,
    find_groups,
    group_questions,
    kept_groups,
    question,
    state_features,
    training_cities,
)
from circuit_widget.errors import NodeError
from tools.train_demo.evaluate import plain_model
from tools.train_demo.question_activations import question_activations
from tools.train_demo.transcoder import load_transcoders


@pytest.fixture(scope="module")
def model() -> cw.ReplacementModel:
    return cw.load("demo", device="cpu")


@pytest.fixture(scope="module")
def dallas(model: cw.ReplacementModel) -> cw.Graph:
    return model.trace(question(CAPITAL, "Dallas"))


def test_the_kept_groups_are_those_the_rule_finds(model: cw.ReplacementModel) -> None:
    questions = group_questions()
    active = question_activations(*plain_model(MODEL), load_transcoders(TRANSCODERS), questions)
    assert find_groups(active.__getitem__) == kept_groups()
    for prompt in questions[::80]:
        own = model.activations(prompt)
        assert own.keys() == active[prompt].keys()
        for feature, value in active[prompt].items():
            assert own[feature] == pytest.approx(value, rel=1e-3, abs=1e-4)


def test_every_state_and_capital_has_a_group() -> None:
    assert set(kept_groups()) == {state.name for state in facts.states()} | {CAPITAL}
    assert all(kept_groups().values())


def test_groups_are_found_without_the_held_out_cities() -> None:
    prompts: list[str] = []

    def activations(prompt: str) -> Mapping[cw.Feature, float]:
        prompts.append(prompt)
        return {cw.Feature(0, position, 0): 1.0 for position in range(1, 9)}

    find_groups(activations)
    assert not any("Dallas" in prompt or "Oakland" in prompt for prompt in prompts)
    assert any("Houston" in prompt for prompt in prompts)


def test_a_feature_joins_a_state_from_sixty_percent_of_its_cities_unless_others_have_it() -> None:
    texas = next(state for state in facts.states() if state.name == "Texas")
    cities = training_cities(texas)
    enough, too_few = set(cities[: -(-6 * len(cities) // 10)]), set(cities[: 6 * len(cities) // 10 - 1])

    def activations(prompt: str) -> Mapping[cw.Feature, float]:
        found = {cw.Feature(3, 8, 9): 1.0}
        city = next(text for text in re.findall(r"containing (.+) is", prompt))
        if city in enough:
            found[cw.Feature(1, 7, 1)] = 1.0
        if city in too_few:
            found[cw.Feature(1, 7, 2)] = 1.0
        return found

    assert find_groups(activations)["Texas"] == (Member(1, "city", 1),)


def test_a_states_features_are_at_the_city_and_at_the_last_token(dallas: cw.Graph) -> None:
    features = state_features(dallas, "Texas")
    city = [token.text for token in dallas.tokens].index("Dallas")
    assert {feature.position for feature in features} == {city, dallas.position}
    active = set(dallas.node_ids)
    assert sum(feature.id in active for feature in features) >= len(features) / 2


def test_another_states_features_are_given_for_a_swap(dallas: cw.Graph) -> None:
    texas, california = set(state_features(dallas, "Texas")), set(state_features(dallas, "California"))
    assert len(texas & california) <= min(len(texas), len(california)) / 3
    assert sum(feature.id in dallas.node_ids for feature in california - texas) <= len(california) / 2


def test_capital_stands_at_its_word(dallas: cw.Graph) -> None:
    word = [token.text for token in dallas.tokens].index("capital")
    assert {feature.position for feature in capital_features(dallas)} == {word}


def test_an_unknown_state_is_named_with_the_known_ones(dallas: cw.Graph) -> None:
    with pytest.raises(NodeError, match=r"no group for 'Texass'.*Texas"):
        state_features(dallas, "Texass")


def test_a_prompt_without_a_city_is_refused(model: cw.ReplacementModel) -> None:
    graph = model.trace("the opposite of small is")
    with pytest.raises(NodeError, match="does not name a city"):
        state_features(graph, "Texas")
    with pytest.raises(NodeError, match="the word 'capital'"):
        capital_features(graph)
