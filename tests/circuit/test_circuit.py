"""What the table of cases does not reach: features as nodes, fitting a graph, files, and many edits in a row."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuit_widget.circuit.circuit import Circuit, Supernode
from circuit_widget.errors import CircuitError, NodeError
from circuit_widget.graph import Feature
from tests.graph.graphs import random_graph

TEXAS = Circuit().group("Texas", ["1_2_3", "0_4_3"]).pin("9_1_5").label("1_2_3", "Dallas").move("Texas", 0.5, 0.25)


def test_nodes_are_given_as_features_too() -> None:
    texas = Feature(1, 3, 2)
    circuit = Circuit().group("Texas", [texas, "1_2_3"]).pin(texas).label(texas, "Dallas")
    assert circuit.supernode("Texas").nodes == circuit.pinned == ("1_2_3",)
    assert circuit.labels == {"1_2_3": "Dallas"}
    assert circuit.ungroup("Texas").move(texas, 0.5, 0.5).positions == {"1_2_3": (0.5, 0.5)}


def test_a_single_node_is_not_taken_apart() -> None:
    assert Circuit().group("Texas", "1_2_3").supernode("Texas").nodes == ("1_2_3",)
    assert Circuit().pin("1_2_3").pinned == ("1_2_3",)


def test_nodes_may_come_from_a_generator() -> None:
    assert Circuit().pin(node for node in ["1_2_3", "1_2_4"]).pinned == ("1_2_3", "1_2_4")


def test_refused_states() -> None:
    with pytest.raises(CircuitError, match="is in two supernodes"):
        Circuit(supernodes=(Supernode("s1", "a", 0, ("n",)), Supernode("s2", "b", 1, ("n",))))
    with pytest.raises(CircuitError, match="has a position but"):
        Circuit(positions={"n": (0.0, 0.0)})
    with pytest.raises(CircuitError, match="at least one node"):
        Supernode("s1", "a", 0, ())


class TestFittingAGraph:
    graph = random_graph(3)
    feature, logit = graph.node_ids[0], graph.node_ids[-1]

    def test_any_kinds_of_nodes_may_be_grouped(self) -> None:
        circuit = Circuit().group("mixed", [self.feature, "0_-1_0", "E_7_0"]).pin(self.logit).label("E_7_0", "Dallas")
        assert circuit.check(self.graph) is circuit

    @pytest.mark.parametrize("edit", ["pin", "group", "label"])
    def test_a_node_the_graph_does_not_have(self, edit: str) -> None:
        wrong = {
            "pin": Circuit().pin("E_70_0"),
            "group": Circuit().group("x", [self.feature, "E_70_0"]),
            "label": Circuit().label("E_70_0", "x"),
        }[edit]
        with pytest.raises(NodeError, match="no node “E_70_0”; the nearest ids are E_7_0"):
            wrong.check(self.graph)

    def test_a_logit_stays_by_itself(self) -> None:
        with pytest.raises(CircuitError, match="“say Austin” contains a logit, but logits stay by themselves"):
            Circuit().group("say Austin", [self.feature, self.logit]).check(self.graph)


def test_round_trip_through_a_file(tmp_path: Path) -> None:
    path = TEXAS.save(tmp_path / "circuit.json")
    assert Circuit.load(path) == Circuit.load(str(path)) == TEXAS
    TEXAS.unpin("9_1_5").save(path)
    assert Circuit.load(path).pinned == ()
    assert [file.name for file in tmp_path.iterdir()] == ["circuit.json"]


def test_circuits_can_be_copied_and_sent_to_other_processes() -> None:
    assert copy.deepcopy(TEXAS) == pickle.loads(pickle.dumps(TEXAS)) == TEXAS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a JSON file"),
        (json.dumps(TEXAS.to_json()).encode()[:-10], "is not a JSON file.*cut off"),
        (b"[" * 100_000, "is not a JSON file"),
        (b"\xff\xfe\x00", "is not a JSON file"),
        (b"[]", "circuit.json: A circuit is a JSON object; given a list"),
        (json.dumps({**TEXAS.to_json(), "node_threshold": float("nan")}).encode(), "threshold is a share between 0"),
        (json.dumps({**TEXAS.to_json(), "labels": {"a": "\ud800"}}).encode(), "one line without control characters"),
        (b" " * (16 * 2**20 + 1), "is larger than 16 MB"),
    ],
    ids=["empty", "cut", "deep", "bytes", "list", "nan", "surrogate", "large"],
)
def test_files_that_are_no_circuits(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "circuit.json").write_bytes(content)
    with pytest.raises(CircuitError, match=message):
        Circuit.load(tmp_path / "circuit.json")


def test_missing_and_unwritable_files(tmp_path: Path) -> None:
    with pytest.raises(CircuitError, match="There is no file"):
        Circuit.load(tmp_path / "gone.json")
    with pytest.raises(CircuitError, match="cannot be read"):
        Circuit.load(tmp_path)
    with pytest.raises(CircuitError, match="cannot be written"):
        TEXAS.save(tmp_path / "nowhere" / "circuit.json")


def test_lists_beyond_any_graph_are_refused() -> None:
    document = {**TEXAS.to_json(), "pinned": [f"0_{node}_0" for node in range(20_001)]}
    with pytest.raises(CircuitError, match="pinned has at most 20000 entries; given 20001"):
        Circuit.from_json(document)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(TEXAS.to_json())), ANYTHING)
def test_any_value_is_read_or_refused_with_a_sentence(key: str, value: Any) -> None:
    try:
        circuit = Circuit.from_json({**TEXAS.to_json(), key: value})
    except CircuitError as refusal:
        sentence = str(refusal)
    else:
        assert Circuit.from_json(circuit.to_json()) == circuit
        return
    assert sentence.endswith(".")
    assert len(sentence) < 300


NODES = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3)
NAMES = st.sampled_from(["Texas", "capital", "say Austin", "s1", "s2", "s3"])
SHARE = st.floats(0, 1)
EDITS = st.one_of(
    st.tuples(st.sampled_from(["group", "add"]), NAMES, NODES),
    st.tuples(st.sampled_from(["remove", "pin", "unpin"]), NODES),
    st.tuples(st.just("ungroup"), NAMES),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.just("recolor"), NAMES, st.integers(0, 5)),
    st.tuples(st.just("label"), st.sampled_from("abcdef"), st.sampled_from(["", "Dallas"])),
    st.tuples(st.just("move"), NAMES | st.sampled_from("abcdef"), SHARE, SHARE),
)


@given(st.lists(EDITS, max_size=30))
def test_any_edits_in_a_row_keep_the_rules(edits: list[tuple[Any, ...]]) -> None:
    circuit = Circuit()
    for name, *arguments in edits:
        try:
            after = getattr(circuit, name)(*arguments)
        except CircuitError:
            continue
        assert after.revision == circuit.revision + 1
        grouped = [node for supernode in after.supernodes for node in supernode.nodes]
        assert len(grouped) == len(set(grouped))
        boxes = after.boxes()
        assert sorted(node for box in boxes for node in box.nodes) == sorted({*grouped, *after.pinned})
        if name == "group":
            assert set(arguments[1]) <= set(after.supernode(arguments[0]).nodes) or arguments[0] in {
                supernode.id for supernode in after.supernodes
            }
        assert Circuit.from_json(json.loads(json.dumps(after.to_json()))) == after
        circuit = after
