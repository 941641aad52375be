"""Writes a graph as the JSON that circuit-tracer's server, Neuronpedia and Anthropic's viewer show."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuit_widget.arguments import quoted
from circuit_widget.errors import GraphFileError
from circuit_widget.feature_ids import PAIRED
from circuit_widget.graph.formats.viewer_origin import Origin, origin_of, restored
from circuit_widget.nodes import NodeKind
from circuit_widget.system.atomic_write import write_bytes
from circuit_widget.system.paths import quoted_path, require_path

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph

IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]+")

EMPTY_VIEW: Mapping[str, Any] = {"pinnedIds": [], "supernodes": [], "linkType": "both", "clickedId": "", "sg_pos": ""}


def viewer_document(
    graph: Graph,
    slug: str,
    scan: str | None,
    view: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a graph as a JSON document of schema version 1, or as the file of another tool that it came from.

    Nodes are listed as circuit-tracer lists them: features, errors, tokens, logits; links are the edges that are not zero.
    `influence` of a node is its cumulative share, as those viewers expect. What a graph's file had is written again as it
    was there: ids, keys that are not known here, influence. `view` is the saved view, by node ids of the graph, by default
    that of the file; `labels` go over those of the graph. Neurons are written as features are; `metadata.info` says that
    they are neurons.

    Raises GraphFileError for a slug or scan with characters that Neuronpedia refuses.
    """
    file = origin_of(graph)
    before = file.rest.get("metadata", {})
    name = before.get("scan") if scan is None else scan
    metadata = {
        **(before or _metadata(graph)),
        "slug": identifier("slug", slug),
        "scan": identifier("scan", _as_identifier(str(graph.recipe.get("model", "model"))) if name is None else name),
    }
    thresholds: Any = graph.recipe.get("thresholds")
    if thresholds is not None:
        metadata |= {
            "node_threshold": thresholds["node"],
            "pruning_settings": {"node_threshold": thresholds["node"], "edge_threshold": thresholds["edge"]},
        }
    nodes = [
        restored(file, node, entry)
        for node, entry in zip(graph.node_ids, written_nodes(graph, labels or {}), strict=True)
    ]
    ids = _unique(graph.node_ids, nodes)
    return {
        **file.rest,
        "metadata": metadata,
        "qParams": _view(file, view, dict(zip(graph.node_ids, ids, strict=True))),
        "nodes": nodes,
        "links": list(_links(graph, ids, file)),
    }


def _metadata(graph: Graph) -> dict[str, Any]:
    return {
        "slug": "",
        "scan": "",
        "transcoder_list": [],
        "prompt_tokens": [token.text for token in graph.tokens],
        "prompt": _prompt(graph),
        "schema_version": 1,
        "info": {
            "generator": {"name": "circuit-widget"},
            "description": f"The features of this graph are {graph.basis}.",
        },
    }


def _view(file: Origin, view: Mapping[str, Any] | None, ids: Mapping[str, str]) -> Any:
    """Return the saved view: what is given, by the ids that are written, else that of the file, else an empty one."""
    if view is None:
        return file.rest.get("qParams", EMPTY_VIEW)
    return {
        **view,
        "pinnedIds": [ids.get(node, node) for node in view["pinnedIds"]],
        "supernodes": [[name, *(ids.get(node, node) for node in nodes)] for name, *nodes in view["supernodes"]],
    }


def _unique(own: Sequence[str], nodes: Sequence[dict[str, Any]]) -> list[str]:
    """Return the ids that are written. An error of an older file that has the id of a feature gets its own."""
    count = Counter(str(node["node_id"]) for node in nodes)
    for node, entry in zip(own, nodes, strict=True):
        if count[str(entry["node_id"])] > 1:
            entry["node_id"] = node
    return [str(node["node_id"]) for node in nodes]


def identifier(what: str, text: object) -> str:
    """Return a text that Neuronpedia takes as a slug or scan. Raises GraphFileError for any other."""
    if not isinstance(text, str) or not IDENTIFIER.fullmatch(text):
        raise GraphFileError(
            f"A {what} has letters, digits, dots, hyphens and underscores of ASCII only, such as dallas-1; given {quoted(text)}."
        )
    return text


def _as_identifier(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text.rstrip("/").rsplit("/", 1)[-1]).strip("-") or "model"


def _prompt(graph: Graph) -> str:
    prompt = graph.recipe.get("prompt")
    return prompt if isinstance(prompt, str) else "".join(token.text for token in graph.tokens)


def written_nodes(graph: Graph, labels: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a graph as they are written where it came from no file; `labels` go over those of the graph."""
    shares = graph.share.tolist()
    labels = {**graph.labels, **labels}
    positions, layers = graph.node_position.tolist(), graph.node_layer.tolist()
    for number, (node, kind) in enumerate(zip(graph.node_ids, graph.node_kinds, strict=True)):
        position, layer = positions[number], layers[number]
        entry = {
            "node_id": node,
            "ctx_idx": position,
            "token_prob": 0.0,
            "is_target_logit": False,
            "run_idx": 0,
            "reverse_ctx_idx": 0,
            "clerp": labels.get(node, ""),
            "influence": shares[number],
            "activation": None,
        }
        match kind:
            case NodeKind.FEATURE:
                feature = int(graph.feature_index[number])
                entry |= {
                    "feature": PAIRED.join(layer, feature),
                    "layer": str(layer),
                    "feature_type": "cross layer transcoder",
                    "jsNodeId": f"{layer}_{feature}-0",
                    "activation": float(graph.activation[number]),
                }
            case NodeKind.ERROR:
                entry |= {
                    "feature": -1,
                    "layer": str(layer),
                    "feature_type": "mlp reconstruction error",
                    "jsNodeId": f"{layer}_{position}-0",
                }
            case NodeKind.TOKEN:
                entry |= {
                    "feature": position,
                    "layer": "E",
                    "feature_type": "embedding",
                    "jsNodeId": f"E_{graph.tokens[position].token_id}-{position}",
                }
            case NodeKind.LOGIT:
                target = graph.targets[number - graph.weights.shape[1]]
                entry |= {
                    "feature": target.token_id,
                    "layer": str(graph.n_layers + 1),
                    "feature_type": "logit",
                    "jsNodeId": f"L_{target.token_id}-{position}",
                    "token_prob": target.probability,
                    "is_target_logit": number == graph.weights.shape[1],
                    "clerp": f'Output "{target.token}" (p={target.probability:.3f})',
                    "influence": None,
                }
        yield entry


def _links(graph: Graph, ids: Sequence[str], file: Origin) -> Iterator[dict[str, Any]]:
    more = file.links(graph)
    for row, column in zip(*(found.tolist() for found in np.nonzero(graph.weights)), strict=True):
        source, target = column, int(graph.row_nodes[row])
        written = {"source": ids[source], "target": ids[target], "weight": float(graph.weights[row, column])}
        yield written | more.pop((source, target), {})
    # Links whose weight is zero are no edges, and were in the file all the same.
    for (source, target), keys in more.items():
        if "weight" in keys:
            yield {"source": ids[source], "target": ids[target], **keys}


def export_graph(
    graph: Graph,
    path: str | os.PathLike[str],
    slug: str | None,
    scan: str | None,
    view: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Path:
    """Write a graph as JSON for other viewers; see `Graph.export`."""
    file = require_path(path, GraphFileError)
    if file.suffix.lower() != ".json":
        raise GraphFileError(
            f"{quoted_path(file)} does not end in .json. A graph is exported as the JSON of circuit-tracer and Neuronpedia; "
            "graph.save(path) writes everything of it for this package."
        )
    document = viewer_document(graph, _as_identifier(file.stem) if slug is None else slug, scan, view, labels)
    content = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return write_bytes(file, content.encode(), "graph", GraphFileError)
