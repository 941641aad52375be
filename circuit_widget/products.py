"""Products with weight matrices, by whichever of torch's libraries makes them faster.

On x86 processors torch multiplies float32 matrices with MKL, which is slow where there are few rows and does not use
the widest registers of every processor; oneDNN, which torch has too, takes half the time. What the two return differs
by rounding.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

LEAST_PRODUCTS = 1 << 20
"""Multiplications from which on it pays to hand a product over to oneDNN."""

HAS_ONEDNN = platform.machine().lower() in ("x86_64", "amd64") and torch.backends.mkldnn.is_available()


def linear(
    x: Float[Tensor, "*rows inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None = None,
) -> Float[Tensor, "*rows outputs"]:
    """Return `x @ weight.T + bias`."""
    if not _suits_onednn(x, weight):
        return functional.linear(x, weight, bias)
    product: Tensor = functional.linear(x.to_mkldnn(), weight, bias)
    return product.to_dense()


def _suits_onednn(x: Tensor, weight: Tensor) -> bool:
    return (
        HAS_ONEDNN
        and x.dim() > 1
        and x.dtype is weight.dtype is torch.float32
        and x.device.type == weight.device.type == "cpu"
        and x.numel() * weight.shape[0] >= LEAST_PRODUCTS
        and weight.is_contiguous()
        and not torch.is_grad_enabled()
    )


def linear_maps(module: nn.Module) -> tuple[nn.Linear, ...]:
    """Return the plain linear maps within a module, those left out whose `forward` someone has replaced."""
    return tuple(part for part in module.modules() if type(part) is nn.Linear and "forward" not in vars(part))


@contextmanager
def fast_products(maps: Iterable[nn.Linear]) -> Iterator[None]:
    """Let linear maps multiply as `linear` does within this context.

    Another thread that runs them meanwhile gets the same, up to rounding.
    """
    changed = list(maps)
    for part in changed:
        vars(part)["forward"] = _forward(part)
    try:
        yield
    finally:
        for part in changed:
            vars(part).pop("forward", None)


def _forward(part: nn.Linear) -> Callable[[Tensor], Tensor]:
    def forward(input: Tensor) -> Tensor:  # noqa: A002
        return linear(input, part.weight, part.bias)

    return forward
