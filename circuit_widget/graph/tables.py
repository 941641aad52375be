"""A graph as pandas frames and as a networkx graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from circuit_widget.arguments import quoted
from circuit_widget.errors import GraphFileError
from circuit_widget.graph.formats.node_edge_tables import DESCRIPTION, description_text, graph_of_tables

if TYPE_CHECKING:
    import networkx
    import pandas

    from circuit_widget.graph.graph import Graph


def node_frame(graph: Graph) -> pandas.DataFrame:
    """One row for each node, in node order."""
    import pandas

    n_errors, n_tokens, n_logits = graph.n_errors, len(graph.token_position), len(graph.targets)
    prompt = [graph.tokens[position] for position in graph.node_position[: graph.n_nodes - n_logits].tolist()]
    without = [None] * (n_errors + n_tokens + n_logits)
    return pandas.DataFrame(
        {
            "id": list(graph.node_ids),
            "kind": [str(kind) for kind in graph.node_kinds],
            "layer": graph.node_layer.astype(np.int64),
            "position": graph.node_position.astype(np.int64),
            "feature": pandas.array([*graph.feature_index.tolist(), *without], dtype="Int64"),
            "token": [*(token.text for token in prompt), *(target.token for target in graph.targets)],
            "token_id": [*(token.token_id for token in prompt), *(target.token_id for target in graph.targets)],
            "activation": np.concatenate([graph.activation, np.full(len(without), np.nan, dtype=np.float32)]),
            "influence": graph.influence.copy(),
            "share": graph.share.copy(),
            "label": [graph.labels.get(node, "") for node in graph.node_ids],
        }
    )


def edge_frame(graph: Graph) -> pandas.DataFrame:
    """One row for each nonzero weight, by target and then source in node order."""
    import pandas

    target, source = np.nonzero(graph.weights)
    ids = np.array(graph.node_ids, dtype=object)
    return pandas.DataFrame(
        {
            "source": ids[source],
            "target": ids[graph.row_nodes[target]],
            "weight": graph.weights[target, source],
        }
    )


def network(graph: Graph) -> networkx.DiGraph[str]:
    """A directed graph whose nodes have the columns of the node frame, and whose edges have `weight`."""
    import networkx

    net: networkx.DiGraph[str] = networkx.DiGraph()
    net.graph[DESCRIPTION] = description_text(graph)
    nodes = node_frame(graph).astype(object)
    rows = nodes.where(nodes.notna(), None).to_dict(orient="records")
    net.add_nodes_from((row.pop("id"), row) for row in rows)
    edges = edge_frame(graph)
    net.add_weighted_edges_from(zip(edges["source"], edges["target"], edges["weight"].tolist(), strict=True))
    return net


def graph_of_network(net: Any) -> Graph:
    """Return the graph that `network` made this of. Raises GraphFileError, with a sentence, for any other."""
    text = net.graph.get(DESCRIPTION) if isinstance(getattr(net, "graph", None), dict) else None
    if not isinstance(text, str):
        raise GraphFileError(
            f"A graph is made of what graph.to_networkx() returned, which has graph[{DESCRIPTION!r}]; given {quoted(net)}."
        )
    nodes = [{"id": node, **attributes} for node, attributes in net.nodes(data=True)]
    edges = [(source, target, attributes.get("weight")) for source, target, attributes in net.edges(data=True)]
    try:
        return graph_of_tables(text, nodes, edges)
    except (ValueError, TypeError, OverflowError, RecursionError) as problem:
        raise GraphFileError(f"The network cannot be read as a graph: {problem}.") from problem
