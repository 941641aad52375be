"""Norms of a transformers model, split into their frozen denominator and their linear part."""

from __future__ import annotations

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from circuit_widget.model.frozen import FrozenNorm
from circuit_widget.model.sites import NormKind


def norm_weight(norm: nn.Module, kind: NormKind) -> Float[Tensor, " d_model"]:
    """Return the weight of a norm (1 plus the stored weight for some kinds), in float32, outside autograd."""
    weight = cast(Tensor, norm.weight).detach().float()
    return 1 + weight if kind is NormKind.RMS_PLUS_ONE else weight


def norm_bias(norm: nn.Module) -> Float[Tensor, " d_model"] | None:
    """Return the bias of a norm in float32, or None."""
    bias: Any = getattr(norm, "bias", None)
    return None if bias is None else cast(Tensor, bias).detach().float()


def linear_norm(norm: nn.Module, kind: NormKind) -> FrozenNorm:
    """Return the linear part of a norm: its weight and centring, without denominator and bias."""
    return FrozenNorm(weight=norm_weight(norm, kind), centred=kind is NormKind.LAYER)


def norm_scale(norm: nn.Module, kind: NormKind, x: Float[Tensor, "positions d_model"]) -> Float[Tensor, " positions"]:
    """Return one over a norm's denominator at each position, in float32."""
    x = x.float()
    if kind is NormKind.LAYER:
        x = x - x.mean(-1, keepdim=True)
    named: Any = getattr(norm, "variance_epsilon", None)
    epsilon: Any = norm.eps if named is None else named
    return torch.rsqrt(x.pow(2).mean(-1) + float(epsilon))


def frozen_norm(norm: nn.Module, kind: NormKind, x: Float[Tensor, "positions d_model"]) -> FrozenNorm:
    """Return a norm with its denominators frozen at their values for `x`."""
    return FrozenNorm(norm_scale(norm, kind, x), norm_weight(norm, kind), kind is NormKind.LAYER)
