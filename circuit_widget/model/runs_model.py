"""Runs of the model: one at a time, with torch's default settings, and with every change undone at the end."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from circuit_widget.arguments import check_callable
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.system.plain_torch import in_plain_torch

Given = ParamSpec("Given")
Returned = TypeVar("Returned")

CANCELLED_IS = "cancelled is a function without arguments that returns True to end the run,"


def runs_model(method: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """Return a method that runs the model: with its object's `lock` acquired, and in `in_plain_torch`.

    Hooks, weights, torch's settings and the lock are restored however the run ends. Raises CircuitWidgetError where the
    argument `cancelled` is neither a function nor None.
    """

    @functools.wraps(method)
    def run(*given: Given.args, **named: Given.kwargs) -> Returned:
        subject: Any = given[0]
        check_callable(named.get("cancelled"), CANCELLED_IS, CircuitWidgetError)
        # The lock is implemented in C, so no interrupt can come between the end of the run and its release.
        with subject.lock:
            return in_plain_torch(functools.partial(method, *given, **named))

    return run
