"""Precision and recall of rules are those of a count token by token."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from circuit_widget.examples.batch import batches_of
from circuit_widget.examples.forward import run_batch
from circuit_widget.labels.accuracy import LayerAccuracy, SideCounts
from circuit_widget.labels.rule import NAMED_WORDS, Rules
from circuit_widget.labels.vocabulary import Spelling, Vocabulary
from circuit_widget.replacement_model import ReplacementModel
from tests.examples.models import joint_model, neuron_model, random_texts, texts_of_few_words
from tests.models import run_of, tiny_model

TEXTS = random_texts(30, seed=3)


def random_rules(vocabulary: Vocabulary, tokens: list[int], count: int) -> Rules:
    """A rule for three features of four, of each named token and spelling, with one to three words; some of first tokens."""
    generator = torch.Generator().manual_seed(count)
    drawn = torch.randint(len(tokens), (count, NAMED_WORDS), generator=generator)
    ids = torch.tensor(tokens)[drawn]
    words = vocabulary.words(ids)
    exact = torch.arange(count) % 5 == 0
    words[exact] = vocabulary.words(ids[exact], Spelling.EXACT)
    for place in range(1, NAMED_WORDS):
        same = (words[:, :place] == words[:, place : place + 1]).any(1) | (torch.arange(count) % 3 < place)
        ids[:, place] = torch.where(same, -1, ids[:, place])
    numbers, none = torch.arange(count), torch.zeros(count, dtype=torch.bool)
    first = numbers % 8 == 7
    ids[first] = -1
    return Rules(numbers % 4 != 0, torch.where(first, 0, numbers % 3 - 1), none, first, words, ids)


MODELS: dict[str, Callable[[], ReplacementModel]] = {
    "transcoders": lambda: tiny_model(jump=True),
    "neurons": neuron_model,
    "features of all layers that compete": joint_model,
}


@pytest.mark.parametrize("kind", MODELS)
def test_counts_are_those_of_plain_loops(kind: str) -> None:
    model = MODELS[kind]()
    vocabulary = Vocabulary(model.model.tokenizer)
    ids = [list(model.read_prompt(text).token_ids) for text in TEXTS]
    known = sorted({token for window in ids for token in window[1:]})[:12]
    layers = range(model.n_layers)
    counts = []
    for layer in layers:
        n_features = model.transcoders.n_features(layer)
        levels = torch.linspace(0.0, 0.2, n_features)
        sides = [
            SideCounts(random_rules(vocabulary, known, n_features), sign, levels, levels, vocabulary)
            for sign in (1, -1)
        ]
        counts.append(LayerAccuracy(n_features, tuple(sides)))
    with torch.inference_mode():
        for batch in batches_of(ids, 64, 1, vocabulary.word_of):
            run_batch(model.model, model.transcoders, batch, counts)
    for layer in layers:
        for side in counts[layer].sides:
            assert plain_counts(model, ids, layer, side) == list(
                zip(side.named.tolist(), side.hits.tolist(), side.active.tolist(), strict=True)
            )
            assert sum(side.hits.tolist()) > 0 or side.sign < 0


def plain_counts(
    model: ReplacementModel, windows: list[list[int]], layer: int, side: SideCounts
) -> list[tuple[int, int, int]]:
    """Named, hit and active tokens of each feature, from a run of each text alone and the texts of tokens."""
    n_features = model.transcoders.n_features(layer)
    counts = [[0, 0, 0] for _ in range(n_features)]
    rules, vocabulary = side.rules, Vocabulary(model.model.tokenizer)
    exact = [
        bool(torch.isin(vocabulary.words(rules.tokens[n, :1], Spelling.EXACT), rules.words[n]))
        for n in range(n_features)
    ]
    for window in windows:
        found = run_of(model, window).activations
        dense = torch.zeros(len(window), n_features)
        here = found.layer == layer
        dense[found.position[here], found.feature[here]] = torch.from_numpy(found.value[here]).float()
        for position, feature in itertools.product(range(1, len(window)), range(n_features)):
            place = position + int(rules.named_tokens[feature])
            if not rules.found[feature] or not 0 <= place < len(window):
                continue
            active = float(side.sign * dense[position, feature]) > float(side.levels[feature])
            if rules.first[feature]:
                named = position == 1
                counts[feature] = [
                    have + more for have, more in zip(counts[feature], (named, named and active, active), strict=True)
                ]
                continue
            if position == 1:
                continue
            texts = [vocabulary.text(int(token)) for token in rules.tokens[feature] if token >= 0]
            text = vocabulary.text(window[place])
            named = text in texts if exact[feature] else text.lower() in [one.lower() for one in texts]
            counts[feature] = [
                have + more for have, more in zip(counts[feature], (named, named and active, active), strict=True)
            ]
    return [tuple(one) for one in counts]  # type: ignore[misc]


def test_what_is_measured_is_displayed(tmp_path: Path) -> None:
    model = neuron_model()
    model.collect_examples(texts_of_few_words(150), tmp_path, progress=False)
    labels = model.label_features(texts=texts_of_few_words(20, seed=1), progress=False)
    assert len(labels) > 0
    for label in labels.labels():
        card = model.feature_card(label.layer, label.feature).at(-1.0 if label.negative else 1.0)
        assert (card.label, card.label_origin, card.label_is_automatic) == (label.text, label.origin, True)
        assert label.accuracy is not None
        maximum = card.minimum if label.negative else card.maximum
        assert maximum is not None
        assert label.level == pytest.approx(abs(maximum) / 2)
