"""Which tokens a text may stand for: those whose decoded text it is."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from tokenizers import pre_tokenizers

from circuit_widget.arguments import quoted
from circuit_widget.errors import PromptError
from circuit_widget.model.tokens.tokenizer import Tokenizer, token_text
from circuit_widget.model.tokens.unknown_words import encode, nearest

PIECES = 8
"""Pieces of a text that an error names."""


def find_tokens(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    """Return the ids of the tokens that `text` may stand for: those whose text it is, without or with a space before it.

    The text of a token is what it adds to other text, or what it is shown as: a special one by its name, a WordPiece one
    with its "##". How a vocabulary spells a token is not its text: among bytes "é" is the name of a single one.

    Raises:
        PromptError: no single token has this text; names the tokens it is made of, or the nearest ones.
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
        # The tokenizer itself reads the text as this token, and by Unicode they are the same text.
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
    """Yield tokens that may have this text: what it is encoded as, and what vocabularies of each kind would call it."""
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
    """Return the token that the vocabulary spells so, None where there is none."""
    token = tokenizer.convert_tokens_to_ids(name)
    if not isinstance(token, int) or tokenizer.convert_ids_to_tokens(token) != name:
        return None
    return token


def _in_bytes(text: str) -> str:
    """Return a text as byte-level vocabularies spell it: each byte as a visible character."""
    spelled = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    return "".join(piece for piece, _ in spelled)


def _other_text(tokenizer: Tokenizer) -> list[int]:
    """Return the tokens of some text, none where the tokenizer cannot encode it."""
    try:
        return encode(tokenizer, "a")[0]
    except PromptError:
        return []


def _texts(tokenizer: Tokenizer, token_id: int, before: list[int]) -> set[str]:
    """Return the text that a token adds after the tokens `before`, and that by which it is shown.

    Decoders take the space from the first token of a text, so it has to come after another one.
    """
    alone, together = (
        str(tokenizer.decode(some, clean_up_tokenization_spaces=False)) for some in (before, [*before, token_id])
    )
    added = {together.removeprefix(alone)} if together.startswith(alone) else set()
    return added | {token_text(tokenizer, token_id)}


def _composed(texts: set[str]) -> set[str]:
    return {unicodedata.normalize("NFC", text) for text in texts}


def _spelled(tokenizer: Tokenizer, text: str) -> str:
    """Return a sentence on the token that the vocabulary spells as this text, although its own text is another."""
    token = _named(tokenizer, text)
    if token is None:
        return ""
    return f" The vocabulary calls token {token} so, but its text is {token_text(tokenizer, token)!r}."
