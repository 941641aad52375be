"""dictionary_learning: a folder a dictionary, `ae.pt` beside `config.json`. `ae.pt` is read as tensors only.

A dictionary is a transcoder if it was trained on inputs and outputs of an MLP at once: its buffer has `io: in_and_out`. The
classes differ in their activation function, and in the name of the decoder's bias: `bias` (AutoEncoder) and `b_dec`
(AutoEncoderTopK, BatchTopKSAE) are subtracted from what features read, as is `decoder_bias`; `decoder.bias` (AutoEncoderNew)
and that of JumpReluAutoEncoder are not. BatchTopKSAE has one threshold for all features once it is trained.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.activation import Activation, JumpReLU, ReLU, TopK
from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats.checked_file import CheckedFile
from circuit_widget.transcoder.formats.layer_files import at_layers, one_each
from circuit_widget.transcoder.formats.layer_parts import LayerParts, make_layers, times
from circuit_widget.transcoder.formats.settings import (
    Keys,
    nested,
    read_json,
    refuse_other_numbers,
    whole_number,
    words,
)
from circuit_widget.transcoder.per_layer import PerLayerTranscoder, PerLayerTranscoders

WEIGHTS_FILE = r"(?:.*/)?ae\.pt"
TRANSCODER = ("in_and_out", "in_to_out")
"""Values of `io` with which a dictionary was trained to compute outputs from inputs."""


@dataclass(frozen=True)
class DictionaryClass:
    """The tensors of one class of dictionaries, by their parts, and whether features read x minus the decoder's bias."""

    decoder_bias: str
    encoder: str = "encoder.weight"
    encoder_bias: str = "encoder.bias"
    decoder: str = "decoder.weight"
    subtracts: bool = True
    more: tuple[str, ...] = ()

    @property
    def stored_by_feature(self) -> bool:
        """Whether encoders are (features, d_model) and decoders (d_model, features), as in linear modules."""
        return self.encoder == "encoder.weight"

    @property
    def names(self) -> tuple[str, ...]:
        """All tensors that a file may have."""
        return (self.encoder, self.encoder_bias, self.decoder, self.decoder_bias, *self.more)


CLASSES = {
    "AutoEncoder": DictionaryClass("bias"),
    "AutoEncoderNew": DictionaryClass("decoder.bias", subtracts=False),
    "AutoEncoderTopK": DictionaryClass("b_dec", more=("k", "threshold")),
    "BatchTopKSAE": DictionaryClass("b_dec", more=("k", "threshold")),
    "JumpReluAutoEncoder": DictionaryClass("b_dec", "W_enc", "b_enc", "W_dec", subtracts=False, more=("threshold",)),
}
"""The classes of dictionaries, by `dict_class`. Others are gated, or in groups of growing size."""

WITHOUT_SETTINGS = {
    "AutoEncoder": "bias",
    "AutoEncoderNew": "decoder.bias",
    "JumpReluAutoEncoder": "W_enc",
}
"""Classes that are recognised without settings, by a tensor that no other class has."""

UNNAMED = DictionaryClass("decoder_bias")
"""A plain dictionary whose decoder bias has the name that gated ones give it."""

FILE_KEYS = Keys(used=words("trainer buffer"))
TRAINER_KEYS = Keys(
    used=words("dict_class activation_dim dict_size k layer submodule_name"),
    without_effect=words(
        "trainer_class lr l1_penalty warmup_steps resample_steps sparsity_warmup_steps steps decay_start lm_name wandb_name "
        "auxk_alpha threshold_beta threshold_start_step bandwidth sparsity_penalty target_l0 norm_factor top_k_aux "
        "initial_sparsity_penalty p_start p_end lp_norm n_sparsity_updates sparsity_function"
    ),
)
BUFFER_KEYS = Keys(
    used=words("io d_submodule"),
    without_effect=words(
        "n_ctxs ctx_len refresh_batch_size out_batch_size max_activation_norm_multiple add_special_tokens"
    ),
)
"""The keys of a config.json, those of its trainer and those of its buffer of activations."""

NUMBERED = re.compile(r"(?:layer|mlp|layers|h)[._]?(\d+)(?!\d)", re.IGNORECASE)
"""The number of a layer in the name of a folder or of a module."""


def is_dictionary_learning(folder: Folder) -> bool:
    """Return whether a folder has this layout."""
    return bool(folder.matching(WEIGHTS_FILE))


def read_dictionary_learning(folder: Folder, loading: Loading) -> PerLayerTranscoders:
    """Read the per-layer transcoders of a folder whose subfolders are dictionaries.

    Raises:
        LoadError: names the file, the tensor or setting, what was found and what was expected; a dictionary that is not known
            to compute an MLP's output from its input, unless the sites were given.
    """
    stated = [_read_settings(path, folder, loading) for _, path in folder.matching(WEIGHTS_FILE)]
    found = one_each([(one.layer, one.weights) for one in stated], folder.root)
    numbers = sorted(found)
    by_path = {one.weights: one for one in stated}
    parts = [by_path[found[number]].parts(loading.device_of(number)) for number in numbers]
    layers = make_layers(PerLayerTranscoder, parts, loading.only(numbers))
    sites = loading.sites.or_default("mlp_input", "mlp_output")
    return PerLayerTranscoders(folder.name, at_layers(numbers, layers, loading), *sites)


@dataclass(frozen=True)
class _StatedDictionary:
    """One dictionary: its file, its settings, their file, and the layer."""

    weights: Path
    path: Path
    trainer: Mapping[str, object]
    layer: int

    def parts(self, device: torch.device) -> LayerParts:
        """Return the parts of the layer."""
        file = CheckedFile(self.weights)
        name, kind = self._class(file)
        file.refuse_unknown(kind.names)
        features, width = file.sizes(kind.encoder, "features", "d_model")[:: 1 if kind.stored_by_feature else -1]
        refuse_other_numbers(self.path, self.trainer, {"activation_dim": width, "dict_size": features}, self.weights)
        encoder = file.stored(
            kind.encoder,
            (features, width) if kind.stored_by_feature else (width, features),
            transposed=not kind.stored_by_feature,
        )
        bias = file.values(kind.encoder_bias, (features,), device)
        decoder_bias = file.values(kind.decoder_bias, (width,), device)
        return LayerParts(
            encoder=encoder,
            encoder_bias=bias - times(encoder, decoder_bias) if kind.subtracts else bias,
            decoder=file.stored(
                kind.decoder,
                (width, features) if kind.stored_by_feature else (features, width),
                transposed=kind.stored_by_feature,
            ),
            decoder_bias=decoder_bias,
            activation=self._activation(file, name, features, device),
            encoder_origin=file.origin(kind.encoder),
            decoder_origin=file.origin(kind.decoder),
            files=(self.weights,),
        )

    def _class(self, file: CheckedFile) -> tuple[str, DictionaryClass]:
        """Return the class of the dictionary, by its settings, or its tensors where there are none."""
        stated = self.trainer.get("dict_class")
        if stated is None:
            stated = next((one for one, tensor in WITHOUT_SETTINGS.items() if tensor in file.names), None)
            if stated is None and UNNAMED.decoder_bias in file.names and UNNAMED.encoder_bias in file.names:
                return "AutoEncoder", UNNAMED
            if stated is None:
                raise LoadError(
                    f"{self.path}: dict_class is missing, and the tensors in {self.weights.name} belong to several classes with "
                    "different activation functions."
                )
        if stated not in CLASSES:
            raise LoadError(f"{self.path}: dict_class is {stated!r}, expected one of {', '.join(CLASSES)}.")
        return str(stated), CLASSES[str(stated)]

    def _activation(self, file: CheckedFile, name: str, features: int, device: torch.device) -> Activation:
        if name == "AutoEncoderTopK":
            k = whole_number(self.path, self.trainer, "k")
            if "k" in file.names:
                refuse_other_numbers(self.path, self.trainer, {"k": file.whole_number("k")}, self.weights)
            return TopK(k, rectified=True)
        if name == "BatchTopKSAE":
            threshold = file.values("threshold", (), device).clamp(min=0)
            return JumpReLU(threshold.expand(features).contiguous())
        if name == "JumpReluAutoEncoder":
            return JumpReLU(file.values("threshold", (features,), device).clamp(min=0))
        return ReLU()


def _read_settings(weights: Path, folder: Folder, loading: Loading) -> _StatedDictionary:
    path = weights.parent / "config.json"
    chosen = loading.sites.input_site is not None and loading.sites.output_site is not None
    settings = read_json(path) if path.exists() else {}
    FILE_KEYS.check(path, settings)
    trainer = nested(path, settings, "trainer", TRAINER_KEYS)
    buffer = nested(path, settings, "buffer", BUFFER_KEYS)
    submodule = trainer.get("submodule_name")
    if not chosen and buffer.get("io") not in TRANSCODER:
        found = f"buffer.io is {buffer.get('io')!r}" if path.exists() else "the file is missing"
        raise LoadError(
            f"{path}: {found}, expected {TRANSCODER[0]!r}. As it is, {weights.name} contains a sparse autoencoder, which "
            "reconstructs its input and cannot replace an MLP. If it was trained to compute the MLP's output from its input, "
            "pass input_site= and output_site= to load()."
        )
    if not chosen and "mlp" not in str(submodule).lower():
        raise LoadError(
            f"{path}: trainer.submodule_name is {submodule!r}, expected the name of an MLP. If the dictionary computes the "
            "output of an MLP from its input, pass input_site= and output_site= to load()."
        )
    return _StatedDictionary(weights, path, trainer, _layer(weights, path, trainer, folder))


def _layer(weights: Path, path: Path, trainer: Mapping[str, object], folder: Folder) -> int:
    """Return the layer in the settings, or else in the names of module or folders."""
    stated = trainer.get("layer")
    if isinstance(stated, int) and not isinstance(stated, bool) and stated >= 0:
        return stated
    names = [str(trainer.get("submodule_name")), *reversed(weights.parent.relative_to(folder.root.parent).parts)]
    found = next((match for name in names if (match := NUMBERED.search(name)) is not None), None)
    if found is None:
        raise LoadError(
            f"{path}: trainer.layer is {stated!r}, expected the number of a layer, as in layer_0 of a folder."
        )
    return int(found[1])
