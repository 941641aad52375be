"""Draws the last pictures of a kernel that is to end, before it replies to the request.

Then all its threads still run, and the one that sends outputs sends one message after the other. Later, at the end of the
process, it is stopped, and what other threads publish gets into each other's messages.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Protocol

MOST_TO_DRAW = 1.5
"""Seconds for all pictures: a Jupyter server kills a kernel that has not ended after 2.5 seconds."""

MOST_TO_SEND = 0.5
"""Seconds until what was published is sent."""


class LastPicture(Protocol):
    """A picture that is drawn at once where it is not current, and then stays as it is."""

    def end(self, timeout: float) -> None: ...


_prepared: weakref.WeakSet[Any] = weakref.WeakSet()


def draw_before_shutdown(kernel: Any, pictures: Iterable[LastPicture]) -> None:
    """Have a kernel draw `pictures`, which may become more, when a request shuts it down; once for each kernel.

    A kernel of another kind than ipykernel's is left as it is.
    """
    if kernel in _prepared or not hasattr(kernel, "do_shutdown") or not hasattr(kernel, "iopub_thread"):
        return
    _prepared.add(kernel)
    shut_down: Callable[[bool], Any] = kernel.do_shutdown

    def draw_and_shut_down(restart: bool) -> Any:
        try:
            finish_and_send(pictures, kernel.iopub_thread)
        except Exception as error:  # whatever a picture fails at, the kernel has to end
            kernel.log.warning("The last pictures of the widgets were not drawn: %s", error)
        return shut_down(restart)

    kernel.do_shutdown = draw_and_shut_down


def finish_and_send(pictures: Iterable[LastPicture], sender: Any) -> None:
    """Draw what is left to draw of the pictures, and wait until `sender` has sent it."""
    end = time.monotonic() + MOST_TO_DRAW
    for picture in list(pictures):
        picture.end(max(end - time.monotonic(), 0.0))
    sent = threading.Event()
    sender.schedule(sent.set)
    sent.wait(MOST_TO_SEND)
