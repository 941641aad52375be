"""The frozen model of one prompt: attention patterns and norm denominators are constants, so what is left is linear.

Biases have no part in it: it maps changes of the residual stream to changes of what is read from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

MlpChange: TypeAlias = Callable[[int, Float[Tensor, "positions d_model"]], Float[Tensor, "positions d_model"]]
"""From a layer and the change of what its MLP reads to the change of what is written in its place."""


@dataclass(frozen=True, eq=False)
class FrozenLayer:
    """One layer: `attend` moves, `mlp_scale * mlp_norm_weight` is what the MLP's norm does. All float32.

    `scale` is one over the denominator of RMSNorm at each position; the attention norm's weight is folded into `value`.
    """

    pattern: Float[Tensor, "heads queries keys"]
    value: Float[Tensor, "value_heads head_width d_model"]
    output: Float[Tensor, "d_model heads head_width"]
    attention_scale: Float[Tensor, " positions"]
    mlp_scale: Float[Tensor, " positions"]
    mlp_norm_weight: Float[Tensor, " d_model"]

    @property
    def n_groups(self) -> int:
        """Number of query heads that share a value head."""
        return self.pattern.shape[0] // self.value.shape[0]

    def attend(self, residual: Float[Tensor, "positions d_model"]) -> Float[Tensor, "positions d_model"]:
        """Return what attention adds for this residual stream, `W_O P W_V scale x`, biases left out."""
        value = torch.einsum("pd,ved->vpe", residual * self.attention_scale[:, None], self.value)
        moved = self.pattern @ value.repeat_interleave(self.n_groups, dim=0)
        return torch.einsum("hpe,dhe->pd", moved, self.output)

    def mlp_input(self, residual: Float[Tensor, "positions d_model"]) -> Float[Tensor, "positions d_model"]:
        """Return what the MLP reads of this residual stream."""
        return residual * self.mlp_scale[:, None] * self.mlp_norm_weight


@dataclass(frozen=True, eq=False)
class FrozenModel:
    """All layers, and the final norm at the traced position; `final_scale` includes the norm's weight."""

    layers: tuple[FrozenLayer, ...]
    final_scale: Float[Tensor, " d_model"]
    position: int

    def propagate(self, change: MlpChange, first_layer: int) -> Float[Tensor, " d_model"]:
        """Carry changes written by MLPs from `first_layer` upwards through the frozen model.

        `change` is called once for each layer, with the change of what that layer's MLP reads; nothing has changed
        below `first_layer`. Returns the change of the normed residual stream at the traced position.
        """
        residual = torch.zeros(self.n_positions, len(self.final_scale), device=self.final_scale.device)
        for place in range(first_layer, len(self.layers)):
            layer = self.layers[place]
            if place > first_layer:
                residual = residual + layer.attend(residual)
            residual = residual + change(place, layer.mlp_input(residual))
        return residual[self.position] * self.final_scale

    @property
    def n_positions(self) -> int:
        """Number of tokens, BOS included."""
        return self.layers[0].pattern.shape[1]
