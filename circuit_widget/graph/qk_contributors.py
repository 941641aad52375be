"""What contributes to the attention scores of attention's features, in graphs whose file says so: listed, not drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from circuit_widget.arguments import quoted
from circuit_widget.errors import GraphFileError
from circuit_widget.graph.formats.viewer_nodes import label_of
from circuit_widget.graph.formats.viewer_origin import Origin, origin_of

if TYPE_CHECKING:
    import pandas

    from circuit_widget.graph.graph import Graph
    from circuit_widget.nodes import Feature

QkSide: TypeAlias = Literal["pair", "query", "key"]

KEPT = "qk_tracing_results"
"""The key of a node in a file that has its contributors."""

LISTS: Mapping[str, QkSide] = {
    "pair_wise_contributors": "pair",
    "top_q_marginal_contributors": "query",
    "top_k_marginal_contributors": "key",
}

COLUMNS = ("node", "side", "query", "key", "query_label", "key_label", "attribution")


@dataclass(frozen=True)
class QkContributor:
    """What contributes to the score with which `node` attends: a query and a key, or one of them with all of the other.

    `query` and `key` are ids of the graph's nodes, or, of nodes that it does not have, ids of the file; empty for none.
    """

    node: str
    side: QkSide
    query: str
    key: str
    query_label: str
    key_label: str
    attribution: float


def qk_contributors(graph: Graph, node: str | Feature | None) -> list[QkContributor]:
    """Return the contributors of one node, or of all, as `Graph.qk_contributors` lists them."""
    wanted = graph.node_ids if node is None else [graph.node_ids[graph.index(node)]]
    origin = origin_of(graph)
    known = [one for one in wanted if one in origin.nodes and origin.nodes[one][0].get(KEPT) is not None]
    names = _Names(graph, origin) if known else None
    return [found for one in known if names is not None for found in _of_node(names, one, origin.nodes[one][0][KEPT])]


def nodes_with_contributors(graph: Graph) -> int:
    """Return how many nodes of a graph have contributors in its file."""
    nodes = origin_of(graph).nodes
    return sum(node in nodes and nodes[node][0].get(KEPT) is not None for node in graph.node_ids)


def qk_frame(graph: Graph, node: str | Feature | None = None) -> pandas.DataFrame:
    """What contributes to the attention scores of a node, or of all nodes: kept from a file, listed, not drawn.

    Columns: node, side ("pair" of a query and a key; one "query" or "key"), query, key (ids, those of the file for what
    is no node here), query_label, key_label, attribution (largest first). Empty where the file lists none. Raises
    NodeError for an unknown node, GraphFileError for a malformed list.
    """
    import pandas

    rows = [[getattr(one, name) for name in COLUMNS] for one in qk_contributors(graph, node)]
    return pandas.DataFrame(rows, columns=list(COLUMNS))


class _Names:
    """Ids and labels of nodes by their ids in the file."""

    def __init__(self, graph: Graph, origin: Origin) -> None:
        self._labels = graph.labels
        self._here = {str(_entry(origin, node).get("node_id", node)): node for node in graph.node_ids}
        others = origin.rest.get("qk_only_nodes")
        self._others = dict(others) if isinstance(others, Mapping) else {}
        # A graph that was pruned here still has what its file says of the nodes that are gone.
        self._others |= {str(one["node_id"]): one for one, _ in origin.nodes.values() if "node_id" in one}

    def of(self, id_in_file: str) -> tuple[str, str]:
        """Return the id here, or that of the file where the graph has no such node, and the label."""
        here = self._here.get(id_in_file)
        if here is not None:
            return here, self._labels.get(here, "")
        other = self._others.get(id_in_file)
        return id_in_file, label_of(other) if isinstance(other, Mapping) else ""


def _entry(origin: Origin, node: str) -> Mapping[str, Any]:
    own: Mapping[str, Any] = origin.nodes[node][0] if node in origin.nodes else {}
    return own


def _of_node(names: _Names, node: str, kept: object) -> Iterator[QkContributor]:
    place = f"{KEPT} of the node {node}"
    if not isinstance(kept, Mapping):
        raise GraphFileError(f"{place} is {quoted(kept)}, expected an object.")
    for name, side in LISTS.items():
        rows = kept.get(name, ())
        if not isinstance(rows, list | tuple):
            raise GraphFileError(f"{place}: {name} is {quoted(rows)}, expected a list.")
        found = [_row(names, node, f"{place}: {name}[{number}]", side, row) for number, row in enumerate(rows)]
        yield from sorted(found, key=lambda one: -abs(one.attribution))


def _row(names: _Names, node: str, place: str, side: QkSide, row: object) -> QkContributor:
    ids = 2 if side == "pair" else 1
    if not isinstance(row, list | tuple) or len(row) != ids + 1 or not _is_row(row):
        what = "the ids of two nodes" if side == "pair" else "the id of a node"
        raise GraphFileError(f"{place} is {quoted(row)}, expected {what} and a number.")
    query = names.of(row[0]) if side != "key" else ("", "")
    key = names.of(row[-2]) if side != "query" else ("", "")
    return QkContributor(node, side, query[0], key[0], query[1], key[1], float(row[-1]))


def _is_row(row: Sequence[object]) -> bool:
    *ids, number = row
    is_number = isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
    return is_number and all(isinstance(one, str) and one for one in ids)
