"""Sets of other tools that look like supported transcoders but are not, and the errors about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from circuit_widget.errors import LoadError
from circuit_widget.system.file_kind import PICKLE_ENDINGS
from circuit_widget.transcoder.folder import NAMES, Folder
from circuit_widget.transcoder.formats.tensor_names import FILES_TO_INSPECT, tensor_names

CROSSCODERS = re.compile(r"(^|[^a-z])(sparse[_-]?)?cross[_-]?coders?([^a-z]|$)")
"""Name of a folder with crosscoders, whose files look like those of transcoders."""


@dataclass(frozen=True)
class OtherSet:
    """A kind of files, recognised by a file name or a tensor name, and why it cannot be read."""

    what: str
    why: str
    file: str = r"\0"
    tensor: str = r"\0"


OTHER_SETS = (
    OtherSet(
        "sparse autoencoders or crosscoders of dictionary_learning",
        "they reconstruct their input and cannot replace MLPs; its transcoders are in files named ae.pt",
        tensor=r"decoder\.weight",
    ),
    OtherSet(
        "sparse attention (Lorsa) of Llamascopium",
        "it stands in for attention heads and not for MLPs",
        tensor=r"W_O|b_V",
    ),
    OtherSet(
        "sparse autoencoders of the residual stream (Qwen-Scope)",
        "they reconstruct their input and cannot replace MLPs",
        file=r"layer_?\d+\.sae\.pt",
    ),
)


def refuse_other_sets(folder: Folder) -> None:
    """Raise LoadError, with its name, where a directory contains a set that only looks like transcoders.

    A directory with nothing but pickles is refused, too. None is loaded; `ae.pt`, of which tensors alone are read, has a
    reader of its own.
    """
    names = (folder.name, folder.root.name, folder.pattern)
    crosscoder = next((name for name in names if CROSSCODERS.search(name.lower())), None)
    if crosscoder is not None and folder.files:
        raise LoadError(
            f"{folder}: {crosscoder!r} is the name of a set of crosscoders, which reconstruct what they read at several layers "
            "or in several models, and cannot replace MLPs."
        )
    pickles = _pickles(folder)
    tensors = set(_tensor_names(folder))
    for other in OTHER_SETS:
        files = [path.name for path in (*folder.files, *pickles) if re.fullmatch(other.file, path.name)]
        found = files or sorted(name for name in tensors if re.fullmatch(other.tensor, name))
        if found:
            raise LoadError(f"{folder}: {found[0]!r} belongs to {other.what}. They cannot be read: {other.why}.")
    readable = any(path.suffix in (".safetensors", ".npz") or path.name in NAMES for path in folder.files)
    if pickles and not readable:
        raise LoadError(
            f"{folder}: found {pickles[0].name}, expected safetensors or npz. A pickle can run any code when it is loaded, so "
            "none is: load it with the tool that wrote it, and save its tensors with safetensors in a layout that is known."
        )


def _tensor_names(folder: Folder) -> Iterator[str]:
    for path in [path for path in folder.files if path.suffix == ".safetensors"][:FILES_TO_INSPECT]:
        yield from tensor_names(path)


def _pickles(folder: Folder) -> list[Path]:
    try:
        return sorted(
            path
            for path in folder.root.iterdir()
            if path.suffix in PICKLE_ENDINGS and path.name not in NAMES and path.is_file()
        )
    except OSError:
        return []
