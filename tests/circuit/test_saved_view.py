"""What is pinned, grouped and labelled in the JSON of circuit-tracer and Neuronpedia is a circuit here, and goes back."""

import json
from pathlib import Path
from typing import Any

import pytest

import circuit_widget as cw
from circuit_widget.errors import CircuitError, CircuitWidgetWarning, NodeError
from tests.graph.viewer_files import document, pairing

AS_LISTS = {
    "pinnedIds": ["1_9_2", "0_57794_1", "3_7_2", "0_1_1"],
    "supernodes": [["capital", "1_9_2"], ["rest", "0_57794_1", "0_1_1"]],
    "clerps": [[f"0_{pairing(0, 57794)}_1", "the"], ["E_50_1", "article"]],
}
AS_TEXTS = {
    "pinnedIds": "1_9_2,0_57794_1,3_7_2,0_1_1",
    "supernodes": json.dumps(AS_LISTS["supernodes"]),
    "clerps": json.dumps([[str(pairing(0, 57794)), "the"], ["E_50_1", "article"]]),
}


def file_with(folder: Path, view: Any) -> Path:
    file = folder / "graph.json"
    file.write_text(json.dumps(document() | {"qParams": view}), encoding="utf-8")
    return file


@pytest.mark.parametrize("view", [AS_LISTS, AS_TEXTS], ids=["lists", "texts of an address"])
def test_both_ways_of_writing_give_the_same_circuit(view: dict[str, Any], tmp_path: Path) -> None:
    file = file_with(tmp_path, view)
    circuit = cw.Circuit.load(file)
    assert circuit.pinned == ("1_9_2", "0_57794_1", "3_7_2", "1_-1_1")
    assert {one.name: one.nodes for one in circuit.supernodes} == {
        "capital": ("1_9_2",),
        "rest": ("0_57794_1", "1_-1_1"),
    }
    assert circuit.labels == {"0_57794_1": "the", "E_50_1": "article"}
    assert circuit.check(cw.open(file)) is circuit


def test_a_circuit_goes_out_and_comes_back(tmp_path: Path) -> None:
    graph = cw.open(file_with(tmp_path, {}))
    circuit = cw.Circuit().group("capital", "1_9_2").pin(["3_7_2"]).label("0_57794_1", "the")
    again = cw.Circuit.load(circuit.export(tmp_path / "again.json", graph))
    assert {one.name: one.nodes for one in again.supernodes} == {"capital": ("1_9_2",)}
    assert set(again.pinned) == {"1_9_2", "3_7_2"}
    assert cw.open(tmp_path / "again.json").labels == {"1_9_2": "a capital", "0_57794_1": "the"}


def test_what_a_circuit_here_cannot_have_is_named(tmp_path: Path) -> None:
    view = {"supernodes": [["same", "1_9_2", "3_7_2"], ["same", "0_57794_1", "1_9_2"], ["\n" + 100 * "x", "E_2_0"]]}
    with pytest.warns(CircuitWidgetWarning, match=r"2 members .* are not in them here: .*\(3_7_2, 1_9_2\)"):
        circuit = cw.Circuit.load(file_with(tmp_path, view))
    assert [(one.name, one.nodes) for one in circuit.supernodes] == [
        ("same", ("1_9_2",)),
        ("same (2)", ("0_57794_1",)),
        (79 * "x" + "…", ("E_2_0",)),
    ]
    assert circuit.pinned == ("3_7_2",)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ({"pinnedIds": ["9_9_9"]}, "names the node “9_9_9”, which the file does not have"),
        ({"pinnedIds": [3]}, "names the node 3, which the file does not have"),
        ({"pinnedIds": 3}, "its pinnedIds are a list; given 3"),
        ({"supernodes": "[[1"}, "its supernodes are not JSON"),
        ({"supernodes": [["a"]]}, "is a list of a name and node ids; given a list"),
        ({"clerps": [["a", 1]]}, "is a list of a node and a text"),
    ],
)
def test_a_fault_of_the_view_is_named(view: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(CircuitError, match=message):
        cw.Circuit.load(file_with(tmp_path, view))


def test_a_circuit_of_another_graph_is_not_written(tmp_path: Path) -> None:
    graph = cw.open(file_with(tmp_path, {}))
    with pytest.raises(NodeError, match="9_9_9"):
        cw.Circuit().pin("9_9_9").export(tmp_path / "again.json", graph)
    assert not (tmp_path / "again.json").exists()
