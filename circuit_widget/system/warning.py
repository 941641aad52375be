"""Warnings that point to the line of the user that they are about."""

from __future__ import annotations

import sys
import warnings

from circuit_widget.errors import CircuitWidgetWarning

PACKAGE = __name__.split(".")[0]


def warn(message: str) -> None:
    """Warn of something at the line that called the package, however deep in it this is."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and f"{frame.f_globals.get('__name__')}.".startswith(f"{PACKAGE}."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, CircuitWidgetWarning, stacklevel=level)
