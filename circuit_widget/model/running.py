"""The one way into a run of the model: one run at a time, apart from the settings of its thread, with nothing left behind."""

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
    """Make a method one run of the model: it holds its object's `lock`, and computes as `in_plain_torch` says.

    However it ends, hooks, weights, torch's settings and the lock are as before. Raises CircuitWidgetError where its
    argument `cancelled` is neither a function nor None.
    """

    @functools.wraps(method)
    def run(*given: Given.args, **named: Given.kwargs) -> Returned:
        subject: Any = given[0]
        check_callable(named.get("cancelled"), CANCELLED_IS, CircuitWidgetError)
        # The lock is not written in Python, so that no interrupt can come between the run's end and its own.
        with subject.lock:
            return in_plain_torch(functools.partial(method, *given, **named))

    return run
