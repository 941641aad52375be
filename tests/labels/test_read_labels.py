"""Labels of features that others published: of Neuronpedia's explanations, and of the three dialects in a graph file."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

import circuit_widget as cw
from circuit_widget.errors import CircuitWidgetWarning, LoadError
from circuit_widget.examples.exchange.neuronpedia import NEGATIVE_NOTE
from tests.examples.models import neuron_model
from tests.examples.published import HOSTILE, activation, explanation, write_export
from tests.models import tiny_model


def node(layer: int, feature: int, position: int, number: int, clerp: str = "", **changes: Any) -> dict[str, Any]:
    """A feature's node as graph files have it."""
    return {
        "node_id": f"{layer}_{feature}_{position}",
        "feature": number,
        "layer": str(layer),
        "ctx_idx": position,
        "feature_type": "cross layer transcoder",
        "jsNodeId": f"{layer}_{feature}-0",
        "clerp": clerp,
        **changes,
    }


NODES = [
    node(1, 57794, 3, 1670217704),
    node(1, 57794, 5, 1670217704, "of the node"),
    node(0, 2, 3, 5, "say Austin"),
    {**node(0, 0, 3, -1, "an error"), "feature_type": "mlp reconstruction error"},
    {"node_id": "E_5_0", "feature": 0, "layer": "E", "ctx_idx": 0, "feature_type": "embedding", "clerp": "Emb"},
    {
        "node_id": "27_22_7",
        "feature": 22,
        "layer": "27",
        "ctx_idx": 7,
        "feature_type": "logit",
        "clerp": "Output",
        "token_prob": 0.5,
    },
]


def graph(folder: Path, nodes: object = NODES, clerps: object = None, **metadata: object) -> Path:
    path = folder / "graph.json"
    given = {"schema_version": 1, "scan": "gemma-2-2b", "slug": "a", **metadata}
    parameters = {} if clerps is None else {"clerps": clerps}
    path.write_text(json.dumps({"metadata": given, "qParams": parameters, "nodes": nodes, "links": []}))
    return path


@pytest.mark.parametrize(
    "clerps",
    [
        [["1_1670217704_3", "of a user"]],
        [["1670217704", "of a user"]],
        '[["1670217704", "of a user"]]',
        [["1_57794_3", "of a user"]],
    ],
    ids=["Neuronpedia", "circuit-tracer", "circuit-tracer's text", "node id"],
)
def test_labels_of_users_come_before_those_of_nodes(tmp_path: Path, clerps: object) -> None:
    with pytest.warns(
        CircuitWidgetWarning, match="2 were read, and these were left out: 1 further labels of a feature"
    ):
        labels = cw.read_labels(graph(tmp_path, clerps=clerps))
    assert labels == {cw.Everywhere(1, 57794): "of a user", cw.Everywhere(0, 2): "say Austin"}


@pytest.mark.parametrize("clerps", [None, "", [], "[]"])
def test_labels_of_nodes_are_read(tmp_path: Path, clerps: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = cw.read_labels(graph(tmp_path, clerps=clerps))
    assert labels == {cw.Everywhere(1, 57794): "of the node", cw.Everywhere(0, 2): "say Austin"}


def test_labels_of_features_that_were_pruned_are_read(tmp_path: Path) -> None:
    clerps = [["1_1670217704_3", "one"], ["12", "of layer 2"], ["7_12_0", "contradicts itself"], ["E_5_0", "a token"]]
    with pytest.warns(CircuitWidgetWarning, match="2 labels of nodes that are no feature of the graph"):
        labels = cw.read_labels(graph(tmp_path, nodes=[], clerps=clerps))
    assert labels == {cw.Everywhere(1, 57794): "one", cw.Everywhere(2, 2): "of layer 2"}


def test_older_files_have_decimal_numbers(tmp_path: Path) -> None:
    nodes = [node(23, 5458, 3, 2305458, "older")]
    assert cw.read_labels(graph(tmp_path, nodes, schema_version=None)) == {cw.Everywhere(23, 5458): "older"}
    with pytest.raises(
        LoadError, match=r"nodes\[0\]\.feature is 2305458, which encodes feature .* but its layer is '23'"
    ):
        cw.read_labels(graph(tmp_path, nodes))


def test_a_number_that_begins_with_another_layer_is_no_decimal_number(tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    path.write_text(json.dumps({"nodes": [node(2, 7, 3, 100_009, "of the name")]}))
    assert dict(cw.read_labels(path)) == {cw.Everywhere(2, 7): "of the name"}


def test_labels_are_those_of_the_features_that_the_graph_has(tmp_path: Path) -> None:
    """The number 5 of layer 0 is feature 2 as a pair and feature 5 by digits: its other nodes or its name decide."""
    nodes = [node(0, 5, 3, 5, "five")]
    path = graph(tmp_path, nodes, clerps=[["0_5_3", "of a user"]], schema_version=None)
    with pytest.warns(CircuitWidgetWarning, match="1 further labels"):
        assert cw.read_labels(path) == {cw.Everywhere(0, 5): "of a user"}


def test_labels_of_activations_below_zero_are_apart(tmp_path: Path) -> None:
    nodes = [node(0, 2, 3, 5, "for others"), node(0, 2, 4, 5, "below zero", activation=-1.5)]
    labels = cw.read_labels(graph(tmp_path, nodes))
    assert labels == {cw.Everywhere(0, 2): "for others"}
    assert labels.negative == {cw.Everywhere(0, 2): "below zero"}


def test_explanations_are_read(tmp_path: Path) -> None:
    lines = {
        "1-a/explanations/batch-0.jsonl.gz": [explanation(1, 7, HOSTILE), explanation(1, 7, "second")],
        "2-a/explanations/batch-0.jsonl": [explanation(2, 0, "x" * 201), explanation(2, 1, "")],
        "2-a/activations/batch-0.jsonl": [activation(2, 0, ["a"], [1])],
    }
    with pytest.warns(CircuitWidgetWarning, match="1 empty labels, 1 further labels of a feature that has one"):
        labels = cw.read_labels(write_export(tmp_path, lines))
    assert labels == {
        cw.Everywhere(1, 7): "<img src=x onerror=alert(1)>\ufffd\ufffd",
        cw.Everywhere(2, 0): "x" * 199 + "…",
    }


def test_explanations_of_two_sets_are_refused(tmp_path: Path) -> None:
    lines = [explanation(1, 7, "a"), {**explanation(1, 7, "b"), "layer": "1-residual"}]
    with pytest.raises(
        LoadError, match=r"Line 2 of .* there are explanations of several sets, 'tiny a-transcoder-40', 'ti"
    ):
        cw.read_labels(write_export(tmp_path, {"a.jsonl": lines}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not readable as JSON"),
        ("[" * 100_000, "is not readable as JSON"),
        ("[]", "is no graph file: expected an object with a list of nodes"),
        ('{"nodes": [1]}', "nodes\\[0\\] is not an object but 1"),
        ('{"nodes": [], "qParams": {"clerps": "["}}', "its clerps are not JSON: '\\['"),
        ('{"nodes": [], "qParams": {"clerps": [["a"]]}}', "a label is a list of a node and a text"),
        (
            '{"nodes": [], "qParams": {"clerps": [["a", 1]]}}',
            "a label is a list of a node and a text; given \\['a', 1\\]",
        ),
        (
            json.dumps({"nodes": [{**node(0, 1, 0, 5), "layer": "x"}], "metadata": {"schema_version": 1}}),
            r"nodes\[0\]\.layer is 'x', expected a whole number",
        ),
        (
            json.dumps({"nodes": [node(3, 57794, 3, 1670217704)], "metadata": {"schema_version": 1}}),
            r"nodes\[0\]\.feature is 1670217704, which encodes feature 57794 of layer 1, but its layer is '3'",
        ),
    ],
)
def test_a_malformed_graph_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "graph.json"
    path.write_text(content)
    with pytest.raises(LoadError, match=message):
        cw.read_labels(path)


def test_a_graph_whose_outputs_alone_have_labels_gives_a_warning(tmp_path: Path) -> None:
    graph: dict[str, Any] = {"metadata": {}, "nodes": []}
    (tmp_path / "graph.json").write_text(json.dumps(graph))
    with pytest.warns(CircuitWidgetWarning, match="No feature has a label in .*graph.json"):
        assert len(cw.read_labels(tmp_path / "graph.json")) == 0


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"There are no labels in .*none\.json; expected the \.json of a graph"):
        cw.read_labels(tmp_path / "none.json")


def test_a_node_takes_the_label_of_its_sign(tmp_path: Path) -> None:
    traced = neuron_model().trace([1, 17, 42, 5], progress=False)
    places = [cw.Everywhere(*place) for place in zip(traced.feature_layer, traced.feature_index, strict=True)]
    lines = [explanation(place.layer, place.feature, "above") for place in places]
    lines += [explanation(place.layer, place.feature, "below", notes=NEGATIVE_NOTE) for place in places]
    labelled = traced.with_labels(cw.read_labels(write_export(tmp_path, {"a.jsonl": lines})))
    signs = [labelled.labels[node] for node in traced.node_ids[: traced.n_features]]
    assert signs == ["below" if activation < 0 else "above" for activation in traced.activation]
    assert {*signs} == {"above", "below"}


def test_a_graph_takes_the_labels_of_its_nodes(tmp_path: Path) -> None:
    traced = tiny_model().trace([1, 17, 42, 5], progress=False)
    place = cw.Everywhere(int(traced.feature_layer[0]), int(traced.feature_index[0]))
    lines = [explanation(place.layer, place.feature, "a label"), explanation(26, 9, "of a layer that it does not have")]
    labelled = traced.with_labels(cw.read_labels(write_export(tmp_path, {"a.jsonl": lines})))
    expected = [
        node
        for node, *numbers in zip(traced.node_ids, traced.feature_layer, traced.feature_index, strict=False)
        if cw.Everywhere(*map(int, numbers)) == place
    ]
    assert labelled.labels == dict.fromkeys(expected, "a label")
