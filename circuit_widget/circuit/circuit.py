"""The circuit: the nodes of a graph that a user keeps, their supernodes, names and layout. Plain data, edited by pure methods.

The frontend edits the same document by the same rules (js/src/core/circuit.ts). Both are tested against one table of
cases, tests/fixtures/circuit.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from circuit_widget.arguments import entries_of, of_type, plain_number, quoted
from circuit_widget.circuit.filters import Filters, check_bounds
from circuit_widget.circuit.rules import (
    COLORS,
    MOST_ENTRIES,
    SUPERNODE_ID,
    checked_label,
    checked_name,
    checked_node,
    checked_nodes,
    checked_position,
    checked_revision,
    checked_share,
    checked_switch,
    displayed,
)
from circuit_widget.errors import CircuitError
from circuit_widget.nodes import Feature, NodeKind

if TYPE_CHECKING:
    from circuit_widget.graph import Graph

NodeChoice: TypeAlias = str | Feature | Iterable[str | Feature]


@dataclass(frozen=True)
class Supernode:
    """A named group of nodes; `color` is one of six hues, 0 to 5. Raises CircuitError for values that cannot be one."""

    id: str
    name: str
    color: int
    nodes: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not SUPERNODE_ID.fullmatch(self.id):
            raise CircuitError(f"The id of a supernode is s1, s2 and so on; given {displayed(self.id)}.")
        object.__setattr__(self, "name", checked_name(self.name))
        color = plain_number(self.color)
        if isinstance(color, bool) or not isinstance(color, int) or not 0 <= color < COLORS:
            raise CircuitError(f"A color is a number from 0 to {COLORS - 1}; given {displayed(color)}.")
        object.__setattr__(self, "color", color)
        object.__setattr__(self, "nodes", checked_nodes(self.nodes))


@dataclass(frozen=True)
class Box:
    """One box of the circuit pane: a supernode, or a pinned node by itself, whose name and color are None."""

    id: str
    name: str | None
    color: int | None
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Circuit:
    """A user's document on a graph. Every edit returns a new circuit whose revision is one higher.

    A node belongs to at most one supernode, and no supernode is empty. Pinned nodes outside supernodes are boxes of
    their own; members of supernodes need not be pinned. `positions` are centres of boxes in the circuit pane's unit
    square, x to the right and y down, for those the user moved. A threshold of None is the largest at which a person can
    read the map of the graph: see docs/widget.md. `filters` hide more of the map. Edges between boxes are drawn from
    `least_share` of a box's input on, 4% if it is None; the strongest edge into each box is always drawn. With
    `edge_numbers`, drawn edges have their signed percentages. With `edge_stability`, edges of the map are whole only where
    they stay in all prunings of `Graph.stability`. Raises CircuitError, also from every edit, for what breaks these rules.
    """

    pinned: tuple[str, ...] = ()
    supernodes: tuple[Supernode, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    positions: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    node_threshold: float | None = None
    edge_threshold: float | None = None
    revision: int = 0
    filters: Filters = field(default_factory=Filters)
    least_share: float | None = None
    edge_numbers: bool = False
    edge_stability: bool = False

    def __post_init__(self) -> None:
        given_labels = of_type(self.labels, Mapping, "The labels of a circuit are texts by node id", CircuitError)
        labels = {checked_node(node): checked_label(text) for node, text in given_labels.items()}
        given_positions = of_type(self.positions, Mapping, "The positions of a circuit are points by box", CircuitError)
        positions = {box: checked_position(*_two(pair)) for box, pair in given_positions.items()}
        pinned = entries_of(self.pinned, "Pinned nodes are a list of node ids", CircuitError)
        object.__setattr__(self, "pinned", tuple(dict.fromkeys(checked_node(node) for node in pinned)))
        expected = "The supernodes of a circuit are a list of Supernodes"
        supernodes = entries_of(self.supernodes, expected, CircuitError)
        object.__setattr__(
            self, "supernodes", tuple(of_type(one, Supernode, expected, CircuitError) for one in supernodes)
        )
        object.__setattr__(self, "labels", MappingProxyType({node: text for node, text in labels.items() if text}))
        object.__setattr__(self, "positions", MappingProxyType(positions))
        object.__setattr__(self, "node_threshold", checked_share("node threshold", self.node_threshold))
        object.__setattr__(self, "edge_threshold", checked_share("edge threshold", self.edge_threshold))
        object.__setattr__(self, "revision", checked_revision(self.revision))
        of_type(self.filters, Filters, "The filters of a circuit are Filters", CircuitError)
        object.__setattr__(self, "least_share", checked_share("least share of a drawn edge", self.least_share))
        object.__setattr__(self, "edge_numbers", checked_switch("Numbers on edges are", self.edge_numbers))
        edge_stability = checked_switch("The stability of edges is", self.edge_stability)
        object.__setattr__(self, "edge_stability", edge_stability)
        self._check_supernodes()
        for what in ("pinned", "supernodes", "labels", "positions"):
            if (count := len(getattr(self, what))) > MOST_ENTRIES:
                raise CircuitError(f"A circuit has at most {MOST_ENTRIES:,} {what}; given {count:,}.")

    def __reduce__(self) -> tuple[Any, ...]:
        return Circuit.from_json, (self.to_json(),)

    def _check_supernodes(self) -> None:
        for what in ("id", "name"):
            seen: set[str] = set()
            for supernode in self.supernodes:
                value = getattr(supernode, what)
                if value in seen:
                    raise CircuitError(f"Two supernodes have the {what} {displayed(value)}.")
                seen.add(value)
        grouped: set[str] = set()
        for supernode in self.supernodes:
            for node in supernode.nodes:
                if node in grouped:
                    raise CircuitError(f"Node {displayed(node)} is in two supernodes; a node belongs to one at most.")
                grouped.add(node)
        boxes = {supernode.id for supernode in self.supernodes} | set(self.pinned)
        for box in self.positions:
            if box not in boxes:
                raise CircuitError(f"{displayed(box)} has a position but is neither a supernode nor pinned.")

    def supernode(self, id_or_name: str) -> Supernode:
        """The supernode with an id, or else with a name. Raises CircuitError, with the existing names, if there is none."""
        wanted = id_or_name if isinstance(id_or_name, str) else None
        for what in ("id", "name"):
            for supernode in self.supernodes:
                if getattr(supernode, what) == wanted:
                    return supernode
        existing = ", ".join(displayed(supernode.name) for supernode in self.supernodes[:5])
        raise CircuitError(f"There is no supernode {displayed(id_or_name)}; the circuit has {existing or 'none'}.")

    def boxes(self) -> tuple[Box, ...]:
        """The boxes of the circuit pane: supernodes in their order, then pinned nodes outside them."""
        grouped = {node for supernode in self.supernodes for node in supernode.nodes}
        return (
            *(Box(one.id, one.name, one.color, one.nodes) for one in self.supernodes),
            *(Box(node, None, None, (node,)) for node in self.pinned if node not in grouped),
        )

    def group(self, name: str, nodes: NodeChoice) -> Circuit:
        """Put nodes into the supernode with a name, and take them out of others. It is made if it does not exist.

        The color of a new one is the hue that the fewest supernodes have, the lowest of those. Supernodes left empty
        vanish.
        """
        name, wanted = checked_name(name), checked_nodes(nodes)
        if any(supernode.name == name for supernode in self.supernodes):
            return self._add(self._named(name), wanted)
        others = without(self.supernodes, wanted)
        numbers = [int(supernode.id[1:]) for supernode in self.supernodes]
        used = [supernode.color for supernode in others]
        color = min(range(COLORS), key=lambda hue: (used.count(hue), hue))
        made = Supernode(f"s{1 + max(numbers, default=0)}", name, color, wanted)
        return self._edited(supernodes=(*others, made))

    def add(self, id_or_name: str, nodes: NodeChoice) -> Circuit:
        """Put nodes into a supernode that exists, and take them out of others."""
        return self._add(self.supernode(id_or_name), checked_nodes(nodes))

    def _named(self, name: str) -> Supernode:
        return next(supernode for supernode in self.supernodes if supernode.name == name)

    def _add(self, supernode: Supernode, nodes: tuple[str, ...]) -> Circuit:
        grown = replace(supernode, nodes=tuple(dict.fromkeys((*supernode.nodes, *nodes))))
        others = (other if other.id != grown.id else grown for other in self.supernodes)
        moved = set(nodes)
        kept = (other if other.id == grown.id else _less(other, moved) for other in others)
        return self._edited(supernodes=tuple(other for other in kept if other is not None))

    def remove(self, nodes: NodeChoice) -> Circuit:
        """Take nodes out of their supernodes; supernodes left empty vanish. Pinned nodes become boxes again."""
        wanted = checked_nodes(nodes)
        grouped = {node for supernode in self.supernodes for node in supernode.nodes}
        for node in wanted:
            if node not in grouped:
                raise CircuitError(f"Node {displayed(node)} is in no supernode, so it cannot be taken out of one.")
        return self._edited(supernodes=without(self.supernodes, wanted))

    def ungroup(self, id_or_name: str) -> Circuit:
        """Dissolve a supernode. Its pinned members become boxes again."""
        gone = self.supernode(id_or_name)
        return self._edited(supernodes=tuple(other for other in self.supernodes if other.id != gone.id))

    def rename(self, id_or_name: str, name: str) -> Circuit:
        """Give a supernode another name, which no other supernode may have."""
        renamed, name = self.supernode(id_or_name), checked_name(name)
        if any(other.name == name and other.id != renamed.id for other in self.supernodes):
            raise CircuitError(
                f"There is a supernode {displayed(name)} already. Choose another name, or add the nodes to it."
            )
        return self._edited(
            supernodes=tuple(
                replace(other, name=name) if other.id == renamed.id else other for other in self.supernodes
            )
        )

    def recolor(self, id_or_name: str, color: int) -> Circuit:
        """Give a supernode another hue, 0 to 5. Raises CircuitError for one that does not exist, or another number."""
        changed = self.supernode(id_or_name)
        return self._edited(
            supernodes=tuple(
                replace(other, color=color) if other.id == changed.id else other for other in self.supernodes
            )
        )

    def label(self, node: str | Feature, text: str) -> Circuit:
        """Label a node; an empty text removes the label."""
        wanted, text = checked_node(node), checked_label(text)
        others = {other: label for other, label in self.labels.items() if other != wanted}
        return self._edited(labels={**others, wanted: text} if text else others)

    def pin(self, nodes: NodeChoice) -> Circuit:
        """Keep nodes in the circuit."""
        return self._edited(pinned=tuple(dict.fromkeys((*self.pinned, *checked_nodes(nodes)))))

    def unpin(self, nodes: NodeChoice) -> Circuit:
        """Unpin nodes; those that were not pinned stay as they are."""
        gone = set(checked_nodes(nodes))
        return self._edited(pinned=tuple(node for node in self.pinned if node not in gone))

    def move(self, box: str | Feature, x: float, y: float) -> Circuit:
        """Move the centre of a box to a point of the unit square; `box` is a supernode's id or name, or a node."""
        wanted = box.id if isinstance(box, Feature) else box
        position = checked_position(x, y)
        for found in self.boxes():
            if isinstance(wanted, str) and wanted in (found.id, found.name):
                return self._edited(positions={**self.positions, found.id: position})
        raise CircuitError(
            f"{displayed(wanted)} is no box of the circuit: neither a supernode nor a pinned node by itself."
        )

    def threshold(self, *, node: float | None = None, edge: float | None = None) -> Circuit:
        """Set the share of influence that visible nodes have, the share of edge score that visible edges have, or both."""
        return self._edited(
            node_threshold=self.node_threshold if node is None else node,
            edge_threshold=self.edge_threshold if edge is None else edge,
        )

    def filter(self, filters: Filters | None) -> Circuit:
        """Have the map hide what these filters say, in place of any before; None removes them all."""
        return self._edited(filters=Filters() if filters is None else filters)

    def hide(self, nodes: NodeChoice | None) -> Circuit:
        """Hide nodes on the map by hand, besides what filters hide; None brings all hidden by hand back.

        Nodes in the circuit and outputs stay visible. They are `Filters.hidden`.
        """
        hidden = () if nodes is None else (*self.filters.hidden, *checked_nodes(nodes))
        return self._edited(filters=replace(self.filters, hidden=hidden))

    def cut_edges(self, least_share: float | None) -> Circuit:
        """Draw edges between boxes from this share of a box's input on; None is the default, 4%."""
        return self._edited(least_share=least_share)

    def number_edges(self, edge_numbers: bool = True) -> Circuit:
        """Write the signed percentage of a box's input on each drawn edge between boxes, or no longer."""
        return self._edited(edge_numbers=edge_numbers)

    def mark_stability(self, edge_stability: bool = True) -> Circuit:
        """Draw edges of the map whole where they stay in all prunings of `Graph.stability`, else open in the middle."""
        return self._edited(edge_stability=edge_stability)

    def _edited(self, **changes: Any) -> Circuit:
        supernodes = changes.get("supernodes", self.supernodes)
        pinned = changes.get("pinned", self.pinned)
        boxes = {supernode.id for supernode in supernodes} | set(pinned)
        positions = changes.pop("positions", self.positions)
        kept = {box: position for box, position in positions.items() if box in boxes}
        return replace(self, positions=kept, revision=self.revision + 1, **changes)

    def check(self, graph: Graph) -> Circuit:
        """Return this circuit, if it fits a graph.

        Raises NodeError for a node the graph does not have, and CircuitError for a logit in a supernode or a filter by layers
        or positions that the graph does not have.
        """
        from circuit_widget.graph.graph_argument import require_graph

        require_graph(graph, CircuitError).resolve([*self.pinned, *self.labels, *self.filters.hidden])
        for supernode in self.supernodes:
            kinds = [graph.node_kinds[index] for index in graph.resolve(supernode.nodes)]
            if NodeKind.LOGIT in kinds:
                raise CircuitError(
                    f"Supernode {displayed(supernode.name)} contains a logit, but logits stay by themselves. Pin it instead."
                )
        check_bounds(self.filters, graph.n_layers, len(graph.tokens))
        return self

    def to_json(self) -> dict[str, Any]:
        """Return the document as plain JSON."""
        from circuit_widget.circuit.document_json import document

        return document(self)

    @classmethod
    def from_json(cls, value: object) -> Circuit:
        """Return a circuit from plain JSON of any origin. Raises CircuitError for missing or unknown keys, wrong values."""
        from circuit_widget.circuit.document_json import circuit

        return circuit(value)

    def save(self, path: str | Path) -> Path:
        """Write the document as a JSON file, whole or not at all, and return its path."""
        from circuit_widget.circuit.document_json import save_circuit

        return save_circuit(self, path)

    def export(self, path: str | Path, graph: Graph, *, slug: str | None = None, scan: str | None = None) -> Path:
        """Write a graph with this circuit on it as the JSON that circuit-tracer and Neuronpedia show; see `Graph.export`.

        Raises NodeError or CircuitError for a circuit that does not fit the graph, GraphFileError as `Graph.export` does.
        """
        from circuit_widget.circuit.saved_view import export_circuit
        from circuit_widget.graph.graph_argument import require_graph

        return export_circuit(self, require_graph(graph, CircuitError), path, slug, scan)

    def to_link(self, graph: Graph, *, slug: str | None = None, scan: str | None = None) -> str:
        """Return the link that shows this circuit on Neuronpedia, on a graph that is there already.

        `slug` and `scan` are the names of graph and model there, by default those in the file that the graph came from.
        Raises CircuitError where there are none, or the circuit does not fit; GraphFileError for names it cannot have there.
        """
        from circuit_widget.circuit.share_link import link_of
        from circuit_widget.graph.graph_argument import require_graph

        return link_of(self, require_graph(graph, CircuitError), slug, scan)

    @classmethod
    def from_link(cls, link: str, graph: Graph) -> Circuit:
        """Return what a link that Neuronpedia shares has pinned, grouped and labelled on this graph.

        Nothing is downloaded: the graph is the file that the link is about. Raises CircuitError for another link, and for
        nodes that the graph does not have.
        """
        from circuit_widget.circuit.share_link import circuit_of_link
        from circuit_widget.graph.graph_argument import require_graph

        return circuit_of_link(link, require_graph(graph, CircuitError))

    @classmethod
    def load(cls, path: str | Path) -> Circuit:
        """Read a document that `save` or the frontend wrote, or what is pinned, grouped and labelled in a graph's JSON.

        That JSON is of circuit-tracer or Neuronpedia, also compressed with gzip; `cw.open` opens its graph. Raises
        CircuitError for another file.
        """
        from circuit_widget.circuit.document_json import load_circuit

        return load_circuit(path)


def _two(position: object) -> tuple[Any, Any]:
    """Return the two numbers of a position."""
    expected = "A position is two numbers between 0 and 1, from the left and from the top"
    numbers = entries_of(position, expected, CircuitError)
    if len(numbers) != 2:
        raise CircuitError(f"{expected}; given {quoted(position)}.")
    return numbers[0], numbers[1]


def without(supernodes: Iterable[Supernode], nodes: Iterable[str]) -> tuple[Supernode, ...]:
    """Return supernodes without some nodes; supernodes left empty are dropped."""
    gone = set(nodes)
    return tuple(kept for supernode in supernodes if (kept := _less(supernode, gone)) is not None)


def _less(supernode: Supernode, gone: set[str]) -> Supernode | None:
    nodes = tuple(node for node in supernode.nodes if node not in gone)
    return replace(supernode, nodes=nodes) if nodes else None
