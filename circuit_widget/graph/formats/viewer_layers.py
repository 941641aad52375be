"""The layers of the graph in a JSON file: those of the model, or the parts of each where attention has features, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from circuit_widget.graph.formats.viewer_nodes import ATTENTION, ViewerNode
from circuit_widget.nodes import NodeKind

MLP = "MLP"
OF_ATTENTION = ("attn", "lorsa")
"""Beginnings of the names of biases that attention adds."""


@dataclass(frozen=True)
class Layered:
    """The nodes of a file in the layers of a graph here.

    `names` is empty where these are the layers of the model. Otherwise each layer of the model is several: its attention,
    its MLP, and each of its biases that is a node. Attention comes before the MLP, which reads what it writes.
    """

    nodes: Sequence[ViewerNode]
    n_layers: int
    names: tuple[str, ...]


def layered(nodes: Sequence[ViewerNode]) -> Layered:
    """Return the nodes of a file with the layers that they have here.

    Raises ValueError where there are no logits, or they are of different layers, or another node is of a layer above.
    """
    n_layers = _of_model(nodes)
    parts = {(node.layer, _order(node.part)) for node in nodes if node.part}
    if not parts:
        return Layered(nodes, n_layers, ())
    always = {(layer, _order(part)) for layer in range(n_layers) for part in (ATTENTION, "")}
    rows = sorted(parts | always)
    row = {key: number for number, key in enumerate(rows)}
    placed = [_placed(node, row, len(rows)) for node in nodes]
    return Layered(placed, len(rows), tuple(f"{layer} {part or MLP}" for layer, (_, part) in rows))


def _of_model(nodes: Sequence[ViewerNode]) -> int:
    logits = [one for one in nodes if one.kind is NodeKind.LOGIT]
    if not logits:
        raise ValueError("it has no logit, so that nothing is explained")
    if len(counts := {one.layer for one in logits}) > 1:
        raise ValueError(
            f"its logits are of different layers: there would be {' or '.join(map(str, sorted(counts)))} layers below them"
        )
    n_layers = max(counts.pop(), 1)
    above = next((one for one in nodes if one.kind is not NodeKind.LOGIT and one.layer >= n_layers), None)
    if above is not None:
        raise ValueError(
            f"{above.place}.layer is {above.layer}, but its logits say that there are {n_layers} layers, from 0 on"
        )
    return n_layers


def _order(part: str) -> tuple[int, str]:
    if part == ATTENTION:
        return 1, part
    if not part:
        return 3, part
    return (0 if part.partition(" ")[2].startswith(OF_ATTENTION) else 2), part


def _placed(node: ViewerNode, row: dict[tuple[int, tuple[int, str]], int], n_rows: int) -> ViewerNode:
    match node.kind:
        case NodeKind.TOKEN:
            return node
        case NodeKind.LOGIT:
            return replace(node, layer=n_rows)
        case _:
            return replace(node, layer=row[node.layer, _order(node.part)])
