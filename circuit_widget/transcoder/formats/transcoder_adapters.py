"""Transcoder adapters (Sid-MB/transcoder-adapters), inside the files of a model's own weights.

`model.layers.{i}.mlp.transcoder_enc.weight` (features, d_model) and `.bias`, `.transcoder_dec.weight` (d_model, features), and
`.bias` in some. Features read the MLP's input, through a ReLU, and are added to its output: they do not replace the MLP,
which is the error of such a set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.activation import ReLU
from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats.checked_file import CheckedFile
from circuit_widget.transcoder.formats.layer_files import at_layers
from circuit_widget.transcoder.formats.layer_parts import LayerParts, make_layers
from circuit_widget.transcoder.formats.settings import read_json, refuse_other_numbers
from circuit_widget.transcoder.formats.tensor_names import has_tensor, tensor_names
from circuit_widget.transcoder.per_layer import PerLayerTranscoder, PerLayerTranscoders

SIGN = r".*\.mlp\.transcoder_enc\.weight"
"""Name of a tensor that no other layout has."""

TENSOR = re.compile(r"(?P<mlp>.*\.layers\.(?P<layer>\d+)\.mlp)\.transcoder_(?P<part>(?:enc|dec)\.(?:weight|bias))")
ADAPTERS = re.compile(r".*\.transcoder_.*")


def is_adapters(folder: Folder) -> bool:
    """Return whether a folder has this layout."""
    return has_tensor(folder, SIGN)


def read_adapters(folder: Folder, loading: Loading) -> PerLayerTranscoders:
    """Read the adapters in the weights of a model.

    Raises:
        LoadError: names the file, the tensor or setting, what was found and what was expected.
    """
    found = _tensors(folder)
    numbers = sorted(found)
    files: dict[Path, CheckedFile] = {}
    parts = [_layer(found[number], files, loading.device_of(number)) for number in numbers]
    _check_settings(folder.root / "config.json", parts[0], any("dec.bias" in found[number] for number in numbers))
    layers = make_layers(PerLayerTranscoder, parts, loading.only(numbers))
    sites = loading.sites.or_default("mlp_input", "mlp_output")
    return PerLayerTranscoders(folder.name, at_layers(numbers, layers, loading), *sites, beside=True)


def _tensors(folder: Folder) -> Mapping[int, Mapping[str, tuple[Path, str]]]:
    """Return the file and name of each tensor, by layer and part.

    Raises:
        LoadError: a tensor of an adapter that is not known.
    """
    found: dict[int, dict[str, tuple[Path, str]]] = {}
    for path in folder.files:
        for name in sorted(tensor_names(path)) if path.suffix == ".safetensors" else ():
            match = TENSOR.fullmatch(name)
            if match is not None:
                found.setdefault(int(match["layer"]), {})[match["part"]] = path, name
            elif ADAPTERS.fullmatch(name) is not None:
                raise LoadError(
                    f"{path}: found tensor {name!r}, expected only transcoder_enc and transcoder_dec of MLPs."
                )
    return found


def _layer(found: Mapping[str, tuple[Path, str]], files: dict[Path, CheckedFile], device: torch.device) -> LayerParts:
    def tensor(part: str) -> tuple[CheckedFile, str]:
        if part not in found:
            known = next(iter(found.values()))
            raise LoadError(f"{known[0].parent}: transcoder_{part} is missing beside {known[1]!r}; get all files.")
        path, name = found[part]
        return files.setdefault(path, CheckedFile(path)), name

    (encoder_file, encoder), (decoder_file, decoder) = tensor("enc.weight"), tensor("dec.weight")
    features, width = encoder_file.sizes(encoder, "features", "d_model")
    bias_file, bias = tensor("enc.bias")
    decoder_bias = torch.zeros(width, dtype=torch.float32, device=device)
    if "dec.bias" in found:
        own_file, own = tensor("dec.bias")
        decoder_bias = own_file.values(own, (width,), device)
    return LayerParts(
        encoder=encoder_file.stored(encoder, (features, width)),
        encoder_bias=bias_file.values(bias, (features,), device),
        decoder=decoder_file.stored(decoder, (width, features), transposed=True),
        decoder_bias=decoder_bias,
        activation=ReLU(),
        encoder_origin=encoder_file.origin(encoder),
        decoder_origin=decoder_file.origin(decoder),
        files=tuple(dict.fromkeys((encoder_file.path, bias_file.path, decoder_file.path))),
    )


def _check_settings(path: Path, layer: LayerParts, has_bias: bool) -> None:
    """Raise LoadError where the model's settings contradict the tensors."""
    if not path.exists():
        return
    settings = read_json(path)
    refuse_other_numbers(path, settings, {"transcoder_n_features": len(layer.encoder)}, layer.files[0])
    if settings.get("transcoder_dec_bias") not in (None, has_bias):
        there = "is there" if has_bias else "is missing"
        raise LoadError(
            f"{path}: transcoder_dec_bias is {settings['transcoder_dec_bias']!r}, but such a tensor {there}."
        )
