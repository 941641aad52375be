"""A circuit taken over from one graph to another of the same model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.circuit.filters import Filters
from circuit_widget.model.tokens.counterparts import counterparts
from circuit_widget.nodes import NodeKind, error_id, feature_id, logit_id, token_id

if TYPE_CHECKING:
    from circuit_widget.graph import Graph


@dataclass(frozen=True)
class CarryOver:
    """A circuit on another graph: what fits there, how many nodes it had before, and the ids there of those left out."""

    circuit: Circuit
    total: int
    left_out: tuple[str, ...]

    def __str__(self) -> str:
        """Return a sentence about what was left out; an empty text where nothing was."""
        if not self.left_out:
            return ""
        verb = "is" if len(self.left_out) == 1 else "are"
        return f"{len(self.left_out)} of {self.total} nodes of the circuit {verb} not in this graph"


def carry_over(circuit: Circuit, old_graph: Graph, new_graph: Graph) -> CarryOver:
    """Return a circuit of one graph as far as it fits another of the same model.

    A feature or an error is the one of the same layer and number at the counterpart of its position (see `counterparts`), a
    token the one there, and an output that of the same token. Supernodes keep their identifiers, names, colours and
    positions; those left empty vanish. A label goes to the counterpart of its node, or to its feature wherever that is in
    the new graph. Filters stay as they are; those of positions and hidden nodes go to the counterparts of these. Raises NodeError or
    CircuitError for a circuit that does not fit the old graph.
    """
    circuit.check(old_graph)
    grouped = [node for one in circuit.supernodes for node in one.nodes]
    named = tuple(dict.fromkeys([*grouped, *circuit.pinned, *circuit.labels]))
    there = _counterparts(named, old_graph, new_graph)
    supernodes = tuple(replace(one, nodes=nodes) for one in circuit.supernodes if (nodes := _found(one.nodes, there)))
    pinned = _found(circuit.pinned, there)
    elsewhere = _elsewhere([node for node in circuit.labels if node not in there], old_graph, new_graph)
    boxes = {one.id for one in supernodes} | set(pinned)
    positions = {there.get(box, box): place for box, place in circuit.positions.items()}
    fitting = replace(
        circuit,
        supernodes=supernodes,
        pinned=pinned,
        labels={
            **{other: circuit.labels[node] for node, others in elsewhere.items() for other in others},
            **{there[node]: text for node, text in circuit.labels.items() if node in there},
        },
        positions={box: place for box, place in positions.items() if box in boxes},
        filters=_filters_there(circuit.filters, old_graph, new_graph),
    )
    kept = there.keys() | (elsewhere.keys() - {*grouped, *circuit.pinned})
    return CarryOver(fitting, len(named), tuple(node for node in named if node not in kept))


def _filters_there(filters: Filters, old_graph: Graph, new_graph: Graph) -> Filters:
    """Return filters with the counterparts of their positions and of hidden nodes.

    They are without positions where an end has no counterpart, and without the hidden nodes that have none.
    """
    there = _counterparts(filters.hidden, old_graph, new_graph) if filters.hidden else {}
    filters = replace(filters, hidden=_found(filters.hidden, there))
    if filters.positions is None:
        return filters
    pairs = _position_pairs(old_graph, new_graph)
    first, last = (pairs.get(position) for position in filters.positions)
    if first is None or last is None or first > last:
        return replace(filters, positions=None)
    return replace(filters, positions=(first, last))


def _found(nodes: Iterable[str], there: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(there[node] for node in nodes if node in there)


def _position_pairs(old_graph: Graph, new_graph: Graph) -> Mapping[int, int]:
    """Return the positions of one graph that have a counterpart in another, each with it."""
    return counterparts(*([token.token_id for token in graph.tokens] for graph in (old_graph, new_graph)))


def _counterparts(nodes: Iterable[str], old_graph: Graph, new_graph: Graph) -> dict[str, str]:
    """Return the ids that nodes of one graph have in another, of those that it has."""
    pairs = _position_pairs(old_graph, new_graph)
    known = frozenset(new_graph.node_ids)
    ids = {node: _counterpart(old_graph, old_graph.index(node), new_graph, pairs) for node in nodes}
    return {node: other for node, other in ids.items() if other in known}


def _counterpart(old_graph: Graph, index: int, new_graph: Graph, pairs: Mapping[int, int]) -> str | None:
    """Return the id that a node would have in another graph; None where nothing there corresponds to it."""
    if old_graph.node_kinds[index] is NodeKind.LOGIT:
        target = old_graph.targets[index - old_graph.n_nodes]
        # Contrasts and directions have numbers above the vocabulary, which do not identify them: their names do.
        same = any((one.token_id, one.token) == (target.token_id, target.token) for one in new_graph.targets)
        return logit_id(new_graph.n_layers, target.token_id, new_graph.position) if same else None
    layer, position = int(old_graph.node_layer[index]), pairs.get(int(old_graph.node_position[index]))
    if position is None:
        return None
    match old_graph.node_kinds[index]:
        case NodeKind.FEATURE:
            return feature_id(layer, int(old_graph.feature_index[index]), position)
        case NodeKind.ERROR:
            return error_id(layer, position)
        case _:
            return token_id(new_graph.tokens[position].token_id, position)


def _elsewhere(nodes: Iterable[str], old_graph: Graph, new_graph: Graph) -> dict[str, tuple[str, ...]]:
    """Return all nodes that the feature of each node has in another graph, for those whose feature is in it."""
    found: dict[str, tuple[str, ...]] = {}
    for node in nodes:
        index = old_graph.index(node)
        if index >= old_graph.n_features:
            continue
        layer, feature = old_graph.feature_layer[index], old_graph.feature_index[index]
        same = np.flatnonzero((new_graph.feature_layer == layer) & (new_graph.feature_index == feature))
        if len(same):
            found[node] = tuple(new_graph.node_ids[other] for other in same)
    return found
