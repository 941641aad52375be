"""Opens graph files of any known kind, this package's and other tools'."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

from circuit_widget.errors import GraphFileError
from circuit_widget.graph.file import load_graph
from circuit_widget.graph.formats.viewer_reading import GZIP, read_viewer_json
from circuit_widget.graph.graph import Graph
from circuit_widget.progress import IsCancelled, ProgressChoice, reporting
from circuit_widget.system.paths import quoted_path, require_path

FIRST_BYTES = 64


def open(  # noqa: A001, users call it cw.open
    path: str | os.PathLike[str], *, progress: ProgressChoice = None, cancelled: IsCancelled | None = None
) -> Graph:
    """Open a graph file: one that `graph.save` wrote, or the graph JSON of circuit-tracer, Neuronpedia or Anthropic's viewer.

    JSON may be compressed with gzip. It is read entry by entry, so that a large file takes little more memory than its
    graph; `progress` reports, `cancelled` ends it. A graph from another tool's file has no model with it: it can be looked
    at, grouped and exported, and interventions need `graph.show(model)`. Its influence and scores are those of the edges in
    the file, which was pruned before it was written.

    Raises GraphFileError for a file that is missing, of another kind, cut off, or contradicts itself; it names the place.
    """
    file = require_path(path, GraphFileError)
    if not _begins_as_json(file):
        return load_graph(file)
    with reporting(progress) as report:
        return read_viewer_json(file, report, cancelled)


def _begins_as_json(file: Path) -> bool:
    try:
        if not file.is_file():
            return False
        with file.open("rb") as opened:
            start = opened.read(FIRST_BYTES)
        if start.startswith(GZIP):
            with gzip.open(file) as unpacked:
                start = unpacked.read(FIRST_BYTES)
    except (OSError, EOFError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise GraphFileError(f"{quoted_path(file)} cannot be read: {reason}.") from problem
    return start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
