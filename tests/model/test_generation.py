"""Generation: which tokens are sampled, that cached keys and values change nothing, and traces of sampled tokens."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from circuit_widget.errors import Cancelled, NoModelError, PromptError
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.sampling import generate
from circuit_widget.model.tokens.prompt import read_prompt
from circuit_widget.tracing.generation import Generation
from tests.architectures import THOROUGH, model_of
from tests.models import PROMPT_IDS, reference_model, tiny_model

PROMPT = "the capital of France is"


def ids(generation: Generation) -> list[int]:
    return [token.token_id for token in generation.sampled]


def logits_after(model: LanguageModel, token_ids: Sequence[int]) -> torch.Tensor:
    """The logits of a forward pass over everything, without anything kept from earlier ones."""
    with torch.inference_mode():
        output = model.network(input_ids=torch.tensor([list(token_ids)]), use_cache=False)
    logits: torch.Tensor = output.logits[0, -1].float()
    return logits


@pytest.mark.parametrize("name", THOROUGH)
def test_cached_keys_and_values_do_not_change_the_tokens(name: str) -> None:
    model = model_of(name)
    prompt = read_prompt(model.tokenizer, PROMPT_IDS, vocabulary_size=206, context_length=32)
    (sample,) = generate(model, prompt, max_new_tokens=6)
    so_far = list(prompt.token_ids)
    for index, token in enumerate(sample.tokens):
        logits = logits_after(model, so_far)
        assert (token.token_id, token.index) == (int(logits.argmax()), index)
        assert token.probability == pytest.approx(float(logits.softmax(-1)[token.token_id]), abs=1e-5)
        so_far.append(token.token_id)
    assert len(sample.tokens) == 6 or sample.ended


def test_a_generation_has_the_prompt_the_text_and_the_probability_of_each_token() -> None:
    model = reference_model()
    generation = model.generate(PROMPT, max_new_tokens=4)
    assert [token.text for token in generation.tokens[: generation.n_prompt]] == [
        "<bos>",
        "the",
        "capital",
        "of",
        "France",
        "is",
    ]
    words = [token.text for token in generation.sampled if token.text != "<pad>"]
    assert generation.text == str(generation) == " ".join(words)
    assert (len(generation.sampled), len(generation.probabilities), generation.seed, generation.temperature) == (
        4,
        4,
        None,
        0.0,
    )
    assert repr(generation).startswith(f"Generation({generation.text!r}, 4 tokens of probability 0.")
    likeliest = model.trace(PROMPT).targets[0]
    assert (generation.sampled[0].token_id, likeliest.token) == (likeliest.token_id, generation.sampled[0].text)
    assert generation.probabilities[0] == pytest.approx(likeliest.probability, abs=1e-6)


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    model = reference_model()
    draws = [ids(model.generate(PROMPT, max_new_tokens=8, temperature=1.5, seed=seed)) for seed in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]


def test_a_new_seed_is_kept_so_that_it_can_be_given() -> None:
    model = reference_model()
    generation = model.generate(PROMPT, max_new_tokens=8, temperature=1.5)
    assert generation.seed is not None
    assert ids(model.generate(PROMPT, max_new_tokens=8, temperature=1.5, seed=generation.seed)) == ids(generation)


def test_tokens_are_drawn_as_often_as_the_temperature_makes_them_likely() -> None:
    model = tiny_model()
    drawn = [ids(model.generate(PROMPT_IDS, max_new_tokens=1, temperature=2.0, seed=seed))[0] for seed in range(400)]
    expected = (logits_after(model.model, PROMPT_IDS) / 2.0).softmax(-1)
    likeliest = int(expected.argmax())
    share = float(expected[likeliest])
    assert drawn.count(likeliest) / 400 == pytest.approx(share, abs=4 * (share * (1 - share) / 400) ** 0.5)


def test_probabilities_are_the_models_own_whatever_the_temperature() -> None:
    model = reference_model()
    generation = model.generate(PROMPT, max_new_tokens=3, temperature=3.0, seed=1)
    for index, token in enumerate(generation.sampled):
        before = [entry.token_id for entry in generation.tokens[: generation.n_prompt + index]]
        assert generation.probabilities[index] == pytest.approx(
            float(logits_after(model.model, before).softmax(-1)[token.token_id]), abs=1e-5
        )


def test_the_model_ends_its_answer_with_a_token_that_ends_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()
    free = ids(model.generate(PROMPT_IDS, max_new_tokens=5))
    monkeypatch.setattr(model.model.network.generation_config, "eos_token_id", [205, free[2]])
    generation = model.generate(PROMPT_IDS, max_new_tokens=5)
    assert ids(generation) == free[: free.index(free[2]) + 1]
    assert generation.ended
    monkeypatch.setattr(model.model.network.generation_config, "eos_token_id", None)
    assert not model.generate(PROMPT_IDS, max_new_tokens=2).ended


def test_a_full_context_ends_the_generation() -> None:
    model = tiny_model()
    generation = model.generate([1] * 30, max_new_tokens=10)
    assert len(generation.tokens) <= 32
    with pytest.raises(PromptError, match="The prompt has 32 tokens and fills the model's context; shorten it"):
        model.generate([1] * 32)


def test_a_sampled_token_can_be_explained_and_is_among_the_targets() -> None:
    model = reference_model()
    generation = model.generate(PROMPT, max_new_tokens=5, temperature=4.0, seed=2)
    unlikely = int(np.argmin(generation.probabilities))
    graph = generation.trace(unlikely)
    token = generation.sampled[unlikely]
    target = next(target for target in graph.targets if target.token_id == token.token_id)
    assert target.probability == pytest.approx(generation.probabilities[unlikely], abs=1e-6)
    assert len(graph.targets) in (10, 11)
    assert graph.tokens == generation.tokens[: generation.n_prompt + unlikely]
    assert graph.recipe["generation"] == {"temperature": 4.0, "seed": 2, "n_prompt": 6, "sampled_token": unlikely}


def test_a_token_is_named_from_either_end_or_by_its_position() -> None:
    model = reference_model()
    generation = model.generate(PROMPT, max_new_tokens=3)
    by_number = model.trace(generation, token=2)
    for other in (generation.trace(), model.trace(generation, token=-1), model.trace(generation, position=7)):
        np.testing.assert_array_equal(by_number.weights, other.weights)
    tokens = generation.tokens[:8]
    np.testing.assert_array_equal(model.trace(tokens, targets=generation.sampled[2].token_id).tokens, by_number.tokens)
    np.testing.assert_array_equal(model.trace(generation).tokens, generation.tokens)


def test_requested_targets_are_used_unchanged() -> None:
    generation = reference_model().generate(PROMPT, max_new_tokens=2, temperature=4.0, seed=2)
    assert [target.token for target in generation.trace(1, targets="tea").targets] == ["tea"]


def test_a_generation_can_be_cancelled_between_two_tokens() -> None:
    done: list[float] = []
    with pytest.raises(Cancelled):
        reference_model().generate(
            PROMPT,
            max_new_tokens=10,
            progress=lambda part, text: done.append(part),
            cancelled=lambda: len(done) == 3,
        )
    assert len(done) == 3


def test_progress_rises_to_one() -> None:
    done: list[float] = []
    reference_model().generate(PROMPT, max_new_tokens=4, progress=lambda part, text: done.append(part))
    assert done == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens is a whole number from 1 up; given 0."),
        ({"max_new_tokens": True}, "max_new_tokens is a whole number from 1 up; given True."),
        ({"max_new_tokens": 2.5}, "max_new_tokens is a whole number from 1 up; given 2.5."),
        ({"temperature": -1}, "temperature, 0 for the likeliest token, is a number from 0 up; given -1."),
        ({"temperature": float("nan")}, "temperature, 0 for the likeliest token, is a number from 0 up; given nan."),
        ({"temperature": float("inf")}, "given inf."),
        ({"temperature": "hot"}, "given 'hot'."),
        ({"seed": -1}, "seed, or None, is a whole number from 0 to 9,223,372,036,854,775,807; given -1."),
        ({"seed": "a"}, "seed, or None, is a whole number from 0 to 9,223,372,036,854,775,807; given 'a'."),
    ],
)
def test_a_number_out_of_range_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(PromptError) as refusal:
        reference_model().generate(PROMPT, **options)
    assert message in str(refusal.value)


def test_a_token_that_was_not_sampled_is_refused() -> None:
    model = reference_model()
    generation = model.generate(PROMPT, max_new_tokens=3)
    with pytest.raises(PromptError, match=r"There is no sampled token 3; this generation sampled 3, 0 to 2"):
        generation.trace(3)
    with pytest.raises(PromptError, match=r"Both token= and position= were given"):
        model.trace(generation, token=0, position=3)
    with pytest.raises(PromptError, match=r"use position= for a prompt"):
        model.trace(PROMPT, token=0)
    with pytest.raises(PromptError, match=r"Position 9 cannot be traced; the prompt has positions 1 to 8"):
        model.trace(generation, position=9)
    with pytest.raises(NoModelError, match=r"has no model with it; use model.trace\(generation, token=...\)"):
        dataclasses.replace(generation, model=None).trace()
