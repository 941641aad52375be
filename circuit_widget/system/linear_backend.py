"""Products with weight matrices, computed by the fastest of torch's libraries.

On x86 processors torch multiplies float32 matrices with MKL, which is slow for few rows and does not use the widest
registers of every processor; oneDNN, which torch also has, takes half the time. Their results differ by rounding.

oneDNN is called through an operator that torch keeps for itself and may change. So it is called only by the versions of
torch that the tests have run with, and never where the environment variable CIRCUIT_WIDGET_ONEDNN is 0.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from circuit_widget.system.restoring import Change

LEAST_PRODUCTS = 1 << 18
"""Number of multiplications from which oneDNN is faster."""

ROWS_OF_A_REGISTER = range(8, 17)
"""Numbers of rows that nearly fill a register: then the product of the weights with the rows is faster.

It does not reorder the weights, which are much larger than the rows.
"""

SWITCH = "CIRCUIT_WIDGET_ONEDNN"
"""The environment variable that turns oneDNN off when it is 0. It is read at every product."""

OLDEST_TORCH, NEWEST_TORCH = (2, 6), (2, 13)
"""The first and the last minor version of torch whose operator the tests have run with."""


def onednn_operator(version: str, machine: str) -> Any:
    """Return torch's own operator for a product by oneDNN, None where it is unknown or of no use.

    `version` is torch's, such as "2.13.0+cpu"; `machine` is the processor's architecture, such as "x86_64".
    """
    numbers = re.match(r"(\d+)\.(\d+)", version)
    is_tested = numbers is not None and OLDEST_TORCH <= (int(numbers[1]), int(numbers[2])) <= NEWEST_TORCH
    if not is_tested or machine.lower() not in ("x86_64", "amd64"):
        return None
    # What torch.compile makes of a linear map on a CPU. A torch built without oneDNN does not have it.
    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)


_ONEDNN_LINEAR = onednn_operator(torch.__version__, platform.machine())


def is_switched_on() -> bool:
    """Whether the environment allows products with oneDNN."""
    return os.environ.get(SWITCH) != "0"


def linear(
    x: Float[Tensor, "*rows inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None = None,
) -> Float[Tensor, "*rows outputs"]:
    """Return `x @ weight.T + bias`."""
    if not _suits_onednn(x, weight):
        return functional.linear(x, weight, bias)
    if bias is None and x.numel() // x.shape[-1] in ROWS_OF_A_REGISTER:
        columns: Tensor = _ONEDNN_LINEAR(weight, x.flatten(0, -2), None, "none", [], "")
        return columns.T.reshape(*x.shape[:-1], len(weight))
    product: Tensor = _ONEDNN_LINEAR(x, weight, bias, "none", [], "")
    return product


def _suits_onednn(x: Tensor, weight: Tensor) -> bool:
    return (
        _ONEDNN_LINEAR is not None
        and x.numel() * len(weight) >= LEAST_PRODUCTS
        and x.dim() > 1
        and x.dtype is weight.dtype is torch.float32
        and x.is_cpu
        and weight.is_cpu
        and weight.is_contiguous()
        and not torch.is_grad_enabled()
        and is_switched_on()
    )


def linear_maps(module: nn.Module) -> tuple[nn.Linear, ...]:
    """Return the linear maps within a module, without those whose `forward` was replaced."""
    return tuple(part for part in module.modules() if type(part) is nn.Linear and "forward" not in vars(part))


def fast_products(maps: Sequence[nn.Linear]) -> Change:
    """Return a context in which linear maps use `linear`.

    Another thread that runs them meanwhile gets the same results, up to rounding. Outside the context no module is changed, and
    inside it none is whose `forward` someone else has replaced, nor any where oneDNN is off.
    """

    def make() -> None:
        if _ONEDNN_LINEAR is not None and is_switched_on():
            for part in maps:
                vars(part).setdefault("forward", partial(_multiply, part))

    def undo() -> None:
        for part in maps:
            if getattr(vars(part).get("forward"), "func", None) is _multiply:
                vars(part).pop("forward", None)

    return Change(make, undo)


def _multiply(part: nn.Linear, input: Tensor) -> Tensor:  # noqa: A002
    return linear(input, part.weight, part.bias)
