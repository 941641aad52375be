"""CLT-Forge: `clt_weights.safetensors` with all layers, or `rank{r}_clt_weights.safetensors` with a share of the features.

`W_enc` (layers, d_model, features), `b_enc` (layers, features) and `log_threshold`, the logarithms of JumpReLU's thresholds.
`W_dec` has a matrix (features, d_model) for each pair of a layer that is read and one that is written, ordered by the first,
then the second; `b_dec` is summed over all pairs that write a layer. Per-layer sets have one matrix a layer. What features
read is multiplied by `estimated_norm_scaling_factor_in` of the layer, what they write is divided by `..._out`.

Features read the normalised residual stream before the norm's weight and write the MLP's output, as in the tool's own
conversion to circuit-tracer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.activation import JumpReLU
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoder, CrossLayerTranscoders
from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats.checked_file import CheckedFile
from circuit_widget.transcoder.formats.layer_parts import LayerParts, make_layers
from circuit_widget.transcoder.formats.settings import Fixed, Keys, read_one_of, refuse_other_numbers, words
from circuit_widget.transcoder.formats.tensor_names import files_with, has_tensor, tensor_names
from circuit_widget.transcoder.per_layer import PerLayerTranscoder, PerLayerTranscoders

SIGN = r"estimated_norm_scaling_factor_in|log_threshold"
"""Names of tensors that no other layout has."""

SCALE_IN, SCALE_OUT = "estimated_norm_scaling_factor_in", "estimated_norm_scaling_factor_out"
SHARD = re.compile(r"rank(\d+)_.*\.safetensors")

TENSORS = ("W_enc", "b_enc", "W_dec", "b_dec", "log_threshold", SCALE_IN, SCALE_OUT)
COUNTERS = ("feature_count", "layer_mask", "l_idx", "k_idx")
"""Tensors without effect: counters of training, and the order of the pairs."""

SETTINGS = ("clt_cfg.json", "cfg.json", "config.json")
KEYS = Keys(
    used=words("d_in d_latent n_layers cross_layer_decoders"),
    without_effect=words(
        "debug jumprelu_bandwidth jumprelu_init_threshold normalize_decoder dead_feature_window context_size functional_loss "
        "l0_coefficient sparse_decode sparse_threshold ddp fsdp feature_sharding world_size dtype"
    ),
    fixed={
        "activation_fn": Fixed((None, "jumprelu"), "names another activation function"),
        "k": Fixed((None,), "keeps some of the features of a token only"),
    },
)
"""The keys of the settings."""


def is_clt_forge(folder: Folder) -> bool:
    """Return whether a folder has this layout."""
    return has_tensor(folder, SIGN)


def read_clt_forge(folder: Folder, loading: Loading) -> CrossLayerTranscoders | PerLayerTranscoders:
    """Read the transcoders of a folder, cross-layer or per-layer by the number of their decoders.

    Features in several files are put together in main memory.

    Raises:
        LoadError: names the file, the tensor or setting, what was found and what was expected.
    """
    reader = _ForgeFile(_shards(folder))
    path, settings = read_one_of([reader.first.path.parent / name for name in SETTINGS], KEYS)
    cross_layer = reader.is_cross_layer()
    sizes = {"d_in": reader.d_model, "d_latent": reader.n_features, "n_layers": reader.n_layers}
    refuse_other_numbers(path, settings, sizes, reader.first.path)
    if settings.get("cross_layer_decoders") not in (None, cross_layer) and reader.n_layers > 1:
        raise LoadError(
            f"{path}: cross_layer_decoders is {settings['cross_layer_decoders']!r}, but {reader.first.origin('W_dec')} has "
            f"{reader.first.shape('W_dec')[0]} matrices for {reader.n_layers} layers. One of the two is wrong."
        )
    path, key = reader.first.path, "the hook of CLT-Forge's features"
    sites = (
        loading.sites.read("ln2.hook_normalized", path=path, key=key),
        loading.sites.written("hook_mlp_out", path=path, key=key),
    )
    if cross_layer:
        parts = [reader.layer(number, loading, cross_layer=True) for number in range(reader.n_layers)]
        return CrossLayerTranscoders(folder.name, make_layers(CrossLayerTranscoder, parts, loading), *sites)
    parts = [reader.layer(number, loading, cross_layer=False) for number in range(reader.n_layers)]
    return PerLayerTranscoders(folder.name, make_layers(PerLayerTranscoder, parts, loading), *sites)


def _shards(folder: Folder) -> tuple[CheckedFile, ...]:
    """Return the files with the features, in their order."""
    paths = [path for path in folder.files if path.suffix == ".safetensors"]
    numbered = {int(match[1]): path for path in paths if (match := SHARD.fullmatch(path.name)) is not None}
    if not numbered:
        found = files_with(folder, SIGN)
        if len(found) > 1:
            raise LoadError(f"{folder}: found {found[0].name} and {found[1].name}, expected one file with all layers.")
        return (CheckedFile(found[0]),)
    whole = [path for path in paths if path not in numbered.values() and "W_enc" in tensor_names(path)]
    if whole:
        raise LoadError(f"{folder}: found {whole[0].name} beside {numbered[min(numbered)].name}; keep one of the two.")
    missing = sorted(set(range(max(numbered) + 1)) - set(numbered))
    if missing:
        raise LoadError(
            f"{folder}: the features of rank {missing[0]} are missing, but those of {max(numbered)} are there."
        )
    return tuple(CheckedFile(numbered[rank]) for rank in sorted(numbered))


@dataclass(frozen=True)
class _ForgeFile:
    """Reads the layers of one or several files, each with a share of the features."""

    shards: tuple[CheckedFile, ...]

    def __post_init__(self) -> None:
        for shard in self.shards:
            shard.refuse_unknown((*TENSORS, *COUNTERS))
            found = shard.sizes("W_enc", "layers", "d_model", "features")
            if found[:2] != (self.n_layers, self.d_model):
                raise LoadError(
                    f"{shard.origin('W_enc')} has shape {found}, expected ({self.n_layers}, {self.d_model}, features) as in "
                    f"{self.first.path.name}."
                )

    @property
    def first(self) -> CheckedFile:
        """The file with the biases and scales of all."""
        return self.shards[0]

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return self.first.shape("W_enc")[0]

    @property
    def d_model(self) -> int:
        """Width of what is read and written."""
        return self.first.shape("W_enc")[1]

    @property
    def n_features(self) -> int:
        """Number of features of a layer, in all files."""
        return sum(shard.shape("W_enc")[2] for shard in self.shards)

    def is_cross_layer(self) -> bool:
        """Return whether the features of a layer write to the layers above, by the number of decoders."""
        found, pairs = self.first.sizes("W_dec", "decoders", "features", "d_model")[0], self._pairs()
        if found not in (pairs, self.n_layers):
            raise LoadError(
                f"{self.first.origin('W_dec')} has {found} matrices, expected {pairs} for all pairs of {self.n_layers} layers, "
                f"or {self.n_layers} for transcoders that write to their own layer only."
            )
        return found == pairs

    def layer(self, layer: int, loading: Loading, *, cross_layer: bool) -> LayerParts:
        """Return the parts of one layer."""
        device = loading.device_of(layer)
        targets = range(layer, self.n_layers) if cross_layer else range(layer, layer + 1)
        scale_in, scale_out = self._scales(SCALE_IN, device), self._scales(SCALE_OUT, device)
        decoders = tuple(self._decoder(layer, target, cross_layer) for target in targets)
        # A matrix for each layer written is divided by the factor of that layer.
        by_target = (1 / scale_out[targets.start : targets.stop])[:, None].expand(-1, self.d_model).contiguous()
        thresholds = self._joined("log_threshold", layer, device).exp()
        return LayerParts(
            encoder=_together([self._encoder(shard)[layer].T for shard in self.shards]),
            encoder_bias=self._joined("b_enc", layer, device),
            decoder=decoders if cross_layer else decoders[0],
            decoder_bias=self._decoder_bias(layer, cross_layer, device) / scale_out[layer],
            activation=JumpReLU(thresholds),
            encoder_origin=self.first.origin("W_enc"),
            decoder_origin=self.first.origin("W_dec"),
            files=tuple(shard.path for shard in self.shards),
            input_scale=scale_in[layer].expand(self.d_model).contiguous(),
            output_scale=by_target if cross_layer else by_target[0],
        )

    def _encoder(self, shard: CheckedFile) -> Float[Tensor, "layers d_model features"]:
        return shard.stored("W_enc", (self.n_layers, self.d_model, shard.shape("W_enc")[2]))

    def _decoder(self, layer: int, target: int, cross_layer: bool) -> Float[Tensor, "features d_model"]:
        count = self._pairs() if cross_layer else self.n_layers
        index = self._pair(layer, target) if cross_layer else layer
        return _together(
            [shard.stored("W_dec", (count, shard.shape("W_enc")[2], self.d_model))[index] for shard in self.shards]
        )

    def _decoder_bias(self, layer: int, cross_layer: bool, device: torch.device) -> Float[Tensor, " d_model"]:
        count = self._pairs() if cross_layer else self.n_layers
        biases = self.first.values("b_dec", (count, self.d_model), device)
        if not cross_layer:
            return biases[layer]
        return biases[[self._pair(source, layer) for source in range(layer + 1)]].sum(0)

    def _joined(self, name: str, layer: int, device: torch.device) -> Float[Tensor, " features"]:
        sizes = [shard.shape("W_enc")[2] for shard in self.shards]
        return torch.cat(
            [
                shard.values(name, (self.n_layers, size), device)[layer]
                for shard, size in zip(self.shards, sizes, strict=True)
            ]
        )

    def _scales(self, name: str, device: torch.device) -> Float[Tensor, " layers"]:
        found = self.first.values(name, (self.n_layers,), device)
        if not bool((found > 0).all()):
            raise LoadError(f"{self.first.origin(name)} has values of zero or below, expected above zero.")
        return found

    def _pairs(self) -> int:
        return self.n_layers * (self.n_layers + 1) // 2

    def _pair(self, source: int, target: int) -> int:
        """Return the index of a pair of layers: those of the layers below `source` come first."""
        return source * self.n_layers - source * (source - 1) // 2 + target - source


def _together(parts: list[Tensor]) -> Float[Tensor, "features d_model"]:
    return parts[0] if len(parts) == 1 else torch.cat(parts)
