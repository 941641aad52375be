"""Trains the transcoder of the first MLP, which reads single words: no attention has written before it.

All it can ever read is the vocabulary, so it is trained on every word alike. Its features come in two parts: one for what words that
write alike have in common (the cities of a state), and one for each word's rest. There is no decoder bias: a word whose features are
all off writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from transformers import LlamaForCausalLM

from tools.train_demo.transcoder import Transcoder


@dataclass(frozen=True)
class WordRecipe:
    """Everything that decides the first transcoder.

    Words belong together when the cosine of what they write passes `alike`, and to a group when it passes `belongs` with the group's
    centre; a group has at least `smallest` words. `threshold` is a feature's, as a share of its usual activation.
    """

    alike: float = 0.5
    belongs: float = 0.5
    smallest: int = 3
    threshold: float = 0.5
    steps: tuple[int, int, int] = (500, 400, 200)
    rates: tuple[float, float, float] = (0.05, 0.003, 0.001)


@dataclass(frozen=True)
class Words:
    """What the first MLP reads and writes at every word."""

    read: Float[Tensor, "words d_model"]
    written: Float[Tensor, "words d_model"]


def words_of(model: LlamaForCausalLM, left_out: list[int]) -> Words:
    """Every word of the vocabulary through the first MLP; `left_out` are the ids of special tokens."""
    block = model.model.layers[0]
    kept = torch.ones(model.config.vocab_size, dtype=torch.bool)
    kept[left_out] = False
    with torch.no_grad():
        read = block.post_attention_layernorm(model.model.embed_tokens.weight[kept])
        return Words(read, block.mlp(read))


def train_word_transcoder(words: Words, recipe: WordRecipe) -> Transcoder:
    """Train the shared features, add one for each word's rest, and train all of them together."""
    shared = _shared_features(Words(words.read, words.written - words.written.mean(0)), recipe)
    rest = words.written - shared.decode(shared.encode(words.read))
    size = rest.norm(dim=1)
    both = Transcoder(
        torch.cat([shared.w_enc, words.read * (size / words.read.pow(2).sum(1))[:, None]]),
        torch.cat([shared.w_dec, F.normalize(rest, dim=1)]),
        torch.cat([shared.b_enc, torch.zeros_like(size)]),
        shared.b_dec,
        torch.cat([shared.threshold, recipe.threshold * size]),
    )
    return _reconstruct(both, words, recipe.steps[2], recipe.rates[2])


def _shared_features(words: Words, recipe: WordRecipe) -> Transcoder:
    """One feature for each group of words that write alike, on for its words and off for all others.

    `words.written` is centred: what all words write has no part in it.
    """
    centres, member = alike_words(F.normalize(words.written, dim=1), recipe)
    belongs = F.one_hot(member + 1, len(centres) + 1)[:, 1:].float()
    along = words.written @ centres.T
    size = (along * belongs).sum(0) / belongs.sum(0)
    w_enc, b_enc = _separate(words.read, belongs, size, recipe)
    separate = Transcoder(w_enc, centres, b_enc, torch.zeros(centres.shape[1]), recipe.threshold * size)
    return _reconstruct(separate, words, recipe.steps[1], recipe.rates[1])


def alike_words(
    direction: Float[Tensor, "words d_model"], recipe: WordRecipe
) -> tuple[Float[Tensor, "groups d_model"], Int[Tensor, " words"]]:
    """Group unit vectors by the densest directions among them (mean shift); the group of a word that fits none is -1."""
    shifted = direction
    for _ in range(10):
        shifted = F.normalize((shifted @ direction.T > recipe.alike).float() @ direction, dim=1)
    same = shifted @ shifted.T > 0.9
    free = torch.ones(len(direction), dtype=torch.bool)
    found: list[Tensor] = []
    for word in range(len(direction)):
        if free[word]:
            group = same[word] & free
            free &= ~group
            if group.sum() >= recipe.smallest:
                found.append(F.normalize(direction[group].mean(0), dim=0))
    centres = torch.stack(found)
    for _ in range(10):
        member = _nearest(direction, centres, recipe.belongs)
        sums = torch.zeros_like(centres).index_add(0, member[member >= 0], direction[member >= 0])
        centres = torch.where(sums.norm(dim=1, keepdim=True) > 0, F.normalize(sums, dim=1), centres)
    member = _nearest(direction, centres, recipe.belongs)
    kept = member[member >= 0].bincount(minlength=len(centres)) >= recipe.smallest
    return centres[kept], _nearest(direction, centres[kept], recipe.belongs)


def _nearest(
    direction: Float[Tensor, "words d_model"], centres: Float[Tensor, "groups d_model"], belongs: float
) -> Int[Tensor, " words"]:
    cosine, nearest = (direction @ centres.T).max(1)
    return torch.where(cosine > belongs, nearest, -1)


def _separate(
    read: Float[Tensor, "words d_model"],
    belongs: Float[Tensor, "words groups"],
    size: Float[Tensor, " groups"],
    recipe: WordRecipe,
) -> tuple[Float[Tensor, "groups d_model"], Float[Tensor, " groups"]]:
    """Encoders that read a group's size at its words and well under the threshold at all others."""
    d_model = read.shape[1]
    gram = read.T @ read + 0.1 * len(read) / d_model * torch.eye(d_model)
    w_enc = torch.linalg.solve(gram, read.T @ (belongs * size)).T.contiguous().requires_grad_(True)
    b_enc = torch.zeros(len(size), requires_grad=True)
    optimizer = torch.optim.Adam([w_enc, b_enc], lr=recipe.rates[0])
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, recipe.steps[0])
    for _ in range(recipe.steps[0]):
        value = read @ w_enc.T + b_enc
        inside = ((value - size).pow(2) * belongs).sum()
        outside = (F.relu(value - 0.3 * recipe.threshold * size).pow(2) * (1 - belongs)).sum()
        ((inside + 3 * outside) / belongs.sum()).backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return w_enc.detach(), b_enc.detach()


def _reconstruct(transcoder: Transcoder, words: Words, steps: int, rate: float) -> Transcoder:
    """Train encoder and decoder rows on what the words write, decoder rows kept at unit norm."""
    w_enc, w_dec, b_enc = (
        t.clone().requires_grad_(True) for t in (transcoder.w_enc, transcoder.w_dec, transcoder.b_enc)
    )
    optimizer = torch.optim.Adam([w_enc, w_dec, b_enc], lr=rate)
    state = Transcoder(w_enc, w_dec, b_enc, transcoder.b_dec, transcoder.threshold)
    for _ in range(steps):
        loss = (state.decode(state.encode(words.read)) - words.written).pow(2).sum(1).mean()
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            w_dec.div_(w_dec.norm(dim=1, keepdim=True).clamp(min=1e-6))
    return Transcoder(w_enc.detach(), w_dec.detach(), b_enc.detach(), transcoder.b_dec, transcoder.threshold)
