"""Named groups of features, from a circuit, from a mapping, or the most influential features of a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from circuit_widget.arguments import quoted, whole_number
from circuit_widget.characters import half_character
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.circuit.circuit_argument import to_circuit_hint
from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.nodes import Feature, several_nodes

Groups: TypeAlias = Circuit | Mapping[str, Iterable[str | Feature]] | Iterable[str | Feature] | None
"""A circuit (its supernodes and pinned features), features by the name of their group, a list of features, each a group
by itself, or None for the most influential features."""


def summed(values: Float[np.ndarray, " n"], before: Float[np.ndarray, " n"]) -> float:
    """Return `sum_i values_i sign(before_i)`: activations of a group, each in the direction that its feature had before.

    Activations of transcoder features are never negative, so this is their sum; those of neurons have either sign. Values of
    features that were zero before count as they are.
    """
    return float((values * np.where(before < 0, -1, 1)).sum())


def groups_of(graph: Graph, groups: Groups, n: int) -> dict[str, tuple[int, ...]]:
    """Return for each group, by name, the node indices of its features; without groups, the `n` most influential ones.

    Errors, tokens and logits of a circuit are left out. A feature by itself is named by its label and id.

    Raises:
        InterventionError: no feature in any group, a node that is not a feature in a group that is not a circuit's, or
            `n` is not a whole number from 1 up.
        NodeError: a node that is not in the graph.
    """
    found = {name: indices for name, indices in _found(graph, groups, n).items() if indices}
    if not found:
        raise InterventionError(
            "There is no group of features; pin or group features, or give none for the most influential."
        )
    return found


def _found(graph: Graph, groups: Groups, n: int) -> dict[str, tuple[int, ...]]:
    require_graph(graph, InterventionError)
    n = whole_number(n, "n, the number of features,", InterventionError, least=1)
    if groups is None:
        return _singles(graph, np.argsort(-graph.influence[: graph.n_features], kind="stable")[:n].tolist())
    if isinstance(groups, Circuit):
        found: dict[str, tuple[int, ...]] = {}
        for box in groups.check(graph).boxes():
            features = tuple(index for index in graph.resolve(box.nodes) if index < graph.n_features)
            found.update({box.name: features} if box.name is not None else _singles(graph, features))
        return found
    if isinstance(groups, Mapping):
        for name in groups:
            if not isinstance(name, str):
                raise InterventionError(f"The name of a group is a text; given {quoted(name)}.")
            if (half := half_character(name)) is not None:
                raise InterventionError(
                    f"The name of the group {quoted(name)} has half of a character, {half}; give whole characters."
                )
        return {name: _features(graph, nodes) for name, nodes in groups.items()}
    if hint := to_circuit_hint(groups):
        raise InterventionError(
            f"Groups are a circuit, nodes by name, or a list of nodes; given {quoted(groups)}.{hint}"
        )
    return _singles(graph, _features(graph, groups))


def _singles(graph: Graph, indices: Iterable[int]) -> dict[str, tuple[int, ...]]:
    ids = graph.node_ids
    labels = {index: graph.labels.get(ids[index], "") for index in indices}
    return {f"{label} ({ids[index]})" if label else ids[index]: (index,) for index, label in labels.items()}


def _features(graph: Graph, nodes: Iterable[str | Feature]) -> tuple[int, ...]:
    indices = tuple(dict.fromkeys(graph.resolve(several_nodes(nodes, InterventionError))))
    for index in indices:
        if index >= graph.n_features:
            kind = graph.node_kinds[index].value
            raise InterventionError(f"Groups contain features; {graph.node_ids[index]!r} is of kind {kind}.")
    return indices
