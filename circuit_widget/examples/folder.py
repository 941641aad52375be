"""A folder of examples while it is written: one writer, and files that are valid together or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import torch

from circuit_widget.errors import LoadError
from circuit_widget.examples.layer_file import read_layer, write_layer
from circuit_widget.examples.layer_state import LayerState
from circuit_widget.examples.manifest import NAME, Manifest
from circuit_widget.system.atomic_write import write_whole
from circuit_widget.system.file_lock import Locked, locked
from circuit_widget.system.paths import quoted_path

LOCK = ".lock"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make the folder if it is missing, and keep other writers out until the context ends.

    Raises:
        LoadError: another process or thread writes in it, or it cannot be made.
    """
    try:
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
