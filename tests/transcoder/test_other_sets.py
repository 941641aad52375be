"""Sets of other tools are refused by what they are, not as damaged files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.read_transcoders import read_transcoders
from tests.transcoder.layouts import LOADING

ONE = torch.zeros(2, 3)


def refused(root: Path) -> str:
    with pytest.raises(LoadError) as refusal:
        read_transcoders(Folder(root), LOADING)
    assert str(root) in str(refusal.value)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"sae_weights": {"W_Q": ONE, "W_O": ONE, "b_V": ONE[0]}}, "sparse attention"),
        ({"ae": {"encoder.weight": ONE, "decoder.weight": ONE}}, "dictionary_learning"),
    ],
)
def test_a_set_of_another_tool_is_named(tmp_path: Path, files: dict[str, dict[str, torch.Tensor]], words: str) -> None:
    for name, tensors in files.items():
        save_file({key: tensor.clone() for key, tensor in tensors.items()}, tmp_path / f"{name}.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"d_feature": 2, "k": 10}))
    message = refused(tmp_path)
    assert words in message
    assert "cannot be read" in message


@pytest.mark.parametrize(("name", "words"), [("layer3.sae.pt", "Qwen-Scope"), ("sae.pt", "A pickle can run any code")])
def test_pickles_are_named_and_not_opened(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_bytes(b"not even a pickle")
    message = refused(tmp_path)
    assert name in message
    assert words in message


def test_autoencoders_of_gemma_scope_are_recognised_by_their_repository(tmp_path: Path) -> None:
    root = tmp_path / "gemma-scope-2b-pt-res"
    (root / "layer_0").mkdir(parents=True)
    np.savez(root / "layer_0/params.npz", W_enc=np.zeros((2, 3), np.float32))
    assert "'gemma-scope-2b-pt-res' is the name of a set of sparse autoencoders" in refused(root)


@pytest.mark.parametrize("name", ["crosscoder", "crosscoder_width_65k", "gemma-2-2b-crosscoders"])
def test_crosscoders_are_recognised_by_the_names_of_their_folders(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    save_file({"w_enc": ONE}, root / "params_layer_0.safetensors")
    assert "set of crosscoders, which reconstruct what they read at several layers" in refused(root)


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        ("blocks.3.attn.hook_z", "It belongs to attention, which transcoders do not replace"),
        ("blocks.3.hook_attn_out", "It belongs to attention"),
        (
            "blocks.3.hook_resid_post",
            "It is the residual stream between layers: autoencoders of it reconstruct their input",
        ),
    ],
)
def test_features_of_attention_and_of_the_residual_stream_are_refused_with_the_reason(
    tmp_path: Path, hook: str, words: str
) -> None:
    save_file({"W_enc": ONE}, tmp_path / "sae_weights.safetensors")
    stated = {"architecture": "transcoder", "metadata": {"hook_name": hook, "hook_name_out": hook}}
    (tmp_path / "cfg.json").write_text(json.dumps(stated))
    assert words in refused(tmp_path)
