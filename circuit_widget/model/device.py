"""The device and the type of a model's weights."""

from __future__ import annotations

import torch

from circuit_widget.arguments import first_line, quoted
from circuit_widget.errors import LoadError
from circuit_widget.model.module_checks import DTYPES


def choose_device(device: str | torch.device | None) -> torch.device:
    """Return the requested device; by default CUDA, else MPS, else CPU.

    Raises:
        LoadError: the device does not exist on this machine.
    """
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, dtype=torch.float32, device=chosen).tolist()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError, ValueError, OverflowError) as error:
        raise LoadError(f"The device {_named(device)} cannot be used here ({first_line(error)}).") from error
    return chosen


def choose_dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """Return the requested dtype; by default bfloat16 on CUDA and float32 elsewhere.

    Raises:
        LoadError: not the name of a floating point type that products are computed in.
    """
    if dtype is None:
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    chosen = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(chosen, torch.dtype) or chosen not in DTYPES:
        raise LoadError(
            f"dtype={quoted(dtype)} is not a floating point type that products are computed in; expected "
            f"{', '.join(str(known).removeprefix('torch.') for known in DTYPES)}."
        )
    return chosen


def _named(device: object) -> str:
    return quoted(str(device) if isinstance(device, torch.device) else device)
