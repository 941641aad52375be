"""Encoding of texts; words that the tokenizer does not know, and the most similar tokens."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from circuit_widget.arguments import first_line, quoted
from circuit_widget.errors import PromptError
from circuit_widget.model.tokens.prompt_input import check_characters
from circuit_widget.model.tokens.tokenizer import Tokenizer, keeps_offsets

LENGTH_DIFFERENCE = 3
"""Largest difference in length of similar words; comparing all words of a large vocabulary would take long."""


def encode(tokenizer: Tokenizer, text: str) -> tuple[list[int], str | None]:
    """Return the tokens of a text, without those that the tokenizer adds, and the first word it could not encode or None.

    A special token that is spelled out in the text is that token, also if it is the token for unknown words.

    Raises:
        PromptError: the tokenizer cannot encode the text at all.
    """
    check_characters(text)
    offsets: Sequence[tuple[int, int]] = ()
    try:
        if keeps_offsets(tokenizer):
            encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
            ids, offsets = list(encoded["input_ids"]), encoded["offset_mapping"]
        else:
            ids = _ids_in_python(tokenizer, text)
    except Exception as error:  # the Rust library raises plain Exceptions, tokenizers in Python any kind
        raise PromptError(f"The tokenizer cannot encode {quoted(text)}: {first_line(error)}.") from error
    unknown = unknown_ids(tokenizer)
    indices = [index for index, token in enumerate(ids) if token is None or token in unknown]
    if keeps_offsets(tokenizer):
        word = _unknown_at(tokenizer, text, [(ids[index], *offsets[index]) for index in indices])
        word = word if word is not None else _left_out(tokenizer, text, offsets)
    else:
        word = _unknown_in(tokenizer, text, len(indices))
    return [int(token) for token in ids if token is not None], word


def unknown_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """Return the tokens for words outside the vocabulary, of the tokenizer and of its model."""
    found = {tokenizer.unk_token_id}
    if keeps_offsets(tokenizer):
        backend: Any = tokenizer.backend_tokenizer
        own = getattr(backend.model, "unk_token", None)
        found.add(None if own is None else backend.token_to_id(own))
    return frozenset(int(token) for token in found if token is not None)


def nearest(tokenizer: Tokenizer, word: str) -> str:
    """Return a sentence that names the tokens most similar to a word, empty if there is none."""
    special = set(tokenizer.all_special_tokens)
    texts = (token.replace("Ġ", "").replace("▁", "") for token in tokenizer.get_vocab() if token not in special)
    alike = (text for text in texts if text and abs(len(text) - len(word)) <= LENGTH_DIFFERENCE)
    by_lower = {text.lower(): text for text in alike}
    near = difflib.get_close_matches(word.lower(), by_lower, n=3, cutoff=0.5)
    return f" Nearest known: {', '.join(by_lower[match] for match in near)}." if near else ""


def _unknown_at(tokenizer: Tokenizer, text: str, found: Iterable[tuple[int, int, int]]) -> str | None:
    """Return the first part of a text that became an unknown token although it does not spell this token out."""
    for token, start, end in found:
        if not _spells(tokenizer, text[start:end], token):
            return text[start:end]
    return None


def _spells(tokenizer: Tokenizer, part: str, token: int) -> bool:
    """Whether a part of a text is the name of a token, up to normalization and surrounding spaces."""
    name = str(tokenizer.convert_ids_to_tokens(token))
    normalizer: Any = tokenizer.backend_tokenizer.normalizer
    if part.strip() == name:
        return True
    return normalizer is not None and normalizer.normalize_str(part.strip()) == normalizer.normalize_str(name)


def _left_out(tokenizer: Tokenizer, text: str, offsets: Sequence[tuple[int, int]]) -> str | None:
    """Return the first letter or digit that a tokenizer without an unknown token leaves out."""
    covered = {index for start, end in offsets for index in range(start, end)}
    letters = dict.fromkeys(letter for index, letter in enumerate(text) if index not in covered and letter.isalnum())
    dropped = (letter for letter in letters if not tokenizer(letter, add_special_tokens=False)["input_ids"])
    return next(dropped, None)


def _ids_in_python(tokenizer: Tokenizer, text: str) -> list[int | None]:
    """Return the tokens of a text for a tokenizer written in Python, None for a word without a token."""
    ids: Any = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text))
    return list(ids)


def _unknown_in(tokenizer: Tokenizer, text: str, n_unknown: int) -> str | None:
    """Return the first unknown word of a text for a tokenizer without offsets.

    There is one where the text has more unknown tokens than it spells out.
    """
    name = tokenizer.unk_token
    if n_unknown == (0 if name is None else text.count(name)):
        return None
    unknown = unknown_ids(tokenizer)
    for word in (text if name is None else text.replace(name, " ")).split():
        if any(token is None or token in unknown for token in _ids_in_python(tokenizer, word)):
            return word
    return text
