"""The tokens that a text can mean: those whose decoded text it is."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from tokenizers import pre_tokenizers

from circuit_widget.arguments import quoted
from circuit_widget.errors import PromptError
from circuit_widget.model.tokens.tokenizer import Tokenizer, token_text
from circuit_widget.model.tokens.unknown_words import encode, nearest

PIECES = 8
"""Most tokens of a text that an error names."""


def find_tokens(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    """Return the ids of the tokens that `text` can mean: those whose text it is, without or with a space before it.

    The text of a token is what it adds to a decoded text, or how it is displayed: a special token by its name, a WordPiece
    token with its "##". The spelling in the vocabulary is not its text: in a byte-level vocabulary "é" is a single byte.

    Raises:
        PromptError: no single token has this text; names its tokens, or the most similar ones.
    """
    if not text:
        raise PromptError("A target is empty; give the text of a token, or its id.")
    ids, unknown = encode(tokenizer, text)
    same = unicodedata.normalize("NFC", text)
    wanted = {text, f" {text}"}
    before = _other_text(tokenizer)
    candidates = dict.fromkeys(_candidates(tokenizer, text, ids))
    found = [token for token in candidates if _texts(tokenizer, token, before) & wanted]
    if not found and len(ids) == 1 and unknown is None:
        # The tokenizer encodes the text as this token, and both are the same text by Unicode.
        found = [token for token in ids if {same, f" {same}"} & _composed(_texts(tokenizer, token, before))]
    if found:
        return tuple(found)
    spelled = _spelled(tokenizer, text)
    if len(ids) > 1 and unknown is None:
        parts = ", ".join(repr(token_text(tokenizer, token)) for token in ids[:PIECES])
        numbers = ", ".join(map(str, ids[:PIECES]))
        raise PromptError(
            f"{quoted(text)} is not one token of this model but {len(ids)}: {parts}. Give one of them, by its id: "
            f"{numbers}.{spelled}"
        )
    raise PromptError(f"{quoted(text)} is not one token of this model.{spelled}{nearest(tokenizer, text.strip())}")


def _candidates(tokenizer: Tokenizer, text: str, ids: list[int]) -> Iterator[int]:
    """Yield tokens that may have this text: its encoding, and its spellings in all kinds of vocabularies."""
    spaced = f" {text}"
    for encoded in (ids, encode(tokenizer, spaced)[0]):
        if len(encoded) == 1:
            yield encoded[0]
    bare = text.removeprefix(" ")
    raw = text.encode()
    names = [text, spaced, bare, f"##{text}", f"{bare}</w>", f"{_in_bytes(bare)}</w>"]
    names += [some.replace(" ", "▁") for some in (text, spaced)] + [_in_bytes(some) for some in (text, spaced)]
    names += [f"<0x{raw[0]:02X}>"] if len(raw) == 1 else []
    for name in dict.fromkeys(names):
        token = _named(tokenizer, name)
        if token is not None:
            yield token


def _named(tokenizer: Tokenizer, name: str) -> int | None:
    """Return the token with this spelling in the vocabulary, or None."""
    token = tokenizer.convert_tokens_to_ids(name)
    if not isinstance(token, int) or tokenizer.convert_ids_to_tokens(token) != name:
        return None
    return token


def _in_bytes(text: str) -> str:
    """Return the spelling of a text in byte-level vocabularies: each byte as a visible character."""
    spelled = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    return "".join(piece for piece, _ in spelled)


def _other_text(tokenizer: Tokenizer) -> list[int]:
    """Return the tokens of some text, none if the tokenizer cannot encode it."""
    try:
        return encode(tokenizer, "a")[0]
    except PromptError:
        return []


def _texts(tokenizer: Tokenizer, token_id: int, before: list[int]) -> set[str]:
    """Return the text that a token adds after the tokens `before`, and the text by which it is displayed.

    Decoders remove the space from the first token of a text, so the token must come after another one.
    """
    alone, together = (
        str(tokenizer.decode(some, clean_up_tokenization_spaces=False)) for some in (before, [*before, token_id])
    )
    added = {together.removeprefix(alone)} if together.startswith(alone) else set()
    return added | {token_text(tokenizer, token_id)}


def _composed(texts: set[str]) -> set[str]:
    return {unicodedata.normalize("NFC", text) for text in texts}


def _spelled(tokenizer: Tokenizer, text: str) -> str:
    """Return a sentence about the token with this spelling in the vocabulary, whose own text is another."""
    token = _named(tokenizer, text)
    if token is None:
        return ""
    return f" The vocabulary spells token {token} like this, but its text is {token_text(tokenizer, token)!r}."
