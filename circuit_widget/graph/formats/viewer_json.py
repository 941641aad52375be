"""Reads the graph JSON of circuit-tracer, Neuronpedia and Anthropic's viewer: `metadata`, `qParams`, `nodes`, `links`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from circuit_widget.arguments import quoted
from circuit_widget.characters import repaired
from circuit_widget.graph.consistency import check_consistency
from circuit_widget.graph.formats.json_stream import JsonPiece
from circuit_widget.graph.formats.viewer_layers import Layered, layered
from circuit_widget.graph.formats.viewer_links import Links, weights_of
from circuit_widget.graph.formats.viewer_nodes import ViewerNode, read_nodes
from circuit_widget.graph.formats.viewer_writing import written_nodes
from circuit_widget.graph.graph import JSON, Graph
from circuit_widget.graph.header_json import check_plain
from circuit_widget.graph.recipe_checks import LOG_PROBABILITIES
from circuit_widget.nodes import UNKNOWN_TOKEN, NodeKind, PromptToken, Target

SMALLEST_PROBABILITY = 1e-38

FORMAT = "graph JSON of circuit-tracer and Neuronpedia"

LISTS = frozenset({"nodes", "links"})
"""Keys of the file whose lists are read entry by entry."""


@dataclass
class ViewerFile:
    """What a file has: its nodes, its links, and everything beside them. `nodes` and `links` are None until they come."""

    nodes: list[Any] | None = None
    links: Links | None = None
    rest: dict[str, Any] = field(default_factory=dict)

    def add(self, entry: JsonPiece) -> None:
        """Add what comes next in the file. Raises ValueError, naming the place, for what cannot be a link."""
        if entry.key == "nodes" and entry.number is not None:
            if entry.number < 0:
                self.nodes = []
            elif self.nodes is not None:
                self.nodes.append(entry.value)
        elif entry.key == "links" and entry.number is not None:
            if entry.number < 0:
                self.links = Links()
            elif self.links is not None:
                self.links.add(entry.value)
        else:
            self.rest[entry.key] = entry.value

    @property
    def keys(self) -> set[str]:
        """The keys of the file so far."""
        known = (("nodes", self.nodes), ("links", self.links))
        return {*self.rest, *(name for name, value in known if value is not None)}


def graph_of(file: ViewerFile) -> Graph:
    """Return the graph in a file, with what else the file has in `recipe["file"]`, so that it can be written again.

    Its edges are those in the file. Influence, shares and scores are computed from them; a file has been pruned before it
    was written, so they describe what is left. The file has no logits, only probabilities: the logit of a target is the
    logarithm of its probability, which is the logit up to a constant, and `recipe["logits"]` says so. Where attention has
    features, too, `recipe["layer_names"]` says which part of which layer of the model each layer is.

    Raises ValueError, naming the place, for whatever contradicts itself or cannot be read.
    """
    metadata = _mapping("metadata", file.rest.get("metadata"))
    prompt_tokens = metadata.get("prompt_tokens")
    if not isinstance(prompt_tokens, list) or not all(isinstance(text, str) for text in prompt_tokens):
        raise ValueError(f"metadata.prompt_tokens is {quoted(prompt_tokens)}, expected a list of texts")
    if file.nodes is None:
        raise ValueError(f"its nodes are not a list but {quoted(file.rest.get('nodes'))}")
    if file.links is None:
        raise ValueError(f"its links are {quoted(file.rest.get('links'))}, expected a list")
    layers = layered(read_nodes(file.nodes, metadata.get("schema_version")))
    _check_once(layers.nodes)
    _check_positions(layers.nodes, len(prompt_tokens))
    features, errors, tokens, logits = (_of_kind(layers.nodes, kind) for kind in NodeKind)
    graph = Graph.build(
        tokens=_prompt_tokens(prompt_tokens, tokens),
        targets=[
            Target(
                repaired(one.text), one.number, one.probability, math.log(max(one.probability, SMALLEST_PROBABILITY))
            )
            for one in logits
        ],
        position=_one_position(logits),
        n_layers=layers.n_layers,
        feature_layer=np.array([one.layer for one in features], dtype=np.int32),
        feature_position=np.array([one.position for one in features], dtype=np.int32),
        feature_index=np.array([one.number for one in features], dtype=np.int32),
        activation=np.array([one.activation or 0.0 for one in features], dtype=np.float32),
        error_layer=np.array([one.layer for one in errors], dtype=np.int32),
        error_position=np.array([one.position for one in errors], dtype=np.int32),
        token_position=np.array([one.position for one in tokens], dtype=np.int32),
        weights=weights_of(file.links, features, errors, tokens, logits),
        labels={one.id_here(layers.n_layers): one.label for one in features if one.label},
        recipe=_recipe(file.rest, metadata, layers, features),
    )
    check_consistency(graph)
    ordered = [file.nodes[one.index] for one in (*features, *errors, *tokens, *logits)]
    return _with_file(graph, file, ordered)


def _mapping(what: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {quoted(value)}, expected an object")
    return value


def _of_kind(nodes: Sequence[ViewerNode], kind: NodeKind) -> list[ViewerNode]:
    """Return the nodes of a kind in the order of a graph; logits stay in the file's, which is that of probability."""
    found = [node for node in nodes if node.kind is kind]
    if kind is NodeKind.LOGIT:
        return sorted(found, key=lambda node: -node.probability)
    return sorted(found, key=lambda node: (node.layer, node.position, node.number))


def _check_once(nodes: Sequence[ViewerNode]) -> None:
    seen: dict[tuple[NodeKind, int, int, int], ViewerNode] = {}
    for node in nodes:
        number = -1 if node.kind is NodeKind.TOKEN else node.number
        first = seen.setdefault((node.kind, node.layer, node.position, number), node)
        if first is not node:
            raise ValueError(f"{first.place} and {node.place} are the same {node.kind.value}")


def _check_positions(nodes: Sequence[ViewerNode], n_tokens: int) -> None:
    for node in nodes:
        if node.position >= n_tokens:
            raise ValueError(
                f"{node.place}.ctx_idx is {node.position}, but metadata.prompt_tokens has {n_tokens} tokens, from 0 on"
            )


def _one_position(logits: Sequence[ViewerNode]) -> int:
    positions = {one.position for one in logits}
    if len(positions) > 1:
        raise ValueError(f"its logits are at different positions: {', '.join(map(str, sorted(positions)))}")
    return positions.pop()


def _prompt_tokens(texts: Sequence[str], tokens: Sequence[ViewerNode]) -> tuple[PromptToken, ...]:
    ids = {one.position: one.number for one in tokens}
    return tuple(PromptToken(repaired(text), ids.get(position, UNKNOWN_TOKEN)) for position, text in enumerate(texts))


def _recipe(
    rest: Mapping[str, Any], metadata: Mapping[str, Any], layers: Layered, features: Sequence[ViewerNode]
) -> dict[str, JSON]:
    recipe: dict[str, JSON] = {
        "logits": LOG_PROBABILITIES,
        "file": {
            "format": FORMAT,
            **{key: _plain(key, value) for key, value in rest.items() if key not in ("format", "nodes", "links")},
            "without_activation": [one.id for one in features if one.activation is None],
        },
    }
    if layers.names:
        recipe["layer_names"] = list(layers.names)
    for key, name in (("scan", "model"), ("prompt", "prompt")):
        if isinstance(metadata.get(key), str):
            recipe[name] = repaired(metadata[key])
    return recipe


def _with_file(graph: Graph, file: ViewerFile, entries: Sequence[Mapping[str, Any]]) -> Graph:
    """Return a graph that also has what its file has of each node and link beyond what is written of them here."""
    nodes: dict[str, JSON] = {}
    for node, entry, written in zip(graph.node_ids, entries, written_nodes(graph, {}), strict=True):
        own = {key: value for key, value in entry.items() if key not in written or not _same(written[key], value)}
        without = [key for key in written if key not in entry]
        if own or without:
            nodes[node] = [_plain(f"the node {quoted(node)}", own), without]
    links = file.links or Links()
    ids = {str(entry["node_id"]): node for node, entry in zip(graph.node_ids, entries, strict=True)}
    more: list[JSON] = [
        [ids[source], ids[target], _plain(f"links[{number}]", keys)]
        for number, (source, target, keys) in links.more.items()
    ]
    kept: Any = graph.recipe["file"]
    return replace(graph, recipe={**graph.recipe, "file": {**kept, "nodes": nodes, "links": more}})


def _same(written: object, value: object) -> bool:
    return type(written) is type(value) and written == value


def _plain(what: str, value: Any) -> Any:
    """Return JSON without halves of characters, which cannot be saved. Raises ValueError for numbers that cannot be."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        plain = json.loads(repaired(text))
        check_plain(plain)
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"{what} cannot be kept: {problem}") from problem
    return plain
