"""Warnings that point to the user's line of code."""

from __future__ import annotations

import sys
import warnings

from circuit_widget.errors import CircuitWidgetWarning

PASSED_OVER: tuple[str, ...] = (__name__.split(".")[0],)
"""Packages and modules that no warning points into."""


def warn(message: str) -> None:
    """Give a warning at the line that called the package, however deep in the package it is given."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _is_passed_over(str(frame.f_globals.get("__name__"))):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, CircuitWidgetWarning, stacklevel=level)


def _is_passed_over(module: str) -> bool:
    return any(f"{module}.".startswith(f"{one}.") for one in PASSED_OVER)
