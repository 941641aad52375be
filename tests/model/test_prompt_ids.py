"""Token ids as a prompt: reading them twice changes nothing, in any container, and unknown ids are refused."""

import array
import re
import warnings
from collections import deque
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from circuit_widget.errors import CircuitWidgetWarning, InterventionError, PromptError
from circuit_widget.intervention import SwapIn
from circuit_widget.model.tokens.prompt import Prompt, read_prompt
from circuit_widget.model.tokens.tokenizer import token_text
from circuit_widget.nodes import PromptToken
from tests.models import reference_model, tokenizer
from tests.tokenizer_kinds import FAST, ROLES, TEMPLATES, special_of, tokenizer_of

VARIETIES = [
    *(
        (kind, roles, template)
        for kind, roles, template in product(FAST, ROLES, TEMPLATES)
        if ROLES[roles] or template == "$A"
    ),
    *(("in Python", roles, "$A") for roles in ROLES),
]
"""Every kind of tokenizer with every choice of special tokens, and the tokens it puts around a text."""


def read(variety: tuple[str, str, str], prompt: object) -> Prompt:
    made = tokenizer_of(*variety)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CircuitWidgetWarning)  # of padding
        return read_prompt(made, prompt, vocabulary_size=len(made), context_length=64)


@pytest.mark.parametrize("variety", VARIETIES, ids=", ".join)
def test_reading_the_ids_of_a_prompt_gives_the_same_prompt(variety: tuple[str, str, str]) -> None:
    special = special_of(*variety[1:])
    texts = [
        "the capital",
        *(f"{token} the capital" for token in special),
        *(f"the {token} capital" for token in special),
    ]
    once = [read(variety, text) for text in texts]
    once += [read(variety, [*start, 9, 9]) for n in (1, 2) for start in product(range(len(special) + 1), repeat=n)]
    for prompt in once:
        tokens = [PromptToken(*pair) for pair in zip(prompt.texts, prompt.token_ids, strict=True)]
        for again in (list(prompt.token_ids), np.array(prompt.token_ids), tokens, prompt):
            assert read(variety, again) == prompt


@given(st.sampled_from(VARIETIES), st.lists(st.integers(0, 12), min_size=2, max_size=6))
def test_any_ids_read_twice_stay_the_same_and_lose_none(variety: tuple[str, str, str], ids: list[int]) -> None:
    prompt = read(variety, ids)
    assert list(prompt.token_ids[-len(ids) :]) == ids
    assert read(variety, prompt.token_ids) == prompt


@pytest.mark.parametrize("variety", [one for one in VARIETIES if "bos_token" in ROLES[one[1]]], ids=", ".join)
def test_ids_that_begin_with_bos_stay_unchanged_and_a_text_gets_it_once(variety: tuple[str, str, str]) -> None:
    bos, number = tokenizer_of(*variety).bos_token, tokenizer_of(*variety).bos_token_id
    assert read(variety, [number, 9, 8]).token_ids == (number, 9, 8)
    plain, spelled = read(variety, "the capital"), read(variety, f"{bos}the capital")
    assert plain.token_ids[0] == spelled.token_ids[0] == number
    assert list(plain.token_ids).count(number) == list(spelled.token_ids).count(number) == 1


@pytest.mark.parametrize("kind", FAST)
def test_prompts_begin_with_what_the_tokenizer_puts_before_a_text(kind: str) -> None:
    variety = (kind, "no bos", "FIRST <lang> $A LAST")
    own = tokenizer_of(*variety)("the capital")["input_ids"][:-1]
    assert read(variety, "the capital").token_ids == tuple(own)
    assert read(variety, own[2:]).token_ids == tuple(own)
    assert read(variety, own).token_ids == tuple(own)
    assert read((kind, "no bos", "$A"), "the capital").texts[0] == "<pad>"
    assert read((kind, "no bos, eos is unk", "$A"), "the capital").texts[0] == "<end>"
    assert read((kind, "none", "$A"), [9, 9]).token_ids == (9, 9)


@pytest.mark.parametrize(
    "given",
    [
        (1, 4, 32),
        range(1, 4),
        deque([1, 4, 32]),
        array.array("q", [1, 4, 32]),
        np.array([1, 4, 32], dtype=np.uint8),
        np.array([[1, 4, 32]]),
        torch.tensor([1, 4, 32]),
        torch.tensor([[1, 4, 32]], dtype=torch.int32),
        [torch.tensor(1), np.int64(4), 32],
        [[1, 4, 32]],
        {"input_ids": [1, 4, 32]},
        {"input_ids": [[1, 4, 32]], "attention_mask": [[1, 1, 1]]},
        tokenizer()("<bos> the capital", return_tensors="pt"),
        tokenizer()("the capital"),
    ],
    ids=repr,
)
def test_ids_are_read_from_any_container_of_one_prompt(given: object) -> None:
    expected = ("<bos>", "<eos>", "<unk>") if isinstance(given, range) else ("<bos>", "the", "capital")
    assert tuple(token.text for token in reference_model().tokenize(given)) == expected


def test_a_swap_reads_ids_from_any_container_and_writes_them_as_numbers() -> None:
    tokens = reference_model().tokenize("the capital")
    for some in (tokens, torch.tensor([[1, 4, 32]]), tokenizer()("<bos> the capital", return_tensors="np")):
        assert SwapIn("a", some).to_json()["prompt"] == [1, 4, 32]
    assert hash(SwapIn("a", torch.tensor([1, 4]))) == hash(SwapIn("a", [1, 4]))


def without_address(value: object) -> str:
    """The beginning of a repr, the same in every process."""
    return re.sub("0x[0-9a-f]+", "0x", repr(value))[:40]


NOT_A_PROMPT = [
    (b"the capital", "given b'the capital'. Decode bytes first: prompt.decode(\"utf-8\")."),
    (bytearray(b"the"), "Decode bytes first"),
    (memoryview(b"the"), "Decode bytes first"),
    ({4, 5}, "given {4, 5}. A set has no order; give a list."),
    (frozenset([4]), "A set has no order; give a list."),
    ((number for number in (4, 5)), "Make it a list: list(prompt)."),
    (iter([4, 5]), "Make it a list: list(prompt)."),
    (Path("prompt.txt"), "Read the file first: path.read_text()."),
    ({"text": "the"}, "given {'text': 'the'}."),
    (torch.tensor(4), "given tensor(4)."),
    (tokenizer().backend_tokenizer.encode("the"), "Give its ids: prompt.ids."),
    (None, "given None."),
    (object, "given <class 'object'>."),
    (["the", "capital"], "A list of 2 texts was given, ['the', 'capital']; give one prompt at a time, as a text."),
    ([[1, 4], [1, 5]], "2 prompts were given; give one prompt at a time, as one list of token ids."),
    (torch.ones(3, 4, dtype=torch.long), "3 prompts were given"),
    (np.ones((1, 1, 4), dtype=int), "Lists inside a list were given"),
    ([1, [4]], "Lists inside a list were given"),
    ([1.0, 4.0], "1.0 is not a token id; expected whole numbers from 0 up."),
    (np.array([1.0, 4.0]), "1.0 is not a token id"),
    (torch.tensor([True, True]), "True is not a token id"),
    ([None], "None is not a token id"),
    ([4, {"role": "user", "content": "tea"}], "no chat template"),
    ([[]], "The prompt is empty; give at least one token id."),
    ({"input_ids": []}, "The prompt is empty; give at least one token id."),
    ({"input_ids": "the"}, "given {'input_ids': 'the'}."),
    (tokenizer()(["the", "tea is"]), "2 prompts were given"),
    (
        tokenizer()(["the"], padding="max_length", max_length=3, return_tensors="pt"),
        "2 tokens of 3 in the prompt are padding, by its attention_mask; leave padding out: call the tokenizer on one",
    ),
]


@pytest.mark.parametrize(("given", "message"), NOT_A_PROMPT, ids=without_address)
def test_objects_that_are_not_prompts_are_refused_with_what_to_do(given: object, message: str) -> None:
    with pytest.raises(PromptError) as refusal:
        reference_model().trace(given)
    assert message in str(refusal.value)


@pytest.mark.parametrize("given", [b"the", {4, 5}, iter([4]), ["the", "tea"], [[1, 4], [1, 5]], 7, [1.5]])
def test_a_swap_from_an_object_that_is_not_a_prompt_is_refused(given: object) -> None:
    with pytest.raises(InterventionError):
        SwapIn("a", given)


def test_a_graph_or_a_generation_as_a_prompt_is_distinguished_from_its_tokens() -> None:
    model = reference_model()
    graph, generation = model.trace("the capital"), model.generate("the capital", max_new_tokens=1)
    for other in (graph, generation):
        with pytest.raises(PromptError, match=r"Give its tokens: prompt\.tokens"):
            model.tokenize(other)
    assert model.tokenize(graph.tokens) == graph.tokens


def test_tokens_of_another_model_are_refused() -> None:
    tokens = [*reference_model().tokenize("the"), PromptToken(" Dallas", 32)]
    with pytest.raises(
        PromptError, match=r"The token ' Dallas' has the id 32, which is 'capital' in this model: the tok"
    ):
        reference_model().tokenize(tokens)


@pytest.mark.parametrize(("ids", "where"), [([0, 0, 1, 4, 5], "begin"), ([1, 4, 5, 0, 0], "end"), ([0, 4], "begin")])
def test_padding_among_ids_is_warned_of(ids: list[int], where: str) -> None:
    with pytest.warns(
        CircuitWidgetWarning, match=f"The token ids {where} with padding, '<pad>', which is taken for part"
    ):
        assert [token.token_id for token in reference_model().tokenize(ids)] == ids


def test_a_padding_token_with_another_meaning_is_not_padding() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for roles, ids in (("no bos", [1, 9, 9]), ("pad is unk", [1, 9, 0]), ("no bos, pad is unk", [0, 9, 0])):
            made = tokenizer_of("words", roles)
            assert len(read_prompt(made, ids, vocabulary_size=30, context_length=9)) == 3
        tokens = reference_model().tokenize("the <pad>")
        assert reference_model().tokenize(tokens) == tokens


def test_the_positions_left_out_do_not_depend_on_the_form_of_a_prompt() -> None:
    made = tokenizer_of("words", "each its own")
    options = {"vocabulary_size": 30, "context_length": 64, "first_position": 4}
    prompt = read_prompt(made, [1, 9, 9, 9, 9], **options)
    assert prompt.first_position == 4
    assert read_prompt(made, prompt.token_ids, **options) == prompt


@pytest.mark.parametrize("kind", [*FAST, "in Python"])
def test_every_token_of_a_vocabulary_has_a_text_and_what_is_beyond_it_a_number(kind: str) -> None:
    made = tokenizer_of(kind)
    assert all(token_text(made, number) for number in range(len(made)))
    assert token_text(made, len(made) + 5) == f"<{len(made) + 5}>"
