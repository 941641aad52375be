"""The labeller that a chat model is: its prompt, its answer, and what it refuses."""

from dataclasses import replace
from typing import Any

import pytest
import torch

import circuit_widget as cw
from circuit_widget.errors import LoadError
from circuit_widget.examples.record import Example
from circuit_widget.feature_card import FeatureCard
from circuit_widget.labels.chat_labeller import cleaned, prompt_for
from tests.models import tiny_model, tiny_network, tokenizer

UP = Example(("The", " capital", " of", " France"), (0.0, 1.0, 3.0, 4.0))
LOW = Example((" in", "\n", " Rome"), (1.0, 0.0, -2.0))
CARD = FeatureCard(1, 3, None, 0.5, 4.0, (UP,), ((" Paris", 1.5),), ((" cold\u202e", -1.0),), lowest=(LOW,))


def test_the_prompt_marks_where_the_feature_is_active() -> None:
    prompt = prompt_for(CARD)
    assert "1. The capital «of» «France»" in prompt
    assert "It makes these next tokens more likely: “Paris”." in prompt
    assert "Rome" not in prompt


def test_the_prompt_of_a_negative_activation_has_the_lowest_examples() -> None:
    prompt = prompt_for(CARD.at(-1.0))
    assert "1. in  «Rome»" in prompt.replace("\n", "\n")
    assert "“cold”" in prompt
    assert "France" not in prompt


def test_words_without_spaces_of_their_own_are_apart() -> None:
    words = Example(("<bos>", "the", "capital", "of", "Texas"), (0.0, 0.0, 0.0, 1.0, 2.0))
    assert "1. <bos> the capital «of» «Texas»" in prompt_for(replace(CARD, examples=(words,)))


def test_a_card_without_examples_or_tokens_has_a_prompt() -> None:
    prompt = prompt_for(replace(CARD, examples=(), promoted=()))
    assert "(there are no texts)" in prompt
    assert "more likely" not in prompt
    assert "{}" in prompt_for(replace(CARD, promoted=((" {}", 1.0),)))


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("Capitals of countries", "Capitals of countries"),
        ("\n\n  **Label: \"words before 'Paris'\"**\nsecond line", "words before 'Paris"),
        ("- a list", "a list"),
        ("", ""),
        ("\u202ea\x00b", "a b"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_the_label_is_the_first_line(written: str, label: str) -> None:
    assert cleaned(written) == label


def test_a_model_writes_labels_greedily_and_its_name_is_their_origin() -> None:
    model, network = tiny_model(), tiny_network(3)
    labeller = cw.ChatLabeller(network, tokenizer(), max_new_tokens=4)
    card = model.feature_card(0, 3)
    torch.manual_seed(1)
    first = labeller(card)
    torch.manual_seed(2)
    assert labeller(card) == first
    assert first
    found = model.label_features(["0_3_1"], labeller=labeller, progress=False)
    assert [(label.text, label.origin) for label in found.labels()] == [(first, f"written by {labeller.name}")]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "a name"}, "model is a model of transformers that generates text; given 'a name'"),
        ({"tokenizer": None}, "tokenizer is None"),
        ({"tokenizer": 7}, "expected a tokenizer of transformers"),
        ({"max_new_tokens": 0}, "max_new_tokens is a whole number from 1 up"),
    ],
)
def test_what_is_no_chat_model_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(LoadError, match=message):
        cw.ChatLabeller(**{"model": tiny_network(), "tokenizer": tokenizer(), **given})
