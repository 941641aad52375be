"""Folders written completely or not at all: under a hidden name beside their destination, then renamed."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from circuit_widget.errors import CircuitWidgetError
from circuit_widget.system.atomic_write import PREFIX, reason_of
from circuit_widget.system.paths import quoted_path, require_path


@contextmanager
def new_folder(path: str | os.PathLike[str], what: str, error: type[CircuitWidgetError]) -> Iterator[Path]:
    """Yield an empty folder that is `path` once the context ends; after any error or interrupt nothing is left of it.

    Raises:
        error: there is something of that name, except an empty folder; or the folder cannot be written.
    """
    destination = check_new_folder(path, what, error)
    folder = destination.with_name(f"{PREFIX}.{os.getpid()}.{secrets.token_hex(6)}")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        yield folder
        if destination.is_dir():
            destination.rmdir()
        folder.rename(destination)
    except OSError as problem:
        raise error(f"The {what} cannot be written to {quoted_path(destination)}: {reason_of(problem)}") from problem
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_new_folder(path: str | os.PathLike[str], what: str, error: type[CircuitWidgetError]) -> Path:
    """Return a path if there is nothing of that name, or an empty folder. Raises `error` otherwise."""
    destination = require_path(path, error)
    try:
        taken = destination.is_symlink() or (
            any(destination.iterdir()) if destination.is_dir() else destination.exists()
        )
    except OSError as problem:
        raise error(f"The {what} cannot be written to {quoted_path(destination)}: {reason_of(problem)}") from problem
    if taken:
        raise error(
            f"The {what} cannot be written to {quoted_path(destination)}: there is something of this name. Give the name of "
            "a folder that does not exist yet, or of an empty one."
        )
    return destination
