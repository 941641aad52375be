"""Targets by their text: the tokens that a text means, and the errors about texts that are not tokens."""

from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

import circuit_widget as cw
from circuit_widget.errors import PromptError
from circuit_widget.model.tokens.target_tokens import find_tokens
from circuit_widget.model.tokens.tokenizer import Tokenizer as AnyTokenizer
from circuit_widget.model.tokens.tokenizer import token_text
from tests.models import REFERENCE, reference_model, tokenizer
from tests.tokenizer_kinds import FAST, ROLES, tokenizer_of

KINDS = (*FAST, "in Python")


def added_text(made: AnyTokenizer, token: int) -> str:
    """The text that a token adds after another one."""
    before = made("the", add_special_tokens=False)["input_ids"]
    return str(made.decode([*before, token])).removeprefix(str(made.decode(before)))


def names(made: AnyTokenizer, text: str) -> set[str]:
    """The tokens that a text means, as the vocabulary spells them."""
    return set(made.convert_ids_to_tokens(list(find_tokens(made, text))))


def bytes_of(vocabulary: list[str]) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer without merges: it never yields a token of more than one byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({name: number for number, name in enumerate([*alphabet, *vocabulary])}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=made)


def test_a_token_is_found_by_its_text() -> None:
    assert find_tokens(tokenizer(), "tea") == (188,)
    with pytest.raises(PromptError, match=r"'teaa' is not one token of this model. Nearest known: tea"):
        find_tokens(tokenizer(), "teaa")


def test_a_token_may_have_a_space_before_it_and_a_text_several_tokens() -> None:
    spaced = AutoTokenizer.from_pretrained(REFERENCE / "models/llama")
    spaced.add_tokens(["▁tea"])
    assert set(find_tokens(spaced, "tea")) == {188, len(spaced) - 1}
    with pytest.raises(
        PromptError, match=r"'tea wine' is not one token of this model but 2: 'tea', 'wine'. Give one of"
    ):
        find_tokens(tokenizer(), "tea wine")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("roles", ["each its own", "one for all", "none"])
def test_every_token_is_found_by_its_text_and_nothing_else_is(kind: str, roles: str) -> None:
    made = tokenizer_of(kind, roles)
    for token in range(len(made)):
        text = added_text(made, token)
        if "\N{REPLACEMENT CHARACTER}" in text:
            continue  # part of a character
        found = find_tokens(made, text)
        assert token in found
        for other in found:
            assert {added_text(made, other), token_text(made, other)} & {text, f" {text}"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_special_token_is_found_by_its_name_also_where_it_is_all_of_them(kind: str) -> None:
    assert find_tokens(tokenizer_of(kind, "one for all"), "<end>") == (0,)
    for number, name in enumerate(ROLES["each its own"].values()):
        assert find_tokens(tokenizer_of(kind), name) == (number,)


@pytest.mark.parametrize("letter", "éöïÅ£ÿ¡")
def test_a_letter_is_never_the_byte_that_the_vocabulary_spells_like_it(letter: str) -> None:
    made = bytes_of([])
    byte = made.convert_tokens_to_ids(letter)
    assert made.decode([byte]) == "\N{REPLACEMENT CHARACTER}"
    ids = made(letter)["input_ids"]
    with pytest.raises(PromptError) as refusal:
        find_tokens(made, letter)
    assert (
        f"not one token of this model but 2: '\ufffd', '\ufffd'. Give one of them, by its id: {ids[0]}, {ids[1]}."
        in str(refusal.value)
    )
    assert f"The vocabulary spells token {byte} like this, but its text is '\ufffd'." in str(refusal.value)


@pytest.mark.parametrize("text", ["é", "😀", "\n\n", "\t", "the", "你好", "5", ".", "can't"])
def test_a_token_is_found_that_the_tokenizer_never_yields(text: str) -> None:
    table = bytes_of([])
    bare, spaced = ("".join(table.convert_ids_to_tokens(table(some)["input_ids"])) for some in (text, f" {text}"))
    assert len(table(text)["input_ids"]) > 1 or text in "\t5."
    assert names(bytes_of([spaced]), text) >= {spaced}
    if len(bare) > 1:
        assert names(bytes_of([bare]), text) == {bare}
    assert names(bytes_of([*({bare} - table.get_vocab().keys()), spaced]), text) == {bare, spaced}
    assert names(bytes_of([spaced]), f" {text}") == {spaced}


def test_a_word_with_a_space_is_distinguished_from_one_without() -> None:
    made = tokenizer_of("pieces")
    assert names(made, "Dallas") == {"Dallas", "▁Dallas"}
    assert names(made, " Dallas") == {"▁Dallas"}
    assert names(made, "\n") == {"<0x0A>"}
    assert names(made, "5") >= {"5", "▁5"}
    with pytest.raises(PromptError, match=r"The vocabulary spells token \d+ like this, but its text is ' Dallas'"):
        find_tokens(made, "▁Dallas")


def test_the_end_of_a_word_is_found_by_its_text_and_by_its_displayed_text() -> None:
    made = tokenizer_of("word pieces")
    assert names(made, "s") == {"##s"}
    assert names(made, "##s") == {"##s"}
    assert names(made, "a") == {"a", "##a"}
    assert names(made, " a") == {"a"}


def test_letters_that_are_the_same_by_unicode_are_the_same_text() -> None:
    made = Tokenizer(models.WordLevel({"<unk>": 0, "café": 1, "the": 2}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    lower = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>")
    assert find_tokens(lower, "cafe\N{COMBINING ACUTE ACCENT}") == (1,)
    with pytest.raises(PromptError, match=r"'The' is not one token of this model\. Nearest known: the"):
        find_tokens(lower, "The")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("roles", ["each its own", "no unk", "none"])
@pytest.mark.parametrize("text", ["", "a\ud83d", "Xanadu", "日本", "the capital", "   "])
def test_a_text_that_is_not_a_token_is_refused_in_a_sentence(kind: str, roles: str, text: str) -> None:
    with pytest.raises(PromptError) as refusal:
        find_tokens(tokenizer_of(kind, roles), text)
    assert (repr(text) if text else "A target is empty") in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_a_target_in_a_large_vocabulary_is_found_without_decoding_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made, decoded = bytes_of([f"Ġ{number:x}" for number in range(60_000)]), []
    decode = made.decode

    def recorded(ids: Any, **options: Any) -> Any:
        decoded.append(ids)
        return decode(ids, **options)

    monkeypatch.setattr(made, "decode", recorded)
    assert names(made, "beef") == {"Ġbeef"}
    assert 0 < len(decoded) < 50


@pytest.mark.parametrize(
    "targets", [b"tea", {"tea"}, iter(["tea"]), (one for one in [188]), {"tea": 1}, 7.5, object(), None.__class__]
)
def test_targets_that_are_not_a_list_are_refused(targets: object) -> None:
    with pytest.raises(PromptError, match="Targets are a list of texts, token ids, Contrasts and Directions; given"):
        reference_model().trace("the capital", targets=targets)


@pytest.mark.parametrize("tokens", [(188.0, 4), ("tea", [4]), (None, "tea")])
def test_a_contrast_without_tokens_is_refused_when_it_is_made(tokens: tuple[Any, Any]) -> None:
    with pytest.raises(
        PromptError, match="of a contrast is a text, or its id, which is a whole number from 0 up; given"
    ):
        cw.Contrast(*tokens)


@pytest.mark.parametrize("targets", [[188.0], [[188]], [None], [b"tea"]])
def test_a_target_that_is_not_an_id_is_refused(targets: list[object]) -> None:
    with pytest.raises(PromptError, match="is not a token id; expected a text or 0 to 205"):
        reference_model().trace("the capital", targets=targets)
