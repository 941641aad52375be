"""Feature cards: from the weights, and from recorded statistics."""

import gzip
import json
from pathlib import Path

import pytest
import torch

from circuit_widget.errors import LoadError, NodeError
from circuit_widget.feature_card import FeatureCard
from circuit_widget.model.architectures import ARCHITECTURES
from circuit_widget.model.neuron_set import Neurons
from circuit_widget.model.norm import norm_weight
from circuit_widget.model.tokens.tokenizer import token_text
from circuit_widget.replacement_model import ReplacementModel
from tests.architectures import CONFIGURATIONS, THOROUGH, model_of
from tests.models import per_layer, reference_model, tiny_transcoders

WITH_NEURONS = [
    name
    for name in (*THOROUGH, "cohere", "granite", "olmo", "olmo2")
    if ARCHITECTURES[CONFIGURATIONS[name][0]].neurons is not None
]

DOCUMENT = {
    "sentences": [[1, 4, 32, 6], [1, 100]],
    "features": {
        "12": {
            "frequency": 0.25,
            "maximum": 2.5,
            "label": "capital",
            "examples": [[0, [[2, 2.5], [3, 0.5]]], [1, [[1, 1.0]]]],
        },
        "13": {"frequency": 0.5, "maximum": 1.0, "examples": [[7, [[2, 2.5]]]]},
    },
}


def recorded_model(directory: Path, content: bytes) -> ReplacementModel:
    (directory / "features").mkdir()
    (directory / "features" / "layer_1.json.gz").write_bytes(content)
    model = reference_model()
    return ReplacementModel(model.model, model.transcoders, directory)


def test_promoted_tokens_are_those_whose_logits_the_decoder_row_raises() -> None:
    model = reference_model()
    card = model.feature_card(2, 7)
    weight = norm_weight(model.model.final_norm, model.model.sites.norm)
    assert weight is not None
    row = per_layer(model).layers[2].decoder[7] * weight
    logits = model.model.unembedding.weight.detach() @ row
    logits -= logits.mean()
    for (text, logit), expected in (
        (card.promoted[0], int(logits.argmax())),
        (card.suppressed[0], int(logits.argmin())),
    ):
        assert text == model.model.tokenizer.decode([expected])
        assert logit == pytest.approx(float(logits[expected]), abs=1e-5)
    assert len(card.promoted) == len(card.suppressed) == 10
    assert (card.label, card.frequency, card.maximum, card.examples) == (None, None, None, ())


@pytest.mark.parametrize("architecture", ["llama", "gemma3_text", "gpt2"])
def test_a_cross_layer_feature_promotes_what_all_its_writes_together_raise(architecture: str) -> None:
    """The sum over its layers of `W_U (w_f * w_p * d)`, with the weights of final norm and norm after the MLP."""
    language_model = model_of(architecture)
    transcoders = tiny_transcoders(cross_layer=True, input_site="mlp_norm", output_site="mlp_output")
    model = ReplacementModel(language_model, transcoders)
    final = norm_weight(language_model.final_norm, language_model.sites.norm)
    assert final is not None
    centred = language_model.sites.norm.centred
    numbers = torch.tensor([5])
    for layer in range(3):
        total = torch.zeros(language_model.vocabulary_size)
        for written in range(layer, 3):
            row = transcoders.decoder_rows(layer, numbers, written)[0]
            after = language_model.blocks[written].mlp_post_norm
            if after is not None:
                weight = norm_weight(after, language_model.sites.norm)
                assert weight is not None
                row = row * weight
            if centred:
                row = row - row.mean()
            total += language_model.unembedding.weight.detach() @ (row * final)
        total -= total.mean()
        card = model.feature_card(layer, 5)
        assert [logit for _, logit in card.promoted] == pytest.approx(
            total.sort(descending=True).values[:10].tolist(), abs=1e-4
        )
        assert [logit for _, logit in card.suppressed] == pytest.approx(total.sort().values[:10].tolist(), abs=1e-4)


CARD = FeatureCard(1, 3, "a", 0.5, 2.0, (), (("up", 1.5), ("higher", 0.5)), (("down", -2.0), ("lower", -1.0)))


def test_a_negative_activation_promotes_what_a_positive_one_suppresses() -> None:
    negative = CARD.at(-0.25)
    assert negative.promoted == (("down", 2.0), ("lower", 1.0))
    assert negative.suppressed == (("up", -1.5), ("higher", -0.5))
    assert (negative.negative, negative.label) == (True, "a")
    assert negative.at(-7) is negative
    assert negative.at(3) == CARD
    assert CARD.at(0) is CARD
    assert not CARD.negative


@pytest.mark.parametrize("given", [float("nan"), "1", True])
def test_the_activation_of_a_card_is_a_finite_number(given: float) -> None:
    with pytest.raises(NodeError, match=r"^The activation of a feature is a finite number; given"):
        CARD.at(given)


@pytest.mark.parametrize("name", WITH_NEURONS)
def test_edges_to_logits_have_the_signs_and_sizes_that_a_card_says(name: str) -> None:
    """In the last layer, where nothing is between a neuron and the logits; norms divide every logit by the same."""
    language_model = model_of(name)
    model = ReplacementModel(language_model, Neurons(language_model))
    texts = [token_text(language_model.tokenizer, token) for token in range(language_model.vocabulary_size)]
    ids = [1, 20, 30, 40, 50]
    last = model.n_layers - 1
    here = {f: z for f, z in model.activations(ids).items() if (f.layer, f.position) == (last, len(ids) - 1)}
    for feature, activation in (
        min(here.items(), key=lambda item: item[1]),
        max(here.items(), key=lambda item: item[1]),
    ):
        card = model.feature_card(last, feature.feature).at(activation)
        assert card.negative == (activation < 0)
        (raised, gain), (lowered, loss) = card.promoted[0], card.suppressed[0]
        graph = model.trace(ids, targets=[texts.index(raised), texts.index(lowered)], progress=False)
        up, down = graph.weights[graph.n_features :, graph.index(feature.id)]
        assert up > 0 > down
        assert up / down == pytest.approx(gain / loss, rel=1e-4)


def test_examples_have_an_activation_for_every_token(tmp_path: Path) -> None:
    model = recorded_model(tmp_path, gzip.compress(json.dumps(DOCUMENT).encode()))
    card = model.feature_card(1, 12)
    assert (card.label, card.frequency, card.maximum) == ("capital", 0.25, 2.5)
    assert card.examples[0].tokens == ("<bos>", "the", "capital", "of")
    assert card.examples[0].activations == (0.0, 0.0, 2.5, 0.5)
    assert model.feature_card(1, 11).examples == ()
    assert model.feature_card(0, 12).label is None


def test_labels_reach_the_graph(tmp_path: Path) -> None:
    plain = reference_model().trace("the capital of France is")
    index = int((plain.feature_layer == 1).argmax())
    feature = str(plain.feature_index[index])
    document = {"sentences": [], "features": {feature: {"label": "a name"}}}
    graph = recorded_model(tmp_path, gzip.compress(json.dumps(document).encode())).trace("the capital of France is")
    same = (graph.feature_layer == 1) & (graph.feature_index == int(feature))
    assert dict(graph.labels) == {graph.node_ids[node]: "a name" for node in same.nonzero()[0]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not compressed", "not readable as compressed JSON"),
        (gzip.compress(b"{", mtime=0), "not readable as compressed JSON"),
        (gzip.compress(json.dumps(DOCUMENT).encode(), mtime=0)[:40], "not readable as compressed JSON"),
        (gzip.compress(b"[]", mtime=0), "expected an object with sentences and features"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(LoadError, match=message) as refusal:
        recorded_model(tmp_path, content).feature_card(1, 12)
    assert "layer_1.json.gz" in str(refusal.value)


def test_a_broken_entry_is_named(tmp_path: Path) -> None:
    model = recorded_model(tmp_path, gzip.compress(json.dumps(DOCUMENT).encode()))
    with pytest.raises(LoadError, match="the entry of feature 13 is malformed"):
        model.feature_card(1, 13)


@pytest.mark.parametrize(
    ("layer", "feature", "message"),
    [
        (4, 0, "There is no layer 4; the model has layers 0 to 3"),
        (-1, 0, "layer of a feature is a whole number from 0 up; given -1"),
        (1, 512, "no feature 512 in layer 1"),
    ],
)
def test_a_feature_that_does_not_exist_has_no_card(layer: int, feature: int, message: str) -> None:
    with pytest.raises(NodeError, match=message):
        reference_model().feature_card(layer, feature)
