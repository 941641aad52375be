"""Opens graph files of any known kind, this package's and other tools'."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path

from circuit_widget.arguments import check_callable
from circuit_widget.errors import GraphFileError
from circuit_widget.graph.exporting import tables_at
from circuit_widget.graph.file import load_graph
from circuit_widget.graph.formats.circuit_tracer_pt import read_circuit_tracer_graph
from circuit_widget.graph.formats.graphml import read_graphml
from circuit_widget.graph.formats.parquet import read_parquet
from circuit_widget.graph.formats.viewer_reading import GZIP, read_viewer_json
from circuit_widget.graph.graph import Graph
from circuit_widget.progress import IsCancelled, ProgressChoice, ReportProgress, reporting
from circuit_widget.system.file_kind import PARQUET, TORCH_GRAPH, file_kind, foreign
from circuit_widget.system.paths import quoted_path, require_path

FIRST_BYTES = 4096
AS_GZIP = 31
"""The number by which zlib knows gzip."""

SPACE = b"\xef\xbb\xbf \t\r\n"
"""A byte order mark and spaces, which may be before a text."""

KNOWN = (
    "what graph.save wrote, the JSON of circuit-tracer, Neuronpedia and Anthropic's viewer (also .json.gz), a circuit-tracer "
    "graph (.pt), and the .graphml and .parquet that graph.export wrote"
)

ENDINGS = (".safetensors", ".json", ".json.gz", ".pt", ".graphml", ".parquet")


def open(  # noqa: A001, users call it cw.open
    path: str | os.PathLike[str], *, progress: ProgressChoice = None, cancelled: IsCancelled | None = None
) -> Graph:
    """Open a graph file, whatever tool wrote it; what the file contains decides, not its name.

    These are opened: what `graph.save` wrote; the graph JSON of circuit-tracer, Neuronpedia or Anthropic's viewer, also
    compressed with gzip; the .pt of circuit-tracer, of which nothing is run; .graphml and .parquet that `graph.export`
    wrote. JSON is read entry by entry, so that a large file takes little more memory than its graph; `progress` reports,
    `cancelled` ends it. A graph from a file has no model with it: it can be looked at, grouped and exported, and
    interventions need `graph.show(model)`. Influence and scores of JSON are those of the edges in the file, which was
    pruned before it was written.

    Raises GraphFileError for a file that is missing, of another kind, cut off, or contradicts itself; it names the place.
    """
    file = require_path(path, GraphFileError)
    check_callable(cancelled, "cancelled is a function that returns True to end the reading,", GraphFileError)
    with reporting(progress) as report:
        return _opened(file, report, cancelled)


def _opened(file: Path, report: ReportProgress, cancelled: IsCancelled | None) -> Graph:
    start = _start(file)
    if start.lstrip(SPACE)[:1] in (b"{", b"["):
        return read_viewer_json(file, report, cancelled)
    if start.lstrip(SPACE).startswith(b"<") and b"<graphml" in start:
        return read_graphml(file)
    return _READERS.get(_kind(file, start), load_graph)(file)


def _start(file: Path) -> bytes:
    """Return the first bytes of a file, as they are unpacked; none of what is no file."""
    try:
        if not file.is_file():
            return b""
        with file.open("rb") as opened:
            start = opened.read(FIRST_BYTES)
        # A file that was cut off has first bytes, too.
        return zlib.decompressobj(AS_GZIP).decompress(start, FIRST_BYTES) if start.startswith(GZIP) else start
    except (OSError, zlib.error) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise GraphFileError(f"{quoted_path(file)} cannot be read: {reason}.") from problem


def _kind(file: Path, start: bytes) -> str:
    """Return the reader of a file that is no text. Raises GraphFileError, with what can be opened, for unknown kinds."""
    if start.startswith(b"PAR1"):
        return PARQUET
    if file.is_dir():
        raise GraphFileError(_folder(file))
    kind = file_kind(file) if start else None
    if kind is None and start and start[8:9] != b"{":
        raise GraphFileError(f"{foreign(file, None, 'a graph')} These are opened: {KNOWN}.")
    return "" if kind is None else kind.reader


def _folder(folder: Path) -> str:
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(ENDINGS))
    except OSError as problem:
        return f"{quoted_path(folder)} cannot be read: {problem.strerror or problem}."
    files = ", ".join(quoted_path(name) for name in names[:5])
    found = f"Files in it that may be graphs: {files}{' …' if len(names) > 5 else ''}." if names else "It has no graph."
    return f"{quoted_path(folder)} is a folder. Give the file in it. {found}"


def _parquet(file: Path) -> Graph:
    return read_parquet(file, *tables_at(file))


_READERS: dict[str, Callable[[Path], Graph]] = {TORCH_GRAPH: read_circuit_tracer_graph, PARQUET: _parquet}
