"""From a prompt to the tokens the model is run on."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from transformers import PretrainedConfig, PreTrainedTokenizerBase

from circuit_widget.errors import PromptError
from circuit_widget.node import PromptToken
from circuit_widget.system.warning import warn

Tokenizer: TypeAlias = PreTrainedTokenizerBase

Message: TypeAlias = Mapping[str, Any]
"""One turn of a conversation: `role` ("user", "assistant", "system") and `content`, a text."""

PromptInput: TypeAlias = str | Sequence[int] | Sequence[PromptToken] | Sequence[Message]
"""What is traced: a text, tokens or their ids, or the messages of a conversation, rendered by the tokenizer's chat
template.
"""

TURN = "<start_of_turn>"
"""Opens a turn of a conversation in Gemma's template."""

LENGTH_DIFFERENCE = 3
"""How much longer or shorter a word may be to be named as near: large vocabularies take long to compare."""


@dataclass(frozen=True)
class Prompt:
    """The tokens of a prompt; the first is a special one (BOS or what stands for it).

    Features and errors before `first_position` are dropped: there (BOS) activations are outliers that say nothing.
    """

    token_ids: tuple[int, ...]
    texts: tuple[str, ...]
    first_position: int = 1

    def __len__(self) -> int:
        return len(self.token_ids)


def first_position(config: PretrainedConfig) -> int:
    """Return the first position whose features count: 1, after BOS, and 4 for instruction-tuned Gemma-3.

    Transcoders of Gemma-3-it (Gemma Scope 2) say nothing of the turn's opening, `<bos><start_of_turn>user\\n`.
    """
    tuned = any(part.endswith("-it") for part in Path(str(config.name_or_path)).parts)
    return 4 if tuned and str(config.model_type).startswith("gemma3") else 1


def read_prompt(
    tokenizer: Tokenizer,
    prompt: PromptInput,
    *,
    vocabulary_size: int,
    context_length: int,
    first_position: int = 1,
) -> Prompt:
    """Return the tokens of a text, of messages, or of a list of token ids, with BOS in front where none is there.

    Any other special token in front does as well, but for a text whose tokenizer puts BOS before everything. Where a
    tokenizer has no BOS, PAD or EOS stands for it. Messages end where the model's answer begins. A text whose first
    words would be left out gives a CircuitWidgetWarning.

    Raises:
        PromptError: the prompt is empty, too short or too long, a word is unknown, an id is not in the vocabulary,
            messages are malformed, or the tokenizer has no chat template.
    """
    ids = _ids_of(tokenizer, prompt, vocabulary_size)
    if len(ids) <= first_position:
        raise PromptError(
            f"The prompt {_quoted(prompt)} holds no word after its first "
            f"{'token' if first_position == 1 else f'{first_position} tokens, which are left out'}; write at least one."
        )
    if len(ids) > context_length:
        raise PromptError(f"The prompt has {len(ids)} tokens; the model reads at most {context_length}. Shorten it.")
    texts = tuple(token_text(tokenizer, token) for token in ids)
    if isinstance(prompt, str) and first_position > 1 and TURN not in texts[:first_position]:
        _warn_of_lost_words(texts[1:first_position])
    return Prompt(tuple(ids), texts, first_position)


def _warn_of_lost_words(words: Sequence[str]) -> None:
    warn(
        f"Features at {', '.join(map(repr, words))} are left out: this model's transcoders expect a conversation, whose "
        "opening says nothing. Give messages instead of a text: "
        '[{"role": "user", "content": "..."}].',
    )


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


def find_tokens(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    """Return the ids of the tokens that `text` may stand for: its own, and that with a space before it.

    Raises:
        PromptError: no single token is this text; names the tokens it is made of, or the nearest ones.
    """
    vocabulary = tokenizer.get_vocab()
    bare = text.removeprefix(" ")
    spellings = [text] if text != bare else [bare, f" {bare}"]
    pieces = [text, f"▁{bare}"]
    encoded = [_known_ids(tokenizer, spelling) for spelling in spellings]
    found = [int(vocabulary[piece]) for piece in pieces if piece in vocabulary]
    found += [ids[0] for ids in encoded if len(ids) == 1]
    if found:
        return tuple(dict.fromkeys(found))
    if len(encoded[0]) > 1:
        parts = ", ".join(repr(token_text(tokenizer, token)) for token in encoded[0][:8])
        raise PromptError(
            f"{_quoted(text)} is not one token of this model but {len(encoded[0])}: {parts}. Give one of them."
        )
    raise PromptError(f"{_quoted(text)} is not one token of this model.{_nearest(tokenizer, text.strip())}")


def _known_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """Return the tokens of a text, none where one of them is unknown."""
    ids = [int(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"]]
    return [] if tokenizer.unk_token_id in ids else ids


def _ids_of(tokenizer: Tokenizer, prompt: PromptInput, vocabulary_size: int) -> list[int]:
    """Return the tokens of a prompt, a special one in front; see read_prompt."""
    if isinstance(prompt, str):
        ids = _text_ids(tokenizer, prompt)
        if ids[0] != tokenizer.bos_token_id and tokenizer(prompt)["input_ids"][0] == tokenizer.bos_token_id:
            return [int(tokenizer.bos_token_id), *ids]
    else:
        given = _listed(prompt)
        is_messages = any(isinstance(entry, Mapping) for entry in given)
        ids = _message_ids(tokenizer, given) if is_messages else _checked_ids(given, vocabulary_size)
    if ids[0] in _special_ids(tokenizer) and ids[0] != tokenizer.unk_token_id:
        return ids
    first = _first_id(tokenizer)
    return ids if first is None else [first, *ids]


def _text_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    if not text.strip():
        raise PromptError("The prompt is empty; write at least one word.")
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=tokenizer.is_fast)
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


def _message_ids(tokenizer: Tokenizer, messages: Sequence[Any]) -> list[int]:
    if tokenizer.chat_template is None:
        raise PromptError(
            "Messages were given, but the model's tokenizer has no chat template. "
            "Write the conversation as one text, in the form the model was trained on, or set tokenizer.chat_template."
        )
    for place, message in enumerate(messages):
        _check_message(place, message)
    try:
        text = tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            tokenize=False,
            add_generation_prompt=messages[-1]["role"] != "assistant",
            continue_final_message=messages[-1]["role"] == "assistant",
        )
    except Exception as error:  # a template is a program of the model's makers, and raises what it likes
        reason = str(error).strip().split("\n")[0][:200]
        raise PromptError(f"The model's chat template refuses these messages: {reason}") from error
    return _text_ids(tokenizer, str(text))


def _check_message(place: int, message: object) -> None:
    expected = 'expected {"role": "user", "content": "a text"}'
    if not isinstance(message, Mapping):
        raise PromptError(f"Message {place} is {_quoted(message)}; {expected}.")
    for key in ("role", "content"):
        if key not in message:
            raise PromptError(f"Message {place} has no {key!r}; {expected}.")
        if not isinstance(message[key], str):
            raise PromptError(f"The {key} of message {place} is {_quoted(message[key])}; {expected}.")


def _listed(prompt: object) -> list[Any]:
    if isinstance(prompt, Mapping) or not hasattr(prompt, "__iter__"):
        raise PromptError(f"A prompt is a text, a list of token ids, or a list of messages; given {_quoted(prompt)}.")
    return list(prompt)


def _checked_ids(prompt: Sequence[object], vocabulary_size: int) -> list[int]:
    ids: list[int] = []
    for token in prompt:
        number = _number(token)
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < vocabulary_size:
            raise PromptError(
                f"{_quoted(token)} is not a token id; expected whole numbers from 0 to {vocabulary_size - 1}."
            )
        ids.append(number)
    if not ids:
        raise PromptError("The prompt is empty; give at least one token id.")
    return ids


def _number(token: Any) -> object:
    """Return the Python number in a token, or in a numpy or torch number."""
    if isinstance(token, PromptToken):
        return token.token_id
    return token.item() if getattr(token, "shape", None) == () else token


def _special_ids(tokenizer: Tokenizer) -> set[int]:
    added = tokenizer.added_tokens_decoder.items()
    return {int(token) for token in tokenizer.all_special_ids} | {int(place) for place, it in added if it.special}


def _first_id(tokenizer: Tokenizer) -> int | None:
    for token in (tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id):
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
