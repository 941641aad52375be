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
from circuit_widget.system.file_lock import Locked, locked
from circuit_widget.system.paths import quoted_path

LOCK = ".lock"
OWN = (NAME, "layer_*.parquet", "labels_*.parquet")
"""Names of files of examples, of which a killed process may have written some."""

NAMED_FILES = 3
"""Most files that an error names."""


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make the folder if it is missing, and keep other writers out until the context ends.

    Raises:
        LoadError: another process or thread writes in it, it cannot be made, or it is a folder of something else.
    """
    try:
        _check_own(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / LOCK):
            yield
    except Locked as error:
        raise LoadError(
            f"Examples are being collected into {quoted_path(folder)} by another process or cell. Wait for its end, or "
            "give another folder."
        ) from error
    except OSError as error:
        raise LoadError(f"Examples cannot be written to {quoted_path(folder)}: {error.strerror or error}.") from error
    finally:
        if folder.is_dir() and not (folder / NAME).exists():
            _remove_empty(folder)


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


def _remove_empty(folder: Path) -> None:
    """Remove a folder in which nothing but the lock was written."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] == [LOCK]:
            (folder / LOCK).unlink()
            folder.rmdir()


def save(folder: Path, manifest: Manifest, states: Sequence[LayerState], n_saved: int) -> Manifest:
    """Write all layers, then the manifest that makes them valid; return it. Files of before are removed at the end.

    `n_saved` is the number of tokens that the folder has the examples of until then.

    Raises:
        LoadError: something cannot be written. What was in the folder before stays valid.
    """
    new = replace(manifest, generation=manifest.generation + 1)
    try:
        for layer, state in enumerate(states):
            path = new.file_of(folder, layer)
            write_whole(path, lambda file, state=state: write_layer(state, file), "file of examples", LoadError)  # type: ignore[misc]
        new.write(folder)
    except LoadError as error:
        remove_others(folder, manifest)
        raise LoadError(
            f"{error} The folder still has the examples of {n_saved:,} tokens; the same call goes on from there."
        ) from error
    remove_others(folder, new)
    return new


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
