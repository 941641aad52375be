"""How well the transcoders replace the MLPs: features on, variance unexplained, dead features, answers with every MLP replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import add

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from circuit_widget.demo.corpus import Sentence
from circuit_widget.tracing.unexplained import Unexplained
from tools.train_demo.behaviour import answer
from tools.train_demo.mlp_rows import MlpRows
from tools.train_demo.transcoder import Transcoder

ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class TrainedLayer:
    """One layer: mean number of features on, fraction of variance unexplained, share of features never on."""

    features_on: float
    variance_unexplained: float
    dead: float


def measure(transcoder: Transcoder, rows: MlpRows, everything: MlpRows) -> TrainedLayer:
    """Measure one layer on `rows`, weighted as they are; a feature is dead if it is on nowhere in `everything`."""
    parts = []
    for start in range(0, len(rows.weight), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        activation, weight = transcoder.encode(rows.read[part]), rows.weight[part]
        errors = rows.written[part] - transcoder.decode(activation)
        on = float(weight @ (activation > 0).sum(1).float())
        parts.append(Unexplained.of(rows.written[part], errors, on, weight))
    found = reduce(add, parts)
    return TrainedLayer(found.active_features, found.fvu, _dead(transcoder, everything.read))


def _dead(transcoder: Transcoder, read: Float[Tensor, "rows d_model"]) -> float:
    """The share of features that are on at no row. One that was on is not computed at the rows that follow."""
    features = len(transcoder.threshold)
    dead = torch.arange(features)
    for start in range(0, len(read), ROWS_AT_ONCE):
        still = transcoder.part(dead)
        dead = dead[~(still.encode(read[start : start + ROWS_AT_ONCE]) > 0).any(0)]
    return len(dead) / features


@contextmanager
def all_mlps_replaced(model: LlamaForCausalLM, transcoders: Sequence[Transcoder]) -> Iterator[None]:
    """Every MLP writes what its transcoder reconstructs, without the error; at BOS, which has no features, it writes its own."""

    def replace(transcoder: Transcoder) -> object:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            written = transcoder.decode(transcoder.encode(inputs[0]))
            return torch.cat([output[:, :1], written[:, 1:]], dim=1)

        return hook

    with _hooked(model, [replace(t) for t in transcoders]):
        yield


@contextmanager
def mlp_removed(model: LlamaForCausalLM, layer: int) -> Iterator[None]:
    """One layer's MLP writes nothing."""

    def hook(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return torch.zeros_like(output)

    with _hooked(model, [hook if i == layer else None for i in range(model.config.num_hidden_layers)]):
        yield


def agreement(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    transcoders: Sequence[Transcoder],
    sentences: Sequence[Sentence],
) -> float:
    """Share of prompts whose first answer token stays the same when every MLP is replaced."""
    own = answer(model, tokenizer, sentences).first_token
    replaced = answer(model, tokenizer, sentences, all_mlps_replaced(model, transcoders)).first_token
    return sum(a == b for a, b in zip(own, replaced, strict=True)) / len(sentences)


@contextmanager
def _hooked(model: LlamaForCausalLM, hooks: Sequence[object]) -> Iterator[None]:
    handles = [
        block.mlp.register_forward_hook(hook)
        for block, hook in zip(model.model.layers, hooks, strict=True)
        if hook is not None
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
