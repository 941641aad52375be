"""Norms of a transformers model, split into their frozen denominator and their linear part."""

from __future__ import annotations

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from circuit_widget.model.architectures import NormKind
from circuit_widget.model.frozen import FrozenNorm


def norm_weight(norm: nn.Module, kind: NormKind) -> Float[Tensor, " d_model"] | None:
    """Return the weight of a norm (1 plus the stored weight for some kinds), in float32, outside autograd, or None."""
    stored: Any = getattr(norm, "weight", None)
    if stored is None:
        return None
    weight = cast(Tensor, stored).detach().float()
    return 1 + weight if kind.plus_one else weight


def norm_bias(norm: nn.Module | None) -> Float[Tensor, " d_model"] | None:
    """Return the bias of a norm in float32, or None."""
    bias: Any = getattr(norm, "bias", None)
    return None if bias is None else cast(Tensor, bias).detach().float()


def linear_norm(norm: nn.Module | None, kind: NormKind) -> FrozenNorm:
    """Return the linear part of a norm: its weight and centring, without denominator and bias; no norm is the identity."""
    return FrozenNorm() if norm is None else FrozenNorm(weight=norm_weight(norm, kind), centred=kind.centred)


def norm_scale(
    norm: nn.Module | None, kind: NormKind, x: Float[Tensor, "positions d_model"]
) -> Float[Tensor, " positions"]:
    """Return one over a norm's denominator at each position, in float32; without a norm it is 1."""
    x = x.float()
    if norm is None:
        return torch.ones(len(x), dtype=torch.float32, device=x.device)
    if kind.centred:
        x = x - x.mean(-1, keepdim=True)
    epsilons: tuple[Any, ...] = (*(getattr(norm, name, None) for name in ("variance_epsilon", "eps")), kind.epsilon)
    epsilon = next(value for value in epsilons if value is not None)
    return torch.rsqrt(x.pow(2).mean(-1) + float(epsilon))


def frozen_norm(norm: nn.Module | None, kind: NormKind, x: Float[Tensor, "positions d_model"]) -> FrozenNorm:
    """Return a norm with its denominators frozen at their values for `x`; no norm is the identity."""
    if norm is None:
        return FrozenNorm()
    return FrozenNorm(norm_scale(norm, kind, x), norm_weight(norm, kind), kind.centred)
