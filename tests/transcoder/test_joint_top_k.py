"""Transcoders whose features of all layers compete: the same features as by hand, and not those of a plain reading."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from circuit_widget.errors import CircuitWidgetError, CircuitWidgetWarning, LoadError
from circuit_widget.transcoder import joint_top_k
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.joint_top_k import JointTopKTranscoders
from circuit_widget.transcoder.read_transcoders import read_transcoders
from tests.transcoder.layouts import D_MODEL, FEATURES, LOADING, Tensors, normal

LAYERS, TOKENS, K = 3, 7, 2
X = normal(LAYERS, TOKENS, D_MODEL, seed=9)
FACTORS = {"resid_mid_l2": torch.tensor([2.0, 2.5, 3.0]), "mlp_out_l2": torch.tensor([1.0, 1.5, 0.5])}
KEPT = torch.ones(TOKENS, dtype=torch.bool)


def encoder(layer: int) -> torch.Tensor:
    return normal(FEATURES, D_MODEL, seed=layer)


def decoder(layer: int) -> torch.Tensor:
    return normal(FEATURES, LAYERS - layer, D_MODEL, seed=10 + layer) * torch.logspace(-1, 1, FEATURES)[:, None, None]


def norms(layer: int) -> torch.Tensor:
    return decoder(layer).flatten(1).square().sum(1).sqrt()


def write(
    root: Path,
    *,
    factors: Tensors | None = None,
    own_norms: Tensors | None = None,
    norms_file: bool = True,
    **changes: Any,
) -> Folder:
    """The layout of the hub: no biases, no YAML."""
    root.mkdir(exist_ok=True)
    for layer in range(LAYERS):
        save_file({f"W_enc_{layer}": encoder(layer)}, root / f"W_enc_{layer}.safetensors")
        own = (
            {f"W_dec_norm_{layer}": norms(layer), **(own_norms or {})}
            if layer == 0
            else {f"W_dec_norm_{layer}": norms(layer)}
        )
        save_file({f"W_dec_{layer}": decoder(layer), **own}, root / f"W_dec_{layer}.safetensors")
    if norms_file:
        save_file(
            {"W_dec_norm": torch.stack([norms(layer) for layer in range(LAYERS)])}, root / "W_dec_norm.safetensors"
        )
    found = FACTORS if factors is None else factors
    if found:
        save_file(found, root / "factors.safetensors")
    stated = {
        "base_model": "some/model",
        "d_model": D_MODEL,
        "n_layers": LAYERS,
        "d_feature": FEATURES,
        "k": K,
        **changes,
    }
    (root / "config.json").write_text(json.dumps(stated))
    return Folder(root)


def read(folder: Folder) -> JointTopKTranscoders:
    found = read_transcoders(folder, LOADING)
    assert isinstance(found, JointTopKTranscoders)
    return found


def by_hand(x: torch.Tensor = X) -> torch.Tensor:
    """Activations (layers, tokens, features): ReLU, ranked by norm over the features of all layers of a token."""
    active = torch.stack([torch.relu(x[layer] @ encoder(layer).T) for layer in range(LAYERS)])
    scores = active * torch.stack([norms(layer) for layer in range(LAYERS)])[:, None]
    for token in range(x.shape[1]):
        ranked = sorted(scores[:, token].flatten().tolist(), reverse=True)
        active[:, token] *= scores[:, token] >= ranked[K * LAYERS - 1]
    return active


def dense(found: JointTopKTranscoders, x: torch.Tensor = X, kept: torch.Tensor = KEPT) -> torch.Tensor:
    active = torch.zeros(LAYERS, x.shape[1], FEATURES)
    for layer, one in enumerate(found.active(list(x), kept)):
        active[layer, one.rows, one.features] = one.values
    return active


def test_features_of_all_layers_compete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(write(tmp_path))
    assert (found.input_site, found.output_site, found.k) == ("residual_mid", "mlp_output", K * LAYERS)
    expected = by_hand()
    torch.testing.assert_close(dense(found), expected)
    monkeypatch.setattr(joint_top_k, "ROWS_AT_ONCE", 2)
    torch.testing.assert_close(dense(found), expected)
    assert ((expected > 0).sum((0, 2)) <= K * LAYERS).all()


def test_read_as_plain_cross_layer_transcoders_they_would_be_others(tmp_path: Path) -> None:
    """Neither ReLU alone, nor a TopK in each layer, is what this set computes."""
    read(write(tmp_path))
    expected = by_hand()
    plain = torch.stack([torch.relu(X[layer] @ encoder(layer).T) for layer in range(LAYERS)])
    scores = plain * torch.stack([norms(layer) for layer in range(LAYERS)])[:, None]
    alone = plain * (scores >= scores.sort(dim=-1, descending=True).values[..., K - 1 : K])
    for wrong in (plain, alone):
        assert ((wrong > 0) != (expected > 0)).any()


def test_activations_of_some_features_are_those_of_all(tmp_path: Path) -> None:
    found = read(write(tmp_path))
    rows, features = torch.tensor([0, 0, 3, 6]), torch.tensor([5, 1, 2, 0])
    values = found.activations_of(list(X), [(rows, features)] * LAYERS)
    for layer, expected in enumerate(by_hand()):
        torch.testing.assert_close(values[layer], expected[rows, features])


def test_decoders_write_to_their_own_layer_and_those_above(tmp_path: Path) -> None:
    found = read(write(tmp_path))
    features = torch.tensor([3, 0])
    for layer in range(LAYERS):
        for target in range(layer, LAYERS):
            torch.testing.assert_close(
                found.decoder_rows(layer, features, target), decoder(layer)[features, target - layer]
            )
        assert not found.decoder_bias(layer).any()


def test_tokens_of_twenty_times_the_mean_norm_have_no_features(tmp_path: Path) -> None:
    found = read(write(tmp_path))
    outputs = [torch.zeros(TOKENS, D_MODEL) for _ in range(LAYERS)]
    x = X.clone()
    x[1, 4] *= 20 * FACTORS["resid_mid_l2"][1] / x[1, 4].norm()
    outputs[2][5, 0] = 20 * float(FACTORS["mlp_out_l2"][2])
    outputs[2][6, 0] = 19.9 * float(FACTORS["mlp_out_l2"][2])
    kept = found.kept(list(x), outputs)
    assert kept.tolist() == [True] * 4 + [False, False, True]
    expected = by_hand(x) * kept[:, None]
    torch.testing.assert_close(dense(found, x, kept), expected)


def test_without_the_means_of_training_those_of_the_prompt_count(tmp_path: Path) -> None:
    with pytest.warns(CircuitWidgetWarning, match=r"factors\.safetensors: the file is missing"):
        found = read(write(tmp_path, factors={}))
    x = torch.ones(LAYERS, 50, D_MODEL)
    x[0, 7] *= 100
    kept = found.kept(list(x), list(torch.ones(LAYERS, 50, D_MODEL)))
    assert kept.logical_not().nonzero().flatten().tolist() == [7]


def test_one_layer_alone_is_refused(tmp_path: Path) -> None:
    found = read(write(tmp_path))
    first = torch.tensor([0])
    with pytest.raises(CircuitWidgetError, match="choose the active features of a token among all layers"):
        found.encode(0, X[0])
    with pytest.raises(CircuitWidgetError, match="choose the active features of a token among all layers"):
        found.read(0, first, first, X[:1])


def test_norms_are_read_from_the_decoders_too(tmp_path: Path) -> None:
    found = read(write(tmp_path, norms_file=False))
    torch.testing.assert_close(found.weights[1], norms(1))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k": None}, "k is None, expected a whole number from 1 up"),
        ({"k": 7}, "k is 21, expected 1 to 18, the number of features"),
        ({"d_feature": 5}, "d_feature is 5, but"),
        ({"n_layers": 4}, "n_layers is 4, but"),
        ({"activation": "jump_relu"}, "activation is 'jump_relu'. This key is not known"),
        (
            {"own_norms": {"W_dec_norm_0": 2 * norms(0)}},
            "differ at layer 0. One of the two belongs to other transcoders",
        ),
        (
            {"own_norms": {"b_dec_0": torch.zeros(D_MODEL)}},
            "found tensor 'b_dec_0', expected only W_dec_0, W_dec_norm_0",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(LoadError, match=words):
        read(write(tmp_path, **changes))


def test_a_layer_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (tmp_path / "W_enc_1.safetensors").unlink()
    with pytest.raises(LoadError, match=r"W_enc_1\.safetensors: the file is missing"):
        read(Folder(folder.root))
