"""Samples of the model itself as texts: what it writes at temperature 1."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from circuit_widget.examples.texts import Texts, TokenIds
from circuit_widget.model.batch_sampling import sample_batch
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.tokens.prompt import start_of_prompts

SAMPLES_AT_ONCE = 32
DEFAULT_TOKENS = 100_000
"""Number of tokens where no number is given."""

NAME = "samples of the model itself at temperature 1"
FIRST = "samples"
"""Stands for the hash of the first text: samples are the same in every call."""


def samples_of(model: LanguageModel, length: int, behind: int = 0) -> Texts:
    """Return endless samples of a model, of at most `length` tokens; the same ones each time, without the first `behind`."""

    def entries() -> Iterator[TokenIds]:
        start = start_of_prompts(model.tokenizer)
        known = behind % SAMPLES_AT_ONCE
        for seed in count(behind // SAMPLES_AT_ONCE):
            yield from sample_batch(model, start, SAMPLES_AT_ONCE, length, seed)[known:]
            known = 0

    return Texts(NAME, entries)
