"""Writes a graph for other tools, in the format that the end of the file's name says."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from circuit_widget.errors import GraphFileError
from circuit_widget.graph.formats.graphml import graphml
from circuit_widget.graph.formats.parquet import write_parquet
from circuit_widget.graph.formats.spreadsheet import comma_separated
from circuit_widget.graph.formats.viewer_writing import export_graph
from circuit_widget.graph.tables import edge_frame, node_frame
from circuit_widget.system.atomic_write import write_bytes
from circuit_widget.system.paths import quoted_path, require_path

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph

ENDINGS = ".json, .graphml, .csv or .parquet"


def export(graph: Graph, path: str | os.PathLike[str], slug: str | None, scan: str | None) -> Path:
    """Write a graph for other tools; see `Graph.export`."""
    file = require_path(path, GraphFileError)
    ending = file.suffix.lower()
    if ending == ".json":
        return export_graph(graph, file, slug, scan)
    write = _WRITERS.get(ending)
    if write is None:
        raise GraphFileError(
            f"{quoted_path(file)} does not end in {ENDINGS}. graph.save(path) writes everything of a graph for this package."
        )
    if slug is not None or scan is not None:
        raise GraphFileError(f"A slug or scan is for the viewers of .json files; {quoted_path(file)} has none.")
    return write(graph, file)


def tables_at(file: Path) -> tuple[Path, Path]:
    """Return where the tables of nodes and edges of a graph are, given that path or either of the two."""
    stem = file.stem.removesuffix(".nodes").removesuffix(".edges")
    return file.with_name(f"{stem}.nodes{file.suffix}"), file.with_name(f"{stem}.edges{file.suffix}")


def _graphml(graph: Graph, file: Path) -> Path:
    return write_bytes(file, "".join(graphml(graph)).encode(), "graph", GraphFileError)


def _csv(graph: Graph, file: Path) -> Path:
    nodes, edges = tables_at(file)
    write_bytes(edges, comma_separated(edge_frame(graph)).encode(), "graph", GraphFileError)
    return write_bytes(nodes, comma_separated(node_frame(graph)).encode(), "graph", GraphFileError)


def _parquet(graph: Graph, file: Path) -> Path:
    nodes, edges = tables_at(file)
    write_parquet(graph, nodes, edges)
    return nodes


_WRITERS: Mapping[str, Callable[[Graph, Path], Path]] = {".graphml": _graphml, ".csv": _csv, ".parquet": _parquet}
