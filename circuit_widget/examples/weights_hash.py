"""What examples belong to: a hash of the weights that activations depend on, the same in every file format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from circuit_widget.model.language_model import LanguageModel
from circuit_widget.system.plain_torch import inference
from circuit_widget.transcoder.activation import JumpReLU, TopK, WeightedTopK
from circuit_widget.transcoder.joint_top_k import JointTopKTranscoders
from circuit_widget.transcoder.layer import LayeredTranscoders
from circuit_widget.transcoder.transcoder_set import TranscoderSet

SAMPLES = 64
"""How many numbers of each tensor of the model are hashed, evenly spaced."""

SAMPLED_FEATURES = 16
"""How many features of each layer have their encoder rows hashed, evenly spaced."""


def identity_of(model: LanguageModel, transcoders: TranscoderSet) -> dict[str, str]:
    """Return hashes of the model's weights and of what its features read with.

    Weights are rounded to bfloat16 before, so that a model in float32 and in bfloat16 has the same hash. Decoders are left
    out: no activation of the model itself depends on them.
    """
    with inference():
        weights = {name: _sampled(tensor) for name, tensor in model.network.named_parameters()}
        return {"model": _digest(weights.items()), "features": _digest(_of_features(transcoders))}


def _of_features(transcoders: Any) -> Iterator[tuple[str, Tensor]]:
    yield f"{transcoders.input_site} {[transcoders.n_features(layer) for layer in range(transcoders.n_layers)]}", _EMPTY
    if not isinstance(transcoders, LayeredTranscoders):
        return
    if isinstance(transcoders, JointTopKTranscoders):
        yield f"joint {transcoders.k}", torch.cat([weights.cpu() for weights in transcoders.weights])
        if transcoders.mean_norms is not None:
            yield "mean norms", torch.cat([transcoders.mean_norms.read.cpu(), transcoders.mean_norms.written.cpu()])
    for number, layer in enumerate(transcoders.layers):
        if not layer.n_features:
            continue
        features = torch.linspace(0, layer.n_features - 1, SAMPLED_FEATURES, dtype=torch.float64, device="cpu").long()
        yield f"{number} {type(layer.activation).__name__}", layer.encoder_rows(features.to(layer.device)).flatten()
        yield f"{number} bias", layer.encoder_bias
        if isinstance(layer.activation, JumpReLU):
            yield f"{number} threshold", layer.activation.threshold
        elif isinstance(layer.activation, WeightedTopK):
            yield f"{number} weights {layer.activation.k}", layer.activation.weights
        elif isinstance(layer.activation, TopK):
            yield f"{number} {layer.activation}", _EMPTY


_EMPTY = torch.empty(0, dtype=torch.float32, device="cpu")


def _sampled(tensor: Tensor) -> Tensor:
    flat = tensor.detach().reshape(-1)
    return flat[:: max(1, len(flat) // SAMPLES)][:SAMPLES]


def _digest(tensors: Any) -> str:
    digest = hashlib.sha256()
    for name, tensor in tensors:
        digest.update(f"{name}\n".encode())
        digest.update(tensor.to("cpu", torch.bfloat16).view(torch.int16).numpy().tobytes())
    return f"sha256-sampled:{digest.hexdigest()}"
