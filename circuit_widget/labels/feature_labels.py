"""Labels of many features, as `label_features` returns them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from circuit_widget.errors import NodeError
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.labels.label import FeatureLabel, suits
from circuit_widget.labels.table import LabelTable
from circuit_widget.nodes import Everywhere

if TYPE_CHECKING:
    import pandas


class FeatureLabels(Mapping[Everywhere, tuple[FeatureLabel, ...]]):
    """The labels of features: one of each, or two where activations have both signs."""

    def __init__(self, tables: Mapping[int, LabelTable]) -> None:
        """`tables` are by layer; what each shows of a feature and sign counts."""
        displayed = {layer: tables[layer].displayed() for layer in sorted(tables)}
        self._tables = MappingProxyType({layer: table for layer, table in displayed.items() if len(table)})

    def __repr__(self) -> str:
        return f"FeatureLabels({sum(map(len, self._tables.values())):,} labels of {len(self):,} features)"

    def __getitem__(self, feature: Everywhere) -> tuple[FeatureLabel, ...]:
        if not isinstance(feature, Everywhere) or feature.layer not in self._tables:
            raise KeyError(feature)
        table = self._tables[feature.layer]
        both = (table.find(feature.feature, negative=negative) for negative in (False, True))
        found = tuple(label for label in both if label is not None)
        if not found:
            raise KeyError(feature)
        return found

    def __iter__(self) -> Iterator[Everywhere]:
        for layer, table in self._tables.items():
            for number in dict.fromkeys(table.columns["feature"].tolist()):
                yield Everywhere(layer, number)

    def __len__(self) -> int:
        return sum(len(set(table.columns["feature"].tolist())) for table in self._tables.values())

    def labels(self) -> Iterator[FeatureLabel]:
        """Yield all labels, by layer and feature."""
        return (label for table in self._tables.values() for label in table)

    def of_graph(self, graph: Graph) -> dict[str, str]:
        """Return the labels of a graph's features, each for the sign of its activation, by node id.

        A label by rule is left out where the activation is below three quarters of the rule's level.

        Raises:
            NodeError: it is no graph.
        """
        graph = require_graph(graph, NodeError)
        features = zip(
            graph.feature_layer.tolist(), graph.feature_index.tolist(), graph.activation.tolist(), strict=True
        )
        found = {}
        for node, (layer, feature, activation) in zip(graph.node_ids, features, strict=False):
            table = self._tables.get(layer)
            label = None if table is None else table.find(feature, negative=activation < 0)
            if label is not None and suits(label, activation):
                found[node] = label.text
        return found

    def to_frame(self) -> pandas.DataFrame:
        """The labels as a pandas frame.

        A row for each: layer, feature, negative (whether it is of activations below zero), label, origin, precision,
        recall (missing where they were not measured, or nothing was there to measure), tokens (how many its rule names).
        """
        import pandas

        rows: list[dict[str, Any]] = []
        for label in self.labels():
            found = label.accuracy
            rows.append(
                {
                    "layer": label.layer,
                    "feature": label.feature,
                    "negative": label.negative,
                    "label": label.text,
                    "origin": label.origin,
                    "precision": None if found is None else found.precision,
                    "recall": None if found is None else found.recall,
                    "tokens": None if found is None else found.named,
                }
            )
        columns = ["layer", "feature", "negative", "label", "origin", "precision", "recall", "tokens"]
        frame = pandas.DataFrame(rows, columns=columns)
        return frame.astype({"precision": "float64", "recall": "float64", "tokens": "Int64"})
