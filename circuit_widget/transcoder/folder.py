"""A directory of transcoders on disk, or the part of it that a pattern chooses."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

ENDINGS = (".safetensors", ".npz", ".json", ".yaml", ".yml")
DEPTH = 4
"""How many folders deep layouts nest at most."""


@dataclass(frozen=True)
class Folder:
    """A directory; with a `pattern` such as `layer_*/width_16k/average_l0_76`, only what its folders or files match.

    `name` is what the set is called where its files do not say, `command` the one that downloads it, if any does.
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
        """The files that a layout may consist of, sorted."""
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
    """Return what a directory is called, also where it is given as "." or with a slash at its end."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100, a link keeps its own name
    return whole.name or str(whole)


def expanded(path: str) -> Path:
    """Return a path with the home directory in place of `~`; of a user who does not exist it stays as it is."""
    return Path(os.path.expanduser(path))  # noqa: PTH111, pathlib raises


def is_directory(path: str | Path) -> bool:
    """Return whether a path is a directory; one that cannot be a path, such as too long a name, is none."""
    return os.path.isdir(path)  # noqa: PTH112, pathlib raises


def _walk(directory: Path, depth: int) -> Iterator[Path]:
    try:
        entries = list(directory.iterdir())
    except PermissionError:
        return
    for path in entries:
        if path.suffix in ENDINGS and path.is_file():
            yield path
        elif depth > 0 and path.is_dir() and not path.name.startswith("."):
            yield from _walk(path, depth - 1)
