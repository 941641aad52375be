"""What a label is made from: the examples of features, each with a weight, for activations of one sign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuit_widget.examples.activation_ranges import LEVELS
from circuit_widget.examples.batch import BEFORE
from circuit_widget.examples.histogram import BINS, Histograms
from circuit_widget.examples.layer_state import LayerState, Side
from circuit_widget.examples.strongest_examples import repeated
from circuit_widget.labels.vocabulary import Spelling, Vocabulary

STRONG = 0.5
"""Share of the maximum above which a neuron counts as active: nearly all neurons are nonzero at nearly all tokens."""

STRONGEST_SHARE = 1 / 3
"""Share of the weight that the strongest examples have; the random choice has the rest."""


@dataclass(frozen=True, eq=False)
class FirstEvidence:
    """What features do at the first tokens of windows, which have no part in their other evidence.

    Attributes:
        shares: share of the feature's summed activation that is there.
        active: at how many of them it is above half of its maximum there.
        windows: number of windows.
    """

    shares: Float[Tensor, " features"]
    active: Float[Tensor, " features"]
    windows: int


@dataclass(frozen=True, eq=False)
class Evidence:
    """Examples of features: the strongest ones, then those of the random choice.

    Attributes:
        tokens: token ids, -1 where there is none; the peak of each example is the 16th.
        words: numbers of the words of the tokens, by spelling; `nameable` where a label can name them.
        occurrences: how often the words before, at and after the peaks are in all texts, about, by spelling.
        strengths: activations in the direction of the sign.
        weights: of the examples, which add up to 1 for a feature, or to 0 without examples.
        fresh: whether the example is not one of those before it.
        levels: strength above which the feature counts as active; `active` is at how many tokens of all texts it is.
        first: what the feature does at the first tokens of windows.
    """

    tokens: Int[Tensor, "features examples context"]
    words: Mapping[Spelling, Int[Tensor, "features examples context"]]
    occurrences: Mapping[Spelling, Float[Tensor, "features examples 3"]]
    nameable: Bool[Tensor, "features examples context"]
    strengths: Float[Tensor, "features examples context"]
    weights: Float[Tensor, "features examples"]
    fresh: Bool[Tensor, "features examples"]
    levels: Float[Tensor, " features"]
    active: Float[Tensor, " features"]
    first: FirstEvidence


class WordCounts:
    """About how often each word is in the texts, from the tokens beside the peaks of the examples of a layer.

    Most of these are near no peak of any one feature, so they are about as frequent as in all texts. What begins every
    text is not: many features peak behind it.
    """

    def __init__(self, state: LayerState, vocabulary: Vocabulary, n_tokens: int) -> None:
        """`tokens` are the different ones of the examples; `n_tokens` is the number of tokens of all texts."""
        self.n_windows = int(state.windows)
        slots = [slots for side in state.sides for slots in (side.strongest.slots, side.levels.slots)]
        beside = [torch.cat([one.tokens[:, :, :BEFORE], one.tokens[:, :, BEFORE + 1 :]], 2).flatten() for one in slots]
        peaks = torch.unique(torch.cat([one.tokens[:, :, BEFORE].flatten() for one in slots]))
        tokens, counts = torch.unique(torch.cat(beside), return_counts=True)
        tokens, counts = tokens[tokens >= 0], counts[tokens >= 0].double()
        shares = counts / counts.sum().clamp(min=1)
        self.tokens = torch.unique(torch.cat([tokens, peaks[peaks >= 0]])).long()
        self._counts: dict[Spelling, tuple[Tensor, Tensor]] = {}
        for spelling in Spelling:
            words, index = torch.unique(vocabulary.words(tokens.long(), spelling), return_inverse=True)
            summed = shares.new_zeros(len(words)).index_add_(0, index, shares)
            occurrences = (n_tokens * summed).float()
            if vocabulary.start is not None:
                start = vocabulary.words(torch.tensor([vocabulary.start], dtype=torch.long, device="cpu"), spelling)
                occurrences[words == start.to(words.device)] = float(self.n_windows)
            self._counts[spelling] = words, occurrences

    def of(self, words: Int[Tensor, "*shape"], spelling: Spelling) -> Float[Tensor, "*shape"]:
        """Return how often words are in the texts, at least once."""
        known, counts = self._counts[spelling]
        if not len(known):
            return torch.ones_like(words, dtype=torch.float32)
        place = torch.searchsorted(known, words.contiguous()).clamp(max=len(known) - 1)
        return torch.where(known[place] == words, counts[place], 1.0).clamp(min=1.0)


def levels_of(side: Side, *, signed: bool) -> Float[Tensor, " features"]:
    """Return the strength above which each feature counts as active: zero, or of a neuron half of its maximum."""
    maxima = side.strongest.maxima
    return STRONG * maxima if signed else torch.zeros_like(maxima)


def first_levels_of(side: Side) -> Float[Tensor, " features"]:
    """Return half of the largest strength of each feature at first tokens of windows."""
    return STRONG * side.first.maxima


def evidence_of(side: Side, vocabulary: Vocabulary, counts: WordCounts, features: slice, *, signed: bool) -> Evidence:
    """Return the examples of some features of a layer.

    The strongest examples are of different words where there are any, so alone they would name rare words. The random
    choice has most of the weight: each range as much as its activations add up to in the histogram, divided among its
    examples.
    """
    levels = levels_of(side, signed=signed)[features]
    strongest, drawn = side.strongest.slots, side.levels.slots
    values = torch.cat([strongest.values[features], drawn.values[features]], 1)
    texts = torch.cat([strongest.texts[features], drawn.texts[features]], 1)
    tokens = torch.cat([strongest.tokens[features], drawn.tokens[features]], 1).long()
    activations = torch.cat([strongest.activations[features], drawn.activations[features]], 1)
    present = (values > 0) & (values > levels[:, None])
    words = {spelling: vocabulary.words(tokens, spelling) for spelling in Spelling}
    count = strongest.count
    exponents = side.histograms.exponents[features]
    weights = torch.cat(
        [
            STRONGEST_SHARE * _shares(values[:, :count] * present[:, :count]),
            (1 - STRONGEST_SHARE)
            * _shares(
                _drawn_weights(
                    values[:, count:], present[:, count:], side.histograms.counts[features], exponents, levels
                )
            ),
        ],
        1,
    )
    return Evidence(
        tokens=tokens,
        words=words,
        occurrences={one: counts.of(words[one][:, :, BEFORE - 1 : BEFORE + 2], one) for one in Spelling},
        nameable=vocabulary.nameable(tokens) & present[:, :, None],
        strengths=side.sign * activations,
        weights=_shares(weights),
        fresh=present & ~repeated(texts, present),
        levels=levels,
        active=(side.histograms.counts[features] * _above(levels, exponents)).sum(1).float(),
        first=_first_evidence(side, counts.n_windows, features),
    )


def _first_evidence(side: Side, n_windows: int, features: slice) -> FirstEvidence:
    histograms = side.first.histograms
    at_first, others = _sums(histograms)[features], _sums(side.histograms)[features]
    above = _above(first_levels_of(side)[features], histograms.exponents[features])
    return FirstEvidence(
        shares=(at_first / (at_first + others).clamp(min=torch.finfo(at_first.dtype).tiny)),
        active=(histograms.counts[features] * above).sum(1).float(),
        windows=n_windows,
    )


def _sums(histograms: Histograms) -> Float[Tensor, " features"]:
    """Return the sum of the activations in each histogram, by the middles of bins."""
    units = (histograms.counts * _middles(histograms.counts.device)).sum(1)
    return torch.ldexp(units / BINS, histograms.exponents.clamp(min=-100))


def _above(levels: Float[Tensor, " features"], exponents: Int[Tensor, " features"]) -> Bool[Tensor, "features bins"]:
    """Return which bins of a histogram are above a level, by their middle."""
    units = torch.ldexp(levels * BINS, -exponents.clamp(min=-100))
    return _middles(levels.device) > units[:, None]


def _middles(device: torch.device) -> Float[Tensor, " bins"]:
    return torch.arange(BINS, dtype=torch.float32, device=device) + 0.5


def _drawn_weights(
    values: Float[Tensor, "features drawn"],
    present: Bool[Tensor, "features drawn"],
    counts: Int[Tensor, "features bins"],
    exponents: Int[Tensor, " features"],
    levels: Float[Tensor, " features"],
) -> Float[Tensor, "features drawn"]:
    """Return weights of the random choice: the summed activation of its range above the level, divided equally."""
    # In units of the width of a bin, since weights count by their proportion only.
    sums = counts * _middles(counts.device) * _above(levels, exponents)
    edges = [0, *(BINS >> level for level in range(LEVELS - 1, -1, -1))]
    ranges = [sums[:, low:high].sum(1) for low, high in pairwise(edges)]
    by_range = torch.stack(ranges[::-1], 1)
    _, own = torch.frexp(values)
    place = (exponents[:, None] - own).clamp(0, LEVELS - 1).long()
    in_range = torch.zeros_like(by_range).scatter_add_(1, place, present.to(by_range.dtype))
    shares: Tensor = torch.gather(by_range / in_range.clamp(min=1), 1, place) * present
    return shares


def _shares(weights: Float[Tensor, "features examples"]) -> Float[Tensor, "features examples"]:
    """Return weights that add up to 1, or to 0 where all are 0."""
    total = weights.sum(1, keepdim=True)
    return torch.where(total > 0, weights / total.clamp(min=torch.finfo(weights.dtype).tiny), 0.0)
