"""Graph files: safetensors with the arrays of a graph, and everything else as JSON in the header."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuit_widget.characters import shortened
from circuit_widget.errors import GraphFileError
from circuit_widget.graph.arrays import ARRAYS
from circuit_widget.graph.consistency import check_consistency
from circuit_widget.graph.header_json import description, read_description
from circuit_widget.system.atomic_write import write_whole
from circuit_widget.system.file_kind import GRAPH_FORMAT as FORMAT
from circuit_widget.system.file_kind import file_kind, foreign, missing_file
from circuit_widget.system.paths import quoted_path, require_path

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph

VERSION = 1

CHECKSUM = "sha256"
"""Key of the checksum in the metadata; the oldest files have none."""

LONGEST_PROBLEM = 160


def save_graph(graph: Graph, path: str | os.PathLike[str]) -> Path:
    """Write a graph file, completely or not at all; a graph that could not be read back is not written."""
    file = require_path(path, GraphFileError)
    try:
        text = json.dumps(description(graph), allow_nan=False)
        graph_of_parts(text, {name: getattr(graph, name) for name in ARRAYS})
    except (ValueError, TypeError, OverflowError, RecursionError) as problem:
        raise GraphFileError(f"The graph cannot be written to {quoted_path(file)}: {_short(problem)}.") from problem

    def write(part: Path) -> None:
        from safetensors.numpy import save_file

        arrays = {name: getattr(graph, name) for name in ARRAYS}
        metadata = {"format": FORMAT, "version": str(VERSION), "graph": text, CHECKSUM: checksum(text, arrays)}
        save_file(arrays, part, metadata=metadata)

    return write_whole(file, write, "graph", GraphFileError)


def load_graph(path: str | os.PathLike[str]) -> Graph:
    """Read and check a graph file. Raises GraphFileError for every fault, and names it."""
    file = require_path(path, GraphFileError)
    name = quoted_path(file)
    metadata, arrays = _read(file)
    if metadata.get("format") != FORMAT:
        raise GraphFileError(f"{name} is no graph, but another safetensors file; graph.save(path) writes graphs.")
    version = metadata.get("version", "")
    if version != str(VERSION):
        raise GraphFileError(
            f"{name} is a graph file of version {version[:20]!r}, and this package reads version {VERSION}. "
            "Update circuit-widget, or save the graph again."
        )
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise GraphFileError(f"{name} is damaged: it has no {' and no '.join(missing)}. Save the graph again.")
    text = metadata.get("graph", "")
    try:
        if CHECKSUM in metadata and metadata[CHECKSUM] != checksum(text, arrays):
            raise ValueError("its content is not what was saved")
        graph = graph_of_parts(text, arrays)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, MemoryError) as problem:
        raise GraphFileError(f"{name} is damaged: {_short(problem)}. Save the graph again.") from problem
    return graph


def checksum(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of a graph's description and arrays, in hexadecimal digits."""
    digest = hashlib.sha256(text.encode())
    for name in ARRAYS:
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"\0{name} {array.dtype.str} {array.shape}\0".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def graph_of_parts(text: str, arrays: Mapping[str, np.ndarray]) -> Graph:
    """Return the graph of a description and arrays. Raises ValueError, with a sentence, for contradictions."""
    from circuit_widget.graph.graph import Graph

    for name, dtype in ARRAYS.items():
        if arrays[name].dtype != dtype:
            raise ValueError(f"{name} is {arrays[name].dtype} where {np.dtype(dtype)} is expected")
    fields: dict[str, Any] = {**read_description(text), **arrays}
    graph = Graph(**fields)
    check_consistency(graph)
    return graph


def _read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    name = quoted_path(path)
    try:
        if path.exists() and not path.is_file():
            raise GraphFileError(foreign(path, file_kind(path), "a graph"))
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            names = set(file.keys())
            arrays = {name: file.get_tensor(name) for name in ARRAYS if name in names}
    except FileNotFoundError as problem:
        raise GraphFileError(missing_file(path)) from problem
    except OSError as problem:
        raise GraphFileError(f"{name} cannot be read: {problem.strerror or _short(problem)}.") from problem
    except (SafetensorError, ValueError, TypeError, AttributeError, MemoryError, OverflowError) as problem:
        raise GraphFileError(_not_a_graph(path, problem)) from problem
    return metadata, arrays


def _not_a_graph(path: Path, problem: Exception) -> str:
    """Return the error message for a file that is not safetensors, with its kind where it is recognised."""
    try:
        kind, empty = file_kind(path), path.stat().st_size == 0
    except OSError:
        kind, empty = None, False
    if kind is not None and "safetensors" not in kind.name and kind.reader != "Graph.load":
        return foreign(path, kind, "a graph")
    why = "it is empty" if empty else _short(problem)
    return f"{quoted_path(path)} is not a whole safetensors file: {why}. It was cut off while copying, or is of another kind."


def _short(problem: Exception) -> str:
    """Return a problem with a file as one short printable line."""
    text = str(problem) if not isinstance(problem, KeyError) else f"{problem} is missing"
    line = "".join(character if character.isprintable() else " " for character in text).rstrip(". ")
    return shortened(line, LONGEST_PROBLEM)
