"""Examples of lower activations: a random choice in each of four ranges, each half of the one above."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from circuit_widget.examples.batch import mixed
from circuit_widget.examples.kept_examples import NEVER, Candidates, Slots
from circuit_widget.examples.strongest_examples import FEATURES_AT_ONCE, WINDOWS_AT_ONCE

LEVELS = 4
"""Number of ranges. The first ends at the power of two above the maximum, the last begins at zero."""

PER_LEVEL = 3
"""Examples of each range."""

_PRIORITY_BITS = 48


class Levels:
    """A random choice of examples in each range of activations, for each feature of a layer and one sign.

    The choice keeps those of smallest priority, a number that looks random and depends on passage and feature alone, so it
    does not depend on the order of texts.
    """

    def __init__(self, slots: Slots, layer: int) -> None:
        self.slots = slots
        n_features = len(slots.values)
        numbers = torch.arange(n_features, dtype=torch.long, device=slots.values.device)
        self._salt = mixed(numbers * 1_000_003 + layer)
        self._limit = torch.full((n_features, LEVELS), NEVER, dtype=torch.long, device=slots.values.device)
        self._restored = False

    def add(self, found: Candidates, exponents: Int[Tensor, " features"], risen: Bool[Tensor, " features"]) -> None:
        """Add the peaks of a batch; `exponents` are of the powers of two above the maxima, `risen` where they are new."""
        if not self._restored:
            self._limit[:] = self._limits(self.slots, exponents)
            self._restored = True
        for start in range(0, found.values.shape[1], WINDOWS_AT_ONCE):
            part = found.part(slice(start, start + WINDOWS_AT_ONCE))
            priorities = self._priorities(part)
            limits = torch.gather(self._limit, 1, level_of(part.values, exponents))
            enters = ((priorities < limits) & (part.values > 0)).any(1) | (risen if start == 0 else False)
            for rows in torch.nonzero(enters)[:, 0].split(FEATURES_AT_ONCE):
                self._merge(rows, part, priorities, exponents)

    def _priorities(self, found: Candidates) -> Int[Tensor, "features windows"]:
        return mixed(found.texts ^ self._salt[:, None]) & ((1 << _PRIORITY_BITS) - 1)

    def _merge(
        self, rows: Int[Tensor, " n"], found: Candidates, priorities: Tensor, exponents: Int[Tensor, " features"]
    ) -> None:
        values, texts, _, joined = self.slots.joined(rows, found, priorities)
        chosen, filled = choose(level_of(values, exponents[rows]), joined, texts, values > 0)
        self.slots.replace(rows, chosen, filled, found, priorities)
        self._limit[rows] = self.slots.priorities[rows].unflatten(1, (LEVELS, PER_LEVEL))[:, :, -1]

    def _limits(self, slots: Slots, exponents: Int[Tensor, " features"]) -> Tensor:
        """Return the priorities that a further example of each range has to be below."""
        order, filled = choose(level_of(slots.values, exponents), slots.priorities, slots.texts, slots.values > 0)
        priorities = torch.where(filled, torch.gather(slots.priorities, 1, order), NEVER)
        limits: Tensor = priorities.unflatten(1, (LEVELS, PER_LEVEL))[:, :, -1]
        return limits


def level_of(values: Tensor, exponents: Int[Tensor, " features"]) -> Int[Tensor, "features examples"]:
    """Return the range that each value is in: 0 within a factor of two of the power of two above the maximum."""
    _, own = torch.frexp(values)
    return (exponents[:, None] - own).clamp(0, LEVELS - 1).long()


def choose(
    levels: Int[Tensor, "n examples"],
    priorities: Int[Tensor, "n examples"],
    texts: Int[Tensor, "n examples"],
    present: Bool[Tensor, "n examples"],
) -> tuple[Int[Tensor, "n slots"], Bool[Tensor, "n slots"]]:
    """Return the columns of the examples of smallest priority in each range, range after range, and where there is one."""
    keys = torch.where(present, (levels << _PRIORITY_BITS) | priorities, NEVER)
    order = keys.argsort(dim=1, stable=True)
    keys, texts = torch.gather(keys, 1, order), torch.gather(texts, 1, order)
    # One passage has one priority, so in one range its copies stand side by side.
    copies = (texts[:, 1:] == texts[:, :-1]) & (keys[:, 1:] == keys[:, :-1]) & (keys[:, 1:] != NEVER)
    keys = torch.cat([keys[:, :1], torch.where(copies, NEVER, keys[:, 1:])], 1)
    again = keys.argsort(dim=1, stable=True)
    keys, order = torch.gather(keys, 1, again), torch.gather(order, 1, again)
    level = torch.where(keys == NEVER, LEVELS, keys >> _PRIORITY_BITS)
    starts = torch.searchsorted(
        level, torch.arange(LEVELS + 1, dtype=torch.long, device=level.device).expand(len(level), -1).contiguous()
    )
    columns = starts[:, :-1, None] + torch.arange(PER_LEVEL, dtype=torch.long, device=level.device)
    filled = (columns < starts[:, 1:, None]).flatten(1)
    columns = columns.clamp(max=keys.shape[1] - 1).flatten(1)
    return torch.gather(order, 1, columns), filled
