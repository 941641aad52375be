"""Histograms of activations whose range grows with the maximum, so that no order of texts changes them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

BINS = 64
"""Number of bins from zero to the power of two above the maximum, which is in the upper half of them."""

NUMBERS_AT_ONCE = 1 << 20
"""Activations that are counted together: few enough for the processor's cache."""

NO_EXPONENT = -200
"""The exponent where a feature was never active: below that of every number."""


@dataclass(frozen=True, eq=False)
class Histograms:
    """The activations of all features of a layer, of one sign, in `BINS` bins of equal width.

    A bin's width is a power of two. Where a maximum reaches the end of the range, the range doubles and bins are joined in
    pairs, which gives the same counts as bins of that width from the start.
    """

    exponents: Int[Tensor, " features"]
    counts: Int[Tensor, "features bins"]

    @classmethod
    def empty(cls, n_features: int, device: torch.device) -> Histograms:
        """Return histograms without any activation."""
        return cls(
            torch.full((n_features,), NO_EXPONENT, dtype=torch.int32, device=device),
            torch.zeros(n_features, BINS, dtype=torch.int64, device=device),
        )

    def widen(self, maxima: Float[Tensor, " features"]) -> Tensor:
        """Make room for activations up to `maxima`; return where the range has grown."""
        _, needed = torch.frexp(maxima)
        needed = torch.where(maxima > 0, needed, NO_EXPONENT)
        risen = needed > self.exponents
        rows = torch.nonzero(risen)[:, 0]
        if len(rows):
            shift = (needed[rows] - self.exponents[rows]).clamp(max=BINS).long()
            bins = torch.arange(BINS, dtype=torch.long, device=rows.device) >> shift[:, None].clamp(max=62)
            self.counts[rows] = torch.zeros_like(self.counts[rows]).scatter_add_(1, bins, self.counts[rows])
            self.exponents[rows] = needed[rows]
        return risen

    def add(self, features: Int[Tensor, " n"], activations: Float[Tensor, " n"]) -> None:
        """Count activations above zero, each of its feature, after `widen`."""
        scale = torch.ldexp(torch.ones_like(activations) * BINS, -self.exponents[features].clamp(min=-100))
        bins = (activations * scale).long().clamp_(max=BINS - 1) + features * BINS
        self.counts.view(-1).add_(torch.bincount(bins, minlength=self.counts.numel()))

    def add_all(self, activations: Float[Tensor, "rows features"]) -> Int[Tensor, " features"]:
        """Count those of all features that are above zero, after `widen`; return how many there are of each.

        Faster than `add` where many are.
        """
        scale = torch.ldexp(torch.full_like(activations[0], BINS), -self.exponents.clamp(min=-100))
        firsts = torch.arange(0, self.counts.numel(), BINS, dtype=torch.int32, device=activations.device)
        total = torch.zeros_like(self.counts[:, 0])
        for rows in activations.split(max(1, NUMBERS_AT_ONCE // len(firsts))):
            positive = rows.sign().clamp_(min=0).sum(0).long()
            bins = (rows * scale).clamp_(0, BINS - 1).int().add_(firsts)
            counts = torch.bincount(bins.flatten(), minlength=self.counts.numel()).view_as(self.counts)
            counts[:, 0] -= len(rows) - positive
            self.counts.add_(counts)
            total += positive
        return total
