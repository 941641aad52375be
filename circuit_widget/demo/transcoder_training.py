"""Trains one JumpReLU transcoder a layer: it reads what the MLP reads and writes what the MLP writes, through few features.

Decoder rows have unit norm, so activations are in units of the MLP's output; one threshold a layer is steered until the wanted number
of features is on. First features are data rows no two of which are alike: copies of one feature would hide each other's ablation.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.multiprocessing as mp
import torch.nn.functional as F
import yaml
from jaxtyping import Float, Int
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from circuit_widget.demo import corpus
from circuit_widget.demo.corpus import Kind, Sentence, Split

SCAN = "circuit-widget-demo"


@dataclass(frozen=True)
class TranscoderRecipe:
    """Everything that decides what the trained transcoders are."""

    features: int = 2048
    features_on: tuple[float, ...] = (12.0, 12.0, 12.0, 12.0)
    steps: int = 2500
    rows: int = 2048
    rate: float = 2e-3
    answer_position_weight: float = 3.0
    alike: float = 0.9
    first_size: float = 0.2
    sentences: int = 40_000
    processes: int = 2
    seed: int = 0


@dataclass(frozen=True)
class Transcoder:
    """The weights of one layer: `encode` gives activations, `decode` the MLP's output."""

    w_enc: Float[Tensor, "features d_model"]
    w_dec: Float[Tensor, "features d_model"]
    b_enc: Float[Tensor, " features"]
    b_dec: Float[Tensor, " d_model"]
    threshold: Float[Tensor, " features"]

    def encode(self, x: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows features"]:
        """JumpReLU: a pre-activation above its feature's threshold stays, any other becomes 0."""
        preactivation = F.linear(x, self.w_enc, self.b_enc)
        return preactivation * (preactivation > self.threshold)

    def decode(self, activation: Float[Tensor, "*rows features"]) -> Float[Tensor, "*rows d_model"]:
        """The reconstructed MLP output."""
        return activation @ self.w_dec + self.b_dec


@dataclass(frozen=True)
class MlpRows:
    """What one layer's MLP reads and writes at many positions, and how often to draw each."""

    read: Float[Tensor, "rows d_model"]
    written: Float[Tensor, "rows d_model"]
    weight: Float[Tensor, " rows"]


@contextmanager
def recorded_mlps(model: LlamaForCausalLM) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Record, while the context is open, what each layer's MLP last read and wrote."""
    recorded: list[tuple[Tensor, Tensor]] = [(torch.empty(0), torch.empty(0))] * model.config.num_hidden_layers

    def record(layer: int) -> object:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            recorded[layer] = (inputs[0].detach(), output.detach())

        return hook

    handles = [block.mlp.register_forward_hook(record(i)) for i, block in enumerate(model.model.layers)]
    try:
        yield recorded
    finally:
        for handle in handles:
            handle.remove()


def collect(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, sentences: Sequence[Sentence], answer_position_weight: float
) -> list[MlpRows]:
    """Every layer's MLP rows over the sentences, BOS left out; kinds weigh as in the corpus' mix, whatever their number."""
    counts = {kind: sum(s.kind is kind for s in sentences) for kind in Kind}
    parts: list[list[tuple[Tensor, Tensor, Tensor]]] = [[] for _ in model.model.layers]
    for start in range(0, len(sentences), 2048):
        chunk = sentences[start : start + 2048]
        whole = tokenizer([s.text for s in chunk], padding=True, return_tensors="pt")
        prompt_length = torch.tensor([len(ids) for ids in tokenizer([s.prompt for s in chunk]).input_ids])
        kept = whole.attention_mask.bool()
        kept[:, 0] = False
        weight = torch.tensor([corpus.MIX[s.kind] / counts[s.kind] for s in chunk])[:, None].repeat(1, kept.shape[1])
        weight[torch.arange(len(chunk)), prompt_length - 1] *= answer_position_weight
        with torch.no_grad(), recorded_mlps(model) as recorded:
            model.model(whole.input_ids)
        for layer, (read, written) in enumerate(recorded):
            parts[layer].append((read[kept], written[kept], weight[kept]))
    return [MlpRows(*(torch.cat(column) for column in zip(*part, strict=True))) for part in parts]


def train_transcoder(rows: MlpRows, recipe: TranscoderRecipe, features_on: float, seed: int) -> Transcoder:
    """Train one layer's transcoder on its MLP rows, both sides scaled to unit variance while training."""
    share = rows.weight[:, None] / rows.weight.sum()
    read_scale, written_scale = (
        (share * (x - (share * x).sum(0)).pow(2)).sum().div(x.shape[1]).sqrt().item() for x in (rows.read, rows.written)
    )
    scaled = MlpRows(rows.read / read_scale, rows.written / written_scale, rows.weight)
    trained = _train_scaled(scaled, recipe, features_on, torch.Generator().manual_seed(seed))
    return Transcoder(
        trained.w_enc * (written_scale / read_scale),
        trained.w_dec,
        trained.b_enc * written_scale,
        trained.b_dec * written_scale,
        trained.threshold * written_scale,
    )


def _train_scaled(rows: MlpRows, recipe: TranscoderRecipe, features_on: float, generator: torch.Generator) -> Transcoder:
    state = _first_features(rows, recipe, generator)
    parameters = [state.w_enc, state.w_dec, state.b_enc, state.b_dec]
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(parameters, lr=recipe.rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, (s + 1) / 50, 2 * (1 - s / recipe.steps)))
    last_on = torch.zeros(recipe.features)
    for step, chosen in enumerate(_draws(rows.weight, recipe, generator)):
        x, y = rows.read[chosen], rows.written[chosen]
        with torch.autocast("cpu", torch.bfloat16):
            activation = state.encode(x)
            error = y - state.decode(activation)
        loss = error.float().pow(2).mean()
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        with torch.no_grad():
            on = activation > 0
            last_on[on.any(0)] = step
            state.w_dec.div_(state.w_dec.norm(dim=1, keepdim=True))
            rate = 0.05 if step < 200 else 0.01
            ratio = on.sum().item() / len(x) / features_on
            state.threshold.mul_(math.exp(rate * max(-1.0, min(1.0, ratio - 1.0))))
            if step % 100 == 99 and step < 0.7 * recipe.steps:
                _revive((step - last_on) > 150, state, optimizer, x, error.float(), last_on, step)
    return Transcoder(*(t.detach() for t in (*parameters, state.threshold)))


def _draws(weight: Tensor, recipe: TranscoderRecipe, generator: torch.Generator) -> Iterator[Int[Tensor, " rows"]]:
    cumulative = weight.double().cumsum(0)
    for _ in range(recipe.steps):
        place = torch.rand(recipe.rows, generator=generator, dtype=torch.float64) * cumulative[-1]
        yield torch.searchsorted(cumulative, place).clamp(max=len(weight) - 1)


def _first_features(rows: MlpRows, recipe: TranscoderRecipe, generator: torch.Generator) -> Transcoder:
    """Start every feature on a data row of its own; rows too alike in what is read or written are passed over."""
    mean_read, mean_written = rows.read.mean(0), rows.written.mean(0)
    candidates = torch.multinomial(rows.weight, min(8 * recipe.features, len(rows.weight)), generator=generator)
    read, written = rows.read[candidates] - mean_read, rows.written[candidates] - mean_written
    direction = F.normalize(read, dim=1)
    chosen: list[int] = []
    similar = torch.zeros(len(candidates))
    for index in range(len(candidates)):
        if similar[index] < recipe.alike and len(chosen) < recipe.features:
            chosen.append(index)
            torch.maximum(similar, direction @ direction[index], out=similar)
    missing = recipe.features - len(chosen)
    picks = torch.tensor(chosen)
    size = written[picks].norm(dim=1)
    w_enc = recipe.first_size * direction[picks] * (size / read[picks].norm(dim=1))[:, None]
    w_dec = F.normalize(written[picks], dim=1)
    if missing:
        w_enc = torch.cat([w_enc, 0.05 * torch.randn(missing, w_enc.shape[1], generator=generator)])
        w_dec = torch.cat([w_dec, F.normalize(torch.randn(missing, w_dec.shape[1], generator=generator), dim=1)])
    threshold = torch.full((recipe.features,), 0.3 * recipe.first_size * size.mean().item())
    return Transcoder(w_enc, w_dec, -w_enc @ mean_read, mean_written.clone(), threshold)


def _revive(
    dead: Tensor, state: Transcoder, optimizer: torch.optim.Optimizer, x: Tensor, error: Tensor, last_on: Tensor, step: int
) -> None:
    """Restart dead features on the rows reconstructed worst."""
    places = dead.nonzero()[:, 0][:64]
    if not len(places):
        return
    worst = error.norm(dim=1).topk(min(4 * len(places), len(x))).indices
    worst = worst[torch.randperm(len(worst), generator=torch.Generator().manual_seed(step))][: len(places)]
    places = places[: len(worst)]
    centred = x[worst] - x.mean(0)
    size = error[worst].norm(dim=1, keepdim=True)
    state.w_enc[places] = F.normalize(centred, dim=1) * torch.maximum(size, 2 * state.threshold[0]) / centred.norm(dim=1, keepdim=True)
    state.b_enc[places] = -(state.w_enc[places] @ x.mean(0))
    state.w_dec[places] = F.normalize(error[worst], dim=1)
    for parameter in (state.w_enc, state.b_enc, state.w_dec):
        for moment in ("exp_avg", "exp_avg_sq"):
            optimizer.state[parameter][moment][places] = 0.0
    last_on[places] = step


def train_transcoders(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, recipe: TranscoderRecipe, folder: Path
) -> None:
    """Train every layer's transcoder, `recipe.processes` at a time, and save them in circuit-tracer's per-layer layout."""
    sentences = list(corpus.select(Kind, (Split.TRAIN, Split.CHOOSE)))
    random.Random(recipe.seed).shuffle(sentences)
    sentences = sentences[: recipe.sentences]
    layers = collect(model, tokenizer, sentences, recipe.answer_position_weight)
    for rows in layers:
        for tensor in (rows.read, rows.written, rows.weight):
            tensor.share_memory_()
    folder.mkdir(parents=True, exist_ok=True)
    mp.spawn(_train_layers, (layers, recipe, folder), nprocs=recipe.processes)
    settings = {
        "model_name": "circuit-widget-demo",
        "model_kind": "transcoder_set",
        "feature_input_hook": "mlp.hook_in",
        "feature_output_hook": "mlp.hook_out",
        "scan": SCAN,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def _train_layers(rank: int, layers: list[MlpRows], recipe: TranscoderRecipe, folder: Path) -> None:
    torch.set_num_threads(1)
    for layer in range(rank, len(layers), recipe.processes):
        transcoder = train_transcoder(layers[layer], recipe, recipe.features_on[layer], recipe.seed + layer)
        save_transcoder(transcoder, folder / f"layer_{layer}.safetensors")


def save_transcoder(transcoder: Transcoder, path: Path) -> None:
    """Write one layer in half precision."""
    tensors = {
        "W_enc": transcoder.w_enc,
        "W_dec": transcoder.w_dec,
        "b_enc": transcoder.b_enc,
        "b_dec": transcoder.b_dec,
        "activation_function.threshold": transcoder.threshold,
    }
    save_file({name: tensor.half().contiguous() for name, tensor in tensors.items()}, path)
