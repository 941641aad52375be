"""Feature cards: for every feature of every layer its strongest corpus examples, how often it is on, and its label.

`features/layer_{i}.json.gz` holds `{"sentences": [[token ids], ...], "features": {"12": {"frequency", "maximum", "label", "examples":
[[sentence, [[position, activation], ...]], ...]}}}`. The same weights always give the same bytes.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from circuit_widget.demo import corpus
from circuit_widget.demo.corpus import Kind, Sentence, Split
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.system.atomic_write import write_bytes
from tools.train_demo.labels import Position, label_features
from tools.train_demo.mlp_rows import recorded_mlps
from tools.train_demo.transcoder import Transcoder, load_transcoders

EXAMPLES = 8
STRONG = 0.5
"""Tokens where a feature reaches this share of its maximum get an example each, before any token gets a second."""

CANDIDATES = 64
PROMOTED = 10
SENTENCES = 12_000
SEED = 30


def card_sentences() -> list[Sentence]:
    """The sentences cards are made from: the training split, every kind with its share of the mix, none twice."""
    rng = random.Random(SEED)
    chosen: list[Sentence] = []
    for kind, share in corpus.MIX.items():
        available = corpus.select(kind, Split.TRAIN)
        chosen += rng.sample(available, min(len(available), round(share * SENTENCES)))
    return chosen


def write_cards(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the cards of the transcoders in `folder` beside them."""
    sentences = card_sentences()
    token_ids = [list(ids) for ids in tokenizer([s.text for s in sentences]).input_ids]
    prompt_length = [len(ids) for ids in tokenizer([s.prompt for s in sentences]).input_ids]
    reads = _mlp_inputs(model, token_ids)
    texts = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    positions = [
        Position(s, texts[ids[p]], texts[ids[p + 1]] if p + 1 < len(ids) else "", p == end - 1)
        for s, ids, end in zip(sentences, token_ids, prompt_length, strict=True)
        for p in range(1, len(ids))
    ]
    unembedding = model.get_output_embeddings().weight.detach().float()
    final_norm = model.model.norm.weight.detach().float()
    target = folder / "features"
    target.mkdir(exist_ok=True)
    for layer, transcoder in enumerate(load_transcoders(folder)):
        activation = torch.cat([transcoder.encode(part) for part in reads[layer].split(8192)])
        labels = label_features(activation, positions, _promoted(transcoder, final_norm, unembedding, texts))
        cards = _cards(activation, sentences, token_ids, labels)
        text = json.dumps(cards, ensure_ascii=False, separators=(",", ":"))
        packed = gzip.compress(text.encode(), mtime=0)
        write_bytes(target / f"layer_{layer}.json.gz", packed, "file of examples", CircuitWidgetError)


def _mlp_inputs(
    model: LlamaForCausalLM, token_ids: Sequence[Sequence[int]]
) -> list[Float[Tensor, "positions d_model"]]:
    """What every layer's MLP reads at each token but BOS, sentence after sentence."""
    parts: list[list[Tensor]] = [[] for _ in model.model.layers]
    for start in range(0, len(token_ids), 1024):
        chunk = token_ids[start : start + 1024]
        width = max(map(len, chunk))
        tokens = torch.tensor([[*ids, *[0] * (width - len(ids))] for ids in chunk])
        kept = torch.tensor([[0 < p < len(ids) for p in range(width)] for ids in chunk])
        with torch.no_grad(), recorded_mlps(model) as recorded:
            model.model(tokens)
        for part, (read, _) in zip(parts, recorded, strict=True):
            part.append(read[kept])
    return [torch.cat(part) for part in parts]


def _promoted(transcoder: Transcoder, final_norm: Tensor, unembedding: Tensor, texts: Sequence[str]) -> list[set[str]]:
    """The tokens whose logits each feature's decoder row raises most, read through the final norm's weight."""
    logits = (transcoder.w_dec * final_norm) @ (unembedding - unembedding.mean(0)).T
    return [{texts[i] for i in row} for row in logits.topk(PROMOTED, dim=1).indices.tolist()]


def _cards(
    activation: Float[Tensor, "positions features"],
    sentences: Sequence[Sentence],
    token_ids: Sequence[Sequence[int]],
    labels: Sequence[str | None],
) -> dict[str, object]:
    lengths = [len(ids) - 1 for ids in token_ids]
    by_sentence = activation.split(lengths)
    strongest = torch.stack([part.max(0).values for part in by_sentence])
    of_tokens = _strongest_of_tokens(activation, torch.tensor([token for ids in token_ids for token in ids[1:]]))
    sentence_of = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths)).tolist()
    ranked = strongest.topk(min(CANDIDATES, len(sentences)), dim=0)
    frequency = (activation > 0).float().mean(0)
    numbering: dict[int, int] = {}
    features: dict[str, object] = {}
    for feature in range(activation.shape[1]):
        if frequency[feature] == 0:
            continue
        examples = []
        first = [sentence_of[position] for position in of_tokens[feature]]
        varied = _varied(ranked.indices[:, feature].tolist(), ranked.values[:, feature].tolist(), sentences)
        chosen = list(dict.fromkeys([*first, *varied]))[:EXAMPLES]
        for index in sorted(chosen, key=lambda i: -strongest[i, feature].item()):
            row = by_sentence[index][:, feature]
            heat = [[p + 1, _short(row[p].item())] for p in row.nonzero()[:, 0].tolist()]
            examples.append([numbering.setdefault(index, len(numbering)), heat])
        card: dict[str, object] = {
            "frequency": _short(frequency[feature].item()),
            "maximum": _short(ranked.values[0, feature].item()),
            "examples": examples,
        }
        if (label := labels[feature]) is not None:
            card["label"] = label
        features[str(feature)] = card
    return {"sentences": [list(token_ids[index]) for index in numbering], "features": features}


def _strongest_of_tokens(
    activation: Float[Tensor, "positions features"], tokens: Int[Tensor, " positions"]
) -> list[list[int]]:
    """For each feature the strongest position of each token at which it is strong, strongest token first."""
    kinds, kind = tokens.unique(return_inverse=True)
    rows = [(kind == number).nonzero()[:, 0] for number in range(len(kinds))]
    best = [activation[of_kind].max(0) for of_kind in rows]
    value = torch.stack([found.values for found in best])
    position = torch.stack([of_kind[found.indices] for of_kind, found in zip(rows, best, strict=True)])
    order = value.argsort(dim=0, descending=True, stable=True)[:EXAMPLES]
    strong = value.gather(0, order) >= (STRONG * value.max(0).values).clamp(min=1e-9)
    ranked = position.gather(0, order)
    return [ranked[strong[:, feature], feature].tolist() for feature in range(activation.shape[1])]


def _varied(indices: Sequence[int], values: Sequence[float], sentences: Sequence[Sentence]) -> list[int]:
    """The strongest sentences first, each subject once as long as there are others."""
    on = [index for index, value in zip(indices, values, strict=True) if value > 0]
    first: dict[tuple[Kind, str], int] = {}
    for index in on:
        first.setdefault((sentences[index].kind, sentences[index].subject), index)
    once = set(first.values())
    chosen = ([i for i in on if i in once] + [i for i in on if i not in once])[:EXAMPLES]
    rank_of = {index: rank for rank, index in enumerate(on)}
    return sorted(chosen, key=rank_of.__getitem__)


def _short(value: float) -> float:
    return float(f"{value:.3g}")
