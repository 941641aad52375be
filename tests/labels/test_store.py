"""Labels are kept with their origin, and the one of the highest kind is displayed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.errors import LoadError, NodeError
from circuit_widget.labels.feature_labels import FeatureLabels
from circuit_widget.labels.label import Accuracy, FeatureLabel, LabelKind, suits
from circuit_widget.labels.store import LabelStore
from circuit_widget.labels.table import LabelTable
from tests.examples.models import neuron_model, random_texts
from tests.models import tiny_model

RULE, WRITTEN, IMPORTED = LabelKind.RULE, LabelKind.WRITTEN, LabelKind.IMPORTED
MEASURED = FeatureLabel(1, 3, "Paris", RULE, accuracy=Accuracy(120, 109, 170))


@pytest.mark.parametrize("kept", ["memory", "folder"])
def test_the_label_of_the_highest_kind_is_displayed(kept: str, tmp_path: Path) -> None:
    store = LabelStore(tmp_path if kept == "folder" else None)
    store.add([FeatureLabel(1, 3, "imported", IMPORTED, "a.json"), MEASURED, FeatureLabel(1, 4, "other", RULE)])
    store.add([FeatureLabel(1, 3, "written", WRITTEN, "me"), FeatureLabel(1, 3, "below", RULE, negative=True)])
    again = LabelStore(tmp_path) if kept == "folder" else store
    assert again.find(1, 3) == FeatureLabel(1, 3, "imported", IMPORTED, "a.json")
    assert again.find(1, 3, negative=True) == FeatureLabel(1, 3, "below", RULE, negative=True)
    assert again.find(1, 4, negative=True) is None
    assert again.find(0, 3) is None
    again.replace(IMPORTED, np.array([3]), LabelTable.of(1, ()))
    assert again.find(1, 3) == FeatureLabel(1, 3, "written", WRITTEN, "me")
    again.replace(WRITTEN, None, LabelTable.of(1, ()))
    assert again.find(1, 3) == MEASURED
    assert again.find(1, 4) == FeatureLabel(1, 4, "other", RULE)


def test_a_label_takes_the_place_of_one_of_the_same_kind() -> None:
    store = LabelStore()
    store.add([MEASURED, FeatureLabel(1, 3, "London", RULE)])
    assert list(store.layer(1)) == [FeatureLabel(1, 3, "London", RULE)]


@pytest.mark.parametrize(
    ("label", "origin"),
    [
        (MEASURED, "by rule: 91% of 120 tokens that it names, 64% of where it is active"),
        (FeatureLabel(1, 3, "a", RULE), "by rule, not measured"),
        (
            FeatureLabel(1, 3, "a", RULE, accuracy=Accuracy(0, 0, 5)),
            "by rule: the texts that measure it have none of the tokens that it names, 0% of where it is active",
        ),
        (
            FeatureLabel(1, 3, "a", RULE, accuracy=Accuracy(1, 0, 0)),
            "by rule: 0% of 1 token that it names and it is never active",
        ),
        (
            FeatureLabel(1, 3, "a", RULE, negative=True, accuracy=Accuracy(4, 2, 4), level=1.25),
            "by rule: 50% of 4 tokens that it names, 50% of where it is below -1.2",
        ),
        (FeatureLabel(1, 3, "a", WRITTEN, "SmolLM2"), "written by SmolLM2"),
        (FeatureLabel(1, 3, "a", IMPORTED, "a.json"), "imported: a.json"),
    ],
)
def test_the_origin_says_how_a_label_was_made(label: FeatureLabel, origin: str) -> None:
    assert label.origin == origin


def test_what_never_came_up_has_no_figure() -> None:
    assert (Accuracy(0, 0, 5).precision, Accuracy(0, 0, 5).recall) == (None, 0.0)
    assert (Accuracy(3, 0, 0).precision, Accuracy(3, 0, 0).recall) == (0.0, None)
    with pytest.raises(NodeError, match="hits of an accuracy is 4, more than"):
        Accuracy(3, 4, 5)


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "\u202edesrever", "\ud800", "a" * 201, 7, None])
def test_a_label_is_one_line_of_text(text: Any) -> None:
    with pytest.raises(NodeError, match=r"The label of feature 3 of layer 1 .*\."):
        FeatureLabel(1, 3, text, RULE)


def test_a_damaged_file_of_labels_is_named(tmp_path: Path) -> None:
    LabelStore(tmp_path).add([MEASURED])
    file = tmp_path / "labels_001.parquet"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(LoadError, match=r"labels_001.parquet.* is cut off or damaged .* remove it"):
        LabelStore(tmp_path).find(1, 3)


def test_labels_come_with_the_examples_and_go_into_graphs(tmp_path: Path) -> None:
    model = tiny_model()
    model.collect_examples(random_texts(6), tmp_path, progress=False)
    graph = model.trace((1, 17, 42, 5), targets=[5])
    layer, feature = int(graph.feature_layer[0]), int(graph.feature_index[0])
    model._cards.labels.add([FeatureLabel(layer, feature, "a label", IMPORTED, "a.json")])
    traced = model.trace((1, 17, 42, 5), targets=[5])
    assert traced.labels[graph.node_ids[0]] == "a label"
    again = tiny_model()
    again.collect_examples(random_texts(6), tmp_path, progress=False)
    card = again.feature_card(layer, feature)
    assert (card.label, card.label_origin, card.label_is_automatic) == ("a label", "imported: a.json", False)


def test_labels_made_before_the_examples_are_kept_with_them(tmp_path: Path) -> None:
    model = tiny_model()
    model._cards.labels.add([MEASURED])
    model.collect_examples(random_texts(6), tmp_path, progress=False)
    assert LabelStore(tmp_path).find(1, 3) == MEASURED


def test_a_neurons_label_is_that_of_the_sign_of_its_activation() -> None:
    model = neuron_model()
    graph = model.trace((1, 17, 42, 5), targets=[5])
    signs = {bool(value < 0): index for index, value in enumerate(graph.activation.tolist())}
    for index in signs.values():
        place = int(graph.feature_layer[index]), int(graph.feature_index[index])
        model._cards.labels.add(
            [FeatureLabel(*place, "above", RULE), FeatureLabel(*place, "below", RULE, negative=True)]
        )
    traced = model.trace((1, 17, 42, 5), targets=[5])
    assert traced.labels[graph.node_ids[signs[False]]] == "above"
    assert traced.labels[graph.node_ids[signs[True]]] == "below"
    card = model.feature_card(int(graph.feature_layer[signs[True]]), int(graph.feature_index[signs[True]]))
    assert (card.label, card.at(-2.0).label, card.at(-2.0).at(1.0).label) == ("above", "below", "above")


def test_labels_of_features_are_a_mapping_with_a_frame() -> None:
    below = FeatureLabel(1, 3, "below", RULE, negative=True)
    other = FeatureLabel(0, 7, "other", WRITTEN, "me")
    found = FeatureLabels(
        {1: LabelTable.of(1, [below, MEASURED]), 0: LabelTable.of(0, [other]), 2: LabelTable.of(2, [])}
    )
    assert dict(found) == {cw.Everywhere(0, 7): (other,), cw.Everywhere(1, 3): (MEASURED, below)}
    assert repr(found) == "FeatureLabels(3 labels of 2 features)"
    frame = found.to_frame()
    assert frame["label"].tolist() == ["other", "Paris", "below"]
    assert frame["tokens"].isna().tolist() == [True, False, True]
    assert frame["precision"][1] == 109 / 120
    assert frame["origin"][0] == "written by me"


@pytest.mark.parametrize(
    ("activation", "suiting"), [(1.4, False), (1.5, True), (-2.0, True), (6.0, True), (6.1, False), (-350.0, False)]
)
def test_a_rule_suits_what_it_was_made_from(activation: float, suiting: bool) -> None:
    label = FeatureLabel(0, 3, "Paris", LabelKind.RULE, level=2.0, most=3.0)
    assert suits(label, activation) is suiting
    assert suits(FeatureLabel(0, 3, "Paris", LabelKind.WRITTEN, "me"), activation)


@pytest.mark.parametrize(
    ("accuracy", "suiting"),
    [(None, True), (Accuracy(10, 5, 90), True), (Accuracy(10, 4, 4), False), (Accuracy(0, 0, 3), False)],
)
def test_a_rule_that_measured_badly_or_without_evidence_is_not_displayed_at_nodes(
    accuracy: Accuracy | None, suiting: bool
) -> None:
    label = FeatureLabel(0, 3, "Paris", LabelKind.RULE, accuracy=accuracy, level=2.0, most=3.0)
    assert suits(label, 2.5) is suiting
    assert suits(label, 1.4) is False
