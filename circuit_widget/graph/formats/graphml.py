"""A graph as GraphML, for Gephi, Cytoscape, igraph and networkx, and read back from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from circuit_widget.arguments import quoted
from circuit_widget.errors import GraphFileError
from circuit_widget.graph.formats.node_edge_tables import DESCRIPTION, description_text, graph_of_tables
from circuit_widget.graph.tables import edge_frame, node_frame
from circuit_widget.system.paths import quoted_path

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph

TYPES = {
    "kind": "string",
    "layer": "int",
    "position": "int",
    "feature": "int",
    "token": "string",
    "token_id": "int",
    "activation": "double",
    "influence": "double",
    "share": "double",
    "label": "string",
}
READ: Mapping[str, Callable[[str], int | float | str]] = {"int": int, "double": float, "string": str}

NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML file may have; the description has them all the same, in ASCII."""

DEEPEST = 16


def graphml(graph: Graph) -> Iterator[str]:
    """Yield the lines of a GraphML file: nodes with the columns of `to_frames`, edges with `weight`."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    yield f'<key id="{DESCRIPTION}" for="graph" attr.name="{DESCRIPTION}" attr.type="string"/>\n'
    for name, kind in TYPES.items():
        yield f'<key id="{name}" for="node" attr.name="{name}" attr.type="{kind}"/>\n'
    yield '<key id="weight" for="edge" attr.name="weight" attr.type="double"/>\n<graph edgedefault="directed">\n'
    yield _data(DESCRIPTION, description_text(graph)) + "\n"
    frame = node_frame(graph).astype(object)
    for row in frame.where(frame.notna(), None).to_dict(orient="records"):
        data = "".join(_data(name, row[name]) for name in TYPES if row[name] is not None)
        yield f"<node id={quoteattr(row['id'])}>{data}</node>\n"
    edges = edge_frame(graph)
    for source, target, weight in zip(edges["source"], edges["target"], edges["weight"].tolist(), strict=True):
        yield f"<edge source={quoteattr(source)} target={quoteattr(target)}>{_data('weight', weight)}</edge>\n"
    yield "</graph>\n</graphml>\n"


def _data(key: str, value: object) -> str:
    text = NO_XML.sub("\N{REPLACEMENT CHARACTER}", str(value))
    return f'<data key="{key}">{escape(text, {chr(13): "&#13;", chr(10): "&#10;", chr(9): "&#9;"})}</data>'


def read_graphml(path: Path) -> Graph:
    """Return the graph in a GraphML file that `graph.export` wrote.

    Raises GraphFileError for one of another tool, which has no targets, probabilities or prompt, and for a damaged one.
    """
    content = _Content()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = content.start
    parser.EndElementHandler = content.end
    parser.CharacterDataHandler = content.text
    parser.StartDoctypeDeclHandler = content.refuse
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
        if not content.description:
            raise ValueError(
                "it was not written by circuit-widget, so its prompt, targets and probabilities are not in it as a graph "
                "here needs them"
            )
        return graph_of_tables(content.description, content.nodes, content.edges)
    except expat.ExpatError as problem:
        raise GraphFileError(f"{quoted_path(path)} is not whole XML: {problem}. It may have been cut off.") from problem
    except OSError as problem:
        raise GraphFileError(f"{quoted_path(path)} cannot be read: {problem.strerror or problem}.") from problem
    except (ValueError, TypeError, OverflowError, RecursionError) as problem:
        raise GraphFileError(f"{quoted_path(path)} cannot be read as a graph: {problem}.") from problem


def _value(key: str, text: str) -> int | float | str:
    kind = "double" if key == "weight" else TYPES.get(key, "string")
    try:
        return READ[kind](text)
    except ValueError as problem:
        raise ValueError(f"its {quoted(key)} has {quoted(text)}, expected a number") from problem


@dataclass
class _Content:
    """What a parser found so far."""

    description: str = ""
    nodes: list[dict[str, Any]] = field(default_factory=list)
    edges: list[tuple[Any, Any, Any]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    key: str = ""
    now: list[str] = field(default_factory=list)
    row: dict[str, Any] = field(default_factory=dict)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if len(self.open) >= DEEPEST:
            raise ValueError(f"its elements are nested more than {DEEPEST} deep")
        self.open.append(name)
        self.now = []
        if name in ("node", "edge"):
            self.row = dict(attributes)
        elif name == "data":
            self.key = attributes.get("key", "")

    def text(self, text: str) -> None:
        """Take characters inside an element."""
        self.now.append(text)

    def end(self, name: str) -> None:
        """End an element."""
        self.open.pop()
        if name == "data" and self.open and self.open[-1] in ("node", "edge"):
            self.row[self.key] = _value(self.key, "".join(self.now))
        elif name == "data" and self.open[-1:] == ["graph"] and self.key == DESCRIPTION:
            self.description = "".join(self.now)
        elif name == "node":
            self.nodes.append(self.row)
        elif name == "edge":
            self.edges.append((self.row.get("source"), self.row.get("target"), self.row.get("weight")))

    def refuse(self, *_: object) -> None:
        """Refuse a document type, which may define entities that grow without end."""
        raise ValueError("it has a document type, which graphs need not have")
