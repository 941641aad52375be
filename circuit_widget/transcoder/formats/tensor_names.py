"""The names of the tensors in a directory, by which layouts are recognised."""

from __future__ import annotations

import re
from pathlib import Path

from safetensors import SafetensorError, safe_open

from circuit_widget.transcoder.folder import Folder

FILES_TO_INSPECT = 3
"""Files whose tensor names are inspected to recognise a layout."""


def tensor_names(path: Path) -> frozenset[str]:
    """Return the names of the tensors in a safetensors file; none for one that cannot be read, which its reader reports."""
    try:
        with safe_open(path, framework="pt") as file:
            return frozenset(file.keys())
    except (SafetensorError, OSError):
        return frozenset()


def files_with(folder: Folder, expression: str) -> list[Path]:
    """Return those of the first safetensors files of a folder that have a tensor whose whole name matches."""
    first = [path for path in folder.files if path.suffix == ".safetensors"][:FILES_TO_INSPECT]
    return [path for path in first if any(re.fullmatch(expression, name) for name in tensor_names(path))]


def has_tensor(folder: Folder, expression: str) -> bool:
    """Return whether one of the first safetensors files of a folder has a tensor whose whole name matches."""
    return bool(files_with(folder, expression))
