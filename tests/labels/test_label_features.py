"""The method: which features it labels, what it keeps when it ends early, and what it refuses."""

import time
from pathlib import Path
from typing import Any

import pytest

import circuit_widget as cw
from circuit_widget.errors import Cancelled, CircuitWidgetError, CircuitWidgetWarning, LoadError, NodeError, PromptError
from circuit_widget.feature_card import FeatureCard
from circuit_widget.labels import by_rule, written
from circuit_widget.labels.label import FeatureLabel, LabelKind
from circuit_widget.labels.store import LabelStore
from circuit_widget.replacement_model import ReplacementModel
from tests.examples.models import neuron_model, texts_of_few_words
from tests.models import tiny_model

PROMPT = (1, 17, 42, 5)
TEXTS = texts_of_few_words(150)
HELD_OUT = texts_of_few_words(10, seed=4)


@pytest.fixture
def model(tmp_path: Path) -> ReplacementModel:
    """The tiny model with examples of its neurons."""
    made = neuron_model()
    made.collect_examples(TEXTS, tmp_path, progress=False)
    return made


def numbers(card: FeatureCard) -> str:
    """A labeller that writes which card it was given."""
    return f"{card.layer} {card.feature} {card.negative}"


def test_labels_by_rule_are_kept_with_the_examples(model: ReplacementModel, tmp_path: Path) -> None:
    found = model.label_features(progress=False)
    assert len(found) > 0
    assert {label.origin for label in found.labels()} == {"by rule, not measured"}
    again = LabelStore(tmp_path)
    for label in found.labels():
        assert again.find(label.layer, label.feature, negative=label.negative) == label
    words = {token.strip().lower() for text in TEXTS for token in model.read_prompt(text).texts}
    for label in found.labels():
        text = label.text.removeprefix("say ").removeprefix("after ")
        assert {word.strip("“”").lower() for word in text.split(", ")} <= words


def test_a_label_of_before_goes_where_the_rule_finds_none(model: ReplacementModel) -> None:
    found = list(model.label_features(progress=False).labels())
    free = next(n for n in range(48) if not any((x.layer, x.feature) == (0, n) for x in found))
    model._cards.labels.add([FeatureLabel(0, free, "of before", LabelKind.RULE)])
    assert list(model.label_features(progress=False).labels()) == found
    assert model.feature_card(0, free).label is None


def test_only_the_features_that_are_given_are_labelled(model: ReplacementModel, tmp_path: Path) -> None:
    label = next(model.label_features(progress=False).labels())
    for layer in range(3):
        (tmp_path / f"labels_{layer:03}.parquet").unlink()
    fresh = neuron_model()
    fresh.collect_examples(TEXTS, tmp_path, progress=False)
    place = cw.Everywhere(label.layer, label.feature)
    assert list(fresh.label_features([place], progress=False)) == [place]
    assert len(list(tmp_path.glob("labels_*.parquet"))) == 1


def test_labels_of_a_graph_are_those_of_its_signs(model: ReplacementModel) -> None:
    graph = model.trace(PROMPT, targets=[5], max_features=20)
    found = model.label_features(graph, labeller=numbers, progress=False)
    labelled = graph.with_labels(found)
    for index, node in enumerate(graph.node_ids[: graph.n_features]):
        expected = f"{graph.feature_layer[index]} {graph.feature_index[index]} {graph.activation[index] < 0}"
        assert labelled.labels[node] == expected
    assert dict(model.trace(PROMPT, targets=[5], max_features=20).labels) == dict(labelled.labels)


def test_a_feature_of_both_signs_has_a_label_of_each(model: ReplacementModel) -> None:
    found = model.label_features(["1_3_2", cw.Feature(1, 0, 3), cw.Everywhere(2, 5)], labeller=numbers, progress=False)
    assert [label.text for label in found.labels()] == ["1 3 False", "1 3 True", "2 5 False", "2 5 True"]
    assert {label.origin for label in found.labels()} == {"written by numbers"}


def test_a_labeller_works_without_examples() -> None:
    model = tiny_model()
    assert [x.text for x in model.label_features("0_3_1", labeller=numbers, progress=False).labels()] == ["0 3 False"]
    assert model.feature_card(0, 3).label_origin == "written by numbers"


@pytest.mark.parametrize("wrong", [None, 7, "", "  ", "two\nlines", b"a", ["a"]])
def test_what_is_no_label_ends_the_run_and_keeps_what_was_done(wrong: Any) -> None:
    model = tiny_model()
    with pytest.raises(CircuitWidgetError, match=r"returned no label. The label of feature 5 of layer 1 .* kept\."):
        model.label_features(
            ["0_3_1", "1_5_1"], labeller=lambda card: "a" if card.feature == 3 else wrong, progress=False
        )
    assert (model.feature_card(0, 3).label, model.feature_card(1, 5).label) == ("a", None)


def test_a_labeller_that_fails_names_the_feature_and_keeps_what_was_done() -> None:
    def fails(card: FeatureCard) -> str:
        return ["a"][card.layer]

    model = tiny_model()
    with pytest.raises(CircuitWidgetError, match=r"failed at feature 5 of layer 1: IndexError: list index .* kept\."):
        model.label_features(["0_3_1", "1_5_1"], labeller=fails, progress=False)
    assert model.feature_card(0, 3).label == "a"


def test_a_stopped_labeller_keeps_what_was_done(model: ReplacementModel, tmp_path: Path) -> None:
    answers = iter([False, False, True])
    with pytest.raises(Cancelled, match="the labels of 2 of 3 features are kept"):
        model.label_features(
            ["0_3_1", "1_5_1", "2_5_1"], labeller=numbers, progress=False, cancelled=lambda: next(answers)
        )
    assert LabelStore(tmp_path).find(1, 5) is not None
    assert LabelStore(tmp_path).find(2, 5) is None


def test_a_killed_labeller_keeps_what_was_saved(
    model: ReplacementModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed process runs no `finally`: what was saved while it ran is there."""
    monkeypatch.setattr(written, "SECONDS_BETWEEN_SAVES", 0.0)
    seen: list[bool] = []

    def labeller(card: FeatureCard) -> str:
        seen.append(LabelStore(tmp_path).find(0, 3) is not None)
        return numbers(card)

    model.label_features(["0_3_1", "1_5_1"], labeller=labeller, progress=False)
    assert seen == [False, False, True, True]


def test_stopped_rules_keep_the_layers_done(model: ReplacementModel, tmp_path: Path) -> None:
    answers = iter([False, True])
    with pytest.raises(Cancelled, match="the labels of 1 of 3 layers are kept"):
        model.label_features(progress=False, cancelled=lambda: next(answers))
    assert [path.name for path in tmp_path.glob("labels_*.parquet")] == ["labels_000.parquet"]


def test_a_stopped_measurement_keeps_the_labels(model: ReplacementModel, tmp_path: Path) -> None:
    answers = iter([False, False, False, True])
    with pytest.raises(Cancelled, match="count as not measured"):
        model.label_features(texts=HELD_OUT, progress=False, cancelled=lambda: next(answers))
    kept = [label for layer in range(3) for label in LabelStore(tmp_path).layer(layer)]
    assert kept
    assert all(label.accuracy is None for label in kept)


def test_progress_goes_from_nothing_to_all(model: ReplacementModel) -> None:
    reported: list[tuple[float, str]] = []
    model.label_features(texts=HELD_OUT, progress=lambda *report: reported.append(report))
    fractions = [fraction for fraction, _ in reported]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert any("Measuring labels, " in text for _, text in reported)


def test_texts_of_the_examples_give_a_warning(model: ReplacementModel) -> None:
    with pytest.warns(CircuitWidgetWarning, match="accuracies are too high"):
        model.label_features(texts=TEXTS, progress=False)


def test_what_cannot_be_labelled_is_refused(model: ReplacementModel) -> None:
    with pytest.raises(LoadError, match="Labels by rule are made from examples collected on this machine"):
        tiny_model().label_features(progress=False)
    with pytest.raises(NodeError, match="This model has no feature 48 in layer 1; layer 1 has 48 features"):
        model.label_features([cw.Everywhere(1, 48)], progress=False)
    with pytest.raises(NodeError, match=r"features are node ids, .* given “E_17_1”"):
        model.label_features("E_17_1", labeller=numbers, progress=False)
    with pytest.raises(CircuitWidgetError, match="so name them: features="):
        model.label_features(labeller=numbers, progress=False)
    with pytest.raises(PromptError, match="leave texts out"):
        model.label_features("0_3_1", labeller=numbers, texts=HELD_OUT, progress=False)
    with pytest.raises(PromptError, match="texts has no text to run"):
        model.label_features(texts=["  "], progress=False)
    with pytest.raises(CircuitWidgetError, match="labeller is a function of a FeatureCard"):
        model.label_features("0_3_1", labeller="me", progress=False)


def test_labels_are_refused_for_another_model(model: ReplacementModel, tmp_path: Path) -> None:
    model.label_features(progress=False)
    other = neuron_model(seed=1)
    other._cards.labels = model._cards.labels
    with pytest.raises(LoadError, match="are of another model"):
        other.label_features(progress=False)


def test_thousands_of_labels_are_looked_up_at_once() -> None:
    """A trace has thousands of nodes: a look-up that went through all labels would take minutes."""
    store = LabelStore()
    store.add(FeatureLabel(0, number, f"label {number}", LabelKind.RULE) for number in range(20_000))
    started = time.perf_counter()
    assert all(store.find(0, number) for number in range(0, 20_000, 5))
    assert time.perf_counter() - started < 2.0


def test_features_are_labelled_in_parts(model: ReplacementModel, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(model.label_features(progress=False).labels())
    monkeypatch.setattr(by_rule, "FEATURES_AT_ONCE", 7)
    assert list(model.label_features(progress=False).labels()) == whole


def test_the_command_line_labels_a_folder_of_examples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from circuit_widget.cli import main

    for name, texts in (("texts", TEXTS), ("other", HELD_OUT)):
        (tmp_path / f"{name}.txt").write_text("\n\n".join(texts))
    folder = str(tmp_path / "out")
    common = ["demo", "--device", "cpu", "-o", folder]
    assert main(["examples", "demo", str(tmp_path / "texts.txt"), *common[1:]]) == 0
    assert main(["labels", *common, "--held-out", str(tmp_path / "other.txt")]) == 0
    printed = capsys.readouterr().out
    assert f"features in {folder}" in printed
    assert "precision " in printed
    assert main(["labels", "demo", "--device", "cpu", "-o", str(tmp_path / "none")]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_a_node_far_from_what_its_rule_is_made_from_has_no_label(model: ReplacementModel) -> None:
    labels = model.label_features(progress=False)
    graph = model.trace("Berlin Austin Dallas Berlin Asia", progress=False)
    features = zip(graph.feature_layer.tolist(), graph.feature_index.tolist(), graph.activation.tolist(), strict=True)
    rules = {(label.layer, label.feature, label.negative): label for label in labels.labels()}
    expected, weak = {}, 0
    for node, (layer, feature, activation) in zip(graph.node_ids, features, strict=False):
        rule = rules.get((layer, feature, activation < 0))
        if rule is None:
            continue
        card = model.feature_card(layer, feature)
        peak = abs((card.minimum if activation < 0 else card.maximum) or 0.0)
        assert rule.level == pytest.approx(peak / 2)
        assert rule.most == pytest.approx(peak)
        if 0.75 * rule.level <= abs(activation) <= 2 * peak:
            expected[node] = rule.text
        else:
            weak += 1
    assert expected
    assert weak
    assert labels.of_graph(graph) == expected
    assert graph.labels == expected
