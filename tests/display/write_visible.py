"""What the display rule lets through of the small graph, computed node by node and edge by edge.

`python -m tests.display.write_visible` writes the table that checks screen and figure.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from circuit_widget.circuit.document import Circuit
from circuit_widget.graph import Graph
from tests.widget.small_graph import small_graph

FIXTURE = Path(__file__).parents[1] / "fixtures/visible.json"

CASES: dict[str, dict[str, Any]] = {
    "thresholds of a new circuit": {},
    "thresholds of its own": {"node_threshold": 0.8, "edge_threshold": 0.98},
    "a node threshold alone": {"node_threshold": 0.5},
    "few nodes": {"node_threshold": 0.3},
    "no nodes but the strongest": {"node_threshold": 0},
    "all nodes of the snapshot": {"node_threshold": 0.97},
    "few edges": {"edge_threshold": 0.4},
    "no edges": {"edge_threshold": 0},
    "many edges": {"node_threshold": 0.95, "edge_threshold": 0.995},
    "a weak node pinned": {"node_threshold": 0.2, "pinned": ["1_23_5"]},
    "weak nodes grouped": {
        "node_threshold": 0.2,
        "supernodes": [{"id": "s1", "name": "Texas", "color": 0, "nodes": ["0_19_4", "2_31_5"]}],
    },
    "an unused first token pinned": {"edge_threshold": 0, "pinned": ["E_0_0"]},
}


def visible(graph: Graph, circuit: Circuit) -> dict[str, Any]:
    """Ids of visible nodes, and source and target of visible edges."""
    node_threshold, edge_threshold = (
        given if given is not None else first
        for given, first in ((circuit.node_threshold, 0.8), (circuit.edge_threshold, 0.98))
    )
    always = {*circuit.pinned, *(node for group in circuit.supernodes for node in group.nodes)}
    node_share = dict(zip(graph.node_ids, graph.share, strict=True))
    kind = dict(zip(graph.node_ids, map(str, graph.node_kinds), strict=True))
    strongest = min(node_share[node] for node in graph.node_ids if kind[node] != "logit")
    limit = max(np.float32(node_threshold), strongest)
    nodes = [
        node
        for node in graph.node_ids
        if kind[node] in ("token", "logit") or node_share[node] <= limit or node in always
    ]
    every = graph.strongest_edges()
    among = [
        (graph.node_ids[source], graph.node_ids[target], share)
        for source, target, share in zip(every.source, every.target, every.share, strict=True)
        if graph.node_ids[source] in nodes and graph.node_ids[target] in nodes
    ]

    def reaches(node: str) -> bool:
        return kind[node] == "logit" or any(reaches(target) for source, target, _ in among if source == node)

    nodes = [node for node in nodes if kind[node] == "token" or node in always or reaches(node)]
    among = [edge for edge in among if edge[0] in nodes and edge[1] in nodes]
    onward = {node: [edge for edge in among if edge[0] == node and reaches(edge[1])] for node in nodes}
    backbone = {min(edges, key=lambda edge: edge[2]) for edges in onward.values() if edges}
    edges = [list(edge[:2]) for edge in among if edge[2] <= np.float32(edge_threshold) or edge in backbone]
    first = graph.node_ids[graph.n_features + graph.n_errors]
    if first not in always and all(source != first for source, _ in edges):
        nodes.remove(first)
    return {"nodes": nodes, "edges": sorted(edges)}


def table() -> list[dict[str, Any]]:
    """Every case with what is visible in it."""
    graph = small_graph()
    return [
        {"case": case, "circuit": keys, **visible(graph, Circuit.from_json({**Circuit().to_json(), **keys}))}
        for case, keys in CASES.items()
    ]


if __name__ == "__main__":
    FIXTURE.write_text("[\n" + ",\n".join(json.dumps(case) for case in table()) + "\n]\n")
