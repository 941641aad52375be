"""A folder of examples while it is written: one writer, and files that are valid together or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import torch

from circuit_widget.arguments import quoted
from circuit_widget.errors import LoadError
from circuit_widget.examples.layer_file import read_layer, write_layer
from circuit_widget.examples.layer_state import LayerState
from circuit_widget.examples.manifest import NAME, Manifest
from circuit_widget.system.atomic_write import write_whole
from circuit_widget.system.file_lock import FileLock, Locked
from circuit_widget.system.paths import quoted_path

LOCK = ".lock"
OWN = (NAME, "layer_*.parquet", "labels_*.parquet")
"""Names of files of examples, of which a killed process may have written some."""

NAMED_FILES = 3
"""Most files that an error names."""


@contextmanager
def writing(folder: Path) -> Iterator[FolderWriter]:
    """Make the folder if it is missing, and keep other writers out until the context ends.

    Raises:
        LoadError: another process or thread writes in it, it cannot be made, or it is a folder of something else.
    """
    writer = FolderWriter(folder)
    try:
        yield writer
    finally:
        writer.release()


def _check_own(folder: Path) -> None:
    """Check that a folder has examples, is empty or is missing; hidden files, which systems leave, do not count.

    Raises:
        LoadError: it has files, and none of them is of examples.
    """
    if not folder.is_dir():
        return
    names = sorted(path.name for path in folder.iterdir())
    if any(fnmatch(name, pattern) for name in names for pattern in OWN):
        return
    others = [quoted(name) for name in names if not name.startswith(".")]
    if others:
        more = f" and {len(others) - NAMED_FILES:,} more" if len(others) > NAMED_FILES else ""
        raise LoadError(
            f"{quoted_path(folder)} is a folder with {', '.join(others[:NAMED_FILES])}{more} in it, and without examples. "
            "Give a folder that is new, empty, or that has examples; nothing was written."
        )


class FolderWriter:
    """The one writer in a folder of examples, from the moment an instance is made until it is released.

    Raises:
        LoadError: another process or thread writes in the folder, it cannot be made, or it is a folder of something else.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = False
        self._lock: FileLock | None = None
        _check_own(folder)
        self._acquire()

    def save(self, manifest: Manifest, states: Sequence[LayerState], n_saved: int) -> Manifest:
        """Write all layers, then the manifest that makes them valid; return it. Files of before are removed at the end.

        `n_saved` is the number of tokens that the folder has the examples of until then. A folder that was removed
        meanwhile is made again.

        Raises:
            LoadError: something cannot be written. What was in the folder before stays valid.
        """
        folder, new = self._folder, replace(manifest, generation=manifest.generation + 1)
        if self._lock is None or not self._lock.is_valid:
            self._acquire()
        try:
            for layer, state in enumerate(states):
                path = new.file_of(folder, layer)
                write_whole(path, lambda file, state=state: write_layer(state, file), "file of examples", LoadError)  # type: ignore[misc]
            new.write(folder)
        except LoadError as error:
            remove_others(folder, manifest)
            kept = (
                f"The folder still has the examples of {n_saved:,} tokens; the same call goes on from there."
                if n_saved
                else "Nothing was saved before; the same call begins again."
            )
            raise LoadError(f"{error} {kept}") from error
        remove_others(folder, new)
        return new

    def release(self) -> None:
        """Let others write, once; nothing is left where nothing was written."""
        lock, self._lock = self._lock, None
        if lock is None:
            return
        # Where the lock is gone, the folder is another writer's.
        empty = lock.is_valid and [path.name for path in self._folder.iterdir()] == [LOCK]
        lock.release(remove=empty)
        if empty and self._made:
            # Another writer may have begun in between: then the folder is not empty.
            with suppress(OSError):
                self._folder.rmdir()

    def _acquire(self) -> None:
        folder = self._folder
        try:
            self._made |= _made(folder)
            self._lock = FileLock(folder / LOCK)
        except Locked as error:
            raise LoadError(
                f"Examples are being collected into {quoted_path(folder)} by another process or cell. Wait for its end, or "
                "give another folder."
            ) from error
        except OSError as error:
            if folder.exists() and not folder.is_dir():
                raise LoadError(
                    f"{quoted_path(folder)} is a file; give a folder that is new, empty, or that has examples."
                ) from error
            raise LoadError(
                f"Examples cannot be written to {quoted_path(folder)}: {error.strerror or error}."
            ) from error


def _made(folder: Path) -> bool:
    """Make a folder if it is missing; return whether it was."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise
        return False
    return True


def restore(folder: Path, manifest: Manifest, devices: Sequence[torch.device]) -> list[LayerState]:
    """Return what was kept of all layers, each on its device.

    Raises:
        LoadError: a file is missing, cut off or damaged.
    """
    return [
        read_layer(manifest.file_of(folder, layer), layer, signed=manifest.signed, device=device)
        for layer, device in enumerate(devices)
    ]


def remove_others(folder: Path, manifest: Manifest) -> None:
    """Remove files of layers that are not valid: of earlier saves, or of one that was killed."""
    valid = {manifest.file_of(folder, layer) for layer in range(len(manifest.n_features))}
    for path in folder.glob("layer_*.parquet"):
        if path not in valid:
            with suppress(OSError):
                path.unlink()
