"""The names of experiments, made from what they change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from circuit_widget.characters import shortened
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.graph import Feature, Graph
from circuit_widget.intervention import Intervention
from circuit_widget.intervention.kinds import NodeEntry
from circuit_widget.nodes import Everywhere
from circuit_widget.widget.wire.schema import LONGEST_TEXT
from circuit_widget.wording.outcome import short_description, subject


def experiment_name(graph: Graph, circuit: Circuit, interventions: Sequence[Intervention]) -> str:
    """Return the name of an experiment: "Texas ×0, capital ×2"."""
    name = ", ".join(short_description(graph, circuit, _at_positions(graph, one)) for one in interventions)
    return shortened(name, LONGEST_TEXT)


def changed_name(graph: Graph, circuit: Circuit, intervention: Intervention) -> str:
    """Return the name of the nodes that an intervention changes: "Texas", "Texas everywhere"."""
    return shortened(subject(graph, circuit, _at_positions(graph, intervention)), LONGEST_TEXT)


def _at_positions(graph: Graph, intervention: Intervention) -> Intervention:
    """Return an intervention with every feature at each position, where it names one everywhere."""
    nodes: list[NodeEntry] = []
    for node in intervention.members:
        if isinstance(node, Everywhere):
            nodes += [Feature(node.layer, position, node.feature) for position in range(len(graph.tokens))]
        else:
            nodes.append(node)
    return replace(intervention, nodes=tuple(nodes)) if len(nodes) > len(intervention.members) else intervention
