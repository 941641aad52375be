"""Interrupts (Ctrl-C, a notebook's stop button) that wait until work can stop without a loss."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from circuit_widget.system.restoring import Change


class Interrupts:
    """What an interrupt does to work that goes in steps.

    Between steps it raises KeyboardInterrupt at once. In a step it raises nothing, `announce` is called, and `came` says
    that the work has to stop after the step; a second one in the same step raises KeyboardInterrupt. Once an interrupt
    came, further ones between steps do nothing, so that what was done can be saved.
    """

    def __init__(self, announce: Callable[[], None]) -> None:
        self.came = False
        self.in_step = False
        self._announce = announce
        self._replaced = False

    def received(self) -> Change:
        """Return the context within which interrupts do this.

        In other threads than the main one, and in applications with a handler of their own, it changes nothing.
        """
        return Change(self._replace, self._restore)

    def _replace(self) -> None:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._replaced = True
            signal.signal(signal.SIGINT, self._receive)

    def _restore(self) -> None:
        if self._replaced:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._replaced = False

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        first, self.came = not self.came, True
        if first and self.in_step:
            # An error here would end the step: output that is interrupted in the middle of a line can give one.
            with suppress(Exception):
                self._announce()
        elif first or self.in_step:
            raise KeyboardInterrupt
