"""Changes outside a piece of work that are undone whatever ends it, an interrupt at any point included.

Python raises KeyboardInterrupt wherever it enters a function: also in a context's `__enter__` or `__exit__`, and in what a
`finally` block calls. A context manager written in Python can therefore not see to its own end. Here every change is noted
before it is made, can be undone however far it got, and undoing is begun again where it was interrupted itself.
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
    """The changes of the work that this thread does, oldest first; None where it does none under `restoring`."""

    changes: list[Change] | None = None


_THREAD = _Thread()


@dataclass(frozen=True, eq=False)
class Change:
    """A context within which something is changed outside the work at hand.

    `undo` may be called at any time and several times: it undoes what `make` did so far, and only that.
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
        """Make the change for good; it is undone only where the work under `restoring` fails."""
        if _THREAD.changes is not None:
            _THREAD.changes.append(self)
        self.make()


def restoring(work: Callable[[], Result]) -> Result:
    """Return `work()`; where that raises, what it changed is undone before the error goes on.

    Interrupts that come meanwhile are raised when all is undone, and so is one that led to another error.
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
    """Undo changes from the latest on, each of which leaves the list then; return whether an interrupt is behind an error.

    What was `handled` when the work began is not.
    """
    chain = list(_behind(error, handled))
    interrupted = any(isinstance(one, KeyboardInterrupt) for one in chain)
    if interrupted:
        # Contexts that were cut short would otherwise end when the traceback is dropped, and put back old settings then.
        for one in chain:
            traceback.clear_frames(one.__traceback__)
    while changes:
        changes[-1].undo()
        changes.pop()
    return interrupted


def _behind(error: BaseException | None, handled: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that led to it, up to the one that was being handled before."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one is not handled and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]
