"""A lock on a folder that another process, or another thread, cannot acquire; the end of a process releases it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class Locked(Exception):
    """Another process or thread has the lock."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock the file `path`, made if it is missing, until the context ends.

    Raises:
        Locked: another one has the lock.
        OSError: the file cannot be made.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    try:
        try:
            _acquire(file)
        except OSError as error:
            raise Locked(str(path)) from error
        yield
    finally:
        # Closing releases the lock, whatever else happens.
        with suppress(OSError):
            os.close(file)


def _acquire(file: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
