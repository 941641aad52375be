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

from circuit_widget.system.linear_backend import linear

MlpChange: TypeAlias = Callable[[int, Float[Tensor, "*batch rows d_model"]], Float[Tensor, "*batch rows d_model"]]
"""From a layer and the change of what its MLP reads to the change of what is written in its place."""


@dataclass(frozen=True, eq=False)
class FrozenNorm:
    """A norm whose denominators are constants: `weight * scale[position] * (x - mean(x) if centred)`, its bias left out.

    `scale` is one over the denominator at each position. A part that is None does nothing.
    """

    scale: Float[Tensor, " positions"] | None = None
    weight: Float[Tensor, " d_model"] | None = None
    centred: bool = False

    def apply(
        self, x: Float[Tensor, "*batch positions d_model"], first_position: int = 0
    ) -> Float[Tensor, "*batch positions d_model"]:
        """Return what the norm makes of a residual stream from `first_position` on, or of a change of it."""
        if self.centred:
            x = x - x.mean(-1, keepdim=True)
        if self.scale is not None:
            x = x * self.scale[first_position : first_position + x.shape[-2], None]
        return x if self.weight is None else x * self.weight

    def transposed(self, readers: Float[Tensor, "n d_model"], position: int) -> Float[Tensor, "n d_model"]:
        """Return the directions before the norm, at one position, that `readers` are after it."""
        if self.weight is not None:
            readers = readers * self.weight
        if self.centred:
            readers = readers - readers.mean(-1, keepdim=True)
        return readers if self.scale is None else readers * self.scale[position]


@dataclass(frozen=True, eq=False)
class FrozenLayer:
    """One layer of the frozen model. All float32, but for the pattern of a model in a 16-bit type, which has that type.

    What the norms around attention do beside dividing is folded in: the weight and the centring of the norm before it
    into `value`, the weight of a norm after it into `output`. `attention_scale` and `output_scale` are one over their
    denominators.

    `reading` leads from the residual stream to what features read, `writing` from what they write to what is added to
    the stream. In a `parallel` layer the MLP reads the stream from before attention.
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
        """Where the layer is."""
        return self.pattern.device

    @property
    def n_groups(self) -> int:
        """Number of query heads that share a value head."""
        return self.pattern.shape[0] // self.value.shape[0]

    def attend(
        self, residual: Float[Tensor, "*batch positions d_model"], first_position: int = 0
    ) -> Float[Tensor, "*batch positions d_model"]:
        """Return what attention adds for a residual stream that is zero before `first_position`, biases left out."""
        rows = slice(first_position, first_position + residual.shape[-2])
        heads, groups = self.value.shape[:2], (self.value.shape[0], self.n_groups)
        value = linear(residual * self.attention_scale[rows, None], self.value.flatten(0, 1))
        value = value.unflatten(-1, heads).transpose(-3, -2)
        pattern = self.pattern[:, rows, rows].float().unflatten(0, groups).flatten(1, 2)
        moved = (pattern @ value).unflatten(-2, (self.n_groups, -1)).flatten(-4, -3).transpose(-3, -2)
        added = linear(moved.flatten(-2), self.output.flatten(1))
        return added if self.output_scale is None else added * self.output_scale[rows, None]

    def attend_transposed(self, readers: Float[Tensor, "positions d_model"]) -> Float[Tensor, "positions d_model"]:
        """Return the directions before attention that `readers`, one on each position, are of what attention adds.

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
    """All layers, and the final norm at the traced position (its scale has this one entry)."""

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
        """Carry changes written by MLPs from `first_layer` upwards through the frozen model.

        `change` is called once for each layer, with the change of what that layer's features read; nothing has changed
        below `first_layer`, but for what is `entering` it. Rows are positions from `first_position` on: nothing changes
        before it. What is entering or written may have a batch in front, and then all from there on has. Returns the
        change of the normed residual stream at the traced position.
        """
        first = self.layers[first_layer]
        nothing = torch.zeros(
            self.n_positions - first_position, first.value.shape[2], dtype=torch.float32, device=first.device
        )
        residual = nothing if entering is None else entering
        for place in range(first_layer, len(self.layers)):
            layer = self.layers[place]
            residual = residual.to(layer.device)
            untouched = place == first_layer and entering is None
            attended = residual if untouched else residual + layer.attend(residual, first_position)
            written = change(place, layer.reading.apply(residual if layer.parallel else attended, first_position))
            residual = attended + layer.writing.apply(written.to(layer.device), first_position)
        row = self.position - first_position
        return self.final.apply(residual[..., row : row + 1, :].to(self.device))[..., 0, :]

    @property
    def device(self) -> torch.device:
        """Where the final norm is; layers may be elsewhere."""
        scale = self.final.scale
        return self.layers[-1].device if scale is None else scale.device

    @property
    def n_positions(self) -> int:
        """Number of tokens, BOS included."""
        return self.layers[0].pattern.shape[1]
