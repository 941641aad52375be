"""Where a model is that was given by name: a local directory, or a snapshot in the hub's local cache."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from circuit_widget.errors import LoadError
from circuit_widget.model.checkpoint import about_file, check_directory
from circuit_widget.transcoder.folder import directory_name, expanded, is_directory
from circuit_widget.transcoder.hub import (
    HubReference,
    cached_repositories,
    cached_revisions,
    cached_snapshot,
    parse_repository,
)
from circuit_widget.transcoder.known_sets import KNOWN_SETS

ADDRESS = re.compile(r"https?://", re.IGNORECASE)
PAGE = re.compile(r"/(?P<repository>[\w.-]+/[\w.-]+)(?:/(?:tree|blob|resolve)/(?P<revision>[^/]+))?(?:/.*)?")


@dataclass(frozen=True)
class ModelSource:
    """A model by name: `root` has its files, `reference` and `revision` are what transformers takes.

    `what` is what messages call it; `name` that of a directory, or the hub id with its revision where one was given.
    """

    root: Path
    reference: str
    revision: str | None
    name: str
    what: str


def find_model(given: str | os.PathLike[str]) -> ModelSource:
    """Return where a model is; `~` is the home directory, and a hub id may end in `@revision`.

    A path object is always a path; of a text, a directory of that name comes first.

    Raises:
        LoadError: there is no such directory, or it is no model's; or the hub's cache does not have it.
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
    if ADDRESS.match(text):
        raise LoadError(f"{what} is an address, and nothing is downloaded. {_advice_for_address(text)}")
    asked = parse_repository(text) if isinstance(given, str) else None
    if asked is None or _is_path(text):
        where = f" ({path})" if str(path) != text and text.startswith("~") else ""
        raise LoadError(f"{what}: there is no such directory{where}{_nearest(text)}; {_EXPECTED}.")
    root = cached_snapshot(asked)
    if root is None or not any(root.iterdir()):
        raise LoadError(_not_cached(asked, what))
    check_directory(root, what)
    return ModelSource(root, asked.repository, asked.revision or None, str(asked), what)


_EXPECTED = "expected a local directory, or a hub id such as 'google/gemma-2-2b' or 'EleutherAI/pythia-70m@step3000'"


def _is_path(text: str) -> bool:
    """Return whether a text can only be meant as a path."""
    return text.startswith((".", "/", "~")) or "\\" in text


def _advice_for_address(text: str) -> str:
    parts = urlsplit(text)
    page = PAGE.fullmatch(parts.path)
    if page is None or parts.hostname not in ("huggingface.co", "hf.co", "www.huggingface.co"):
        return f"Download the model, and pass its directory; {_EXPECTED}."
    revision = page["revision"]
    asked = HubReference(page["repository"], "", "" if revision in (None, "main") else revision)
    return f"Pass the model's id, {str(asked)!r}, once it is in the local cache: {_command(asked)}"


def _not_cached(asked: HubReference, what: str) -> str:
    missing = (
        f"{what}: it is no directory, and as a hub id it could not be read from the local cache; try: {_command(asked)}"
    )
    others = [revision for revision in cached_revisions(asked.repository) if revision != (asked.revision or "main")]
    if others:
        return f"{missing} (the cache has it at {', '.join(others[:5])})"
    return f"{missing}{_nearest(asked.repository)}"


def _nearest(text: str) -> str:
    """Return a hint at the nearest id that is in the cache or known, as one more clause."""
    known = {name.lower(): name for name in (*KNOWN_SETS, "demo", *cached_repositories())}
    nearest = difflib.get_close_matches(text.lower(), known, n=1, cutoff=0.8)
    return f" (did you mean {known[nearest[0]]!r}?)" if nearest else ""


def _command(asked: HubReference) -> str:
    return f"hf download {asked.repository}" + (f" --revision {asked.revision}" if asked.revision else "")
