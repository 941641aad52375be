"""Gemma Scope 2: one safetensors file a layer, per-layer transcoders and cross-layer ones.

Per-layer: `layer_{i}_width_16k_l0_small_affine/params.safetensors`, each beside a `config.json` that names the modules
read and written, or all in one folder. Cross-layer: `params_layer_{i}.safetensors` in one folder; decoders have a slot
for every layer of the model, those below the layer itself unused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from circuit_widget.errors import LoadError
from circuit_widget.transcoder import hook_names
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoder, CrossLayerTranscoders
from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats.checked_file import CheckedFile
from circuit_widget.transcoder.formats.layer_files import (
    ActivationOf,
    LayerFile,
    Table,
    at_layers,
    encoder_placements,
    one_each,
    one_file,
    read_layer,
    read_per_layer,
    without_gaps,
)
from circuit_widget.transcoder.formats.settings import Fixed, Keys, read_json, refuse_other_numbers
from circuit_widget.transcoder.hook_names import HookSites
from circuit_widget.transcoder.per_layer import PerLayerTranscoders

TABLE = Table(
    encoder="w_enc",
    encoder_transposed=True,
    decoder="w_dec",
    encoder_bias="b_enc",
    decoder_bias="b_dec",
    threshold="threshold",
    skip="affine_skip_connection",
    skip_transposed=True,
)
LAYER_FILE = r"(?:.*/)?(?:params_layer_(\d+)|[^/]*?layer_(\d+)(?:_[^/]*)?[/_]params)\.safetensors"
DEFAULT_SITES = ("mlp_input", "mlp_update")
"""Sites of sets without a config.json."""

KINDS = ("transcoder", "clt")
"""Types of transcoders; the other types are autoencoders (sae) and crosscoders."""

KEYS = Keys(
    used=frozenset({"hf_hook_point_in", "hf_hook_point_out", "type", "width", "affine_connection", "architecture"}),
    without_effect=frozenset({"l0"}),
    fixed={"architecture": Fixed((None, "jump_relu"), "names another activation function")},
)
"""The keys of a config.json."""


def is_gemma_scope_2(folder: Folder) -> bool:
    """Return whether a folder has this layout."""
    return bool(_layer_files(folder))


def read_gemma_scope_2(folder: Folder, loading: Loading) -> PerLayerTranscoders | CrossLayerTranscoders:
    """Read the transcoders of a folder, per-layer or cross-layer by the shape of their decoders.

    Raises:
        LoadError: names the file, the tensor, what was found and what was expected.
    """
    found = one_each(_layer_files(folder), folder.root)
    numbers = sorted(found)
    paths = [found[number] for number in numbers]
    sites = _sites(numbers, paths, loading.sites)
    if len(CheckedFile(paths[0]).shape(TABLE.decoder)) == 3:
        without_gaps(found, f"{folder.root}/params_layer_{{}}.safetensors")
        return read_files(paths, loading, folder.name, *sites)
    read = read_per_layer([one_file(path, TABLE) for path in paths], loading.only(numbers))
    return PerLayerTranscoders(folder.name, at_layers(numbers, read, loading), *sites)


def read_files(
    paths: Sequence[Path],
    loading: Loading,
    name: str,
    input_site: str,
    output_site: str,
    activation: ActivationOf = LayerFile.threshold,
) -> PerLayerTranscoders | CrossLayerTranscoders:
    """Return the transcoders in these files, one a layer; in cross-layer ones, files beyond the last slot are left out."""
    first = one_file(paths[0], TABLE)
    shape = first.file.shape(TABLE.decoder)
    if len(shape) == 2:
        layers = [first, *(one_file(path, TABLE) for path in paths[1:])]
        return PerLayerTranscoders(name, read_per_layer(layers, loading, activation), input_site, output_site)
    if len(shape) != 3:
        raise LoadError(
            f"{first.file.origin(TABLE.decoder)} has shape {shape}, "
            "expected (features, d_model) or (features, layers, d_model)."
        )
    n_layers = shape[1]
    if len(paths) < n_layers:
        raise LoadError(
            f"{paths[0].parent}: found {len(paths)} layers, expected {n_layers}, as many as {first.file.origin(TABLE.decoder)} "
            "has slots. Download the files that are missing."
        )
    layers = [first, *(one_file(path, TABLE) for path in paths[1:n_layers])]
    return CrossLayerTranscoders(name, _read_cross_layer(layers, loading, activation), input_site, output_site)


def _read_cross_layer(
    layers: Sequence[LayerFile], loading: Loading, activation: ActivationOf
) -> tuple[CrossLayerTranscoder, ...]:
    placements = encoder_placements(layers, loading)
    found = []
    for number, layer in enumerate(layers):
        features, width = layer.features_and_width()
        decoder = layer.file.stored(TABLE.decoder, (features, len(layers), width))[:, number:]
        device = loading.device_of(number)
        found.append(
            read_layer(
                CrossLayerTranscoder,
                layer,
                decoder,
                device=device,
                placement=placements[number],
                activation=activation(layer, device),
            )
        )
    return tuple(found)


def _layer_files(folder: Folder) -> list[tuple[int, Path]]:
    return [(int(match[1] or match[2]), path) for match, path in folder.matching(LAYER_FILE)]


def _sites(numbers: Sequence[int], paths: Sequence[Path], sites: HookSites) -> tuple[str, str]:
    """Return the sites that the config.json beside the files name, which must be the same for all layers."""
    found = {}
    for layer, file in zip(numbers, paths, strict=True):
        path = file.parent / "config.json"
        if path.exists() and path not in found:
            config = read_json(path)
            KEYS.check(path, config)
            _check_file(path, config, file)
            alone = sum(other.parent == file.parent for other in paths) == 1
            read, written = (_first(config.get(key)) for key in ("hf_hook_point_in", "hf_hook_point_out"))
            for key, hook in (("hf_hook_point_in", read), ("hf_hook_point_out", written)):
                if alone and hook_names.layer_of(str(hook)) not in (None, layer):
                    raise LoadError(
                        f"{path}: {key} is {hook!r}, expected a module of layer {layer}, as {file} is named."
                    )
            found[path] = (
                sites.read(read, path=path, key="hf_hook_point_in"),
                sites.written(written, path=path, key="hf_hook_point_out"),
            )
    if len(set(found.values())) > 1:
        raise LoadError(
            f"{paths[0].parent.parent}: layers read and write at different sites, expected one pair for all."
        )
    return next(iter(found.values()), sites.or_default(*DEFAULT_SITES))


def _check_file(path: Path, config: Mapping[str, object], file: Path) -> None:
    """Raise LoadError where a config.json contradicts the file beside it, or does not belong to a transcoder."""
    kind = config.get("type")
    if kind not in (None, *KINDS):
        raise LoadError(
            f"{path}: type is {kind!r}, expected one of {', '.join(KINDS)}. Autoencoders and crosscoders reconstruct "
            "their input and cannot replace MLPs."
        )
    layer = one_file(file, TABLE)
    for key, value, tensor in (
        ("architecture", config.get("architecture") == "jump_relu" or None, str(TABLE.threshold)),
        ("affine_connection", config.get("affine_connection"), str(TABLE.skip)),
    ):
        if value is not None and value is not (tensor in layer.file.names):
            there = "is there" if tensor in layer.file.names else "is missing"
            raise LoadError(f"{path}: {key} is {config.get(key)!r}, but {layer.file.origin(tensor)} {there}.")
    if len(layer.file.shape(TABLE.decoder)) == 2:
        refuse_other_numbers(path, config, {"width": layer.features_and_width()[0]}, file)


def _first(hook: object) -> object:
    """Return the hook name, or the first of a list with one for each layer."""
    return hook[0] if isinstance(hook, list) and hook else hook
