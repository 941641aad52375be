"""Warnings that point to the user's line of code."""

from __future__ import annotations

import sys
import warnings

from circuit_widget.errors import CircuitWidgetWarning

PACKAGE = __name__.split(".")[0]


def warn(message: str) -> None:
    """Give a warning at the line that called the package, however deep in the package it is given."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and f"{frame.f_globals.get('__name__')}.".startswith(f"{PACKAGE}."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, CircuitWidgetWarning, stacklevel=level)
