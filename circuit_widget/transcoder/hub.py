"""References to files of the Hugging Face hub, found in its local cache; downloads happen only on request."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import huggingface_hub
from huggingface_hub import constants

from circuit_widget.errors import LoadError

LONGEST_ID = 200
"""More characters than any id with a revision has."""

SCHEME = "hf://"
REPOSITORY = re.compile(r"(?P<repository>(?:[\w.-]+/)?[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
REFERENCE = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?P<path>(?:/[\w.*?-]+)*)/?(?:@(?P<revision>[\w./-]+))?")

IGNORED_FILES = ["*examples.safetensors"]
"""Large files beside transcoders that no layout needs."""


@dataclass(frozen=True)
class HubReference:
    """A repository of the hub, a path inside it, possibly with `*` and `?`, and a revision; empty where not given."""

    repository: str
    path: str = ""
    revision: str = ""

    def __str__(self) -> str:
        path = f"/{self.path}" if self.path else ""
        return f"{self.repository}{path}" + (f"@{self.revision}" if self.revision else "")

    @property
    def command(self) -> str:
        """The command that downloads the files into the cache, without large files that are not needed."""
        left_out = "*examples*" if set(self.path) & set("*?") else "*.bin"
        chosen = f" --include '{self.path}/*'" if self.path else ""
        revision = f" --revision {self.revision}" if self.revision else ""
        return f"hf download {self.repository}{chosen} --exclude '{left_out}'{revision}"


def parse_reference(text: str) -> HubReference | None:
    """Return the reference in `org/repo[/path][@revision]` or `hf://org/repo/path?revision=`, None for other texts."""
    if text.startswith(SCHEME):
        parts = urlsplit(text)
        revision = parse_qs(parts.query).get("revision", [""])[0]
        text = f"{parts.netloc}{parts.path}".rstrip("/") + (f"@{revision}" if revision else "")
    match = REFERENCE.fullmatch(text)
    if match is None or ".." in match["path"].split("/"):
        return None
    return HubReference(match["repository"], match["path"].strip("/"), match["revision"] or "")


def parse_repository(text: str) -> HubReference | None:
    """Return the repository that `org/name[@revision]`, or an old id without organisation, refers to."""
    if not text.isascii() or len(text) > LONGEST_ID:
        return None
    match = REPOSITORY.fullmatch(text)
    if match is not None:
        return HubReference(match["repository"], "", match["revision"] or "")
    reference = parse_reference(text)
    return reference if reference is not None and not reference.path else None


def cached_snapshot(reference: HubReference) -> Path | None:
    """Return the directory of a repository's revision in the cache, None where it is not there."""
    try:
        return Path(
            huggingface_hub.snapshot_download(
                reference.repository, revision=reference.revision or None, local_files_only=True
            )
        )
    except (OSError, ValueError):
        return None


def cached_revisions(repository: str) -> list[str]:
    """Return the revisions of a repository in the cache, by name, or by hash for commits without a name."""
    folder = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    refs = folder / "refs"
    named = {path.relative_to(refs).as_posix(): path.read_text().strip() for path in _files(refs)}
    commits = [path.name for path in _entries(folder / "snapshots")]
    return sorted(named) + sorted(set(commits) - set(named.values()))


def cached_repositories() -> list[str]:
    """Return the ids of the models in the cache."""
    folders = [path.name for path in _entries(Path(constants.HF_HUB_CACHE)) if path.name.startswith("models--")]
    return sorted(name.removeprefix("models--").replace("--", "/") for name in folders)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _files(folder: Path) -> list[Path]:
    return sorted(Path(root) / name for root, _, names in os.walk(folder) for name in names)


def find_directory(reference: HubReference, files: Sequence[str], *, download: bool) -> Path:
    """Return the directory of a repository's snapshot in the cache.

    Args:
        files: patterns for the names of the needed files below the reference's path.
        download: download files that are not in the cache.

    Raises:
        LoadError: not in the cache; names the command that downloads it.
    """
    inside = [f"{reference.path}/{file}" if reference.path else file for file in files]
    try:
        root = huggingface_hub.snapshot_download(
            reference.repository,
            revision=reference.revision or None,
            allow_patterns=inside,
            ignore_patterns=IGNORED_FILES,
            local_files_only=not download,
        )
    except (OSError, ValueError) as error:
        raise _absent(reference, reference.command, download, error) from error
    fixed = fixed_path(reference.path)
    if not (Path(root) / fixed).is_dir() or not any((Path(root) / fixed).iterdir()):
        raise _absent(reference, reference.command, download, f"it has no {fixed or 'files'}")
    return Path(root)


def find_files(references: Sequence[str], *, download: bool) -> list[Path]:
    """Return the paths of files of the hub in the cache, given their `hf://` references.

    Raises:
        LoadError: no such reference, or not all in the cache; names the commands that download the missing ones.
    """
    found, missing = [], []
    for text in references:
        reference = parse_reference(text)
        if reference is None or not reference.path:
            raise LoadError(f"{text!r} does not name a file of the hub; expected hf://org/repo/path?revision=.")
        try:
            path = huggingface_hub.hf_hub_download(
                reference.repository,
                reference.path,
                revision=reference.revision or None,
                local_files_only=not download,
            )
            found.append(Path(path))
        except (OSError, ValueError) as error:
            if download:
                raise _absent(reference, "", download, error) from error
            missing.append(reference)
    if missing:
        raise _absent(missing[0], _command_for(missing), download, "")
    return found


def _command_for(files: Sequence[HubReference]) -> str:
    """Return the commands that download files: one for each repository and revision."""
    sources = dict.fromkeys((file.repository, file.revision) for file in files)
    return " && ".join(
        " ".join(
            [
                f"hf download {repository}",
                *(file.path for file in files if (file.repository, file.revision) == (repository, revision)),
                *([f"--revision {revision}"] if revision else []),
            ]
        )
        for repository, revision in sources
    )


def fixed_path(path: str) -> str:
    """Return the leading parts of a path, up to the first with a pattern."""
    parts = path.split("/")
    first = next((number for number, part in enumerate(parts) if set(part) & set("*?")), len(parts))
    return "/".join(parts[:first])


def _absent(reference: HubReference, command: str, download: bool, reason: object) -> LoadError:
    why = (str(reason).strip() or type(reason).__name__).split("\n")[0][:200]
    if download:
        return LoadError(f"{str(reference)!r} could not be downloaded from the hub: {why}")
    return LoadError(
        f"{str(reference)!r} is not in the local cache of the hub, and nothing is downloaded by default: pass "
        f"download=True, or run: {command}"
    )
