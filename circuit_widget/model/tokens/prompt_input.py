"""Prompts as users give them, in any container: a text, token ids, or the messages of a conversation."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias

from circuit_widget.arguments import plain_number, quoted
from circuit_widget.characters import half_character
from circuit_widget.errors import PromptError
from circuit_widget.nodes import PromptToken

Message: TypeAlias = Mapping[str, Any]
"""One turn of a conversation: `role` ("user", "assistant", "system") and `content`, a text."""

PROMPT_IS = "A prompt is a text, a list of token ids, or a list of messages"

IDS, MASK = "input_ids", "attention_mask"
"""Keys in the output of a tokenizer."""


def plain_prompt(prompt: object, expected: str = PROMPT_IS) -> str | tuple[int, ...] | tuple[Message, ...]:
    """Return a prompt as a text, as token ids that are Python numbers, or as messages.

    Ids can be in a list, a tensor, an array, `PromptToken`s, a batch of one row, or the output of a tokenizer. Whether the
    vocabulary has them is not checked here.

    Raises:
        PromptError: several prompts, padding, or anything else; `expected` is the sentence on what is expected.
    """
    if isinstance(prompt, str):
        check_characters(prompt)
        return str(prompt)
    if isinstance(prompt, Mapping):
        return _encoded_ids(prompt, expected)
    entries = _one_row(_entries(prompt, expected))
    if not entries:
        raise PromptError("The prompt is empty; give at least one token id.")
    if all(isinstance(entry, str) for entry in entries):
        raise PromptError(
            f"A list of {_count(len(entries), 'text')} was given, {quoted(entries)}; give one prompt at a time, as a text."
        )
    if any(isinstance(entry, Mapping) for entry in entries):
        return tuple(entries)
    return tuple(map(_token_id, entries))


def check_characters(text: str) -> None:
    """Check that a tokenizer can encode a text.

    Raises:
        PromptError: it contains half of a character.
    """
    if (half := half_character(text)) is not None:
        raise PromptError(f"The text {quoted(text)} has half of a character, {half}; give whole characters.")


def listed(given: object) -> list[Any] | None:
    """Return the entries of a list, a tuple, a tensor or an array as a list, None for everything else.

    None for texts and bytes, for sets, which have no order, and for iterators, which can be read only once.
    """
    if isinstance(given, str | bytes | bytearray | memoryview):
        return None
    if hasattr(given, "tolist") and hasattr(given, "shape"):
        entries = given.tolist()
        return entries if isinstance(entries, list) else None
    return list(given) if isinstance(given, Sequence) else None


def _entries(prompt: object, expected: str) -> list[Any]:
    entries = listed(prompt)
    if entries is None:
        raise PromptError(f"{expected}; given {quoted(prompt)}.{_hint(prompt)}")
    return entries


def _hint(prompt: object) -> str:
    """Return advice for an object that is not a prompt, empty where there is none."""
    if isinstance(prompt, bytes | bytearray | memoryview):
        return ' Decode bytes first: prompt.decode("utf-8").'
    if isinstance(prompt, os.PathLike):
        return " Read the file first: path.read_text()."
    if isinstance(prompt, AbstractSet):
        return " A set has no order; give a list."
    if isinstance(prompt, Mapping) and {"role", "content"} <= prompt.keys():
        return " Put the message into a list."
    for name in ("ids", "tokens"):
        if hasattr(prompt, name):
            return f" Give its {name}: prompt.{name}."
    return " Make it a list: list(prompt)." if isinstance(prompt, Iterator) else ""


def _one_row(entries: list[Any]) -> list[Any]:
    """Return the row of a batch of one row, or the entries themselves if they are not nested."""
    row = listed(entries[0]) if len(entries) == 1 else None
    entries = entries if row is None else row
    nested = sum(listed(entry) is not None for entry in entries)
    if nested:
        what = f"{nested} prompts" if row is None and nested == len(entries) else "Lists inside a list"
        raise PromptError(f"{what} were given; give one prompt at a time, as one list of token ids.")
    return entries


def _encoded_ids(encoding: Mapping[Any, Any], expected: str) -> tuple[int, ...]:
    """Return the ids in the output of a tokenizer, if it has one prompt without padding."""
    ids = listed(encoding.get(IDS))
    if ids is None:
        raise PromptError(f"{expected}; given {quoted(encoding)}.{_hint(encoding)}")
    read = tuple(map(_token_id, _one_row(ids)))
    mask = _one_row(listed(encoding.get(MASK)) or [])
    padded = sum(not entry for entry in mask)
    if padded:
        verb = "is" if padded == 1 else "are"
        raise PromptError(
            f"{_count(padded, 'token')} of {len(mask)} in the prompt {verb} padding, by its {MASK}; leave padding out: "
            "call the tokenizer on one text, without padding=."
        )
    if not read:
        raise PromptError("The prompt is empty; give at least one token id.")
    return read


def _token_id(token: Any) -> int:
    """Return the id of a token as a Python number."""
    if isinstance(token, PromptToken):
        token = token.token_id
    number = plain_number(token)
    if isinstance(number, bool) or not isinstance(number, int):
        raise PromptError(f"{quoted(token)} is not a token id; expected whole numbers from 0 up.")
    return number


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
