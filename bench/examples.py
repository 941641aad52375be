"""Measure how fast examples are collected, beside a plain forward pass, and how fast a card is read.

`python -m bench.examples` prints tokens a second on SmolLM2-135M-Instruct (from the cache of the tests or fetched) with
random transcoders of 30 layers x 2,048 features and with its neurons, then the time of one card among 500,000 features.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from bench.measuring import Times
from circuit_widget.examples import collect
from circuit_widget.examples.batch import WindowBatch, batches_of
from circuit_widget.examples.forward import empty_states, run_batch
from circuit_widget.examples.layer_file import write_layer
from circuit_widget.examples.layer_state import LayerState
from circuit_widget.examples.manifest import Manifest, Source
from circuit_widget.examples.reader import ExampleReader
from circuit_widget.loading import load
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.transcoder.activation import JumpReLU
from circuit_widget.transcoder.per_layer import PerLayerTranscoder, PerLayerTranscoders
from tests.real.smollm2 import model_directory

FEATURES = 2_048


@dataclass(frozen=True)
class Rate:
    """Tokens a second, and a CPU second: the latter says more where other programs run."""

    wall: float
    cpu: float

    @classmethod
    def of(cls, batches: list[WindowBatch], times: Times) -> Rate:
        """Return the rate of the tokens of batches, padding left out."""
        tokens = sum(batch.n_tokens for batch in batches)
        return cls(tokens / sum(times.wall), tokens / sum(times.cpu))

    def row(self, name: str, plain: Rate) -> str:
        """Return a row of the table."""
        return (
            f"{name:<34}{self.wall:>10,.0f}{self.wall / plain.wall:>8.0%}{self.cpu:>14,.0f}{self.cpu / plain.cpu:>8.0%}"
        )


def random_transcoders(model: ReplacementModel, n_features: int, threshold: float) -> PerLayerTranscoders:
    """Return transcoders with random encoders, in units of what the MLPs read."""
    generator, width = torch.Generator().manual_seed(0), model.model.d_model

    def layer() -> PerLayerTranscoder:
        return PerLayerTranscoder(
            encoder=torch.randn(n_features, width, generator=generator) / width**0.5,
            encoder_bias=torch.zeros(n_features),
            decoder=torch.zeros(n_features, width),
            decoder_bias=torch.zeros(width),
            activation=JumpReLU(torch.full((n_features,), threshold)),
        )

    layers = tuple(layer() for _ in range(model.n_layers))
    return PerLayerTranscoders("random", layers, "mlp_input", "mlp_output")


def texts_of(model: ReplacementModel, tokens: int) -> list[list[int]]:
    """Return windows of random tokens, of the lengths of sentences, paragraphs and pages."""
    generator = torch.Generator().manual_seed(1)
    lengths = (32, 96, 256)
    windows: list[list[int]] = []
    while sum(len(window) for window in windows) < tokens:
        length = lengths[len(windows) % 3]
        windows.append(torch.randint(5, model.model.n_embeddings, (length,), generator=generator).tolist())
    return windows


def plain(model: ReplacementModel, windows: list[list[int]]) -> Rate:
    """Return the speed of transformers' own forward pass, logits and all, in the same batches."""
    batches = list(batches_of(windows, collect.BATCH_TOKENS, 1, lambda token: token))
    with torch.inference_mode():
        model.model.network(input_ids=batches[0].tokens, use_cache=False)
        times = Times()
        for batch in batches:
            times.take(partial(model.model.network, input_ids=batch.tokens, use_cache=False))
    return Rate.of(batches, times)


def collecting(model: ReplacementModel, windows: list[list[int]]) -> Rate:
    """Return the speed of forward passes with examples, from nothing, without saving."""
    batches = list(batches_of(windows, collect.BATCH_TOKENS, 1, lambda token: token))
    states = empty_states(model.model, model.transcoders)
    times = Times()
    for batch in batches:
        times.take(partial(run_batch, model.model, model.transcoders, batch, states))
    return Rate.of(batches, times)


def speed(tokens: int) -> None:
    """Print tokens a second."""
    neurons = load(model_directory(), "neurons", device="cpu", dtype="float32")
    windows = texts_of(neurons, tokens)
    sparse = ReplacementModel(neurons.model, random_transcoders(neurons, FEATURES, 2.05))
    dense = ReplacementModel(neurons.model, random_transcoders(neurons, FEATURES, 0.0))
    print(f"{torch.get_num_threads()} threads, {sum(map(len, windows)):,} tokens")
    print(f"{'':<34}{'tokens/s':>10}{'of plain':>8}{'tokens/CPU s':>14}{'of plain':>8}")
    before = plain(neurons, windows)
    print(before.row("plain forward pass", before), flush=True)
    named = {
        "sparse features, 30 x 2,048": sparse,
        "half of them active": dense,
        "neurons, 30 x 1,536, both signs": neurons,
    }
    for name, model in named.items():
        print(collecting(model, windows).row(name, before), flush=True)
    print(plain(neurons, windows).row("plain forward pass, again", before))


def card(n_layers: int, n_features: int) -> None:
    """Print how long one card takes to read, of many features with all their examples."""
    folder = Path(tempfile.mkdtemp(prefix="examples"))
    try:
        texts = Source("texts", "", tokens=100_000)
        manifest = Manifest({}, "model", "transcoders", (n_features,) * n_layers, False, 256, sources=(texts,))
        state = LayerState.empty(0, n_features, signed=False, device=torch.device("cpu"))
        generator = torch.Generator().manual_seed(0)
        state.active.fill_(1_000)
        side = state.sides[0]
        side.histograms.exponents.fill_(4)
        side.histograms.counts.random_(0, 50, generator=generator)
        for slots in (side.strongest.slots, side.levels.slots):
            slots.values.uniform_(0.1, 15.9, generator=generator)
            slots.activations.uniform_(0, 10, generator=generator)
            slots.tokens.random_(0, 40_000, generator=generator)
        for layer in range(n_layers):
            write_layer(state, manifest.file_of(folder, layer))
        size = sum(path.stat().st_size for path in folder.iterdir())
        first, later = Times(), Times()
        for layer in range(n_layers):
            reader = ExampleReader(folder, manifest, str)
            for feature, times in ((n_features // 3, first), (n_features // 2, later), (n_features - 1, later)):
                times.take(partial(reader.of, layer, feature))
        print(f"\n{n_layers * n_features:,} features, {size / 1e9:.1f} GB; median of a card")
        for name, times in (("first card of a layer", first), ("further cards", later)):
            wall, cpu = times.median()
            print(f"{name:<24}{1000 * wall:>6.1f} ms, {1000 * cpu:.1f} ms of CPU time")
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Measure collecting, then reading."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--tokens", type=int, default=20_000, help="how many tokens are run")
    parser.add_argument("--layers", type=int, default=26, help="how many layers cards are read from")
    parser.add_argument("--features", type=int, default=19_456, help="how many features each of these has")
    chosen = parser.parse_args()
    speed(chosen.tokens)
    card(chosen.layers, chosen.features)


if __name__ == "__main__":
    main()
