"""Finds a model by name: a local directory, or a snapshot in the hub's local cache."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from circuit_widget.errors import LoadError
from circuit_widget.model.checkpoint import about_file, check_directory
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

    `name` is the name of the directory, or the hub id, with its revision where one was given. `what` is its name in errors.
    """

    root: Path
    reference: str
    revision: str | None
    name: str
    what: str


def find_model(given: str | os.PathLike[str]) -> ModelSource:
    """Find a model by path or hub id; `~` is the home directory, and a hub id may end in `@revision`.

    A path object is always a path; a text is a directory where one of that name exists.

    Raises:
        LoadError: there is no such directory, it contains no model, or the hub's cache does not have the model.
    """
    text = os.fspath(given)
    if not text.strip():
        raise LoadError("The model's name is empty; expected a local directory, a hub id, or a loaded model.")
    path = expanded(text)
    what = f"The model {text!r:.300}"
    if is_directory(path):
        check_directory(path, what)
        return ModelSource(path, str(path), None, directory_name(path), what)
    if os.path.lexists(path):
        raise LoadError(
            f"{what} is a link to nothing." if path.is_symlink() and not path.exists() else about_file(path, what)
        )
    if is_address(text):
        raise LoadError(f"{what} is an address, and nothing is downloaded. {_advice_for_address(text)}")
    reference = parse_repository(text) if isinstance(given, str) else None
    if reference is None or _is_path(text):
        where = f" ({path})" if str(path) != text and text.startswith("~") else ""
        raise LoadError(f"{what}: there is no such directory{where}{_nearest(text)}; {_EXPECTED}.")
    root = cached_snapshot(reference)
    if root is None or not any(root.iterdir()):
        raise LoadError(_not_cached(reference, what))
    check_directory(root, what)
    return ModelSource(root, reference.repository, reference.revision or None, str(reference), what)


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
