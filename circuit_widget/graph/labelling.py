"""Labels that a user gives to the features of a graph: by node, or by feature for all of its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from circuit_widget.arguments import FORBIDDEN_CHARACTERS, of_type, one_line, quoted
from circuit_widget.errors import NodeError
from circuit_widget.nodes import Everywhere, Feature

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph


@runtime_checkable
class LabelsOfFeatures(Protocol):
    """Labels that know which of them each node of a graph has; see FeatureLabels."""

    def of_graph(self, graph: Graph) -> dict[str, str]:
        """Return the labels of a graph's features by node id."""


GivenLabels: TypeAlias = LabelsOfFeatures | Mapping[str, str] | Mapping[Feature, str] | Mapping[Everywhere, str]


def labelled_nodes(graph: Graph, given: GivenLabels) -> dict[str, str]:
    """Return labels by node id, in node order.

    Raises:
        NodeError: a node or feature is not in the graph, is no feature, or its label is no text of one line.
    """
    if isinstance(given, LabelsOfFeatures):
        return given.of_graph(graph)
    of_type(
        given, Mapping, "labels are texts by node id, Feature or Everywhere, or what label_features returns", NodeError
    )
    everywhere = {key: _text(key, text) for key, text in given.items() if isinstance(key, Everywhere)}
    single = {graph.index(key): _text(key, text) for key, text in given.items() if not isinstance(key, Everywhere)}
    for index in single:
        if index >= graph.n_features:
            raise NodeError(f"The node {graph.node_ids[index]} is no feature; only features have labels.")
    layers, numbers = graph.feature_layer.tolist(), graph.feature_index.tolist()
    features = [Everywhere(*place) for place in zip(layers, numbers, strict=True)] if everywhere else []
    missing = next((key for key in everywhere if key not in set(features)), None)
    if missing is not None:
        raise NodeError(f"The graph has no node of feature {missing.feature} of layer {missing.layer}.")
    found = {index: everywhere[feature] for index, feature in enumerate(features) if feature in everywhere}
    # The label of a node goes before that of its feature.
    return {graph.node_ids[index]: text for index, text in sorted({**found, **single}.items())}


def _text(key: object, text: object) -> str:
    what = f"The label of {one_line(key, 40) if isinstance(key, str) else quoted(key)}"
    if not isinstance(text, str) or not text.strip():
        raise NodeError(f"{what} is a text with at least one letter; given {quoted(text)}.")
    if FORBIDDEN_CHARACTERS.search(text.strip()):
        raise NodeError(f"{what} is one line without control characters; given {quoted(text)}.")
    return text.strip()
