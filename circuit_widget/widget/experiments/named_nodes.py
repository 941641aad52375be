"""The nodes that a user names: a supernode, a label, an id, a Feature."""

from __future__ import annotations

import difflib
from dataclasses import replace

from circuit_widget.arguments import one_line
from circuit_widget.characters import beginning
from circuit_widget.circuit.circuit import Circuit, NodeChoice
from circuit_widget.errors import CircuitError, NodeError
from circuit_widget.graph import Feature, Graph
from circuit_widget.intervention import Add, Intervention, Set
from circuit_widget.intervention.kinds import node_tuple
from circuit_widget.nodes import Everywhere, several_nodes


def nodes_of(graph: Graph, circuit: Circuit, wanted: NodeChoice) -> tuple[str | Feature, ...]:
    """Return the nodes that a supernode's name, a node id, a Feature, a label, or any number of those name.

    A label names all features that have it; the circuit's labels go before those of the graph.

    Raises CircuitError, naming what comes nearest, for a text that is none of these.
    """
    members = {name: one.nodes for one in circuit.supernodes for name in (one.id, one.name)}
    nodes: dict[str | Feature, None] = {}
    for one in several_nodes(wanted, CircuitError):
        if isinstance(one, str) and one in members:
            nodes.update(dict.fromkeys(members[one]))
        elif isinstance(one, Feature):
            nodes[one] = None
        else:
            nodes.update(dict.fromkeys(_labelled(graph, circuit, one) or [_known(graph, circuit, one)]))
    return tuple(nodes)


def _labelled(graph: Graph, circuit: Circuit, label: str) -> list[str]:
    """Return the features with a label; of a text that is a node's id, none."""
    if not isinstance(label, str) or label in graph.node_ids:
        return []
    labels = {**graph.labels, **circuit.labels}
    return [node for node in graph.node_ids[: graph.n_features] if labels.get(node) == label]


def _known(graph: Graph, circuit: Circuit, node: str) -> str:
    try:
        graph.index(node)
    except NodeError:
        if not isinstance(node, str):
            raise
        names = [supernode.name for supernode in circuit.supernodes]
        names += dict.fromkeys([*circuit.labels.values(), *graph.labels.values()])
        nearest = (
            difflib.get_close_matches(beginning(node, 80), [*names, *graph.node_ids], n=3, cutoff=0.5) or names[:5]
        )
        there = f"the nearest are {', '.join(nearest)}" if nearest else "the circuit has no supernode yet"
        raise CircuitError(f"There is no supernode and no node “{one_line(node, 80)}”; {there}.") from None
    return node


def resolved_intervention(graph: Graph, circuit: Circuit, intervention: Intervention) -> Intervention:
    """Return an intervention on the nodes that it names, as `nodes_of` finds them, without those that it cannot change.

    Features can be set and added to; errors and tokens can be ablated, scaled and swapped in as well; logits cannot be
    changed. A node that is named by itself stays, so that the model raises the error for it.

    Raises CircuitError for what `nodes_of` does not find, and when nothing is left.
    """
    given = node_tuple(intervention.nodes)
    named = [one for one in given if not isinstance(one, Everywhere)]
    nodes = nodes_of(graph, circuit, named)
    end = graph.n_features if isinstance(intervention, Set | Add) else graph.weights.shape[1]
    found = [node for node in nodes if isinstance(node, Feature) or node in named or graph.index(node) < end]
    resolved = (*found, *(one for one in given if isinstance(one, Everywhere)))
    if not resolved:
        names = ", ".join(f"“{one_line(_id(node), 80)}”" for node in named[:3])
        raise CircuitError(f"Nothing that can be changed is in {names or 'no nodes'}; features, errors and tokens can.")
    return replace(intervention, nodes=resolved)


def _id(node: str | Feature) -> str:
    return node.id if isinstance(node, Feature) else node
