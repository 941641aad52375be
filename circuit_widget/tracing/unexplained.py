"""The unexplained part of an MLP's output: sums over positions, and the shares computed from them."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

VARIES = 1e-9
"""Variance, as a share of the outputs' power, below which it is a rounding error."""


@dataclass(frozen=True, eq=False)
class Unexplained:
    """Output and error of one layer at some positions, as sums; `+` adds the sums of several prompts.

    `positions` is the number of positions, or the sum of their weights, and `active` the number of active features.
    `errors` is the sum of squared errors, `variance` that of squared distances of outputs from their `mean`. Tensors stay
    on their device until a share is computed.
    """

    positions: float
    active: float
    errors: Float[Tensor, ""]
    variance: Float[Tensor, ""]
    mean: Float[Tensor, " d_model"]

    @classmethod
    def of(
        cls,
        outputs: Float[Tensor, "positions d_model"],
        errors: Float[Tensor, "positions d_model"],
        active: float,
        weight: Float[Tensor, " positions"] | None = None,
    ) -> Unexplained:
        """Return the sums over at least one position; `active` is the (weighted) number of active features there."""
        if weight is None:
            mean = outputs.mean(0)
            return cls(len(outputs), active, errors.square().sum(), (outputs - mean).square().sum(), mean)
        positions = weight.sum()
        mean = weight @ outputs / positions
        squares = errors.square().sum(1), (outputs - mean).square().sum(1)
        return cls(float(positions), active, weight @ squares[0], weight @ squares[1], mean)

    def __add__(self, other: Unexplained) -> Unexplained:
        """Return the sums over the positions of both (Chan et al. 1979, for the variance), in float64 on the CPU."""
        mine, theirs = self.mean.cpu().double(), other.mean.cpu().double()
        positions = self.positions + other.positions
        between = (mine - theirs).square().sum() * self.positions * other.positions / positions
        return Unexplained(
            positions=positions,
            active=self.active + other.active,
            errors=self.errors.cpu().double() + other.errors.cpu(),
            variance=self.variance.cpu().double() + other.variance.cpu() + between,
            mean=mine + (theirs - mine) * other.positions / positions,
        )

    @property
    def power(self) -> float:
        """Sum of squared outputs."""
        return float(self.variance) + self.positions * float(self.mean.square().sum())

    @property
    def fvu(self) -> float:
        """Fraction of variance unexplained: `errors` by `variance`; NaN where outputs do not vary, as at one position."""
        varies = float(self.variance) > VARIES * self.power
        return float(self.errors) / float(self.variance) if varies else float("nan")

    @property
    def active_features(self) -> float:
        """Mean number of active features at a position (L0)."""
        return self.active / self.positions

    @property
    def share(self) -> float:
        """Squared errors divided by the variance, or by half of the outputs' power if that is larger.

        A single position has no variance, and few or repeated tokens have less than features have to explain.
        """
        expected = max(float(self.variance), self.power / 2)
        return float(self.errors) / expected if expected else 0.0
