"""Texts in what others published, examples and labels, and in names of files: they come out as texts, whatever they are."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import circuit_widget as cw
from circuit_widget.characters import repaired
from circuit_widget.errors import CircuitWidgetWarning
from circuit_widget.graph import Feature
from circuit_widget.widget.message_builders.card import card_message
from circuit_widget.widget.state.file_names import file_stem
from circuit_widget.widget.wire.sending import json_of
from tests.examples.published import FEATURES, document, explanation, member, write_export, write_indexed
from tests.hostile import HOSTILE
from tests.models import tiny_model
from tests.widget.small_graph import small_graph

TEXTS = list(HOSTILE.values())


def place(number: int) -> tuple[int, int]:
    """The layer and the feature that have the text of a number."""
    return divmod(number, FEATURES[0])


def test_cards_of_published_examples_have_the_texts_as_they_are(tmp_path: Path) -> None:
    layers: list[dict[int, bytes]] = [{} for _ in FEATURES]
    for number, text in enumerate(TEXTS):
        layer, feature = place(number)
        examples = [{"tokens": [text, "x"], "tokens_acts_list": [1, 0]}]
        quantiles = [{"quantile_name": f"{text}{part}", "examples": examples} for part in (1, 2)]
        layers[layer][feature] = member(
            document(feature, examples_quantiles=quantiles, top_logits=[text], bottom_logits=[text])
        )
    model = tiny_model()
    model.read_examples(write_indexed(tmp_path / "features", layers), progress=False)
    graph = small_graph()
    for number, text in enumerate(TEXTS):
        layer, feature = place(number)
        card = json_of(
            card_message(graph, model, f"{layer}_{feature}_1", Feature(layer=layer, feature=feature, position=1))
        )
        # Strict UTF-8 has no halves of characters.
        sent = json.loads(json.dumps(card, ensure_ascii=False).encode())
        assert sent["examples"][0]["tokens"] == [repaired(text), "x"]
        assert all(len(level["name"]) <= 200 for level in sent["levels"])


def test_published_labels_are_one_line_of_whole_characters(tmp_path: Path) -> None:
    lines = [explanation(*place(number), text) for number, text in enumerate(TEXTS)]
    with pytest.warns(CircuitWidgetWarning, match="empty labels"):
        labels = cw.read_labels(write_export(tmp_path, {"a.jsonl": lines}))
    assert len(labels) > len(TEXTS) - 4
    for label in labels.values():
        assert 0 < len(label) <= 200
        assert len(label.splitlines()) == 1
        assert label.encode().decode() == label
        assert not re.search("[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]", label)


@pytest.mark.parametrize("text", TEXTS, ids=HOSTILE)
def test_the_name_of_a_file_has_letters_digits_and_hyphens_alone(text: str) -> None:
    graph = small_graph()
    tokens = [replace(token, text=repaired(text)) for token in graph.tokens[1:]]
    assert re.fullmatch(r"[\w-]{1,60}", file_stem(replace(graph, tokens=(graph.tokens[0], *tokens))))
