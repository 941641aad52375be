"""Trains one JumpReLU transcoder a layer: it reads what the MLP reads and writes what the MLP writes, through few features.

Decoder rows have unit norm, so activations are in units of the MLP's output; one threshold a layer is steered until the wanted number
of features is on. The first features must also reconstruct alone (as in Matryoshka autoencoders, Bussmann et al. 2025): they
learn what many rows share, such as a state, which would otherwise be split into one feature for each of its cities.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import torch
import torch.nn.functional as F
import yaml
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from circuit_widget.demo import corpus
from circuit_widget.demo.corpus import Kind, Split
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.system.atomic_write import write_bytes
from tools.train_demo.mlp_rows import MlpRows, WeightedPrompt, collect, weighted
from tools.train_demo.transcoder import Transcoder, save_transcoder
from tools.train_demo.word_transcoder import WordRecipe, train_word_transcoder, words_of

SCAN = "circuit-widget-demo"

Mlp: TypeAlias = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class LayerRecipe:
    """What is chosen for each layer above the first.

    `rare_tokens` is the power by which rare tokens weigh more; `blend` how far half of the rows are moved towards another row; `shared`
    the share of features that must reconstruct as well as they can without the others, with `shared_weight` in the loss.
    """

    features: int = 1536
    features_on: float = 14.0
    steps: int = 2200
    rare_tokens: float = 0.25
    blend: float = 0.2
    shared: float = 0.3
    shared_weight: float = 2.0
    first_size: float = 0.1


@dataclass(frozen=True)
class TranscoderRecipe:
    """Everything that decides what the trained transcoders are: `words` the first, `layers` those above it.

    `beyond` is how much of its cluster a single row's first feature leaves out.
    """

    words: WordRecipe = field(default_factory=WordRecipe)
    layers: tuple[LayerRecipe, ...] = (LayerRecipe(), LayerRecipe(steps=1000), LayerRecipe())
    rows: int = 2048
    rate: float = 4e-3
    answer_position_weight: float = 4.0
    mixed_weight: float = 0.15
    alike: float = 0.8
    beyond: float = 0.8
    sentences: int = 20_000
    processes: int = 2
    seed: int = 0


def training_prompts(recipe: TranscoderRecipe) -> list[WeightedPrompt]:
    """What transcoders are trained on: the sentences of the splits train and choose, and the mixed questions."""
    rng = random.Random(recipe.seed)
    sentences = list(corpus.select(Kind, (Split.TRAIN, Split.CHOOSE)))
    mixed = corpus.mixed_questions()
    weight = recipe.mixed_weight / len(mixed)
    chosen = weighted(rng.sample(sentences, min(len(sentences), recipe.sentences)))
    return chosen + [
        WeightedPrompt(text, text, weight) for text in rng.sample(mixed, min(len(mixed), recipe.sentences))
    ]


def train_transcoder(rows: MlpRows, mlp: Mlp, recipe: TranscoderRecipe, layer: int) -> Transcoder:
    """Train one layer's transcoder on its MLP rows, both sides scaled to unit variance while training; layers count from the second.

    Half of each batch is blended: moved some of the way to another row, `mlp` gives what is written there.
    """
    share = rows.weight[:, None] / rows.weight.sum()
    read_scale, written_scale = (
        (share * (x - (share * x).sum(0)).pow(2)).sum().div(x.shape[1]).sqrt().item() for x in (rows.read, rows.written)
    )
    scaled = MlpRows(rows.read / read_scale, rows.written / written_scale, rows.weight)

    def scaled_mlp(x: Tensor) -> Tensor:
        written: Tensor = mlp(x * read_scale)
        return written / written_scale

    trained = _train_scaled(scaled, scaled_mlp, recipe, layer, torch.Generator().manual_seed(recipe.seed + layer + 1))
    trained = _without_dead(trained, scaled.read)
    return Transcoder(
        trained.w_enc * (written_scale / read_scale),
        trained.w_dec,
        trained.b_enc * written_scale,
        trained.b_dec * written_scale,
        trained.threshold * written_scale,
    )


def _train_scaled(
    rows: MlpRows, mlp: Mlp, recipe: TranscoderRecipe, layer: int, generator: torch.Generator
) -> Transcoder:
    own = recipe.layers[layer]
    state = _first_features(rows, recipe, own, generator)
    parameters = [state.w_enc, state.w_dec, state.b_enc, state.b_dec]
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(parameters, lr=recipe.rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, (s + 1) / 50, 2 * (1 - s / own.steps)))
    last_on = torch.zeros(own.features)
    shared = round(own.shared * own.features)
    for step, chosen in enumerate(_draws(rows.weight, recipe.rows, own.steps, generator)):
        x, y = _blended(rows.read[chosen], rows.written[chosen], mlp, own.blend, generator)
        with torch.autocast("cpu", torch.bfloat16):
            activation = state.encode(x)
            error = y - state.decode(activation)
            shared_error = y - state.b_dec - activation[:, :shared] @ state.w_dec[:shared]
        loss = error.float().pow(2).mean() + own.shared_weight * shared_error.float().pow(2).mean()
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        with torch.no_grad():
            on = activation > 0
            last_on[on.any(0)] = step
            state.w_dec.div_(state.w_dec.norm(dim=1, keepdim=True).clamp(min=1e-6))
            rate = 0.05 if step < 200 else 0.01
            ratio = on.sum().item() / len(x) / own.features_on
            state.threshold.mul_(math.exp(rate * max(-1.0, min(1.0, ratio - 1.0))))
            if step % 100 == 99 and step < 0.7 * own.steps:
                _revive((step - last_on) > 150, state, optimizer, x, error.float(), last_on, step)
    return Transcoder(*(t.detach() for t in (*parameters, state.threshold)))


def _blended(
    x: Float[Tensor, "rows d_model"],
    y: Float[Tensor, "rows d_model"],
    mlp: Mlp,
    blend: float,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "rows d_model"], Float[Tensor, "rows d_model"]]:
    """The batch with its first half blended into its second half, by up to `blend` of the way."""
    half = len(x) // 2
    share = blend * torch.rand(half, 1, generator=generator)
    moved = x[:half] + share * (x[half : 2 * half] - x[:half])
    with torch.no_grad():
        written = mlp(moved)
    return torch.cat([moved, x[half:]]), torch.cat([written, y[half:]])


def _draws(weight: Tensor, rows: int, steps: int, generator: torch.Generator) -> Iterator[Int[Tensor, " rows"]]:
    cumulative = weight.double().cumsum(0)
    for _ in range(steps):
        target = torch.rand(rows, generator=generator, dtype=torch.float64) * cumulative[-1]
        yield torch.searchsorted(cumulative, target).clamp(max=len(weight) - 1)


def _without_dead(transcoder: Transcoder, read: Float[Tensor, "rows d_model"]) -> Transcoder:
    """Leave out features that are on in no row."""
    alive = torch.zeros(len(transcoder.threshold), dtype=torch.bool)
    for part in read.split(8192):
        alive |= (transcoder.encode(part) > 0).any(0)
    return Transcoder(
        transcoder.w_enc[alive],
        transcoder.w_dec[alive],
        transcoder.b_enc[alive],
        transcoder.b_dec,
        transcoder.threshold[alive],
    )


def _first_features(
    rows: MlpRows, recipe: TranscoderRecipe, own: LayerRecipe, generator: torch.Generator
) -> Transcoder:
    """Start some features on clusters of what is written, so that rows with one meaning share a feature.

    The others start on what single rows write beyond their cluster; rows too alike in what is read are passed over.
    """
    mean_read, mean_written = rows.read.mean(0), rows.written.mean(0)
    candidates = torch.multinomial(
        rows.weight, min(8 * own.features, int((rows.weight > 0).sum())), generator=generator
    )
    read, written = rows.read[candidates] - mean_read, rows.written[candidates] - mean_written
    clusters = round(own.shared * own.features)
    member = _clusters(F.normalize(written, dim=1), clusters)
    shared_read, shared_written = (
        torch.zeros(clusters, x.shape[1]).index_add(0, member, x)
        / member.bincount(minlength=clusters).clamp(min=1)[:, None]
        for x in (read, written)
    )
    picks = _unlike(F.normalize(read, dim=1), recipe.alike, own.features - clusters)
    beyond = written[picks] - recipe.beyond * shared_written[member[picks]]
    first_read, first_written = torch.cat([shared_read, read[picks]]), torch.cat([shared_written, beyond])
    missing = own.features - len(first_read)
    first_read, first_written = (F.pad(x, (0, 0, 0, missing)) for x in (first_read, first_written))
    empty = (first_read.norm(dim=1) < 1e-3) | (first_written.norm(dim=1) < 1e-3)
    for first in (first_read, first_written):
        first[empty] = torch.randn(int(empty.sum()), first.shape[1], generator=generator)
    size = own.first_size * first_written.norm(dim=1)
    w_enc = first_read * (size / first_read.pow(2).sum(1).clamp(min=1e-6))[:, None]
    threshold = torch.full((own.features,), 0.3 * size.mean().item())
    return Transcoder(w_enc, F.normalize(first_written, dim=1), -w_enc @ mean_read, mean_written.clone(), threshold)


def _clusters(direction: Float[Tensor, "rows d_model"], count: int) -> Int[Tensor, " rows"]:
    """Spherical k-means from centres that are unlike each other: the number of each row's cluster, below `count`."""
    centres = direction[_unlike(direction, 0.5, count)]
    member = (direction @ centres.T).argmax(1)
    for _ in range(12):
        centres = F.normalize(torch.zeros_like(centres).index_add(0, member, direction), dim=1)
        member = (direction @ centres.T).argmax(1)
    return member


def _unlike(direction: Float[Tensor, "rows d_model"], alike: float, count: int) -> Int[Tensor, " picked"]:
    """Up to `count` rows of which no two have a cosine of `alike` or more."""
    chosen: list[int] = []
    similar = torch.zeros(len(direction))
    for index in range(len(direction)):
        if similar[index] < alike and len(chosen) < count:
            chosen.append(index)
            torch.maximum(similar, direction @ direction[index], out=similar)
    return torch.tensor(chosen, dtype=torch.long)


def _revive(
    dead: Tensor,
    state: Transcoder,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    error: Tensor,
    last_on: Tensor,
    step: int,
) -> None:
    """Restart dead features on the rows reconstructed worst."""
    indices = dead.nonzero()[:, 0][:64]
    if not len(indices):
        return
    worst = error.norm(dim=1).topk(min(4 * len(indices), len(x))).indices
    worst = worst[torch.randperm(len(worst), generator=torch.Generator().manual_seed(step))][: len(indices)]
    indices = indices[: len(worst)]
    centred = x[worst] - x.mean(0)
    size = error[worst].norm(dim=1, keepdim=True)
    state.w_enc[indices] = (
        F.normalize(centred, dim=1) * torch.maximum(size, 2 * state.threshold[0]) / centred.norm(dim=1, keepdim=True)
    )
    state.b_enc[indices] = -(state.w_enc[indices] @ x.mean(0))
    state.w_dec[indices] = F.normalize(error[worst], dim=1)
    for parameter in (state.w_enc, state.b_enc, state.w_dec):
        for moment in ("exp_avg", "exp_avg_sq"):
            optimizer.state[parameter][moment][indices] = 0.0
    last_on[indices] = step


def train_transcoders(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, recipe: TranscoderRecipe, folder: Path
) -> None:
    """Train every layer's transcoder, `recipe.processes` at a time, and save them in circuit-tracer's per-layer layout."""
    folder.mkdir(parents=True, exist_ok=True)
    words = words_of(model, tokenizer.all_special_ids)
    save_transcoder(train_word_transcoder(words, recipe.words), folder / "layer_0.safetensors")
    rare_tokens = (0.0, *(own.rare_tokens for own in recipe.layers))
    layers = collect(model, tokenizer, training_prompts(recipe), recipe.answer_position_weight, rare_tokens)[1:]
    for rows in layers:
        for tensor in (rows.read, rows.written, rows.weight):
            tensor.share_memory_()
    mlps = [block.mlp for block in model.model.layers[1:]]
    spawn(_train_layers, (layers, mlps, recipe, folder), nprocs=recipe.processes)
    settings = {
        "model_name": "circuit-widget-demo",
        "model_kind": "transcoder_set",
        "feature_input_hook": "mlp.hook_in",
        "feature_output_hook": "mlp.hook_out",
        "scan": SCAN,
    }
    text = yaml.safe_dump(settings, sort_keys=False)
    write_bytes(folder / "config.yaml", text.encode(), "settings file", CircuitWidgetError)


def _train_layers(
    rank: int, layers: list[MlpRows], mlps: list[nn.Module], recipe: TranscoderRecipe, folder: Path
) -> None:
    torch.set_num_threads(1)
    for layer in range(rank, len(layers), recipe.processes):
        transcoder = train_transcoder(layers[layer], mlps[layer], recipe, layer)
        save_transcoder(transcoder, folder / f"layer_{layer + 1}.safetensors")
