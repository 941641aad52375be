"""Reads the graph JSON of circuit-tracer, Neuronpedia and Anthropic's viewer: `metadata`, `qParams`, `nodes`, `links`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from circuit_widget.arguments import quoted
from circuit_widget.characters import repaired
from circuit_widget.errors import GraphFileError
from circuit_widget.graph.consistency import check_consistency
from circuit_widget.graph.document import LARGEST
from circuit_widget.graph.formats.viewer_nodes import ViewerNode, read_nodes
from circuit_widget.graph.graph import JSON, Graph
from circuit_widget.graph.recipe import LOG_PROBABILITIES
from circuit_widget.nodes import UNKNOWN_TOKEN, NodeKind, PromptToken, Target
from circuit_widget.system.memory import available_memory
from circuit_widget.system.paths import quoted_path
from circuit_widget.system.warning import warn

SMALLEST_PROBABILITY = 1e-38
SHARE_OF_MEMORY = 0.5
"""Share of the free memory that the weights of a graph may take; the file itself takes some, too."""

FORMAT = "graph JSON of circuit-tracer and Neuronpedia"


def read_viewer_json(path: Path, document: object) -> Graph:
    """Return the graph in a JSON document read from `path`.

    Its edges are those in the file. Influence, shares and scores are computed from them; a file has been pruned before it
    was written, so they describe what is left. The file has no logits, only probabilities: the logit of a target is the
    logarithm of its probability, which is the logit up to a constant, and `recipe["logits"]` says so. `recipe["file"]` keeps
    the file's metadata, its saved view and its own shares of influence.

    Raises GraphFileError, naming the place, for whatever contradicts itself or cannot be read.
    """
    try:
        graph = graph_of(document)
        check_consistency(graph)
    except (ValueError, OverflowError, RecursionError) as problem:
        raise GraphFileError(f"{quoted_path(path)} cannot be read as a graph: {problem}.") from problem
    without: Any = graph.recipe["file"]
    if without["without_activation"]:
        warn(
            f"{quoted_path(path)} has no activations of {len(without['without_activation']):,} of its "
            f"{graph.n_features:,} features; they are zero in this graph."
        )
    return graph


def graph_of(document: object) -> Graph:
    """Return the graph in a JSON document. Raises ValueError, naming the place, for what is wrong with it."""
    whole = _mapping("the file", document)
    metadata = _mapping("metadata", whole.get("metadata"))
    prompt_tokens = metadata.get("prompt_tokens")
    if not isinstance(prompt_tokens, list) or not all(isinstance(text, str) for text in prompt_tokens):
        raise ValueError(f"metadata.prompt_tokens is {quoted(prompt_tokens)}, expected a list of texts")
    nodes = read_nodes(whole.get("nodes"), metadata.get("schema_version"))
    _check_once(nodes)
    features, errors, tokens, logits = (_of_kind(nodes, kind) for kind in NodeKind)
    _check_positions(nodes, len(prompt_tokens))
    n_layers, position = last_layer(nodes), _one_position(logits)
    weights = _weights(whole.get("links"), features, errors, tokens, logits)
    return Graph.build(
        tokens=_prompt_tokens(prompt_tokens, tokens),
        targets=[
            Target(
                repaired(one.text), one.number, one.probability, math.log(max(one.probability, SMALLEST_PROBABILITY))
            )
            for one in logits
        ],
        position=position,
        n_layers=n_layers,
        feature_layer=np.array([one.layer for one in features], dtype=np.int32),
        feature_position=np.array([one.position for one in features], dtype=np.int32),
        feature_index=np.array([one.number for one in features], dtype=np.int32),
        activation=np.array([one.activation or 0.0 for one in features], dtype=np.float32),
        error_layer=np.array([one.layer for one in errors], dtype=np.int32),
        error_position=np.array([one.position for one in errors], dtype=np.int32),
        token_position=np.array([one.position for one in tokens], dtype=np.int32),
        weights=weights,
        labels={one.id_here(n_layers): one.label for one in features if one.label},
        recipe=_recipe(whole, metadata, [*features, *errors, *tokens], features),
    )


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


def last_layer(nodes: Sequence[ViewerNode]) -> int:
    """Return the number of layers of the model: logits are written as those of the layer after the next.

    Raises ValueError where there are none, or they are of different layers, or another node is of a layer above.
    """
    logits = [one for one in nodes if one.kind is NodeKind.LOGIT]
    if not logits:
        raise ValueError("it has no logit, so that nothing is explained")
    layers = {one.layer for one in logits}
    if len(layers) > 1:
        raise ValueError(f"its logits are of different layers: {', '.join(map(str, sorted(layers)))}")
    n_layers = layers.pop() - 1
    above = next((one for one in nodes if one.kind is not NodeKind.LOGIT and one.layer >= max(n_layers, 1)), None)
    if above is not None:
        raise ValueError(
            f"{above.place}.layer is {above.layer}, but the logits' layer {n_layers + 1} says that there are {n_layers} layers"
        )
    return max(n_layers, 1)


def _one_position(logits: Sequence[ViewerNode]) -> int:
    positions = {one.position for one in logits}
    if len(positions) > 1:
        raise ValueError(f"its logits are at different positions: {', '.join(map(str, sorted(positions)))}")
    return positions.pop()


def _prompt_tokens(texts: Sequence[str], tokens: Sequence[ViewerNode]) -> tuple[PromptToken, ...]:
    ids = {one.position: one.number for one in tokens}
    return tuple(PromptToken(repaired(text), ids.get(position, UNKNOWN_TOKEN)) for position, text in enumerate(texts))


def _weights(
    links: object,
    features: Sequence[ViewerNode],
    errors: Sequence[ViewerNode],
    tokens: Sequence[ViewerNode],
    logits: Sequence[ViewerNode],
) -> Float32[np.ndarray, "targets sources"]:
    if not isinstance(links, list):
        raise ValueError(f"its links are {quoted(links)}, expected a list")
    targets, sources = [*features, *logits], [*features, *errors, *tokens]
    needed, free = 4 * len(targets) * len(sources), available_memory()
    if needed > SHARE_OF_MEMORY * free:
        raise ValueError(
            f"the weights between its {len(sources) + len(logits):,} nodes take {needed / 2**30:.1f} GiB, and "
            f"{free / 2**30:.1f} GiB of memory are free; prune it more where it was made"
        )
    rows, columns = _by_id(targets), _by_id(sources)
    known = {*rows, *columns}
    weights = np.zeros((len(targets), len(sources)), dtype=np.float32)
    for number, link in enumerate(links):
        place = f"links[{number}]"
        entry = _mapping(place, link)
        row = _end(f"{place}.target", entry.get("target"), rows, known, "a feature or a logit")
        column = _end(f"{place}.source", entry.get("source"), columns, known, "a feature, an error or a token")
        weight = entry.get("weight")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not abs(weight) <= LARGEST:
            raise ValueError(f"{place}.weight is {quoted(weight)}, expected a number")
        if weights[row, column]:
            raise ValueError(f"{place} leads from {entry['source']} to {entry['target']}, as another link does")
        if row < len(features) and column < len(features) and targets[row].layer <= sources[column].layer:
            raise ValueError(f"{place} leads from {entry['source']} to {entry['target']}, which is no higher layer")
        weights[row, column] = weight
    return weights


def _by_id(nodes: Sequence[ViewerNode]) -> dict[str, int | None]:
    """Return the number of each id; None where two nodes have it, as features and errors of layer 0 in older files do."""
    found: dict[str, int | None] = {}
    for number, node in enumerate(nodes):
        found[node.id] = None if node.id in found else number
    return found


def _end(place: str, node: object, numbers: Mapping[str, int | None], known: set[str], expected: str) -> int:
    if not isinstance(node, str) or node not in known:
        raise ValueError(f"{place} is {quoted(node)}, which no node has as its node_id")
    if node not in numbers:
        raise ValueError(f"{place} is {quoted(node)}, expected {expected}")
    number = numbers[node]
    if number is None:
        raise ValueError(f"{place} is {quoted(node)}, which two nodes have as their node_id")
    return number


def _recipe(
    whole: Mapping[str, Any], metadata: Mapping[str, Any], sources: Sequence[ViewerNode], features: Sequence[ViewerNode]
) -> dict[str, JSON]:
    view = whole.get("qParams")
    recipe: dict[str, JSON] = {
        "logits": LOG_PROBABILITIES,
        "file": {
            "format": FORMAT,
            "metadata": _plain(metadata),
            "qParams": _plain(view) if isinstance(view, dict) else {},
            "share": [one.share for one in sources],
            "without_activation": [one.id for one in features if one.activation is None],
        },
    }
    for key, name in (("scan", "model"), ("prompt", "prompt")):
        if isinstance(metadata.get(key), str):
            recipe[name] = repaired(metadata[key])
    return recipe


def _plain(value: Any) -> Any:
    """Return JSON without halves of characters, which cannot be saved."""
    return json.loads(repaired(json.dumps(value, ensure_ascii=False)))
