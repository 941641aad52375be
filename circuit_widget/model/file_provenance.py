"""Provenance of the files of a model or its transcoders: hub repository, revision, and hashes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HASHED_WHOLE = 64 << 20
"""Files up to this many bytes are hashed completely."""

SAMPLES, SAMPLE = 8, 1 << 20
"""Number and size in bytes of the evenly spaced samples, first and last included, that are hashed of a larger file."""

SNAPSHOT = re.compile(
    r"(?P<cache>.*/models--(?P<repository>[^/]+)/snapshots/(?P<revision>[0-9a-f]{40}))(?:/(?P<file>.*))?"
)
"""A path in the hub's cache."""


def origin_of(name: str, root: Path | None, files: Iterable[Path]) -> dict[str, Any]:
    """Return a record of files as plain JSON: their `name`, the hub's repository and revision, a hash of each file.

    A hash states its method: `sha256` of the whole file, or `sha256-sampled` of its size and evenly spaced samples. For
    large files in the hub's cache, their name there is their sha256, and they are not read. Local directories are not
    named, because recipes are published and hashes identify files better.
    """
    record: dict[str, Any] = {"name": name}
    if root is not None:
        cached = SNAPSHOT.fullmatch(root.absolute().as_posix())
        if cached is not None:
            record |= {"repository": cached["repository"].replace("--", "/"), "revision": cached["revision"]}
    return {**record, "files": {_named(path, root): file_hash(path) for path in dict.fromkeys(files)}}


def file_hash(path: Path) -> str:
    """Return a hash of a file, with its method."""
    blob = path.resolve().name
    if SNAPSHOT.fullmatch(path.absolute().as_posix()) and re.fullmatch("[0-9a-f]{64}", blob):
        return f"sha256:{blob}"
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= HASHED_WHOLE:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        digest = hashlib.sha256(str(size).encode())
        for sample in range(SAMPLES):
            file.seek((size - SAMPLE) * sample // (SAMPLES - 1))
            digest.update(file.read(SAMPLE))
        return f"sha256-sampled:{digest.hexdigest()}"


def _named(path: Path, root: Path | None) -> str:
    """Return a file's name relative to the root, with its repository and revision, or alone for any other directory."""
    if root is not None and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    cached = SNAPSHOT.fullmatch(path.absolute().as_posix())
    if cached is None:
        return path.name
    return f"{cached['repository'].replace('--', '/')}@{cached['revision']}/{cached['file'] or ''}"
