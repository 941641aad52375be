"""Small transcoders with random weights, and writers of them in the layouts people keep them in."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.read_transcoders import AnyTranscoders

CPU = torch.device("cpu")
LOADING = Loading(lambda layer: CPU)
FEATURES, D_MODEL = 6, 4

Tensors = dict[str, torch.Tensor]


def tensors(seed: int = 0, **changes: torch.Tensor | None) -> Tensors:
    """The tensors of a layer as circuit-tracer names them; those changed to None are left out."""
    generator = torch.Generator().manual_seed(seed)
    layer = {
        "W_enc": torch.randn(FEATURES, D_MODEL, generator=generator),
        "W_dec": torch.randn(FEATURES, D_MODEL, generator=generator),
        "b_enc": torch.randn(FEATURES, generator=generator),
        "b_dec": torch.randn(D_MODEL, generator=generator),
        **changes,
    }
    return {name: tensor for name, tensor in layer.items() if tensor is not None}


def write_layers(directory: Path, *layers: Tensors, config: str = "scan: mine\n") -> Folder:
    """Per-layer transcoders in circuit-tracer's layout."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, layer in enumerate(layers):
        save_file(layer, directory / f"layer_{number}.safetensors")
    (directory / "config.yaml").write_text(config)
    return Folder(directory)


def write_cross_layer(
    directory: Path, n_layers: int = 3, config: str = "model_kind: cross_layer_transcoder\n"
) -> list[Tensors]:
    """A cross-layer transcoder in circuit-tracer's layout; returns its tensors, layer by layer."""
    generator = torch.Generator().manual_seed(5)
    written = []
    for layer in range(n_layers):
        found = {
            f"W_enc_{layer}": torch.randn(FEATURES, D_MODEL, generator=generator),
            f"b_enc_{layer}": torch.randn(FEATURES, generator=generator),
            f"b_dec_{layer}": torch.randn(D_MODEL, generator=generator),
            f"threshold_{layer}": torch.rand(FEATURES, generator=generator),
        }
        decoder = {f"W_dec_{layer}": torch.randn(FEATURES, n_layers - layer, D_MODEL, generator=generator)}
        save_file(found, directory / f"W_enc_{layer}.safetensors")
        save_file(decoder, directory / f"W_dec_{layer}.safetensors")
        written.append(found | decoder)
    (directory / "config.yaml").write_text(config)
    return written


def write_folder(folder: Path, weights: str, layer: Tensors, settings: dict[str, Any], name: str = "cfg.json") -> None:
    """A folder with one layer's weights and its settings."""
    folder.mkdir(parents=True)
    save_file({key: tensor.contiguous() for key, tensor in layer.items()}, folder / weights)
    (folder / name).write_text(json.dumps(settings))


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> torch.Tensor:
    """Normally distributed numbers."""
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def activations(found: AnyTranscoders, x: torch.Tensor) -> torch.Tensor:
    """The activations (layers, tokens, features) of all features, where `x` (layers, tokens, d_model) is read."""
    return torch.stack([found.encode(layer, x[layer])[1] for layer in range(found.n_layers)])


def outputs(found: AnyTranscoders, x: torch.Tensor) -> torch.Tensor:
    """What a set writes to each layer (layers, tokens, d_model), from its decoder rows, biases and skip connections."""
    active = activations(found, x)
    written = []
    for layer in range(found.n_layers):
        total = found.decoder_bias(layer).expand(x.shape[1], -1).clone()
        for source in range(layer + 1):
            if layer in found.written_layers(source):
                total += active[source] @ found.decoder_rows(source, torch.arange(found.n_features(source)), layer)
        skip = found.skip(layer)
        written.append(total if skip is None else total + x[layer] @ skip.T)
    return torch.stack(written)


def same_for_some(found: AnyTranscoders, x: torch.Tensor) -> None:
    """Check that reading some features, and their encoder rows, agree with encoding all."""
    features, positions = torch.tensor([4, 1, 0]), torch.tensor([0, 1, 1])
    for layer in range(found.n_layers):
        before, after = found.encode(layer, x[layer])
        some = found.read(layer, features, positions, x[layer][None])
        torch.testing.assert_close(some[0][0], before[positions, features])
        torch.testing.assert_close(some[1][0], after[positions, features])
        rows = found.encoder_rows(layer, features)
        change = x[layer][positions] + 0.5
        moved, _ = found.encode(layer, change)
        torch.testing.assert_close(
            (rows * 0.5).sum(1), moved[torch.arange(3), features] - before[positions, features], rtol=1e-4, atol=1e-5
        )


# Sets in one file for all layers.

LAYERS, TOKENS = 3, 7
PAIRS = [(source, target) for source in range(LAYERS) for target in range(source, LAYERS)]
X = normal(LAYERS, TOKENS, D_MODEL, seed=9)
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def save(root: Path, name: str, found: Tensors) -> None:
    root.mkdir(parents=True, exist_ok=True)
    save_file({key: tensor.contiguous() for key, tensor in found.items()}, root / name)
