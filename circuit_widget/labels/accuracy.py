"""How well rules name the tokens at which features are active: counted in one pass over texts, a layer at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuit_widget.examples.batch import WindowBatch
from circuit_widget.labels.rule import NamedToken, Rules
from circuit_widget.labels.vocabulary import Spelling, Vocabulary

POSITIONS_AT_ONCE = 4_096
"""Positions at which named features are looked up together."""


@dataclass(frozen=True, eq=False)
class _Index:
    """The features that each word names at one named token: those of word `i` from `starts[i]` up to the next start."""

    words: Int[Tensor, " words"]
    starts: Int[Tensor, " words_and_one"]
    features: Int[Tensor, " entries"]

    @classmethod
    def of(cls, rules: Rules, named_token: NamedToken) -> _Index:
        """Return the index of the rules with a named token."""
        row, column = torch.nonzero(
            (rules.tokens >= 0) & (rules.found & (rules.named_tokens == int(named_token)))[:, None], as_tuple=True
        )
        words, order = rules.words[row, column].sort(stable=True)
        distinct, counts = torch.unique_consecutive(words, return_counts=True)
        return cls(distinct, torch.cat([counts.new_zeros(1), counts.cumsum(0)]), row[order])

    def named(self, words: Int[Tensor, " n"]) -> tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"]]:
        """Return which features are named where: pairs of a place in `words` and a feature."""
        if not len(self.words):
            return words.new_zeros(0), words.new_zeros(0)
        entry = torch.searchsorted(self.words, words).clamp(max=len(self.words) - 1)
        places = torch.nonzero(self.words[entry] == words)[:, 0]
        first, behind = self.starts[entry[places]], self.starts[entry[places] + 1]
        counts = behind - first
        pairs = torch.repeat_interleave(places, counts)
        within = torch.arange(len(pairs), dtype=torch.long, device=words.device) - torch.repeat_interleave(
            counts.cumsum(0) - counts, counts
        )
        return pairs, self.features[torch.repeat_interleave(first, counts) + within]


class SideCounts:
    """Counts of one sign of a layer's features: tokens named, tokens active, and both."""

    def __init__(
        self,
        rules: Rules,
        sign: int,
        levels: Float[Tensor, " features"],
        most: Float[Tensor, " features"],
        vocabulary: Vocabulary,
    ) -> None:
        """Features count as active above `levels`; `most` is the largest strength that their rules were made from."""
        self.rules = rules
        self.most = most
        self._vocabulary = vocabulary
        self.levels = levels
        self.sign = sign
        self._indices = {named_token: _Index.of(rules, named_token) for named_token in NamedToken}
        self._of_words = rules.found & ~rules.first
        self.named, self.hits, self.active = (torch.zeros_like(levels, dtype=torch.int64) for _ in range(3))

    def add(self, batch: WindowBatch, activations: Float[Tensor, "windows positions features"]) -> None:
        """Count the tokens of a batch."""
        strengths = self.sign * activations
        self._add_first(batch, strengths)
        active = (strengths > self.levels).flatten(0, 1)
        for named_token, index in self._indices.items():
            tokens, known = tokens_at(batch, named_token)
            of_named_token = self._of_words & (self.rules.named_tokens == int(named_token))
            places = torch.nonzero(known)[:, 0]
            self.active += torch.where(of_named_token, active[places].sum(0), 0)
            for some in places.split(POSITIONS_AT_ONCE):
                # A rule has words of one spelling, whose numbers are not among those of the other.
                for spelling in Spelling:
                    where, features = index.named(self._vocabulary.words(tokens[some], spelling))
                    hits = active[some[where], features]
                    self.named += torch.bincount(features, minlength=len(self.named))
                    self.hits += torch.bincount(features[hits], minlength=len(self.named))

    def _add_first(self, batch: WindowBatch, strengths: Float[Tensor, "windows positions features"]) -> None:
        """Count the tokens of a batch for features whose label names first tokens."""
        features = torch.nonzero(self.rules.first)[:, 0]
        if len(features):
            active = strengths[:, :, features] > self.levels[features]
            hits = active[:, batch.first_position].sum(0)
            self.named[features] += len(active)
            self.hits[features] += hits
            self.active[features] += hits + (active & batch.used[:, :, None]).sum((0, 1))


def tokens_at(batch: WindowBatch, named_token: NamedToken) -> tuple[Int[Tensor, " places"], Bool[Tensor, " places"]]:
    """Return the named token at each position of a batch, and where there is one and the position is used."""
    place = int(named_token)
    tokens = batch.tokens.roll(-place, dims=1)
    positions = torch.arange(tokens.shape[1], dtype=torch.long, device=tokens.device) + place
    exists = (positions >= 0) & (positions < batch.lengths[:, None])
    return tokens.flatten(), (exists & batch.used).flatten()


class LayerAccuracy:
    """Counts for a layer, which receives activations as what is kept of examples does."""

    def __init__(self, n_features: int, sides: tuple[SideCounts, ...]) -> None:
        self.n_features = n_features
        self.sides = sides

    def add(self, batch: WindowBatch, activations: Float[Tensor, "windows positions features"]) -> None:
        """Count the tokens of a batch."""
        for side in self.sides:
            side.add(batch, activations)
