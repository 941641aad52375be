"""Settings beside transcoders: every key is used, known to be without effect, or named."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from circuit_widget.errors import CircuitWidgetWarning, LoadError
from circuit_widget.transcoder.activation import JumpReLU, ReLU, TopK
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.read_transcoders import read_transcoders
from tests.transcoder.layouts import D_MODEL, FEATURES, LOADING, Tensors, tensors, write_cross_layer, write_folder
from tests.transcoder.test_google_formats import google, hook_points
from tests.transcoder.test_other_formats import saelens_settings, write_saelens, write_sparsify

THRESHOLD = "activation_function.threshold"
JUMP = {THRESHOLD: torch.full((FEATURES,), 0.1)}


def read(root: Path) -> Any:
    return read_transcoders(Folder(root), LOADING)


def write(root: Path, settings: str | bytes, name: str = "config.yaml", **changes: torch.Tensor) -> Path:
    """One layer in circuit-tracer's layout, and a settings file beside it."""
    root.mkdir(parents=True, exist_ok=True)
    save_file(tensors(**changes), root / "layer_0.safetensors")
    (root / name).write_bytes(settings.encode() if isinstance(settings, str) else settings)
    return root


def refused(root: Path) -> str:
    """The text of the refusal; it names a settings file."""
    with pytest.raises(LoadError) as refusal:
        read(root)
    assert str(root) in str(refusal.value)
    return str(refusal.value)


def activation(root: Path) -> object:
    """The activation function that is read, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read(root).layers[0].activation


@pytest.mark.parametrize("name", ["config.yaml", "config.yml"])
def test_settings_are_read_under_both_endings(tmp_path: Path, name: str) -> None:
    assert activation(write(tmp_path, "activation: topk\nk: 4\n", name)) == TopK(4)


def test_settings_in_json_are_read_too(tmp_path: Path) -> None:
    settings = json.dumps({"activation": "topk", "k": 4, "d_model": D_MODEL, "d_transcoder": FEATURES, "n_layers": 1})
    assert activation(write(tmp_path, settings, "config.json")) == TopK(4)


def test_the_config_of_the_language_model_in_the_same_folder_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, json.dumps({"model_type": "llama", "hidden_act": "silu", "hidden_size": 8}), "config.json")
    assert activation(tmp_path) == ReLU()


def test_two_files_with_the_same_settings_are_merged(tmp_path: Path) -> None:
    write(tmp_path, "activation: topk\nk: 4\n", "config.yaml")
    assert activation(write(tmp_path, "k: 4\nactivation: topk\n", "config.yml")) == TopK(4)


@pytest.mark.parametrize(
    ("other", "name", "words"),
    [
        ("activation: topk\nk: 5\n", "config.yml", "k is 4 in the first and 5 in the second"),
        ("activation: topk\nk: 4\nscan: a\n", "config.yml", "scan is missing in the first and 'a' in the second"),
        ('{"k": 3}', "config.json", "k is 4 in the first and 3 in the second"),
        ('{"activation": "relu"}', "cfg.json", "activation is 'topk' in the first and 'relu' in the second"),
    ],
)
def test_two_files_that_differ_are_refused(tmp_path: Path, other: str, name: str, words: str) -> None:
    write(tmp_path, "activation: topk\nk: 4\n")
    message = refused(write(tmp_path, other, name))
    assert words in message
    assert "config.yaml" in message
    assert name in message


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("", "the file is empty"),
        ("# nothing\n", "found NoneType, expected a mapping"),
        ("- activation\n", "found list, expected a mapping"),
        ("topk\n", "found str, expected a mapping"),
        ("k: 4\nactivation: topk\nk: 5\n", "the key 'k' occurs twice"),
        ("metadata: {a: 1, a: 2}\n", "the key 'a' occurs twice"),
        ("true: 1\n", "found the key True, expected keys that are texts"),
        ("activation: !!python/object/apply:os.system [true]\n", "not readable as YAML"),
        ("? [a]\n: 1\n", "not readable as YAML"),
        ("[" * 5000, "not readable as YAML"),
        (b"\xff\xfe\x00k", "not readable as YAML"),
    ],
)
def test_odd_yaml_is_refused(tmp_path: Path, settings: str | bytes, words: str) -> None:
    assert words in refused(write(tmp_path, settings))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('{"k": 4, "k": 5}', "the key 'k' occurs twice"),
        ("[1]", "found list, expected a mapping"),
        ("", "not readable as JSON"),
        ("[" * 100_000, "not readable as JSON"),
    ],
)
def test_odd_json_is_refused(tmp_path: Path, settings: str, words: str) -> None:
    assert words in refused(write(tmp_path, settings, "config.json"))


def test_anchors_merges_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    settings = b"\xef\xbb\xbf" + b"description: &a {x: 1}\nactivation: topk\nk: 3\n"
    assert activation(write(tmp_path, settings)) == TopK(3)
    assert activation(write(tmp_path, "description: {<<: {x: 1}, x: 2}\nactivation: relu\n")) == ReLU()


@pytest.mark.parametrize("k", ["4.0", "'4'", "true", "0", "-3", "[4]", "1.0e+400", ".nan"])
def test_a_k_that_is_no_whole_number_is_refused(tmp_path: Path, k: str) -> None:
    assert "expected a whole number from 1 up" in refused(write(tmp_path, f"activation: topk\nk: {k}\n"))


def test_k_beyond_the_features_is_refused(tmp_path: Path) -> None:
    assert "k is 7, expected 1 to 6, the number of features" in refused(write(tmp_path, "activation: topk\nk: 7\n"))


@pytest.mark.parametrize("settings", ["k: 4\n", "activation: null\nk: 4\n", "activation: relu\nk: 4\n"])
def test_a_k_without_its_activation_function_is_refused(tmp_path: Path, settings: str) -> None:
    message = refused(write(tmp_path, settings))
    assert "k is 4, but activation is " in message
    assert "Write activation: topk" in message


def test_a_k_beside_thresholds_that_the_settings_require_is_named(tmp_path: Path) -> None:
    root = write(tmp_path, "activation: jump_relu\nk: 4\n", **JUMP)
    with pytest.warns(CircuitWidgetWarning, match="k is 4, but activation is jump_relu: thresholds decide"):
        assert isinstance(read(root).layers[0].activation, JumpReLU)


def test_a_file_with_thresholds_and_a_k_is_refused_unless_the_settings_decide(tmp_path: Path) -> None:
    message = refused(write(tmp_path, "scan: a\n", k=torch.tensor(2), **JUMP))
    assert f"'{THRESHOLD}' was found, expected none, since the file has k" in message
    assert isinstance(activation(write(tmp_path, "activation: jump_relu\n", k=torch.tensor(2), **JUMP)), JumpReLU)
    assert "k is 3, but" in refused(write(tmp_path / "b", "activation: topk\nk: 3\n", k=torch.tensor(2)))
    assert "'k' was found, expected none" in refused(write(tmp_path / "c", "activation: relu\n", k=torch.tensor(2)))


@pytest.mark.parametrize(
    "key",
    ["activation_fn", "activation_fn_str", "activation_function"],
)
def test_the_activation_function_under_another_name_is_refused(tmp_path: Path, key: str) -> None:
    message = refused(write(tmp_path, f"{key}: topk\nk: 4\n"))
    assert f"config.yaml: {key} is 'topk'" in message
    assert "activation: topk with k instead" in message


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("normalize_activations: layer_norm\n", "normalize_activations is 'layer_norm'; only 'none' can be read"),
        ("apply_b_dec_to_input: true\n", "apply_b_dec_to_input is True; only False can be read"),
        ("finetuning_scaling_factor: true\n", "finetuning_scaling_factor is True"),
        ("rescale_acts_by_decoder_norm: true\n", "ranks and scales activations by decoder norms"),
        ("topk: 4\n", "topk is 4. This key is not known, and by its name it changes what the transcoders compute"),
        ("threshold_is_log: true\n", "threshold_is_log is True. This key is not known"),
        ("input_scale: 0.5\n", "input_scale is 0.5"),
        ("signed: 1\n", "signed is 1"),
        ("decoder_norms_folded: true\n", "decoder_norms_folded is True"),
        ("metadata: {activation_fn: topk}\n", "metadata.activation_fn is 'topk'"),
        ("metadata: {deeper: {output_scaling: 2}}\n", "metadata.deeper.output_scaling is 2"),
        ("activaton: topk\n", "activaton is 'topk', but no such key is known. Write activation"),
        ("Activation: topk\n", "Write activation"),
        ("feature_input_hok: hook_resid_mid\n", "Write feature_input_hook"),
        ("K: 4\n", "Write k"),
        ("d_model: 5\n", "d_model is 5, but"),
        ("d_transcoder: 7\n", "d_transcoder is 7, but"),
        ("n_layers: 26\n", "n_layers is 26, but"),
        ("d_sae: '6'\n", "d_sae is '6', but"),
        ("model_kind: cross_layer_transcoder\n", "no W_enc_0.safetensors"),
    ],
)
def test_a_key_that_changes_what_is_computed_is_refused_by_name(tmp_path: Path, settings: str, words: str) -> None:
    message = refused(write(tmp_path, settings))
    assert words in message
    assert "config.yaml" in message or "W_enc_0" in message


@pytest.mark.parametrize(
    "settings",
    ["normalize_activations: none\n", "apply_b_dec_to_input: false\n", "signed: false\n", "output_scale: null\n"],
)
def test_such_a_key_with_the_value_that_does_nothing_is_read(tmp_path: Path, settings: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert read(write(tmp_path, settings)).layers[0].activation == ReLU()


def test_other_keys_that_are_not_known_are_named_in_one_warning(tmp_path: Path) -> None:
    root = write(tmp_path, "wandb_run: abc\nlearning_rate: 0.1\nmodel_name: m\nlicense: mit\n")
    with pytest.warns(CircuitWidgetWarning) as words:
        read(root)
    assert len(words) == 1
    message = str(words[0].message)
    assert message.startswith(f"{root / 'config.yaml'}: wandb_run ('abc'), learning_rate (0.1): not known")
    assert "license" not in message


def test_settings_of_a_cross_layer_transcoder_are_checked_as_well(tmp_path: Path) -> None:
    write_cross_layer(tmp_path, config="model_kind: cross_layer_transcoder\nk: 10\n")
    assert "k is 10, but activation is not given" in refused(tmp_path)
    write_cross_layer(tmp_path, config="n_layers: 3\nd_model: 4\nactivation: jump_relu\n")
    assert isinstance(activation(tmp_path), JumpReLU)


def test_settings_of_listed_files_in_another_layout_are_checked(tmp_path: Path) -> None:
    save_file(google(), tmp_path / "a.safetensors")
    (tmp_path / "config.yaml").write_text("transcoders: [a.safetensors]\nactivation: topk\nk: 2\n")
    assert "tensor 'threshold' was found, expected none" in refused(tmp_path)
    save_file(google(threshold=None), tmp_path / "a.safetensors")
    assert activation(tmp_path) == TopK(2)


METADATA = saelens_settings(0, "transcoder")["metadata"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k": 32}, "k is 32; it must be left out"),
        ({"activation_fn": "topk"}, "activation_fn is 'topk'; only 'relu' can be read"),
        ({"activation_fn_kwargs": {"k": 4}}, "activation_fn_kwargs is {'k': 4}; only {} can be read"),
        ({"finetuning_scaling_factor": True}, "finetuning_scaling_factor is True"),
        ({"rescale_acts_by_decoder_norm": True}, "rescale_acts_by_decoder_norm is True"),
        ({"dtype": "int8"}, "dtype is 'int8'; only 'float32' can be read"),
        ({"apply_b_dec_to_input": 1}, "apply_b_dec_to_input is 1; only False can be read"),
        ({"noise_in_encoder": 2}, "noise_in_encoder is 2. This key is not known"),
        ({"metadata": {**METADATA, "normalize_activations": "layer_norm"}}, "metadata.normalize_activations is"),
        ({"metadata": {**METADATA, "hook_head_index": 3}}, "metadata.hook_head_index is 3; it must be left out"),
        ({"metadata": {**METADATA, "hook_layer": 4}}, "hook_layer is 4, but"),
        (
            {"metadata": {**METADATA, "hook_name_out": "blocks.1.hook_mlp_out"}},
            "expected one layer that is read and written",
        ),
        ({"metadata": [1]}, "metadata is list, expected a mapping"),
        ({"metadata": {**METADATA, "model_from_pretrained_kwargs": {"fold_everything": True}}}, "fold_everything"),
        ({"d_in": "4"}, "d_in is '4', but"),
    ],
)
def test_saelens_settings_that_change_something_are_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    write_saelens(tmp_path, "transcoder", 1, **changes)
    message = refused(tmp_path)
    assert words in message
    assert "layer_0/cfg.json" in message


def test_settings_as_saelens_5_and_6_write_them_are_read_without_a_warning(tmp_path: Path) -> None:
    everything = {
        "device": "cuda",
        "neuronpedia_id": None,
        "metadata": {
            **METADATA,
            "sae_lens_version": "6.12.1",
            "sae_lens_training_version": "6.12.1",
            "model_name": "gpt2-small",
            "model_class_name": "HookedTransformer",
            "hook_head_index": None,
            "context_size": 128,
            "seqpos_slice": [None],
            "prepend_bos": True,
            "exclude_special_tokens": False,
            "sequence_separator_token": "bos",
            "disable_concat_sequences": False,
            "dataset_path": "x",
            "model_from_pretrained_kwargs": {"center_writing_weights": False},
        },
    }
    write_saelens(tmp_path / "6", "transcoder", 1, **everything)
    assert activation(tmp_path / "6") == ReLU()
    flat = {
        **METADATA,
        "metadata": None,
        "activation_fn_str": "relu",
        "activation_fn_kwargs": {},
        "finetuning_scaling_factor": False,
        "hook_layer": 0,
        "hook_head_index": None,
        "dataset_trust_remote_code": True,
        "context_size": 128,
        "prepend_bos": True,
        "sae_lens_training_version": "5.11.0",
    }
    write_saelens(tmp_path / "5", "transcoder", 1, **flat)
    assert activation(tmp_path / "5") == ReLU()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"signed": True}, "signed is True; only False can be read"),
        ({"skip_connection": False}, "skip_connection is False, but"),
        ({"skip": False, "skip_connection": True}, "skip_connection is True, but"),
        ({"num_latents": 7}, "num_latents is 7, but"),
        ({"num_latents": 0, "expansion_factor": 8}, "expansion_factor is 8, but"),
        ({"k": 3.0}, "k is 3.0, expected a whole number"),
        ({"input_norm": 1}, "input_norm is 1. This key is not known"),
        ({"d_out": 9}, "d_out is 9, but"),
    ],
)
def test_sparsify_settings_that_change_something_are_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    write_sparsify(tmp_path, ("layers.0.mlp",), **changes)
    message = refused(tmp_path)
    assert words in message
    assert "layers.0.mlp/cfg.json" in message


@pytest.mark.parametrize(
    ("changes", "more", "words"),
    [
        ({"type": "sae"}, {}, "type is 'sae', expected one of transcoder, clt"),
        ({"type": "crosscoder"}, {}, "Autoencoders and crosscoders reconstruct their input"),
        ({"architecture": "topk"}, {}, "architecture is 'topk'; only 'jump_relu' can be read"),
        ({"architecture": "jump_relu"}, {"threshold": None}, "architecture is 'jump_relu', but"),
        ({"affine_connection": True}, {}, "affine_connection is True, but"),
        (
            {"affine_connection": False},
            {"affine_skip_connection": torch.eye(D_MODEL)},
            "affine_connection is False, but",
        ),
        ({"width": 16384}, {}, "width is 16384, but"),
        ({"k": 3}, {}, "k is 3. This key is not known"),
        ({"hf_hook_point_out": "model.layers.3.post_feedforward_layernorm.output"}, {}, "expected a module of layer 0"),
    ],
)
def test_gemma_scope_2_settings_that_contradict_the_file_are_refused(
    tmp_path: Path, changes: dict[str, Any], more: Tensors, words: str
) -> None:
    settings = {**hook_points(0), "width": FEATURES, "l0": 20, "model_name": "google/gemma-3-1b-pt", **changes}
    write_folder(tmp_path / "layer_0_width", "params.safetensors", google(**more), settings, "config.json")
    assert words in refused(tmp_path)
