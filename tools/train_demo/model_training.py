"""Trains the language model on the corpus: Muon for the matrices, AdamW for the norms, the embeddings random and frozen.

Narrow attention (four heads of size 8) and fixed embeddings leave the look-up of a city's state to the MLPs at the city itself,
where transcoders can see it. Without attention in the first layer its MLP reads single words, and all that is known of a word passes
through it. Label smoothing keeps probabilities below one, so that an intervention moves them.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from circuit_widget.demo import corpus
from circuit_widget.demo.corpus import Kind, Sentence, Split
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.system.atomic_write import write_bytes
from tools.train_demo.tokenizer import build_tokenizer


@dataclass(frozen=True)
class ModelRecipe:
    """Everything that decides what the trained model is.

    `other_tokens_share` is the share of the tokens before the answer whose loss is computed; `words_unread` the share of words whose
    embedding is zero, so that the model also learns an answer for questions with a missing part.
    """

    layers: int = 4
    d_model: int = 128
    d_mlp: int = 512
    heads: int = 4
    head_size: int = 8
    rope_theta: float = 1000.0
    first_attention: bool = False
    steps: int = 3300
    rows: int = 256
    processes: int = 2
    matrix_rate: float = 0.02
    norm_rate: float = 0.002
    weight_decay: float = 0.1
    constant_until: float = 0.5
    other_tokens_weight: float = 0.1
    other_tokens_share: float = 0.3
    label_smoothing: float = 0.1
    words_unread: float = 0.03
    seed: int = 0


@dataclass(frozen=True)
class Rows:
    """Sentences as token ids, padded on the right; `weight` is the loss weight of predicting each token, `read` 0 at unread words."""

    tokens: Int[Tensor, "rows positions"]
    read: Float[Tensor, "rows positions"]
    weight: Float[Tensor, "rows positions"]
    answer: Float[Tensor, "rows positions"]
    length: Int[Tensor, " rows"]


def encode_sentences(
    tokenizer: PreTrainedTokenizerFast, sentences: Sequence[Sentence], other_tokens_weight: float
) -> Rows:
    """Encode whole sentences and mark their answers."""
    whole = tokenizer([s.text for s in sentences], padding=True, return_tensors="pt")
    prompt_length = torch.tensor([len(ids) for ids in tokenizer([s.prompt for s in sentences]).input_ids])
    length = whole.attention_mask.sum(1)
    position = torch.arange(whole.input_ids.shape[1])
    is_answer = (position >= prompt_length[:, None]) & (position < length[:, None] - 1)
    answer = is_answer.float()
    weight = torch.where(is_answer, 1.0, other_tokens_weight) * whole.attention_mask
    return Rows(whole.input_ids, torch.ones_like(weight), weight, answer, length)


def new_model(recipe: ModelRecipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained model whose embeddings, tied to the unembedding, are random with unit norm on average and never change."""
    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.d_model,
        intermediate_size=recipe.d_mlp,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        head_dim=recipe.head_size,
        max_position_embeddings=64,
        rope_parameters={"rope_type": "default", "rope_theta": recipe.rope_theta},
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.convert_tokens_to_ids("."),
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    embedding: nn.Parameter = model.model.embed_tokens.weight
    with torch.no_grad():
        embedding.normal_(0.0, recipe.d_model**-0.5)
    embedding.requires_grad_(False)
    for parameter in unused(model, recipe):
        with torch.no_grad():
            parameter.zero_()
        parameter.requires_grad_(False)
    return model


def unused(model: LlamaForCausalLM, recipe: ModelRecipe) -> list[nn.Parameter]:
    """The parameters that stay zero: without attention in the first layer, the first MLP reads single words."""
    return [] if recipe.first_attention else [model.model.layers[0].self_attn.o_proj.weight]


def train_model(recipe: ModelRecipe, folder: Path, log: Path | None = None) -> None:
    """Train on the corpus' training split and save model and tokenizer, in half precision, into `folder`.

    `recipe.processes` processes of one thread each average their gradients: two threads of one process are slower on a busy machine.
    """
    rendezvous = folder.parent / f".{folder.name}.rendezvous"
    rendezvous.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    spawn(_train_process, (recipe, folder, rendezvous, log), nprocs=recipe.processes)
    rendezvous.unlink(missing_ok=True)


def _train_process(rank: int, recipe: ModelRecipe, folder: Path, rendezvous: Path, log: Path | None) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=recipe.processes)
    tokenizer = build_tokenizer()
    model = new_model(recipe, tokenizer)
    batches = _Batches(recipe, tokenizer, rank)
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim == 2]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim == 1]
    optimizers = [
        torch.optim.Muon(matrices, lr=recipe.matrix_rate, weight_decay=recipe.weight_decay),
        torch.optim.AdamW(vectors, lr=recipe.norm_rate, weight_decay=0.0, betas=(0.9, 0.98)),
    ]
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, lambda step: rate_at(step, recipe)) for o in optimizers]
    started, running = time.monotonic(), 0.0
    for step in range(recipe.steps):
        loss = _step(model, batches.next(), recipe)
        gradients = [p.grad for p in (*matrices, *vectors) if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient) / recipe.processes)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        running = loss if step == 0 else 0.98 * running + 0.02 * loss
        if rank == 0 and log is not None and (step % 50 == 0 or step == recipe.steps - 1):
            with log.open("a") as file:
                print(f"step {step} loss {running:.4f} seconds {time.monotonic() - started:.0f}", file=file)
    if rank == 0:
        save_model(model, tokenizer, folder)
    dist.barrier()
    dist.destroy_process_group()


def rate_at(step: int, recipe: ModelRecipe) -> float:
    """Learning rate as a share of its peak: a short warm-up, constant, then linear to zero."""
    done = step / recipe.steps
    return min(1.0, (step + 1) / 50, (1.0 - done) / (1.0 - recipe.constant_until))


def _step(model: LlamaForCausalLM, rows: Rows, recipe: ModelRecipe) -> float:
    """Accumulate the gradient of one batch; rows of like length run together, so that little is computed on padding."""
    order = rows.length.argsort()
    n_rows, total = len(order), 0.0
    for part in order.split(math.ceil(n_rows / 3)):
        width = int(rows.length[part].max())
        tokens, read, weight, answer = (x[part, :width] for x in (rows.tokens, rows.read, rows.weight, rows.answer))
        embedded = model.model.embed_tokens(tokens) * read[:, :, None]
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model.model(inputs_embeds=embedded).last_hidden_state
            wanted = weight[:, 1:] > 0
            logits = model.lm_head(hidden[:, :-1][wanted])
        target, is_answer = tokens[:, 1:][wanted], answer[:, 1:][wanted]
        losses = smoothed_loss(logits.float(), target, is_answer * recipe.label_smoothing)
        loss = (losses * weight[:, 1:][wanted]).sum() / n_rows
        loss.backward()
        total += loss.item()
    return total


def smoothed_loss(
    logits: Float[Tensor, "rows vocabulary"], target: Int[Tensor, " rows"], smoothing: Float[Tensor, " rows"]
) -> Float[Tensor, " rows"]:
    """Cross entropy with a label smoothing of its own for every row."""
    log_probability = F.log_softmax(logits, -1)
    hit = log_probability.gather(1, target[:, None])[:, 0]
    return -(1 - smoothing) * hit - smoothing * log_probability.mean(1)


def save_model(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write model and tokenizer as any Hugging Face folder, weights in half precision."""
    model = model.half()
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.convert_tokens_to_ids("."),
        pad_token_id=tokenizer.pad_token_id,
        max_new_tokens=8,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    say_it_for_older_transformers(folder)


def say_it_for_older_transformers(folder: Path) -> None:
    """Add to a saved model the names that transformers 4 knows its rotary base and its tokenizer's class by."""
    for name, extra in (
        ("config.json", lambda saved: {"rope_theta": saved["rope_parameters"]["rope_theta"]}),
        ("tokenizer_config.json", lambda _: {"tokenizer_class": "PreTrainedTokenizerFast"}),
    ):
        saved = json.loads((folder / name).read_text(encoding="utf-8"))
        text = json.dumps(saved | extra(saved), indent=2, sort_keys=True, ensure_ascii=False)
        write_bytes(folder / name, f"{text}\n".encode(), "settings file", CircuitWidgetError)


class _Batches:
    """Draws one process's share of every batch: kinds by the corpus' mix, sentences of a kind alike."""

    def __init__(self, recipe: ModelRecipe, tokenizer: PreTrainedTokenizerFast, rank: int) -> None:
        sentences = corpus.select(Kind, Split.TRAIN)
        self.rows = encode_sentences(tokenizer, sentences, recipe.other_tokens_weight)
        self.members = {
            kind: torch.tensor([i for i, s in enumerate(sentences) if s.kind is kind]) for kind in corpus.MIX
        }
        self.share = recipe.other_tokens_share
        self.unread = recipe.words_unread
        self.count = recipe.rows // recipe.processes
        self.generator = torch.Generator().manual_seed(1000 * recipe.seed + rank)

    def next(self) -> Rows:
        mix = torch.tensor(list(corpus.MIX.values()))
        counts = torch.multinomial(mix, self.count, replacement=True, generator=self.generator).bincount(
            minlength=len(mix)
        )
        chosen = torch.cat(
            [
                members[torch.randint(len(members), (int(n),), generator=self.generator)]
                for members, n in zip(self.members.values(), counts, strict=True)
            ]
        )
        tokens, weight, answer, length = (
            x[chosen] for x in (self.rows.tokens, self.rows.weight, self.rows.answer, self.rows.length)
        )
        computed = torch.rand(weight.shape, generator=self.generator) < self.share
        read = (torch.rand(weight.shape, generator=self.generator) >= self.unread).float()
        read[:, 0] = 1.0
        return Rows(tokens, read, torch.where(answer > 0, weight, weight * computed / self.share), answer, length)
