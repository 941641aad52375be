"""A graph with labels of its user."""

from typing import Any

import pytest

import circuit_widget as cw
from circuit_widget.errors import NodeError
from circuit_widget.labels.feature_labels import FeatureLabels
from circuit_widget.labels.label import FeatureLabel, LabelKind
from circuit_widget.labels.table import LabelTable
from tests.models import tiny_model


@pytest.fixture(scope="module")
def graph() -> cw.Graph:
    """A graph without labels."""
    return tiny_model().trace((1, 17, 42, 5), targets=[5])


def feature(graph: cw.Graph, index: int) -> cw.Feature:
    """The feature of a node."""
    numbers = (graph.feature_layer[index], graph.feature_position[index], graph.feature_index[index])
    return cw.Feature(*map(int, numbers))


def test_labels_are_added_to_a_copy(graph: cw.Graph) -> None:
    first, second = graph.node_ids[:2]
    once = graph.with_labels({first: " one "})
    twice = once.with_labels({feature(graph, 1): "two", first: "again"})
    assert (dict(graph.labels), dict(once.labels)) == ({}, {first: "one"})
    assert dict(twice.labels) == {first: "again", second: "two"}
    assert twice.model is graph.model


def test_a_label_everywhere_is_that_of_each_node_of_the_feature(graph: cw.Graph) -> None:
    place = cw.Everywhere(int(graph.feature_layer[0]), int(graph.feature_index[0]))
    nodes = [
        node
        for node, layer, number in zip(graph.node_ids, graph.feature_layer, graph.feature_index, strict=False)
        if (layer, number) == (place.layer, place.feature)
    ]
    assert dict(graph.with_labels({place: "all"}).labels) == dict.fromkeys(nodes, "all")
    assert graph.with_labels({nodes[0]: "this", place: "all"}).labels[nodes[0]] == "this"


def test_what_label_features_returns_is_taken(graph: cw.Graph) -> None:
    layer, number = int(graph.feature_layer[0]), int(graph.feature_index[0])
    labels = [FeatureLabel(layer, number, "above", LabelKind.RULE), FeatureLabel(layer, 999, "none", LabelKind.RULE)]
    found = graph.with_labels(FeatureLabels({layer: LabelTable.of(layer, labels)}))
    assert set(found.labels.values()) == {"above"}
    assert graph.node_ids[0] in found.labels


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"9_9_9": "a"}, "The graph has no node “9_9_9”"),
        ({cw.Everywhere(0, 10**6): "a"}, "The graph has no node of feature 1000000 of layer 0"),
        ({"E_17_1": "a"}, "The node E_17_1 is no feature"),
        ({7: "a"}, "A node is given by its id"),
        (["a"], "labels are texts by node id, Feature or Everywhere"),
        ("a", "labels are texts by node id"),
    ],
)
def test_what_is_no_feature_of_the_graph_is_refused(graph: cw.Graph, labels: Any, message: str) -> None:
    with pytest.raises(NodeError, match=message):
        graph.with_labels(labels)


@pytest.mark.parametrize("text", ["", 7, None, "a\nb", "\ud800", "\u202ea"])
def test_what_is_no_text_of_one_line_is_refused(graph: cw.Graph, text: Any) -> None:
    with pytest.raises(NodeError, match=f"The label of {graph.node_ids[0]} is"):
        graph.with_labels({graph.node_ids[0]: text})
