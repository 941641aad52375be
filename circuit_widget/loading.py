"""From the names of a model and of its transcoders to what a user works with."""

from __future__ import annotations

import os

import torch

from circuit_widget.model.language_model import Network
from circuit_widget.model.parts import read_parts
from circuit_widget.model.prompt import Tokenizer
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.system.plain_torch import in_plain_torch
from circuit_widget.transcoder.loading import Held


def load(
    model: str | os.PathLike[str] | Network,
    transcoders: str | os.PathLike[str] | None = None,
    *,
    tokenizer: Tokenizer | None = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    encoders: Held | None = None,
    download: bool = False,
) -> ReplacementModel:
    """Load a language model with its transcoders; "demo" is the one that comes with the package.

    Args:
        model: "demo", a local directory, a hub id, or a loaded model (then with its tokenizer; it keeps its devices and
            dtype, and its attention is set to eager).
        transcoders: a local directory, a hub reference `org/repo[/folder][@revision]`, or the short name of a known set
            such as "gemma".
        device: by default CUDA, else MPS, else the CPU.
        dtype: by default bfloat16 on CUDA, float32 elsewhere. Edges are float32 whatever it is.
        encoders: where encoders are held, "device", "cpu" or "disk"; by default on the device where it has room.
        download: fetch transcoders that are not in the hub's local cache; without it nothing is downloaded.

    Raises:
        LoadError: says which file and tensor cannot be used, what was found and what was expected.
    """
    parts = in_plain_torch(
        lambda: read_parts(
            model, transcoders, tokenizer=tokenizer, device=device, dtype=dtype, encoders=encoders, download=download
        ),
        gradients=True,
    )
    source = None if isinstance(model, Network) else (str(model), None if transcoders is None else str(transcoders))
    return ReplacementModel(parts.model, parts.transcoders, parts.directory, parts.provenance, source)
