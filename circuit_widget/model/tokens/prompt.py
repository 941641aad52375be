"""From a prompt to the tokens that the model runs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

from transformers import PretrainedConfig

from circuit_widget.arguments import entries_of, first_line, of_type, quoted
from circuit_widget.errors import PromptError
from circuit_widget.model.tokens.prompt_input import Message, plain_prompt
from circuit_widget.model.tokens.tokenizer import Tokenizer, keeps_offsets, not_embedded, token_text, unknown_text
from circuit_widget.model.tokens.unknown_words import encode, nearest, unknown_ids
from circuit_widget.nodes import PromptToken
from circuit_widget.system.warning import warn

TURN = "<start_of_turn>"
"""First token of a turn in Gemma's chat template."""


@dataclass(frozen=True)
class Prompt:
    """The tokens of a prompt; the first is a special token (BOS, else PAD or EOS).

    Features and errors before `first_position` are left out, because activations at the first token are outliers.
    """

    token_ids: tuple[int, ...]
    texts: tuple[str, ...]
    first_position: int = 1

    def __len__(self) -> int:
        return len(self.token_ids)


PromptInput: TypeAlias = str | Sequence[int] | Sequence[PromptToken] | Sequence[Message] | Prompt
"""A prompt as users give it: a text, tokens, token ids, or the messages of a conversation, which the tokenizer's chat
template renders; or a prompt that was read before.
"""


class Bounds(TypedDict):
    """Limits of a model: number of embeddings, most tokens of a prompt, and first position whose features are nodes."""

    vocabulary_size: int
    context_length: int
    first_position: int


def first_position(config: PretrainedConfig) -> int:
    """Return the first position whose features are nodes: 1, after BOS, and 4 for instruction-tuned Gemma-3.

    Transcoders of Gemma-3-it (Gemma Scope 2) were not trained on the start of a turn, `<bos><start_of_turn>user\\n`.
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
    """Return the tokens of a text, of messages, or of a list of token ids, with the start of the model's prompts.

    That start is what the tokenizer puts before every text, else BOS, else PAD, else EOS. Prompts that begin with it are
    not changed, so that reading the ids of a prompt gives the same prompt. Neither are those that begin with another
    special token, unless they are texts and the tokenizer itself puts something before them. Messages end where the
    model's answer begins. A text whose first words would be left out, and ids with padding, give a CircuitWidgetWarning.

    `vocabulary_size` is the number of tokens that the model has embeddings for.

    Raises:
        PromptError: the prompt is empty, too short or too long, a word is unknown, a token is not in the vocabulary or
            has no embedding, tokens are of another model, messages are malformed, or the tokenizer has no chat template.
    """
    if isinstance(prompt, Prompt):
        return prompt
    given = plain_prompt(prompt)
    if isinstance(given, str):
        ids = _with_start(tokenizer, _text_ids(tokenizer, given), is_text=True)
    elif any(isinstance(entry, Mapping) for entry in given):
        ids = _with_start(tokenizer, _message_ids(tokenizer, given), is_text=False)
    else:
        ids = _checked_ids(tokenizer, prompt, given, vocabulary_size)  # type: ignore[arg-type]
    if len(ids) <= first_position:
        raise PromptError(
            f"The prompt {quoted(prompt)} has no word after its first "
            f"{'token' if first_position == 1 else f'{first_position} tokens, which are left out'}; write at least one."
        )
    read = prompt_of(
        tokenizer, ids, vocabulary_size=vocabulary_size, context_length=context_length, first_position=first_position
    )
    if isinstance(given, str) and first_position > 1 and TURN not in read.texts[:first_position]:
        _warn_of_left_out_words(read.texts[1:first_position])
    return read


def prompt_of(
    tokenizer: Tokenizer, ids: Sequence[int], *, vocabulary_size: int, context_length: int, first_position: int
) -> Prompt:
    """Return the prompt of exactly these tokens, as in a graph or a generation: nothing is put in front.

    Raises:
        PromptError: there are too many tokens, or the model has no embedding of one.
    """
    if len(ids) > context_length:
        raise PromptError(f"The prompt has {len(ids)} tokens; the model reads at most {context_length}. Shorten it.")
    check_embedded(tokenizer, ids, vocabulary_size)
    return Prompt(tuple(ids), tuple(token_text(tokenizer, token) for token in ids), first_position)


def ids_of(tokens: object) -> list[int]:
    """Return the ids of tokens. Raises PromptError for anything but a list of PromptTokens, and for an empty one."""
    expected = "The tokens of a prompt are PromptTokens, as graph.tokens has them"
    listed = entries_of(tokens, expected, PromptError)
    if not listed:
        raise PromptError("The prompt is empty; give at least one token.")
    return [of_type(token, PromptToken, expected, PromptError).token_id for token in listed]


def check_embedded(tokenizer: Tokenizer, ids: Sequence[int], vocabulary_size: int) -> None:
    """Check that the model has an embedding of each token.

    Raises:
        PromptError: names the first token without one.
    """
    for token in ids:
        if 0 <= token < vocabulary_size:
            continue
        text = token_text(tokenizer, token) if token >= 0 else unknown_text(token)
        if text == unknown_text(token):
            raise PromptError(
                f"{quoted(token)} is not a token id; expected whole numbers from 0 to {vocabulary_size - 1}."
            )
        raise PromptError(not_embedded(text, token, vocabulary_size))


def _warn_of_left_out_words(words: Sequence[str]) -> None:
    warn(
        f"Features at {', '.join(map(repr, words))} are left out: this model's transcoders expect a conversation and were not "
        "trained on its first tokens. Give messages instead of a text: "
        '[{"role": "user", "content": "..."}].',
    )


def _with_start(tokenizer: Tokenizer, ids: list[int], *, is_text: bool) -> list[int]:
    """Return tokens with the start of the model's prompts in front, where they do not begin with it."""
    own = _tokens_before_texts(tokenizer)
    front = own or _start_token(tokenizer)
    if not front or ids[0] in (front[0], tokenizer.bos_token_id):
        return ids
    special = ids[0] in _special_ids(tokenizer) and ids[0] not in unknown_ids(tokenizer)
    return ids if special and not (is_text and own) else [*front, *ids]


def start_of_prompts(tokenizer: Tokenizer) -> list[int]:
    """Return the start of the model's prompts: what the tokenizer puts before every text, else BOS, else PAD, else EOS."""
    return _tokens_before_texts(tokenizer) or _start_token(tokenizer)


def _tokens_before_texts(tokenizer: Tokenizer) -> list[int]:
    """Return the tokens that the tokenizer itself puts before every text."""
    if not keeps_offsets(tokenizer):
        around = tokenizer.build_inputs_with_special_tokens([_MARK])
        return [int(token) for token in around[: around.index(_MARK)] if token is not None]
    known = tokenizer.convert_ids_to_tokens(0)
    for text in ("a", "" if known is None else str(known)):
        try:
            encoded = tokenizer(text)
        except Exception:  # raised by a tokenizer that does not know the word
            continue
        sources = encoded.sequence_ids(0)
        if 0 in sources:
            return [int(token) for token in encoded["input_ids"][: sources.index(0)]]
    return []


_MARK = -1
"""Marks the text among token ids."""


def _start_token(tokenizer: Tokenizer) -> list[int]:
    """Return the first token of a prompt for a tokenizer that puts nothing before texts: BOS, else PAD, else EOS."""
    named = (tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id)
    return [int(token) for token in named if token is not None][:1]


def _text_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    if not text:
        raise PromptError("The prompt is empty; write at least one word.")
    ids, unknown = encode(tokenizer, text)
    if unknown is not None:
        raise PromptError(f"The model does not know the word {quoted(unknown)}.{nearest(tokenizer, unknown)}")
    if not ids:
        raise PromptError(f"The prompt {quoted(text)} has no tokens; write at least one word.")
    return ids


def _checked_ids(tokenizer: Tokenizer, prompt: PromptInput, ids: Sequence[int], vocabulary_size: int) -> list[int]:
    """Return token ids that a user gave, checked, with the start of the model's prompts in front."""
    check_embedded(tokenizer, ids, vocabulary_size)
    tokens = [entry for entry in prompt if isinstance(entry, PromptToken)] if isinstance(prompt, Sequence) else []
    for token in tokens:
        here = token_text(tokenizer, token.token_id)
        if token.text != here:
            raise PromptError(
                f"The token {token.text!r:.80} has the id {token.token_id}, which is {here!r:.80} in this model: the "
                "tokens are of another one. Give the text, or token ids of this model."
            )
    if not tokens:
        _warn_of_padding(tokenizer, ids)
    return _with_start(tokenizer, list(ids), is_text=False)


def _warn_of_padding(tokenizer: Tokenizer, ids: Sequence[int]) -> None:
    """Warn of padding at either end, for tokenizers whose PAD has no other meaning and does not start prompts."""
    pad = tokenizer.pad_token_id
    if pad is None or pad in (tokenizer.bos_token_id, tokenizer.eos_token_id, *unknown_ids(tokenizer)):
        return
    begins = ids[0] == pad and (tokenizer.bos_token_id is not None or list(ids[1:2]) == [pad])
    if begins or ids[-1] == pad:
        warn(
            f"The token ids {'begin' if begins else 'end'} with padding, {token_text(tokenizer, pad)!r}, which is taken "
            "for part of the prompt; leave padding out."
        )


def _message_ids(tokenizer: Tokenizer, messages: Sequence[Any]) -> list[int]:
    if tokenizer.chat_template is None:
        raise PromptError(
            "Messages were given, but the model's tokenizer has no chat template. "
            "Write the conversation as one text, in the form the model was trained on, or set tokenizer.chat_template."
        )
    for index, message in enumerate(messages):
        _check_message(index, message)
    try:
        text = tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            tokenize=False,
            add_generation_prompt=messages[-1]["role"] != "assistant",
            continue_final_message=messages[-1]["role"] == "assistant",
        )
    except Exception as error:  # a template is a program, which raises any exception
        reason = first_line(error)
        raise PromptError(f"The model's chat template refuses these messages: {reason}") from error
    return _text_ids(tokenizer, str(text))


def _check_message(index: int, message: object) -> None:
    expected = 'expected {"role": "user", "content": "a text"}'
    if not isinstance(message, Mapping):
        raise PromptError(f"Message {index} is {quoted(message)}; {expected}.")
    for key in ("role", "content"):
        if key not in message:
            raise PromptError(f"Message {index} has no {key!r}; {expected}.")
        if not isinstance(message[key], str):
            raise PromptError(f"The {key} of message {index} is {quoted(message[key])}; {expected}.")


def _special_ids(tokenizer: Tokenizer) -> set[int]:
    added = tokenizer.added_tokens_decoder.items()
    named = {int(token) for token in tokenizer.all_special_ids if token is not None}
    return named | {int(number) for number, token in added if token.special}
