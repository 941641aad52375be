"""The function `read_labels`: labels of features that others published, in a graph file or in what Neuronpedia exports."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from circuit_widget.arguments import first_line
from circuit_widget.errors import LoadError
from circuit_widget.examples.exchange.explanations import read_explanations
from circuit_widget.examples.exchange.neuronpedia import files_of
from circuit_widget.examples.exchange.published import Unusable, label_of, refused
from circuit_widget.examples.exchange.published_labels import PublishedLabel, PublishedLabels, first_of_each
from circuit_widget.feature_ids import PAIRED
from circuit_widget.graph.formats.viewer_layers import layered
from circuit_widget.graph.formats.viewer_nodes import LARGEST_INDEX, MOST_LAYERS, ViewerNode, read_nodes
from circuit_widget.graph.formats.viewer_view import named_labels, nodes_by_name
from circuit_widget.nodes import Everywhere, NodeKind
from circuit_widget.system.paths import quoted_path, require_path
from circuit_widget.system.warning import warn

MOST_OF_A_GRAPH = 1 << 30
"""Most bytes of a graph file."""


def read_labels(path: str | os.PathLike[str]) -> PublishedLabels:
    """Return the labels of features in a graph file, or in what Neuronpedia exports, for `graph.with_labels`.

    Of a graph (.json) these are its `clerps`, written by whoever saved it, and otherwise the labels of its nodes, each for
    the sign of the node's activation. An export is a file of JSON lines (.jsonl, .jsonl.gz) or a folder of them, of one set
    of sources; of several explanations of one feature the first counts. Labels are one line of at most 200 characters. What
    is left out is counted in a CircuitWidgetWarning; another one says so if no feature has a label.

    Raises:
        LoadError: the file or folder cannot be read, or has explanations of several sets; names file and line.
    """
    given = require_path(path, LoadError)
    files = files_of(given) if given.exists() else []
    files = [file for file in files if file.parent.name == "explanations"] or files
    if files:
        return _not_empty(read_explanations(given, files), given)
    if given.is_file():
        left_out: Counter[str] = Counter()
        return _not_empty(first_of_each(_of_graph(given, left_out), left_out, given), given)
    raise LoadError(
        f"There are no labels in {quoted_path(given)}; expected the .json of a graph, or a .jsonl or .jsonl.gz file of "
        "Neuronpedia's explanations, or a folder of them."
    )


def _not_empty(labels: PublishedLabels, path: Path) -> PublishedLabels:
    if not labels and not labels.negative:
        warn(f"No feature has a label in {quoted_path(path)}.")
    return labels


def _of_graph(path: Path, left_out: Counter[str]) -> Iterator[PublishedLabel]:
    try:
        if path.stat().st_size > MOST_OF_A_GRAPH:
            raise Unusable(f"it has more than {MOST_OF_A_GRAPH:,} bytes")
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise LoadError(f"{quoted_path(path)} is not readable as JSON ({first_line(error)}).") from error
    except Unusable as problem:
        raise refused(path, problem) from problem
    if not isinstance(document, dict) or not isinstance(document.get("nodes"), list):
        raise LoadError(f"{quoted_path(path)} is no graph file: expected an object with a list of nodes.")
    metadata, view = (_object(document.get(name)) for name in ("metadata", "qParams"))
    version = metadata.get("schema_version")
    try:
        read = read_nodes(document["nodes"], version)
        nodes = layered(read).nodes if any(node.part for node in read) else read
        yield from _given_labels(nodes_by_name(nodes), named_labels(view), version, left_out)
        yield from _labels_of_nodes(nodes)
    except (ValueError, Unusable) as problem:
        raise refused(path, problem) from problem


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _given_labels(
    names: Mapping[str, list[ViewerNode]],
    given: list[tuple[str, str]],
    version: object,
    left_out: Counter[str],
) -> Iterator[PublishedLabel]:
    """Yield the labels that users gave, which viewers show before those of nodes."""
    for name, text in given:
        label = label_of(text)
        named = [node for node in names.get(name, ()) if node.kind is NodeKind.FEATURE]
        pruned = None if name in names or version is None else _pruned(name)
        if not named and pruned is None:
            left_out["labels of nodes that are no feature of the graph"] += 1
        elif label is not None and pruned is not None:
            yield PublishedLabel(pruned, label)
        elif label is not None:
            yield from (_label(node, label) for node in named)


def _labels_of_nodes(nodes: Iterable[ViewerNode]) -> Iterator[PublishedLabel]:
    for node in nodes:
        label = label_of(node.label)
        if label is not None and node.kind is NodeKind.FEATURE:
            yield _label(node, label)


def _label(node: ViewerNode, text: str) -> PublishedLabel:
    return PublishedLabel(Everywhere(node.layer, node.number), text, (node.activation or 0.0) < 0)


def _pruned(name: str) -> Everywhere | None:
    """Return the feature that a label names by a Cantor pair, of a node that the graph does not have; None for no such name."""
    parts = name.split("_")
    if len(parts) not in (1, 3) or not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in parts):
        return None
    layer, feature = PAIRED.split(int(parts[len(parts) // 2]))
    if layer > MOST_LAYERS or feature > LARGEST_INDEX or (len(parts) == 3 and int(parts[0]) != layer):
        return None
    return Everywhere(layer, feature)
