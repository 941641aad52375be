"""The labels of features that others published, with the sign of the activations that each is of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from circuit_widget.arguments import of_type
from circuit_widget.errors import NodeError
from circuit_widget.nodes import Everywhere
from circuit_widget.system.paths import quoted_path
from circuit_widget.system.warning import warn


@dataclass(frozen=True)
class PublishedLabel:
    """A label in a file: of which feature, and whether it is of activations below zero."""

    feature: Everywhere
    text: str
    negative: bool = False


@runtime_checkable
class NodesOfFeatures(Protocol):
    """The parts of a Graph that labels are looked up with."""

    @property
    def node_ids(self) -> tuple[str, ...]: ...

    @property
    def feature_layer(self) -> Any: ...

    @property
    def feature_index(self) -> Any: ...

    @property
    def activation(self) -> Any: ...


class PublishedLabels(dict[Everywhere, str]):
    """The labels of features, for `graph.with_labels`: a dictionary of which a graph takes what it has nodes of.

    `negative` are the labels for activations below zero, which only neurons and a few transcoders have.
    """

    def __init__(self, labels: Mapping[Everywhere, str] = {}, negative: Mapping[Everywhere, str] = {}) -> None:
        super().__init__(labels)
        self.negative = dict(negative)

    @property
    def n_features(self) -> int:
        """Number of features with a label."""
        return len(self.keys() | self.negative.keys())

    def of_graph(self, graph: NodesOfFeatures) -> dict[str, str]:
        """Return the labels of a graph's nodes, each for the sign of its activation, by node id.

        Raises NodeError for anything but a graph.
        """
        of_type(graph, NodesOfFeatures, "graph is a Graph", NodeError)
        columns = (graph.feature_layer.tolist(), graph.feature_index.tolist(), graph.activation.tolist())
        found = {
            node: (self.negative if activation < 0 else self).get(Everywhere(layer, feature))
            for node, layer, feature, activation in zip(graph.node_ids, *columns, strict=False)
        }
        return {node: label for node, label in found.items() if label is not None}


def first_of_each(found: Iterable[PublishedLabel], left_out: Counter[str], path: Path) -> PublishedLabels:
    """Return the first label of each feature and sign; what is left out is counted in a CircuitWidgetWarning.

    `left_out` are counts by reason, to which `found` may add until it ends.
    """
    labels = PublishedLabels()
    for one in found:
        if not keep_first(labels, one):
            left_out["further labels of a feature that has one"] += 1
    if left_out:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in sorted(left_out.items()))
        n_read = len(labels) + len(labels.negative)
        warn(f"Of the labels in {quoted_path(path)}, {n_read:,} were read, and these were left out: {counts}.")
    return labels


def keep_first(labels: PublishedLabels, label: PublishedLabel) -> bool:
    """Keep a label if it is the first one of its feature and sign; return whether that is then its text."""
    of_sign: dict[Everywhere, str] = labels.negative if label.negative else labels
    return of_sign.setdefault(label.feature, label.text) == label.text
