"""The features that are active at the questions that groups are found with, in batches: one after the other takes half a minute."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from circuit_widget.nodes import Feature
from tools.train_demo.mlp_rows import recorded_mlps
from tools.train_demo.transcoder import Transcoder

QUESTIONS_AT_ONCE = 256


def question_activations(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    transcoders: Sequence[Transcoder],
    questions: Sequence[str],
) -> dict[str, dict[Feature, float]]:
    """Return the active features of each question, BOS left out."""
    found: dict[str, dict[Feature, float]] = {}
    for start in range(0, len(questions), QUESTIONS_AT_ONCE):
        some = questions[start : start + QUESTIONS_AT_ONCE]
        encoded = tokenizer(list(some), padding=True, return_tensors="pt")
        found |= {question: {} for question in some}
        with torch.no_grad(), recorded_mlps(model) as recorded:
            model.model(encoded.input_ids)
        counts = encoded.attention_mask.bool()
        counts[:, 0] = False
        for layer, (transcoder, (read, _)) in enumerate(zip(transcoders, recorded, strict=True)):
            activation = transcoder.encode(read) * counts[:, :, None]
            places = activation.nonzero()
            for (row, *place), value in zip(places.tolist(), activation[tuple(places.T)].tolist(), strict=True):
                found[some[row]][Feature(layer, *place)] = value
    return found
