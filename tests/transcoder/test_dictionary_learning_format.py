"""Reading dictionary_learning's ae.pt: the same numbers as its classes, and refusals; pickles run nothing."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.hook_names import HookSites
from circuit_widget.transcoder.per_layer import PerLayerTranscoders
from circuit_widget.transcoder.read_transcoders import read_transcoders
from tests.transcoder.layouts import (
    CPU,
    D_MODEL,
    FEATURES,
    LOADING,
    Tensors,
    activations,
    normal,
    outputs,
    same_for_some,
)

LAYERS, TOKENS = 2, 7
X = normal(LAYERS, TOKENS, D_MODEL, seed=9)
GIVEN = Loading(lambda _: CPU, sites=HookSites(input_site="mlp_input", output_site="mlp_output"))


def tensors_of(kind: str, layer: int) -> Tensors:
    """The state of a dictionary of one class."""
    encoder, decoder = normal(FEATURES, D_MODEL, seed=layer), normal(D_MODEL, FEATURES, seed=10 + layer)
    bias, decoder_bias = normal(FEATURES, seed=20 + layer), normal(D_MODEL, seed=30 + layer)
    linear = {"encoder.weight": encoder, "encoder.bias": bias, "decoder.weight": decoder}
    k = {"k": torch.tensor(2, dtype=torch.int), "threshold": torch.tensor(0.4)}
    return {
        "AutoEncoder": {**linear, "bias": decoder_bias},
        "AutoEncoderNew": {**linear, "decoder.bias": decoder_bias},
        "AutoEncoderTopK": {**linear, "b_dec": decoder_bias, **k},
        "BatchTopKSAE": {**linear, "b_dec": decoder_bias, **k},
        "JumpReluAutoEncoder": {
            "W_enc": encoder.T.contiguous(),
            "b_enc": bias,
            "W_dec": decoder.T.contiguous(),
            "b_dec": decoder_bias,
            "threshold": torch.linspace(-0.5, 0.5, FEATURES),
        },
    }[kind]


def config(kind: str, layer: int, **changes: Any) -> dict[str, Any]:
    trainer = {
        "dict_class": kind,
        "trainer_class": "SomeTrainer",
        "activation_dim": D_MODEL,
        "dict_size": FEATURES,
        "lr": 1e-4,
        "steps": 1000,
        "seed": 0,
        "device": "cuda:0",
        "layer": layer,
        "lm_name": "some/model",
        "wandb_name": "run",
        "submodule_name": f"mlp_layer_{layer}",
        **({"k": 2} if "TopK" in kind else {}),
    }
    buffer = {
        "d_submodule": D_MODEL,
        "io": "in_and_out",
        "n_ctxs": 3000,
        "ctx_len": 128,
        "refresh_batch_size": 32,
        "out_batch_size": 2048,
        "device": "cuda:0",
    }
    for key, value in changes.items():
        (buffer if key in buffer else trainer)[key] = value
    return {"trainer": trainer, "buffer": buffer}


def write(root: Path, kind: str, **changes: Any) -> Folder:
    for layer in range(LAYERS):
        folder = root / f"mlp_layer{layer}/trainer_0"
        folder.mkdir(parents=True)
        torch.save(tensors_of(kind, layer), folder / "ae.pt")
        (folder / "config.json").write_text(json.dumps(config(kind, layer, **changes)))
    return Folder(root)


def by_hand(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    active, written = [], []
    for layer in range(LAYERS):
        stored = tensors_of(kind, layer)
        if kind == "JumpReluAutoEncoder":
            hidden = X[layer] @ stored["W_enc"] + stored["b_enc"]
            found = torch.relu(hidden * (hidden > stored["threshold"]))
            active.append(found)
            written.append(found @ stored["W_dec"] + stored["b_dec"])
            continue
        name = {"AutoEncoder": "bias", "AutoEncoderNew": "decoder.bias"}.get(kind, "b_dec")
        read = X[layer] if kind == "AutoEncoderNew" else X[layer] - stored[name]
        found = torch.relu(torch.nn.functional.linear(read, stored["encoder.weight"], stored["encoder.bias"]))
        if kind == "AutoEncoderTopK":
            found = found * (found >= found.sort(dim=-1, descending=True).values[:, 1:2])
        if kind == "BatchTopKSAE":
            found = found * (found > stored["threshold"])
        active.append(found)
        written.append(torch.nn.functional.linear(found, stored["decoder.weight"]) + stored[name])
    return torch.stack(active), torch.stack(written)


KINDS = ("AutoEncoder", "AutoEncoderNew", "AutoEncoderTopK", "BatchTopKSAE", "JumpReluAutoEncoder")


@pytest.mark.parametrize("kind", KINDS)
def test_dictionaries_compute_what_their_classes_do(tmp_path: Path, kind: str) -> None:
    found = read_transcoders(write(tmp_path, kind), LOADING)
    assert (found.n_layers, found.input_site, found.output_site) == (LAYERS, "mlp_input", "mlp_output")
    active, written = by_hand(kind)
    torch.testing.assert_close(activations(found, X), active, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(outputs(found, X), written, rtol=1e-4, atol=1e-5)
    assert isinstance(found, PerLayerTranscoders)
    same_for_some(found, X)


def test_without_settings_the_sites_say_that_it_is_a_transcoder(tmp_path: Path) -> None:
    folder = write(tmp_path, "AutoEncoder")
    for path in tmp_path.rglob("config.json"):
        path.unlink()
    with pytest.raises(LoadError, match=r"the file is missing, expected 'in_and_out'. As it is, ae\.pt contains a"):
        read_transcoders(folder, LOADING)
    torch.testing.assert_close(
        outputs(read_transcoders(folder, GIVEN), X), by_hand("AutoEncoder")[1], rtol=1e-4, atol=1e-5
    )


def test_a_decoder_bias_by_its_third_name_is_subtracted(tmp_path: Path) -> None:
    folder = tmp_path / "layer_0"
    folder.mkdir()
    drawn = tensors_of("AutoEncoder", 0)
    torch.save({"decoder_bias" if name == "bias" else name: value for name, value in drawn.items()}, folder / "ae.pt")
    found = read_transcoders(Folder(tmp_path), GIVEN)
    torch.testing.assert_close(activations(found, X[:1])[0], by_hand("AutoEncoder")[0][0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (
            "AutoEncoder",
            {"io": "out"},
            "buffer.io is 'out', expected 'in_and_out'. As it is, ae.pt contains a sparse autoencoder",
        ),
        ("AutoEncoder", {"submodule_name": "resid_post_layer_1"}, "expected the name of an MLP"),
        (
            "AutoEncoder",
            {"dict_class": "GatedAutoEncoder"},
            "dict_class is 'GatedAutoEncoder', expected one of AutoEncoder,",
        ),
        ("AutoEncoder", {"dict_size": 9}, "dict_size is 9, but"),
        ("AutoEncoderTopK", {"k": 3}, "k is 3, but"),
        ("AutoEncoder", {"scale_activations": 2}, "This key is not known, and by its name"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path, kind: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(LoadError, match=words):
        read_transcoders(write(tmp_path, kind, **changes), LOADING)


class Runs:
    """An object whose pickle would make a folder when it is loaded."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("content", [b"not even a pickle", None])
def test_a_file_with_more_than_tensors_runs_nothing(tmp_path: Path, content: bytes | None) -> None:
    folder = write(tmp_path / "set", "AutoEncoder")
    path = tmp_path / "set/mlp_layer0/trainer_0/ae.pt"
    if content is None:
        torch.save({**tensors_of("AutoEncoder", 0), "more": Runs(str(tmp_path / "made"))}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(LoadError, match="not a readable torch file"):
        read_transcoders(folder, LOADING)
    assert not (tmp_path / "made").exists()
