"""Warnings that point to the line of the user that they are about."""

from __future__ import annotations

import sys
import warnings

from circuit_widget.errors import CircuitWidgetWarning

PASSED_OVER: tuple[str, ...] = (__name__.split(".")[0],)
"""Packages that no warning points into."""


def warn(message: str) -> None:
    """Warn of something at the line that called the package, however deep in it this is."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).split(".")[0] in PASSED_OVER:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, CircuitWidgetWarning, stacklevel=level)
