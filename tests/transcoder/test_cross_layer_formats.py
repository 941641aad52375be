"""Reading the cross-layer layouts that have one file: the same numbers as their formulas, and refusals."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from circuit_widget.errors import CircuitWidgetWarning, LoadError
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoders
from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.hook_names import HookSites
from circuit_widget.transcoder.per_layer import PerLayerTranscoders
from circuit_widget.transcoder.read_transcoders import read_transcoders
from tests.transcoder.layouts import (
    CLOSE,
    CPU,
    D_MODEL,
    FEATURES,
    LAYERS,
    LOADING,
    PAIRS,
    TOKENS,
    Tensors,
    X,
    activations,
    normal,
    outputs,
    same_for_some,
    save,
)
from tests.transcoder.test_decode_clt_format import write_decode

# CLT-Forge

SCALE_IN, SCALE_OUT = torch.tensor([0.5, 2.0, 3.0]), torch.tensor([4.0, 0.25, 1.5])


def forge_tensors(*, cross_layer: bool = True) -> Tensors:
    n_decoders = len(PAIRS) if cross_layer else LAYERS
    return {
        "W_enc": normal(LAYERS, D_MODEL, FEATURES, seed=1),
        "b_enc": normal(LAYERS, FEATURES, seed=2),
        "W_dec": normal(n_decoders, FEATURES, D_MODEL, seed=3),
        "b_dec": normal(n_decoders, D_MODEL, seed=4),
        "log_threshold": normal(LAYERS, FEATURES, seed=5, scale=0.5),
        "estimated_norm_scaling_factor_in": SCALE_IN,
        "estimated_norm_scaling_factor_out": SCALE_OUT,
        "feature_count": torch.zeros(LAYERS, FEATURES, dtype=torch.long),
        "layer_mask": torch.ones(LAYERS, n_decoders),
    }


FORGE_CONFIG = {
    "device": "cuda",
    "dtype": "float32",
    "seed": 42,
    "model_name": "some/model",
    "debug": False,
    "d_in": D_MODEL,
    "d_latent": FEATURES,
    "n_layers": LAYERS,
    "jumprelu_bandwidth": 1.0,
    "jumprelu_init_threshold": 0.03,
    "normalize_decoder": False,
    "dead_feature_window": 250,
    "cross_layer_decoders": True,
    "context_size": 16,
    "activation_fn": "jumprelu",
    "l0_coefficient": 2.0,
    "sparse_decode": "dense",
    "sparse_threshold": 0.9995,
    "ddp": False,
    "fsdp": False,
    "feature_sharding": False,
}


def write_forge(root: Path, more: Tensors | None = None, *, cross_layer: bool = True, **changes: Any) -> Folder:
    save(root, "clt_weights.safetensors", {**forge_tensors(cross_layer=cross_layer), **(more or {})})
    stated = {**FORGE_CONFIG, "cross_layer_decoders": cross_layer, **changes}
    (root / "clt_cfg.json").write_text(json.dumps(stated))
    return Folder(root)


def forge_by_hand(*, cross_layer: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Activations and outputs by the tool's own steps: scale, encode, decode pair by pair, scale back."""
    stored = forge_tensors(cross_layer=cross_layer)
    hidden = torch.einsum("ltd,ldf->ltf", X * SCALE_IN[:, None, None], stored["W_enc"]) + stored["b_enc"][:, None]
    active = hidden * (hidden > stored["log_threshold"].exp()[:, None])
    written = torch.zeros(LAYERS, TOKENS, D_MODEL)
    pairs = PAIRS if cross_layer else [(layer, layer) for layer in range(LAYERS)]
    for number, (source, target) in enumerate(pairs):
        written[target] += active[source] @ stored["W_dec"][number] + stored["b_dec"][number]
    return active, written / SCALE_OUT[:, None, None]


@pytest.mark.parametrize("cross_layer", [True, False])
def test_clt_forge_is_scaled_and_its_biases_are_summed(tmp_path: Path, cross_layer: bool) -> None:
    found = read_transcoders(write_forge(tmp_path, cross_layer=cross_layer), LOADING)
    assert isinstance(found, CrossLayerTranscoders if cross_layer else PerLayerTranscoders)
    assert (found.input_site, found.output_site) == ("mlp_norm", "mlp_update")
    active, written = forge_by_hand(cross_layer=cross_layer)
    torch.testing.assert_close(activations(found, X), active)
    torch.testing.assert_close(outputs(found, X), written, **CLOSE)
    same_for_some(found, X)
    assert (active == 0).any()


def test_shards_of_clt_forge_are_put_together(tmp_path: Path) -> None:
    whole = forge_tensors()
    for rank, share in enumerate((slice(0, 2), slice(2, FEATURES))):
        part = dict(whole)
        for name, axis in (("W_enc", 2), ("b_enc", 1), ("W_dec", 1), ("log_threshold", 1), ("feature_count", 1)):
            part[name] = whole[name].transpose(0, axis)[share].transpose(0, axis)
        save(tmp_path, f"rank{rank}_clt_weights.safetensors", part)
    (tmp_path / "clt_cfg.json").write_text(json.dumps({**FORGE_CONFIG, "feature_sharding": True}))
    found = read_transcoders(Folder(tmp_path), LOADING)
    active, written = forge_by_hand()
    torch.testing.assert_close(activations(found, X), active)
    torch.testing.assert_close(outputs(found, X), written, **CLOSE)
    (tmp_path / "rank0_clt_weights.safetensors").unlink()
    with pytest.raises(LoadError, match="the features of rank 0 are missing"):
        read_transcoders(Folder(tmp_path), LOADING)


# crosslayer-transcoder

MEAN_IN, STD_IN = normal(LAYERS, D_MODEL, seed=21), 0.5 + torch.rand(LAYERS, D_MODEL)
MEAN_OUT, STD_OUT = normal(LAYERS, D_MODEL, seed=22), 0.5 + torch.rand(LAYERS, D_MODEL)
MODULE = "crosslayer_transcoder.model"


def crosslayer_tensors(*, cross_layer: bool = True) -> Tensors:
    found = {
        "encoder.W": normal(LAYERS, D_MODEL, FEATURES, seed=1),
        "encoder.b": normal(LAYERS, FEATURES, seed=2),
        "decoder.b": normal(LAYERS, D_MODEL, seed=3),
    }
    if not cross_layer:
        return {**found, "decoder.W": normal(LAYERS, FEATURES, D_MODEL, seed=4)}
    return found | {
        f"decoder.W_{layer}": normal(layer + 1, FEATURES, D_MODEL, seed=5 + layer) for layer in range(LAYERS)
    }


def part(name: str, **arguments: Any) -> dict[str, Any]:
    return {"class_path": f"{MODULE}.{name}", "init_args": arguments}


SIZES = {"d_acts": D_MODEL, "d_features": FEATURES, "n_layers": LAYERS}
STANDARDIZED = {
    "input_standardizer.mean": MEAN_IN,
    "input_standardizer.std": STD_IN,
    "output_standardizer.mean": MEAN_OUT,
    "output_standardizer.std": STD_OUT,
}
NONLINEARITIES: dict[str, tuple[dict[str, Any], Tensors]] = {
    "relu": (part("jumprelu.ReLU"), {}),
    "jumprelu": (
        part("jumprelu.JumpReLU", theta=0.0, bandwidth=1.0, n_layers=LAYERS, d_features=FEATURES),
        {"nonlinearity.theta": normal(1, LAYERS, FEATURES, seed=30), "nonlinearity.bandwidth": torch.tensor(1.0)},
    ),
    "topk": (part("topk.PerLayerTopK", k=2, e=None, n_layers=None), {}),
    "batchtopk": (
        part("topk.PerLayerBatchTopK", k=2, e=0.1, n_layers=LAYERS),
        {"nonlinearity.threshold": torch.tensor([0.1, -0.5, 0.7])},
    ),
}


def write_crosslayer(
    root: Path,
    nonlinearity: str = "relu",
    *,
    cross_layer: bool = True,
    standardized: Tensors | None = None,
    is_folded: bool = False,
    kind: str = "Dimensionwise",
) -> Folder:
    stated, thresholds = NONLINEARITIES[nonlinearity]
    standard = STANDARDIZED if standardized is None else standardized
    save(root, "checkpoint.safetensors", crosslayer_tensors(cross_layer=cross_layer) | thresholds | standard)
    sizes = {"n_layers": LAYERS, "activation_dim": D_MODEL}
    arguments = {
        "nonlinearity": stated,
        "encoder": part("clt.Encoder", **SIZES),
        "decoder": part("clt.CrosslayerDecoder" if cross_layer else "clt.Decoder", **SIZES),
        "input_standardizer": None if is_folded else part(f"standardize.{kind}InputStandardizer", **sizes),
        "output_standardizer": None if is_folded else part(f"standardize.{kind}OutputStandardizer", **sizes),
    }
    model = {"class_path": f"{MODULE}.clt.CrossLayerTranscoder", "init_args": arguments, "is_folded": is_folded}
    (root / "config.yaml").write_text(yaml.safe_dump({"model": model}))
    return Folder(root)


def crosslayer_by_hand(
    nonlinearity: str, *, cross_layer: bool = True, standard: Tensors | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    stored, norms = crosslayer_tensors(cross_layer=cross_layer), STANDARDIZED if standard is None else standard

    def of(name: str, default: float) -> torch.Tensor:
        found = norms.get(name, torch.full((LAYERS, 1), default))
        return found.view(LAYERS, 1, -1)

    normalised = (X - of("input_standardizer.mean", 0)) / of("input_standardizer.std", 1)
    hidden = torch.einsum("ltd,ldf->ltf", normalised, stored["encoder.W"]) + stored["encoder.b"][:, None]
    active = torch.relu(hidden)
    if nonlinearity == "jumprelu":
        active = active * (hidden > NONLINEARITIES["jumprelu"][1]["nonlinearity.theta"].view(LAYERS, 1, FEATURES))
    if nonlinearity == "topk":
        active = active * (hidden >= hidden.sort(dim=-1, descending=True).values[..., 1:2])
    if nonlinearity == "batchtopk":
        active = active * (hidden > torch.tensor([0.1, 0.0, 0.7])[:, None, None])
    written = []
    for target in range(LAYERS):
        sources = range(target + 1) if cross_layer else [target]
        decoders = [
            stored[f"decoder.W_{target}"][source] if cross_layer else stored["decoder.W"][source] for source in sources
        ]
        written.append(
            sum(active[source] @ one for source, one in zip(sources, decoders, strict=True))
            + stored["decoder.b"][target]
        )
    return active, torch.stack(written) * of("output_standardizer.std", 1) + of("output_standardizer.mean", 0)


@pytest.mark.parametrize("nonlinearity", sorted(NONLINEARITIES))
@pytest.mark.parametrize("cross_layer", [True, False])
def test_standardisers_of_crosslayer_transcoder_are_folded(
    tmp_path: Path, nonlinearity: str, cross_layer: bool
) -> None:
    found = read_transcoders(write_crosslayer(tmp_path, nonlinearity, cross_layer=cross_layer), LOADING)
    assert isinstance(found, CrossLayerTranscoders if cross_layer else PerLayerTranscoders)
    assert (found.input_site, found.output_site) == ("residual_mid", "mlp_output")
    active, written = crosslayer_by_hand(nonlinearity, cross_layer=cross_layer)
    torch.testing.assert_close(activations(found, X), active, **CLOSE)
    torch.testing.assert_close(outputs(found, X), written, **CLOSE)
    same_for_some(found, X)


def test_one_mean_and_std_a_layer_are_folded_too(tmp_path: Path) -> None:
    standard = {name: tensor[:, 0].clone() for name, tensor in STANDARDIZED.items()}
    found = read_transcoders(write_crosslayer(tmp_path, standardized=standard, kind="Layerwise"), LOADING)
    active, written = crosslayer_by_hand("relu", standard=standard)
    torch.testing.assert_close(activations(found, X), active, **CLOSE)
    torch.testing.assert_close(outputs(found, X), written, **CLOSE)


def test_standardisers_folded_already_are_not_folded_again(tmp_path: Path) -> None:
    found = read_transcoders(write_crosslayer(tmp_path, standardized={}, is_folded=True), LOADING)
    torch.testing.assert_close(outputs(found, X), crosslayer_by_hand("relu", standard={})[1], **CLOSE)


def test_without_settings_thresholds_are_those_of_jumprelu(tmp_path: Path) -> None:
    folder = write_crosslayer(tmp_path, "jumprelu")
    (tmp_path / "config.yaml").unlink()
    with pytest.warns(
        CircuitWidgetWarning, match=r"The thresholds in checkpoint\.safetensors are read as those of JumpReLU"
    ):
        found = read_transcoders(folder, LOADING)
    torch.testing.assert_close(activations(found, X), crosslayer_by_hand("jumprelu")[0], **CLOSE)


def test_a_standardiser_of_each_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        LoadError, match="is a SamplewiseInputStandardizer: it scales every token by the token's own values"
    ):
        read_transcoders(write_crosslayer(tmp_path, standardized={}, kind="Samplewise"), LOADING)


@pytest.mark.parametrize(
    ("write", "changes", "words"),
    [
        (write_forge, {"activation_fn": "topk"}, "It names another activation function"),
        (write_forge, {"k": 3}, "It keeps some of the features of a token only"),
        (write_forge, {"cross_layer_decoders": False}, "has 6 matrices for 3 layers. One of the two is wrong"),
        (write_forge, {"d_latent": 9}, "d_latent is 9, but"),
        (write_forge, {"weights_are_folded": True}, "This key is not known, and by its name"),
        (write_decode, {"activation_fn": "batchtopk"}, "chosen among the features of all layers"),
        (write_decode, {"activation_fn": "topk", "topk_k": 4}, "chosen among the features of all layers"),
        (write_decode, {"stats": False}, r"norm_stats\.json is missing"),
        (write_decode, {"normalization_method": "median"}, "expected one of none, mean_std, sqrt_d_model"),
        (write_decode, {"enable_feature_offset": True}, "adds an offset to active features"),
        (write_decode, {"skip_connection": True}, "linear connections from every layer to all above it"),
        (write_decode, {"mlp_input_template": None}, "mlp_input_template is None, expected one of"),
        (write_decode, {"num_layers": 4}, "num_layers is 4, but"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    tmp_path: Path, write: Any, changes: dict[str, Any], words: str
) -> None:
    if changes == {"cross_layer_decoders": False}:
        write_forge(tmp_path)
        (tmp_path / "clt_cfg.json").write_text(json.dumps({**FORGE_CONFIG, **changes}))
        folder = Folder(tmp_path)
    else:
        folder = write(tmp_path, **changes)
    with pytest.raises(LoadError, match=words):
        read_transcoders(folder, LOADING)


def test_hooks_that_a_file_does_not_name_can_be_given(tmp_path: Path) -> None:
    given = Loading(lambda _: CPU, sites=HookSites(input_site="mlp_input", output_site="mlp_output"))
    folder = write_decode(tmp_path, mlp_input_template=None, mlp_output_template=None)
    assert read_transcoders(folder, given).input_site == "mlp_input"


@pytest.mark.parametrize("write", [write_forge, write_crosslayer, write_decode])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, write: Any) -> None:
    folder = write(tmp_path)
    path = next(folder.root.glob("*.safetensors"))
    name = {"clt_weights": "W_enc", "checkpoint": "encoder.W"}.get(path.stem, "encoder_module.encoders.1.weight")
    found = load_file(path)
    found[name].view(-1)[3] = float("nan")
    save_file(found, path)
    with pytest.raises(LoadError, match=rf"tensor '{name}' has NaN or infinite values"):
        read_transcoders(folder, LOADING)
