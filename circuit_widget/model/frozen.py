"""The frozen model of one prompt: attention patterns and norm denominators are constants, so it is linear.

It maps changes of the residual stream to changes of later activations. Biases cancel in changes, so it has none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.system.linear_backend import linear

MlpChange: TypeAlias = Callable[[int, Float[Tensor, "*batch rows d_model"]], Float[Tensor, "*batch rows d_model"]]
"""Maps a layer and the change of its MLP's input to the change that is written at the MLP's output."""


@dataclass(frozen=True, eq=False)
class FrozenNorm:
    """A norm with constant denominators and without bias: `weight * scale[position] * (x - mean(x))`.

    `x` is the residual stream at a position; its mean is subtracted only if `centred`. `scale` is 1 / denominator at each
    position. `scale` and `weight` count as 1 where they are None.
    """

    scale: Float[Tensor, " positions"] | None = None
    weight: Float[Tensor, " d_model"] | None = None
    centred: bool = False

    def apply(
        self, x: Float[Tensor, "*batch positions d_model"], first_position: int = 0
    ) -> Float[Tensor, "*batch positions d_model"]:
        """Return the norm of a residual stream, or of a change of it, at the positions from `first_position` on."""
        if self.centred:
            x = x - x.mean(-1, keepdim=True)
        if self.scale is not None:
            x = x * self.scale[first_position : first_position + x.shape[-2], None]
        return x if self.weight is None else x * self.weight

    def transposed(self, readers: Float[Tensor, "n d_model"], position: int) -> Float[Tensor, "n d_model"]:
        """Return gradients before the norm at one position, given the gradients `readers` after it: its transposed Jacobian."""
        if self.weight is not None:
            readers = readers * self.weight
        if self.centred:
            readers = readers - readers.mean(-1, keepdim=True)
        return readers if self.scale is None else readers * self.scale[position]


@dataclass(frozen=True, eq=False)
class FrozenLayer:
    """One layer of the frozen model: float32, but for the pattern of a model in a 16-bit dtype, which has that dtype.

    `value` is W_V with the weight and centring of the norm before attention folded in, `output` is W_O with the weight of
    a norm after attention folded in. `attention_scale` and `output_scale` are 1 / denominator of these norms.

    `reading` maps the residual stream to the input of features, `writing` maps their output to what is added to the
    residual stream. In a `parallel` layer the MLP reads the residual stream from before attention.
    """

    pattern: Float[Tensor, "heads queries keys"]
    value: Float[Tensor, "value_heads head_width d_model"]
    output: Float[Tensor, "d_model heads head_width"]
    attention_scale: Float[Tensor, " positions"]
    reading: FrozenNorm
    output_scale: Float[Tensor, " positions"] | None = None
    writing: FrozenNorm = FrozenNorm()
    parallel: bool = False

    @property
    def device(self) -> torch.device:
        """Device of the layer."""
        return self.pattern.device

    @property
    def n_groups(self) -> int:
        """Number of query heads that share a value head."""
        return self.pattern.shape[0] // self.value.shape[0]

    def attend(
        self, residual: Float[Tensor, "*batch positions d_model"], first_position: int = 0
    ) -> Float[Tensor, "*batch positions d_model"]:
        """Return what attention adds, without biases, for a residual stream that is zero before `first_position`."""
        rows = slice(first_position, first_position + residual.shape[-2])
        heads, groups = self.value.shape[:2], (self.value.shape[0], self.n_groups)
        value = linear(residual * self.attention_scale[rows, None], self.value.flatten(0, 1))
        value = value.unflatten(-1, heads).transpose(-3, -2)
        pattern = self.pattern[:, rows, rows].float().unflatten(0, groups).flatten(1, 2)
        moved = (pattern @ value).unflatten(-2, (self.n_groups, -1)).flatten(-4, -3).transpose(-3, -2)
        added = linear(moved.flatten(-2), self.output.flatten(1))
        return added if self.output_scale is None else added * self.output_scale[rows, None]

    def attend_transposed(self, readers: Float[Tensor, "positions d_model"]) -> Float[Tensor, "positions d_model"]:
        """Return `readers`, directions that read what attention adds at each position, as directions before attention.

        The transpose of `attend`: `<attend(x), y> = <x, attend_transposed(y)>`.
        """
        if self.output_scale is not None:
            readers = readers * self.output_scale[:, None]
        heads = (readers @ self.output.flatten(1)).unflatten(-1, self.output.shape[1:]).transpose(0, 1)
        moved = self.pattern.float().transpose(1, 2) @ heads
        values = moved.unflatten(0, (self.value.shape[0], self.n_groups)).sum(1)
        before: Tensor = values.transpose(0, 1).flatten(1) @ self.value.flatten(0, 1)
        return before * self.attention_scale[:, None]


@dataclass(frozen=True, eq=False)
class FrozenModel:
    """All layers, and the final norm at the traced `position` (its scale has only this entry)."""

    layers: tuple[FrozenLayer, ...]
    final: FrozenNorm
    position: int

    def propagate(
        self,
        change: MlpChange,
        first_layer: int,
        entering: Float[Tensor, "*batch rows d_model"] | None = None,
        *,
        first_position: int = 0,
    ) -> Float[Tensor, "*batch d_model"]:
        """Propagate changes at MLP outputs from `first_layer` upwards through the frozen model.

        `change` is called once for each layer, with the change of the features' input there. `entering` is the change of
        the residual stream that enters `first_layer`; None is no change. Rows are the positions from `first_position` on,
        and nothing changes before it. `entering` and the results of `change` may have a batch dimension in front. Returns
        the change of the residual stream after the final norm at the traced position.
        """
        first = self.layers[first_layer]
        unchanged = torch.zeros(
            self.n_positions - first_position, first.value.shape[2], dtype=torch.float32, device=first.device
        )
        residual = unchanged if entering is None else entering
        for index in range(first_layer, len(self.layers)):
            layer = self.layers[index]
            residual = residual.to(layer.device)
            is_zero = index == first_layer and entering is None
            attended = residual if is_zero else residual + layer.attend(residual, first_position)
            written = change(index, layer.reading.apply(residual if layer.parallel else attended, first_position))
            residual = attended + layer.writing.apply(written.to(layer.device), first_position)
        row = self.position - first_position
        return self.final.apply(residual[..., row : row + 1, :].to(self.device))[..., 0, :]

    @property
    def device(self) -> torch.device:
        """Device of the final norm; layers may be on others."""
        scale = self.final.scale
        return self.layers[-1].device if scale is None else scale.device

    @property
    def n_positions(self) -> int:
        """Number of tokens, BOS included."""
        return self.layers[0].pattern.shape[1]
