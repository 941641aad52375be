"""The words of a model's tokens, as labels have them: which tokens are one word, and which a label can name."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from circuit_widget.arguments import FORBIDDEN_CHARACTERS
from circuit_widget.characters import REPLACEMENT, shortened
from circuit_widget.examples.words import WordNumbers, number_of
from circuit_widget.model.tokens.prompt import start_of_prompts
from circuit_widget.model.tokens.tokenizer import Tokenizer, token_text

LONGEST_WORD = 24
"""Most characters of a word in a label."""


class Spelling(Enum):
    """Which tokens are one word: in any case, ` Paris` and `paris`, or in the same case, ` Paris` and `Paris`."""

    ANY_CASE = "any case"
    EXACT = "exact"


class _TokenTable:
    """A value for each token, computed when it is first needed; 0 or False where there is no token."""

    def __init__(self, compute: Callable[[int], int | bool], dtype: torch.dtype) -> None:
        self._compute = compute
        self._values = torch.zeros(1, dtype=dtype, device="cpu")
        self._known = torch.ones(1, dtype=torch.bool, device="cpu")

    def __call__(self, tokens: Int[Tensor, "*shape"]) -> Tensor:
        """Return the values of tokens; -1 is no token."""
        places = tokens.to("cpu", torch.long) + 1
        missing = int(places.max()) + 1 - len(self._known) if places.numel() else 0
        if missing > 0:
            self._values = torch.cat([self._values, self._values.new_zeros(missing)])
            self._known = torch.cat([self._known, self._known.new_zeros(missing)])
        new = places[~self._known[places]]
        for place in torch.unique(new).tolist():
            self._values[place] = self._compute(place - 1)
            self._known[place] = True
        return self._values[places].to(tokens.device)


class Vocabulary:
    """Looks up the words of tokens."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.start = next(iter(start_of_prompts(tokenizer)[-1:]), None)
        """The last token of what begins every text, such as BOS; None where nothing does."""
        self.word_of = WordNumbers(tokenizer)
        self._texts: dict[int, str] = {}
        self._words = {
            Spelling.ANY_CASE: _TokenTable(self.word_of, torch.long),
            Spelling.EXACT: _TokenTable(self._exact, torch.long),
        }
        self._nameable = _TokenTable(self._is_nameable, torch.bool)

    def text(self, token: int) -> str:
        """Return a token as a label has it: without the spaces around it, with signs for what acts on a page."""
        if token not in self._texts:
            text = token_text(self._tokenizer, token).strip()
            visible = "".join(
                REPLACEMENT if not letter.isprintable() else letter
                for letter in FORBIDDEN_CHARACTERS.sub(REPLACEMENT, text)
            )
            self._texts[token] = shortened(visible, LONGEST_WORD)
        return self._texts[token]

    def words(self, tokens: Int[Tensor, "*shape"], spelling: Spelling = Spelling.ANY_CASE) -> Int[Tensor, "*shape"]:
        """Return the numbers of the tokens' words, 0 where there is no token; no number is of both spellings."""
        return self._words[spelling](tokens)

    def nameable(self, tokens: Int[Tensor, "*shape"]) -> Bool[Tensor, "*shape"]:
        """Return which tokens a label can name: not spaces, parts of characters, or where there is no token."""
        return self._nameable(tokens)

    def _exact(self, token: int) -> int:
        return number_of(f"exactly {token_text(self._tokenizer, token).strip()}")

    def _is_nameable(self, token: int) -> bool:
        text = self.text(token)
        return bool(text) and REPLACEMENT not in text
