"""Llamascopium (Llama Scope 2, before Language-Model-SAEs): `config.json` beside `sae_weights.safetensors`.

Per-layer transcoders have a folder each, `transcoder/8x/k64/layer0_transcoder_8x_k64`: `W_E` (d_model, features), `b_E`, `W_D`
(features, d_model), `b_D`; with a gate, `W_E_glu` and `b_E_glu` as well, whose sigmoid multiplies pre-activations. A
cross-layer transcoder has one folder: `W_E` (layers, d_model, features), `b_E`, and by layer written `W_D.{t}` (layers up to
t, features, d_model), `b_D.{t}`.

While `norm_activation` is dataset-wise, features read x times f = sqrt(d_model) / norm of its site, and what they write is
divided by f of theirs; the norms are in `dataset_average_activation_norm.{hook}`. Here activations are those of the model's
own scale, as after the tool's own folding: encoder biases and thresholds divided by f of the input, decoders multiplied by it.
TopK keeps, and thresholds compare, pre-activations multiplied by the norm of what the feature writes, unless
`sparsity_include_decoder_norm` is false; nothing below zero is active.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.errors import LoadError
from circuit_widget.transcoder import hook_names
from circuit_widget.transcoder.activation import Activation, JumpReLU, ReLU, TopK, WeightedTopK
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoder, CrossLayerTranscoders
from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats.checked_file import CheckedFile
from circuit_widget.transcoder.formats.layer_files import at_layers, one_each
from circuit_widget.transcoder.formats.layer_parts import LayerParts, make_layers, squared_norms
from circuit_widget.transcoder.formats.settings import (
    Keys,
    one_of,
    read_json,
    refuse_other_numbers,
    whole_number,
    words,
)
from circuit_widget.transcoder.formats.tensor_names import has_tensor
from circuit_widget.transcoder.gate import Gate
from circuit_widget.transcoder.per_layer import PerLayerTranscoder, PerLayerTranscoders

SIGN = r"W_E|W_E_glu|dataset_average_activation_norm\..*"
"""Names of tensors that no other layout has."""

WEIGHTS_FILE = r"(?:.*/)?sae_weights\.safetensors"
NORM = "dataset_average_activation_norm."
LOGARITHMS = "activation_function.log_jumprelu_threshold"

KEYS = Keys(
    used=words(
        "sae_type d_model expansion_factor act_fn norm_activation sparsity_include_decoder_norm top_k hook_point_in "
        "hook_point_out hook_points_in hook_points_out use_decoder_bias use_glu_encoder"
    ),
    without_effect=words(
        "use_triton_kernel sparsity_threshold_for_triton_spmm_kernel jumprelu_threshold_window sae_pretrained_name_or_path "
        "strict_loading init_cross_layer_decoder_all_zero decode_with_csr sparsity_threshold_for_csr dtype"
    ),
)
"""The keys of a config.json."""

OTHER_TYPES = {
    "lorsa": "sparse attention, which stands in for attention heads and not for MLPs",
    "crosscoder": "a crosscoder, which reconstructs what it reads at several layers and cannot replace MLPs",
    "molt": "a mixture of linear maps, whose parts have no single direction to write",
}
"""What is not a transcoder, by `sae_type`."""


def is_llamascopium(folder: Folder) -> bool:
    """Return whether a folder has this layout."""
    return has_tensor(folder, SIGN)


def read_llamascopium(folder: Folder, loading: Loading) -> PerLayerTranscoders | CrossLayerTranscoders:
    """Read the transcoders of a folder, per-layer or cross-layer by their `sae_type`.

    Raises:
        LoadError: names the file, the tensor or setting, what was found and what was expected.
    """
    paths = [path for _, path in folder.matching(WEIGHTS_FILE)]
    if not paths:
        raise LoadError(f"{folder}: found tensors of Llamascopium, but no sae_weights.safetensors.")
    stated = {path: _ScopeSettings.read(path.parent / "config.json") for path in paths}
    crossing = [path for path, one in stated.items() if one.kind == "clt"]
    if crossing:
        if len(paths) > 1:
            raise LoadError(f"{folder}: found {len(paths)} sets, expected one; give the folder of {crossing[0]}.")
        return _read_cross_layer(folder, crossing[0], stated[crossing[0]], loading)
    for path, one in stated.items():
        one.check_layer(path)
    found = one_each([(one.layer, path) for path, one in stated.items()], folder.root)
    numbers = sorted(found)
    sites = {one.sites(0, loading) for one in stated.values()}
    if len(sites) > 1:
        raise LoadError(f"{folder}: layers read and write at different sites, expected one pair for all.")
    parts = [_one_layer(found[number], stated[found[number]], loading.device_of(number)) for number in numbers]
    layers = make_layers(PerLayerTranscoder, parts, loading.only(numbers))
    return PerLayerTranscoders(folder.name, at_layers(numbers, layers, loading), *sites.pop())


@dataclass(frozen=True)
class _ScopeSettings:
    """A config.json: the kind of dictionary, the hooks of each layer, and all settings."""

    path: Path
    settings: Mapping[str, object]
    kind: str
    read_hooks: tuple[str, ...]
    written_hooks: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> _ScopeSettings:
        """Read and check the settings.

        Raises:
            LoadError: they are missing, or belong to another kind of dictionary.
        """
        settings = read_json(path)
        kind = settings.get("sae_type")
        if kind in OTHER_TYPES:
            raise LoadError(f"{path}: sae_type is {kind!r}: {OTHER_TYPES[kind]}.")
        one_of(path, settings, "sae_type", ("sae", "transcoder", "clt"))
        KEYS.check(path, settings)
        ending = "points" if kind == "clt" else "point"
        hooks = []
        for side in ("in", "out"):
            found = settings.get(f"hook_{ending}_{side}")
            listed = found if isinstance(found, list) else [found]
            if not listed or not all(isinstance(hook, str) for hook in listed):
                raise LoadError(f"{path}: hook_{ending}_{side} is {found!r}, expected the names of hooks.")
            hooks.append(tuple(listed))
        if len(hooks[0]) != len(hooks[1]):
            raise LoadError(f"{path}: {len(hooks[0])} hooks are read and {len(hooks[1])} written, expected as many.")
        return cls(path, settings, str(kind), *hooks)

    @property
    def layer(self) -> int:
        """The layer whose MLP a per-layer transcoder replaces."""
        found = hook_names.layer_of(self.read_hooks[0])
        if found is None or hook_names.layer_of(self.written_hooks[0]) != found:
            raise LoadError(
                f"{self.path}: hook_point_in is {self.read_hooks[0]!r} and hook_point_out {self.written_hooks[0]!r}, expected "
                "two hooks of one layer, as in blocks.0.ln2.hook_normalized and blocks.0.hook_mlp_out."
            )
        return found

    def check_layer(self, path: Path) -> None:
        """Raise LoadError where features read what they write, as those of autoencoders do."""
        if self.read_hooks == self.written_hooks:
            raise LoadError(
                f"{self.path}: hook_point_in and hook_point_out are both {self.read_hooks[0]!r}. {path.name} contains a sparse "
                "autoencoder, which reconstructs its input and cannot replace an MLP."
            )

    def sites(self, number: int, loading: Loading) -> tuple[str, str]:
        """Return where features of a layer read and write, by its number among the hooks."""
        return (
            loading.sites.read(self.read_hooks[number], path=self.path, key="hook_point_in", stated=self.settings),
            loading.sites.written(self.written_hooks[number], path=self.path, key="hook_point_out"),
        )

    def factor(self, file: CheckedFile, hook: str, d_model: int) -> float:
        """Return f, by which what is read or written at a hook was multiplied; 1 once it is folded into the weights.

        Raises:
            LoadError: the norm of the hook is missing, or normalisation depends on each token or batch.
        """
        why = "With the others, what features read is divided by a norm of each token or batch."
        if one_of(self.path, self.settings, "norm_activation", ("dataset-wise", "inference", None), why) == "inference":
            return 1.0
        norm = float(file.values(f"{NORM}{hook}", (), torch.device("cpu")))
        if not norm > 0:
            raise LoadError(f"{file.origin(f'{NORM}{hook}')} is {norm}, expected a number above zero.")
        return math.sqrt(d_model) / norm

    def activation(
        self,
        file: CheckedFile,
        factor: float,
        squares: Tensor | None,
        logarithms: Float[Tensor, " features"] | None,
    ) -> Activation:
        """Return the activation function of one layer, for pre-activations on the model's own scale.

        `factor` is that of its input, `squares` the squared norms of what features write, before folding, None where these
        do not count, and `logarithms` those of the thresholds.
        """
        kind = one_of(
            self.path,
            self.settings,
            "act_fn",
            ("relu", "topk", "jumprelu", None),
            "With the others, what is active depends on a batch, or on all layers; convert the set to jumprelu first.",
        )
        if kind == "topk":
            k = whole_number(self.path, self.settings, "top_k")
            return TopK(k, rectified=True) if squares is None else WeightedTopK(k, squares.sqrt())
        if kind == "jumprelu":
            if logarithms is None:
                raise LoadError(f"{file.origin(LOGARITHMS)} is missing, though {self.path} states act_fn: jumprelu.")
            threshold = logarithms.exp() / factor
            return JumpReLU(threshold if squares is None else threshold / squares.sqrt())
        return ReLU()

    @property
    def ranks_by_norm(self) -> bool:
        """Whether norms of what features write count in what is active."""
        stated = one_of(self.path, self.settings, "sparsity_include_decoder_norm", (True, False, None))
        return stated is not False and self.settings.get("act_fn") in ("topk", "jumprelu")

    def check_sizes(self, file: CheckedFile, d_model: int, n_features: int) -> None:
        """Raise LoadError where the sizes of a file are not those of the settings."""
        refuse_other_numbers(self.path, self.settings, {"d_model": d_model}, file.path)
        factor = self.settings.get("expansion_factor")
        if factor is not None and int(d_model * factor) != n_features:  # type: ignore[operator]
            raise LoadError(
                f"{self.path}: expansion_factor is {factor!r}, but {file.path} has {n_features} features of width {d_model}. "
                "One of the two belongs to other transcoders."
            )


def _one_layer(path: Path, stated: _ScopeSettings, device: torch.device) -> LayerParts:
    file = CheckedFile(path)
    d_model, n_features = file.sizes("W_E", "d_model", "features")
    read, written = stated.read_hooks[0], stated.written_hooks[0]
    gated = one_of(stated.path, stated.settings, "use_glu_encoder", (True, False, None)) is True
    file.refuse_unknown(
        ("W_E", "b_E", "W_D", "b_D", LOGARITHMS, f"{NORM}{read}", f"{NORM}{written}")
        + (("W_E_glu", "b_E_glu") if gated else ())
    )
    stated.check_sizes(file, d_model, n_features)
    factor_in, factor_out = (stated.factor(file, hook, d_model) for hook in (read, written))
    decoder = file.stored("W_D", (n_features, d_model))
    return LayerParts(
        encoder=file.stored("W_E", (d_model, n_features), transposed=True),
        encoder_bias=file.values("b_E", (n_features,), device) / factor_in,
        decoder=decoder,
        decoder_bias=_decoder_bias(file, "b_D", stated, d_model, device) / factor_out,
        activation=stated.activation(
            file,
            factor_in,
            squared_norms(decoder, device) if stated.ranks_by_norm else None,
            file.values(LOGARITHMS, (n_features,), device) if LOGARITHMS in file.names else None,
        ),
        encoder_origin=file.origin("W_E"),
        decoder_origin=file.origin("W_D"),
        files=(path,),
        output_scale=torch.full((d_model,), factor_in / factor_out, dtype=torch.float32, device=device),
        gate=_gate(file, d_model, n_features, factor_in, device) if gated else None,
    )


def _gate(file: CheckedFile, d_model: int, n_features: int, factor: float, device: torch.device) -> Gate:
    """Return the gate of a layer, which reads x times the factor of the layer's input."""
    weight = file.stored("W_E_glu", (d_model, n_features), transposed=True)
    file.refuse_unless_finite("W_E_glu", weight)
    return Gate(weight, file.values("b_E_glu", (n_features,), device), factor)


def _decoder_bias(
    file: CheckedFile, name: str, stated: _ScopeSettings, d_model: int, device: torch.device
) -> Float[Tensor, " d_model"]:
    """Return the bias of a decoder, zeros where the settings state that there is none."""
    if one_of(stated.path, stated.settings, "use_decoder_bias", (True, False, None)) is False:
        return torch.zeros(d_model, dtype=torch.float32, device=device)
    return file.values(name, (d_model,), device)


def _read_cross_layer(folder: Folder, path: Path, stated: _ScopeSettings, loading: Loading) -> CrossLayerTranscoders:
    file = CheckedFile(path)
    n_layers, d_model, n_features = file.sizes("W_E", "layers", "d_model", "features")
    if len(stated.read_hooks) != n_layers:
        raise LoadError(
            f"{stated.path}: hook_points_in has {len(stated.read_hooks)} hooks, but {file.origin('W_E')} has {n_layers} layers."
        )
    layers = range(n_layers)
    norms = [f"{NORM}{hook}" for hook in (*stated.read_hooks, *stated.written_hooks)]
    file.refuse_unknown(
        ["W_E", "b_E", LOGARITHMS, *norms] + [f"{name}.{layer}" for name in ("W_D", "b_D") for layer in layers]
    )
    stated.check_sizes(file, d_model, n_features)
    one_of(stated.path, stated.settings, "use_glu_encoder", (False, None), "Cross-layer ones have no gate there.")
    for number in layers:
        for hooks in (stated.read_hooks, stated.written_hooks):
            if hook_names.layer_of(hooks[number]) != number:
                raise LoadError(f"{stated.path}: hook {number} is {hooks[number]!r}, expected one of layer {number}.")
    sites = {stated.sites(number, loading) for number in layers}
    if len(sites) > 1:
        raise LoadError(f"{folder}: layers read and write at different sites, expected one pair for all.")
    factors_in = [stated.factor(file, hook, d_model) for hook in stated.read_hooks]
    factors_out = [stated.factor(file, hook, d_model) for hook in stated.written_hooks]
    encoders = file.stored("W_E", (n_layers, d_model, n_features))
    parts = []
    for layer in layers:
        device = loading.device_of(layer)
        slots = tuple(
            file.stored(f"W_D.{target}", (target + 1, n_features, d_model))[layer] for target in range(layer, n_layers)
        )
        scales = torch.tensor(factors_out[layer:], dtype=torch.float32, device=device).reciprocal() * factors_in[layer]
        squares = None
        if stated.ranks_by_norm:
            squares = torch.stack([squared_norms(slot, device) for slot in slots]).sum(0)
        logarithms = None
        if LOGARITHMS in file.names:
            logarithms = file.values(LOGARITHMS, (n_layers, n_features), device)[layer]
        parts.append(
            LayerParts(
                encoder=encoders[layer].T,
                encoder_bias=file.values("b_E", (n_layers, n_features), device)[layer] / factors_in[layer],
                decoder=slots,
                decoder_bias=_decoder_bias(file, f"b_D.{layer}", stated, d_model, device) / factors_out[layer],
                activation=stated.activation(file, factors_in[layer], squares, logarithms),
                encoder_origin=file.origin("W_E"),
                decoder_origin=file.origin(f"W_D.{layer}"),
                files=(path,),
                output_scale=scales[:, None].expand(-1, d_model).contiguous(),
            )
        )
    return CrossLayerTranscoders(folder.name, make_layers(CrossLayerTranscoder, parts, loading), *sites.pop())
