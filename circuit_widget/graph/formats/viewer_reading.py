"""Opens the graph JSON of other tools, as it is or compressed with gzip, with progress and cancellation."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from circuit_widget.errors import Cancelled, GraphFileError
from circuit_widget.graph.formats.json_stream import entries
from circuit_widget.graph.formats.viewer_json import LISTS, ViewerFile, graph_of
from circuit_widget.graph.graph import Graph
from circuit_widget.progress import IsCancelled, ReportProgress
from circuit_widget.system.file_kind import VIEWER_GRAPH, file_kind, foreign, json_kind
from circuit_widget.system.paths import quoted_path
from circuit_widget.system.warning import warn

GZIP = b"\x1f\x8b"


def read_viewer_json(path: Path, report: ReportProgress, cancelled: IsCancelled | None) -> Graph:
    """Return the graph in a JSON file, which is read entry by entry; see `graph_of`.

    Raises GraphFileError, naming the place, for whatever contradicts itself or cannot be read, Cancelled once `cancelled`.
    """
    file = _file_of(path, report, cancelled)
    if not {"nodes", "links"} <= file.keys:
        raise GraphFileError(foreign(path, json_kind({**file.rest, **dict.fromkeys(file.keys)}), "a graph"))
    try:
        graph = graph_of(file)
    except (ValueError, OverflowError, RecursionError) as problem:
        raise GraphFileError(f"{quoted_path(path)} cannot be read as a graph: {problem}.") from problem
    kept: Any = graph.recipe["file"]
    if without := kept["without_activation"]:
        warn(
            f"{quoted_path(path)} has no activations of {len(without):,} of its {graph.n_features:,} features; they are "
            "zero in this graph."
        )
    names: Any = graph.recipe.get("layer_names")
    if names:
        warn(
            f"{quoted_path(path)} has features of attention or biases, so the parts of a layer are layers of their own here: "
            f"layer {len(names) - 1} is “{names[-1]}”. graph.recipe['layer_names'] names them all."
        )
    return graph


def _file_of(path: Path, report: ReportProgress, cancelled: IsCancelled | None) -> ViewerFile:
    found = ViewerFile()
    try:
        with _characters(path, report, cancelled) as read:
            stream = entries(read, LISTS)
            while True:
                # What is wrong with a link differs from what is wrong with the JSON.
                try:
                    entry = next(stream)
                except StopIteration:
                    return found
                except (ValueError, RecursionError, EOFError) as problem:
                    raise GraphFileError(_not_whole(path, problem)) from problem
                found.add(entry)
    except ValueError as problem:
        raise GraphFileError(f"{quoted_path(path)} cannot be read as a graph: {problem}.") from problem
    except OSError as problem:
        raise GraphFileError(f"{quoted_path(path)} cannot be read: {problem.strerror or problem}.") from problem


@contextmanager
def _characters(path: Path, report: ReportProgress, cancelled: IsCancelled | None) -> Iterator[Callable[[int], str]]:
    """Yield a function that reads so many characters, and reports the share of the file that is read."""
    size = max(path.stat().st_size, 1)
    with path.open("rb") as raw:
        content: Any = gzip.GzipFile(fileobj=raw) if raw.read(2) == GZIP else raw
        raw.seek(0)
        text = io.TextIOWrapper(content, encoding="utf-8-sig")

        def read(count: int) -> str:
            if cancelled is not None and cancelled():
                raise Cancelled(f"Reading {quoted_path(path)} was cancelled.")
            report(min(raw.tell() / size, 1.0), f"Reading {path.name}")
            return text.read(count)

        yield read


def _not_whole(path: Path, problem: BaseException) -> str:
    kind = file_kind(path) if path.stat().st_size else None
    if kind is not None and kind.reader != VIEWER_GRAPH and "gzip" not in kind.name:
        return foreign(path, kind, "a graph")
    reason = " ".join(str(problem).split())[:120] or "it is nested too deep"
    return f"{quoted_path(path)} is not whole JSON: {reason}. It may have been cut off while it was copied."
