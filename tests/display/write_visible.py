"""What the display rule lets through of the small graph, computed node by node and edge by edge.

`python -m tests.display.write_visible` writes the table that checks screen and figure.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from circuit_widget.circuit.circuit import Circuit
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
    "features alone": {"filters": {"kinds": ["feature"]}},
    "no errors, no first token": {"node_threshold": 0.95, "filters": {"kinds": ["feature", "token"]}},
    "one layer": {"node_threshold": 0.95, "filters": {"layers": [1, 1]}},
    "no layer at all": {"filters": {"layers": [7, 9]}},
    "some positions": {"node_threshold": 0.95, "filters": {"positions": [2, 4]}},
    "exciting edges": {"edge_threshold": 0.9, "filters": {"sign": "excites"}},
    "inhibiting edges": {"edge_threshold": 0.9, "filters": {"sign": "inhibits"}},
    "a label of the graph": {"node_threshold": 0.95, "filters": {"label": "TEXAS"}},
    "two words of a label of the circuit": {
        "node_threshold": 0.95,
        "labels": {"0_3_1": "the Big city", "1_8_4": "Big"},
        "filters": {"label": "city big"},
    },
    "what is stable": {"node_threshold": 0.95, "filters": {"stability": 0.5}},
    "errors as bands": {"node_threshold": 0.97, "filters": {"error_bands": True}},
    "errors as bands, one pinned": {"node_threshold": 0.97, "pinned": ["1_-1_3"], "filters": {"error_bands": True}},
    "a pinned node, a grouped one, and a filter": {
        "node_threshold": 0.95,
        "pinned": ["1_4_2", "E_1_1"],
        "supernodes": [{"id": "s1", "name": "Texas", "color": 0, "nodes": ["0_19_4"]}],
        "filters": {"kinds": [], "layers": [2, 2]},
    },
    "hidden by hand": {
        "node_threshold": 0.95,
        "pinned": ["2_0_5"],
        "filters": {"hidden": ["1_8_4", "2_0_5", "E_2_2", "4_40_5", "1_-1_3"]},
    },
    "several filters": {
        "node_threshold": 0.97,
        "filters": {"kinds": ["feature", "error"], "layers": [0, 1], "positions": [4, 5], "sign": "inhibits"},
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
    on_paths = {edge[:2] for edge in among if reaches(edge[1])}
    nodes = [node for node in nodes if node in always or passes(graph, circuit, node)]
    bands = [node for node in nodes if circuit.filters.error_bands and kind[node] == "error" and node not in always]
    nodes = [node for node in nodes if node not in bands]
    weight = {
        (graph.node_ids[s], graph.node_ids[t]): w
        for s, t, w in zip(every.source, every.target, every.weight, strict=True)
    }
    wanted = {"excites": 1, "inhibits": -1, None: 0}[circuit.filters.sign]
    among = [edge for edge in among if edge[0] in nodes and edge[1] in nodes and wanted * weight[edge[:2]] >= 0]
    onward = {node: [edge for edge in among if edge[0] == node and edge[:2] in on_paths] for node in nodes}
    backbone = {min(edges, key=lambda edge: edge[2]) for edges in onward.values() if edges}
    edges = [list(edge[:2]) for edge in among if edge[2] <= np.float32(edge_threshold) or edge in backbone]
    first = graph.node_ids[graph.n_features + graph.n_errors]
    if first in nodes and first not in always and all(source != first for source, _ in edges):
        nodes.remove(first)
    layers = sorted({int(node.split("_")[0]) for node in bands})
    return {
        "nodes": nodes,
        "edges": sorted(edges),
        "error_bands": [[layer, sum(node.startswith(f"{layer}_") for node in bands)] for layer in layers],
    }


def passes(graph: Graph, circuit: Circuit, node: str) -> bool:
    """Whether no filter hides a node that is not in the circuit."""
    filters = circuit.filters
    index = graph.index(node)
    kind = str(graph.node_kinds[index])
    if kind == "logit":
        return True
    if node in filters.hidden:
        return False
    position = int(node.split("_")[2])
    if filters.kinds is not None and kind not in filters.kinds:
        return False
    if filters.positions is not None and not filters.positions[0] <= position <= filters.positions[1]:
        return False
    if kind == "token":
        return True
    layer = int(node.split("_")[0])
    if filters.layers is not None and not filters.layers[0] <= layer <= filters.layers[1]:
        return False
    label = circuit.labels.get(node) or graph.labels.get(node, "")
    if any(word not in label.lower() for word in (filters.label or "").lower().split()):
        return False
    return graph.stability().by_node[node] >= (filters.stability or 0)


def whole(keys: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a circuit that is empty but for some keys."""
    return {**Circuit().to_json(), **keys, "version": 2 if "filters" in keys else 1}


def table() -> list[dict[str, Any]]:
    """Every case with what is visible in it."""
    graph = small_graph()
    return [
        {"case": case, "circuit": keys, **visible(graph, Circuit.from_json(whole(keys)))}
        for case, keys in CASES.items()
    ]


if __name__ == "__main__":
    FIXTURE.write_text("[\n" + ",\n".join(json.dumps(case) for case in table()) + "\n]\n")
