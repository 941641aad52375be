"""The words of a model's tokens, as labels have them: which tokens are one word, and which a label can name."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from circuit_widget.arguments import ACTING
from circuit_widget.characters import REPLACEMENT, shortened
from circuit_widget.examples.words import WordNumbers
from circuit_widget.model.tokens.tokenizer import Tokenizer, token_text

LONGEST_WORD = 24
"""Most characters of a word in a label."""


class Vocabulary:
    """Looks up the words of tokens; ` Paris` and `paris` are one word."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.word_of = WordNumbers(tokenizer)
        self._texts: dict[int, str] = {}

    def text(self, token: int) -> str:
        """Return a token as a label has it: without the spaces around it, with signs for what acts on a page."""
        if token not in self._texts:
            text = token_text(self._tokenizer, token).strip()
            visible = "".join(
                REPLACEMENT if not letter.isprintable() else letter for letter in ACTING.sub(REPLACEMENT, text)
            )
            self._texts[token] = shortened(visible, LONGEST_WORD)
        return self._texts[token]

    def words(self, tokens: Int[Tensor, "*shape"]) -> tuple[Int[Tensor, "*shape"], Bool[Tensor, "*shape"]]:
        """Return the numbers of the tokens' words, and which of them a label can name.

        Spaces, parts of characters, and where there is no token, cannot be named.
        """
        distinct, index = torch.unique(tokens, return_inverse=True)
        known = distinct.tolist()
        numbers = [self.word_of(token) if token >= 0 else 0 for token in known]
        nameable = [token >= 0 and self._is_nameable(token) for token in known]
        return (
            torch.tensor(numbers, dtype=torch.long, device=tokens.device)[index],
            torch.tensor(nameable, dtype=torch.bool, device=tokens.device)[index],
        )

    def _is_nameable(self, token: int) -> bool:
        text = self.text(token)
        return bool(text) and REPLACEMENT not in text
