"""Circuits by rule, each made of the one before by an edit, with the shares on the edges of their figures.

`python -m tests.widget.write_circuit_shares` writes the table that checks that screen and figure say the same numbers.
"""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.figure.scene.arrangement import circuit_picture
from circuit_widget.widget.message_builders.box_edges import box_edges_message
from circuit_widget.widget.wire.schema import plain
from tests.figure.graphs import dallas

FIXTURE = Path(__file__).parents[1] / "fixtures/circuit_shares.json"

EDITS = 24
SENT = 0.9
"""Part of the edge score that the edges of the page have: the weak ones stay in the kernel."""


def edited(circuit: Circuit, nodes: list[str], choice: random.Random) -> Circuit:
    """A circuit after one edit: a node more, a node in another group, or a group less."""
    names = [supernode.name for supernode in circuit.supernodes]
    edit = choice.choice(["group", "group", "group", "pin", "ungroup"])
    if edit == "ungroup" and len(names) > 3:
        return circuit.ungroup(choice.choice(names))
    if edit == "pin":
        return circuit.pin([choice.choice(nodes)])
    name = choice.choice(names) if names and choice.random() < 0.6 else f"group {len(names)} of {circuit.revision}"
    return circuit.group(name, choice.sample(nodes, choice.randint(1, 4)))


def table() -> dict[str, Any]:
    """The graph as the page has it, and every circuit: its boxes, what the kernel sends, and the figure's edges."""
    graph, choice = dallas(), random.Random(3)
    every = graph.strongest_edges()
    sent = every.share <= SENT
    ends = zip(every.source[sent], every.target[sent], every.weight[sent], strict=True)
    nodes = [node for node in graph.node_ids if not node.startswith("E")]
    circuit, circuits = Circuit(), []
    for step in range(EDITS):
        circuit = edited(replace(circuit, revision=step), nodes, choice)
        links = circuit_picture(graph, replace(circuit, least_share=0.0), None, 700.0).links
        circuits.append(
            {
                "boxes": [list(box.nodes) for box in circuit.boxes()],
                "known": plain(box_edges_message(graph, circuit, 1)),
                "figure": [[link.source, link.target, link.share] for link in links],
            }
        )
    return {
        "nodes": list(graph.node_ids),
        "input_total": graph.input_total.tolist(),
        "edges": [[graph.node_ids[source], graph.node_ids[target], float(weight)] for source, target, weight in ends],
        "circuits": circuits,
    }


if __name__ == "__main__":
    FIXTURE.write_text(json.dumps(table()) + "\n")
