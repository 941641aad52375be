"""The strongest examples of each feature: no passage twice, and different words first."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuit_widget.examples.kept_examples import Candidates, Slots

STRONGEST = 12
"""Number of strongest examples of a feature."""

NEAR_MAXIMUM = 0.5
"""Share of the maximum from which an example of another word comes before a stronger one of the same word."""

WINDOWS_AT_ONCE = 32
FEATURES_AT_ONCE = 1 << 14
"""How many are compared at once: each example with each other one of its feature."""


class StrongestExamples:
    """The strongest examples of each feature of a layer, in the direction of one sign.

    Examples of different words whose peak is at least half of the maximum come first, then all others; both by their
    peak. Of the same passage there is one.
    """

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self._floor = torch.zeros_like(slots.values[:, 0])
        self._floor[:] = _floor_of(slots.values, _are_first(slots.values, slots.words))

    @property
    def maxima(self) -> Float[Tensor, " features"]:
        """The size of each feature's strongest example, zero where there is none."""
        return self.slots.values.amax(1)

    def add(self, found: Candidates) -> None:
        """Add the peaks of a batch."""
        for start in range(0, found.values.shape[1], WINDOWS_AT_ONCE):
            part = found.part(slice(start, start + WINDOWS_AT_ONCE))
            enters = ((part.values > self._floor[:, None]) & (part.values > 0)).any(1)
            for rows in torch.nonzero(enters)[:, 0].split(FEATURES_AT_ONCE):
                self._merge(rows, part)

    def _merge(self, rows: Int[Tensor, " n"], found: Candidates) -> None:
        values, texts, words, _ = self.slots.joined(rows, found)
        chosen, filled = choose(values, texts, words, self.slots.count)
        self.slots.replace(rows, chosen, filled, found)
        self._floor[rows] = _floor_of(
            self.slots.values[rows], _are_first(self.slots.values[rows], self.slots.words[rows])
        )


def choose(
    values: Float[Tensor, "n examples"], texts: Int[Tensor, "n examples"], words: Int[Tensor, "n examples"], count: int
) -> tuple[Int[Tensor, "n chosen"], Bool[Tensor, "n chosen"]]:
    """Return the columns of the strongest examples in their order, and where there is one; earlier ones win a tie."""
    order = values.argsort(dim=1, descending=True, stable=True)
    values, texts, words = (torch.gather(one, 1, order) for one in (values, texts, words))
    present = (values > 0) & ~repeated(texts, values > 0)
    first = present & ~repeated(words, present) & (values >= NEAR_MAXIMUM * values[:, :1])
    rank = torch.where(first, 0, torch.where(present, 1, 2))
    best = rank.argsort(dim=1, stable=True)[:, :count]
    return torch.gather(order, 1, best), torch.gather(rank, 1, best) < 2


def repeated(numbers: Int[Tensor, "n examples"], present: Bool[Tensor, "n examples"]) -> Bool[Tensor, "n examples"]:
    """Return which numbers stand before in the same row, where they are present."""
    count = numbers.shape[1]
    before = torch.ones(count, count, dtype=torch.bool, device=numbers.device).tril(-1)
    same = numbers[:, :, None] == numbers[:, None, :]
    return (same & before & present[:, None, :]).any(-1)


def _are_first(values: Float[Tensor, "n slots"], words: Int[Tensor, "n slots"]) -> Bool[Tensor, "n slots"]:
    present = values > 0
    return present & ~repeated(words, present) & (values >= NEAR_MAXIMUM * values.amax(1, keepdim=True))


def _floor_of(values: Float[Tensor, "n slots"], first: Bool[Tensor, "n slots"]) -> Float[Tensor, " n"]:
    """Return the value up to which no further example enters."""
    weakest, strongest = values.amin(1), values.amax(1)
    # Just below half of the maximum: an example of exactly half may be the first of its word.
    half = torch.nextafter(NEAR_MAXIMUM * strongest, torch.zeros_like(strongest))
    return torch.where(first.all(1), weakest, torch.minimum(weakest, half))
