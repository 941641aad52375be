"""Cross-Layer TopK CLT (ByteDance Seed): one TopK over the features of all layers, without biases.

`W_enc_{i}.safetensors` with `W_enc_{i}` (features, d_model); `W_dec_{i}.safetensors` with `W_dec_{i}` (features, layers written,
d_model), slot j writes layer i+j, and `W_dec_norm_{i}` (features); `W_dec_norm.safetensors` with `W_dec_norm` (layers,
features), by which activations are multiplied to rank them; `config.json` with `k`, the number of features kept for each
layer. `factors.safetensors` has the mean norms of what is read and written in training: they are folded into the weights,
and decide here which tokens have no features.

Features read the residual stream before the MLP's norm, and write the MLP's output.
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.errors import LoadError
from circuit_widget.system.warning import warn
from circuit_widget.transcoder.activation import ReLU
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoder
from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats.checked_file import CheckedFile
from circuit_widget.transcoder.formats.layer_files import without_gaps
from circuit_widget.transcoder.formats.layer_parts import LayerParts, make_layers
from circuit_widget.transcoder.formats.settings import Keys, read_json, refuse_other_numbers, whole_number, words
from circuit_widget.transcoder.formats.tensor_names import has_tensor
from circuit_widget.transcoder.joint_top_k import JointTopKTranscoders, MeanNorms

SIGN = r"W_dec_norm(_\d+)?"
"""Names of tensors that no other layout has."""

ENCODER_FILE = r"W_enc_(\d+)\.safetensors"
NORMS_FILE, FACTORS_FILE = "W_dec_norm.safetensors", "factors.safetensors"
DEFAULT_SITES = ("residual_mid", "mlp_output")

FEATURES = words("d_feature d_features n_features d_sae d_transcoder")
WIDTH = words("d_model d_in d_out hidden_size")
N_LAYERS = words("n_layers num_layers num_hidden_layers")
KEYS = Keys(
    used=FEATURES | WIDTH | N_LAYERS | {"k"},
    without_effect=words("base_model_name base_model_id architecture d_mlp intermediate_size vocab_size paper"),
)
"""The keys of a config.json."""

NORM_TOLERANCE = 1e-3
"""Relative difference from which two norms of the same decoder row, in two files, are not the same."""


def is_joint_top_k(folder: Folder) -> bool:
    """Return whether a folder has this layout."""
    return bool(folder.matching(NORMS_FILE.replace(".", r"\."))) or has_tensor(folder, SIGN)


def read_joint_top_k(folder: Folder, loading: Loading) -> JointTopKTranscoders:
    """Read the transcoders of a folder.

    Raises:
        LoadError: names the file, the tensor or setting, what was found and what was expected.
    """
    found = {int(match[1]): path for match, path in folder.matching(ENCODER_FILE)}
    if not found:
        raise LoadError(f"{folder}: no W_enc_0.safetensors, W_enc_1.safetensors, ...; expected one file a layer.")
    paths = without_gaps(found, str(folder.root / "W_enc_{}.safetensors"))
    norms = _norms_of_all(folder.root / NORMS_FILE)
    parts, weights = [], []
    for layer, path in enumerate(paths):
        part, weight = _layer(layer, path, len(paths), norms, loading)
        parts.append(part)
        weights.append(weight)
    settings_path = folder.root / "config.json"
    settings = read_json(settings_path)
    KEYS.check(settings_path, settings)
    features, width = parts[0].encoder.shape
    sizes = {**dict.fromkeys(FEATURES, features), **dict.fromkeys(WIDTH, width), **dict.fromkeys(N_LAYERS, len(paths))}
    refuse_other_numbers(settings_path, settings, sizes, paths[0])
    return JointTopKTranscoders(
        folder.name,
        make_layers(CrossLayerTranscoder, parts, loading),
        *loading.sites.or_default(*DEFAULT_SITES),
        k=whole_number(settings_path, settings, "k") * len(paths),
        weights=tuple(weights),
        mean_norms=_mean_norms(folder.root / FACTORS_FILE, len(paths)),
    )


def _layer(
    layer: int, path: Path, n_layers: int, norms: CheckedFile | None, loading: Loading
) -> tuple[LayerParts, Float[Tensor, " features"]]:
    """Return the parts of one layer, and the norms by which its features are ranked."""
    device, name = loading.device_of(layer), f"W_enc_{layer}"
    encoder_file, decoder_file = CheckedFile(path), CheckedFile(path.with_name(f"W_dec_{layer}.safetensors"))
    encoder_file.refuse_unknown((name,))
    decoder_file.refuse_unknown((f"W_dec_{layer}", f"W_dec_norm_{layer}"))
    features, width = encoder_file.sizes(name, "features", "d_model")
    decoder = decoder_file.stored(f"W_dec_{layer}", (features, n_layers - layer, width))
    part = LayerParts(
        encoder=encoder_file.stored(name, (features, width)),
        encoder_bias=torch.zeros(features, dtype=torch.float32, device=device),
        decoder=tuple(decoder[:, slot] for slot in range(n_layers - layer)),
        decoder_bias=torch.zeros(width, dtype=torch.float32, device=device),
        activation=ReLU(),
        encoder_origin=encoder_file.origin(name),
        decoder_origin=decoder_file.origin(f"W_dec_{layer}"),
        files=(path, decoder_file.path),
    )
    return part, _weights(layer, n_layers, features, norms, decoder_file, device)


def _weights(
    layer: int, n_layers: int, features: int, norms: CheckedFile | None, decoder_file: CheckedFile, device: torch.device
) -> Float[Tensor, " features"]:
    """Return the norms of one layer's features: those of the file for all layers, which must be those of its own file."""
    own = f"W_dec_norm_{layer}"
    if norms is None:
        return decoder_file.values(own, (features,), device)
    found = norms.values("W_dec_norm", (n_layers, features), device)[layer]
    if own in decoder_file.names:
        other = decoder_file.values(own, (features,), device)
        if not torch.allclose(found, other, rtol=NORM_TOLERANCE, atol=0):
            raise LoadError(
                f"{norms.origin('W_dec_norm')} and {decoder_file.origin(own)} differ at layer {layer}. One of the two belongs "
                "to other transcoders."
            )
    if bool((found < 0).any()):
        raise LoadError(f"{norms.origin('W_dec_norm')} has values below zero, expected norms.")
    return found


def _norms_of_all(path: Path) -> CheckedFile | None:
    if not path.exists():
        return None
    file = CheckedFile(path)
    file.refuse_unknown(("W_dec_norm",))
    return file


def _mean_norms(path: Path, n_layers: int) -> MeanNorms | None:
    """Return the mean norms of training; None, with a warning, where their file is missing."""
    if not path.exists():
        warn(
            f"{path}: the file is missing. Tokens whose norm is 20 times the mean have no features; without the means of "
            "training, those of each prompt's own tokens are used."
        )
        return None
    file, names = CheckedFile(path), ("resid_mid_l2", "mlp_out_l2")
    file.refuse_unknown(names)
    found = [file.values(name, (n_layers,), torch.device("cpu")) for name in names]
    return MeanNorms(*found)
