"""A graph as two Parquet tables, of its nodes and of its edges, and read back from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuit_widget.arguments import one_line
from circuit_widget.errors import GraphFileError
from circuit_widget.graph.formats.node_edge_tables import DESCRIPTION, description_text, graph_of_tables
from circuit_widget.graph.tables import edge_frame, node_frame
from circuit_widget.system.atomic_write import write_whole
from circuit_widget.system.paths import quoted_path

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph

MISSING = "Parquet needs pyarrow: pip install circuit-widget[examples]."


def write_parquet(graph: Graph, nodes: Path, edges: Path) -> None:
    """Write both tables; that of the nodes has the description in its metadata."""
    arrow, parquet = _pyarrow()
    table = arrow.Table.from_pandas(node_frame(graph), preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), DESCRIPTION: description_text(graph)})
    write_whole(nodes, lambda file: parquet.write_table(table, file), "graph", GraphFileError)
    other = arrow.Table.from_pandas(edge_frame(graph), preserve_index=False)
    write_whole(edges, lambda file: parquet.write_table(other, file), "graph", GraphFileError)


def read_parquet(path: Path, nodes: Path, edges: Path) -> Graph:
    """Return the graph in two tables that `graph.export` wrote. Raises GraphFileError for other and damaged ones."""
    arrow, parquet = _pyarrow()
    try:
        table, other = parquet.read_table(nodes), parquet.read_table(edges)
        text = (table.schema.metadata or {}).get(DESCRIPTION.encode())
        if text is None:
            raise ValueError("it is another table than graph.export writes")
        columns = [other[name].to_pylist() for name in ("source", "target", "weight")]
        return graph_of_tables(text.decode(), table.to_pylist(), zip(*columns, strict=True))
    except FileNotFoundError as problem:
        missing = edges if nodes.is_file() else nodes
        raise GraphFileError(
            f"{quoted_path(path)} is a Parquet table. A graph is two that graph.export wrote, and there is no {missing.name}."
        ) from problem
    except (arrow.ArrowException, ValueError, TypeError, KeyError, OSError, OverflowError, RecursionError) as problem:
        reason = one_line(" ".join(str(problem).split()), 160)
        raise GraphFileError(f"{quoted_path(path)} cannot be read as a graph: {reason}.") from problem


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as problem:
        raise GraphFileError(MISSING) from problem
    return pyarrow, pyarrow.parquet
