"""Finding and reading the parts of a replacement model: a language model and its transcoders."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
import torch

from circuit_widget.errors import LoadError
from circuit_widget.model.language_model import LanguageModel, Network, choose_device, choose_dtype, load_language_model
from circuit_widget.model.prompt import Tokenizer
from circuit_widget.model.self_check import check_pieces
from circuit_widget.transcoder.formats.circuit_tracer import read_circuit_tracer
from circuit_widget.transcoder.transcoder_set import TranscoderSet

DEMO = Path(__file__).parents[1] / "demo"
HUB_REFERENCE = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?P<folder>(/[\w.-]+)*)(@(?P<revision>[\w./-]+))?")

HUB_FILES = ("config.yaml", "layer_*.safetensors", "features/layer_*.json.gz")


@dataclass(frozen=True, eq=False)
class Parts:
    """A model, its transcoders, and the directory these came from."""

    model: LanguageModel
    transcoders: TranscoderSet
    directory: Path


def read_parts(
    model: str | os.PathLike[str] | Network,
    transcoders: str | os.PathLike[str] | None,
    *,
    tokenizer: Tokenizer | None,
    device: str | torch.device | None,
    dtype: str | torch.dtype | None,
) -> Parts:
    """Read a model and its transcoders, and check that they are what they seem and belong together.

    Raises:
        LoadError: something is missing, malformed, not supported, or does not fit the other part.
    """
    name = None
    if isinstance(model, str) and model == "demo":
        name, model, transcoders = "demo", DEMO / "model", transcoders or DEMO / "transcoders"
    if transcoders is None:
        raise LoadError("The model was given without transcoders; name their directory: load(model, transcoders=...).")
    chosen = choose_device(device)
    language_model = load_language_model(
        model, tokenizer=tokenizer, device=chosen, dtype=choose_dtype(dtype, chosen), name=name
    )
    check_pieces(language_model)
    directory = transcoder_directory(transcoders)
    found = read_circuit_tracer(directory, language_model.device)
    _check_fit(language_model, found, directory)
    return Parts(language_model, found, directory)


def transcoder_directory(reference: str | os.PathLike[str]) -> Path:
    """Return a local directory as it is, or fetch a hub reference `org/repo[/folder][@revision]` into the hub's cache.

    Raises:
        LoadError: neither a directory nor a reference that the hub, or its cache when offline, can answer.
    """
    directory = Path(reference)
    if directory.is_dir():
        return directory
    match = HUB_REFERENCE.fullmatch(str(reference))
    if match is None:
        raise LoadError(f"The transcoders {str(reference)!r} are neither a directory nor a hub reference org/repo.")
    folder = match["folder"].strip("/")
    inside = f"{folder}/" if folder else ""
    try:
        root = huggingface_hub.snapshot_download(
            match["repository"],
            revision=match["revision"],
            allow_patterns=[f"{inside}{files}" for files in HUB_FILES],
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise LoadError(
            f"The transcoders {str(reference)!r} are no directory, nor found on the hub: {reason}"
        ) from error
    return Path(root) / folder


def _check_fit(model: LanguageModel, transcoders: TranscoderSet, directory: Path) -> None:
    if transcoders.n_layers != model.n_layers:
        raise LoadError(
            f"{directory}: found transcoders for {transcoders.n_layers} layers, expected {model.n_layers} "
            f"for the model {model.name!r}. They belong to another model."
        )
    if transcoders.d_model != model.d_model:
        raise LoadError(
            f"{directory}: the transcoders read {transcoders.d_model} dimensions, expected {model.d_model} "
            f"for the model {model.name!r}. They belong to another model."
        )
