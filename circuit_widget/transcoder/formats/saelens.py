"""SAELens 5 and 6: one folder a layer, `cfg.json` beside `sae_weights.safetensors`; 6 nests some settings in `metadata`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from circuit_widget.errors import LoadError
from circuit_widget.transcoder import hook_names
from circuit_widget.transcoder.activation import Activation, JumpReLU
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
from circuit_widget.transcoder.formats.settings import Fixed, Keys, nested, read_json, refuse_other_numbers, words
from circuit_widget.transcoder.hook_names import STATED, HookSites
from circuit_widget.transcoder.per_layer import PerLayerTranscoders

TABLE = Table(
    encoder="W_enc",
    encoder_transposed=True,
    decoder="W_dec",
    encoder_bias="b_enc",
    decoder_bias="b_dec",
    threshold="threshold",
    skip="W_skip",
)
WEIGHTS_FILE = r"(?:.*/)?sae_weights\.safetensors"
ARCHITECTURES = {
    "transcoder": frozenset[str](),
    "jumprelu_transcoder": frozenset({"threshold"}),
    "skip_transcoder": frozenset({"W_skip"}),
    "jumprelu_skip_transcoder": frozenset({"threshold", "W_skip"}),
}
"""Architectures that are transcoders, and the tensors that each has beside the common ones."""

HOOKS = frozenset({"hook_name", "hook_name_out", "hf_hook_name", "hf_hook_name_out"})

KEYS = Keys(
    used=words(
        "architecture d_in d_out d_sae metadata model_from_pretrained_kwargs sae_lens_version sae_lens_training_version "
        "hook_layer hook_layer_out"
    )
    | HOOKS
    | STATED,
    without_effect=words(
        "prepend_bos exclude_special_tokens context_size seqpos_slice dataset_trust_remote_code from_pretrained_path "
        "sequence_separator_token disable_concat_sequences "
        # Settings of training, which SAELens does not use when it computes.
        "l1_coefficient lp_norm l0_coefficient lr l1_warm_up_steps l0_warm_up_steps noise_scale mse_loss_normalization "
        "use_ghost_grads normalize_sae_decoder decoder_init_norm init_encoder_as_decoder_transpose b_dec_init_method "
        "decoder_orthogonal_init decoder_heuristic_init decoder_heuristic_init_norm scale_sparsity_penalty_by_decoder_norm "
        "jumprelu_init_threshold jumprelu_bandwidth jumprelu_sparsity_loss_mode jumprelu_tanh_scale pre_act_loss_coefficient "
        "aux_loss_coefficient"
    ),
    fixed={
        "normalize_activations": Fixed((None, False, "none"), "changes the scale of what features read"),
        "reshape_activations": Fixed((None, "none"), "splits the input of features by heads"),
        "apply_b_dec_to_input": Fixed((None, False), "subtracts the decoder bias from what features read"),
        **dict.fromkeys(
            ("activation_fn", "activation_fn_str"), Fixed((None, "relu"), "names another activation function")
        ),
        "activation_fn_kwargs": Fixed((None, {}), "changes the activation function"),
        "k": Fixed((None,), "keeps some of the features of a token only"),
        "finetuning_scaling_factor": Fixed((None, False), "scales activations"),
        "finetuning_method": Fixed((None,), "replaces weights"),
        "rescale_acts_by_decoder_norm": Fixed((None, False), "ranks and scales activations by decoder norms"),
        **dict.fromkeys(
            ("hook_head_index", "hook_head_index_out"), Fixed((None,), "reads or writes one attention head alone")
        ),
        "dtype": Fixed(
            tuple(
                f"{prefix}{name}" for prefix in ("torch.", "") for name in ("float64", "bfloat16", "float16", "float32")
            ),
            "rounds weights to another type",
        ),
    },
)
"""The keys of a cfg.json, beside or within its `metadata`."""

MODEL_KEYS = Keys(
    used=frozenset({"fold_ln", "center_writing_weights"}),
    without_effect=words(
        "center_unembed fold_value_biases refactor_factored_attn_matrices dtype torch_dtype n_devices device_map "
        "trust_remote_code default_prepend_bos default_padding_side move_to_device attn_implementation cache_dir token "
        "local_files_only low_cpu_mem_usage use_auth_token"
    ),
)
"""The keys of `model_from_pretrained_kwargs`, the settings of the model that the transcoders were trained on."""


def is_saelens(folder: Folder) -> bool:
    """Return whether a folder has this layout."""
    return bool(folder.matching(WEIGHTS_FILE))


def read_saelens(folder: Folder, loading: Loading) -> PerLayerTranscoders:
    """Read the per-layer transcoders of a folder whose subfolders are those of the layers.

    Raises:
        LoadError: names the file, the tensor or setting, what was found and what was expected.
    """
    weights = [path for _, path in folder.matching(WEIGHTS_FILE)]
    settings = {path: _read_settings(path.parent / "cfg.json", loading.sites) for path in weights}
    found = one_each([(layer, path) for path, (layer, _, _) in settings.items()], folder.root)
    numbers = sorted(found)
    paths = [found[number] for number in numbers]
    sites = {settings[path][1] for path in paths}
    if len(sites) > 1:
        raise LoadError(f"{folder}: layers read and write at different sites, expected one pair for all.")
    layers = [one_file(path, TABLE) for path in paths]
    for layer, path in zip(layers, paths, strict=True):
        _refuse_unless_agreed(layer, settings[path][2], path.parent / "cfg.json")
    read = read_per_layer(layers, loading.only(numbers), _activation)
    return PerLayerTranscoders(folder.name, at_layers(numbers, read, loading), *sites.pop())


def _read_settings(path: Path, sites: HookSites) -> tuple[int, tuple[str, str], Mapping[str, object]]:
    """Return the layer, the sites read and written, and the settings themselves."""
    settings = read_json(path)
    KEYS.check(path, settings)
    if settings.get("architecture") not in ARCHITECTURES:
        raise LoadError(
            f"{path}: architecture is {settings.get('architecture')!r}, expected one of {', '.join(ARCHITECTURES)}. The others "
            "are autoencoders, which reconstruct their input and cannot replace MLPs, or compute something else."
        )
    stated = {**settings, **nested(path, settings, "metadata", KEYS)}
    stated |= nested(path, stated, "model_from_pretrained_kwargs", MODEL_KEYS)
    # Where both are given, the weights were trained on the Hugging Face module.
    read = "hf_hook_name" if stated.get("hf_hook_name") else "hook_name"
    written = "hf_hook_name_out" if stated.get("hf_hook_name_out") else "hook_name_out"
    layer = hook_names.layer_of(str(stated.get(read)))
    if layer is None:
        raise LoadError(f"{path}: {read} is {stated.get(read)!r}, expected a name with a layer: blocks.0.mlp.hook_in.")
    found = (
        sites.read(stated.get(read), path=path, key=read, stated=stated),
        sites.written(stated.get(written), path=path, key=written),
    )
    if hook_names.layer_of(str(stated.get(written))) not in (None, layer):
        raise LoadError(
            f"{path}: {read} is {stated.get(read)!r} and {written} {stated.get(written)!r}, expected one layer that is read "
            "and written."
        )
    refuse_other_numbers(path, stated, {"hook_layer": layer, "hook_layer_out": layer}, f"{read} {stated.get(read)!r}")
    return layer, found, settings


def _refuse_unless_agreed(layer: LayerFile, settings: Mapping[str, object], path: Path) -> None:
    """Raise LoadError where a file contradicts its settings."""
    features, width = layer.features_and_width()
    refuse_other_numbers(path, settings, {"d_sae": features, "d_in": width, "d_out": width}, layer.file.path)
    architecture = str(settings["architecture"])
    present = layer.file.names & {"threshold", "W_skip"}
    if present != ARCHITECTURES[architecture]:
        expected = ", ".join(sorted(ARCHITECTURES[architecture])) or "neither threshold nor W_skip"
        raise LoadError(
            f"{layer.file.path}: found {', '.join(sorted(present)) or 'neither threshold nor W_skip'}, expected {expected} "
            f"of a {architecture}."
        )


def _activation(layer: LayerFile, device: torch.device) -> Activation:
    """Return the activation function; SAELens has no activations below zero, whatever the threshold."""
    found = layer.threshold(device)
    return JumpReLU(found.threshold.clamp(min=0)) if isinstance(found, JumpReLU) else found
