"""Work that is done some time after the last change, once for all changes until then, in a thread of its own.

It is not the worker's thread, in which it could delay a request. The thread ends when nothing is left to do.
"""

from __future__ import annotations

import atexit
import logging
import math
import threading
import time
import weakref
from collections.abc import Callable
from typing import TypeAlias

LOG = logging.getLogger(__name__)

Outdated: TypeAlias = Callable[[], bool]
"""Whether a newer change, or the end, has made the work under way useless."""


MOST_AT_EXIT = 5.0
"""Seconds that the end of the process waits for work under way, which cannot be stopped at every moment."""

_open: weakref.WeakSet[Debounced] = weakref.WeakSet()


class Debounced:
    """Does `work` once nothing was requested for `wait` seconds.

    `work` is given a function that says whether to stop; what was requested meanwhile is done after it.
    """

    def __init__(self, work: Callable[[Outdated], None], wait: float) -> None:
        self._work, self._wait = work, wait
        self._changed = threading.Condition()
        self._due = math.inf
        self._thread: threading.Thread | None = None
        self._closed = False
        self._finishing = 0
        _open.add(self)

    def request(self) -> None:
        """Do the work later, counted from now."""
        with self._changed:
            if self._closed:
                return
            self._due = -math.inf if self._finishing else time.monotonic() + self._wait
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="circuit-widget-debounced", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def finish(self, timeout: float) -> bool:
        """Do at once what is requested now and meanwhile, and wait for it; False if that took longer than `timeout` seconds."""
        with self._changed:
            if self._due < math.inf:
                self._due = -math.inf
                self._changed.notify_all()
            self._finishing += 1
            try:
                return self._changed.wait_for(lambda: self._thread is None, timeout)
            finally:
                self._finishing -= 1

    def close(self) -> None:
        """Drop what is requested, and take no more requests."""
        with self._changed:
            self._closed = True
            self._due = math.inf
            self._changed.notify_all()

    def _run(self) -> None:
        while self._next():
            try:
                self._work(self._outdated)
            except Exception:
                LOG.exception("Work was not finished.")

    def _next(self) -> bool:
        """Wait until the work is due; False, at the end of the thread, where nothing is requested."""
        with self._changed:
            while time.monotonic() < self._due < math.inf:
                self._changed.wait(self._due - time.monotonic())
            if self._due == math.inf:
                self._thread = None
                self._changed.notify_all()
                return False
            self._due = math.inf
            return True

    def _outdated(self) -> bool:
        with self._changed:
            return self._closed or self._due < math.inf


@atexit.register
def end_all() -> None:
    """Drop what is requested, and wait for the work under way.

    At the end of a process ipykernel sends from whatever thread has something to send: a thread of ours that still
    published would tear the messages of another one.
    """
    for later in list(_open):
        later.close()
    for later in list(_open):
        later.finish(MOST_AT_EXIT)
