"""A snapshot holds what the graph says, no more than its bounds, and reads back number for number."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.display.visible_graph import MOST_EDGES, MOST_NODES
from circuit_widget.errors import MessageError, NodeError
from circuit_widget.graph import Graph, PromptToken, Target
from circuit_widget.widget.wire import snapshot
from circuit_widget.widget.wire.schema import plain
from circuit_widget.widget.wire.snapshot import snapshot_of
from tests.graph.viewer_files import document
from tests.widget.small_graph import FIXTURES, expected, small_graph

KINDS = ("feature", "error", "token", "logit")


def unpack(snapshot: dict[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a snapshot back: what is not a column, and the columns."""
    header = {name: value for name, value in snapshot.items() if name != "columns"}
    json.dumps(header, allow_nan=False).encode()
    return header, {
        name: np.frombuffer(column["data"], np.dtype(column["dtype"]).newbyteorder("<"))
        for name, column in snapshot["columns"].items()
    }


def pack(graph: Graph, also: Iterable[str] = ()) -> dict[str, Any]:
    """Return the snapshot of a graph as the widget's trait has it."""
    snapshot: dict[str, Any] = plain(snapshot_of(graph, also))
    return snapshot


def described(data: dict[str, Any]) -> dict[str, Any]:
    """Say what a snapshot holds in the words of `expected`."""
    header, arrays = unpack(data)
    ids = header["ids"]
    columns = {name: arrays[name].tolist() for name in arrays if name != "inputs" and not name.startswith("edge_")}
    nodes = [
        {
            "id": node,
            **{name: KINDS[value] if name == "kind" else value for name, value in zip(columns, row, strict=True)},
        }
        for node, row in zip(ids, zip(*columns.values(), strict=True), strict=True)
    ]
    sources, weights, shares, kept = (arrays[f"edge_{name}"].tolist() for name in ("source", "weight", "share", "kept"))
    targets = [node for node, count in enumerate(arrays["inputs"]) for _ in range(count)]
    edges = zip(sources, targets, weights, shares, kept, strict=True)
    rows = [
        {"source": ids[s], "target": ids[t], "weight": weight, "share": share, "kept": count}
        for s, t, weight, share, count in edges
    ]
    return {
        "nodes": nodes,
        "edges": sorted(rows, key=lambda edge: (edge["source"], edge["target"])),
        "labels": {ids[int(index)]: text for index, text in header["labels"].items()},
        "prompt": header["prompt"],
        "tokens": header["tokens"],
        "scores": header["scores"],
        "thresholds": header["thresholds"],
        "error_influence": header["error_influence"],
        "prunings": header["prunings"],
        "total_nodes": header["total_nodes"],
        "total_edges": header["total_edges"],
    }


def same(got: Any, wanted: Any) -> bool:
    """Compare decoded values; numbers may differ as float32 sums do from machine to machine."""
    if isinstance(wanted, dict):
        return got.keys() == wanted.keys() and all(same(got[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return len(got) == len(wanted) and all(map(same, got, wanted))
    return bool(got == (pytest.approx(wanted, rel=1e-5) if isinstance(wanted, float) else wanted))


def test_what_is_packed_is_what_the_graph_says() -> None:
    assert same(described(pack(small_graph())), expected(small_graph()))


def test_targets_point_at_their_logit_nodes() -> None:
    header, arrays = unpack(pack(small_graph()))
    for target in header["targets"]:
        assert header["ids"][target["node"]] == f"4_{target['token_id']}_5"
        assert arrays["kind"][target["node"]] == KINDS.index("logit")
        assert arrays["layer"][target["node"]] == header["n_layers"]
    assert [(t["token"], t["probability"], t["logit"]) for t in header["targets"]] == [
        ("Austin", 0.75, 9.5),
        ("Dallas", 0.125, 7.75),
    ]
    assert header["model"] == {"name": "small", "transcoders": "small/relu", "device": "cpu", "dtype": "float32"}


def test_logits_that_a_file_does_not_have_are_not_sent(tmp_path: Path) -> None:
    (tmp_path / "graph.json").write_text(json.dumps(document()), encoding="utf-8")
    header, _ = unpack(pack(cw.open(tmp_path / "graph.json")))
    assert [(one["token"], one["probability"], one["logit"]) for one in header["targets"]] == [
        (" Paris", 0.6, None),
        (" Lyon", 0.25, None),
    ]


def test_the_fixture_of_the_frontend_is_up_to_date() -> None:
    wanted = expected(small_graph())
    saved = json.loads((FIXTURES / "snapshot-message.json").read_text())
    for column in saved["columns"].values():
        column["data"] = base64.b64decode(column["data"])
    assert same(described(saved), wanted)
    assert same(json.loads((FIXTURES / "snapshot.json").read_text()), wanted)


def test_nodes_of_the_circuit_are_sent_however_small_their_influence() -> None:
    graph = small_graph()
    least = graph.node_ids[int(np.argmax(np.where(graph.share == 1.0, 1, 0)))]
    assert least not in unpack(pack(graph))[0]["ids"]
    header, arrays = unpack(pack(graph, also=[least]))
    assert least in header["ids"]
    assert header["ids"] == [node for node in graph.node_ids if node in set(header["ids"])]
    assert arrays["kind"].tolist() == sorted(arrays["kind"].tolist())
    with pytest.raises(NodeError, match="no node “9_9_9”"):
        pack(graph, also=["9_9_9"])


def test_a_large_graph_is_cut_to_its_most_influential_nodes_and_strongest_edges() -> None:
    graph = wide_graph(3_000)
    header, arrays = unpack(pack(graph))
    ranked = arrays["kind"] < 2
    assert ranked.sum() == MOST_NODES
    visible = [graph.index(node) for node in header["ids"]]
    hidden = np.setdiff1d(np.arange(graph.n_features + graph.n_errors), visible)
    assert arrays["influence"][ranked].min() >= graph.influence[hidden].max()
    assert len(arrays["edge_weight"]) == MOST_EDGES
    assert arrays["edge_share"].max() <= snapshot.EDGE_SHARE
    assert header["total_nodes"] == graph.n_nodes
    assert header["total_edges"] == (graph.weights != 0).sum()
    # What enters a node is computed from the whole graph, not from the part that was sent.
    logit = header["targets"][0]["node"]
    assert arrays["input_total"][logit] == pytest.approx(np.abs(graph.weights[graph.n_features]).sum(), rel=1e-5)


def test_long_labels_are_cut_and_strange_text_survives() -> None:
    graph = small_graph(
        labels={"1_8_4": "x" * 10_000, "2_9_5": "\ufffd </script> \x00", "0_3_1": "🤠" * 201},
        tokens=[PromptToken(text, i) for i, text in enumerate(["", "\n", "東京", "🤠", "</script>", "is"])],
    )
    header, _ = unpack(pack(graph))
    assert sorted(map(len, header["labels"].values())) == [13, 200, 200]
    assert "🤠" * 199 + "…" in header["labels"].values()
    assert [token["text"] for token in header["tokens"]] == ["", "\n", "東京", "🤠", "</script>", "is"]


def test_the_strongest_node_is_sent_even_where_it_has_nearly_all_influence_alone() -> None:
    graph = small_graph()
    weights = np.zeros_like(graph.weights)
    weights[-2:, 11] = 1.0
    alone = small_graph(weights=weights)
    strongest = int(np.argmax(alone.influence))
    assert alone.node_ids[strongest] == "2_6_4"
    assert alone.share[strongest] > snapshot.NODE_SHARE
    assert unpack(pack(alone))[0]["ids"][0] == "2_6_4"


def test_positions_and_layers_that_the_page_cannot_represent_are_refused() -> None:
    assert len(unpack(pack(tall_graph(32_767)))[1]["layer"]) == 2
    with pytest.raises(MessageError, match="layer has 32768, which is not a number of type int16"):
        pack(tall_graph(32_768))


def tall_graph(n_layers: int) -> Graph:
    """One token and one logit, far above it."""
    none, whole = np.zeros(0, dtype=np.int32), np.zeros(1, dtype=np.int32)
    return Graph.build(
        tokens=[PromptToken("a", 0)],
        targets=[Target("b", 1, 0.9, 3.0)],
        position=0,
        n_layers=n_layers,
        feature_layer=none,
        feature_position=none,
        feature_index=none,
        activation=np.zeros(0, dtype=np.float32),
        error_layer=none,
        error_position=none,
        token_position=whole,
        weights=np.ones((1, 1), dtype=np.float32),
    )


def test_a_graph_without_influence_or_edges_can_be_sent() -> None:
    graph = small_graph()
    header, arrays = unpack(pack(small_graph(weights=np.zeros_like(graph.weights))))
    assert header["ids"][-2:] == ["4_40_5", "4_41_5"]
    assert len(arrays["edge_source"]) == 0


def wide_graph(n_features: int) -> Graph:
    """Half of the features in layer 0, half in layer 1, all at one position; every edge that can be there is there."""
    half = n_features // 2
    order = np.arange(n_features, dtype=np.int32)
    weights = np.zeros((n_features + 1, n_features + 2 + 1), dtype=np.float32)
    weights[half:n_features, :half] = 1 / (1 + (order[half:, None] * 31 + order[None, :half] * 17) % 997)
    weights[n_features, half:n_features] = 1 / (1 + order[:half])
    weights[:half, -1] = 1
    return Graph.build(
        tokens=[PromptToken("a", 0)],
        targets=[Target("b", 1, 0.9, 3.0)],
        position=0,
        n_layers=2,
        feature_layer=(order >= half).astype(np.int32),
        feature_position=np.zeros(n_features, dtype=np.int32),
        feature_index=order,
        activation=np.ones(n_features, dtype=np.float32),
        error_layer=np.array([0, 1], dtype=np.int32),
        error_position=np.zeros(2, dtype=np.int32),
        token_position=np.zeros(1, dtype=np.int32),
        weights=weights,
    )
