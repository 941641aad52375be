"""Finding and reading the parts of a replacement model: a language model and its transcoders."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from circuit_widget.arguments import quoted
from circuit_widget.errors import LoadError
from circuit_widget.model.architectures import INPUT_SITES, OUTPUT_SITES, check_site
from circuit_widget.model.device import choose_device, choose_dtype
from circuit_widget.model.file_provenance import origin_of
from circuit_widget.model.language_model import LanguageModel, Network
from circuit_widget.model.mlp_adapters import adapter_encoder
from circuit_widget.model.model_argument import check_model_argument
from circuit_widget.model.network_loading import load_language_model
from circuit_widget.model.neuron_set import Neurons
from circuit_widget.model.self_check import check_neurons, check_pieces
from circuit_widget.model.source import ModelSource, find_model
from circuit_widget.model.tokens.tokenizer import TokenizerChoice, read_tokenizer, warn_of_tokenizer
from circuit_widget.system.warning import warn
from circuit_widget.transcoder import hub
from circuit_widget.transcoder.encoder_placement import EncoderPlacement, Loading, check_encoders
from circuit_widget.transcoder.folder import Folder, expanded, is_directory
from circuit_widget.transcoder.hook_names import HookSites
from circuit_widget.transcoder.known_sets import ALIASES, known_sets
from circuit_widget.transcoder.per_layer import PerLayerTranscoders
from circuit_widget.transcoder.read_transcoders import AnyTranscoders, read_transcoders
from circuit_widget.transcoder.transcoder_set import TranscoderSet

DEMO = Path(__file__).parents[1] / "demo"

NEURONS = "neurons"
"""What is given as transcoders to have the model's own neurons as features."""

_EXPECTED_TRANSCODERS = (
    f"expected {NEURONS!r}, a directory, a reference to the hub org/repo[/path][@revision], or one of "
    f"{', '.join(ALIASES)}."
)

HUB_FILES = ("*.yaml", "*.yml", "*.json", "*.safetensors", "*.npz", "*ae.pt", "features/layer_*.json.gz")
"""Files to download from a repository of transcoders."""


@dataclass(frozen=True, eq=False)
class Parts:
    """A model, its transcoders, and the directory of the transcoders, None for neurons.

    `provenance` is plain JSON for the recipe of a graph: for "model" and "transcoders" the name, the repository and
    revision for those from the hub, and a hash of each file.
    """

    model: LanguageModel
    transcoders: TranscoderSet
    directory: Path | None
    provenance: Mapping[str, Any]


def read_parts(
    model: str | os.PathLike[str] | Network,
    transcoders: str | os.PathLike[str] | None,
    *,
    tokenizer: TokenizerChoice | None,
    device: str | torch.device | None,
    dtype: str | torch.dtype | None,
    encoders: EncoderPlacement | None = None,
    download: bool = False,
    input_site: str | None = None,
    output_site: str | None = None,
    gguf: str | None = None,
) -> Parts:
    """Read a model and its transcoders, and check both and that they fit each other.

    `transcoders` is "neurons", or None for neurons with a warning if sets are known for the model; else a directory, a
    reference to the hub `org/repo[/path][@revision]`, which may end in a pattern such as `layer_*_width_16k`, or a short
    name from `circuit_widget.transcoder.known_sets`. `encoders` chooses where encoders are kept, see `Loading`. `download`
    allows downloads of transcoders that are not in the hub's local cache. `input_site` and `output_site`, from
    `circuit_widget.model.architectures`, override where features read and write according to the files. `gguf` is the name of a
    GGUF file in the directory of the model.

    Raises:
        LoadError: something is missing, malformed, not supported, or does not fit the other part.
    """
    check_model_argument(model)
    check_encoders(encoders)
    check_site("input_site", input_site, INPUT_SITES)
    check_site("output_site", output_site, OUTPUT_SITES)
    name = None
    if isinstance(model, str) and model == "demo":
        name, model, transcoders = "demo", DEMO / "model", DEMO / "transcoders" if transcoders is None else transcoders
    as_neurons = transcoders is None or (isinstance(transcoders, str) and transcoders == NEURONS)
    if as_neurons:
        _check_sites_unset(input_site, output_site)
    folder = None if as_neurons or transcoders is None else transcoder_folder(transcoders, download=download)
    chosen = choose_device(device)
    if isinstance(model, Network):
        _check_device_and_dtype(model, device, dtype)
    language_model = load_language_model(
        model,
        tokenizer=read_tokenizer(tokenizer),
        device=chosen,
        dtype=choose_dtype(dtype, chosen),
        name=name,
        gguf=gguf,
    )
    check_pieces(language_model, given=isinstance(model, Network))
    warn_of_tokenizer(language_model.name, language_model.tokenizer, language_model.n_embeddings)
    origin = _model_origin(model, language_model, gguf)
    if folder is None:
        neurons = _neurons(model, language_model)
        if transcoders is None:
            _warn_of_known_sets(model)
        return Parts(language_model, neurons, None, {"model": origin, "transcoders": {"name": neurons.name}})
    sites = HookSites(language_model.sites.norm.centred, input_site, output_site)
    found = read_transcoders(
        folder,
        Loading(lambda layer: _device_of(language_model, layer), encoders, download, sites, language_model.n_layers),
    )
    check_fit(language_model, found, str(folder))
    if isinstance(found, PerLayerTranscoders) and found.beside:
        check_beside(language_model, found, str(folder))
    _warn_of_uncovered_layers(language_model, found, str(folder))
    provenance = {"model": origin, "transcoders": _transcoder_origin(folder, found)}
    return Parts(language_model, found, folder.root, provenance)


def transcoder_folder(reference: str | os.PathLike[str], *, download: bool = False) -> Folder:
    """Return the directory of transcoders: a local one, or one in the hub's cache.

    Raises:
        LoadError: neither a directory nor a reference to files in the cache or, with `download`, on the hub.
    """
    if not isinstance(reference, str | os.PathLike) or not isinstance(os.fspath(reference), str):
        raise LoadError(f"transcoders= is of type {type(reference).__name__}; {_EXPECTED_TRANSCODERS}")
    text = os.fspath(reference)
    if not text.strip():
        raise LoadError(f"transcoders= is an empty text; {_EXPECTED_TRANSCODERS}")
    local = expanded(text).as_posix()
    fixed = hub.fixed_path(local)
    if fixed and is_directory(fixed):
        return Folder(Path(fixed), local.removeprefix(fixed).strip("/"))
    found = hub.parse_reference(ALIASES.get(text, text)) if isinstance(reference, str) else None
    if found is None:
        if difflib.get_close_matches(text.lower(), [NEURONS], cutoff=0.8):
            raise LoadError(f"transcoders={text!r} is not known; did you mean transcoders={NEURONS!r}?")
        what = "a file" if os.path.lexists(local) else "neither a directory, nor a reference to the hub"
        raise LoadError(f"The transcoders {text!r:.200} are {what}; {_EXPECTED_TRANSCODERS}")
    root = hub.find_directory(found, HUB_FILES, download=download)
    fixed = hub.fixed_path(found.path)
    return Folder(root / fixed, found.path.removeprefix(fixed).strip("/"), name=str(found), command=found.command)


def _device_of(model: LanguageModel, layer: int) -> torch.device:
    """Return the device of a layer; that of the last layer for layers that the model does not have."""
    return model.layer_device(min(layer, model.n_layers - 1))


def check_fit(model: LanguageModel, transcoders: AnyTranscoders, where: str) -> None:
    """Check that transcoders fit a model; `where` is their directory in errors.

    Raises:
        LoadError: the number of layers or the width differs, or the model does not have their sites.
    """
    if transcoders.n_layers < model.n_layers:
        raise LoadError(
            f"{where}: found transcoders for {transcoders.n_layers} layers, expected {model.n_layers} for the model "
            f"{model.name!r}. Layer {transcoders.n_layers} is missing, or they belong to another model."
        )
    if transcoders.n_layers > model.n_layers:
        raise LoadError(
            f"{where}: found transcoders for {transcoders.n_layers} layers, expected {model.n_layers} "
            f"for the model {model.name!r}. They belong to another model."
        )
    if transcoders.d_model != model.d_model:
        raise LoadError(
            f"{where}: the transcoders read {transcoders.d_model} dimensions, expected {model.d_model} "
            f"for the model {model.name!r} ({transcoders.layers[0].encoder_origin}). They belong to another model."
        )
    try:
        model.check_sites(transcoders.input_site, transcoders.output_site)
    except LoadError as error:
        raise LoadError(f"{where}: {error}") from error


def check_beside(model: LanguageModel, transcoders: PerLayerTranscoders, where: str) -> None:
    """Check that a model computes the adapters beside its MLPs that `transcoders` are.

    Raises:
        LoadError: it does not, or has others.
    """
    for number, (block, layer) in enumerate(zip(model.blocks, transcoders.layers, strict=True)):
        found = adapter_encoder(block.mlp)
        same = found is not None and found.shape == layer.encoder.shape
        if layer.n_features and not (same and torch.equal(found, layer.encoder.to(found.device, found.dtype))):  # type: ignore[arg-type, union-attr]
            raise LoadError(
                f"{where}: these transcoders are adapters, added beside the MLPs of the model that they were trained with, and "
                f"layer {number} of {model.name!r} does not have them. Load that model: load(directory, transcoders=directory), "
                "with the directory of both."
            )


def _warn_of_uncovered_layers(model: LanguageModel, transcoders: AnyTranscoders, where: str) -> None:
    """Warn that some layers have no transcoder, whose MLPs are errors in every graph."""
    missing = transcoders.uncovered
    if missing:
        warn(
            f"{where}: there are transcoders for {model.n_layers - len(missing)} of the {model.n_layers} layers of "
            f"{model.name!r}. The MLPs of the others stay as they are, error nodes in every graph: "
            f"{_ranges(missing)}. If the set has these layers, their files are missing here; or it belongs to another model."
        )


def _ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers in words: 0, 3 to 5."""
    starts = [number for number in numbers if number - 1 not in numbers]
    ends = [number for number in numbers if number + 1 not in numbers]
    return ", ".join(
        str(start) if start == end else f"{start} to {end}" for start, end in zip(starts, ends, strict=True)
    )


def _warn_of_known_sets(model: str | os.PathLike[str] | Network) -> None:
    """Warn that neurons are used where no transcoders were named although sets of transcoders are known for the model."""
    name = str(model.config.name_or_path) if isinstance(model, Network) else os.fspath(model)
    sets, listed = known_sets(name), _listed_sets(name)
    if not sets:
        return
    warn(
        f"The model {quoted(name)} was loaded without transcoders, so the neurons of its MLPs are the features. "
        f"Transcoders are published for it, with sparser features: load({name!r}, transcoders={sets[0]!r}). "
        f"{listed} Pass transcoders={NEURONS!r} to use neurons without this warning."
    )


def _neurons(model: str | os.PathLike[str] | Network, language_model: LanguageModel) -> Neurons:
    """Return the neurons of a model.

    Raises:
        LoadError: they cannot be features; names the sets of transcoders that are known for the model.
    """
    try:
        neurons = Neurons(language_model)
        check_neurons(language_model, neurons)
    except LoadError as error:
        listed = _listed_sets(str(model.config.name_or_path) if isinstance(model, Network) else os.fspath(model))
        raise LoadError(f"{error} {listed}".strip()) from error
    return neurons


def _listed_sets(name: str) -> str:
    """Return a sentence with the sets of transcoders known for a model, empty for none."""
    listed = ", ".join(f"{reference!r}{_short_name(reference)}" for reference in known_sets(name))
    return f"Known for this model: {listed}." if listed else ""


def _check_sites_unset(input_site: str | None, output_site: str | None) -> None:
    """Check that no sites are given for neurons.

    Raises:
        LoadError: one is.
    """
    for argument, site in (("input_site", input_site), ("output_site", output_site)):
        if site is not None:
            raise LoadError(
                f"{argument}={site!r} is for transcoders; neurons read and write inside the MLP. Leave it out."
            )


def _short_name(reference: str) -> str:
    return next((f" (or {alias!r})" for alias, known in ALIASES.items() if known == reference), "")


def _check_device_and_dtype(model: Network, device: str | torch.device | None, dtype: str | torch.dtype | None) -> None:
    """Check that a loaded model, which keeps its device and dtype, has the requested ones.

    Raises:
        LoadError: it has others.
    """
    wanted = choose_device(device)
    if device is not None and (wanted.type != model.device.type or wanted.index not in (None, model.device.index)):
        raise LoadError(f"A loaded model keeps its device, {model.device}; move it before: model.to({str(device)!r}).")
    chosen = choose_dtype(dtype, wanted)
    if dtype is not None and chosen != model.dtype:
        raise LoadError(f"A loaded model keeps its dtype, {model.dtype}; convert it before: model.to({chosen}).")


def _model_origin(source: str | os.PathLike[str] | Network, model: LanguageModel, gguf: str | None) -> dict[str, Any]:
    """Return the provenance of the model; of one given as an object, its name and revision.

    That of a GGUF file names its quantisation: the weights are rounded to it.
    """
    if isinstance(source, Network):
        revision = getattr(source.config, "_commit_hash", None)
        return {**origin_of(str(source.config.name_or_path or model.name), None, ()), "revision": revision}
    return _source_origin(find_model(source, gguf), model.name)


def named_model_origin(model: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the provenance of a model named as for `read_parts`; its files are hashed and nothing is loaded.

    Raises:
        LoadError: there is no such model here.
    """
    is_demo = isinstance(model, str) and model == "demo"
    found = find_model(DEMO / "model" if is_demo else model)
    return _source_origin(found, "demo" if is_demo else found.name)


def _source_origin(found: ModelSource, name: str) -> dict[str, Any]:
    if found.gguf is not None:
        return {**origin_of(name, found.root, [found.gguf.path]), "quantisation": found.gguf.quantisation}
    files = [path for ending in ("*.json", "*.safetensors") for path in sorted(found.root.glob(ending))]
    return origin_of(name, found.root, files)


def _transcoder_origin(folder: Folder, found: AnyTranscoders) -> dict[str, Any]:
    """Return the provenance of the transcoders: their files, the settings files beside these, and the sites."""
    folders = {folder.root, *(path.parent for path in found.files)}
    settings = [path for path in folder.files if path.suffix in (".json", ".yaml", ".yml") and path.parent in folders]
    origin = origin_of(found.name, folder.root, [*settings, *found.files])
    beside = {"beside_mlps": True} if isinstance(found, PerLayerTranscoders) and found.beside else {}
    uncovered = {"layers_without_transcoder": list(found.uncovered)} if found.uncovered else {}
    return {**origin, "input_site": found.input_site, "output_site": found.output_site, **uncovered, **beside}
