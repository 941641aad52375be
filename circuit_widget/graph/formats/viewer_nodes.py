"""The nodes of the graph JSON that circuit-tracer, Neuronpedia and Anthropic's viewer share, each checked by itself."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circuit_widget.arguments import one_line, quoted
from circuit_widget.characters import repaired
from circuit_widget.feature_ids import DECIMAL, PAIRED
from circuit_widget.nodes import UNKNOWN_TOKEN, NodeKind, error_id, feature_id, logit_id, token_id

MOST_LAYERS = 4096
LARGEST_INDEX = 2**31 - 1

FEATURE_TYPES = {
    "cross layer transcoder": NodeKind.FEATURE,
    "transcoder": NodeKind.FEATURE,
    "lorsa": NodeKind.FEATURE,
    "mlp reconstruction error": NodeKind.ERROR,
    "lorsa error": NodeKind.ERROR,
    "bias": NodeKind.ERROR,
    "unknown": NodeKind.ERROR,
    "embedding": NodeKind.TOKEN,
    "logit": NodeKind.LOGIT,
}
"""Lorsa features are those of attention. Biases are constants, as errors are; `unknown` are other constants."""

ATTENTION = "attention"
PARTS = {"lorsa": ATTENTION, "lorsa error": ATTENTION}

_BIAS_ID = re.compile(r"\d{1,9}_(?:bias|unknown)_(.{1,60})_\d{1,9}")
_OWN_LABEL = 'Logit "'
"""Begins the labels of logits in files of complete replacement models, where logits are of the layer after the last."""

_TOKEN_ID = re.compile(r"E_(\d{1,9})[-_](\d{1,9})")
_NAMED_FEATURE = re.compile(r"(\d{1,9})_(\d{1,9})-\d+")
_LOGIT_TEXT = re.compile(r'(?:(?:Output|Logit)\s+)?"(.*)"\s*\(p\s*=\s*[-+.0-9eE]+\)', re.DOTALL)


@dataclass(frozen=True)
class ViewerNode:
    """One node of a file, the one with this index there.

    `layer` is -1 for tokens and the number of layers for logits; `part` is the part of the layer that it belongs to:
    nothing for the MLP, ATTENTION, or the name of a bias. `number` is the feature, or the id of a token or
    target in the vocabulary (UNKNOWN_TOKEN where the file does not give it). `text` is a logit's token. `share` is the
    cumulative share of influence, and `activation` a feature's, where the file has them; `encoded` is a feature's number as
    the file writes it.
    """

    place: str
    id: str
    kind: NodeKind
    layer: int
    position: int
    number: int
    label: str
    text: str
    probability: float
    activation: float | None
    share: float | None
    encoded: int | None = None
    part: str = ""
    index: int = 0
    layer_in_file: int = -1

    def id_here(self, n_layers: int) -> str:
        """Return the id that a graph of so many layers gives to this node."""
        match self.kind:
            case NodeKind.FEATURE:
                return feature_id(self.layer, self.number, self.position)
            case NodeKind.ERROR:
                return error_id(self.layer, self.position)
            case NodeKind.TOKEN:
                return token_id(self.number, self.position)
            case NodeKind.LOGIT:
                return logit_id(n_layers, self.number, self.position)


def read_nodes(entries: object, schema_version: object) -> list[ViewerNode]:
    """Return the nodes of a file, in its order. Raises ValueError, naming the place, for what cannot be a node."""
    if not isinstance(entries, list):
        raise ValueError(f"its nodes are not a list but {quoted(entries)}")
    objects = [_object(f"nodes[{number}]", entry) for number, entry in enumerate(entries)]
    feature_of = _encoding(objects, schema_version)
    return [_node(number, entry, feature_of) for number, entry in enumerate(objects)]


def _object(place: str, entry: object) -> Mapping[str, Any]:
    if not isinstance(entry, dict):
        raise ValueError(f"{place} is not an object but {quoted(entry)}")
    return entry


def kind_of(place: str, entry: Mapping[str, Any]) -> NodeKind:
    """Return the kind of a node. Raises ValueError for a kind that a graph here cannot have."""
    kind = FEATURE_TYPES.get(str(entry.get("feature_type")))
    if kind is None:
        raise ValueError(
            f"{place} has the feature_type {quoted(entry.get('feature_type'))}; nodes here are features, errors, biases, "
            "tokens and logits"
        )
    return kind


def _node(index: int, entry: Mapping[str, Any], feature_of: Callable[[str, Mapping[str, Any]], int]) -> ViewerNode:
    place = f"nodes[{index}]"
    kind = kind_of(place, entry)
    node = entry.get("node_id")
    if not isinstance(node, str) or not node:
        raise ValueError(f"{place} has no node_id")
    label = label_of(entry)
    match kind:
        case NodeKind.FEATURE:
            number = feature_of(place, entry)
        case NodeKind.ERROR:
            number = -1
        case NodeKind.TOKEN:
            number = _token_id(entry)
        case NodeKind.LOGIT:
            number = whole(f"{place}.feature", entry.get("feature"), LARGEST_INDEX)
    return ViewerNode(
        place,
        node,
        kind,
        _layer(place, entry, kind, label),
        whole(f"{place}.ctx_idx", entry.get("ctx_idx"), LARGEST_INDEX),
        number,
        label if kind is NodeKind.FEATURE else "",
        _logit_text(label, number) if kind is NodeKind.LOGIT else "",
        _probability(place, entry) if kind is NodeKind.LOGIT else 0.0,
        _optional(f"{place}.activation", entry.get("activation")) if kind is NodeKind.FEATURE else None,
        _optional(f"{place}.influence", entry.get("influence")),
        entry.get("feature") if kind is NodeKind.FEATURE and isinstance(entry.get("feature"), int) else None,
        _part(entry, node),
        index,
        -1 if kind is NodeKind.TOKEN else layer_of(place, entry),
    )


def label_of(entry: Mapping[str, Any]) -> str:
    """Return the label of a node; a feature's number is none, though some files have it in its place."""
    clerp = entry.get("clerp")
    label = repaired(clerp).strip() if isinstance(clerp, str) else ""
    return "" if label == f"F{entry.get('feature')}" else label


def _layer(place: str, entry: Mapping[str, Any], kind: NodeKind, label: str) -> int:
    if kind is NodeKind.TOKEN:
        return -1
    layer = layer_of(place, entry)
    return layer if kind is not NodeKind.LOGIT or label.startswith(_OWN_LABEL) else layer - 1


def _part(entry: Mapping[str, Any], node: str) -> str:
    """Return the part of its layer that a node is of; only its id says which bias it is."""
    kind = str(entry.get("feature_type"))
    if kind not in ("bias", "unknown"):
        return PARTS.get(kind, "")
    found = _BIAS_ID.fullmatch(node)
    return f"{kind} {one_line(repaired(found[1]), 60)}" if found is not None else kind


def layer_of(place: str, entry: Mapping[str, Any]) -> int:
    """Return the layer of a feature, error or logit, which is a number or the text of one."""
    layer = entry.get("layer")
    if isinstance(layer, str) and re.fullmatch(r"\d{1,9}", layer):
        layer = int(layer)
    return whole(f"{place}.layer", layer, MOST_LAYERS)


def whole(place: str, value: object, most: int) -> int:
    """Return a whole number from 0 up to `most`. Raises ValueError for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"{place} is {quoted(value)}, expected a whole number from 0 to {most}")
    return value


def _optional(place: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{place} is {quoted(value)}, expected a number")
    return float(value)


def _probability(place: str, entry: Mapping[str, Any]) -> float:
    value = _optional(f"{place}.token_prob", entry.get("token_prob"))
    if value is None or not 0 <= value <= 1:
        raise ValueError(f"{place}.token_prob is {quoted(entry.get('token_prob'))}, expected a probability")
    return value


def _token_id(entry: Mapping[str, Any]) -> int:
    """Return the id of a prompt's token, which stands in the names of its node alone; UNKNOWN_TOKEN where it does not."""
    for name in (entry.get("jsNodeId"), entry.get("node_id")):
        found = _TOKEN_ID.fullmatch(name) if isinstance(name, str) else None
        if found is not None:
            return int(found[1])
    return UNKNOWN_TOKEN


def _logit_text(label: str, number: int) -> str:
    """Return the token in the label of a logit, as in: Output " Austin" (p=0.332)."""
    found = _LOGIT_TEXT.fullmatch(label)
    return found[1] if found is not None else label or f"token {number}"


def _by_pairing(place: str, entry: Mapping[str, Any]) -> int:
    number = whole(f"{place}.feature", entry.get("feature"), 2**62)
    layer, feature = PAIRED.split(number)
    if layer != layer_of(place, entry):
        raise ValueError(
            f"{place}.feature is {number}, which encodes feature {feature} of layer {layer}, but its layer is "
            f"{quoted(entry.get('layer'))}"
        )
    return whole(f"{place}.feature", feature, LARGEST_INDEX)


def _by_digits(place: str, entry: Mapping[str, Any]) -> int:
    """Layer, then the feature in five digits: what Neuronpedia wrote for Gemma-2-2B before schema version 1."""
    number = whole(f"{place}.feature", entry.get("feature"), 2**62)
    layer, feature = DECIMAL.split(number)
    if layer != layer_of(place, entry):
        raise ValueError(f"{place}.feature is {number}, which does not begin with its layer")
    return feature


def _by_name(place: str, entry: Mapping[str, Any]) -> int:
    name = entry.get("jsNodeId")
    found = _NAMED_FEATURE.fullmatch(name) if isinstance(name, str) else None
    if found is None or int(found[1]) != layer_of(place, entry):
        raise ValueError(
            f"{place} does not say which feature it is: its feature {quoted(entry.get('feature'))} is in no known encoding, "
            f"and its jsNodeId {quoted(name)} does not name layer and feature"
        )
    return whole(f"{place}.jsNodeId", int(found[2]), LARGEST_INDEX)


def _encoding(objects: Sequence[Mapping[str, Any]], schema_version: object) -> Callable[[str, Mapping[str, Any]], int]:
    """Return how features are encoded: as the schema version says, else in the one way that suits all of them.

    Where both ways suit, as they do for small numbers of layer 0, the names that the viewer uses decide.

    Raises ValueError for a schema version that is not known.
    """
    if schema_version not in (None, 1):
        raise ValueError(f"its schema_version is {quoted(schema_version)}, and version 1 is known here")
    if schema_version == 1:
        return _by_pairing
    features = [
        (f"nodes[{number}]", entry)
        for number, entry in enumerate(objects)
        if kind_of(f"nodes[{number}]", entry) is NodeKind.FEATURE
    ]
    suiting = [way for way in (_by_pairing, _by_digits) if _suits(way, features)]
    return suiting[0] if len(suiting) == 1 else _by_name


def _suits(way: Callable[[str, Mapping[str, Any]], int], features: Sequence[tuple[str, Mapping[str, Any]]]) -> bool:
    try:
        for place, entry in features:
            way(place, entry)
    except ValueError:
        return False
    return True
