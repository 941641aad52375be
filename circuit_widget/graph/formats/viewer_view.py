"""The saved view of a graph's JSON, `qParams`: its lists, and which nodes its labels are of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from circuit_widget.arguments import quoted
from circuit_widget.graph.formats.viewer_nodes import ViewerNode
from circuit_widget.nodes import NodeKind


def entries(view: Mapping[str, Any], key: str) -> list[Any]:
    """Return a list of the saved view; circuit-tracer writes it as a text, joined by commas or as JSON.

    Raises ValueError for anything else.
    """
    value = view.get(key)
    if isinstance(value, str):
        if key == "pinnedIds":
            return [part for part in value.split(",") if part]
        try:
            value = json.loads(value) if value.strip() else []
        except (ValueError, RecursionError) as problem:
            raise ValueError(f"its {key} are not JSON: {quoted(value)}") from problem
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"its {key} are a list; given {quoted(value)}")
    return value


def named_labels(view: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the labels that users gave, `clerps`: names of nodes with texts. Raises ValueError for anything else."""
    found = entries(view, "clerps")
    for entry in found:
        if not isinstance(entry, list) or len(entry) != 2 or not all(isinstance(part, str) for part in entry):
            raise ValueError(f"a label is a list of a node and a text; given {quoted(entry)}")
    return [(name, text) for name, text in found]


def nodes_by_name(nodes: Sequence[ViewerNode]) -> dict[str, list[ViewerNode]]:
    """Return nodes by the names that labels have for them.

    A feature is named by layer, number as the file writes it and position (Neuronpedia), by that number alone
    (circuit-tracer), and by its id; one of attention by its id alone, since one of the MLP may have the same number. A name
    with the file's number goes before an id that looks the same.
    """
    found: dict[str, list[ViewerNode]] = {}
    for names_of in (_names_by_number, _names_by_id):
        added: dict[str, list[ViewerNode]] = {}
        for node in nodes:
            for name in names_of(node):
                added.setdefault(name, []).append(node)
        found = {**added, **found}
    return found


def _names_by_number(node: ViewerNode) -> Iterator[str]:
    if node.kind is NodeKind.FEATURE and not node.part and node.encoded is not None:
        yield f"{node.layer_in_file}_{node.encoded}_{node.position}"
        yield str(node.encoded)


def _names_by_id(node: ViewerNode) -> set[str]:
    if node.kind is not NodeKind.FEATURE or node.part:
        return {node.id}
    return {node.id, f"{node.layer_in_file}_{node.number}_{node.position}"}
