"""What Neuronpedia exports: read value by value, or refused with file and line."""

import gc
import gzip
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from circuit_widget.errors import Cancelled, LoadError
from circuit_widget.examples.record import Example, Level
from tests.examples.published import HOSTILE, activation, explanation, feature_line, json_lines, write_export
from tests.models import tiny_model

TOP = activation(1, 7, ["The", " capital"], [0.0, 2.5])
STRONGER = activation(1, 7, [" Texas", "."], [4.25, 0])
RANGE = activation(1, 7, ["a", " city"], [0.5, 1.25], binMin=1.0, binMax=2.0, binContains=0.0001)
EXPORT = {
    "1-a-transcoder-40/activations/batch-0.jsonl.gz": [TOP, RANGE, activation(1, 8, ["x"], [1]), STRONGER],
    "1-a-transcoder-40/explanations/batch-0.jsonl.gz": [explanation(1, 7, "the state\n of  Texas")],
    "1-a-transcoder-40/features/batch-0.jsonl.gz": [feature_line(1, 7), feature_line(1, 9, frac_nonzero=0.0)],
    "1-a-transcoder-40/source.jsonl": [{"id": "1-a-transcoder-40"}],
    "2-a-transcoder-40/activations/batch-0.jsonl": [activation(2, 39, ["y", "z"], [0, 3])],
}


def test_an_export_is_read_value_by_value(tmp_path: Path) -> None:
    model = tiny_model()
    found = model.read_examples(write_export(tmp_path, EXPORT), progress=False)
    card = model.feature_card(1, 7)
    assert card.examples == (Example((" Texas", "."), (4.25, 0.0)), Example(("The", " capital"), (0.0, 2.5)))
    assert card.levels == (Level(1.0, 2.0, None, (Example(("a", " city"), (0.5, 1.25)),)),)
    assert (card.frequency, card.maximum, card.minimum) == (0.25, 4.5, None)
    assert card.label == "the state of Texas"
    assert card.label_origin == "imported: Neuronpedia's export of tiny a-transcoder-40"
    assert not card.label_is_automatic
    assert card.origin == "Neuronpedia's export of tiny a-transcoder-40"
    assert model.feature_card(2, 39).examples == (Example(("y", "z"), (0.0, 3.0)),)
    assert model.feature_card(1, 8).maximum is None
    assert (model.feature_card(1, 9).frequency, model.feature_card(1, 9).examples) == (0.0, ())
    assert model.feature_card(0, 0).examples == ()
    assert (found.n_features, found.n_examples, found.n_labels, found.skipped) == (3, 5, 1, {})
    assert repr(found) == (
        "PublishedExamples(Neuronpedia's export of tiny a-transcoder-40: 3 features, 5 examples, 1 labels)"
    )


def test_a_folder_is_read_again_with_labels(tmp_path: Path) -> None:
    model = tiny_model()
    model.read_examples(write_export(tmp_path / "export", EXPORT), tmp_path / "own", progress=False)
    again = tiny_model()
    assert again.read_examples(tmp_path / "own", progress=False).n_labels == 1
    for layer, feature in ((1, 7), (1, 8), (1, 9), (2, 39), (0, 0)):
        found, before = again.feature_card(layer, feature), model.feature_card(layer, feature)
        assert replace(found, label_origin=None) == replace(before, label_origin=None)


@pytest.mark.parametrize("name", ["lines.jsonl", "lines.jsonl.gz"])
def test_one_file_with_lines_of_all_kinds_is_read(tmp_path: Path, name: str) -> None:
    lines = [line for name, found in EXPORT.items() if "source" not in name for line in found]
    write_export(tmp_path, {name: lines[::-1]})
    model = tiny_model()
    assert model.read_examples(tmp_path / name, progress=False).n_examples == 5
    assert [example.tokens for example in model.feature_card(1, 7).examples] == [(" Texas", "."), ("The", " capital")]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    lines = [
        TOP,
        {**TOP, "id": "again"},
        activation(1, 7, ["never"], [0]),
        {**STRONGER, "colour": "red", "\u202e": 1},
        {**RANGE, "colour": "blue"},
        explanation(1, 7, "first"),
        explanation(1, 7, "second"),
        explanation(1, 7, "first"),
        explanation(1, 8, " \n "),
        {"something": "else"},
    ]
    model = tiny_model()
    found = model.read_examples(write_export(tmp_path, {"a.jsonl": lines}), progress=False)
    assert found.skipped == {
        "examples that are there twice": 1,
        "examples at which the feature is not active": 1,
        "further labels of a feature that has one": 1,
        "empty labels": 1,
        "field 'colour', which is not known": 2,
        r"field '\u202e', which is not known": 1,
        "lines that are neither of activations, of explanations nor of features": 1,
    }
    assert model.feature_card(1, 7).label == "first"
    assert len(model.feature_card(1, 7).examples) == 2


def test_many_unknown_fields_are_counted_together(tmp_path: Path) -> None:
    lines = [{**TOP, **{f"field {number}": 1 for number in range(100)}}]
    found = tiny_model().read_examples(write_export(tmp_path, {"a.jsonl": lines}), progress=False)
    assert len(found.skipped) == 21
    assert found.skipped["other fields"] == 80


def test_labels_alone_leave_the_examples(tmp_path: Path) -> None:
    model = tiny_model()
    model.read_examples(write_export(tmp_path / "first", EXPORT), progress=False)
    model.read_examples(
        write_export(tmp_path / "second", {"explanations/batch-0.jsonl": [explanation(1, 8, "x" * 300)]}),
        progress=False,
    )
    assert len(model.feature_card(1, 7).examples) == 2
    assert model.feature_card(1, 7).label == "the state of Texas"
    assert model.feature_card(1, 8).label == "x" * 199 + "…"


def test_labels_are_those_of_new_graphs(tmp_path: Path) -> None:
    model = tiny_model()
    graph = model.trace([1, 17, 42, 5], progress=False)
    layer, feature = int(graph.feature_layer[0]), int(graph.feature_index[0])
    model.read_examples(write_export(tmp_path, {"a.jsonl": [explanation(layer, feature, HOSTILE)]}), progress=False)
    labels = model.trace([1, 17, 42, 5], progress=False).labels
    assert labels[graph.node_ids[0]] == "<img src=x onerror=alert(1)>\ufffd\ufffd"


def test_the_temporary_folder_goes_with_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    model = tiny_model()
    write_export(tmp_path / "export", EXPORT)
    model.read_examples(tmp_path / "export", progress=False)
    assert len(list((tmp_path / "temporary").iterdir())) == 1
    model.close()
    gc.collect()
    assert list((tmp_path / "temporary").iterdir()) == []


def with_line(second: object) -> bytes:
    return json_lines([TOP]) + (second if isinstance(second, bytes) else json_lines([second]))


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (b'{"tokens": [', "it is not readable as JSON"),
        (b"[1]\n", r"expected an object with the fields of a feature, found \[1\]"),
        ({**TOP, "tokens": ["a"]}, "an example has 1 tokens and 2 activations"),
        ({**TOP, "tokens": "ab"}, "tokens are a list of texts, found 'ab'"),
        ({**TOP, "values": [1, None]}, "one of the activations is a finite number, found None"),
        ({**TOP, "values": [1, float("inf")]}, "one of the activations is a finite number, found inf"),
        ({**TOP, "index": "-1"}, "index is a whole number from 0, found '-1'"),
        ({**TOP, "index": "²"}, "index is a whole number from 0, found '²'"),
        ({**TOP, "layer": "blocks.1"}, r"layer begins with a number, as in .*; found \'blocks\.1\'"),
        ({**TOP, "binMin": "low"}, "binMin is a finite number, found 'low'"),
        (feature_line(1, 7, frac_nonzero=25), "frac_nonzero is a share between 0 and 1, found 25"),
        ({**explanation(1, 7, "a"), "description": 3}, "a label is a text, found 3"),
        ({**TOP, "layer": "1-another-set"}, "it is of another set of sources than the lines before"),
        ({**TOP, "modelId": "large"}, "it is of another set of sources than the lines before"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, second: object, message: str) -> None:
    path = tmp_path / "batch-0.jsonl.gz"
    path.write_bytes(gzip.compress(with_line(second)))
    with pytest.raises(LoadError, match=rf"Line 2 of .*batch-0\.jsonl\.gz cannot be used: {message}"):
        tiny_model().read_examples(path, progress=False)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (activation(1, 40, ["a"], [1]), "is of feature 40 in layer 1, and this model has 40 features there"),
        (activation(3, 0, ["a"], [1]), "is of feature 0 in layer 3, and this model has layers 0 to 2"),
    ],
)
def test_an_export_of_other_transcoders_is_refused(tmp_path: Path, line: dict[str, Any], message: str) -> None:
    with pytest.raises(LoadError, match=rf"Line 2 of .*a\.jsonl {message}: the set 'tiny a-transcoder-40' is of other"):
        tiny_model().read_examples(write_export(tmp_path, {"a.jsonl": [TOP, line]}), progress=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-6], "after line 2 it is truncated or damaged"),
        (lambda data: data[:40], "it is truncated or damaged"),
        (lambda data: data[:20] + b"\0" * 20 + data[40:], "it is truncated or damaged"),
        (lambda _: b"plain text", "it is truncated or damaged"),
        (lambda _: gzip.compress(b""), "None of the lines .* is about a feature"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, change: Callable[[bytes], bytes], message: str) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(change(gzip.compress(json_lines([TOP, STRONGER]))))
    model = tiny_model()
    with pytest.raises(LoadError, match=message):
        model.read_examples(path, tmp_path / "own", progress=False)
    assert [one.name for one in tmp_path.iterdir()] == ["a.jsonl.gz"]
    assert model.feature_card(1, 7).examples == ()


def test_a_reading_that_is_cancelled_changes_nothing(tmp_path: Path) -> None:
    model = tiny_model()
    export = write_export(tmp_path / "export", EXPORT)
    seen: list[float] = []
    for calls in range(1, 6):
        cancelled = iter([*[False] * calls, *[True] * 100]).__next__
        with pytest.raises(Cancelled):
            model.read_examples(
                export, tmp_path / "own", progress=lambda done, _: seen.append(done), cancelled=cancelled
            )
        assert [path.name for path in tmp_path.iterdir()] == ["export"]
        assert model.feature_card(1, 7).examples == ()
    assert 0 <= min(seen) <= max(seen) <= 1


def test_the_rest_of_a_line_is_never_run(tmp_path: Path) -> None:
    lines = [activation(1, 7, [HOSTILE, "__import__('os')"], [1, 2])]
    model = tiny_model()
    model.read_examples(write_export(tmp_path, {"a.jsonl": lines}), progress=False)
    assert model.feature_card(1, 7).examples[0].tokens == (
        "<img src=x onerror=alert(1)>\u202e\ufffd",
        "__import__('os')",
    )
    json.dumps(model.feature_card(1, 7).examples[0].tokens, ensure_ascii=False).encode()
