"""Another trace with the settings of an earlier one: only what is changed differs."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from circuit_widget.attribution.targets import Contrast
from circuit_widget.errors import PromptError
from circuit_widget.graph.graph_hash import identity
from circuit_widget.loading import load
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.tracing.tracing_again import TraceChanges, target_of, trace_again

PROMPT = "the capital of the state containing Dallas is"
OTHER = "the capital of the state containing Oakland is"


@cache
def model() -> ReplacementModel:
    return load("demo")


def test_nothing_changed_is_the_same_graph() -> None:
    graph = (
        model()
        .trace(PROMPT, targets=["Austin", Contrast("Austin", "Albany")], max_features=40, step=7)
        .prune(0.9, 0.95)
    )
    again = trace_again(model(), graph, TraceChanges(), progress=False)
    assert identity(again) == identity(graph)
    for name in ("prompt", "targets", "max_features", "step", "thresholds"):
        assert again.recipe[name] == graph.recipe[name]
    assert again.model is model()


def test_another_prompt_has_its_own_likely_targets_and_the_same_limits() -> None:
    graph = model().trace(PROMPT, targets=["Austin"], max_features=40)
    again = trace_again(model(), graph, TraceChanges(prompt=OTHER), progress=False)
    assert (again.n_features, again.recipe["prompt"]) == (40, OTHER)
    assert identity(again) == identity(model().trace(OTHER, max_features=40))
    chosen = trace_again(model(), graph, TraceChanges(prompt=OTHER, targets="Albany"), progress=False)
    assert [target.token.strip() for target in chosen.targets] == ["Albany"]


def test_a_limit_holds_where_there_were_fewer_features() -> None:
    graph = model().trace(PROMPT, max_features=100_000)
    assert graph.left_out == 0
    assert trace_again(model(), graph, TraceChanges(prompt=OTHER), progress=False).recipe["max_features"] == 100_000
    fewer = trace_again(model(), graph, TraceChanges(max_features=30), progress=False)
    assert (fewer.n_features, fewer.recipe["targets"]) == (30, graph.recipe["targets"])


def test_a_limit_is_counted_where_the_recipe_has_none() -> None:
    graph = model().trace(PROMPT, max_features=40)
    recipe = {key: value for key, value in graph.recipe.items() if key != "max_features"}
    assert trace_again(model(), replace(graph, recipe=recipe), TraceChanges(), progress=False).n_features == 40


def test_a_token_of_the_prompt_is_explained_from_what_comes_before_it() -> None:
    graph = model().trace(PROMPT)
    (position,) = [place for place, token in enumerate(graph.tokens) if token.text.strip() == "Dallas"]
    again = trace_again(model(), graph, TraceChanges(token_position=position), progress=False)
    assert again.tokens == graph.tokens[:position]
    assert [target.token_id for target in again.targets] == [graph.tokens[position].token_id]
    assert again.position == position - 1


def test_a_graph_of_an_earlier_position_stays_there() -> None:
    graph = model().trace(PROMPT, position=4)
    assert trace_again(model(), graph, TraceChanges(max_features=20), progress=False).position == 4


@pytest.mark.parametrize("position", [0, 99, -1, 1.5, True, "Dallas"])
def test_a_token_that_is_not_there_is_refused(position: Any) -> None:
    with pytest.raises(PromptError, match="at a position from 1 to"):
        trace_again(model(), model().trace(PROMPT), TraceChanges(token_position=position))


def test_changes_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(PromptError, match="token_position and prompt were given"):
        TraceChanges(prompt=OTHER, token_position=3)
    with pytest.raises(PromptError, match="token_position and targets were given"):
        TraceChanges(targets="Austin", token_position=3)


def test_the_target_under_an_id_is_the_one_that_was_chosen() -> None:
    graph = model().trace(PROMPT, targets=[Contrast("Austin", "Albany"), "Austin"])
    contrast, austin = graph.targets
    found = target_of(graph, contrast.token_id)
    assert isinstance(found, Contrast)
    assert found.token == austin.token_id
    assert target_of(graph, austin.token_id) == austin.token_id
    assert target_of(graph, 7) == 7
