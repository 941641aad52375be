"""The layouts of circuit-tracer, beside a `config.yaml` (or `config.yml`, or `config.json`).

Per-layer: `layer_{i}.safetensors` from 0 without gaps. Cross-layer: `W_enc_{i}.safetensors` with the encoder and all
small tensors, `W_dec_{i}.safetensors` with the decoder (features, layers written, d_model). Or a list `transcoders:` of
one file a layer, local paths or `hf://` references, in this layout or in Google's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from circuit_widget.arguments import quoted
from circuit_widget.errors import LoadError
from circuit_widget.system.paths import stays_inside
from circuit_widget.system.warning import warn
from circuit_widget.transcoder import hub
from circuit_widget.transcoder.activation import Activation, TopK
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoder, CrossLayerTranscoders
from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats import gemma_scope, gemma_scope_2
from circuit_widget.transcoder.formats.checked_file import CheckedFile
from circuit_widget.transcoder.formats.layer_files import (
    LayerFile,
    Table,
    encoder_placements,
    one_file,
    read_layer,
    read_per_layer,
    without_gaps,
)
from circuit_widget.transcoder.formats.settings import (
    Fixed,
    Keys,
    read_json,
    read_one_of,
    refuse_other_numbers,
    whole_number,
)
from circuit_widget.transcoder.hook_names import STATED
from circuit_widget.transcoder.known_sets import UNSTATED_K
from circuit_widget.transcoder.per_layer import PerLayerTranscoders

PER_LAYER = Table(
    encoder="W_enc",
    decoder="W_dec",
    encoder_bias="b_enc",
    decoder_bias="b_dec",
    threshold="activation_function.threshold",
    skip="W_skip",
    more=("k",),
)
LAYER_FILE = r"layer_(\d+)\.safetensors"
ENCODER_FILE = r"W_enc_(\d+)\.safetensors"

KINDS = {
    "transcoder_set": ("mlp.hook_in", "mlp.hook_out"),
    "cross_layer_transcoder": ("hook_resid_mid", "hook_mlp_out"),
}
"""Default hook names of each `model_kind`."""

JUMP_RELU = ("jump_relu", "jumprelu")
ACTIVATIONS = ("relu", *JUMP_RELU, "topk")

SETTINGS = ("config.yaml", "config.yml", "config.json", "cfg.json")
"""Settings files; where there are several, they must agree."""

ELSEWHERE = frozenset({"model_type", "hf_hook_point_in"})
"""Keys of files with the same name that do not belong to this layout."""

WIDTH = ("d_model", "d_in", "d_out")
FEATURES = ("d_transcoder", "d_sae", "d_feature", "d_features", "n_features", "num_latents")
N_LAYERS = ("n_layers", "num_layers")
"""Settings that state a size, which must be that of the tensors."""

_OTHER_NAME = Fixed(
    (None,),
    "names the activation function as other tools do",
    "Write activation: relu, activation: jump_relu, or activation: topk with k instead.",
)

KEYS = Keys(
    used=frozenset(
        {"model_kind", "feature_input_hook", "feature_output_hook", "transcoders", "scan", "activation", "k"}
    )
    | STATED
    | {*WIDTH, *FEATURES, *N_LAYERS},
    fixed={
        **dict.fromkeys(("activation_fn", "activation_fn_str", "activation_function"), _OTHER_NAME),
        "normalize_activations": Fixed((None, False, "none"), "changes the scale of what features read"),
        "reshape_activations": Fixed((None, False, "none"), "splits the input of features by heads"),
        "apply_b_dec_to_input": Fixed((None, False), "subtracts the decoder bias from what features read"),
        "finetuning_scaling_factor": Fixed((None, False), "scales activations"),
        "rescale_acts_by_decoder_norm": Fixed((None, False), "ranks and scales activations by decoder norms"),
    },
)
"""The keys of the settings."""


def cross_layer_table(layer: int) -> Table:
    """Return the tensor names of a cross-layer transcoder, which end in the layer's number."""
    return Table(
        encoder=f"W_enc_{layer}",
        decoder=f"W_dec_{layer}",
        encoder_bias=f"b_enc_{layer}",
        decoder_bias=f"b_dec_{layer}",
        threshold=f"threshold_{layer}",
    )


def is_circuit_tracer(folder: Folder) -> bool:
    """Return whether a folder has this layout."""
    return any(folder.matching(file) for file in (r"config\.ya?ml", LAYER_FILE, ENCODER_FILE))


def read_circuit_tracer(folder: Folder, loading: Loading) -> PerLayerTranscoders | CrossLayerTranscoders:
    """Read the transcoders of a folder.

    Raises:
        LoadError: names the file, the tensor, what was found and what was expected.
    """
    path, config = read_one_of(_settings_files(folder), KEYS)
    kind = config.get("model_kind", "cross_layer_transcoder" if folder.matching(ENCODER_FILE) else "transcoder_set")
    if kind not in KINDS:
        raise LoadError(f"{path}: model_kind is {kind!r}, expected one of {', '.join(KINDS)}.")
    _check_activation(path, config)
    hooks = KINDS[str(kind)]
    sites = (
        loading.sites.read(
            config.get("feature_input_hook", hooks[0]), path=path, key="feature_input_hook", stated=config
        ),
        loading.sites.written(config.get("feature_output_hook", hooks[1]), path=path, key="feature_output_hook"),
    )
    scan = config.get("scan")
    name = scan if isinstance(scan, str) and scan else folder.name
    found = _read_layers(folder, loading, _Stated(path, config, name), str(kind), sites)
    if "model_kind" in config and isinstance(found, CrossLayerTranscoders) != (kind == "cross_layer_transcoder"):
        raise LoadError(f"{path}: model_kind is {kind!r}, but {found.layers[0].decoder_origin} is of the other kind.")
    sizes = {
        **dict.fromkeys(WIDTH, found.d_model),
        **dict.fromkeys(FEATURES, found.n_features(0)),
        **dict.fromkeys(N_LAYERS, found.n_layers),
    }
    refuse_other_numbers(path, config, sizes, found.files[0])
    return found


@dataclass(frozen=True)
class _Stated:
    """The settings of a set, which determine the activation functions of its layers."""

    path: Path
    config: Mapping[str, object]
    name: str

    def activation(self, layer: LayerFile, device: torch.device) -> Activation:
        """Return the activation function of a layer, on which settings and file must agree.

        It is TopK if the settings name it or the file has k; otherwise JumpReLU if the file has thresholds, else ReLU.
        """
        requested, file, threshold = self.config.get("activation"), layer.file, str(layer.table.threshold)
        has_threshold, has_k = threshold in file.names, "k" in file.names
        if has_threshold and (requested in ("relu", "topk") or (requested is None and has_k)):
            reason = f"{self.path} states activation: {requested}" if requested else "the file has k, as TopK does"
            raise LoadError(f"{file.origin(threshold)} was found, expected none, since {reason}.")
        if has_k and requested == "relu":
            raise LoadError(f"{file.origin('k')} was found, expected none, since {self.path} states activation: relu.")
        if requested == "topk" or (requested is None and has_k):
            return TopK(self._k(file))
        if requested in JUMP_RELU and not has_threshold:
            raise LoadError(f"{file.origin(threshold)} is missing, though {self.path} states activation: {requested}.")
        return layer.threshold(device)

    def _k(self, file: CheckedFile) -> int:
        stated = self.config.get("k")
        if "k" not in file.names:
            known = None if stated is not None else UNSTATED_K.get(self.name.partition("@")[0])
            return known or whole_number(self.path, self.config, "k")
        found = file.whole_number("k")
        refuse_other_numbers(self.path, self.config, {"k": found}, file.path)
        return found


def _check_activation(path: Path, config: Mapping[str, object]) -> None:
    """Raise LoadError for an unknown activation function, and for a k without an activation that uses it.

    circuit-tracer ignores a k alone and reads the set as ReLU, which its author hardly intended; and sets that were trained
    with TopK are also published with thresholds instead.
    """
    requested, k = config.get("activation"), config.get("k")
    if requested not in (None, *ACTIVATIONS):
        raise LoadError(f"{path}: activation is {requested!r}, expected one of {', '.join(ACTIVATIONS)}.")
    if k is not None and requested in (None, "relu"):
        found = "activation is not given" if requested is None else "activation is relu"
        raise LoadError(
            f"{path}: k is {k!r}, but {found}. Write activation: topk to keep the k largest pre-activations of each token; "
            "remove k if the transcoders are ReLU or JumpReLU."
        )
    if k is not None and requested in JUMP_RELU:
        warn(f"{path}: k is {k!r}, but activation is {requested}: thresholds decide which features are active, not k.")


def _settings_files(folder: Folder) -> list[Path]:
    """Return the possible settings files, without a config.json of a language model or of Gemma Scope 2."""

    def of_this_layout(path: Path) -> bool:
        return path.suffix != ".json" or not path.exists() or not read_json(path).keys() & ELSEWHERE

    return [path for path in (folder.root / name for name in SETTINGS) if of_this_layout(path)]


def _read_layers(
    folder: Folder, loading: Loading, stated: _Stated, kind: str, sites: tuple[str, str]
) -> PerLayerTranscoders | CrossLayerTranscoders:
    if "transcoders" in stated.config:
        return _read_listed(_listed(stated.path, stated.config["transcoders"], loading), loading, stated, sites)
    if kind == "cross_layer_transcoder":
        return CrossLayerTranscoders(stated.name, _read_cross_layer(folder, loading, stated), *sites)
    paths = _numbered(folder, LAYER_FILE, "layer_{}.safetensors")
    return _read_per_layer(paths, loading, stated, sites)


def _read_per_layer(
    paths: Sequence[Path], loading: Loading, stated: _Stated, sites: tuple[str, str]
) -> PerLayerTranscoders:
    layers = [one_file(file, PER_LAYER) for file in paths]
    return PerLayerTranscoders(stated.name, read_per_layer(layers, loading, stated.activation), *sites)


def _read_listed(
    paths: Sequence[Path], loading: Loading, stated: _Stated, sites: tuple[str, str]
) -> PerLayerTranscoders | CrossLayerTranscoders:
    """Read one file a layer, in the layout of the first."""
    if paths[0].suffix == ".npz":
        return PerLayerTranscoders(stated.name, gemma_scope.read_files(paths, loading, stated.activation), *sites)
    if gemma_scope_2.TABLE.encoder in CheckedFile(paths[0]).names:
        return gemma_scope_2.read_files(paths, loading, stated.name, *sites, stated.activation)
    return _read_per_layer(paths, loading, stated, sites)


def _read_cross_layer(folder: Folder, loading: Loading, stated: _Stated) -> tuple[CrossLayerTranscoder, ...]:
    paths = _numbered(folder, ENCODER_FILE, "W_enc_{}.safetensors")
    layers = []
    for number, encoder_path in enumerate(paths):
        table = cross_layer_table(number)
        decoder_file = CheckedFile(folder.root / f"W_dec_{number}.safetensors")
        decoder_file.refuse_unknown((table.decoder,))
        layers.append(LayerFile(CheckedFile(encoder_path), table, decoder_file))
    placements = encoder_placements(layers, loading)
    found = []
    for number, layer in enumerate(layers):
        features, width = layer.features_and_width()
        device = loading.device_of(number)
        found.append(
            read_layer(
                CrossLayerTranscoder,
                layer,
                layer.decoder_file.stored(layer.table.decoder, (features, len(layers) - number, width)),
                device=device,
                placement=placements[number],
                activation=stated.activation(layer, device),
            )
        )
    return tuple(found)


def _numbered(folder: Folder, expression: str, missing: str) -> list[Path]:
    found = {int(match[1]): path for match, path in folder.matching(expression)}
    if not found:
        raise LoadError(f"{folder}: no {missing.format(0)}, {missing.format(1)}, ...; expected one file a layer.")
    return without_gaps(found, str(folder.root / missing))


def _listed(path: Path, listed: object, loading: Loading) -> list[Path]:
    """Return the files that a config.yaml lists: those of the hub in its cache, local ones in its folder."""
    if not isinstance(listed, list) or not listed or not all(isinstance(entry, str) and entry for entry in listed):
        raise LoadError(f"{path}: transcoders is {type(listed).__name__}, expected a list of files, one a layer.")
    of_hub = [entry for entry in listed if entry.startswith(hub.SCHEME)]
    for entry in listed:
        if entry not in of_hub and not stays_inside(entry):
            raise LoadError(
                f"{path}: transcoders lists {quoted(entry)}, and only files in its own folder are read. Put the file, or a "
                "link to it, into the folder, and list it by its name."
            )
    found = dict(zip(of_hub, hub.find_files(of_hub, download=loading.download), strict=True))
    return [found.get(entry, path.parent / entry) for entry in listed]
