"""From a prompt to the tokens the model is run on."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from transformers import PreTrainedTokenizerBase

from circuit_widget.errors import PromptError

Tokenizer: TypeAlias = PreTrainedTokenizerBase

FIRST_POSITION = 1
"""Features before this position are dropped: at the first one (BOS) activations are outliers that say nothing."""

LENGTH_DIFFERENCE = 3
"""How much longer or shorter a word may be to be named as near: large vocabularies take long to compare."""


@dataclass(frozen=True)
class Prompt:
    """The tokens of a prompt; the first is a special one (BOS or what stands for it)."""

    token_ids: tuple[int, ...]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.token_ids)


def read_prompt(
    tokenizer: Tokenizer, prompt: str | Sequence[int], *, vocabulary_size: int, context_length: int
) -> Prompt:
    """Return the tokens of a text or of a list of token ids, with BOS, EOS or PAD put in front where none is there.

    Raises:
        PromptError: the prompt is empty or too long, a word is unknown, or an id is not in the vocabulary.
    """
    ids = _text_ids(tokenizer, prompt) if isinstance(prompt, str) else _checked_ids(prompt, vocabulary_size)
    special = {int(token) for token in tokenizer.all_special_ids}
    if ids[0] not in special or ids[0] == tokenizer.unk_token_id:
        first = _first_id(tokenizer)
        ids = ids if first is None else [first, *ids]
    if len(ids) <= FIRST_POSITION:
        raise PromptError(f"The prompt {_quoted(prompt)} holds no word after its first token; write at least one.")
    if len(ids) > context_length:
        raise PromptError(f"The prompt has {len(ids)} tokens; the model reads at most {context_length}. Shorten it.")
    return Prompt(tuple(ids), tuple(token_text(tokenizer, token) for token in ids))


def token_text(tokenizer: Tokenizer, token_id: int) -> str:
    """Return a token as it is shown: a special one by name, others as their text, leading space included."""
    piece: Any = tokenizer.convert_ids_to_tokens(token_id)  # None beyond the tokenizer's own vocabulary
    if piece is None:
        return f"<{token_id}>"
    if token_id in tokenizer.all_special_ids:
        return str(piece)
    if "▁" in piece:
        return str(piece).replace("▁", " ")
    return str(tokenizer.decode([token_id], clean_up_tokenization_spaces=False)) or str(piece)


def find_token(tokenizer: Tokenizer, text: str) -> int:
    """Return the id of the one token that `text` is, with or without a space before it.

    Raises:
        PromptError: no single token is this text; names the nearest tokens.
    """
    vocabulary = tokenizer.get_vocab()
    for spelling in (text, f" {text}"):
        if spelling in vocabulary:
            return int(vocabulary[spelling])
        ids = tokenizer(spelling, add_special_tokens=False)["input_ids"]
        if len(ids) == 1 and ids[0] != tokenizer.unk_token_id:
            return int(ids[0])
    raise PromptError(f"{_quoted(text)} is not one token of this model.{_nearest(tokenizer, text.strip())}")


def _text_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    if not text.strip():
        raise PromptError("The prompt is empty; write at least one word.")
    encoded = tokenizer(text, return_offsets_mapping=tokenizer.is_fast)
    ids = [int(token) for token in encoded["input_ids"]]
    unknown = [place for place, token in enumerate(ids) if token == tokenizer.unk_token_id]
    if unknown:
        if not tokenizer.is_fast:
            raise PromptError(f"The prompt {_quoted(text)} holds a word the tokenizer does not know.")
        start, end = encoded["offset_mapping"][unknown[0]]
        word = text[start:end]
        raise PromptError(f"The model does not know the word {_quoted(word)}.{_nearest(tokenizer, word)}")
    if not ids:
        raise PromptError(f"The prompt {_quoted(text)} has no tokens; write at least one word.")
    return ids


def _checked_ids(prompt: Sequence[int], vocabulary_size: int) -> list[int]:
    ids: list[int] = []
    for token in prompt:
        number = token.item() if hasattr(token, "item") else token
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < vocabulary_size:
            raise PromptError(f"{token!r} is not a token id; expected whole numbers from 0 to {vocabulary_size - 1}.")
        ids.append(number)
    if not ids:
        raise PromptError("The prompt is empty; give at least one token id.")
    return ids


def _first_id(tokenizer: Tokenizer) -> int | None:
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id):
        if token is not None:
            return int(token)
    return None


def _nearest(tokenizer: Tokenizer, word: str) -> str:
    special = set(tokenizer.all_special_tokens)
    texts = (token.replace("Ġ", "").replace("▁", "") for token in tokenizer.get_vocab() if token not in special)
    alike = (text for text in texts if text and abs(len(text) - len(word)) <= LENGTH_DIFFERENCE)
    by_lower = {text.lower(): text for text in alike}
    near = difflib.get_close_matches(word.lower(), by_lower, n=3, cutoff=0.5)
    return f" Nearest known: {', '.join(by_lower[match] for match in near)}." if near else ""


def _quoted(prompt: object) -> str:
    text = repr(prompt)
    return text if len(text) <= 60 else f"{text[:57]}..."
