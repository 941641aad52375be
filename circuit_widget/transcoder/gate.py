"""The gate of a gated encoder: a factor between zero and one for each pre-activation, which depends on what is read."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuit_widget.transcoder.at_positions import read_at


@dataclass(frozen=True, eq=False)
class Gate:
    """Multiplies the pre-activation of each feature by `sigmoid(scale * x W^T + b)`, with `weight` W and `bias` b.

    In a graph it is frozen at its value on the prompt. `bias` is float32 on the layer's device; `weight` may be mapped from
    its file. Results are float32.
    """

    weight: Float[Tensor, "features d_model"]
    bias: Float[Tensor, " features"]
    scale: float

    def __call__(self, x: Float[Tensor, "rows d_model"]) -> Float[Tensor, "rows features"]:
        """Return the factors of all features."""
        weight = self.weight.to(self.bias.device).float()
        return torch.sigmoid(self.scale * (x @ weight.T) + self.bias)

    def of(
        self, features: Int[Tensor, " n"], positions: Int[Tensor, " n"], x: Float[Tensor, "batch rows d_model"]
    ) -> Float[Tensor, "batch n"]:
        """Return the factors of some features, each at its own position, in several re-runs at once."""
        rows = self.weight[features.to(self.weight.device)].to(self.bias.device).float()
        return torch.sigmoid(self.scale * read_at(x, positions, rows) + self.bias[features])
