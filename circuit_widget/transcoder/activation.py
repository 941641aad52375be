"""Activation functions of transcoders, from pre-activation to activation."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def relu(preactivation: Float[Tensor, "*rows features"]) -> Float[Tensor, "*rows features"]:
    """Return the pre-activation where it is above zero, else zero."""
    return torch.relu(preactivation)


def jump_relu(
    preactivation: Float[Tensor, "*rows features"], threshold: Float[Tensor, " features"]
) -> Float[Tensor, "*rows features"]:
    """Return the pre-activation where it is strictly above its threshold, else zero (Rajamanoharan et al. 2024)."""
    return preactivation * (preactivation > threshold)
