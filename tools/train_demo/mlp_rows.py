"""What the MLPs of a language model read and write on many prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from circuit_widget.demo import corpus
from circuit_widget.demo.corpus import Sentence


@dataclass(frozen=True)
class WeightedPrompt:
    """A prompt, the text it is run with, and how much it counts."""

    prompt: str
    text: str
    weight: float


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
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[WeightedPrompt],
    last_weight: float = 1.0,
    rare_tokens: Sequence[float] | None = None,
) -> list[MlpRows]:
    """Every layer's MLP rows over the prompts, BOS left out.

    The position that answers weighs `last_weight` times as much; in each layer a token's weight is multiplied by its share of all
    tokens to the power of `-rare_tokens`.
    """
    parts: list[list[tuple[Tensor, Tensor, Tensor]]] = [[] for _ in model.model.layers]
    token_parts = []
    for start in range(0, len(prompts), 2048):
        chunk = prompts[start : start + 2048]
        whole = tokenizer([p.text for p in chunk], padding=True, return_tensors="pt")
        prompt_length = torch.tensor([len(ids) for ids in tokenizer([p.prompt for p in chunk]).input_ids])
        kept = whole.attention_mask.bool()
        kept[:, 0] = False
        weight = torch.tensor([p.weight for p in chunk])[:, None].repeat(1, kept.shape[1])
        weight[torch.arange(len(chunk)), prompt_length - 1] *= last_weight
        token_parts.append(whole.input_ids[kept])
        with torch.no_grad(), recorded_mlps(model) as recorded:
            model.model(whole.input_ids)
        for layer, (read, written) in enumerate(recorded):
            parts[layer].append((read[kept], written[kept], weight[kept]))
    tokens = torch.cat(token_parts)
    layers = []
    for part, power in zip(parts, rare_tokens or [0.0] * len(parts), strict=True):
        read, written, weight = (torch.cat(column) for column in zip(*part, strict=True))
        share = torch.zeros(len(tokenizer)).index_add(0, tokens, weight) / weight.sum()
        layers.append(MlpRows(read, written, weight * share[tokens] ** -power))
    return layers


def weighted(sentences: Sequence[Sentence]) -> list[WeightedPrompt]:
    """The sentences, every kind weighing as in the corpus' mix, whatever its number."""
    counts = Counter(s.kind for s in sentences)
    return [WeightedPrompt(s.prompt, s.text, corpus.MIX[s.kind] / counts[s.kind]) for s in sentences]
