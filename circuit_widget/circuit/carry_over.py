"""A circuit taken over from one graph to another of the same model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.circuit.filters import Filters
from circuit_widget.model.tokens.counterparts import counterparts
from circuit_widget.nodes import NodeKind, error_id, feature_id, logit_id, token_id

if TYPE_CHECKING:
    from circuit_widget.graph import Graph


_PUNCTUATION = ".,;:!?“”\"'()+−-"

LEAST_WORD = 3
"""Letters from which on a word in the name of a supernode is compared with the tokens of a graph."""

LEAST_LEFT = 0.5
"""Share of its nodes that a supernode has to keep for its name to be taken for what they are."""


@dataclass(frozen=True)
class CarryOver:
    """A circuit on another graph: what fits there, how many nodes it had before, and the ids there of those left out.

    `answer` is the output that was pinned in place of those which the other graph does not have; None for none. `doubts` are the
    reasons why names may not fit any more, in words, by the identifier of the supernode.
    """

    circuit: Circuit
    total: int
    left_out: tuple[str, ...]
    answer: str | None = None
    doubts: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return a sentence about what was left out and what may not fit; an empty text where all fits."""
        parts = []
        if self.left_out:
            verb = "is" if len(self.left_out) == 1 else "are"
            parts.append(f"{len(self.left_out)} of {self.total} nodes of the circuit {verb} not in this graph")
        if names := [f"“{one.name}”" for one in self.circuit.supernodes if one.id in self.doubts]:
            parts.append(f"{', '.join(names)} may need another name")
        return " · ".join(parts)


def carry_over(circuit: Circuit, old_graph: Graph, new_graph: Graph) -> CarryOver:
    """Return a circuit of one graph as far as it fits another of the same model.

    A feature or an error is the one of the same layer and number at the counterpart of its position (see `counterparts`), a
    token the one there, and an output that of the same token. Supernodes keep their identifiers, names, colours and
    positions; those left empty vanish. A label goes to the counterpart of its node, or to its feature wherever that is in
    the new graph. Where no pinned output is in the new graph, its likeliest one is pinned, at the place of the first; so it
    is on another prompt where the old one's likeliest was. A name may not fit where it has a word of the old prompt or
    outputs that the new ones do not have, or, on another prompt, where most nodes of its supernode are gone. Filters stay as
    they are; those of positions and hidden nodes go to the counterparts of these. Raises NodeError or CircuitError for a
    circuit that does not fit the old graph.
    """
    circuit.check(old_graph)
    grouped = [node for one in circuit.supernodes for node in one.nodes]
    named = tuple(dict.fromkeys([*grouped, *circuit.pinned, *circuit.labels]))
    there = _counterparts(named, old_graph, new_graph)
    supernodes = tuple(replace(one, nodes=nodes) for one in circuit.supernodes if (nodes := _found(one.nodes, there)))
    answer = _answer(circuit, old_graph, new_graph, there)
    pinned = tuple(dict.fromkeys([*_found(circuit.pinned, there), *([] if answer is None else [answer])]))
    elsewhere = _elsewhere([node for node in circuit.labels if node not in there], old_graph, new_graph)
    boxes = {one.id for one in supernodes} | set(pinned)
    positions = {there.get(box, box): place for box, place in circuit.positions.items()}
    if answer is not None and answer not in there.values():
        outputs = [node for node in _outputs(circuit.pinned, old_graph) if node not in there and node in positions]
        if outputs:
            positions[answer] = positions[outputs[0]]
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
    left_out = tuple(node for node in named if node not in kept)
    new = None if answer in there.values() else answer
    return CarryOver(fitting, len(named), left_out, new, _doubts(circuit, fitting, old_graph, new_graph))


def _outputs(nodes: Iterable[str], graph: Graph) -> list[str]:
    return [node for node in nodes if graph.node_kinds[graph.index(node)] is NodeKind.LOGIT]


def _answer(circuit: Circuit, old_graph: Graph, new_graph: Graph, there: Mapping[str, str]) -> str | None:
    """Return the id of the new graph's likeliest output where it takes the place of a pinned one, and None where none does."""
    outputs = _outputs(circuit.pinned, old_graph)
    stays = any(node in there for node in outputs)
    if not outputs or (stays and (_is_same_prompt(old_graph, new_graph) or _likeliest(old_graph) not in outputs)):
        return None
    node = _likeliest(new_graph)
    grouped = {there.get(one) for supernode in circuit.supernodes for one in supernode.nodes}
    return None if node in grouped else node


def _likeliest(graph: Graph) -> str:
    target = max(graph.targets, key=lambda one: one.probability)
    return logit_id(graph.n_layers, target.token_id, graph.position)


def _is_same_prompt(old_graph: Graph, new_graph: Graph) -> bool:
    return [one.token_id for one in old_graph.tokens] == [one.token_id for one in new_graph.tokens]


def _doubts(circuit: Circuit, fitting: Circuit, old_graph: Graph, new_graph: Graph) -> dict[str, str]:
    """Return why the names of supernodes may not fit any more, by their identifiers."""
    before = {one.id: len(one.nodes) for one in circuit.supernodes}
    same = _is_same_prompt(old_graph, new_graph)
    gone = _words(old_graph) - _words(new_graph)
    found = {}
    for one in fitting.supernodes:
        # On the same prompt, nodes are gone because fewer were traced, and the others mean what they did.
        if not same and len(one.nodes) < LEAST_LEFT * before[one.id]:
            found[one.id] = f"{len(one.nodes)} of its {before[one.id]} nodes are in this graph"
        elif lost := [word for word in one.name.split() if word.strip(_PUNCTUATION).casefold() in gone]:
            found[one.id] = f"“{lost[0].strip(_PUNCTUATION)}” is neither in this prompt nor among its outputs"
    return found


def _words(graph: Graph) -> set[str]:
    """Return the words that are tokens of a graph's prompt, or its outputs, without case."""
    texts = [*(token.text for token in graph.tokens), *(target.token for target in graph.targets)]
    words = {text.strip().strip(_PUNCTUATION).casefold() for text in texts}
    return {word for word in words if len(word) >= LEAST_WORD}


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
