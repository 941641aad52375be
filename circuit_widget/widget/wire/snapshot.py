"""The graph as the frontend gets it: one run of bytes with the nodes and edges that matter.

    uint32      H, length of the header
    H bytes     header, UTF-8 JSON; `arrays` gives each array's dtype, number of items, and offset in the array section
    0..7 bytes  zeros, so that the array section starts at a multiple of 8 bytes
    ...         arrays, each at a multiple of 8 bytes of the section

All numbers are little-endian. Nodes keep the graph's order: features, errors, tokens, logits.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import asdict

import numpy as np
from jaxtyping import Int, Shaped

from circuit_widget.characters import shortened
from circuit_widget.errors import MessageError
from circuit_widget.figure.scene.visible import MOST_EDGES, MOST_NODES
from circuit_widget.graph import Graph
from circuit_widget.graph.arrays import exactly
from circuit_widget.widget.wire.snapshot_header import (
    VERSION,
    DType,
    SnapshotArray,
    SnapshotHeader,
    SnapshotModel,
    SnapshotScores,
    SnapshotTarget,
    SnapshotToken,
)

NODE_SHARE = 0.98
EDGE_SHARE = 0.995
LONGEST_LABEL = 200

_DTYPES: Mapping[str, DType] = {
    "kind": "uint8",
    "layer": "int16",
    "position": "int16",
    "feature": "int32",
    "activation": "float32",
    "influence": "float32",
    "share": "float32",
    "input_total": "float32",
    "edge_source": "uint32",
    "edge_target": "uint32",
    "edge_weight": "float32",
    "edge_share": "float32",
}


def shown_nodes(graph: Graph, also: Iterable[str] = ()) -> Int[np.ndarray, " shown"]:
    """Return the places, ascending, of the nodes that a snapshot holds.

    These are all tokens and logits, the features and errors that together hold 98% of the influence but at most the
    1,500 with most of it, and the nodes named in `also`.
    """
    ranked = graph.n_features + graph.n_errors
    share, influence = graph.share[:ranked], graph.influence[:ranked]
    order = np.argsort(-influence, kind="stable")[:MOST_NODES]
    shown = np.zeros(graph.n_nodes, dtype=bool)
    shown[order[share[order] <= NODE_SHARE]] = True
    shown[order[:1]] = True
    shown[ranked:] = True
    shown[list(graph.resolve(also))] = True
    return np.flatnonzero(shown)


def pack(graph: Graph, also: Iterable[str] = ()) -> bytes:
    """Return the snapshot of a graph; `also` names nodes that must be in it, such as those of the circuit.

    Of the edges between its nodes it holds the strongest: those that carry 99.5% of the edge score, at most 30,000.
    Raises MessageError for layers and positions above 32,767.
    """
    shown = shown_nodes(graph, also)
    arrays = {**_node_columns(graph, shown), **_edge_columns(graph, shown)}
    blocks: list[bytes] = []
    places: dict[str, SnapshotArray] = {}
    offset = 0
    for name, dtype in _DTYPES.items():
        block = _block(name, arrays[name], dtype)
        places[name] = SnapshotArray(dtype, len(arrays[name]), offset)
        padding = -len(block) % 8
        blocks.append(block + bytes(padding))
        offset += len(block) + padding
    header = json.dumps(asdict(_header(graph, shown, places)), separators=(",", ":"), allow_nan=False).encode()
    return struct.pack("<I", len(header)) + header + bytes(-(4 + len(header)) % 8) + b"".join(blocks)


def _block(name: str, values: Shaped[np.ndarray, " items"], dtype: DType) -> bytes:
    try:
        return exactly(name, values, np.dtype(dtype).newbyteorder("<")).tobytes()
    except ValueError as error:
        raise MessageError(
            f"The page cannot show this graph: {error}. Show the graph of a shorter prompt or of a smaller model."
        ) from error


def _header(graph: Graph, shown: Int[np.ndarray, " shown"], arrays: dict[str, SnapshotArray]) -> SnapshotHeader:
    ids = tuple(graph.node_ids[node] for node in shown)
    first_logit = len(shown) - len(graph.targets)
    said = {name: str(graph.recipe.get(name) or "") for name in ("prompt", "model", "transcoders", "device", "dtype")}
    return SnapshotHeader(
        version=VERSION,
        n_layers=graph.n_layers,
        position=graph.position,
        prompt=said["prompt"],
        tokens=tuple(SnapshotToken(token.text, token.token_id) for token in graph.tokens),
        targets=tuple(
            SnapshotTarget(first_logit + place, target.token, target.token_id, target.probability, target.logit)
            for place, target in enumerate(graph.targets)
        ),
        model=SnapshotModel(said["model"], said["transcoders"], said["device"], said["dtype"]),
        scores=SnapshotScores(graph.recorded_scores.replacement, graph.recorded_scores.completeness),
        total_nodes=graph.n_nodes,
        ids=ids,
        labels={
            str(i): shortened(graph.labels[node], LONGEST_LABEL) for i, node in enumerate(ids) if node in graph.labels
        },
        arrays=arrays,
    )


def _node_columns(graph: Graph, shown: Int[np.ndarray, " shown"]) -> Mapping[str, Shaped[np.ndarray, " shown"]]:
    counts = (graph.n_features, graph.n_errors, len(graph.token_position), len(graph.targets))
    others = graph.n_nodes - graph.n_features
    columns = {
        "kind": np.repeat(np.arange(4), counts),
        "layer": graph.node_layer,
        "position": graph.node_position,
        "feature": np.concatenate([graph.feature_index, np.full(others, -1)]),
        "activation": np.concatenate([graph.activation, np.zeros(others)]),
        "influence": graph.influence,
        "share": graph.share,
        "input_total": graph.input_total,
    }
    return {name: column[shown] for name, column in columns.items()}


def _edge_columns(graph: Graph, shown: Int[np.ndarray, " shown"]) -> Mapping[str, Shaped[np.ndarray, " edges"]]:
    edges = graph.strongest_edges(MOST_EDGES, among=shown)
    source, target = np.searchsorted(shown, edges.source), np.searchsorted(shown, edges.target)
    kept = np.flatnonzero(edges.share <= EDGE_SHARE)
    order = kept[np.lexsort((source[kept], target[kept]))]
    return {
        "edge_source": source[order],
        "edge_target": target[order],
        "edge_weight": edges.weight[order],
        "edge_share": edges.share[order],
    }
