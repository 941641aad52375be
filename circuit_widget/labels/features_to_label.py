"""Which features to label: all, those of a graph, or some that a user lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Int

from circuit_widget.arguments import one_line, quoted
from circuit_widget.errors import NodeError
from circuit_widget.graph import Graph
from circuit_widget.nodes import Everywhere, Feature, several_nodes
from circuit_widget.transcoder.transcoder_set import TranscoderSet

FeaturesGiven: TypeAlias = Graph | str | Feature | Everywhere | Iterable[str | Feature | Everywhere]
"""Features as users give them: those of a graph, or node ids, Features or Everywheres."""

_FEATURE_ID = re.compile("([0-9]{1,9})_([0-9]{1,9})_[0-9]{1,9}")

EXPECTED = "features are node ids, Features or Everywheres, a Graph for its features, or None for all"


@dataclass(frozen=True, order=True)
class Wanted:
    """A feature to label; `negative` is the sign of activations, None for both."""

    layer: int
    feature: int
    negative: bool | None = None


def wanted_features(given: FeaturesGiven, transcoders: TranscoderSet) -> tuple[Wanted, ...]:
    """Return features that a user gave, each once, in their order; those of a graph have the sign of their activation.

    Raises:
        NodeError: something is no feature, or the model does not have it.
    """
    if isinstance(given, Graph):
        columns = (given.feature_layer.tolist(), given.feature_index.tolist(), (given.activation < 0).tolist())
        order = np.argsort(-given.influence[: given.n_features], kind="stable").tolist()
        features = list(zip(*columns, strict=True))
        found = [Wanted(*features[index]) for index in order]
    else:
        places = map(_place_of, several_nodes(given, NodeError))
        found = [Wanted(place.layer, place.feature) for place in places]
    for one in found:
        n_features = transcoders.n_features(one.layer) if one.layer < transcoders.n_layers else 0
        if one.feature >= n_features:
            raise NodeError(
                f"This model has no feature {one.feature} in layer {one.layer}; layer {one.layer} has {n_features:,} features."
            )
    return tuple(dict.fromkeys(found))


def by_layer(wanted: Iterable[Wanted]) -> Mapping[int, Int[np.ndarray, " n"]]:
    """Return the numbers of the features by layer."""
    found: dict[int, list[int]] = {}
    for one in sorted(wanted, key=lambda one: (one.layer, one.feature)):
        found.setdefault(one.layer, []).append(one.feature)
    return {layer: np.unique(np.array(numbers, dtype=np.int64)) for layer, numbers in found.items()}


def _place_of(given: Any) -> Everywhere:
    if isinstance(given, Everywhere):
        return given
    if isinstance(given, Feature):
        return Everywhere(given.layer, given.feature)
    match = _FEATURE_ID.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        displayed = f"“{one_line(given, 40)}”" if isinstance(given, str) else quoted(given)
        raise NodeError(f"{EXPECTED}; given {displayed}.")
    return Everywhere(int(match[1]), int(match[2]))
