"""A graph small enough to check by eye, made of fractions so that it is the same on every machine.

`python -m tests.widget.small_graph` writes its snapshot to tests/fixtures, for the page's tests.
"""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

from circuit_widget.graph import Graph, PromptToken, Target
from circuit_widget.widget.wire.schema import plain
from circuit_widget.widget.wire.snapshot import snapshot_of

FIXTURES = Path(__file__).parents[1] / "fixtures"
WORDS = ("<bos>", "the", "capital", "of", "Texas", "is")
N_LAYERS = 3
# (layer, position, feature)
FEATURES = [
    (0, 1, 3), (0, 2, 7), (0, 2, 11), (0, 4, 2), (0, 4, 19), (0, 5, 5),
    (1, 2, 4), (1, 4, 8), (1, 4, 15), (1, 5, 1), (1, 5, 23),
    (2, 4, 6), (2, 5, 0), (2, 5, 9), (2, 5, 30), (2, 5, 31),
]  # fmt: skip


def small_graph(**changes: object) -> Graph:
    """Sixteen features, 18 errors, 6 tokens and 2 logits; edges run up the layers and never back in position."""
    n_positions = len(WORDS)
    features = np.array(FEATURES, dtype=np.int32)
    layer, position, index = features.T
    error_layer, error_position = np.divmod(np.arange(N_LAYERS * n_positions, dtype=np.int32), n_positions)
    token_position = np.arange(n_positions, dtype=np.int32)
    source_layer = np.concatenate([layer, error_layer, np.full(n_positions, -1)])
    source_position = np.concatenate([position, error_position, token_position])
    target_layer = np.concatenate([layer, [N_LAYERS, N_LAYERS]])
    target_position = np.concatenate([position, [5, 5]])
    row, column = np.indices((len(target_layer), len(source_layer)))
    weights = ((row * 37 + column * 17 + row * column) % 101 - 50) / 64
    weights[:, len(layer) : -n_positions] /= 8
    reaches = (source_layer < target_layer[:, None]) & (source_position <= target_position[:, None])
    weights = np.where(reaches, weights, 0).astype(np.float32)
    settings: dict[str, object] = {
        "tokens": [PromptToken(word, number) for number, word in enumerate(WORDS)],
        "targets": [Target("Austin", 40, 0.75, 9.5), Target("Dallas", 41, 0.125, 7.75)],
        "position": 5,
        "n_layers": N_LAYERS,
        "feature_layer": layer,
        "feature_position": position,
        "feature_index": index,
        "activation": (np.arange(len(layer), dtype=np.float32) % 7 + 1) / 4,
        "error_layer": error_layer,
        "error_position": error_position,
        "token_position": token_position,
        "weights": weights,
        "labels": {"1_8_4": "Texas <b>", "2_9_5": "say “Austin” 🤠"},
        "recipe": {
            "model": "small",
            "transcoders": "small/relu",
            "device": "cpu",
            "dtype": "float32",
            "prompt": "The capital of Texas is",
        },
    }
    return Graph.build(**{**settings, **changes})


def as_in_a_notebook(graph: Graph) -> dict[str, object]:
    """Return the snapshot of a graph as a saved notebook has it: each binary buffer as base64."""
    snapshot: dict[str, Any] = plain(snapshot_of(graph))
    for column in snapshot["columns"].values():
        column["data"] = base64.b64encode(column["data"]).decode("ascii")
    return snapshot


def expected(graph: Graph) -> dict[str, object]:
    """What a decoder must read from the snapshot of a graph, without reading it from one."""
    nodes, edges = graph.to_frames()
    nodes_influence = nodes[nodes.kind != "logit"].groupby("kind").influence.sum().to_dict()
    prunings = graph.stability()
    stability = prunings.by_node
    edge_kept = {(row["source"], row["target"]): int(row["kept"]) for _, row in prunings.edges.iterrows()}
    share = dict(zip(graph.node_ids, graph.share.tolist(), strict=True))
    rows = graph.node_ids[: graph.n_features] + graph.node_ids[-len(graph.targets) :]
    input_total = dict(zip(rows, np.abs(graph.weights.astype(np.float64)).sum(axis=1).tolist(), strict=True))
    always = nodes.kind.isin(["token", "logit"])
    nodes = nodes[always | nodes.id.map(share).le(0.98)]
    edges = edges.sort_values(["source", "target"]).reset_index(drop=True)
    found = graph.strongest_edges()
    edge_share = {
        (graph.node_ids[source], graph.node_ids[target]): float(part)
        for source, target, part in zip(found.source, found.target, found.share, strict=True)
    }
    edges["share"] = [edge_share.get((edge.source, edge.target), 1.0) for edge in edges.itertuples()]
    edges["kept"] = [edge_kept[row["source"], row["target"]] for _, row in edges.iterrows()]
    edges = edges[edges.source.isin(nodes.id) & edges.target.isin(nodes.id) & edges.share.le(0.995)]
    return {
        "nodes": [
            {
                "id": node.id,
                "kind": str(node.kind),
                "layer": int(node.layer),
                "position": int(node.position),
                "feature": int(node.feature) if node.kind == "feature" else -1,
                "activation": float(node.activation) if node.kind == "feature" else 0.0,
                "influence": float(node.influence),
                "share": share[str(node.id)],
                "input_total": input_total.get(node.id, 0.0),
                "stability": stability[str(node.id)],
            }
            for node in nodes.itertuples()
        ],
        "edges": edges[["source", "target", "weight", "share", "kept"]].to_dict("records"),
        "labels": {node: text for node, text in graph.labels.items() if node in set(nodes.id)},
        "prompt": graph.recipe["prompt"],
        "tokens": [{"text": token.text, "token_id": token.token_id} for token in graph.tokens],
        "scores": {"replacement": graph.scores().replacement, "completeness": graph.scores().completeness},
        "thresholds": {"node": 0.8, "edge": 0.98},
        "error_influence": float(nodes_influence["error"] / sum(nodes_influence.values())),
        "prunings": prunings.prunings,
        "total_nodes": graph.n_nodes,
        "total_edges": len(graph.to_frames()[1]),
    }


if __name__ == "__main__":
    FIXTURES.mkdir(exist_ok=True)
    for name, document in (
        ("snapshot", expected(small_graph())),
        ("snapshot-message", as_in_a_notebook(small_graph())),
    ):
        (FIXTURES / f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
