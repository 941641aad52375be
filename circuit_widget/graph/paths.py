"""The strongest paths between nodes of a graph, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from circuit_widget.arguments import quoted, whole_number
from circuit_widget.attribution.paths import PathWeights, StrongestPaths, paths_between, paths_into, paths_out
from circuit_widget.errors import NodeError
from circuit_widget.nodes import Feature

if TYPE_CHECKING:
    import pandas

    from circuit_widget.graph.graph import Graph

MOST_PATHS = 1_000


def paths(
    graph: Graph,
    source: str | Feature | Iterable[str | Feature] | None = None,
    target: str | Feature | Iterable[str | Feature] | None = None,
    k: int = 5,
) -> pandas.DataFrame:
    """The `k` strongest paths from `source` to `target`, each a node or several, exact over all edges of the graph.

    The strength of a path is `prod Â[t, s]` over its edges s to t: `Â` are the absolute weights with each row scaled to sum
    1, as in `influence`. Nodes between the two are features that are in neither. Without a source, paths into `target`
    of two edges, or of one from a token, an error or a feature without input. Without a target, paths out of `source` of two
    edges, or of one to a logit; the strength then has the factor `I_t + w_t` of the last node (see `strongest_edges`).

    Columns: nodes (ids from source to target), share (of the summed strength of all such paths, with the sign of the
    product of the weights), strength (with this sign, too). Strongest first, at most 1,000; empty where no path leads there.
    Raises NodeError for unknown nodes, for nodes in both, for neither source nor target, and for another `k`.
    """
    import pandas

    found = strongest_paths(graph, source, target, k)
    strength = np.array([path.strength for path in found.paths], dtype=np.float64)
    nodes = [tuple(graph.node_ids[node] for node in path.nodes) for path in found.paths]
    return pandas.DataFrame({"nodes": nodes, "share": strength / (found.total or 1.0), "strength": strength})


def edge_shares(graph: Graph, nodes: Sequence[int]) -> list[float]:
    """Return the signed share of the input of each node on a path, but the first, that the node before it supplies."""
    rows = np.searchsorted(graph.row_nodes, nodes[1:])
    shares = graph.weights[rows, list(nodes[:-1])] / graph.input_total[list(nodes[1:])]
    return [float(share) for share in shares]


def strongest_paths(
    graph: Graph,
    source: str | Feature | Iterable[str | Feature] | None,
    target: str | Feature | Iterable[str | Feature] | None,
    k: int,
) -> StrongestPaths:
    """Return what `paths` makes a table of, nodes by index in node order. Raises NodeError as it does."""
    count = whole_number(k, "k, the number of paths,", NodeError, least=1, most=MOST_PATHS)
    sources = None if source is None else graph.resolve(source)
    targets = None if target is None else graph.resolve(target)
    given = PathWeights(graph.weights, graph.feature_layer, graph.input_total[graph.row_nodes])
    if sources is not None and targets is not None:
        both = [graph.node_ids[node] for node in sources if node in targets]
        if both:
            raise NodeError(f"Paths lead from nodes to other nodes; source and target both have {quoted(both[0])}.")
        return paths_between(given, sources, targets, count)
    if targets is not None:
        return paths_into(given, targets, count)
    if sources is not None:
        return paths_out(given, graph.target_weight, sources, count)
    raise NodeError("Paths need a source, a target, or both: graph.paths(target=graph.node_ids[-1]).")
