"""What a label is made from: the examples of features, each with a weight, for activations of one sign."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuit_widget.examples.histogram import BINS
from circuit_widget.examples.layer_state import Side
from circuit_widget.examples.levels import LEVELS
from circuit_widget.examples.strongest import repeated
from circuit_widget.labels.vocabulary import Vocabulary

STRONG = 0.5
"""Share of the maximum above which a neuron counts as active: nearly all neurons are nonzero at nearly all tokens."""

STRONGEST_SHARE = 1 / 3
"""Share of the weight that the strongest examples have; the random choice has the rest."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Examples of features: the strongest ones, then those of the random choice.

    Attributes:
        tokens: token ids, -1 where there is none; the peak of each example is the 16th.
        words: numbers of the words of the tokens; `nameable` where a label can name it.
        strengths: activations in the direction of the sign.
        weights: of the examples, which add up to 1 for a feature, or to 0 without examples.
        fresh: whether the example is not one of those before it.
        levels: strength above which the feature counts as active.
    """

    tokens: Int[Tensor, "features examples context"]
    words: Int[Tensor, "features examples context"]
    nameable: Bool[Tensor, "features examples context"]
    strengths: Float[Tensor, "features examples context"]
    weights: Float[Tensor, "features examples"]
    fresh: Bool[Tensor, "features examples"]
    levels: Float[Tensor, " features"]


def levels_of(side: Side, *, signed: bool) -> Float[Tensor, " features"]:
    """Return the strength above which each feature counts as active: zero, or of a neuron half of its maximum."""
    maxima = side.strongest.slots.values.amax(1)
    return STRONG * maxima if signed else torch.zeros_like(maxima)


def evidence_of(side: Side, vocabulary: Vocabulary, features: slice, *, signed: bool) -> Evidence:
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
    words, nameable = vocabulary.words(tokens)
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
        nameable=nameable & present[:, :, None],
        strengths=side.sign * activations,
        weights=_shares(weights),
        fresh=present & ~repeated(texts, present),
        levels=levels,
    )


def _drawn_weights(
    values: Float[Tensor, "features drawn"],
    present: Bool[Tensor, "features drawn"],
    counts: Int[Tensor, "features bins"],
    exponents: Int[Tensor, " features"],
    levels: Float[Tensor, " features"],
) -> Float[Tensor, "features drawn"]:
    """Return weights of the random choice: the summed activation of its range above the level, divided equally."""
    bins = torch.arange(BINS, dtype=torch.float32, device=counts.device) + 0.5
    # In units of the width of a bin, since weights count by their proportion only.
    units = torch.ldexp(levels * BINS, -exponents.clamp(min=-100))
    sums = counts * bins * (bins > units[:, None])
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
