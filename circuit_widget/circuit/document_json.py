"""The circuit as JSON: read from any origin, written whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from circuit_widget.circuit.circuit import Circuit, Supernode
from circuit_widget.circuit.filters import Filters
from circuit_widget.circuit.rules import MOST_ENTRIES, displayed
from circuit_widget.circuit.saved_view import circuit_in
from circuit_widget.errors import CircuitError, GraphFileError
from circuit_widget.graph.formats.viewer_json import ViewerFile
from circuit_widget.graph.formats.viewer_reading import SPACE, first_bytes, viewer_file
from circuit_widget.progress import reporting
from circuit_widget.system.atomic_write import write_bytes
from circuit_widget.system.file_kind import (
    GZIPPED,
    KEPT_WORK,
    VIEWER_GRAPH,
    WORK_FORMAT,
    file_kind,
    foreign,
    json_kind,
    missing_file,
)
from circuit_widget.system.paths import quoted_path, require_path

VERSION = 1
FILTERED_VERSION = 2
"""Version of a circuit with filters; one without any is of the first version, which every version of the package reads."""

CUT_VERSION = 3
"""Version of a circuit with a least share of drawn edges, or with numbers on them."""

STABILITY_VERSION = 4
"""Version of a circuit that has edges of the map drawn by their stability."""

WORK_VERSION = 2
"""Version of the file that keeps a widget's circuit and experiments; the first version is a circuit by itself."""

LARGEST_FILE = 16 * 2**20
"""Bytes; a circuit with the largest number of nodes is smaller."""

LONGEST_PROBLEM = 120

KEYS = ("version", "revision", "pinned", "supernodes", "labels", "positions", "node_threshold", "edge_threshold")
FILTERED_KEYS = (*KEYS, "filters")
CUT_KEYS = (*FILTERED_KEYS, "least_share", "edge_numbers")
STABILITY_KEYS = (*CUT_KEYS, "edge_stability")
KEYS_OF = {VERSION: KEYS, FILTERED_VERSION: FILTERED_KEYS, CUT_VERSION: CUT_KEYS, STABILITY_VERSION: STABILITY_KEYS}
SUPERNODE_KEYS = ("id", "name", "color", "nodes")


def document(circuit: Circuit) -> dict[str, Any]:
    """Return the document as plain JSON, with its keys always in the same order."""
    filters = circuit.filters.to_json()
    version = _version(circuit)
    later = {
        "filters": filters,
        "least_share": circuit.least_share,
        "edge_numbers": circuit.edge_numbers,
        "edge_stability": circuit.edge_stability,
    }
    return {
        "version": version,
        "revision": circuit.revision,
        "pinned": list(circuit.pinned),
        "supernodes": [
            {"id": one.id, "name": one.name, "color": one.color, "nodes": list(one.nodes)} for one in circuit.supernodes
        ],
        "labels": dict(circuit.labels),
        "positions": {box: list(position) for box, position in circuit.positions.items()},
        "node_threshold": circuit.node_threshold,
        "edge_threshold": circuit.edge_threshold,
        **{key: value for key, value in later.items() if key in KEYS_OF[version]},
    }


def _version(circuit: Circuit) -> int:
    """Return the first version that has what a circuit has."""
    if circuit.edge_stability:
        return STABILITY_VERSION
    if circuit.least_share is not None or circuit.edge_numbers:
        return CUT_VERSION
    return FILTERED_VERSION if circuit.filters != Filters() else VERSION


def circuit(value: object) -> Circuit:
    """Return the circuit in a JSON value. Raises CircuitError for the first thing that is wrong with it."""
    whole = _object("A circuit", value)
    version = whole.get("version", VERSION)
    if type(version) is not int or version not in KEYS_OF:
        raise CircuitError(
            f"This circuit is of version {displayed(version)}, and version {VERSION}, {FILTERED_VERSION}, {CUT_VERSION} or "
            f"{STABILITY_VERSION} is expected. Update circuit-widget, or save the circuit again."
        )
    _keys("A circuit", whole, KEYS_OF[version])
    return Circuit(
        pinned=tuple(_list("pinned", whole["pinned"])),
        supernodes=tuple(_supernode(entry) for entry in _list("supernodes", whole["supernodes"])),
        labels=_object("labels", whole["labels"]),
        positions={box: _pair(pair) for box, pair in _object("positions", whole["positions"]).items()},
        node_threshold=whole["node_threshold"],
        edge_threshold=whole["edge_threshold"],
        revision=whole["revision"],
        filters=Filters.from_json(whole.get("filters", {})),
        least_share=whole.get("least_share"),
        edge_numbers=whole.get("edge_numbers", False),
        edge_stability=whole.get("edge_stability", False),
    )


def _supernode(value: object) -> Supernode:
    entry = _object("A supernode", value)
    _keys("A supernode", entry, SUPERNODE_KEYS)
    return Supernode(entry["id"], entry["name"], entry["color"], tuple(_list("nodes", entry["nodes"])))


def _object(what: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise CircuitError(f"{what} is a JSON object; given {displayed(value)}.")
    if len(value) > MOST_ENTRIES:
        raise CircuitError(f"{what} has at most {MOST_ENTRIES} entries; given {len(value)}.")
    return value


def _list(what: str, value: object) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise CircuitError(f"{what} is a list; given {displayed(value)}.")
    if len(value) > MOST_ENTRIES:
        raise CircuitError(f"{what} has at most {MOST_ENTRIES} entries; given {len(value)}.")
    return value


def _keys(what: str, value: Mapping[str, Any], expected: tuple[str, ...]) -> None:
    for key in value:
        if key not in expected:
            raise CircuitError(f"{what} has no {displayed(key)}; its keys are {', '.join(expected)}.")
    for key in expected:
        if key not in value:
            raise CircuitError(f"{what} lacks {displayed(key)}; its keys are {', '.join(expected)}.")


def _pair(value: object) -> tuple[Any, Any]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise CircuitError(f"A position is a list of two numbers; given {displayed(value)}.")
    return value[0], value[1]


def check_work_version(value: Mapping[str, Any], name: str) -> None:
    """Raise CircuitError where a file that a widget kept is of a version that is not known here."""
    version = value.get("version")
    if type(version) is not int or version != WORK_VERSION:
        raise CircuitError(
            f"{name} is of version {displayed(version)}, and this package reads versions up to {WORK_VERSION}. "
            "Update circuit-widget."
        )


def save_circuit(circuit: Circuit, path: str | os.PathLike[str]) -> Path:
    """Write a circuit, whole or not at all."""
    text = json.dumps(document(circuit), indent=1, ensure_ascii=False) + "\n"
    return write_bytes(path, text.encode(), "circuit", CircuitError)


def load_circuit(path: str | os.PathLike[str]) -> Circuit:
    """Read a circuit. Raises CircuitError for a file that is missing, too large, not JSON or not a circuit."""
    file = require_path(path, CircuitError)
    quoted = quoted_path(file)
    try:
        value = _read(file)
    except FileNotFoundError as problem:
        raise CircuitError(missing_file(file)) from problem
    except OSError as problem:
        raise CircuitError(f"{quoted} cannot be read: {problem.strerror or problem}.") from problem
    except (ValueError, RecursionError) as problem:
        raise CircuitError(
            f"{quoted} is not a JSON file: {str(problem)[:LONGEST_PROBLEM]}. It may have been cut off."
        ) from problem
    kind = json_kind(value)
    try:
        if isinstance(value, ViewerFile):
            return circuit_in(value)
        if isinstance(value, dict) and value.get("format") == WORK_FORMAT:
            check_work_version(value, "The file")
            return circuit(value.get("circuit"))
        return circuit(value)
    except CircuitError as problem:
        if kind is not None and kind.reader != "Circuit.load":
            raise CircuitError(foreign(file, kind, "a circuit")) from problem
        raise CircuitError(f"{quoted}: {problem}") from problem


def _read(file: Path) -> object:
    """Return what is in a file: its JSON, or a ViewerFile where it is a graph that may have a circuit on it.

    Raises CircuitError for another known kind of file and for one that is too large, ValueError for an unknown one.
    """
    if not file.is_file() and file.exists():
        raise CircuitError(foreign(file, file_kind(file), "a circuit"))
    kind = file_kind(file)
    is_graph = kind is not None and (kind == GZIPPED or kind.reader == VIEWER_GRAPH)
    if is_graph or (kind is not KEPT_WORK and file.stat().st_size > LARGEST_FILE):
        return _graph_in(file)
    try:
        return json.loads(file.read_bytes().decode())
    except (ValueError, RecursionError):
        if kind is None or kind.reader == "Circuit.load":
            raise
        raise CircuitError(foreign(file, kind, "a circuit")) from None


def _graph_in(file: Path) -> ViewerFile:
    """Return the graph in a file. Raises CircuitError for a file that is cut off or has no graph."""
    try:
        if first_bytes(file).lstrip(SPACE).startswith(b"{"):
            with reporting(None) as report:
                found = viewer_file(file, report, None)
            if {"nodes", "links"} <= found.keys:
                return found
    except GraphFileError as problem:
        raise CircuitError(str(problem)) from problem
    kind = file_kind(file)
    if kind is None or kind.reader == "Circuit.load":
        raise CircuitError(f"{quoted_path(file)} is larger than {LARGEST_FILE // 2**20} MB, too large for a circuit.")
    raise CircuitError(foreign(file, kind, "a circuit"))
