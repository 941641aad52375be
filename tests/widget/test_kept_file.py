"""The file of a circuit and its history: older versions open, and no faulty file is read by half or overwritten."""

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.circuit.document_json import WORK_VERSION
from circuit_widget.errors import CircuitError
from circuit_widget.intervention.injected_edges import AnswerInput
from circuit_widget.widget.kept_work.kept_experiment import kept_experiment
from circuit_widget.widget.kept_work.kept_file import read_file, read_work
from circuit_widget.widget.widget import CircuitWidget
from tests.widget.conftest import Open
from tests.widget.small_graph import small_graph
from tests.widget.test_keeping import AUSTIN, work


@pytest.fixture
def path(show: Open, tmp_path: Path) -> Path:
    """A file with a circuit and three experiments."""
    path = tmp_path / "kept.json"
    widget, _ = show(keep=path)
    work(widget)
    widget.close()
    return path


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything in a JSON value, of lists only to their ends."""
    yield path
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from places(entry, (*path, key))
    elif isinstance(value, list) and value:
        yield from places(value[-1], (*path, len(value) - 1))


def changed(document: Any, place: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    made = copy.deepcopy(document)
    inner = made
    for step in place[:-1]:
        inner = inner[step]
    change(inner, place[-1])
    return made


def test_a_file_without_a_part_is_refused_and_names_the_place(path: Path) -> None:
    document, graph = json.loads(path.read_text()), small_graph()
    read_work(document, graph, "kept.json")
    # Interventions need not have these; labels and positions are what the user gave.
    free = {"features", "alignment", "controls", "injected_edges", "labels", "positions", "format"}
    for place in places(document):
        if not place or isinstance(place[-1], int) or free & set(map(str, place)):
            continue
        spoiled = changed(document, place, lambda inner, key: inner.pop(key))
        with pytest.raises(CircuitError, match=r"kept\.json.*") as refusal:
            read_work(spoiled, graph, "kept.json")
        assert str(place[-1]) in str(refusal.value) or "version" in str(refusal.value), place


@pytest.mark.parametrize("value", [None, "x", -1, 1e308, [], {}, True, 10**30, "x" * 5000, [[[]]]], ids=repr)
def test_a_value_of_another_kind_is_refused_or_taken_as_it_is(path: Path, value: object) -> None:
    document, graph = json.loads(path.read_text()), small_graph()

    def put(inner: Any, key: Any) -> None:
        inner[key] = value

    for place in places(document):
        if place:
            spoiled = changed(document, place, put)
            with contextlib.suppress(CircuitError):
                assert len(read_work(spoiled, graph, "kept.json").entries) in (0, 3), place


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (("experiments", 0, "id"), 2, "numbers of its experiments"),
        (("experiments", 2, "id"), 9, "numbers of its experiments"),
        (("displayed",), 7, "the displayed one, 7, is not among them"),
        (("experiments", 1, "nodes", "after"), [1.0], r"experiments\[1\].*activations have 1 entries where 16"),
        (("experiments", 1, "logits", "before"), [], r"experiments\[1\].*logits have 0 entries where 48"),
        (("experiments", 0, "vocabulary"), 3, r"experiments\[0\].*not in the vocabulary of 3"),
        (("experiments", 0, "vocabulary"), 10**9, r"experiments\[0\]\.vocabulary"),
        (("experiments", 0, "tokens"), [], r"experiments\[0\].*no tokens"),
        (("experiments", 0, "tokens", 0, "before"), 3.5, "probabilities of token 40 are not between 0 and 1"),
        (("experiments", 0, "mode"), "sideways", r"experiments\[0\].*A mode is"),
        (("experiments", 0, "name"), " ", r"experiments\[0\].*name of an experiment"),
        (("experiments", 0, "interventions", 0, "nodes"), ["<script>"], "neither a node of the graph nor a feature"),
        (("circuit", "pinned"), ["0_99_0"], "its circuit cannot be read: The graph has no node"),
    ],
)
def test_what_contradicts_itself_is_refused(path: Path, place: tuple[Any, ...], value: object, reason: str) -> None:
    def put(inner: Any, key: Any) -> None:
        inner[key] = value

    document = changed(json.loads(path.read_text()), place, put)
    path.write_text(json.dumps(document))
    before = path.read_bytes()
    with pytest.raises(CircuitError, match=reason):
        CircuitWidget(small_graph(), keep=path)
    assert path.read_bytes() == before


def test_edges_onward_from_what_was_swapped_in_come_back(path: Path) -> None:
    document, graph = json.loads(path.read_text()), small_graph()
    kept = document["experiments"][1]
    assert kept["injected_edges"] is None
    rows = len(graph.weights)
    weights = [0.1 * row for row in range(rows)]
    kept["injected_edges"] = {"weights": weights, "answers": [{"token_id": 3, "weight": -1.5, "total": 6.25}]}
    entry = read_work(document, graph, "kept.json").entries[1]
    found = entry.effect.injected_edges
    assert found is not None
    assert found.weights.tolist() == pytest.approx(weights)
    assert found.answers == {3: AnswerInput(-1.5, 6.25)}
    again = kept_experiment(entry, Circuit()).injected_edges
    assert again is not None
    assert again.weights == pytest.approx(weights)
    weights.pop()
    with pytest.raises(CircuitError, match=f"edges of injected features have {rows - 1} entries where {rows}"):
        read_work(document, graph, "kept.json")


def test_a_file_that_was_cut_off_is_refused_wherever_that_was(path: Path) -> None:
    whole = path.read_bytes()
    for end in [*range(40), *range(40, len(whole) - 3, len(whole) // 60)]:
        path.write_bytes(whole[:end])
        with pytest.raises(CircuitError, match=r"is not whole JSON.*was not changed"):
            read_file(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"made": NaN}', "NaN is not a number"),
        (b'{"made": 1, "made": 2}', "a key twice"),
        (b"[" * 100_000, "is not whole JSON"),
        (b"\xff\xfe", "is not whole JSON"),
        (b"GGUF0000", "a GGUF file"),
        (b'{"nodes": [], "links": []}', r"cw\.open"),
        (b"[]", "A circuit is a JSON object"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(CircuitError, match=reason):
        CircuitWidget(small_graph(), keep=path)
    assert path.read_bytes() == content
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_newer_version_is_refused_with_what_to_do(path: Path) -> None:
    document = {**json.loads(path.read_text()), "version": WORK_VERSION + 1, "whatever": []}
    path.write_text(json.dumps(document))
    with pytest.raises(
        CircuitError, match=r"version 3, and this package reads versions up to 2\. Update circuit-widget"
    ):
        CircuitWidget(small_graph(), keep=path)
    with pytest.raises(CircuitError, match="Update circuit-widget"):
        Circuit.load(path)


def test_a_circuit_that_was_saved_by_itself_opens_and_becomes_the_present_version(show: Open, tmp_path: Path) -> None:
    path = tmp_path / "circuit.json"
    Circuit().group("Austin", AUSTIN).save(path)
    widget, _ = show(keep=path)
    assert widget.circuit.supernodes[0].name == "Austin"
    assert json.loads(path.read_text())["version"] == 1
    widget.ablate("Austin")
    widget.close()
    assert json.loads(path.read_text())["version"] == WORK_VERSION
    assert Circuit.load(path) == widget.circuit
    Circuit().pin("7_7_7").save(path)
    with pytest.raises(CircuitError, match="belongs to another graph: The graph has no node"):
        CircuitWidget(small_graph(), keep=path)
