"""The circuit in the graph JSON of circuit-tracer and Neuronpedia: pinned nodes, supernodes and labels of its `qParams`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuit_widget.arguments import FORBIDDEN_CHARACTERS
from circuit_widget.characters import repaired, shortened
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.circuit.rules import LONGEST_NAME, SPACE, displayed
from circuit_widget.errors import CircuitError
from circuit_widget.graph.formats.viewer_json import ViewerFile
from circuit_widget.graph.formats.viewer_layers import layered
from circuit_widget.graph.formats.viewer_nodes import read_nodes
from circuit_widget.graph.formats.viewer_view import entries, named_labels, nodes_by_name
from circuit_widget.graph.formats.viewer_writing import export_graph
from circuit_widget.nodes import NodeKind
from circuit_widget.system.warning import warn

if TYPE_CHECKING:
    from circuit_widget.graph import Graph

UNNAMED = "group"


def circuit_in(file: ViewerFile) -> Circuit:
    """Return the circuit that is saved in a graph's JSON: its lists as lists, or as the texts of an address.

    A supernode whose name is taken gets a number after it. A node in two supernodes stays in the first, and logits, which
    are in none here, are pinned; a warning says so. Raises CircuitError for nodes that the file does not have.
    """
    metadata, view = file.rest.get("metadata"), file.rest.get("qParams")
    if not isinstance(metadata, dict):
        raise CircuitError("The file has no metadata.")
    if not isinstance(view, dict):
        return Circuit()
    try:
        layers = layered(read_nodes(file.nodes, metadata.get("schema_version")))
        nodes, n_layers = layers.nodes, layers.n_layers
    except ValueError as problem:
        raise CircuitError(f"The nodes of the file cannot be read: {problem}.") from problem
    ids = {node.id: node.id_here(n_layers) for node in nodes}
    logits = {node.id_here(n_layers) for node in nodes if node.kind is NodeKind.LOGIT}
    circuit = Circuit()
    try:
        pinned, supernodes, labels = entries(view, "pinnedIds"), entries(view, "supernodes"), named_labels(view)
    except ValueError as problem:
        raise CircuitError(f"The saved view of the file cannot be read: {problem}.") from problem
    if pinned:
        circuit = circuit.pin([_here(one, ids) for one in pinned])
    circuit = _with_supernodes(circuit, [_supernode(entry, ids) for entry in supernodes], logits)
    names = nodes_by_name(nodes)
    for name, text in labels:
        line = _one_line(text)
        for node in names.get(name, ()) if line else ():
            circuit = circuit.label(ids[node.id], line)
    return circuit


def view_of(circuit: Circuit) -> dict[str, Any]:
    """Return a circuit as the saved view of a graph's JSON, as Neuronpedia writes it."""
    return {
        "pinnedIds": list(
            dict.fromkeys([*circuit.pinned, *(node for one in circuit.supernodes for node in one.nodes)])
        ),
        "supernodes": [[one.name, *one.nodes] for one in circuit.supernodes],
        "linkType": "both",
        "clickedId": "",
        "sg_pos": "",
    }


def export_circuit(
    circuit: Circuit, graph: Graph, path: str | os.PathLike[str], slug: str | None, scan: str | None
) -> Path:
    """Write a graph with a circuit on it as JSON for other viewers; see `Circuit.export`."""
    circuit.check(graph)
    return export_graph(graph, path, slug, scan, view=view_of(circuit), labels=circuit.labels)


def _here(node: object, ids: Mapping[str, str]) -> str:
    found = ids.get(node) if isinstance(node, str) else None
    if found is None:
        raise CircuitError(
            f"The saved view of the file names the node {displayed(node)}, which the file does not have."
        )
    return found


def _supernode(entry: object, ids: Mapping[str, str]) -> tuple[str, list[str]]:
    if not isinstance(entry, list) or len(entry) < 2 or not all(isinstance(part, str) for part in entry):
        raise CircuitError(f"A supernode of the file is a list of a name and node ids; given {displayed(entry)}.")
    return _one_line(entry[0]) or UNNAMED, [_here(node, ids) for node in entry[1:]]


def _one_line(text: str) -> str:
    return shortened(FORBIDDEN_CHARACTERS.sub(" ", repaired(text)).strip(SPACE), LONGEST_NAME)


def _with_supernodes(circuit: Circuit, given: Sequence[tuple[str, list[str]]], logits: set[str]) -> Circuit:
    taken: set[str] = set()
    names: set[str] = set()
    left: list[str] = []
    for name, nodes in given:
        own = [node for node in nodes if node not in taken and node not in logits]
        left += [node for node in nodes if node not in own]
        if not own:
            continue
        taken.update(own)
        unique = _unique(name, names)
        names.add(unique)
        circuit = circuit.group(unique, own)
    outside = [node for node in left if node in logits]
    if left:
        if outside:
            circuit = circuit.pin(outside)
        warn(
            f"{len(left)} members of the file's supernodes are not in them here: a node is in one supernode only, and logits "
            f"are in none ({', '.join(left[:3])}{' …' if len(left) > 3 else ''})."
        )
    return circuit


def _unique(name: str, names: set[str]) -> str:
    number, found = 2, name
    while found in names:
        found = f"{shortened(name, LONGEST_NAME - 6)} ({number})"
        number += 1
    return found
