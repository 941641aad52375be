"""The package crosslayer-transcoder: `checkpoint.safetensors` with all layers, beside a `config.yaml`.

`encoder.W` (layers, d_model, features) and `encoder.b`; `decoder.W_{t}` (layers up to t, features, d_model), or `decoder.W`
(layers, features, d_model) of a per-layer set, and `decoder.b` (layers, d_model). Unless they are folded into these,
`input_standardizer` and `output_standardizer` have a `mean` and a `std` for each layer, or each dimension of each layer:
features read `(x - mean) / std`, and what they write is multiplied by `std` before `mean` is added.

Features read the residual stream before the MLP's norm, and write the MLP's output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.errors import LoadError
from circuit_widget.system.warning import warn
from circuit_widget.transcoder.activation import Activation, JumpReLU, ReLU, TopK
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoder, CrossLayerTranscoders
from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats.checked_file import CheckedFile
from circuit_widget.transcoder.formats.layer_parts import LayerParts, make_layers, times
from circuit_widget.transcoder.formats.settings import (
    Keys,
    nested,
    read_yaml,
    refuse_other_numbers,
    whole_number,
    words,
)
from circuit_widget.transcoder.formats.tensor_names import files_with, has_tensor
from circuit_widget.transcoder.per_layer import PerLayerTranscoder, PerLayerTranscoders

SIGN = r"encoder\.W"
"""Name of a tensor that no other layout has."""

DEFAULT_SITES = ("residual_mid", "mlp_output")

FILE_KEYS = Keys(used=frozenset({"model"}))
MODEL_KEYS = Keys(used=words("class_path init_args is_folded"))
PARTS = words("nonlinearity encoder decoder input_standardizer output_standardizer")
PART_KEYS = Keys(used=words("class_path init_args"))
ARGUMENT_KEYS = Keys(
    used=words("d_acts d_features n_layers activation_dim k"),
    # Starting values and settings of training; `theta` is the value that the thresholds began with.
    without_effect=words("theta bandwidth e n_exclude"),
)
"""The keys of a config.yaml, from the outside in."""

BY_DIMENSION = ("Dimensionwise", "Layerwise")
"""Kinds of standardisers whose mean and std do not depend on what is read."""

THRESHOLDS = {
    "JumpReLU": "nonlinearity.theta",
    "BatchTopK": "nonlinearity.threshold",
    "PerLayerBatchTopK": "nonlinearity.threshold",
}
"""The tensors with thresholds, by the class of the activation function."""


def is_crosslayer_transcoder(folder: Folder) -> bool:
    """Return whether a folder has this layout."""
    return has_tensor(folder, SIGN)


def read_crosslayer_transcoder(folder: Folder, loading: Loading) -> CrossLayerTranscoders | PerLayerTranscoders:
    """Read the transcoders of a folder, cross-layer or per-layer by the names of their decoders.

    Raises:
        LoadError: names the file, the tensor or setting, what was found and what was expected.
    """
    found = files_with(folder, SIGN)
    if len(found) > 1:
        raise LoadError(f"{folder}: found {found[0].name} and {found[1].name}, expected one file with all layers.")
    file = CheckedFile(found[0])
    stated = _read_settings(found[0].parent / "config.yaml", file)
    reader = _CrosslayerFile(file, stated, *file.sizes("encoder.W", "layers", "d_model", "features"))
    reader.check()
    sites = loading.sites.or_default(*DEFAULT_SITES)
    if "decoder.W" in file.names:
        parts = [reader.layer(number, loading, cross_layer=False) for number in range(reader.n_layers)]
        return PerLayerTranscoders(folder.name, make_layers(PerLayerTranscoder, parts, loading), *sites)
    parts = [reader.layer(number, loading, cross_layer=True) for number in range(reader.n_layers)]
    return CrossLayerTranscoders(folder.name, make_layers(CrossLayerTranscoder, parts, loading), *sites)


@dataclass(frozen=True)
class _CrosslayerSettings:
    """The settings: the class of each part, without its module, and k; empty and None where there is no config.yaml."""

    path: Path
    classes: Mapping[str, str]
    arguments: Mapping[str, Mapping[str, object]]
    folded: bool | None


def _read_settings(path: Path, file: CheckedFile) -> _CrosslayerSettings:
    if not path.exists():
        if "nonlinearity.theta" not in file.names:
            raise LoadError(
                f"{path}: the file is missing; it names the activation function, which {file.path.name} does not tell."
            )
        warn(f"{path}: the file is missing. The thresholds in {file.path.name} are read as those of JumpReLU.")
        return _CrosslayerSettings(path, {"nonlinearity": "JumpReLU"}, {}, None)
    settings = read_yaml(path)
    FILE_KEYS.check(path, settings)
    model = nested(path, settings, "model", MODEL_KEYS)
    named = _class_of(path, model, "model")
    if named != "CrossLayerTranscoder":
        raise LoadError(f"{path}: model.class_path ends in {named!r}, expected 'CrossLayerTranscoder'.")
    folded = model.get("is_folded")
    if folded not in (None, True, False):
        raise LoadError(f"{path}: model.is_folded is {folded!r}, expected true or false.")
    within = "model.init_args"
    parts = nested(path, model, "init_args", Keys(used=PARTS), "model")
    classes, arguments = {}, {}
    for part in parts:
        found = nested(path, parts, part, PART_KEYS, within)
        if found:
            classes[part] = _class_of(path, found, f"{within}.{part}")
            arguments[part] = nested(path, found, "init_args", ARGUMENT_KEYS, f"{within}.{part}")
    return _CrosslayerSettings(path, classes, arguments, folded)


def _class_of(path: Path, settings: Mapping[str, object], where: str) -> str:
    found = settings.get("class_path")
    if not isinstance(found, str):
        raise LoadError(f"{path}: {where}.class_path is {found!r}, expected the name of a class.")
    return found.rpartition(".")[2]


@dataclass(frozen=True)
class _CrosslayerFile:
    """Reads the layers of one file."""

    file: CheckedFile
    stated: _CrosslayerSettings
    n_layers: int
    d_model: int
    n_features: int

    def check(self) -> None:
        """Check that the file has the tensors that its settings name, and no others.

        Raises:
            LoadError: it has not.
        """
        decoders = [f"decoder.W_{layer}" for layer in range(self.n_layers)]
        standardizers = [f"{part}.{name}" for part in PARTS if "standardizer" in part for name in ("mean", "std")]
        self.file.refuse_unknown(
            ["encoder.W", "encoder.b", "decoder.b", *sorted(set(THRESHOLDS.values())), "nonlinearity.bandwidth"]
            + (["decoder.W"] if "decoder.W" in self.file.names else decoders)
            + standardizers
        )
        sizes = {"n_layers": self.n_layers, "d_acts": self.d_model, "activation_dim": self.d_model}
        for arguments in self.stated.arguments.values():
            refuse_other_numbers(self.stated.path, arguments, {**sizes, "d_features": self.n_features}, self.file.path)
        for part in ("input_standardizer", "output_standardizer"):
            self._check_standardizer(part)

    def _check_standardizer(self, part: str) -> None:
        stored, path = f"{part}.std" in self.file.names, self.stated.path
        kind = self.stated.classes.get(part, "Standardizer")
        if not stored and kind not in ("Standardizer",) and self.stated.folded is not True:
            reason = (
                "its mean and std are missing"
                if kind.startswith(BY_DIMENSION)
                else "it scales every token by the token's own values, so features would not read a direction"
            )
            raise LoadError(f"{path}: the {part} is a {kind}: {reason}. Fold it first, with save_pretrained() there.")
        if stored and self.stated.folded is True:
            raise LoadError(
                f"{path}: is_folded is true, but {self.file.origin(f'{part}.std')} was found. One of the two is wrong."
            )

    def layer(self, layer: int, loading: Loading, *, cross_layer: bool) -> LayerParts:
        """Return the parts of one layer."""
        device = loading.device_of(layer)
        whole = self.file.stored("encoder.W", (self.n_layers, self.d_model, self.n_features))
        encoder = whole[layer].T
        bias = self.file.values("encoder.b", (self.n_layers, self.n_features), device)[layer]
        read = self._standardizer("input_standardizer", layer, device)
        scale = None
        if read is not None:
            mean, std = read
            scale = 1 / std
            bias = bias - times(encoder, mean * scale)
        targets = range(layer, self.n_layers if cross_layer else layer + 1)
        written = [self._standardizer("output_standardizer", target, device) for target in targets]
        decoder_bias = self.file.values("decoder.b", (self.n_layers, self.d_model), device)[layer]
        if written[0] is not None:
            decoder_bias = decoder_bias * written[0][1] + written[0][0]
        scales = [one[1] for one in written if one is not None]
        decoders = tuple(self._decoder(layer, target, cross_layer) for target in targets)
        return LayerParts(
            encoder=encoder,
            encoder_bias=bias,
            decoder=decoders if cross_layer else decoders[0],
            decoder_bias=decoder_bias,
            activation=self._activation(layer, device),
            encoder_origin=self.file.origin("encoder.W"),
            decoder_origin=self.file.origin(f"decoder.W_{layer}" if cross_layer else "decoder.W"),
            files=(self.file.path,),
            input_scale=scale,
            output_scale=None if not scales else torch.stack(scales) if cross_layer else scales[0],
        )

    def _decoder(self, layer: int, target: int, cross_layer: bool) -> Float[Tensor, "features d_model"]:
        name = f"decoder.W_{target}" if cross_layer else "decoder.W"
        sources = target + 1 if cross_layer else self.n_layers
        return self.file.stored(name, (sources, self.n_features, self.d_model))[layer]

    def _standardizer(
        self, part: str, layer: int, device: torch.device
    ) -> tuple[Float[Tensor, " d_model"], Float[Tensor, " d_model"]] | None:
        """Return mean and std of a layer, None where they are folded."""
        if f"{part}.std" not in self.file.names:
            return None
        found = []
        for name in (f"{part}.mean", f"{part}.std"):
            shape = self.file.shape(name)
            wanted = (self.n_layers,) if len(shape) == 1 else (self.n_layers, self.d_model)
            found.append(self.file.values(name, wanted, device)[layer].expand(self.d_model).contiguous())
        if not bool((found[1] > 0).all()):
            raise LoadError(f"{self.file.origin(f'{part}.std')} has values of zero or below, expected above zero.")
        return found[0], found[1]

    def _activation(self, layer: int, device: torch.device) -> Activation:
        """Return the activation function; thresholds below zero count as zero, as they do in that package."""
        kind, path = self.stated.classes.get("nonlinearity", ""), self.stated.path
        if kind == "ReLU":
            return ReLU()
        if kind == "PerLayerTopK":
            return TopK(whole_number(path, self.stated.arguments["nonlinearity"], "k"), rectified=True)
        if kind not in THRESHOLDS:
            raise LoadError(
                f"{path}: the nonlinearity is {kind!r}, expected one of ReLU, PerLayerTopK, {', '.join(THRESHOLDS)}."
            )
        shape = self.file.shape(THRESHOLDS[kind])
        wanted = {
            "JumpReLU": (1, self.n_layers, self.n_features) if len(shape) == 3 else (self.n_layers, self.n_features),
            "BatchTopK": (1,),
            "PerLayerBatchTopK": (self.n_layers,),
        }[kind]
        threshold = self.file.values(THRESHOLDS[kind], wanted, device).clamp(min=0)
        if kind == "JumpReLU":
            return JumpReLU(threshold.view(self.n_layers, self.n_features)[layer])
        return JumpReLU(threshold[0 if kind == "BatchTopK" else layer].expand(self.n_features).contiguous())
