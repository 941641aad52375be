"""Which graph a document belongs to: the same prompt, targets and nodes, whoever traced it and where."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph


def identity(graph: Graph) -> str:
    """Return 64 hexadecimal digits that are the same for graphs of the same prompt, targets and nodes.

    Weights and activations do not count: another machine adds up the same numbers in another order. Names of models do
    not count either, since a folder may be moved.
    """
    digest = hashlib.sha256()
    tokens = [token.token_id for token in graph.tokens]
    targets = [target.token_id for target in graph.targets]
    for part in (tokens, targets, graph.position, graph.n_layers, graph.basis, *graph.node_ids):
        digest.update(f"{part}\0".encode())
    return digest.hexdigest()
