"""A lock on a file that another process, or another holder in this one, cannot acquire; the end of a process releases it."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

TAKEN = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
"""Errors that mean that another one has the lock; others mean that there can be no lock here."""


class Locked(Exception):
    """Another process or thread has the lock; `process` is the number of its process, where it is known."""

    def __init__(self, path: Path, process: int | None = None) -> None:
        super().__init__(str(path))
        self.process = process


class FileLock:
    """The lock on a file, made if it is missing, from the moment an instance is made until it is released.

    Raises:
        Locked: another one has the lock.
        OSError: the file cannot be made, or its file system has no locks.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _locked_file(path)
        with suppress(OSError):
            os.ftruncate(self._file, 0)
            os.write(self._file, str(os.getpid()).encode())

    @property
    def is_valid(self) -> bool:
        """Whether the lock keeps others out: it is not released, and its file is where it was made."""
        with suppress(OSError):
            return self._file >= 0 and _is_at(self._path, self._file)
        return False

    def release(self, *, remove: bool = False) -> None:
        """Release the lock, once; with `remove`, the file of the lock is removed too."""
        file, self._file = self._file, -1
        if file < 0:
            return
        if remove:
            with suppress(OSError):
                self._path.unlink()
        # Closing releases the lock, whatever else happens.
        with suppress(OSError):
            os.close(file)


def _locked_file(path: Path) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        try:
            _acquire(file)
            # Whoever had the lock may have removed the file meanwhile: a lock on that one locks nobody out.
            if _is_at(path, file):
                return file
        except OSError as error:
            process = _process(file)
            os.close(file)
            if error.errno in TAKEN:
                raise Locked(path, process) from error
            raise
        os.close(file)


def _is_at(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _process(file: int) -> int | None:
    """Return the process that wrote its number into the file of a lock."""
    try:
        os.lseek(file, 0, os.SEEK_SET)
        return int(os.read(file, 20))
    except (OSError, ValueError):
        return None


def _acquire(file: int) -> None:
    if sys.platform == "win32":
        os.lseek(file, 0, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
