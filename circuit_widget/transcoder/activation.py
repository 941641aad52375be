"""Activation functions of transcoders, from pre-activations to activations. A feature is active if it is not zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class ReLU:
    """The pre-activation where it is above zero, else zero."""

    def __call__(self, preactivation: Float[Tensor, "*rows features"]) -> Float[Tensor, "*rows features"]:
        """Return the activations of all features."""
        return torch.relu(preactivation)

    def of(self, preactivation: Float[Tensor, "*rows n"], features: Int[Tensor, " n"]) -> Float[Tensor, "*rows n"]:  # noqa: ARG002
        """Return the activations of some features, given their pre-activations."""
        return torch.relu(preactivation)


@dataclass(frozen=True, eq=False)
class JumpReLU:
    """The pre-activation where it is strictly above the feature's threshold, else zero (Rajamanoharan et al. 2024)."""

    threshold: Float[Tensor, " features"]

    def __call__(self, preactivation: Float[Tensor, "*rows features"]) -> Float[Tensor, "*rows features"]:
        """Return the activations of all features."""
        return preactivation * (preactivation > self.threshold)

    def of(self, preactivation: Float[Tensor, "*rows n"], features: Int[Tensor, " n"]) -> Float[Tensor, "*rows n"]:
        """Return the activations of some features, given their pre-activations."""
        return preactivation * (preactivation > self.threshold[features])


@dataclass(frozen=True)
class TopK:
    """The k largest pre-activations of a row, and zero elsewhere (Gao et al. 2024).

    Negative values among the k largest are kept, unless `rectified`. Whether a feature is active depends on the whole row,
    so the activations of some features alone cannot be computed.
    """

    k: int
    rectified: bool = False

    def __call__(self, preactivation: Float[Tensor, "*rows features"]) -> Float[Tensor, "*rows features"]:
        """Return the activations of all features."""
        values, kept = torch.topk(preactivation, self.k, dim=-1)
        return torch.zeros_like(preactivation).scatter_(-1, kept, values.clamp(min=0) if self.rectified else values)


@dataclass(frozen=True, eq=False)
class WeightedTopK:
    """The pre-activations above zero among the k largest products of pre-activation and weight of a row, zero elsewhere.

    `weights`, usually the norms of decoder rows, are not below zero; they decide what is kept, and scale nothing.
    """

    k: int
    weights: Float[Tensor, " features"]

    def __call__(self, preactivation: Float[Tensor, "*rows features"]) -> Float[Tensor, "*rows features"]:
        """Return the activations of all features."""
        rectified = torch.relu(preactivation)
        kept = torch.topk(rectified * self.weights, self.k, dim=-1).indices
        return torch.zeros_like(rectified).scatter_(-1, kept, rectified.gather(-1, kept))


RowWise: TypeAlias = TopK | WeightedTopK
"""Activation functions with which a feature's activation depends on the pre-activations of all features of its row."""

Activation: TypeAlias = ReLU | JumpReLU | RowWise
