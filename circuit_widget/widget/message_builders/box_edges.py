"""The edges between the boxes of a circuit as the page gets them: from all edges of the graph, of which the page has the strongest."""

from __future__ import annotations

from circuit_widget.circuit.box_edges import box_edges, edges_among, outside_inputs
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.figure.figure import MOST_BOXES
from circuit_widget.graph import Graph
from circuit_widget.widget.wire.graph_messages import BoxEdgesMessage


def box_edges_message(graph: Graph, circuit: Circuit, number: int) -> BoxEdgesMessage:
    """Return the edges between the boxes of a circuit on the graph of a number; none for a circuit that has too many for a figure, too."""
    boxes = circuit.boxes()
    if len(boxes) > MOST_BOXES:
        boxes = ()
    members = [graph.resolve(box.nodes) for box in boxes]
    among = edges_among(graph, members)
    edges = box_edges(among, members)
    return BoxEdgesMessage(
        number,
        tuple(tuple(box.nodes) for box in boxes),
        tuple(outside_inputs(among, members)),
        tuple(edge.source for edge in edges),
        tuple(edge.target for edge in edges),
        tuple(edge.share for edge in edges),
    )
