"""Numbers of words, so that ` Paris` and `paris` count as one when examples are chosen."""

from __future__ import annotations

import hashlib

from circuit_widget.model.tokens.tokenizer import Tokenizer, token_text


class WordNumbers:
    """Gives every token the number of its word: its text without space around it, in lower case."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[int, int] = {}

    def __call__(self, token: int) -> int:
        """Return the number of a token's word: a hash, so that it is the same in every call."""
        if token not in self._known:
            self._known[token] = number_of(token_text(self._tokenizer, token).strip().lower())
        return self._known[token]


def number_of(word: str) -> int:
    """Return the number of a word: a hash of 64 bits."""
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
