"""Paths that users give: checked where they enter, and quoted in errors."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath

from circuit_widget.errors import CircuitWidgetError

LONGEST_QUOTED = 120


def require_path(path: str | os.PathLike[str], error: type[CircuitWidgetError]) -> Path:
    """Return a path that a user gave, with `~` expanded. Raises `error` for anything that cannot be a path of a file."""
    given = path.__fspath__() if isinstance(path, os.PathLike) else path
    if not isinstance(given, str):
        raise error(f"A path is a text or a pathlib.Path; given {type(path).__name__}.")
    if not given:
        raise error("The path is empty; give the name of a file.")
    if "\0" in given:
        raise error(
            f"The path {quoted_path(given)} has a NUL character, which no file name can have; give another name."
        )
    try:
        os.fsencode(given)
    except UnicodeEncodeError as problem:
        raise error(f"The path {quoted_path(given)} has half a character; give another name.") from problem
    try:
        return Path(given).expanduser()
    except RuntimeError as problem:
        raise error(
            f"There is no user whose home {quoted_path(given)} could begin with; write the path out."
        ) from problem


def quoted_path(path: str | os.PathLike[str]) -> str:
    """Return a path as errors quote it: the end of a long one, and only characters that can be printed."""
    text = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in os.fspath(path)
    )
    return text if len(text) <= LONGEST_QUOTED else f"…{text[1 - LONGEST_QUOTED :]}"


def stays_inside(name: str) -> bool:
    """Return whether a name found in a file leads to a place below its folder on every system: relative, without `..`."""
    kinds = (PurePosixPath(name), PureWindowsPath(name))
    return "\0" not in name and all(path.name and not path.anchor and ".." not in path.parts for path in kinds)
