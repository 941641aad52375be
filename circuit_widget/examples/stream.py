"""Texts in rounds: what is read together, with a hash of all that was read, so that a later call can go on behind it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from circuit_widget.errors import PromptError
from circuit_widget.examples.texts import Texts, TokenIds
from circuit_widget.model.tokens.prompt import start_of_prompts
from circuit_widget.model.tokens.tokenizer import Tokenizer

TEXTS_AT_ONCE = 64
"""Texts that the tokenizer is given together."""


@dataclass(frozen=True)
class Round:
    """Windows of `texts` texts that follow one another, and the hash of all texts up to their end."""

    windows: tuple[TokenIds, ...]
    texts: int
    digest: str


class TextStream:
    """Reads texts once, in order; `texts` counts them, `digest` is a hash of them."""

    def __init__(self, source: Texts, texts: int = 0, digest: str = "") -> None:
        """`source` yields what follows the first `texts`, whose hash is `digest`."""
        self.source = source
        self.texts = texts
        self.digest = digest
        self._entries = source.entries()
        self._waiting: list[str | TokenIds] = []

    def first(self) -> str | None:
        """Return a hash of the first text, without reading on; None where there is none."""
        for entry in self._entries:
            self._waiting.append(entry)
            return _hash_of(entry)
        return None

    def __iter__(self) -> Iterator[str | TokenIds]:
        while True:
            entry = self._waiting.pop() if self._waiting else next(self._entries, None)
            if entry is None:
                return
            self.texts += 1
            self.digest = hashlib.sha256(f"{self.digest} {_hash_of(entry)}".encode()).hexdigest()
            yield entry

    def skip(self, texts: int, digest: str) -> None:
        """Pass over texts that were read before.

        Raises:
            PromptError: there are fewer, or others.
        """
        for _ in zip(range(texts - self.texts), self, strict=False):
            pass
        if self.texts < texts:
            raise PromptError(
                f"There are {self.texts:,} of these texts, and {texts:,} were collected before that begin in the same way. "
                "Give all of them, with new ones behind them; or new texts alone."
            )
        if self.digest != digest:
            raise different_texts()


def different_texts() -> PromptError:
    """Return the error for texts that begin as others that were collected before, and go on differently."""
    return PromptError(
        "These texts begin with the same one as texts that were collected before into this folder, and then they are "
        "different. Give those texts, with new ones behind them; or new texts alone."
    )


def _hash_of(entry: str | TokenIds) -> str:
    content = entry.encode() if isinstance(entry, str) else repr(entry).encode()
    return hashlib.sha256(content).hexdigest()


class WindowReader:
    """Makes windows of tokens of texts: each begins with the start of the model's prompts."""

    def __init__(self, tokenizer: Tokenizer, window: int, n_embeddings: int, first_position: int) -> None:
        self._tokenizer = tokenizer
        self._start = tuple(start_of_prompts(tokenizer))
        self._length = window
        self._n_embeddings = n_embeddings
        self._first_position = first_position

    def rounds(
        self, stream: TextStream, least_tokens: int, most_tokens: int | None = None, first_texts: int = 0
    ) -> Iterator[Round]:
        """Yield rounds of at least `least_tokens`, except the last; they end with the text that reaches `most_tokens`.

        The first round has exactly `first_texts` texts where this is not zero.
        """
        left = most_tokens
        entries = iter(stream)
        while first_texts or left is None or left > 0:
            enough = least_tokens if left is None else min(least_tokens, left)
            texts = stream.texts
            again = first_texts > 0
            windows = self._windows(entries, stream, first_texts) if again else self._enough(entries, stream, enough)
            first_texts = 0
            if not windows:
                return
            left = None if left is None else left - self.tokens(windows)
            yield Round(tuple(windows), stream.texts - texts, stream.digest)

    def _enough(self, entries: Iterator[str | TokenIds], stream: TextStream, enough: int) -> list[TokenIds]:
        """Return the windows of the next texts, until they have `enough` tokens or there is no further text."""
        windows: list[TokenIds] = []
        first, count = stream.texts, 0
        while (missing := enough - self.tokens(windows)) > 0:
            # As many texts as are missing if they are as long as those before: a round ends at the end of a text.
            length = self.tokens(windows) // max(1, stream.texts - first)
            count = max(1, min(TEXTS_AT_ONCE, 2 * count, missing // max(1, length)))
            texts = stream.texts
            windows += self._windows(entries, stream, count)
            if stream.texts < texts + count:
                break
        return windows

    def tokens(self, windows: Sequence[TokenIds]) -> int:
        """Return the number of tokens of windows, without those before the first position that is used."""
        return sum(len(window) - self._first_position for window in windows)

    def end(self, windows: Sequence[TokenIds], start: int, enough: int | None) -> int:
        """Return the number of windows up to the one with which those from `start` on have `enough` tokens, or all."""
        if enough is not None:
            for place in range(start, len(windows)):
                enough -= len(windows[place]) - self._first_position
                if enough <= 0:
                    return place + 1
        return len(windows)

    def _windows(self, entries: Iterator[str | TokenIds], stream: TextStream, texts: int) -> list[TokenIds]:
        read = [entry for _, entry in zip(range(texts), entries, strict=False)]
        return [window for ids in self._encoded(read, stream.source.skipped) for window in self._cut(ids)]

    def _encoded(self, entries: Sequence[str | TokenIds], skipped: Counter[str]) -> Iterator[TokenIds]:
        texts = [entry for entry in entries if isinstance(entry, str)]
        encoded = iter(self._encode(texts) if texts else ())
        for entry in entries:
            ids = next(encoded) if isinstance(entry, str) else entry
            if ids is None:
                skipped["that the tokenizer cannot encode"] += 1
            elif any(not 0 <= token < self._n_embeddings for token in ids):
                skipped["with a token that the model has no embedding of"] += 1
            else:
                yield ids

    def _encode(self, texts: Sequence[str]) -> Iterator[TokenIds | None]:
        try:
            found = self._tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
            yield from (tuple(ids) for ids in found)
        except Exception:  # the Rust library raises plain Exceptions, tokenizers in Python any kind
            if len(texts) == 1:
                yield None
                return
            for text in texts:
                yield from self._encode([text])

    def _cut(self, ids: TokenIds) -> Iterator[TokenIds]:
        start = self._start if ids[: len(self._start)] != self._start else ()
        step = self._length - len(self._start)
        ids = ids if start else ids[len(self._start) :]
        for first in range(0, len(ids), step):
            window = (*self._start, *ids[first : first + step])
            if len(window) > self._first_position:
                yield window
