"""What a graph keeps of the JSON file of another tool that it came from, to be written again as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from circuit_widget.graph.formats.viewer_nodes import label_of

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph

HERE = ("format", "nodes", "links", "without_activation")
"""Keys of `recipe["file"]` that are not at the top of the file."""


@dataclass(frozen=True)
class Origin:
    """The parts of a file.

    `rest` has what is beside its nodes and links. `nodes` has, by node id, the keys of a node that differ from what is
    written of it here, and those that the file lacks; `more` the source, target and other keys of links.
    """

    rest: Mapping[str, Any]
    nodes: Mapping[str, Any]
    more: Sequence[Any]

    def links(self, graph: Graph) -> dict[tuple[int, int], dict[str, Any]]:
        """Return the other keys of links by the indices of source and target; of nodes that are left in a graph only."""
        found = {}
        for source, target, keys in self.more:
            ends = graph.find(source), graph.find(target)
            if ends[0] is not None and ends[1] is not None:
                found[ends[0], ends[1]] = dict(keys)
        return found


def origin_of(graph: Graph) -> Origin:
    """Return what a graph keeps of the file it was opened from, nothing where it came from none."""
    file: Any = graph.recipe.get("file", {})
    if not isinstance(file, Mapping) or not isinstance(file.get("metadata"), Mapping):
        return Origin({}, {}, ())
    rest = {key: value for key, value in file.items() if key not in HERE}
    return Origin(rest, _nodes(file.get("nodes")), _links(file.get("links")))


def _nodes(value: object) -> Mapping[str, Any]:
    """Return what is kept of nodes; a recipe is JSON of any kind where a file of this package was changed."""
    if not isinstance(value, Mapping):
        return {}
    return {
        node: entry
        for node, entry in value.items()
        if isinstance(entry, list | tuple)
        and len(entry) == 2
        and isinstance(entry[0], Mapping)
        and isinstance(entry[1], list | tuple)
    }


def _links(value: object) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        return ()
    return [
        entry
        for entry in value
        if isinstance(entry, list | tuple)
        and len(entry) == 3
        and all(isinstance(node, str) for node in entry[:2])
        and isinstance(entry[2], Mapping)
    ]


def restored(origin: Origin, node: str, written: dict[str, Any]) -> dict[str, Any]:
    """Return a node as it is written, with what its file had. A label that was changed since stays changed."""
    if node not in origin.nodes:
        return written
    own, without = origin.nodes[node]
    before = {key: value for key, value in {**written, **own}.items() if key not in without}
    return before if _label_of_file(written, before) else {**before, "clerp": written["clerp"]}


def _label_of_file(written: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    match written["feature_type"]:
        case "logit":
            return True
        case "cross layer transcoder":
            return label_of(before) == str(written["clerp"])
        case _:
            return not written["clerp"]
