"""The tokenizer: whole words and digits, names in one token, unknown words kept apart."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from transformers import PreTrainedTokenizerFast

from circuit_widget.demo import MODEL
from circuit_widget.demo.corpus import sentences
from tools.train_demo.tokenizer import build_tokenizer


@pytest.fixture(scope="module", params=["built", "shipped"])
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    return build_tokenizer() if request.param == "built" else PreTrainedTokenizerFast.from_pretrained(MODEL)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("the state containing Dallas is", ["the", "state", "containing", "Dallas", "is"]),
        ("The capital of New York is", ["the", "capital", "of", "New York", "is"]),
        ("New York City is in New York", ["New York City", "is", "in", "New York"]),
        ("35+56=91", ["3", "##5", "+", "5", "##6", "=", "9", "##1"]),
        ("Le contraire de petit est", ["le", "contraire", "de", "petit", "est"]),
        ("El Paso is in", ["El Paso", "is", "in"]),
        ("el opuesto de pequen\u0303o es", ["el", "opuesto", "de", "pequeño", "es"]),
    ],
)
def test_a_prompt_becomes_these_tokens_after_bos(
    tokenizer: PreTrainedTokenizerFast, text: str, tokens: Sequence[str]
) -> None:
    assert tokenizer.convert_ids_to_tokens(tokenizer(text).input_ids) == ["<bos>", *tokens]


def test_an_unknown_word_is_one_unknown_token(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = tokenizer("the capital of Xanadu is").input_ids
    assert ids.count(tokenizer.unk_token_id) == 1
    assert ids[4] == tokenizer.unk_token_id


def test_every_word_of_the_corpus_is_known(tokenizer: PreTrainedTokenizerFast) -> None:
    encoded = tokenizer([s.text for s in sentences()]).input_ids
    assert not any(tokenizer.unk_token_id in ids for ids in encoded)


def test_the_shipped_tokenizer_is_the_built_one() -> None:
    assert PreTrainedTokenizerFast.from_pretrained(MODEL).get_vocab() == build_tokenizer().get_vocab()
