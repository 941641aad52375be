"""decode-clt: one safetensors file with all layers, beside a `cfg.json`.

`encoder_module.encoders.{i}.weight` (features, d_model) and `.bias_param`; `decoder_module.decoders.{s}->{t}.weight` (d_model,
features) and `.bias_param` for each pair of a layer that is read and one that is written. Tied decoders have one matrix for
each layer read (`per_source`) or written (`per_target`). What is written to a layer contains the bias of every decoder used
for it. `theta_manager.log_threshold` (layers, features) are logarithms of thresholds; a feature at its threshold is active.

With `mean_std`, features read `(x - mean) / std`, and the same is undone in what they write; the values are in
`norm_stats.json`, beside the file or one folder up. With `sqrt_d_model`, both are multiplied by the root of d_model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.activation import Activation, JumpReLU, ReLU, TopK
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoder, CrossLayerTranscoders
from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats.checked_file import CheckedFile
from circuit_widget.transcoder.formats.layer_parts import LayerParts, make_layers, times
from circuit_widget.transcoder.formats.settings import Fixed, Keys, one_of, read_json, refuse_other_numbers, words
from circuit_widget.transcoder.formats.tensor_names import files_with, has_tensor
from circuit_widget.transcoder.hook_names import HookSites

SIGN = r"encoder_module\.encoders\.\d+\.weight"
"""Name of a tensor that no other layout has."""

LEAST_STD = 1e-6
"""What that package adds to each standard deviation."""

KEYS = Keys(
    used=words(
        "num_features num_layers d_model normalization_method activation_fn topk_k topk_mode decoder_tying skip_connection "
        "mlp_input_template mlp_output_template tl_input_template tl_output_template sqrt_d_model_normalize"
    ),
    without_effect=words(
        "jumprelu_threshold batchtopk_k batchtopk_straight_through topk_straight_through clt_dtype expected_input_dtype"
    ),
    fixed={
        "enable_feature_offset": Fixed((None, False), "adds an offset to active features for each layer they write to"),
        "enable_feature_scale": Fixed((None, False), "scales features for each layer they write to"),
    },
)
"""The keys of a cfg.json."""

OLD_METHODS = {
    "auto": "mean_std",
    "estimated_mean_std": "mean_std",
    "auto_sqrt_d_model": "sqrt_d_model",
    "estimated_mean_std_sqrt_d_model": "sqrt_d_model",
}
"""Earlier names of ways to normalise, and the present ones."""

OVER_LAYERS = (
    "Its k largest are chosen among the features of all layers, ranked by values relative to the batch, which a prompt alone "
    "does not have. That package's conversion to jumprelu makes thresholds of them."
)


def is_decode_clt(folder: Folder) -> bool:
    """Return whether a folder has this layout."""
    return has_tensor(folder, SIGN)


def read_decode_clt(folder: Folder, loading: Loading) -> CrossLayerTranscoders:
    """Read the cross-layer transcoders of a folder.

    Raises:
        LoadError: names the file, the tensor or setting, what was found and what was expected.
    """
    found = files_with(folder, SIGN)
    if len(found) > 1:
        raise LoadError(f"{folder}: found {found[0].name} and {found[1].name}, expected one file with all layers.")
    file = CheckedFile(found[0])
    path = file.path.parent / "cfg.json"
    settings = read_json(path)
    KEYS.check(path, settings)
    n_layers = sum(name.endswith(".weight") and name.startswith("encoder_module.") for name in file.names)
    n_features, d_model = file.sizes("encoder_module.encoders.0.weight", "features", "d_model")
    sizes = {"num_features": n_features, "num_layers": n_layers, "d_model": d_model}
    refuse_other_numbers(path, settings, sizes, file.path)
    sites = _sites(path, settings, loading.sites)
    norms = _normalisation(path, settings, n_layers, d_model)
    tying = str(one_of(path, settings, "decoder_tying", ("none", "per_source", "per_target", None)) or "none")
    reader = _DecodeFile(file, path, settings, norms, tying, n_layers, n_features, d_model)
    reader.check()
    parts = [reader.layer(layer, loading.device_of(layer)) for layer in range(n_layers)]
    return CrossLayerTranscoders(folder.name, make_layers(CrossLayerTranscoder, parts, loading), *sites)


def _sites(path: Path, settings: Mapping[str, object], sites: HookSites) -> tuple[str, str]:
    """Return the sites that the templates of module paths, or else of TransformerLens's hooks, name."""
    read, written = (
        next(
            (key for key in (f"mlp_{side}_template", f"tl_{side}_template") if settings.get(key)),
            f"mlp_{side}_template",
        )
        for side in ("input", "output")
    )
    return (
        sites.read(settings.get(read), path=path, key=read),
        sites.written(settings.get(written), path=path, key=written),
    )


@dataclass(frozen=True)
class _LayerNorms:
    """Mean and scale of what a layer's features read, and of what is written to it: normalised is (x - mean) / scale."""

    read_mean: Float[Tensor, " d_model"]
    read_scale: Float[Tensor, " d_model"]
    written_mean: Float[Tensor, " d_model"]
    written_scale: Float[Tensor, " d_model"]


def _normalisation(
    path: Path, settings: Mapping[str, object], n_layers: int, d_model: int
) -> tuple[_LayerNorms, ...] | None:
    """Return how each layer is normalised, on the CPU; None where nothing is.

    Raises:
        LoadError: the method is not known, or its values are missing.
    """
    stated = settings.get("normalization_method", "none")
    method = OLD_METHODS.get(str(stated), stated)
    if settings.get("sqrt_d_model_normalize") is True:
        method = "sqrt_d_model"
    if method == "none":
        return None
    if method == "sqrt_d_model":
        zero = torch.zeros(d_model, dtype=torch.float32, device="cpu")
        scale = torch.full_like(zero, 1 / math.sqrt(d_model))
        return (_LayerNorms(zero, scale, zero, scale),) * n_layers
    if method != "mean_std":
        raise LoadError(f"{path}: normalization_method is {stated!r}, expected one of none, mean_std, sqrt_d_model.")
    places = (path.parent / "norm_stats.json", path.parent.parent / "norm_stats.json")
    stats = next((place for place in places if place.exists()), None)
    if stats is None:
        raise LoadError(
            f"{path}: normalization_method is {stated!r}, and {places[0]} is missing, the file with the means and standard "
            "deviations by which features read and write. It is made with the activations of training; copy it there."
        )
    found = read_json(stats)
    return tuple(_layer_norms(stats, found, layer, d_model) for layer in range(n_layers))


def _layer_norms(path: Path, stats: Mapping[str, Any], layer: int, d_model: int) -> _LayerNorms:
    def values(side: str, name: str) -> Float[Tensor, " d_model"]:
        try:
            found = torch.tensor(stats[str(layer)][side][name], dtype=torch.float32, device="cpu")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise LoadError(f"{path}: {layer}.{side}.{name} is missing, or no list of numbers.") from error
        if found.shape != (d_model,) or not bool(found.isfinite().all()):
            raise LoadError(
                f"{path}: {layer}.{side}.{name} has shape {tuple(found.shape)}, expected {d_model} finite numbers."
            )
        return found

    stds = [values(side, "std") + LEAST_STD for side in ("inputs", "targets")]
    if not all(bool((std > 0).all()) for std in stds):
        raise LoadError(f"{path}: a standard deviation of layer {layer} is not above zero.")
    return _LayerNorms(values("inputs", "mean"), stds[0], values("targets", "mean"), stds[1])


@dataclass(frozen=True)
class _DecodeFile:
    """Reads the layers of one file."""

    file: CheckedFile
    path: Path
    settings: Mapping[str, object]
    norms: tuple[_LayerNorms, ...] | None
    tying: str
    n_layers: int
    n_features: int
    d_model: int

    @property
    def has_skip(self) -> bool:
        """Whether each layer has a linear skip connection."""
        return self.settings.get("skip_connection") is True

    def check(self) -> None:
        """Check that the file has the tensors that its settings name, and no others.

        Raises:
            LoadError: it has not, or the skip connections lead from layer to layer.
        """
        if self.has_skip and self.tying == "none":
            raise LoadError(
                f"{self.path}: skip_connection is true with decoder_tying none: linear connections from every layer to all "
                "above it. This package has skip connections within a layer only; use a set with tied decoders."
            )
        layers = range(self.n_layers)
        decoders = {self._decoder(source, target) for target in layers for source in range(target + 1)}
        self.file.refuse_unknown(
            [f"encoder_module.encoders.{layer}.{name}" for layer in layers for name in ("weight", "bias_param")]
            + [f"{decoder}.{name}" for decoder in sorted(decoders) for name in ("weight", "bias_param")]
            + ["theta_manager.log_threshold"]
            + ([f"decoder_module.skip_weights.{layer}" for layer in layers] if self.has_skip else [])
        )

    def layer(self, layer: int, device: torch.device) -> LayerParts:
        """Return the parts of one layer."""
        prefix = f"encoder_module.encoders.{layer}"
        encoder = self.file.stored(f"{prefix}.weight", (self.n_features, self.d_model))
        bias = self.file.values(f"{prefix}.bias_param", (self.n_features,), device)
        skip = None
        if self.has_skip:
            skip = self.file.values(f"decoder_module.skip_weights.{layer}", (self.d_model, self.d_model), device)
        decoder_bias = self._decoder_bias(layer, device)
        targets = range(layer, self.n_layers)
        scale_in = scale_out = None
        if self.norms is not None:
            norms = self.norms[layer]
            scale_in, mean = 1 / norms.read_scale.to(device), norms.read_mean.to(device)
            bias = bias - times(encoder, mean * scale_in)
            written_scale = norms.written_scale.to(device)
            if skip is not None:
                skip = skip * scale_in * written_scale[:, None]
                decoder_bias = decoder_bias - (skip @ mean) / written_scale
            decoder_bias = decoder_bias * written_scale + norms.written_mean.to(device)
            scale_out = torch.stack([self.norms[target].written_scale.to(device) for target in targets])
        shape = (self.d_model, self.n_features)
        return LayerParts(
            encoder=encoder,
            encoder_bias=bias,
            decoder=tuple(
                self.file.stored(f"{self._decoder(layer, target)}.weight", shape, transposed=True) for target in targets
            ),
            decoder_bias=decoder_bias,
            activation=self._activation(layer, device),
            encoder_origin=self.file.origin(f"{prefix}.weight"),
            decoder_origin=self.file.origin(f"{self._decoder(layer, layer)}.weight"),
            files=(self.file.path,),
            skip=skip,
            input_scale=scale_in,
            output_scale=scale_out,
        )

    def _decoder(self, source: int, target: int) -> str:
        """Return the name of the decoder with which the features of one layer write another."""
        number = {"none": f"{source}->{target}", "per_source": str(source), "per_target": str(target)}[self.tying]
        return f"decoder_module.decoders.{number}"

    def _decoder_bias(self, layer: int, device: torch.device) -> Float[Tensor, " d_model"]:
        """Return the sum of the biases of the decoders that write a layer."""
        used = {self._decoder(source, layer): None for source in range(layer + 1)}
        biases = [self.file.values(f"{name}.bias_param", (self.d_model,), device) for name in used]
        return torch.stack(biases).sum(0)

    def _activation(self, layer: int, device: torch.device) -> Activation:
        kind = one_of(self.path, self.settings, "activation_fn", ("jumprelu", "relu", "topk"), OVER_LAYERS)
        if kind == "relu":
            return ReLU()
        if kind == "topk":
            one_of(self.path, self.settings, "topk_mode", ("per_layer",), OVER_LAYERS)
            return TopK(self._k())
        logarithms = self.file.values("theta_manager.log_threshold", (self.n_layers, self.n_features), device)[layer]
        # A feature at its threshold is active there; here one above it is.
        below = torch.nextafter(logarithms.exp(), torch.zeros_like(logarithms))
        return JumpReLU(below)

    def _k(self) -> int:
        """Return k, which below 1 is a share of the features."""
        k = self.settings.get("topk_k")
        if isinstance(k, bool) or not isinstance(k, int | float) or not k > 0:
            raise LoadError(f"{self.path}: topk_k is {k!r}, expected a number above zero.")
        return math.ceil(k * self.n_features) if k < 1 else int(k)
