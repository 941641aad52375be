"""A folder of examples: of one model, with one writer, valid or refused with a reason; and the cards it gives."""

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import circuit_widget as cw
from circuit_widget.cli import main
from circuit_widget.demo import TRANSCODERS
from circuit_widget.errors import CircuitWidgetWarning, LoadError
from circuit_widget.examples import folder as folders
from circuit_widget.examples.manifest import read_manifest
from circuit_widget.examples.reader import open_examples
from circuit_widget.examples.weights_hash import identity_of
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.replacement_model import ReplacementModel
from tests.examples.models import contents, neuron_model, random_texts
from tests.models import tiny_model, tiny_network, tokenizer

TEXTS = random_texts(6)
DEMO_TEXTS = [f"the capital of {place} is {city}" for place, city in (("France", "Paris"), ("Italy", "Rome"))]


def test_a_folder_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    for name in ("b.txt", "a.py", "c.txt", "d.txt", ".hidden"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(LoadError) as refusal:
        tiny_model().collect_examples(random_texts(2), tmp_path, progress=False)
    assert str(refusal.value).endswith(
        " is a folder with 'a.py', 'b.txt', 'c.txt' and 1 more in it, and without examples. Give a folder "
        "that is new, empty, or that has examples; nothing was written."
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "a.py", "b.txt", "c.txt", "d.txt"]
    for path in tmp_path.glob("*.*"):
        path.unlink()
    (tmp_path / ".hidden").write_text("of the system")
    assert tiny_model().collect_examples(random_texts(2), tmp_path, progress=False).n_tokens > 0


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples of the tiny model; copy it before a change."""
    folder = tmp_path_factory.mktemp("collected") / "examples"
    tiny_model().collect_examples(TEXTS, folder, progress=False)
    return folder


@pytest.fixture
def copied(collected: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(collected, tmp_path / "copy"))


def reader(model: ReplacementModel, folder: object) -> Any:
    return open_examples(folder, model.model, model.transcoders)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tiny_model(seed=1), "are of another model, 'tiny'"),
        (
            lambda: ReplacementModel(tiny_model().model, tiny_model(jump=True).transcoders),
            "are of other transcoders, 'random'",
        ),
        (neuron_model, "are of other transcoders"),
    ],
)
def test_examples_of_another_model_are_refused(
    collected: Path, make: Callable[[], ReplacementModel], message: str
) -> None:
    model = make()
    with pytest.raises(LoadError, match=message):
        reader(model, collected)
    before = contents(collected)
    with pytest.raises(LoadError, match=message):
        model.collect_examples(TEXTS, collected, progress=False)
    assert contents(collected) == before


def test_the_dtype_does_not_make_another_model() -> None:
    model = tiny_model()
    half = LanguageModel(tiny_network().to(torch.bfloat16), tokenizer(), "tiny")
    assert identity_of(half, model.transcoders) == identity_of(model.model, model.transcoders)


def test_two_writers_are_one_too_many(copied: Path) -> None:
    with folders.writing(copied), pytest.raises(LoadError, match=r"being collected into .*copy by another process"):
        tiny_model().collect_examples(random_texts(2, seed=5), copied, progress=False)


def test_a_refused_writer_leaves_a_new_folder_to_the_first_one(tmp_path: Path) -> None:
    folder, refusals = tmp_path / "new", []

    def begin_again(*_: object) -> None:
        with pytest.raises(LoadError) as refusal:
            tiny_model().collect_examples(TEXTS, folder, progress=False)
        refusals.append(str(refusal.value))

    found = tiny_model().collect_examples(TEXTS, folder, progress=begin_again)
    assert len(refusals) >= 2
    assert all("by another process or cell" in refusal for refusal in refusals)
    assert read_manifest(folder).n_tokens == found.n_tokens > 0


def test_a_folder_that_vanishes_is_made_again(tmp_path: Path, collected: Path) -> None:
    folder = tmp_path / "new"
    tiny_model().collect_examples(TEXTS, folder, progress=lambda *_: shutil.rmtree(folder, ignore_errors=True))
    assert contents(folder) == contents(collected)


def test_an_empty_folder_stays_where_nothing_is_written(tmp_path: Path) -> None:
    with folders.writing(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
    with folders.writing(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()
    assert not (tmp_path / "new").exists()


def test_a_full_disk_leaves_what_was_there(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, names = contents(copied), sorted(path.name for path in copied.iterdir())
    written: list[Path] = []

    def fill(_: object, path: Path) -> None:
        written.append(path)
        path.write_bytes(b"half a file")
        if len(written) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(folders, "write_layer", fill)
    tokens = read_manifest(copied).n_tokens
    with pytest.raises(LoadError, match=f"No space left.* still has the examples of {tokens} tokens"):
        tiny_model().collect_examples(random_texts(2, seed=5), copied, progress=False)
    assert contents(copied) == before
    assert sorted(path.name for path in copied.iterdir()) == names


def test_a_disk_that_is_full_from_the_beginning_leaves_no_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(_: object, path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(folders, "write_layer", fill)
    with pytest.raises(LoadError, match=r"No space left.* Nothing was saved before; the same call begins again"):
        tiny_model().collect_examples(random_texts(2), tmp_path / "new", progress=False)
    assert not (tmp_path / "new").exists()


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(LoadError, match="file is a file; give a folder that is new"):
        tiny_model().collect_examples(random_texts(2), tmp_path / "file", progress=False)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_truncated_file_is_named(copied: Path) -> None:
    path = read_manifest(copied).file_of(copied, 1)
    path.write_bytes(path.read_bytes()[:-40])
    model = tiny_model()
    found = reader(model, copied)
    assert found.of(0, 3).examples
    with pytest.raises(LoadError, match=r"layer_001.1.parquet is cut off or damaged"):
        found.of(1, 3)
    with pytest.raises(LoadError, match=r"layer_001.1.parquet is cut off or damaged"):
        model.collect_examples(random_texts(2, seed=5), copied, progress=False)
    path.unlink()
    with pytest.raises(LoadError, match=r"layer_001.1.parquet is missing"):
        found.of(1, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: "{", "is not readable as JSON"),
        (lambda _: "[]", "is no manifest of examples"),
        (lambda found: json.dumps({**found, "version": 9}), "has version 9, expected 2"),
        (lambda found: json.dumps({**found, "sources": [{"name": "x"}]}), "is malformed"),
        (
            lambda found: json.dumps(
                {**found, "sources": [{"name": "x", "first": "", "round_windows": 3, "round_end": 2}]}
            ),
            "is malformed .round_end is a number above round_windows, found 2",
        ),
        (lambda found: json.dumps({**found, "unknown": 1}), "is malformed"),
    ],
)
def test_a_broken_manifest_is_refused(copied: Path, change: Callable[[Any], str], message: str) -> None:
    path = copied / "examples.json"
    path.write_text(change(json.loads(path.read_text())))
    with pytest.raises(LoadError, match=message):
        reader(tiny_model(), copied)


def test_without_a_folder_or_examples_in_it_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="there is no such folder"):
        reader(tiny_model(), tmp_path / "none")
    (tmp_path / "texts.jsonl").write_text("{}")
    with pytest.raises(LoadError, match=r"texts.jsonl.*, which is a file; give the folder that collect_examples"):
        reader(tiny_model(), tmp_path / "texts.jsonl")
    with pytest.raises(LoadError, match=r"There are no examples in .*it has no examples.json"):
        reader(tiny_model(), tmp_path)


def test_without_pyarrow_the_error_names_the_extra(collected: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(LoadError, match=r"pip install 'circuit-widget\[examples\]'"):
        reader(tiny_model(), collected)
    with pytest.raises(LoadError, match=r"pip install 'circuit-widget\[examples\]'"):
        tiny_model().collect_examples(TEXTS, collected, progress=False)


def test_a_card_has_the_statistics_of_its_feature(collected: Path) -> None:
    found = reader(tiny_model(), collected)
    n_tokens = read_manifest(collected).n_tokens
    seen = 0
    for feature in range(40):
        record = found.of(1, feature)
        assert record.origin == f"{n_tokens} tokens of your texts"
        if not record.frequency:
            assert (record.maximum, record.examples, record.histogram) == (0.0, (), None)
            continue
        at_first = sum(level.share for level in record.levels if level.name == "first tokens") * record.frequency
        if record.histogram is None:
            assert (record.maximum, record.examples, record.mean) == (0.0, (), None)
            assert at_first == pytest.approx(record.frequency)
            continue
        seen += 1
        assert sum(record.histogram.counts) == round((record.frequency - at_first) * n_tokens)
        peaks = [max(example.activations) for example in record.examples]
        assert record.maximum == pytest.approx(max(peaks))
        assert 0 < record.mean <= record.maximum
        assert record.histogram.counts[0] > 0
        assert record.histogram.least <= record.maximum < record.histogram.least + 64 * record.histogram.width
        for level in record.levels:
            if level.name is None:
                assert all(level.least <= max(example.activations) < level.most for example in level.examples)
            else:
                peaks = [example.activations[1] for example in level.examples]  # behind BOS
                assert (level.least, level.most) == pytest.approx((min(peaks), max(peaks)))
        assert sum(level.share for level in record.levels) <= 1 + 1e-9
    assert seen > 30


def test_neurons_have_examples_of_both_signs(tmp_path: Path) -> None:
    model = neuron_model()
    model.collect_examples(TEXTS, tmp_path, progress=False)
    for feature in range(0, 48, 5):
        card = model.feature_card(1, feature)
        assert card.frequency == 1.0
        assert card.minimum is not None
        assert card.maximum is not None
        assert card.minimum == pytest.approx(min(min(example.activations) for example in card.lowest))
        assert card.minimum < 0 < card.maximum
        assert card.histogram is not None
        assert card.histogram.least <= card.minimum < card.histogram.least + card.histogram.width * 64
        assert sum(card.histogram.counts) == read_manifest(tmp_path).n_tokens - len(TEXTS)
        last = card.histogram.least + len(card.histogram.counts) * card.histogram.width
        assert card.maximum < last
        assert all(
            level.least < min(example.activations) <= level.most
            for level in card.levels
            if level.most <= 0 and level.name is None
            for example in level.examples
        )


def test_cards_show_the_examples_from_then_on_and_later_by_name(tmp_path: Path) -> None:
    model = cw.load("demo", device="cpu")
    with_transcoders = model.feature_card(0, 1)
    assert with_transcoders.origin == "texts that come with the transcoders"
    found = model.collect_examples(DEMO_TEXTS, tmp_path / "new", progress=False)
    card = model.feature_card(0, 1)
    assert (card.origin, card.label) == (f"{found.n_tokens} tokens of your texts", with_transcoders.label)
    assert cw.load("demo", device="cpu", examples=tmp_path / "new").feature_card(0, 1) == card
    assert cw.load("demo", device="cpu").feature_card(0, 1) == with_transcoders


def test_examples_beside_the_transcoders_are_found(tmp_path: Path) -> None:
    beside = Path(shutil.copytree(TRANSCODERS, tmp_path / "transcoders"))
    model = cw.load("demo", beside, device="cpu")
    model.collect_examples(DEMO_TEXTS, beside / "examples", progress=False)
    assert cw.load("demo", beside, device="cpu").feature_card(0, 1) == model.feature_card(0, 1)
    manifest = beside / "examples" / "examples.json"
    manifest.write_text(manifest.read_text().replace("sha256-sampled:", "sha256-sampled:0"))
    with pytest.warns(CircuitWidgetWarning, match="examples beside the transcoders are left out. .* another model"):
        assert "come with" in str(cw.load("demo", beside, device="cpu").feature_card(0, 1).origin)


def test_a_card_is_read_while_another_call_adds_texts(collected: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(collected, tmp_path / "copy"))
    model = tiny_model()
    found = reader(model, folder)
    before = found.of(0, 3)
    model.collect_examples(random_texts(3, seed=7), folder, progress=False)
    assert found.of(0, 3) == before
    assert found.of(1, 3).origin == f"{read_manifest(folder).n_tokens} tokens of your texts"


def test_the_command_line_collects_and_says_what_it_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_bytes(b"\n\n".join([*map(str.encode, DEMO_TEXTS), b"\xff"]))
    assert main(["examples", "demo", str(texts), "-o", str(tmp_path / "out"), "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert printed == f"5,646 features on 12 tokens in {tmp_path / 'out'}\ntexts and lines left out: 1 not UTF-8\n"
    assert main(["examples", "demo", str(tmp_path / "none.txt"), "-o", str(tmp_path / "out")]) == 2
    assert "there is no such file" in capsys.readouterr().err
