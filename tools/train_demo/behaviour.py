"""What the language model answers, measured in batches on plain `transformers`: whole answers, most probable token by token."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from circuit_widget.demo import facts
from circuit_widget.demo.corpus import Kind, Sentence
from tools.train_demo.model_training import encode_sentences


@dataclass(frozen=True)
class Answers:
    """For each sentence: whether the whole answer is the model's, and the probability of the answer's first token."""

    right: Bool[Tensor, " sentences"]
    probability: Float[Tensor, " sentences"]
    first_token: tuple[str, ...]

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right.float().mean().item()


def answer(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    sentences: Sequence[Sentence],
    changed: AbstractContextManager[object] | None = None,
) -> Answers:
    """Run all sentences; `changed` is a context in which the model runs differently (for example with an MLP removed)."""
    right, probability = [], []
    first: list[str] = []
    with torch.no_grad(), changed or nullcontext():
        for start in range(0, len(sentences), 512):
            rows = encode_sentences(tokenizer, sentences[start : start + 512], 0.0)
            hidden = model.model(rows.tokens).last_hidden_state[:, :-1]
            answered = rows.answer[:, 1:] > 0
            logits = model.lm_head(hidden[answered]).float()
            hit = torch.ones_like(answered)
            hit[answered] = logits.argmax(1) == rows.tokens[:, 1:][answered]
            right.append(hit.all(1))
            starts = answered & (answered.cumsum(1) == 1)
            of_start = starts[answered]
            target = rows.tokens[:, 1:][starts]
            probability.append(logits[of_start].softmax(1).gather(1, target[:, None])[:, 0])
            first += tokenizer.convert_ids_to_tokens(logits[of_start].argmax(1).tolist())
    return Answers(torch.cat(right), torch.cat(probability), tuple(first))


def rhyming(sentences: Sequence[Sentence], answers: Answers) -> float:
    """Share of couplets whose last word rhymes with the first and is another word."""
    hits = 0
    for sentence, word in zip(sentences, answers.first_token, strict=True):
        if sentence.kind is not Kind.COUPLET:
            raise ValueError(f"expected couplets, got a sentence of kind {sentence.kind}")
        hits += word != sentence.subject and word in facts.rhymes()[sentence.topic]
    return hits / len(sentences)
