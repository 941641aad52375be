"""What is kept of the features of one layer while texts run."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuit_widget.examples.activation_ranges import LEVELS, PER_LEVEL, Levels
from circuit_widget.examples.batch import WindowBatch
from circuit_widget.examples.first_tokens import FirstTokens
from circuit_widget.examples.histogram import Histograms
from circuit_widget.examples.kept_examples import Candidates, Slots
from circuit_widget.examples.strongest_examples import STRONGEST, StrongestExamples

FEW = 0.1
"""Share of activations that are not zero up to which these are looked up one by one."""


@dataclass(frozen=True, eq=False)
class Side:
    """What is kept of activations of one sign, 1 or -1: those at first tokens of windows, and all others."""

    sign: int
    histograms: Histograms
    strongest: StrongestExamples
    levels: Levels
    first: FirstTokens

    @classmethod
    def empty(cls, sign: int, layer: int, n_features: int, device: torch.device) -> Side:
        """Return a side without any activation."""
        return cls(
            sign,
            Histograms.empty(n_features, device),
            StrongestExamples(Slots.empty(n_features, STRONGEST, device)),
            Levels(Slots.empty(n_features, LEVELS * PER_LEVEL, device), layer),
            FirstTokens.empty(n_features, device),
        )

    def add(
        self, batch: WindowBatch, activations: Float[Tensor, "windows positions features"]
    ) -> Int[Tensor, " features"]:
        """Add the activations of a batch, zero where they are not used; return how many have this side's sign."""
        signed = activations if self.sign > 0 else -activations
        values, peaks = signed.max(dim=1)
        values = values.clamp(min=0)
        risen = self.histograms.widen(values.amax(0))
        count = self._count(signed.flatten(0, 1))
        found = Candidates(batch, activations, values.T.contiguous(), peaks.T.contiguous())
        self.strongest.add(found)
        self.levels.add(found, self.histograms.exponents, risen)
        return count

    def _count(self, signed: Float[Tensor, "rows features"]) -> Int[Tensor, " features"]:
        """Add activations to the histograms; return how many there are of each feature."""
        flat = signed.flatten()
        if int(torch.count_nonzero(flat)) > FEW * len(flat):
            return self.histograms.add_all(signed)
        active = torch.nonzero(flat > 0)[:, 0]
        features = active % signed.shape[1]
        self.histograms.add(features, flat[active])
        return torch.bincount(features, minlength=signed.shape[1])


@dataclass(frozen=True, eq=False)
class LayerState:
    """What is kept of the features of one layer.

    `windows` is the number of windows, and of their first tokens. `active` counts the other tokens at which a feature is
    active, `totals` sums its activations there. `sides` are one, or two where activations can be negative.
    """

    windows: Int[Tensor, ""]
    active: Int[Tensor, " features"]
    totals: Float[Tensor, " features"]
    sides: tuple[Side, ...]

    @classmethod
    def empty(cls, layer: int, n_features: int, *, signed: bool, device: torch.device) -> LayerState:
        """Return the state before any text."""
        return cls(
            torch.zeros((), dtype=torch.int64, device=device),
            torch.zeros(n_features, dtype=torch.int64, device=device),
            torch.zeros(n_features, dtype=torch.float64, device=device),
            tuple(Side.empty(sign, layer, n_features, device) for sign in ((1, -1) if signed else (1,))),
        )

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.active)

    def add(self, batch: WindowBatch, activations: Float[Tensor, "windows positions features"]) -> None:
        """Add the activations of a batch; those at tokens that do not count are set to zero in place."""
        at_first = activations[:, batch.first_position].clone()
        activations.mul_(batch.used[:, :, None])
        for side in self.sides:
            self.active.add_(side.add(batch, activations))
        self.totals.add_(activations.sum((0, 1)))
        activations[:, batch.first_position] = at_first
        for side in self.sides:
            side.first.add(batch, activations, side.sign)
        self.windows.add_(len(activations))
