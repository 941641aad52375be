"""A directory of transcoders, or the part of it that a pattern selects."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

ENDINGS = (".safetensors", ".npz", ".json", ".yaml", ".yml")
NAMES = ("ae.pt",)
"""Files of other endings that belong to a layout: the tensors of dictionary_learning."""

DEPTH = 4
"""Deepest nesting of folders in a layout."""


@dataclass(frozen=True)
class Folder:
    """A directory; with a `pattern` such as `layer_*/width_16k/average_l0_76`, only what its folders or files match.

    `name` is the name of the set where its files have none; `command` is the command that downloads it, if there is one.
    """

    root: Path
    pattern: str = ""
    name: str = ""
    command: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", directory_name(self.root))

    def __str__(self) -> str:
        return str(self.root / self.pattern) if self.pattern else str(self.root)

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The files that may belong to a layout, sorted."""
        chosen = self.pattern.split("/") if self.pattern else []
        return tuple(sorted(path for path in _walk(self.root, DEPTH) if self._is_chosen(path, chosen)))

    def matching(self, expression: str) -> list[tuple[re.Match[str], Path]]:
        """Return the files whose path below the root, written with slashes, matches a regular expression in full."""
        pairs = ((re.fullmatch(expression, path.relative_to(self.root).as_posix()), path) for path in self.files)
        return [(match, path) for match, path in pairs if match is not None]

    def _is_chosen(self, path: Path, chosen: list[str]) -> bool:
        parts = path.relative_to(self.root).parts
        return len(parts) >= len(chosen) and all(map(fnmatchcase, parts, chosen))


def directory_name(path: Path) -> str:
    """Return the name of a directory, also for "." and for a path with a slash at its end."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100, a link keeps its own name
    return whole.name or str(whole)


def expanded(path: str) -> Path:
    """Return a path with `~` replaced by the home directory; unchanged for a user who does not exist."""
    return Path(os.path.expanduser(path))  # noqa: PTH111, pathlib raises


def is_directory(path: str | Path) -> bool:
    """Return whether a path is a directory; False also for texts that cannot be paths, such as too long ones."""
    return os.path.isdir(path)  # noqa: PTH112, pathlib raises


def _walk(directory: Path, depth: int) -> Iterator[Path]:
    try:
        entries = list(directory.iterdir())
    except PermissionError:
        return
    for path in entries:
        if (path.suffix in ENDINGS or path.name in NAMES) and path.is_file():
            yield path
        elif depth > 0 and path.is_dir() and not path.name.startswith("."):
            yield from _walk(path, depth - 1)
