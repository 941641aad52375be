"""Opens graph files of any known kind, this package's and other tools'."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from circuit_widget.errors import GraphFileError
from circuit_widget.graph.file import load_graph
from circuit_widget.graph.formats.viewer_json import read_viewer_json
from circuit_widget.graph.graph import Graph
from circuit_widget.system.file_kind import VIEWER_GRAPH, file_kind, foreign, json_kind, missing_file
from circuit_widget.system.memory import available_memory
from circuit_widget.system.paths import quoted_path, require_path

PARSED = 12
"""Bytes of memory that a byte of a JSON file takes while it is read, at most."""


def open(path: str | os.PathLike[str]) -> Graph:  # noqa: A001, users call it cw.open
    """Open a graph file: one that `graph.save` wrote, or the graph JSON of circuit-tracer, Neuronpedia or Anthropic's viewer.

    A graph from another tool's file has no model with it: it can be looked at, grouped and exported, and interventions need
    `graph.show(model)`. Its influence and scores are those of the edges in the file, which was pruned before it was written.

    Raises GraphFileError for a file that is missing, of another kind, cut off, or contradicts itself; it names the place.
    """
    file = require_path(path, GraphFileError)
    if not _begins_as_json(file):
        return load_graph(file)
    document = _document(file)
    kind = json_kind(document)
    if kind is not None and kind.reader == VIEWER_GRAPH:
        return read_viewer_json(file, document)
    raise GraphFileError(foreign(file, kind, "a graph"))


def _begins_as_json(file: Path) -> bool:
    try:
        if not file.is_file():
            return False
        with file.open("rb") as opened:
            return opened.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    except OSError as problem:
        raise GraphFileError(f"{quoted_path(file)} cannot be read: {problem.strerror or problem}.") from problem


def _document(file: Path) -> Any:
    try:
        size, free = file.stat().st_size, available_memory()
        if size * PARSED > free:
            raise GraphFileError(
                f"{quoted_path(file)} has {size / 2**20:,.0f} MB; reading it takes up to {size * PARSED / 2**30:.1f} GiB of "
                f"memory, and {free / 2**30:.1f} GiB are free. Prune it more where it was made."
            )
        return json.loads(file.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError as problem:
        raise GraphFileError(missing_file(file)) from problem
    except OSError as problem:
        raise GraphFileError(f"{quoted_path(file)} cannot be read: {problem.strerror or problem}.") from problem
    except (ValueError, RecursionError) as problem:
        kind = file_kind(file)
        if kind is not None and kind.reader != VIEWER_GRAPH:
            raise GraphFileError(foreign(file, kind, "a graph")) from problem
        raise GraphFileError(
            f"{quoted_path(file)} is not whole JSON: {str(problem)[:120]}. It may have been cut off while it was copied."
        ) from problem
