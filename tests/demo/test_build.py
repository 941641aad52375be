"""The script that makes the embedded model runs from end to end, on a very small recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from circuit_widget.demo.corpus import Kind, Split, select
from circuit_widget.loading import load
from tools.train_demo import build as building
from tools.train_demo.mlp_rows import MlpRows
from tools.train_demo.model_training import ModelRecipe, encode_sentences, new_model, rate_at, smoothed_loss
from tools.train_demo.tokenizer import build_tokenizer
from tools.train_demo.transcoder import load_transcoders
from tools.train_demo.transcoder_training import LayerRecipe, TranscoderRecipe, train_transcoder
from tools.train_demo.word_transcoder import WordRecipe, Words, alike_words, train_word_transcoder

TINY_MODEL = ModelRecipe(steps=2, rows=16, processes=2)
TINY_LAYER = LayerRecipe(features=64, steps=3)
TINY_WORDS = WordRecipe(alike=0.2, belongs=0.1, steps=(3, 3, 3))
TINY_TRANSCODERS = TranscoderRecipe(words=TINY_WORDS, layers=(TINY_LAYER,) * 3, rows=64, sentences=300, processes=1)


def test_it_builds_what_the_package_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.train_demo.cards.SENTENCES", 300)
    folder, transcoders = building.build(tmp_path, TINY_MODEL, TINY_TRANSCODERS)
    model = load(folder, transcoders=transcoders, device="cpu")
    graph = model.trace("the capital of the state containing Dallas is")
    assert len(graph.tokens) == 9
    assert "step 1 " in (tmp_path / "training.log").read_text()
    groups = json.loads((transcoders / "features" / "groups.json").read_text())
    assert len(groups) == 51
    assert {path.name for path in transcoders.iterdir()} == {
        "config.yaml",
        "features",
        *(f"layer_{i}.safetensors" for i in range(4)),
    }
    words, *above = load_transcoders(transcoders)
    assert len(words.w_enc) > json.loads((folder / "config.json").read_text())["vocab_size"] - 6
    assert all(0 < len(t.w_enc) <= 64 for t in above)


def test_embeddings_are_tied_and_frozen() -> None:
    model = new_model(TINY_MODEL, build_tokenizer())
    assert model.lm_head.weight is model.get_input_embeddings().weight
    assert not model.lm_head.weight.requires_grad


def test_only_the_answer_has_full_weight() -> None:
    tokenizer = build_tokenizer()
    sentences = [*select(Kind.SUM, Split.TRAIN)[5000:5001], *select(Kind.TWO_HOP_STATE, Split.TRAIN)[:1]]
    rows = encode_sentences(tokenizer, sentences, 0.1)
    for sentence, ids, answer, weight in zip(sentences, rows.tokens, rows.answer, rows.weight, strict=True):
        assert tokenizer.decode(ids[answer > 0]) == sentence.answer
        assert set(weight[answer > 0].tolist()) == {1.0}
        assert weight[ids == tokenizer.pad_token_id].sum() == 0


def test_the_learning_rate_warms_up_stays_and_falls_to_zero() -> None:
    recipe = ModelRecipe(steps=1000, constant_until=0.5)
    assert rate_at(0, recipe) == pytest.approx(0.02)
    assert rate_at(400, recipe) == 1.0
    assert rate_at(750, recipe) == pytest.approx(0.5)
    assert rate_at(1000, recipe) == 0.0


def test_smoothing_moves_the_best_probability_below_one() -> None:
    logits, target = torch.tensor([[50.0, 0.0, 0.0]]), torch.tensor([0])
    certain = smoothed_loss(logits, target, torch.tensor([0.1]))
    softer = smoothed_loss(logits / 20, target, torch.tensor([0.1]))
    assert softer < certain
    assert smoothed_loss(logits, target, torch.tensor([0.0])) == pytest.approx(0.0, abs=1e-6)


def test_a_transcoder_learns_a_sparse_function_and_reaches_the_wanted_sparsity() -> None:
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(12, 16, generator=generator), dim=1)
    through = torch.randn(16, 16, generator=generator)
    on = (torch.rand(4000, 12, generator=generator) < 0.1).float() * (1 + torch.rand(4000, 12, generator=generator))
    rows = MlpRows(on @ directions, on @ directions @ through, torch.ones(4000))
    recipe = TranscoderRecipe(layers=(LayerRecipe(features=24, features_on=2.0, steps=800, blend=0.0),), rows=256)
    transcoder = train_transcoder(rows, lambda x: x @ through, recipe, 0)
    activation = transcoder.encode(rows.read)
    left = (rows.written - transcoder.decode(activation)).pow(2).sum() / (rows.written - rows.written.mean(0)).pow(
        2
    ).sum()
    assert (activation > 0).sum(1).float().mean() == pytest.approx(2.0, rel=0.25)
    assert left < 0.2
    assert torch.allclose(transcoder.w_dec.norm(dim=1), torch.ones(len(transcoder.w_dec)), atol=1e-4)


def test_words_that_write_alike_share_a_feature_and_keep_one_of_their_own() -> None:
    generator = torch.Generator().manual_seed(0)
    read = torch.nn.functional.normalize(torch.randn(60, 32, generator=generator), dim=1)
    topics = torch.nn.functional.normalize(torch.randn(6, 32, generator=generator), dim=1)
    written = 8 * topics.repeat_interleave(10, 0) + 0.6 * torch.randn(60, 32, generator=generator)
    words = Words(read, written)
    _, member = alike_words(torch.nn.functional.normalize(written - written.mean(0), dim=1), WordRecipe())
    assert [member[10 * topic : 10 * topic + 10].unique().numel() for topic in range(6)] == [1] * 6
    assert member.unique().numel() == 6
    transcoder = train_word_transcoder(words, WordRecipe())
    on = transcoder.encode(read) > 0
    shared = on[:, :6]
    assert (shared.sum(1) == 1).float().mean() > 0.9
    assert all((on[word].sum() <= 3) and on[word, 6 + word] for word in range(60))
    left = (written - transcoder.decode(transcoder.encode(read))).pow(2).sum() / (written - written.mean(0)).pow(
        2
    ).sum()
    assert left < 1e-3
