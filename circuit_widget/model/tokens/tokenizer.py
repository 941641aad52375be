"""The tokenizer of a model: reading the `tokenizer` argument, and the displayed text of tokens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from circuit_widget.arguments import first_line, quoted
from circuit_widget.characters import repaired
from circuit_widget.errors import LoadError
from circuit_widget.system.warning import warn

Tokenizer: TypeAlias = PreTrainedTokenizerBase


class Processor(Protocol):
    """Prepares texts and images for a model, and has the tokenizer for texts."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer."""


TokenizerChoice: TypeAlias = Tokenizer | Processor | str | os.PathLike[str]
"""A tokenizer as users give it: itself, a processor that has one, or its directory."""


def read_tokenizer(given: object) -> Tokenizer | None:
    """Return the tokenizer in the `tokenizer` argument of `load`; None for None, where the model has its own.

    A text or path is a directory, or a model in the hub's local cache. Nothing is downloaded, and no remote code is run.

    Raises:
        LoadError: the argument has no tokenizer; names it, and how to get a tokenizer from it.
    """
    if given is None or isinstance(given, PreTrainedTokenizerBase):
        return given
    if isinstance(given, str | os.PathLike):
        return _from_files(given)
    inner = getattr(given, "tokenizer", None)
    if isinstance(inner, PreTrainedTokenizerBase):
        return inner
    hint = "pass the model's own, AutoTokenizer.from_pretrained(...), or its directory"
    if isinstance(given, tokenizers.Tokenizer):
        hint = (
            "wrap it and name its special tokens: "
            "transformers.PreTrainedTokenizerFast(tokenizer_object=..., bos_token=..., eos_token=...)"
        )
    elif isinstance(given, type):
        hint = f"pass an instance: {given.__name__}.from_pretrained(...)"
    raise LoadError(
        f"tokenizer= is {_kind(given)}; expected a tokenizer of transformers (PreTrainedTokenizerBase): {hint}."
    )


def _from_files(source: str | os.PathLike[str]) -> Tokenizer:
    try:
        found: Any = AutoTokenizer.from_pretrained(
            Path(source).expanduser().as_posix(), trust_remote_code=False, local_files_only=True
        )
    except Exception as error:  # transformers raises many kinds
        reason = first_line(error)
        raise LoadError(
            f"tokenizer={os.fspath(source)!r:.200} is neither the directory of a tokenizer nor a model in the local "
            f"cache ({reason}); pass one of these, or AutoTokenizer.from_pretrained(...)."
        ) from error
    if not isinstance(found, PreTrainedTokenizerBase):
        raise LoadError(
            f"tokenizer={os.fspath(source)!r:.200} contains {_kind(found)}, which is not a tokenizer of texts."
        )
    return found


def _kind(given: object) -> str:
    if isinstance(given, type):
        return f"the class {given.__name__}"
    name = f"{type(given).__module__}.{type(given).__qualname__}".removeprefix("builtins.")
    return f"{quoted(given)} ({name})" if isinstance(given, bool | int | float | bytes) else f"a {name}"


MANY_ADDED = 512
"""Tokens beyond the embeddings that may have been added to a tokenizer; with more it is that of another model."""

FEWEST_KNOWN = 0.5
"""Least share of the embeddings that have a token. Embeddings are padded, but not to twice their number."""


def warn_of_tokenizer(name: str, tokenizer: Tokenizer, n_embeddings: int) -> None:
    """Warn that a tokenizer seems to be that of another model, by how many tokens it has and how many are embedded."""
    n_tokens = len(tokenizer)
    if FEWEST_KNOWN * n_embeddings <= n_tokens <= n_embeddings + MANY_ADDED:
        return
    consequence = (
        "Prompts with tokens that have no embedding are refused, and others may mean something else to the model"
        if n_tokens > n_embeddings
        else "Texts may mean something else to the model, and most of its tokens have no text"
    )
    warn(
        f"The tokenizer has {n_tokens:,} tokens and the model {name!r} has {n_embeddings:,} embeddings, so the tokenizer seems "
        f"to be that of another model. {consequence}. Pass the model's own as tokenizer=."
    )


def keeps_offsets(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer returns the part of the text that each token covers; those written in Python do not."""
    return bool(getattr(tokenizer, "is_fast", False))


def token_text(tokenizer: Tokenizer, token_id: int) -> str:
    """Return the displayed text of a token: the name of a special token, else its text with its leading space.

    A token that the tokenizer does not have is displayed by its id, as "<7>". Half of a character, which tokenizers
    written in Python may return, becomes the replacement character: no file and no table can have it.
    """
    piece = _piece(tokenizer, token_id)
    if piece is None:
        return unknown_text(token_id)
    if token_id in tokenizer.all_special_ids:
        return piece
    if "▁" in piece:
        return piece.replace("▁", " ")
    return repaired(str(tokenizer.decode([token_id], clean_up_tokenization_spaces=False))) or piece


def unknown_text(token_id: int) -> str:
    """Return the displayed text of a token that the tokenizer does not have."""
    return f"<{quoted(token_id)}>"


def not_embedded(text: str, token_id: int, rows: int, where: str = "") -> str:
    """Return the error message for a token that the tokenizer has and the model does not."""
    beyond = f"The token {text!r:.80} (id {token_id}) is beyond the model's {rows} embeddings{where}"
    if token_id >= rows + MANY_ADDED:
        return f"{beyond}: the tokenizer seems to be that of another model. Load the model with its own, tokenizer=."
    return (
        f"{beyond}: it was added to the tokenizer alone. Call model.resize_token_embeddings(len(tokenizer)) before loading the "
        "model here, or leave the token out."
    )


def _piece(tokenizer: Tokenizer, token_id: int) -> str | None:
    """Return the spelling of a token in the vocabulary, None for an id outside it, where tokenizers in Python raise."""
    try:
        piece: Any = tokenizer.convert_ids_to_tokens(token_id)
    except (IndexError, KeyError, ValueError, OverflowError):
        return None
    return None if piece is None else repaired(str(piece))
