"""sparsify: one folder for each hookpoint, named like it, `cfg.json` beside `sae.safetensors`.

The name is that of the module, `layers.0.mlp` or, in other sets, `model.layers.0.mlp`.

The k largest pre-activations are kept, after a ReLU. Features read the MLP's input and write its output.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.activation import TopK
from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats.layer_files import (
    LayerFile,
    Table,
    at_layers,
    one_each,
    one_file,
    read_per_layer,
)
from circuit_widget.transcoder.formats.settings import Fixed, Keys, read_json, refuse_other_numbers, whole_number
from circuit_widget.transcoder.hook_names import BLOCK
from circuit_widget.transcoder.per_layer import PerLayerTranscoders

TABLE = Table(
    encoder="encoder.weight", decoder="W_dec", encoder_bias="encoder.bias", decoder_bias="b_dec", skip="W_skip"
)
KEYS = Keys(
    used=frozenset(
        {"activation", "k", "d_in", "d_out", "num_latents", "expansion_factor", "transcode", "skip_connection"}
    ),
    # Settings of training, which sparsify does not use when it computes.
    without_effect=frozenset(
        {"normalize_decoder", "multi_topk", "dead_feature_threshold", "auxk_alpha", "k_decay_steps"}
    ),
    fixed={"signed": Fixed((None, False), "keeps the pre-activations of largest absolute value")},
)
"""The keys of a cfg.json."""

WEIGHTS_FILE = r"(?:.*/)?([^/]+)/sae\.safetensors"


def is_sparsify(folder: Folder) -> bool:
    """Return whether a folder has this layout."""
    return bool(folder.matching(WEIGHTS_FILE))


def read_sparsify(folder: Folder, loading: Loading) -> PerLayerTranscoders:
    """Read the per-layer transcoders of a folder whose subfolders are hookpoints.

    Raises:
        LoadError: names the file, the tensor or setting, what was found and what was expected.
    """
    found = one_each([(_layer(match[1], path), path) for match, path in folder.matching(WEIGHTS_FILE)], folder.root)
    numbers = sorted(found)
    layers = [one_file(found[number], TABLE) for number in numbers]
    read = read_per_layer(layers, loading.only(numbers), _activation)
    sites = loading.sites.or_default("mlp_input", "mlp_output")
    return PerLayerTranscoders(folder.name, at_layers(numbers, read, loading), *sites)


def _layer(hookpoint: str, path: Path) -> int:
    match = BLOCK.fullmatch(hookpoint)
    if match is None or match["inside"] != "mlp" or not match["layer"].isdigit():
        raise LoadError(
            f"{path.parent}: the hookpoint is {hookpoint!r}, expected the MLP of a layer, as in layers.0.mlp. Autoencoders of "
            "the residual stream or of attention reconstruct their input and cannot replace MLPs."
        )
    return int(match["layer"])


def _activation(layer: LayerFile, device: torch.device) -> TopK:  # noqa: ARG001
    """Return the activation function, after checking the settings beside a layer's file."""
    path = layer.file.path.parent / "cfg.json"
    settings: Mapping[str, object] = read_json(path)
    KEYS.check(path, settings)
    if settings.get("activation", "topk") != "topk":
        raise LoadError(f"{path}: activation is {settings['activation']!r}; only 'topk' can be read.")
    has_skip = "W_skip" in layer.file.names
    if settings.get("transcode", has_skip) is not True:
        raise LoadError(
            f"{path}: transcode is {settings.get('transcode')!r}, expected true. The file contains a sparse autoencoder, "
            "which reconstructs its input and cannot replace an MLP."
        )
    if settings.get("skip_connection", has_skip) is not has_skip:
        there = "is there" if has_skip else "is missing"
        raise LoadError(
            f"{path}: skip_connection is {settings['skip_connection']!r}, but {layer.file.origin('W_skip')} {there}."
        )
    features, width = layer.features_and_width()
    refuse_other_numbers(path, settings, {"d_in": width, "d_out": width}, layer.file.path)
    if settings.get("num_latents"):
        refuse_other_numbers(path, settings, {"num_latents": features}, layer.file.path)
    elif settings.get("expansion_factor") is not None and settings["expansion_factor"] * width != features:  # type: ignore[operator]
        raise LoadError(
            f"{path}: expansion_factor is {settings['expansion_factor']!r}, but {layer.file.path} has {features} features "
            f"of width {width}. One of the two belongs to other transcoders."
        )
    return TopK(whole_number(path, settings, "k"), rectified=True)
