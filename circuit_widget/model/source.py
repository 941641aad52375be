"""Finds a model by name: a local directory, or a snapshot in the hub's local cache."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from circuit_widget.arguments import quoted
from circuit_widget.errors import LoadError
from circuit_widget.model.checkpoint import about_file, check_directory, check_is_file
from circuit_widget.model.gguf_file import GgufFile, read_gguf
from circuit_widget.system.file_kind import is_address
from circuit_widget.transcoder.folder import directory_name, expanded, is_directory
from circuit_widget.transcoder.hub import (
    HubReference,
    cached_repositories,
    cached_revisions,
    cached_snapshot,
    parse_repository,
)
from circuit_widget.transcoder.known_sets import KNOWN_SETS

PAGE = re.compile(r"/(?P<repository>[\w.-]+/[\w.-]+)(?:/(?:tree|blob|resolve)/(?P<revision>[^/]+))?(?:/.*)?")


@dataclass(frozen=True)
class ModelSource:
    """A model found by name: `root` contains its files; `reference` and `revision` are the arguments for transformers.

    `name` is the name of the directory or GGUF file, or the hub id, with its revision where one was given. `what` is its
    name in errors. `gguf` is the GGUF file within `root` that has the weights, None for safetensors.
    """

    root: Path
    reference: str
    revision: str | None
    name: str
    what: str
    gguf: GgufFile | None = None


def find_model(given: str | os.PathLike[str], gguf: str | None = None) -> ModelSource:
    """Find a model by path or hub id; `~` is the home directory, and a hub id may end in `@revision`.

    A path object is always a path; a text is a directory where one of that name exists. A path may be that of a GGUF file,
    or `gguf` is the name of one in the directory.

    Raises:
        LoadError: there is no such directory, it contains no model, or the hub's cache does not have the model.
    """
    text = os.fspath(given)
    if not text.strip():
        raise LoadError("The model's name is empty; expected a local directory, a hub id, or a loaded model.")
    path = expanded(text)
    what = f"The model {text!r:.300}"
    if is_directory(path):
        if gguf is not None:
            return _gguf_source(path, gguf)
        check_directory(path, what)
        return ModelSource(path, str(path), None, directory_name(path), what)
    if path.suffix.lower() == ".gguf" and path.is_file() and gguf is None:
        return _gguf_source(path.parent, path.name)
    if os.path.lexists(path):
        raise LoadError(
            f"{what} is a link to nothing." if path.is_symlink() and not path.exists() else about_file(path, what)
        )
    if is_address(text):
        raise LoadError(f"{what} is an address, and nothing is downloaded. {_advice_for_address(text)}")
    if path.suffix.lower() == ".gguf" and gguf is None:
        raise LoadError(_no_gguf_file(path, what))
    reference = parse_repository(text) if isinstance(given, str) else None
    if reference is None or _is_path(text):
        where = f" ({path})" if str(path) != text and text.startswith("~") else ""
        raise LoadError(f"{what}: there is no such directory{where}{_nearest(text)}; {_EXPECTED}.")
    root = cached_snapshot(reference)
    if root is None or not any(root.iterdir()):
        raise LoadError(_not_cached(reference, what))
    if gguf is not None:
        return _gguf_source(root, gguf)
    check_directory(root, what)
    return ModelSource(root, reference.repository, reference.revision or None, str(reference), what)


def _gguf_source(root: Path, name: str) -> ModelSource:
    """Return the model in a GGUF file of a directory.

    Raises:
        LoadError: there is no such file, or it cannot be read.
    """
    path, what = root / name, f"The model {name!r:.300}"
    if not path.is_file():
        found = sorted(entry.name for entry in root.iterdir() if entry.suffix.lower() == ".gguf")
        listed = ", ".join(map(repr, found[:5])) or "none"
        raise LoadError(f"gguf={quoted(name)} is no file in {str(root)!r:.300}; GGUF files there: {listed}.")
    check_is_file(path)
    return ModelSource(root, str(root), None, path.stem, what, read_gguf(path, what))


def _no_gguf_file(path: Path, what: str) -> str:
    """Return the error for a GGUF file that is not there, with those beside it."""
    folder = path.parent
    found = (
        sorted(entry.name for entry in folder.iterdir() if entry.suffix.lower() == ".gguf") if folder.is_dir() else []
    )
    listed = f"GGUF files there: {', '.join(map(repr, found[:5])) or 'none'}" if folder.is_dir() else "no such folder"
    return f"{what}: there is no such file in {str(folder.absolute())!r:.300} ({listed}). Pass the path of the file."


_EXPECTED = "expected a local directory, or a hub id such as 'google/gemma-2-2b' or 'EleutherAI/pythia-70m@step3000'"


def _is_path(text: str) -> bool:
    """Return whether a text can only be a path."""
    return text.startswith((".", "/", "~")) or "\\" in text


def _advice_for_address(text: str) -> str:
    parts = urlsplit(text)
    page = PAGE.fullmatch(parts.path)
    if page is None or parts.hostname not in ("huggingface.co", "hf.co", "www.huggingface.co"):
        return f"Download the model, and pass its directory; {_EXPECTED}."
    revision = page["revision"]
    reference = HubReference(page["repository"], "", "" if revision in (None, "main") else revision)
    return f"Pass the model's id, {str(reference)!r}, once it is in the local cache: {_command(reference)}"


def _not_cached(reference: HubReference, what: str) -> str:
    missing = f"{what}: it is no directory, and as a hub id it could not be read from the local cache; try: {_command(reference)}"
    others = [
        revision for revision in cached_revisions(reference.repository) if revision != (reference.revision or "main")
    ]
    if others:
        return f"{missing} (the cache has it at {', '.join(others[:5])})"
    return f"{missing}{_nearest(reference.repository)}"


def _nearest(text: str) -> str:
    """Return a hint with the most similar id in the cache or among known models, to be appended to an error."""
    known = {name.lower(): name for name in (*KNOWN_SETS, "demo", *cached_repositories())}
    nearest = difflib.get_close_matches(text.lower(), known, n=1, cutoff=0.8)
    return f" (did you mean {known[nearest[0]]!r}?)" if nearest else ""


def _command(reference: HubReference) -> str:
    return f"hf download {reference.repository}" + (f" --revision {reference.revision}" if reference.revision else "")
