"""Reading SAELens and sparsify folders: the same numbers as by hand, and refusals of what does not fit."""

from pathlib import Path
from typing import Any

import pytest
import torch

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats.saelens import read_saelens
from circuit_widget.transcoder.formats.sparsify import read_sparsify
from tests.transcoder.layouts import D_MODEL, FEATURES, LOADING, Tensors, tensors, write_folder

SKIP = torch.randn(D_MODEL, D_MODEL)
THRESHOLD = torch.linspace(-0.5, 0.5, FEATURES)


def saelens_settings(layer: int, architecture: str, **changes: Any) -> dict[str, Any]:
    """cfg.json as SAELens 6 writes it."""
    return {
        "architecture": architecture,
        "d_in": D_MODEL,
        "d_out": D_MODEL,
        "d_sae": FEATURES,
        "dtype": "float32",
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {
            "hook_name": f"blocks.{layer}.ln2.hook_normalized",
            "hook_name_out": f"blocks.{layer}.hook_mlp_out",
        },
        **changes,
    }


def write_saelens(
    root: Path, architecture: str, n_layers: int = 2, more: Tensors | None = None, **changes: Any
) -> Folder:
    """One folder a layer in SAELens's layout: encoders transposed against circuit-tracer's."""
    for layer in range(n_layers):
        drawn = tensors(layer, **(more or {}))
        drawn["W_enc"] = drawn["W_enc"].T
        settings = saelens_settings(layer, architecture, **changes)
        write_folder(root / f"layer_{layer}", "sae_weights.safetensors", drawn, settings)
    return Folder(root)


@pytest.mark.parametrize(
    ("architecture", "more"),
    [
        ("transcoder", {}),
        ("jumprelu_transcoder", {"threshold": THRESHOLD}),
        ("skip_transcoder", {"W_skip": SKIP}),
        ("jumprelu_skip_transcoder", {"threshold": THRESHOLD, "W_skip": SKIP}),
    ],
)
def test_saelens_architectures_compute_what_they_do_there(tmp_path: Path, architecture: str, more: Tensors) -> None:
    found = read_saelens(write_saelens(tmp_path, architecture, more=more), LOADING)
    assert (found.n_layers, found.input_site, found.output_site) == (2, "mlp_norm", "mlp_update")
    x = torch.randn(20, D_MODEL)
    for layer in range(2):
        stored = tensors(layer)
        hidden = torch.einsum("nd,fd->nf", x, stored["W_enc"]) + stored["b_enc"]
        expected = torch.relu(hidden)
        if "threshold" in more:
            expected = expected * (hidden > more["threshold"])
        torch.testing.assert_close(found.encode(layer, x)[1], expected)
        rows = found.decoder_rows(layer, torch.arange(FEATURES), layer)
        output = expected @ rows + found.decoder_bias(layer)
        skip = found.skip(layer)
        if skip is not None:
            output = output + x @ skip.T
        by_hand = expected @ stored["W_dec"] + stored["b_dec"] + (x @ SKIP.T if "W_skip" in more else 0)
        torch.testing.assert_close(output, by_hand)


def test_layers_are_recognised_by_their_hooks_not_by_their_folders(tmp_path: Path) -> None:
    for layer, name in ((0, "z"), (1, "a")):
        drawn = tensors(layer)
        drawn["W_enc"] = drawn["W_enc"].T
        write_folder(tmp_path / name, "sae_weights.safetensors", drawn, saelens_settings(layer, "transcoder"))
    found = read_saelens(Folder(tmp_path), LOADING)
    torch.testing.assert_close(found.decoder_bias(0), tensors(0)["b_dec"])


def test_the_hugging_face_module_counts_where_both_names_are_given(tmp_path: Path) -> None:
    hooks = {
        "hook_name": "blocks.0.hook_mlp_in",
        "hf_hook_name": "model.layers.0.pre_feedforward_layernorm.output",
        "hook_name_out": "blocks.0.hook_mlp_out",
    }
    found = read_saelens(write_saelens(tmp_path, "transcoder", 1, metadata=hooks), LOADING)
    assert (found.input_site, found.output_site) == ("mlp_input", "mlp_update")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "jumprelu"}, "architecture is 'jumprelu', expected one of transcoder, jumprelu_transcoder"),
        ({"normalize_activations": "layer_norm"}, "normalize_activations is 'layer_norm'; only 'none' can be read"),
        ({"apply_b_dec_to_input": True}, "apply_b_dec_to_input is True; only False can be read"),
        ({"d_sae": 7}, "d_sae is 7, but"),
        ({"d_out": 5}, "d_out is 5, but"),
        ({"metadata": {"hook_name": "mlp.hook_in"}}, "hook_name is 'mlp.hook_in', expected a name with a layer"),
        ({"metadata": {"hook_name": "blocks.0.hook_q"}}, "hook_name is 'blocks.0.hook_q', expected one of mlp.hook_in"),
        ({"metadata": {"hook_name": "blocks.0.mlp.hook_in"}}, "hook_name_out is None, expected one of mlp.hook_out"),
    ],
)
def test_saelens_settings_that_cannot_be_honoured_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(LoadError) as refusal:
        read_saelens(write_saelens(tmp_path, **{"architecture": "transcoder", "n_layers": 1, **changes}), LOADING)
    assert str(tmp_path / "layer_0/cfg.json") in str(refusal.value)
    assert message in str(refusal.value)


def test_tensors_that_the_architecture_does_not_have_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="found threshold, expected neither threshold nor W_skip of a transcoder"):
        read_saelens(write_saelens(tmp_path, "transcoder", more={"threshold": THRESHOLD}), LOADING)


def test_a_layer_without_settings_is_refused(tmp_path: Path) -> None:
    folder = write_saelens(tmp_path, "transcoder")
    (tmp_path / "layer_1/cfg.json").unlink()
    with pytest.raises(LoadError, match=r"layer_1/cfg\.json: the file is missing"):
        read_saelens(folder, LOADING)


def write_sparsify(
    root: Path, hookpoints: tuple[str, ...] = ("layers.0.mlp", "layers.1.mlp"), skip: bool = True, **changes: Any
) -> Folder:
    """One folder a hookpoint in sparsify's layout."""
    for layer, hookpoint in enumerate(hookpoints):
        drawn = tensors(layer)
        renamed = {
            "encoder.weight": drawn["W_enc"],
            "encoder.bias": drawn["b_enc"],
            "W_dec": drawn["W_dec"],
            "b_dec": drawn["b_dec"],
            **({"W_skip": SKIP} if skip else {}),
        }
        settings = {
            "activation": "topk",
            "expansion_factor": 32,
            "normalize_decoder": True,
            "num_latents": FEATURES,
            "k": 3,
            "multi_topk": False,
            "skip_connection": skip,
            "transcode": True,
            "d_in": D_MODEL,
            **changes,
        }
        write_folder(
            root / hookpoint,
            "sae.safetensors",
            renamed,
            {key: value for key, value in settings.items() if value is not None},
        )
    return Folder(root)


@pytest.mark.parametrize("skip", [False, True])
def test_sparsify_computes_what_it_does_there(tmp_path: Path, skip: bool) -> None:
    found = read_sparsify(write_sparsify(tmp_path, skip=skip), LOADING)
    assert (found.n_layers, found.input_site, found.output_site) == (2, "mlp_input", "mlp_output")
    x = torch.randn(30, D_MODEL)
    for layer in range(2):
        stored = tensors(layer)
        values, kept = torch.relu(x @ stored["W_enc"].T + stored["b_enc"]).topk(3, dim=-1)
        expected = torch.zeros(30, FEATURES)
        for row in range(30):
            expected[row, kept[row]] = values[row]
        torch.testing.assert_close(found.encode(layer, x)[1], expected)
        torch.testing.assert_close(found.decoder_rows(layer, torch.tensor([2]), layer)[0], stored["W_dec"][2])
        torch.testing.assert_close(found.skip(layer), SKIP if skip else None)


@pytest.mark.parametrize(
    "prefix", ["h.{}.mlp", "model.layers.{}.mlp", "gpt_neox.layers.{}.mlp", "transformer.h.{}.mlp"]
)
def test_hookpoints_of_every_architecture(tmp_path: Path, prefix: str) -> None:
    folder = write_sparsify(tmp_path, tuple(prefix.format(layer) for layer in range(12)))
    found = read_sparsify(folder, LOADING)
    torch.testing.assert_close(found.decoder_bias(10), tensors(10)["b_dec"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "groupmax"}, "activation is 'groupmax'; only 'topk' can be read"),
        ({"transcode": False}, "transcode is False, expected true. The file contains a sparse autoencoder"),
        ({"transcode": None, "skip": False}, "transcode is None, expected true"),
        ({"k": "all"}, "k is 'all', expected a whole number from 1 up"),
        ({"k": 9}, "k is 9, expected 1 to 6, the number of features"),
        ({"d_in": 8}, "d_in is 8, but"),
        ({"hookpoints": ("layers.0",)}, "the hookpoint is 'layers.0', expected the MLP of a layer, as in layers.0.mlp"),
    ],
)
def test_sparsify_settings_that_cannot_be_honoured_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(LoadError) as refusal:
        read_sparsify(write_sparsify(tmp_path, **changes), LOADING)
    assert message in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)
