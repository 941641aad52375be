"""The graph as the page gets it: the nodes and edges that matter, as a message whose columns travel as binary buffers.

Nodes keep the graph's order: features, errors, tokens, logits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Int, Shaped

from circuit_widget.characters import shortened
from circuit_widget.display.filtering import kept_edges, known_stability, node_stability
from circuit_widget.display.visible_graph import MOST_EDGES, MOST_NODES, first_thresholds
from circuit_widget.errors import MessageError
from circuit_widget.graph import Graph
from circuit_widget.graph.arrays import exactly
from circuit_widget.graph.pruning_stability import GraphStability
from circuit_widget.graph.recipe_checks import LOG_PROBABILITIES
from circuit_widget.tracing.tracing_again import limit_of
from circuit_widget.widget.wire.schema import LONGEST_TEXT
from circuit_widget.widget.wire.snapshot_messages import (
    VERSION,
    DType,
    SnapshotColumn,
    SnapshotMessage,
    SnapshotModel,
    SnapshotScores,
    SnapshotTarget,
    SnapshotThresholds,
    SnapshotToken,
)
from circuit_widget.wording.names import names_in_recipe

NODE_SHARE = 0.98
EDGE_SHARE = 0.995

_DTYPES: Mapping[str, DType] = {
    "kind": "uint8",
    "layer": "int16",
    "position": "int16",
    "feature": "int32",
    "activation": "float32",
    "influence": "float32",
    "share": "float32",
    "input_total": "float32",
    "stability": "float32",
    "inputs": "uint32",
    "edge_source": "uint16",
    "edge_weight": "float32",
    "edge_share": "float32",
    "edge_kept": "uint8",
}


def snapshot_nodes(graph: Graph, also: Iterable[str] = ()) -> Int[np.ndarray, " sent"]:
    """Return the indices, ascending, of the nodes in a snapshot.

    These are all tokens and logits, the features and errors that together have 98% of the influence but at most the
    1,500 with most of it, and the nodes named in `also`.
    """
    ranked = graph.n_features + graph.n_errors
    share, influence = graph.share[:ranked], graph.influence[:ranked]
    order = np.argsort(-influence, kind="stable")[:MOST_NODES]
    sent = np.zeros(graph.n_nodes, dtype=bool)
    sent[order[share[order] <= NODE_SHARE]] = True
    sent[order[:1]] = True
    sent[ranked:] = True
    sent[list(graph.resolve(also))] = True
    return np.flatnonzero(sent)


def snapshot_of(graph: Graph, also: Iterable[str] = ()) -> SnapshotMessage:
    """Return the snapshot of a graph; `also` names nodes that must be in it, such as those of the circuit.

    Of the edges between its nodes it has the strongest: those with 99.5% of the edge score, at most 30,000. Raises
    MessageError for layers and positions above 32,767, for nodes above 65,535, and for numbers that are not finite as
    float32.
    """
    sent = snapshot_nodes(graph, also)
    stability = known_stability(graph)
    edges = _edge_columns(graph, sent, stability)
    # How many edges lead to each node takes far fewer bytes than the target of each edge.
    inputs = np.bincount(edges["edge_target"], minlength=len(sent))
    arrays = {**_node_columns(graph, sent, stability), **edges, "inputs": inputs}
    ids = tuple(graph.node_ids[node] for node in sent)
    thresholds = first_thresholds(graph)
    first_logit = len(sent) - len(graph.targets)
    recipe = {name: str(graph.recipe.get(name) or "") for name in ("prompt", "model", "transcoders", "device", "dtype")}
    return SnapshotMessage(
        version=VERSION,
        basis=graph.basis,
        n_layers=graph.n_layers,
        layer_names=tuple(shortened(name, LONGEST_TEXT) for name in names_in_recipe(graph)),
        position=graph.position,
        prompt=recipe["prompt"],
        tokens=tuple(SnapshotToken(token.text, token.token_id) for token in graph.tokens),
        targets=tuple(
            SnapshotTarget(
                first_logit + index,
                target.token,
                target.token_id,
                target.probability,
                None if graph.recipe.get("logits") == LOG_PROBABILITIES else target.logit,
            )
            for index, target in enumerate(graph.targets)
        ),
        model=SnapshotModel(recipe["model"], recipe["transcoders"], recipe["device"], recipe["dtype"]),
        scores=SnapshotScores(graph.recorded_scores.replacement, graph.recorded_scores.completeness),
        thresholds=SnapshotThresholds(thresholds.node, thresholds.edge),
        error_influence=_error_influence(graph),
        prunings=0 if stability is None else stability.prunings,
        total_nodes=graph.n_nodes,
        total_edges=int(np.count_nonzero(graph.weights)),
        ids=ids,
        labels={
            str(i): shortened(graph.labels[node], LONGEST_TEXT) for i, node in enumerate(ids) if node in graph.labels
        },
        max_features=limit_of(graph),
        columns={name: _column(name, arrays[name], dtype) for name, dtype in _DTYPES.items() if name in arrays},
    )


def _error_influence(graph: Graph) -> float:
    total = float(graph.influence[: graph.weights.shape[1]].sum())
    errors = float(graph.influence[graph.n_features : graph.n_features + graph.n_errors].sum())
    return errors / total if total > 0 else 0.0


def _column(name: str, values: Shaped[np.ndarray, " items"], dtype: DType) -> SnapshotColumn:
    try:
        column = exactly(name, values, np.dtype(dtype).newbyteorder("<"))
        if not np.isfinite(column).all():
            raise ValueError(f"{name} has numbers that are not finite")
    except ValueError as error:
        raise MessageError(
            f"The page cannot show this graph: {error}. Show the graph of a shorter prompt or of a smaller model."
        ) from error
    return SnapshotColumn(dtype, column.tobytes())


def _node_columns(
    graph: Graph, sent: Int[np.ndarray, " sent"], stability: GraphStability | None
) -> Mapping[str, Shaped[np.ndarray, " sent"]]:
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
        "stability": node_stability(graph, stability),
    }
    return {name: column[sent] for name, column in columns.items()}


def _edge_columns(
    graph: Graph, sent: Int[np.ndarray, " sent"], stability: GraphStability | None
) -> Mapping[str, Shaped[np.ndarray, " edges"]]:
    """Return the ends and numbers of the edges, in the order of their targets; `edge_kept` only where that is known."""
    edges = graph.strongest_edges(MOST_EDGES, among=sent)
    source, target = np.searchsorted(sent, edges.source), np.searchsorted(sent, edges.target)
    kept = np.flatnonzero(edges.share <= EDGE_SHARE)
    order = kept[np.lexsort((source[kept], target[kept]))]
    return {
        "edge_source": source[order],
        "edge_target": target[order],
        "edge_weight": edges.weight[order],
        "edge_share": edges.share[order],
        **({} if stability is None else {"edge_kept": kept_edges(stability, edges.source[order], edges.target[order])}),
    }
