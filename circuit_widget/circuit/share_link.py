"""Links by which Neuronpedia shares a graph with what is pinned, grouped and labelled: read, and written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from circuit_widget.arguments import quoted
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.circuit.saved_view import circuit_in, view_of
from circuit_widget.errors import CircuitError
from circuit_widget.graph.formats.viewer_json import ViewerFile
from circuit_widget.graph.formats.viewer_writing import identifier, viewer_document
from circuit_widget.nodes import NodeKind

if TYPE_CHECKING:
    from circuit_widget.graph import Graph

SITE = "https://www.neuronpedia.org"
VIEW = ("pinnedIds", "supernodes", "clerps")
LONGEST_LINK = 1 << 20
ANY = "any"
"""A slug and scan for a document that is only read here."""


def circuit_of_link(link: object, graph: Graph) -> Circuit:
    """Return the circuit on a graph that a link shares; nothing is downloaded. See `Circuit.from_link`."""
    if not isinstance(link, str) or len(link) > LONGEST_LINK:
        raise CircuitError(f"A link is a text such as {SITE}/gemma-2-2b/graph?slug=…; given {quoted(link)}.")
    try:
        given = parse_qs(urlsplit(link.strip()).query, keep_blank_values=True)
    except ValueError as problem:
        raise CircuitError(f"The link {quoted(link)} cannot be read: {problem}.") from problem
    values = {key: texts[-1] for key, texts in given.items()}
    if not any(key in values for key in VIEW):
        raise CircuitError(
            f"The link {quoted(link)} shares no circuit: it has none of {', '.join(VIEW)} after its question mark."
        )
    document = viewer_document(graph, ANY, ANY)
    circuit = circuit_in(
        ViewerFile(
            document["nodes"], None, {**document, "qParams": {key: values[key] for key in VIEW if key in values}}
        )
    )
    if "pruningThreshold" in values:
        circuit = circuit.threshold(node=_share(values["pruningThreshold"]))
    return circuit.check(graph)


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError as problem:
        raise CircuitError(
            f"The pruningThreshold of the link is a share between 0 and 1; given {quoted(text)}."
        ) from problem


def link_of(circuit: Circuit, graph: Graph, slug: str | None, scan: str | None) -> str:
    """Return the link that shows a circuit on a graph that is there already; see `Circuit.to_link`."""
    circuit.check(graph)
    file: Any = graph.recipe.get("file", {})
    before = file.get("metadata", {}) if isinstance(file, Mapping) else {}
    names = _name("slug", slug, before), _name("scan", scan, before)
    document = viewer_document(graph, *names, view_of(circuit), circuit.labels)
    view, entries = document["qParams"], dict(zip(graph.node_ids, document["nodes"], strict=True))
    query = {
        "slug": names[0],
        "pinnedIds": ",".join(view["pinnedIds"]),
        "supernodes": _json(view["supernodes"]),
        "clerps": _json([[_key(graph, node, entries[node]), text] for node, text in circuit.labels.items()]),
    }
    if circuit.node_threshold is not None:
        query["pruningThreshold"] = f"{circuit.node_threshold:g}"
    return f"{SITE}/{quote(names[1], safe='')}/graph?{urlencode(query, quote_via=quote)}"


def _name(what: str, given: object, before: Mapping[str, Any]) -> str:
    value = before.get(what) if given is None else given
    if value is None:
        raise CircuitError(
            f"Give the {what} that the graph has on Neuronpedia, {what}=…; this graph came from no file that names it."
        )
    return identifier(what, value)


def _key(graph: Graph, node: str, entry: Mapping[str, Any]) -> str:
    """Return what stands for a node beside its label there: layer, number and position of a feature, or the id."""
    # Where attention has features, too, one of them and one of the MLP may have the same three numbers.
    if graph.node_kinds[graph.index(node)] is not NodeKind.FEATURE or "layer_names" in graph.recipe:
        return str(entry["node_id"])
    return f"{entry['layer']}_{entry['feature']}_{entry['ctx_idx']}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
