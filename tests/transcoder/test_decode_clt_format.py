"""Reading decode-clt sets: the same numbers as their formula."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.read_transcoders import read_transcoders
from tests.transcoder.layouts import (
    CLOSE,
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

STATS = {
    str(layer): {
        side: {
            "mean": normal(D_MODEL, seed=60 + layer + shift).tolist(),
            "std": (0.5 + 0.1 * torch.arange(D_MODEL)).tolist(),
        }
        for side, shift in (("inputs", 0), ("targets", 10))
    }
    for layer in range(LAYERS)
}


def decode_tensors(tying: str = "none", *, skip: bool = False) -> Tensors:
    names = {
        "none": [f"{source}->{target}" for source, target in PAIRS],
        "per_source": [str(layer) for layer in range(LAYERS)],
        "per_target": [str(layer) for layer in range(LAYERS)],
    }[tying]
    found = {"theta_manager.log_threshold": normal(LAYERS, FEATURES, seed=71, scale=0.5)}
    for layer in range(LAYERS):
        found[f"encoder_module.encoders.{layer}.weight"] = normal(FEATURES, D_MODEL, seed=72 + layer)
        found[f"encoder_module.encoders.{layer}.bias_param"] = normal(FEATURES, seed=82 + layer)
        if skip:
            found[f"decoder_module.skip_weights.{layer}"] = normal(D_MODEL, D_MODEL, seed=92 + layer)
    for number, name in enumerate(names):
        found[f"decoder_module.decoders.{name}.weight"] = normal(D_MODEL, FEATURES, seed=102 + number)
        found[f"decoder_module.decoders.{name}.bias_param"] = normal(D_MODEL, seed=122 + number)
    return found


def write_decode(root: Path, tying: str = "none", *, stats: bool = True, skip: bool = False, **changes: Any) -> Folder:
    """A folder whose statistics are one folder up, as on the hub."""
    save(root / "clt", "model.safetensors", decode_tensors(tying, skip=skip))
    stated = {
        "num_features": FEATURES,
        "num_layers": LAYERS,
        "d_model": D_MODEL,
        "model_name": "gpt2",
        "normalization_method": "mean_std",
        "activation_fn": "jumprelu",
        "jumprelu_threshold": 0.03,
        "batchtopk_k": None,
        "batchtopk_straight_through": True,
        "topk_k": None,
        "topk_straight_through": True,
        "topk_mode": "global",
        "clt_dtype": "float32",
        "expected_input_dtype": None,
        "mlp_input_template": "transformer.h.{}.ln_2.input",
        "mlp_output_template": "transformer.h.{}.mlp.output",
        "tl_input_template": None,
        "tl_output_template": None,
        "decoder_tying": tying,
        "enable_feature_offset": False,
        "enable_feature_scale": False,
        "skip_connection": skip,
        **changes,
    }
    (root / "clt/cfg.json").write_text(json.dumps(stated))
    if stats:
        (root / "norm_stats.json").write_text(json.dumps(STATS))
    return Folder(root / "clt")


def decode_by_hand(
    tying: str = "none", *, method: str = "mean_std", k: int | None = None, skip: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    stored = decode_tensors(tying, skip=skip)

    def norms(side: str) -> tuple[torch.Tensor, torch.Tensor]:
        if method == "mean_std":
            mean, std = (
                torch.tensor([STATS[str(layer)][side][name] for layer in range(LAYERS)]) for name in ("mean", "std")
            )
            return mean[:, None], std[:, None] + 1e-6
        scale = 1 / math.sqrt(D_MODEL) if method == "sqrt_d_model" else 1.0
        return torch.zeros(LAYERS, 1, D_MODEL), torch.full((LAYERS, 1, D_MODEL), scale)

    mean, std = norms("inputs")
    read = (X - mean) / std
    active = []
    for layer in range(LAYERS):
        prefix = f"encoder_module.encoders.{layer}"
        hidden = read[layer] @ stored[f"{prefix}.weight"].T + stored[f"{prefix}.bias_param"]
        threshold = stored["theta_manager.log_threshold"][layer].exp()
        if k is None:
            active.append(hidden * (hidden >= threshold))
        else:
            active.append(hidden * (hidden >= hidden.sort(dim=-1, descending=True).values[:, k - 1 : k]))
    written = torch.zeros(LAYERS, TOKENS, D_MODEL)
    for target in range(LAYERS):
        for source in range(target + 1):
            name = {"none": f"{source}->{target}", "per_source": str(source), "per_target": str(target)}[tying]
            prefix = f"decoder_module.decoders.{name}"
            written[target] += active[source] @ stored[f"{prefix}.weight"].T
            if tying != "per_target" or source == 0:
                written[target] += stored[f"{prefix}.bias_param"]
        if skip:
            written[target] += read[target] @ stored[f"decoder_module.skip_weights.{target}"].T
    mean, std = norms("targets")
    return torch.stack(active), written * std + mean


@pytest.mark.parametrize(
    ("tying", "skip"), [("none", False), ("per_source", False), ("per_target", False), ("per_target", True)]
)
def test_decode_clt_is_denormalised(tmp_path: Path, tying: str, skip: bool) -> None:
    found = read_transcoders(write_decode(tmp_path, tying, skip=skip), LOADING)
    assert (found.input_site, found.output_site) == ("residual_mid", "mlp_output")
    active, written = decode_by_hand(tying, skip=skip)
    torch.testing.assert_close(activations(found, X), active, **CLOSE)
    torch.testing.assert_close(outputs(found, X), written, **CLOSE)
    same_for_some(found, X)


@pytest.mark.parametrize("method", ["none", "sqrt_d_model"])
def test_decode_clt_without_statistics(tmp_path: Path, method: str) -> None:
    found = read_transcoders(write_decode(tmp_path, stats=False, normalization_method=method), LOADING)
    active, written = decode_by_hand(method=method)
    torch.testing.assert_close(activations(found, X), active, **CLOSE)
    torch.testing.assert_close(outputs(found, X), written, **CLOSE)


def test_topk_within_layers_keeps_values_below_zero_as_decode_clt_does(tmp_path: Path) -> None:
    found = read_transcoders(write_decode(tmp_path, activation_fn="topk", topk_k=5, topk_mode="per_layer"), LOADING)
    active, _ = decode_by_hand(k=5)
    assert (active < 0).any()
    torch.testing.assert_close(activations(found, X), active, **CLOSE)


def test_a_feature_at_its_threshold_is_active_in_decode_clt(tmp_path: Path) -> None:
    found = read_transcoders(write_decode(tmp_path, stats=False, normalization_method="none"), LOADING)
    threshold = decode_tensors()["theta_manager.log_threshold"][0].exp()
    torch.testing.assert_close(found.layers[0].activation.of(threshold, torch.arange(FEATURES)), threshold)  # type: ignore[union-attr]
