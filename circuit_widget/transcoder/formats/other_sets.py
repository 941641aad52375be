"""Sets of other tools that look like supported transcoders but are not, and the errors about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from circuit_widget.errors import LoadError
from circuit_widget.system.file_kind import PICKLE_ENDINGS
from circuit_widget.transcoder.folder import Folder

FILES_TO_INSPECT = 3
"""Files whose tensor names are inspected."""


@dataclass(frozen=True)
class OtherSet:
    """A kind of files, recognised by a file name or a tensor name, and why it cannot be read."""

    what: str
    why: str
    file: str = r"\0"
    tensor: str = r"\0"


OTHER_SETS = (
    OtherSet(
        "cross-layer transcoders with one TopK over the features of all layers (as ByteDance's Cross-Layer-TopK-CLT)",
        "whether a feature is active depends on every layer there, and each layer is read by itself here",
        file=r"W_dec_norm\.safetensors",
        tensor=r"W_dec_norm(_\d+)?",
    ),
    OtherSet(
        "dictionaries of OpenMOSS's Language-Model-SAEs (Llama Scope)",
        "their weights are to be scaled by the norms of a data set first, and their TopK may rank by decoder norms",
        tensor=r"W_E(_glu)?|dataset_average_activation_norm\..*",
    ),
    OtherSet(
        "cross-layer transcoders of CLT-Forge",
        "their thresholds are logarithms, and their weights are to be scaled first",
        tensor=r"estimated_norm_scaling_factor_(in|out)|log_threshold",
    ),
    OtherSet(
        "cross-layer transcoders of decode-clt",
        "their thresholds are logarithms, and their decoders are stored pair by pair",
        tensor=r"(encoder_module|decoder_module|theta_manager)\..*",
    ),
    OtherSet(
        "cross-layer transcoders of the package crosslayer-transcoder",
        "their inputs and outputs are to be standardised; its converter writes circuit-tracer's layout",
        tensor=r"nonlinearity\.theta|decoder\.W_\d+|encoder\.W",
    ),
    OtherSet(
        "adapters inside a language model",
        "they are added beside its MLPs and do not replace them",
        tensor=r".*\.mlp\.transcoder_(enc|dec)\..*",
    ),
    OtherSet(
        "sparse autoencoders of dictionary_learning",
        "they reconstruct their input and cannot replace MLPs",
        tensor=r"decoder\.weight",
    ),
    OtherSet(
        "sparse autoencoders of the residual stream (Qwen-Scope)",
        "they reconstruct their input and cannot replace MLPs",
        file=r"layer_?\d+\.sae\.pt",
    ),
)


def refuse_other_sets(folder: Folder) -> None:
    """Raise LoadError, with its name, where a directory contains a set that only looks like transcoders.

    A directory with nothing but pickles is refused, too; they are never loaded.
    """
    pickles = _pickles(folder)
    tensors = set(_tensor_names(folder))
    for other in OTHER_SETS:
        files = [path.name for path in (*folder.files, *pickles) if re.fullmatch(other.file, path.name)]
        found = files or sorted(name for name in tensors if re.fullmatch(other.tensor, name))
        if found:
            raise LoadError(f"{folder}: {found[0]!r} belongs to {other.what}. They cannot be read: {other.why}.")
    if pickles and not any(path.suffix in (".safetensors", ".npz") for path in folder.files):
        raise LoadError(
            f"{folder}: found {pickles[0].name}, expected safetensors or npz. A pickle can run any code when it is loaded, so "
            "none is: load it with the tool that wrote it, and save its tensors with safetensors in a layout that is known."
        )


def _tensor_names(folder: Folder) -> Iterator[str]:
    for path in [path for path in folder.files if path.suffix == ".safetensors"][:FILES_TO_INSPECT]:
        try:
            with safe_open(path, framework="pt") as file:
                yield from file.keys()
        except (SafetensorError, OSError):
            continue  # the reader of the layout raises the error


def _pickles(folder: Folder) -> list[Path]:
    try:
        return sorted(path for path in folder.root.iterdir() if path.suffix in PICKLE_ENDINGS and path.is_file())
    except OSError:
        return []
