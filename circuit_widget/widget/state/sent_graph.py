"""Which nodes of a graph the page has: the influential ones, and those that the circuit or the selection needs."""

from __future__ import annotations

from dataclasses import replace

from circuit_widget.graph import Graph
from circuit_widget.widget.wire.snapshot import snapshot_nodes, snapshot_of
from circuit_widget.widget.wire.snapshot_messages import SnapshotMessage


class SentGraph:
    """The part of a graph that was sent to the page; it grows where more nodes are needed there.

    `number` tells the graphs of one widget apart.
    """

    def __init__(self, graph: Graph, number: int = 1) -> None:
        self.graph, self.number = graph, number
        self.nodes = frozenset[str]()

    def snapshot_with(self, nodes: frozenset[str]) -> SnapshotMessage | None:
        """Return a snapshot that has these nodes too, None where the one sent last has them."""
        if self.nodes and nodes <= self.nodes:
            return None
        wanted = nodes | self.nodes
        snapshot = self._snapshot(wanted)
        self.nodes = frozenset(self.graph.node_ids[index] for index in snapshot_nodes(self.graph, wanted))
        return snapshot

    def snapshot(self) -> SnapshotMessage:
        """Return the snapshot that was sent last, for a page that had another graph since."""
        return self._snapshot(self.nodes)

    def _snapshot(self, nodes: frozenset[str]) -> SnapshotMessage:
        return replace(snapshot_of(self.graph, nodes), number=self.number)
