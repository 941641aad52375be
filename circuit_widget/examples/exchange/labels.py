"""Labels of features that others published: Neuronpedia's explanations, and the labels in a graph file."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from circuit_widget.arguments import first_line, of_type, quoted
from circuit_widget.errors import LoadError, NodeError
from circuit_widget.examples.exchange.neuronpedia import LineKind, files_of, label_in, published_lines
from circuit_widget.examples.exchange.published import Unusable, index_of, label_of, listed, refused
from circuit_widget.feature_ids import DECIMAL, PAIRED
from circuit_widget.nodes import Everywhere
from circuit_widget.system.paths import quoted_path, require_path
from circuit_widget.system.warning import warn

FEATURE_TYPE = "cross layer transcoder"
DECIMAL_SCANS = ("gemma-2-2b",)
"""The sets whose older graph files, without a schema version, have decimal numbers of features."""

MOST_OF_A_GRAPH = 1 << 30

Found: TypeAlias = tuple[Everywhere, str]


@runtime_checkable
class NodesOfFeatures(Protocol):
    """The parts of a Graph that labels are looked up with."""

    @property
    def node_ids(self) -> tuple[str, ...]: ...

    @property
    def feature_layer(self) -> Any: ...

    @property
    def feature_index(self) -> Any: ...


class PublishedLabels(dict[Everywhere, str]):
    """The labels of features, for `graph.with_labels`: a dictionary of which a graph takes what it has nodes of."""

    def of_graph(self, graph: NodesOfFeatures) -> dict[str, str]:
        """Return the labels of a graph's nodes, by node id. Raises NodeError for anything but a graph."""
        of_type(graph, NodesOfFeatures, "graph is a Graph", NodeError)
        features = zip(graph.node_ids, graph.feature_layer.tolist(), graph.feature_index.tolist(), strict=False)
        found = {node: self.get(Everywhere(layer, feature)) for node, layer, feature in features}
        return {node: label for node, label in found.items() if label is not None}


def read_labels(path: str | os.PathLike[str]) -> PublishedLabels:
    """Return the labels of features in a graph file, or in what Neuronpedia exports, for `graph.with_labels`.

    Of a graph (.json) these are its `clerps`, written by whoever saved it, and otherwise the labels of its nodes. An export
    is a file of JSON lines (.jsonl, .jsonl.gz) or a folder of them, of one set of sources; of several explanations of one
    feature the first counts. Labels are one line of at most 200 characters. What is left out is counted in a
    CircuitWidgetWarning.

    Raises:
        LoadError: the file or folder cannot be read, or has explanations of several sets; names file and line.
    """
    given = require_path(path, LoadError)
    left_out: Counter[str] = Counter()
    labels = PublishedLabels()
    for feature, label in _found(given, left_out):
        if labels.setdefault(feature, label) != label:
            left_out["further labels of a feature that has one"] += 1
    if left_out:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in sorted(left_out.items()))
        warn(f"Of the labels in {quoted_path(given)}, {len(labels):,} were read, and these were left out: {counts}.")
    return labels


def _found(path: Path, left_out: Counter[str]) -> Iterator[Found]:
    files = files_of(path) if path.exists() else []
    files = [file for file in files if file.parent.name == "explanations"] or files
    if files:
        return _explanations(files, left_out)
    if path.is_file():
        return _of_graph(path, left_out)
    raise LoadError(
        f"There are no labels in {quoted_path(path)}; expected the .json of a graph, or a .jsonl or .jsonl.gz file of "
        "Neuronpedia's explanations, or a folder of them."
    )


def _explanations(files: list[Path], left_out: Counter[str]) -> Iterator[Found]:
    sets = set()
    for file in files:
        for line in published_lines(file):
            if isinstance(line, str):
                left_out[line] += 1
                continue
            if line.kind is not LineKind.EXPLANATION:
                continue
            sets.add(f"{line.model} {line.source_set}".strip())
            if len(sets) > 1:
                raise refused(
                    file, f"there are explanations of several sets, {listed(sets)}; give the folder of one", line.number
                )
            label = label_in(line)
            if label is None:
                left_out["empty labels"] += 1
            else:
                yield Everywhere(line.layer, line.feature), label


def _of_graph(path: Path, left_out: Counter[str]) -> Iterator[Found]:
    try:
        if path.stat().st_size > MOST_OF_A_GRAPH:
            raise Unusable(f"it has more than {MOST_OF_A_GRAPH:,} bytes")
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise LoadError(f"{quoted_path(path)} is not readable as JSON ({first_line(error)}).") from error
    except Unusable as problem:
        raise refused(path, problem) from problem
    nodes = document.get("nodes") if isinstance(document, dict) else None
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise LoadError(f"{quoted_path(path)} is no graph file: expected an object with a list of nodes.")
    metadata = document.get("metadata")
    try:
        yield from _graph_labels(
            nodes, metadata if isinstance(metadata, dict) else {}, document.get("qParams"), left_out
        )
    except Unusable as problem:
        raise refused(path, problem) from problem


def _graph_labels(
    nodes: list[dict[str, Any]], metadata: Mapping[str, Any], parameters: object, left_out: Counter[str]
) -> Iterator[Found]:
    """Yield the labels that users gave, then those of nodes, which viewers show where there is no other."""
    features = [node for node in nodes if node.get("feature_type") == FEATURE_TYPE]
    found = [(node, place) for node in features if (place := _place(node, metadata)) is not None]
    if len(found) < len(features):
        left_out["nodes whose number of a feature was made in no known way"] += len(features) - len(found)
    # A name with the number of a feature wins over a node id, which looks the same.
    places = {f"{node.get('layer')}_{node.get('feature')}_{node.get('ctx_idx')}": place for node, place in found}
    for node, place in found:
        places.setdefault(f"{node.get('feature')}", place)
        places.setdefault(f"{node.get('node_id')}", place)
    for name, text in _clerps(parameters):
        feature, label = _named(name, places, metadata), label_of(text)
        if feature is None:
            left_out["labels of nodes that are no feature of the graph"] += 1
        elif label is not None:
            yield feature, label
    for node, place in found:
        label = label_of(node.get("clerp") or "")
        if label is not None:
            yield place, label


def _clerps(parameters: object) -> list[tuple[str, object]]:
    """Return the labels in the parameters of a graph: a list of pairs, which circuit-tracer writes as a text."""
    given = parameters.get("clerps") if isinstance(parameters, dict) else None
    if given in (None, ""):
        return []
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError) as error:
            raise Unusable(f"its clerps are not readable as JSON ({first_line(error)})") from error
    if not isinstance(given, list) or not all(isinstance(one, list) and len(one) == 2 for one in given):
        raise Unusable(f"its clerps are a list of pairs of a name and a label, found {quoted(given)}")
    return [(str(name), text) for name, text in given]


def _place(node: Mapping[str, Any], metadata: Mapping[str, Any]) -> Everywhere | None:
    """Return the feature of a node, None where its number was made in no way that is known."""
    layer, number = index_of(node.get("layer"), "the layer of a node"), index_of(node.get("feature"), "its feature")
    ids = PAIRED if metadata.get("schema_version") else DECIMAL if metadata.get("scan") in DECIMAL_SCANS else None
    if ids is None or ids.split(number)[0] != layer:
        return None
    return Everywhere(*ids.split(number))


def _named(name: str, places: Mapping[str, Everywhere], metadata: Mapping[str, Any]) -> Everywhere | None:
    """Return the feature that a label is of, also one that was pruned from a graph whose numbers are Cantor pairs."""
    if name in places:
        return places[name]
    parts = name.split("_")
    if (
        not metadata.get("schema_version")
        or len(parts) not in (1, 3)
        or not all(part.isascii() and part.isdigit() for part in parts)
    ):
        return None
    layer, feature = PAIRED.split(index_of(parts[len(parts) // 2], "the number of a feature"))
    return Everywhere(layer, feature) if len(parts) == 1 or parts[0] == str(layer) else None
