"""Reading Llamascopium: the same numbers as its formulas on normalised activations, and refusals."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoders
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.read_transcoders import read_transcoders
from tests.transcoder.layouts import D_MODEL, FEATURES, LOADING, Tensors, activations, normal, outputs, same_for_some

NORM = "dataset_average_activation_norm."
LAYERS, TOKENS = 3, 7
X = normal(LAYERS, TOKENS, D_MODEL, seed=9)
READ = [f"blocks.{layer}.ln2.hook_normalized" for layer in range(LAYERS)]
WRITTEN = [f"blocks.{layer}.hook_mlp_out" for layer in range(LAYERS)]
NORM_IN, NORM_OUT = (2.5, 3.0, 7.0), (0.5, 1.5, 4.0)


def config(**changes: Any) -> dict[str, Any]:
    """config.json, with every key that the tool writes for a per-layer transcoder."""
    return {
        "sae_type": "sae",
        "d_model": D_MODEL,
        "expansion_factor": FEATURES / D_MODEL,
        "use_decoder_bias": True,
        "act_fn": "topk",
        "norm_activation": "dataset-wise",
        "sparsity_include_decoder_norm": True,
        "top_k": 2,
        "use_triton_kernel": False,
        "sparsity_threshold_for_triton_spmm_kernel": 0.996,
        "jumprelu_threshold_window": 2.0,
        "hook_point_in": READ[0],
        "hook_point_out": WRITTEN[0],
        "use_glu_encoder": False,
        **changes,
    }


def one_layer(layer: int) -> Tensors:
    """The tensors of one layer; norms of decoder rows differ much, so that they change what is kept."""
    spread = torch.logspace(-1, 1, FEATURES)[torch.randperm(FEATURES, generator=torch.Generator().manual_seed(layer))]
    return {
        "W_E": normal(D_MODEL, FEATURES, seed=layer),
        "b_E": normal(FEATURES, seed=10 + layer),
        "W_D": normal(FEATURES, D_MODEL, seed=20 + layer) * spread[:, None],
        "b_D": normal(D_MODEL, seed=30 + layer),
        f"{NORM}{READ[layer]}": torch.tensor(NORM_IN[layer]),
        f"{NORM}{WRITTEN[layer]}": torch.tensor(NORM_OUT[layer]),
    }


def write(root: Path, more: Tensors | None = None, left_out: tuple[str, ...] = (), **changes: Any) -> Folder:
    """A folder a layer, named as on the hub."""
    for layer in range(LAYERS):
        folder = root / f"transcoder/8x/k64/layer{layer}_transcoder_8x_k64"
        folder.mkdir(parents=True)
        drawn = {name: tensor for name, tensor in {**one_layer(layer), **(more or {})}.items() if name not in left_out}
        save_file(drawn, folder / "sae_weights.safetensors")
        stated = config(hook_point_in=READ[layer], hook_point_out=WRITTEN[layer], **changes)
        (folder / "config.json").write_text(json.dumps(stated))
    return Folder(root)


def active_by_hand(layer: int, act_fn: str, *, by_norm: bool) -> torch.Tensor:
    """The activations on the model's own scale: those of normalised inputs, divided by the factor of the inputs."""
    stored = one_layer(layer)
    factor = math.sqrt(D_MODEL) / NORM_IN[layer]
    hidden = torch.einsum("td,df->tf", X[layer] * factor, stored["W_E"]) + stored["b_E"]
    weight = stored["W_D"].norm(dim=1) if by_norm else torch.ones(FEATURES)
    score = (hidden * weight).clamp(min=0)
    if act_fn == "topk":
        kept = score >= score.sort(dim=-1, descending=True).values[:, 1:2]
        score = score * kept
    if act_fn == "jumprelu":
        score = score * (score > torch.exp(LOGARITHMS))
    return score / weight / factor


LOGARITHMS = torch.linspace(-1, 1, FEATURES)


@pytest.mark.parametrize("act_fn", ["relu", "topk", "jumprelu"])
@pytest.mark.parametrize("by_norm", [True, False])
def test_layers_compute_what_they_do_on_normalised_activations(tmp_path: Path, act_fn: str, by_norm: bool) -> None:
    more = {"activation_function.log_jumprelu_threshold": LOGARITHMS} if act_fn == "jumprelu" else {}
    found = read_transcoders(write(tmp_path, more, act_fn=act_fn, sparsity_include_decoder_norm=by_norm), LOADING)
    assert (found.n_layers, found.input_site, found.output_site) == (LAYERS, "mlp_norm", "mlp_update")
    expected = torch.stack([active_by_hand(layer, act_fn, by_norm=by_norm) for layer in range(LAYERS)])
    torch.testing.assert_close(activations(found, X), expected)
    assert (expected == 0).any()
    written = []
    for layer in range(LAYERS):
        factor_in, factor_out = math.sqrt(D_MODEL) / NORM_IN[layer], math.sqrt(D_MODEL) / NORM_OUT[layer]
        stored = one_layer(layer)
        written.append((expected[layer] * factor_in @ stored["W_D"] + stored["b_D"]) / factor_out)
    torch.testing.assert_close(outputs(found, X), torch.stack(written), rtol=1e-4, atol=1e-5)
    same_for_some(found, X)


def test_norms_of_what_is_written_change_what_is_kept(tmp_path: Path) -> None:
    by_norm, plain = (
        torch.stack([active_by_hand(layer, "topk", by_norm=used) > 0 for layer in range(LAYERS)])
        for used in (True, False)
    )
    assert (by_norm != plain).any()
    torch.testing.assert_close(activations(read_transcoders(write(tmp_path), LOADING), X) > 0, by_norm)


def glu() -> Tensors:
    return {"W_E_glu": normal(D_MODEL, FEATURES, seed=61), "b_E_glu": normal(FEATURES, seed=62)}


@pytest.mark.parametrize("act_fn", ["relu", "topk"])
def test_a_gate_multiplies_pre_activations(tmp_path: Path, act_fn: str) -> None:
    settings = {"act_fn": act_fn, "sparsity_include_decoder_norm": False, "use_glu_encoder": True}
    found = read_transcoders(write(tmp_path, glu(), **settings), LOADING)
    expected = []
    for layer in range(LAYERS):
        stored, factor = one_layer(layer), math.sqrt(D_MODEL) / NORM_IN[layer]
        read = X[layer] * factor
        gate = torch.sigmoid(read @ glu()["W_E_glu"] + glu()["b_E_glu"])
        hidden = torch.relu((read @ stored["W_E"] + stored["b_E"]) * gate)
        if act_fn == "topk":
            hidden = hidden * (hidden >= hidden.sort(dim=-1, descending=True).values[:, 1:2])
        expected.append(hidden / factor)
        features, positions = torch.tensor([4, 1, 0]), torch.tensor([0, 1, 1])
        some = found.read(layer, features, positions, X[layer][None], torch.zeros(3, D_MODEL))
        torch.testing.assert_close(some[1][0], expected[-1][positions, features])
        rows = found.encoder_rows_at(layer, features, positions, X[layer])
        torch.testing.assert_close(rows, stored["W_E"].T[features] * gate[positions, features][:, None])
    torch.testing.assert_close(activations(found, X), torch.stack(expected))


def test_weights_that_are_folded_already_are_not_folded_again(tmp_path: Path) -> None:
    found = read_transcoders(write(tmp_path, norm_activation="inference", act_fn="relu"), LOADING)
    stored = one_layer(1)
    expected = torch.relu(X[1] @ stored["W_E"] + stored["b_E"])
    torch.testing.assert_close(found.encode(1, X[1])[1], expected)
    torch.testing.assert_close(outputs(found, X)[1], expected @ stored["W_D"] + stored["b_D"], rtol=1e-4, atol=1e-5)


def test_a_set_without_decoder_biases_writes_none(tmp_path: Path) -> None:
    found = read_transcoders(write(tmp_path, left_out=("b_D",), use_decoder_bias=False), LOADING)
    assert not found.decoder_bias(1).any()


def cross_layer_tensors() -> Tensors:
    """One file with all layers; `W_D.{t}` has what the layers up to t write to t."""
    found = {
        "W_E": normal(LAYERS, D_MODEL, FEATURES, seed=1),
        "b_E": normal(LAYERS, FEATURES, seed=2),
    }
    for layer in range(LAYERS):
        found[f"W_D.{layer}"] = normal(layer + 1, FEATURES, D_MODEL, seed=40 + layer)
        found[f"b_D.{layer}"] = normal(D_MODEL, seed=50 + layer)
        found[f"{NORM}{READ[layer]}"] = torch.tensor(NORM_IN[layer])
        found[f"{NORM}{WRITTEN[layer]}"] = torch.tensor(NORM_OUT[layer])
    return found


def write_cross_layer(root: Path, **changes: Any) -> Folder:
    save_file(cross_layer_tensors(), root / "sae_weights.safetensors")
    stated = config(sae_type="clt", hook_points_in=READ, hook_points_out=WRITTEN, **changes)
    for key in ("hook_point_in", "hook_point_out", "use_glu_encoder"):
        del stated[key]
    (root / "config.json").write_text(json.dumps(stated))
    return Folder(root)


@pytest.mark.parametrize("act_fn", ["relu", "topk"])
def test_cross_layer_decoders_are_by_the_layer_they_write(tmp_path: Path, act_fn: str) -> None:
    found = read_transcoders(write_cross_layer(tmp_path, act_fn=act_fn), LOADING)
    assert isinstance(found, CrossLayerTranscoders)
    stored = cross_layer_tensors()
    normalised, expected = [], []
    for layer in range(LAYERS):
        factor = math.sqrt(D_MODEL) / NORM_IN[layer]
        hidden = torch.relu((X[layer] * factor) @ stored["W_E"][layer] + stored["b_E"][layer])
        weight = sum(stored[f"W_D.{target}"][layer].square().sum(-1) for target in range(layer, LAYERS))
        score = hidden * torch.as_tensor(weight).sqrt()
        if act_fn == "topk":
            hidden = hidden * (score >= score.sort(dim=-1, descending=True).values[:, 1:2])
        normalised.append(hidden)
        expected.append(hidden / factor)
    torch.testing.assert_close(activations(found, X), torch.stack(expected))
    written = [
        (
            sum(normalised[source] @ stored[f"W_D.{target}"][source] for source in range(target + 1))
            + stored[f"b_D.{target}"]
        )
        * (NORM_OUT[target] / math.sqrt(D_MODEL))
        for target in range(LAYERS)
    ]
    torch.testing.assert_close(
        outputs(found, X), torch.stack([torch.as_tensor(one) for one in written]), rtol=1e-4, atol=1e-5
    )
    same_for_some(found, X)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sae_type": "lorsa"}, "sparse attention, which stands in for attention heads and not for MLPs"),
        ({"sae_type": "crosscoder"}, "a crosscoder, which reconstructs what it reads at several layers"),
        ({"sae_type": "molt"}, "a mixture of linear maps"),
        ({"act_fn": "batchtopk"}, "what is active depends on a batch"),
        ({"act_fn": "jumprelu"}, "log_jumprelu_threshold' is missing, though"),
        ({"norm_activation": "token-wise"}, "divided by a norm of each token or batch"),
        ({"expansion_factor": 9}, "expansion_factor is 9, but"),
        ({"d_model": 5}, "d_model is 5, but"),
        ({"normalise_twice": True}, "This key is not known, and by its name it changes what"),
        ({"top_k": 0}, "top_k is 0, expected a whole number from 1 up"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(LoadError, match=words) as refusal:
        read_transcoders(write(tmp_path, **changes), LOADING)
    assert "config.json" in str(refusal.value)


def test_an_autoencoder_is_refused_by_its_hooks(tmp_path: Path) -> None:
    write(tmp_path)
    path = next(tmp_path.rglob("layer1_*/config.json"))
    path.write_text(json.dumps(config(hook_point_in="blocks.1.hook_mlp_out", hook_point_out="blocks.1.hook_mlp_out")))
    with pytest.raises(LoadError, match="a sparse autoencoder, which reconstructs its input"):
        read_transcoders(Folder(tmp_path), LOADING)


def test_a_norm_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"dataset_average_activation_norm\.blocks\.0\.hook_mlp_out' is missing"):
        read_transcoders(write(tmp_path, left_out=(f"{NORM}{WRITTEN[0]}",)), LOADING)
