"""A figure's title and description say the prompt as it was typed, and claim no answer that the graph cannot know."""

from dataclasses import replace

import pytest

import circuit_widget as cw
from circuit_widget.graph import Graph, PromptToken, Target
from tests.widget.small_graph import small_graph

PROMPT = "the capital of the state containing Dallas is"


@pytest.fixture(scope="module")
def model() -> cw.ReplacementModel:
    return cw.load("demo")


def description(graph: Graph) -> str:
    return graph.figure(part="map").scene.description


def test_the_likeliest_token_is_the_answer_where_no_other_can_be(model: cw.ReplacementModel) -> None:
    assert description(model.trace(PROMPT)).startswith("The model's answer is “Austin” with probability 0.88.")


def test_a_chosen_target_is_not_claimed_as_the_answer(model: cw.ReplacementModel) -> None:
    graph = model.trace(PROMPT, targets=["Sacramento"])
    assert description(graph) == (
        "The likeliest of the outputs that it explains is “Sacramento” with probability 0.00."
    )


def test_a_contrast_has_no_probability(model: cw.ReplacementModel) -> None:
    graph = model.trace(PROMPT, targets=[cw.Contrast("Austin", "Sacramento")])
    assert description(graph) == "It explains “Austin − Sacramento”."


def test_the_title_is_the_prompt_as_it_was_typed() -> None:
    graph = small_graph()
    typed = replace(graph, recipe={**graph.recipe, "prompt": 'cold, and "small" is'})
    assert typed.figure(part="map").scene.title == 'Attribution graph of “cold, and "small" is”'


def test_without_the_prompt_the_title_is_what_its_tokens_spell() -> None:
    graph = small_graph()
    texts = ("<bos>", "cold", ",", " and", " the", " capital")
    tokens = tuple(PromptToken(text, number) for number, text in enumerate(texts))
    spelled = replace(graph, tokens=tokens, recipe={**graph.recipe, "prompt": ""})
    assert spelled.figure(part="map").scene.title == "Attribution graph of “cold, and the capital”"
    words = tuple(PromptToken(text, number) for number, text in enumerate(("<bos>", "a", "b", "c", "d", "e")))
    assert replace(spelled, tokens=words).figure(part="map").scene.title == "Attribution graph of “a b c d e”"


def test_a_long_prompt_is_cut_with_a_sign() -> None:
    graph = small_graph()
    long = replace(graph, recipe={**graph.recipe, "prompt": "The history of the city. " * 40})
    title = long.figure(part="map").scene.title
    assert title.endswith("…”")
    assert len(title) < 240


def test_an_unlikely_answer_of_a_file_is_not_claimed() -> None:
    graph = small_graph()
    unlikely = replace(graph, targets=(Target("N", 5, 0.04, 1.0), *graph.targets[1:]))
    assert "model's answer" not in description(unlikely)
