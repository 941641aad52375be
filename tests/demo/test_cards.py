"""Every live feature of the shipped transcoders has a card, and cards say what the features really do."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from circuit_widget.demo import MODEL, TRANSCODERS
from circuit_widget.demo.corpus import Split
from tools.train_demo.cards import EXAMPLES, card_sentences, write_cards
from tools.train_demo.evaluate import plain_model
from tools.train_demo.labels import Position, label_features
from tools.train_demo.mlp_rows import recorded_mlps
from tools.train_demo.transcoder import load_transcoders

LAYERS = range(4)


@cache
def cards(layer: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        gzip.decompress((TRANSCODERS / "features" / f"layer_{layer}.json.gz").read_bytes())
    )
    return found


@pytest.mark.parametrize("layer", LAYERS)
def test_nearly_every_feature_has_a_card(layer: int) -> None:
    features = len(load_transcoders(TRANSCODERS)[layer].threshold)
    assert len(cards(layer)["features"]) >= 0.97 * features


@pytest.mark.parametrize("layer", LAYERS)
def test_examples_are_the_features_real_activations(layer: int) -> None:
    model, _ = plain_model(MODEL)
    transcoder = load_transcoders(TRANSCODERS)[layer]
    sentences = cards(layer)["sentences"]
    for name, card in list(cards(layer)["features"].items())[::200]:
        assert 1 <= len(card["examples"]) <= EXAMPLES
        index, heat = card["examples"][0]
        with torch.no_grad(), recorded_mlps(model) as recorded:
            model.model(torch.tensor([sentences[index]]))
        activation = transcoder.encode(recorded[layer][0][0])[1:, int(name)]
        expected = {position: activation[position - 1].item() for position in range(1, len(activation) + 1)}
        assert {p for p, _ in heat} == {p for p, a in expected.items() if a > 0}
        for position, value in heat:
            assert value == pytest.approx(expected[position], rel=0.01)
        assert max(value for _, value in heat) == pytest.approx(card["maximum"], rel=0.01)


@pytest.mark.parametrize("layer", LAYERS)
def test_examples_come_strongest_first(layer: int) -> None:
    for card in list(cards(layer)["features"].values())[::20]:
        peaks = [max(value for _, value in heat) for _, heat in card["examples"]]
        assert peaks == sorted(peaks, reverse=True)


def test_cards_are_made_from_the_training_split_alone() -> None:
    assert {sentence.split for sentence in card_sentences()} == {Split.TRAIN}


def test_cards_made_again_are_of_the_same_features(tmp_path: Path) -> None:
    """Of the first layer, which has the most of them: each layer takes as long again."""
    model, tokenizer = plain_model(MODEL)
    (tmp_path / "layer_0.safetensors").symlink_to(TRANSCODERS / "layer_0.safetensors")
    write_cards(model, tokenizer, tmp_path)
    packed = (tmp_path / "features" / "layer_0.json.gz").read_bytes()
    assert json.loads(gzip.decompress(packed))["features"].keys() == cards(0)["features"].keys()
    assert packed[4:8] == bytes(4), "the time stands in the file"


def test_the_features_of_the_quickstart_are_labelled() -> None:
    labels = {card.get("label") for layer in LAYERS for card in cards(layer)["features"].values()}
    assert {"Texas", "California", "capital"} <= labels


def test_many_features_of_the_last_layer_are_labelled_by_what_they_say() -> None:
    labels = [card.get("label", "") for card in cards(3)["features"].values()]
    assert sum(label.startswith("say ") for label in labels) >= 100


def positions_of(*rows: tuple[str, str, str]) -> list[Position]:
    """Positions at cities: (city, state, next token)."""
    by_city = {s.subject: s for s in card_sentences() if s.kind.value == "city to state"}
    return [Position(by_city[city], token, following, False) for city, token, following in rows]


def test_a_feature_on_for_a_states_cities_alone_is_labelled_with_the_state() -> None:
    rows = positions_of(
        ("Houston", "Houston", "is"), ("Austin", "Austin", "is"), ("Denver", "Denver", "is"), ("Boston", "Boston", "is")
    )
    activation = torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    assert label_features(activation, rows, [set(), set()]) == ["Texas", "say is"]


def test_a_feature_that_is_never_on_has_no_label() -> None:
    rows = positions_of(("Houston", "Houston", "is"), ("Denver", "Denver", "is"))
    assert label_features(torch.zeros(2, 1), rows, [set()]) == [None]
