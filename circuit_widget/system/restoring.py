"""Changes that are undone however a run ends, also after an interrupt at any point.

Python can raise KeyboardInterrupt at the entry of any function: also in a context's `__enter__` or `__exit__`, and in calls
of a `finally` block. So a context manager written in Python cannot guarantee its own end. Here every change is recorded
before it is made, can be undone however far it got, and undoing starts again where it is interrupted itself.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")


class _Thread(threading.local):
    """The changes of the work that this thread runs in `restoring`, oldest first; None outside of it."""

    changes: list[Change] | None = None


_THREAD = _Thread()


@dataclass(frozen=True, eq=False)
class Change:
    """A context within which something outside of the work is changed.

    `undo` can be called at any time and several times: it undoes what `make` did so far, and only that.
    """

    make: Callable[[], object]
    undo: Callable[[], object]

    def __enter__(self) -> None:
        self.keep()

    def __exit__(self, *error: object) -> None:
        self.undo()
        if _THREAD.changes is not None:
            _THREAD.changes.remove(self)

    def keep(self) -> None:
        """Make the change permanent; it is undone only where the work in `restoring` fails."""
        if _THREAD.changes is not None:
            _THREAD.changes.append(self)
        self.make()


def restoring(work: Callable[[], Result]) -> Result:
    """Return `work()`; where it raises, its changes are undone before the error is raised again.

    Interrupts during undoing are raised after it, and so is an interrupt that caused another error.
    """
    outer, changes, handled = _THREAD.changes, list[Change](), sys.exception()
    _THREAD.changes = changes
    try:
        return work()
    except BaseException as error:
        interrupted, undone = False, False
        # No function is called outside the inner `try`, so that no interrupt can come there.
        while not undone:
            try:
                interrupted |= _undo(changes, error, handled)
                undone = True
            except KeyboardInterrupt:
                interrupted = True
        if interrupted and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        _THREAD.changes = outer


def _undo(changes: list[Change], error: BaseException, handled: BaseException | None) -> bool:
    """Undo changes, the latest first, and remove them from the list; return whether an interrupt caused an error.

    The error that was `handled` when the work began is not a cause.
    """
    chain = list(_causes(error, handled))
    interrupted = any(isinstance(one, KeyboardInterrupt) for one in chain)
    if interrupted:
        # Interrupted contexts would otherwise end when the traceback is deleted, and restore old settings then.
        for one in chain:
            traceback.clear_frames(one.__traceback__)
    while changes:
        changes[-1].undo()
        changes.pop()
    return interrupted


def _causes(error: BaseException | None, handled: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, up to the error that was being handled before."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one is not handled and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]
