"""Another graph beside the displayed one, as the page gets it: its snapshot, and which nodes are the same."""

from __future__ import annotations

from circuit_widget.comparison.compare import GraphComparison
from circuit_widget.widget.wire.schema import LONGEST_TEXT
from circuit_widget.widget.wire.sending import sentence
from circuit_widget.widget.wire.snapshot import snapshot_nodes, snapshot_of
from circuit_widget.widget.wire.snapshot_messages import OtherGraphMessage

LONGEST_NOTE = 2 * LONGEST_TEXT


def other_graph_message(comparison: GraphComparison) -> OtherGraphMessage:
    """Return the message of a comparison; its snapshot has the counterparts of the influential nodes here. Raises as `snapshot_of`."""
    graph, other = comparison.graph, comparison.other
    same = comparison.same_nodes
    sent = {graph.node_ids[index] for index in snapshot_nodes(graph)}
    counts = comparison.feature_counts
    return OtherGraphMessage(
        snapshot=snapshot_of(other, [there for here, there in same if here in sent]),
        here=tuple(here for here, _ in same),
        there=tuple(there for _, there in same),
        both=counts.both,
        only_here=counts.only_here,
        only_there=counts.only_there,
        overlap=comparison.overlap,
        notes=tuple(sentence(note, LONGEST_NOTE) for note in comparison.notes),
    )


def nodes_to_send(comparison: GraphComparison) -> frozenset[str]:
    """Return the nodes here whose counterparts are influential there: a click there selects them here."""
    other = comparison.other
    sent = {other.node_ids[index] for index in snapshot_nodes(other)}
    return frozenset(here for here, there in comparison.same_nodes if there in sent)
