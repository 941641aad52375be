"""circuit-tracer's feature files: read value by value, or refused with a reason."""

import gzip
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from circuit_widget.errors import CircuitWidgetWarning, LoadError
from circuit_widget.examples.record import Example, Level
from circuit_widget.feature_ids import DECIMAL, PAIRED
from circuit_widget.loading import load
from circuit_widget.replacement_model import ReplacementModel
from tests.examples.published import HOSTILE, document, member, write_files, write_indexed
from tests.models import REFERENCE, tiny_model


def a_set(folder: Path, **changes: Any) -> Path:
    """A set on the hub with two features."""
    return write_indexed(folder, [{3: member(document(3)), 39: member(document(39, **changes))}, {}, {}])


def check_values(model: ReplacementModel, layer: int, feature: int) -> None:
    """Check everything that a card shows of `document`."""
    card = model.feature_card(layer, feature)
    assert card.examples == (
        Example(("The", " capital", " of"), (0.0, 2.5, 0.25)),
        Example((" Texas",), (1.5,)),
    )
    assert card.levels == (Level(0.5, 0.5, None, (Example(("a", "b"), (0.5, 0.0)),), "Random samples"),)
    assert (card.frequency, card.maximum, card.minimum, card.lowest) == (0.125, 2.75, None, ())
    assert card.histogram is None
    assert card.origin == "circuit-tracer's feature files in features"


@pytest.mark.parametrize("given", ["features", "."])
def test_a_set_of_the_hub_is_read_where_it_is(tmp_path: Path, given: str) -> None:
    a_set(tmp_path / "features")
    model = tiny_model()
    found = model.read_examples(tmp_path / given, progress=False)
    assert (found.n_features, found.n_examples, found.n_labels, found.skipped) == (2, None, 0, {})
    assert repr(found) == (
        "PublishedExamples(circuit-tracer's feature files in features: 2 features, examples read when a card needs them, "
        "0 labels)"
    )
    check_values(model, 0, 3)
    check_values(model, 0, 39)
    assert model.feature_card(0, 4).examples == model.feature_card(2, 39).examples == ()
    assert model.feature_card(0, 4).frequency is None


def test_numbers_of_features_are_cantor_pairs() -> None:
    assert PAIRED.split(1670217704) == (1, 57794)
    assert PAIRED.join(1, 57794) == 1670217704
    assert [PAIRED.split(number) for number in range(4)] == [(0, 0), (1, 0), (0, 1), (2, 0)]
    assert PAIRED.split(PAIRED.join(10**8, 10**8 + 1)) == (10**8, 10**8 + 1)
    assert DECIMAL.split(2305458) == (23, 5458)


def test_a_local_set_is_read_where_it_is(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "features", {9: document(3), 858: document(858, act_max=3.0)})
    (folder / "notes.txt").write_text("of no feature")
    model = tiny_model()
    assert model.read_examples(folder, progress=False).n_features == 2
    check_values(model, 0, 3)
    assert model.feature_card(2, 38).maximum == 3.0
    assert model.feature_card(0, 2).examples == ()


def test_the_index_decides_between_two_kinds_of_numbers(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "features", {17: document(17), 100_002: document(2)})
    model = tiny_model()
    model.read_examples(folder, progress=False)
    check_values(model, 0, 17)
    check_values(model, 1, 2)


def test_a_folder_of_ones_own_has_everything_checked(tmp_path: Path) -> None:
    files = write_files(tmp_path / "features", {9: document(3, activation_frequency=None), 12: document(2)})
    model = tiny_model()
    found = model.read_examples(files, tmp_path / "own", progress=False)
    assert (found.n_features, found.n_examples, found.folder) == (2, 6, tmp_path / "own")
    again = tiny_model()
    again.read_examples(tmp_path / "own", progress=False)
    for layer, feature in ((0, 3), (2, 2), (0, 4)):
        assert again.feature_card(layer, feature) == model.feature_card(layer, feature)
    check_values(again, 2, 2)
    with pytest.raises(LoadError, match="there is something of this name"):
        model.read_examples(files, tmp_path / "own", progress=False)
    (files / "12.json").write_text("{")
    with pytest.raises(LoadError, match=r"12\.json cannot be used: it is not readable as JSON"):
        model.read_examples(files, tmp_path / "other", progress=False)
    assert not (tmp_path / "other").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["features", "own"]


def test_layers_that_were_not_downloaded_are_counted(tmp_path: Path) -> None:
    folder = a_set(tmp_path / "features")
    (folder / "layer_1.bin").unlink()
    model = tiny_model()
    found = model.read_examples(folder, progress=False)
    assert found.skipped == {"layers whose file is missing": 1}
    assert "left out: layers whose file is missing: 1)" in repr(found)
    assert model.feature_card(1, 0).examples == ()
    (folder / "layer_0.bin").unlink()
    (folder / "layer_2.bin").unlink()
    with pytest.raises(LoadError, match=r"has index\.json\.gz and none of the files that it names"):
        model.read_examples(folder, progress=False)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((40, 40), r"it has 2 layers \(0 to 1\), and this model has transcoders of 3 \(0 to 2\)"),
        ((40, 40, 40, 40), r"it has 4 layers \(0 to 3\), and this model has transcoders of 3"),
        ((40, 41, 40), "it has 41 features in layer 1, and this model 40"),
    ],
)
def test_a_set_of_other_transcoders_is_refused(tmp_path: Path, counts: tuple[int, ...], message: str) -> None:
    folder = write_indexed(tmp_path / "features", [{} for _ in counts], counts)
    with pytest.raises(LoadError, match=message):
        tiny_model().read_examples(folder, progress=False)


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ({PAIRED.join(3, 0): document(0)}, r"6\.json is feature 0 of layer 3 .*layers 0 to 2 there is none"),
        ({PAIRED.join(0, 40): document(40)}, r"860\.json is feature 40 of layer 0 .*layer 0 has 40 features"),
        ({9: document(4)}, r"9\.json is feature 3 \(a Cantor pair .*\), and its index is 4"),
    ],
)
def test_files_of_other_transcoders_are_refused(tmp_path: Path, documents: dict[int, object], message: str) -> None:
    folder = write_files(tmp_path / "features", documents)
    with pytest.raises(LoadError, match=f"are of other transcoders: {message}"):
        tiny_model().read_examples(folder, progress=False)


def entry(**changes: Any) -> dict[str, Any]:
    return {"1": {"filename": "layer_1.bin", "offsets": [0] * 41, **changes}}


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (entry(offsets=[0] * 40 + [7]), "layer 1 ends at byte 7, and 'layer_1.bin' has 0 bytes"),
        (entry(offsets=[0, 5] + [0] * 39), "the offsets of layer 1 are not in order"),
        (entry(offsets=[0] * 40 + [-1]), "an offset of layer 1 is a whole number from 0, found -1"),
        (entry(offsets=[0] * 40 + [0.5]), "an offset of layer 1 is a whole number from 0, found 0.5"),
        (entry(offsets="none"), "layer '1' has a filename and offsets"),
        (entry(filename="../layer_1.bin"), r"the file of layer 1 is beside the index, found '\.\./layer_1\.bin'"),
        (entry(filename="/etc/passwd"), "the file of layer 1 is beside the index"),
        (entry(filename="..\\layer_1.bin"), "the file of layer 1 is beside the index"),
        ({"one": {}}, "the name of a layer is a whole number from 0, found 'one'"),
    ],
)
def test_a_malformed_index_is_refused(tmp_path: Path, index: dict[str, Any], message: str) -> None:
    folder = write_indexed(tmp_path / "features", [{}, {}, {}], **index)
    with pytest.raises(LoadError, match=rf"index\.json\.gz cannot be used: {message}"):
        tiny_model().read_examples(folder, progress=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-4], "it is truncated"),
        (lambda data: data[:3] + b"\xff" * 20, "not compressed with gzip, or damaged"),
        (lambda _: b"plain text", "not compressed with gzip, or damaged"),
        (lambda _: gzip.compress(b"[1, 2", mtime=0), "not readable as JSON"),
        (lambda _: gzip.compress(b"[1, 2]", mtime=0), "expected an object"),
        (lambda _: gzip.compress(b'{"a": ' * 100_000), "not readable as JSON"),
    ],
)
def test_a_damaged_index_is_refused(tmp_path: Path, change: Callable[[bytes], bytes], message: str) -> None:
    folder = a_set(tmp_path / "features")
    index = folder / "index.json.gz"
    index.write_bytes(change(index.read_bytes()))
    with pytest.raises(LoadError, match=message):
        tiny_model().read_examples(folder, progress=False)


def quantile(**changes: Any) -> dict[str, Any]:
    example = {"tokens": ["a"], "tokens_acts_list": [1.0], **changes}
    return document(5, examples_quantiles=[{"quantile_name": "Top activations", "examples": [example]}])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (quantile(tokens=["a", "b"]), "an example has 2 tokens and 1 activations"),
        (quantile(tokens="a"), "tokens are a list of texts, found 'a'"),
        (quantile(tokens=[1]), r"tokens are a list of texts, found \[1\]"),
        (quantile(tokens_acts_list=["1"]), "one of the activations is a finite number, found '1'"),
        (quantile(tokens_acts_list=[float("nan")]), "one of the activations is a finite number, found nan"),
        (quantile(tokens_acts_list=[10**400]), "one of the activations is a finite number"),
        (quantile(tokens_acts_list=[True]), "one of the activations is a finite number, found True"),
        (document(5, examples_quantiles=None), "examples_quantiles is a list of objects, found None"),
        (document(5, examples_quantiles=[{"examples": []}]), "quantile_name is a text, found None"),
        (document(5, examples_quantiles=[{"quantile_name": "a"}]), "the examples of a quantile are a list of objects"),
        (document(5, act_max="2"), "act_max is a finite number, found '2'"),
        (document(5, activation_frequency=1.5), "activation_frequency is a share between 0 and 1, found 1.5"),
        (document(6), "its index is 6, expected 5"),
        ([1], r"expected an object with the fields of a feature, found \[1\]"),
    ],
)
def test_a_malformed_document_is_named(tmp_path: Path, content: object, message: str) -> None:
    folder = write_indexed(tmp_path / "features", [{}, {}, {5: member(content), 6: member(document(6))}])
    model = tiny_model()
    model.read_examples(folder, progress=False)
    with pytest.raises(LoadError, match=rf"layer_2\.bin cannot be used: feature 5, bytes 0 to [0-9,]+: {message}"):
        model.feature_card(2, 5)
    check_values(model, 2, 6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"ab", "it has 2 bytes, expected a length of 4 bytes and a document"),
        (struct.pack("<I", 100) + b"abc", "its length is 100 bytes, and 3 follow"),
        (struct.pack("<I", 5) + gzip.compress(b"{}", mtime=0)[:5], "it is truncated"),
        (struct.pack("<I", 3) + b"abc", "not compressed with gzip, or damaged"),
    ],
)
def test_damaged_bytes_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    folder = write_indexed(tmp_path / "features", [{5: content}, {}, {}])
    model = tiny_model()
    model.read_examples(folder, progress=False)
    with pytest.raises(LoadError, match=message):
        model.feature_card(0, 5)


def test_a_small_file_that_becomes_a_large_one_is_refused(tmp_path: Path) -> None:
    bomb = gzip.compress(b" " * (65 << 20))
    folder = write_indexed(tmp_path / "features", [{5: struct.pack("<I", len(bomb)) + bomb}, {}, {}])
    model = tiny_model()
    model.read_examples(folder, progress=False)
    with pytest.raises(LoadError, match="it has more than 67,108,864 bytes"):
        model.feature_card(0, 5)


def test_fields_that_are_not_known_are_passed_over(tmp_path: Path) -> None:
    folder = write_indexed(tmp_path / "features", [{}, {3: member({**document(3), "colour": {"a": [1]}})}, {}])
    model = tiny_model()
    model.read_examples(folder, progress=False)
    check_values(model, 1, 3)


def test_hostile_texts_are_texts(tmp_path: Path) -> None:
    quantiles = [{"quantile_name": HOSTILE, "examples": [{"tokens": [HOSTILE], "tokens_acts_list": [1]}]}] * 2
    folder = write_indexed(tmp_path / "features", [{1: member(document(1, examples_quantiles=quantiles))}, {}, {}])
    model = tiny_model()
    model.read_examples(folder, progress=False)
    card = model.feature_card(0, 1)
    assert card.examples[0].tokens == ("<img src=x onerror=alert(1)>\u202e\ufffd",)
    assert card.levels[0].name == "<img src=x onerror=alert(1)>\ufffd\ufffd"
    json.dumps(card.levels[0].name).encode()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "none", "There are no published examples in .*none; expected circuit-tracer's"),
        (lambda folder: folder, "There are no published examples"),
        (lambda _: "", "The path is empty"),
    ],
)
def test_a_folder_without_examples_is_refused(tmp_path: Path, make: Callable[[Path], Any], message: str) -> None:
    with pytest.raises(LoadError, match=message):
        tiny_model().read_examples(make(tmp_path), progress=False)


def test_examples_of_this_package_have_a_method_of_their_own(tmp_path: Path) -> None:
    model = tiny_model()
    model.collect_examples(["alpha beta"], tmp_path / "collected", progress=False)
    with pytest.raises(LoadError, match=r"give it to load\(\.\.\., examples=folder\)"):
        model.read_examples(tmp_path / "collected", progress=False)


def test_files_beside_transcoders_are_found(tmp_path: Path) -> None:
    network, own = (
        REFERENCE / "models/llama",
        Path(shutil.copytree(REFERENCE / "llama-relu/transcoders", tmp_path / "own")),
    )
    transcoders = load(network, own, device="cpu").transcoders
    counts = [transcoders.n_features(layer) for layer in range(transcoders.n_layers)]
    members = [{3: member(document(3))}, *({} for _ in counts[1:])]
    write_indexed(own / "features", members, counts)
    check_values(load(network, own, device="cpu"), 0, 3)
    given = load(network, REFERENCE / "llama-relu/transcoders", device="cpu", examples=own / "features")
    check_values(given, 0, 3)
    (own / "features/layer_0.bin").write_bytes(b"")
    with pytest.warns(
        CircuitWidgetWarning, match="The feature files beside the transcoders are left out. .* truncated"
    ):
        assert load(network, own, device="cpu").feature_card(0, 3).examples == ()
    with pytest.raises(LoadError, match="one of them is truncated"):
        load(network, own, device="cpu", examples=own)


def test_collected_examples_come_before_files_beside_transcoders(tmp_path: Path) -> None:
    network, own = (
        REFERENCE / "models/llama",
        Path(shutil.copytree(REFERENCE / "llama-relu/transcoders", tmp_path / "own")),
    )
    model = load(network, own, device="cpu")
    model.collect_examples(["alpha beta"], own / "examples", progress=False)
    write_indexed(own / "features", [{3: b""}], [1])
    assert load(network, own, device="cpu").feature_card(0, 3) == model.feature_card(0, 3)
