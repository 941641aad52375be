"""Sets of words that are alike, by the model's embeddings, for features that are active at many words of one sort.

A neuron of first names is at "Henry", "Emily" and "Thomas", each in one example of a few texts: no word has most of the
weight. Its set are the words nearest to the mean of the words at its peaks, as far as it takes for most of the weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuit_widget.examples.batch import BEFORE
from circuit_widget.labels.evidence import Evidence, WordCounts
from circuit_widget.labels.vocabulary import Spelling, Vocabulary

MOST_ALIKE = 48
"""Most words of a set."""

LEAST_ALIKE = 4
"""How many different words of a set are at peaks at least: fewer are a list."""


ROUNDING = 1e-4

LEAST_NEAR = 0.2
"""Least cosine between the embedding of a word of a set and the mean of the other words at peaks."""


@dataclass(frozen=True, eq=False)
class WordSets:
    """Sets of words, those of most weight first; `tokens` has a token of each word, -1 where there are fewer.

    `shares` are the shares of the weight that the words have at the peaks, `occurrences` how often they are in all texts.
    """

    words: Int[Tensor, "features alike"]
    tokens: Int[Tensor, "features alike"]
    shares: Float[Tensor, " features"]
    occurrences: Float[Tensor, " features"]
    found: Bool[Tensor, " features"]


class AlikeWords:
    """The words of the examples of a layer, and where each is in the space of embeddings."""

    def __init__(
        self, embeddings: Float[Tensor, "embeddings d_model"], vocabulary: Vocabulary, counts: WordCounts
    ) -> None:
        """`embeddings` are the rows of the model's input embeddings; words are those in `counts`."""
        tokens = counts.tokens[vocabulary.nameable(counts.tokens)]
        # Of one word, the first token stands for all.
        self.words, inverse = torch.unique(vocabulary.words(tokens), return_inverse=True)
        places = torch.arange(len(tokens), dtype=torch.long, device=tokens.device)
        first = torch.full_like(self.words, len(tokens)).scatter_reduce_(0, inverse, places, "amin")
        self.tokens = tokens[first]
        rows = embeddings[self.tokens.to(embeddings.device)].to(self.words.device, torch.float32)
        self._vectors = torch.nn.functional.normalize(rows - rows.mean(0, keepdim=True), dim=1)
        self._occurrences = counts.of(self.words, Spelling.ANY_CASE)

    def likely(self, evidence: Evidence, rows: Int[Tensor, " features"], most: float) -> Int[Tensor, " likely"]:
        """Return which features, by the rows of their evidence, can have a set: comparing all words takes much longer.

        The words at their peaks alone decide that enough of the weight is at words near the mean of the others.
        """
        if not len(self.words):
            return rows[:0]
        place, known = self._at_peaks(evidence, rows)
        weights = evidence.weights[rows] * known
        same = (place[:, :, None] == place[:, None, :]).to(weights.dtype)
        own = (same @ weights[:, :, None])[:, :, 0]
        vectors = self._vectors[place]
        sums = (weights[:, None, :] @ vectors)[:, 0]
        products = (vectors @ sums[:, :, None])[:, :, 0]
        without = (sums.square().sum(1, keepdim=True) - 2 * own * products + own.square()).clamp(min=1e-12).sqrt()
        near = (products - own) / without >= LEAST_NEAR - ROUNDING
        return rows[(weights * near).sum(1) >= most - ROUNDING]

    def _at_peaks(
        self, evidence: Evidence, rows: Int[Tensor, " features"]
    ) -> tuple[Int[Tensor, "features examples"], Bool[Tensor, "features examples"]]:
        """Return which of the words is at each peak, and whether one is."""
        at_peaks = evidence.words[Spelling.ANY_CASE][rows, :, BEFORE]
        place = torch.searchsorted(self.words, at_peaks.contiguous()).clamp(max=len(self.words) - 1)
        return place, (self.words[place] == at_peaks) & evidence.nameable[rows, :, BEFORE]

    def sets(self, evidence: Evidence, rows: Int[Tensor, " features"], most: float) -> WordSets:
        """Return the sets of features by the rows of their evidence; those found have at least `most` of the weight."""
        place, known = self._at_peaks(evidence, rows)
        weights = evidence.weights[rows] * known
        of_words = weights.new_zeros(len(rows), len(self.words)).scatter_add_(1, place, weights)
        sums = of_words @ self._vectors
        products = sums @ self._vectors.T
        size = sums.norm(dim=1, keepdim=True)
        # A word at a peak is near the mean of all words there since it is one of them: it is left out of its own mean.
        without = (size.square() - 2 * of_words * products + of_words.square()).clamp(min=1e-12).sqrt()
        nearness = (products - of_words) / without
        own = torch.gather(nearness, 1, place).masked_fill(~known, -2.0)
        ordered, order = own.sort(1, descending=True)
        reached = torch.gather(weights, 1, order).cumsum(1) >= most
        least = torch.gather(ordered, 1, reached.float().argmax(1, keepdim=True))
        chosen = nearness >= least
        shares = of_words * chosen
        count = min(MOST_ALIKE, len(self.words))
        # Words at peaks come first, by their weight, then the nearest.
        best = torch.topk(torch.where(chosen, nearness + 4 * shares, -2.0), count, dim=1).indices
        used = torch.gather(chosen, 1, best)
        at_peak = (torch.gather(shares, 1, best) > 0).sum(1)
        near = least[:, 0] >= LEAST_NEAR
        found = reached.any(1) & near & (chosen.sum(1) <= MOST_ALIKE) & (at_peak >= LEAST_ALIKE)
        return WordSets(
            torch.where(used, self.words[best], 0),
            torch.where(used, self.tokens[best], -1),
            shares.sum(1),
            (chosen * self._occurrences).sum(1),
            found,
        )
