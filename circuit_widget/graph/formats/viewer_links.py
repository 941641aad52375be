"""The links of a graph's JSON file, one at a time into arrays, and then into the weights of a graph."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int32

from circuit_widget.arguments import quoted
from circuit_widget.graph.formats.viewer_nodes import ViewerNode
from circuit_widget.graph.header_json import LARGEST
from circuit_widget.system.memory import available_memory

SHARE_OF_MEMORY = 0.8
"""Share of the free memory that the weights of a graph may take."""

KEYS = {"source", "target", "weight"}

UNKNOWN, NO_SUCH_END, SEVERAL = -1, -2, -3
"""In place of a row or column: no node has the id; the node is no end of this kind; two nodes have the id."""


BLOCK = 1 << 20
"""Links that are checked, and written into the weights, at once."""

SMALL = "H"
"""Type of the numbers of ids, until there are more ids than it has numbers: a graph of more nodes than that is rare."""

LARGE = "I"


@dataclass
class Links:
    """The links of a file in its order: numbers of ids, and weights; `more` has the other keys of those that have any.

    With the other keys of a link are the ids of its source and target.
    """

    number: dict[str, int] = field(default_factory=dict)
    source: array[int] = field(default_factory=lambda: array(SMALL))
    target: array[int] = field(default_factory=lambda: array(SMALL))
    weight: array[float] = field(default_factory=lambda: array("f"))
    more: dict[int, tuple[str, str, dict[str, Any]]] = field(default_factory=dict)

    def add(self, link: object) -> None:
        """Add the next link. Raises ValueError, naming the place, for what cannot be one."""
        place = f"links[{len(self.weight)}]"
        if not isinstance(link, dict):
            raise ValueError(f"{place} is {quoted(link)}, expected an object")
        weight = link.get("weight")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not abs(weight) <= LARGEST:
            raise ValueError(f"{place}.weight is {quoted(weight)}, expected a number")
        source, target = (_id(link.get(end), f"{place}.{end}") for end in ("source", "target"))
        numbers = [self.number.setdefault(node, len(self.number)) for node in (source, target)]
        try:
            self.source.append(numbers[0])
            self.target.append(numbers[1])
        except OverflowError:
            self._widen(numbers)
        self.weight.append(weight)
        # The weights of a graph have no place for what is zero, also where it is so only in float32.
        zero = not self.weight[-1]
        if len(link) != len(KEYS) or zero:
            rest = {key: value for key, value in link.items() if key not in KEYS or (zero and key == "weight")}
            self.more[len(self.weight) - 1] = (source, target, rest)

    def _widen(self, numbers: list[int]) -> None:
        """Add the numbers of the next link's ids, of which one is too large for the type so far."""
        count = len(self.weight)
        self.source, self.target = array(LARGE, self.source[:count]), array(LARGE, self.target[:count])
        self.source.append(numbers[0])
        self.target.append(numbers[1])

    def ends(self, begin: int, end: int) -> tuple[Int32[np.ndarray, " links"], Int32[np.ndarray, " links"]]:
        """Return the numbers of the targets and of the sources of some links."""
        return np.array(self.target[begin:end], dtype=np.int32), np.array(self.source[begin:end], dtype=np.int32)

    def drop(self, begin: int) -> None:
        """Forget the links from one on, and give their memory back."""
        for values in (self.source, self.target, self.weight):
            del values[begin:]

    def id(self, numbers: array[int], link: int) -> str:
        """Return the source or target of a link."""
        return list(self.number)[numbers[link]]


def _id(node: object, place: str) -> str:
    if not isinstance(node, str):
        raise ValueError(f"{place} is {quoted(node)}, which no node has as its node_id")
    return node


def weights_of(
    links: Links,
    features: Sequence[ViewerNode],
    errors: Sequence[ViewerNode],
    tokens: Sequence[ViewerNode],
    logits: Sequence[ViewerNode],
) -> Float32[np.ndarray, "targets sources"]:
    """Return the weights of a graph with these nodes, and forget the links, so that both are never in memory whole.

    Raises ValueError, naming the place, for a link that leads to or from no node of the right kind, that another link
    repeats, or that leads to no higher layer; and where the weights would not fit into the memory.
    """
    targets, sources = [*features, *logits], [*features, *errors, *tokens]
    _check_memory(len(targets), len(sources), len(sources) + len(logits))
    row_of, column_of = _ends(links, targets, sources), _ends(links, sources, targets)
    layer_of_row = np.array([node.layer for node in targets], dtype=np.int32)
    layer_of_column = np.array([node.layer for node in sources], dtype=np.int32)
    begins = range(0, len(links.weight), BLOCK)
    seen = np.zeros((len(targets), len(sources)), dtype=bool)
    for begin in begins:
        target, source = links.ends(begin, begin + BLOCK)
        rows, columns = row_of[target], column_of[source]
        between = (rows >= 0) & (columns >= 0) & (rows < len(features)) & (columns < len(features))
        wrong = (rows < 0) | (columns < 0) | _repeated(rows, columns, seen)
        wrong[between] |= layer_of_row[rows[between]] <= layer_of_column[columns[between]]
        if wrong.any():
            first = int(np.argmax(wrong))
            raise ValueError(_fault(links, begin + first, int(rows[first]), int(columns[first]), bool(between[first])))
    del seen
    weights = np.zeros((len(targets), len(sources)), dtype=np.float32)
    for begin in reversed(begins):
        target, source = links.ends(begin, begin + BLOCK)
        weights[row_of[target], column_of[source]] = np.array(links.weight[begin : begin + BLOCK], dtype=np.float32)
        links.drop(begin)
    return weights


def _check_memory(n_rows: int, n_columns: int, n_nodes: int) -> None:
    needed, free = 4 * n_rows * n_columns, available_memory()
    if needed > SHARE_OF_MEMORY * free:
        raise ValueError(
            f"the weights between its {n_nodes:,} nodes take {needed / 2**30:.1f} GiB, and "
            f"{free / 2**30:.1f} GiB of memory are free; prune it more where it was made"
        )


def _ends(links: Links, nodes: Sequence[ViewerNode], others: Sequence[ViewerNode]) -> Int32[np.ndarray, " ids"]:
    """Return the number of the node that each id of the links stands for, or why it stands for none."""
    known = dict.fromkeys((node.id for node in others), NO_SUCH_END)
    seen: set[str] = set()
    for number, node in enumerate(nodes):
        known[node.id] = SEVERAL if node.id in seen else number
        seen.add(node.id)
    return np.array([known.get(node, UNKNOWN) for node in links.number], dtype=np.int32)


def _repeated(
    rows: Int32[np.ndarray, " links"], columns: Int32[np.ndarray, " links"], seen: Bool[np.ndarray, "targets sources"]
) -> Bool[np.ndarray, " links"]:
    """Return which links have the ends of an earlier one, also of one in an earlier block, and add theirs to `seen`."""
    again = np.zeros(len(rows), dtype=bool)
    known = np.flatnonzero((rows >= 0) & (columns >= 0))
    key = rows[known].astype(np.int64) * seen.shape[1] + columns[known]
    order = np.argsort(key, kind="stable")
    again[known] = seen.reshape(-1)[key]
    again[known[order[1:]]] |= key[order[1:]] == key[order[:-1]]
    seen.reshape(-1)[key] = True
    return again


def _fault(links: Links, link: int, row: int, column: int, between: bool) -> str:
    place, source, target = f"links[{link}]", links.id(links.source, link), links.id(links.target, link)
    ends: tuple[tuple[str, str, int, str], ...] = (
        ("target", target, row, "a feature or a logit"),
        ("source", source, column, "a feature, an error or a token"),
    )
    for end, node, found, expected in ends:
        why: Mapping[int, str] = {
            UNKNOWN: "which no node has as its node_id",
            NO_SUCH_END: f"expected {expected}",
            SEVERAL: "which two nodes have as their node_id",
        }
        if found < 0:
            return f"{place}.{end} is {quoted(node)}, {why[found]}"
    between_ends = f"{place} leads from {quoted(source)[1:-1]} to {quoted(target)[1:-1]}"
    earlier = any(
        (links.source[other], links.target[other]) == (links.source[link], links.target[link]) for other in range(link)
    )
    if earlier or not between:
        return f"{between_ends}, as another link does"
    return f"{between_ends}, which is no higher layer"
