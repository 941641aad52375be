"""The per-layer layout of circuit-tracer: `layer_{i}.safetensors` from 0 without gaps, beside a `config.yaml`.

Each file holds `W_enc` (features, d_model), `W_dec` (features, d_model), `b_enc`, `b_dec`, for JumpReLU
`activation_function.threshold`, for a linear skip connection `W_skip` (d_model, d_model).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
import yaml

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.formats.checked_file import CheckedFile
from circuit_widget.transcoder.per_layer import PerLayerTranscoder, PerLayerTranscoders

LAYER_FILE = re.compile(r"layer_(\d+)\.safetensors")
TENSORS = ("W_enc", "W_dec", "b_enc", "b_dec", "activation_function.threshold", "W_skip")
SITES = {"mlp.hook_in": "mlp_input", "mlp.hook_out": "mlp_output"}


def read_circuit_tracer(directory: Path, device: torch.device) -> PerLayerTranscoders:
    """Read a directory of per-layer transcoders as float32 on `device`.

    Raises:
        LoadError: names the file, the tensor, what was found and what was expected.
    """
    config = _read_config(directory / "config.yaml")
    paths = _layer_files(directory)
    layers = []
    d_model: int | None = None
    for path in paths:
        layer = _read_layer(CheckedFile(path), d_model, device)
        d_model = layer.encoder.shape[1]
        layers.append(layer)
    return PerLayerTranscoders(
        name=str(config.get("scan") or directory.name),
        layers=tuple(layers),
        input_site=_site(directory, config, "feature_input_hook", "mlp.hook_in"),
        output_site=_site(directory, config, "feature_output_hook", "mlp.hook_out"),
    )


def _read_config(path: Path) -> Mapping[str, object]:
    if not path.exists():
        return {}
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LoadError(f"{path}: not readable as YAML ({error}).") from error
    if not isinstance(config, dict):
        raise LoadError(f"{path}: found {type(config).__name__}, expected a mapping of settings.")
    kind = config.get("model_kind", "transcoder_set")
    if kind != "transcoder_set":
        raise LoadError(f"{path}: model_kind is {kind!r}; only 'transcoder_set' (per-layer transcoders) can be read.")
    activation = config.get("activation")
    if activation not in (None, "relu", "jump_relu", "jumprelu"):
        raise LoadError(f"{path}: activation is {activation!r}; only ReLU and JumpReLU transcoders can be read.")
    return config


def _site(directory: Path, config: Mapping[str, object], key: str, default: str) -> str:
    hook = str(config.get(key, default))
    if hook not in SITES:
        raise LoadError(f"{directory / 'config.yaml'}: {key} is {hook!r}, expected one of {', '.join(SITES)}.")
    return SITES[hook]


def _layer_files(directory: Path) -> list[Path]:
    found = {int(match[1]): path for path in directory.iterdir() if (match := LAYER_FILE.fullmatch(path.name))}
    if not found:
        raise LoadError(f"{directory}: no layer_0.safetensors, layer_1.safetensors, ...; expected one file a layer.")
    missing = sorted(set(range(max(found) + 1)) - set(found))
    if missing:
        gap = directory / f"layer_{missing[0]}.safetensors"
        raise LoadError(f"{gap}: the file is missing; layers must have no gaps.")
    return [found[layer] for layer in sorted(found)]


def _read_layer(file: CheckedFile, d_model: int | None, device: torch.device) -> PerLayerTranscoder:
    file.refuse_unknown(TENSORS)
    shape = file.shape("W_enc")
    if len(shape) != 2 or (d_model is not None and shape[1] != d_model):
        expected = "(features, d_model)" if d_model is None else f"(features, {d_model})"
        raise LoadError(f"{file.path}: tensor 'W_enc' has shape {shape}, expected {expected}.")
    features, width = shape
    return PerLayerTranscoder(
        encoder=file.tensor("W_enc", (features, width), device),
        encoder_bias=file.tensor("b_enc", (features,), device),
        decoder=file.tensor("W_dec", (features, width), device),
        decoder_bias=file.tensor("b_dec", (width,), device),
        threshold=file.optional("activation_function.threshold", (features,), device),
        skip=file.optional("W_skip", (width, width), device),
    )
