"""The arrays and texts of a graph: their types, and checks that they fit together and can be saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int32, Shaped
from numpy.typing import ArrayLike, DTypeLike

from circuit_widget.arguments import quoted
from circuit_widget.attribution.influence import layers_from_top, rows_at_once, slices
from circuit_widget.characters import half_character
from circuit_widget.nodes import PromptToken, Target

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph

FEATURE_ARRAYS = {
    "feature_layer": np.int32,
    "feature_position": np.int32,
    "feature_index": np.int32,
    "activation": np.float32,
}
ERROR_ARRAYS = {"error_layer": np.int32, "error_position": np.int32}
ARRAYS: dict[str, type[np.generic]] = {
    **FEATURE_ARRAYS,
    **ERROR_ARRAYS,
    "token_position": np.int32,
    "weights": np.float32,
    "influence": np.float32,
    "share": np.float32,
}


def check_kinds(tokens: object, targets: object, labels: object, recipe: object) -> None:
    """Raise ValueError, with a sentence, where tokens, targets, labels or recipe have a wrong type."""
    for what, kind, given in (("tokens", PromptToken, tokens), ("targets", Target, targets)):
        if not isinstance(given, list | tuple) or not all(isinstance(one, kind) for one in given):
            raise ValueError(f"{what} are a list of {kind.__name__}s; given {quoted(given)}")
    for what, mapping in (("labels", labels), ("recipe", recipe)):
        if not isinstance(mapping, Mapping):
            raise ValueError(f"{what} are a mapping; given {quoted(mapping)}")


def check_texts(graph: Graph) -> None:
    """Raise ValueError, with a sentence, where a token, target or label is not a text that UTF-8 can encode."""
    for node in graph.labels:
        if not isinstance(node, str):
            raise ValueError(f"labels are texts by node id; given {quoted(node)} as the id")
    texts = {
        "token": [token.text for token in graph.tokens],
        "target": [target.token for target in graph.targets],
        "label": graph.labels.values(),
    }
    for what, given in texts.items():
        for text in given:
            if not isinstance(text, str):
                raise ValueError(f"a {what} is a text; given {quoted(text)}")
            if (half := half_character(text)) is not None:
                raise ValueError(f"the {what} {quoted(text)} has half of a character, {half}; give whole characters")


def check_arrays(graph: Graph) -> None:
    """Raise ValueError, with a sentence, where lengths, order or ranges of a graph's arrays contradict each other."""
    n_features, n_errors, n_tokens = len(graph.feature_layer), len(graph.error_layer), len(graph.token_position)
    n_sources = n_features + n_errors + n_tokens
    n_nodes = n_sources + len(graph.targets)
    shapes: dict[str, tuple[int, ...]] = {
        **dict.fromkeys(FEATURE_ARRAYS, (n_features,)),
        **dict.fromkeys(ERROR_ARRAYS, (n_errors,)),
        "token_position": (n_tokens,),
        "weights": (n_features + len(graph.targets), n_sources),
        "influence": (n_nodes,),
        "share": (n_nodes,),
    }
    for name, shape in shapes.items():
        if getattr(graph, name).shape != shape:
            raise ValueError(f"{name} has shape {getattr(graph, name).shape}, but its nodes need {shape}")
    if not graph.targets or not graph.tokens:
        raise ValueError("a graph has at least one token and one target")
    for what, number in (("position", graph.position), ("n_layers", graph.n_layers)):
        if isinstance(number, bool) or not isinstance(number, int):
            raise ValueError(f"{what} is a whole number; given {quoted(number)}")
    if not 0 <= graph.position < len(graph.tokens):
        raise ValueError(f"position {quoted(graph.position)} is not one of the {len(graph.tokens)} tokens")
    within("feature_layer", graph.feature_layer, graph.n_layers)
    within("error_layer", graph.error_layer, graph.n_layers)
    for name in ("feature_position", "error_position", "token_position"):
        within(name, getattr(graph, name), len(graph.tokens))
    ascending("features", graph.feature_layer, graph.feature_position, graph.feature_index)
    ascending("errors", graph.error_layer, graph.error_position)
    ascending("tokens", graph.token_position)
    if n_features and graph.feature_index.min() < 0:
        raise ValueError("feature_index counts from 0")
    for name in ("activation", "influence", "share"):
        if not np.isfinite(getattr(graph, name)).all():
            raise ValueError(f"{name} has values that are not finite")


def check_weights(
    weights: Float32[np.ndarray, "*shape"], feature_layer: Int32[np.ndarray, " features"], n_targets: int
) -> None:
    """Raise ValueError where a weight is not finite, or an edge between features does not lead to a higher layer."""
    n_features = len(feature_layer)
    if weights.ndim != 2 or len(weights) != n_features + n_targets or weights.shape[1] < n_features:
        raise ValueError(f"weights has shape {weights.shape}, but its nodes need {n_features + n_targets} rows")
    at_once = rows_at_once(weights.shape[1])
    for rows, below in layers_from_top(feature_layer, n_features + n_targets):
        for part in slices(rows, at_once):
            if not np.isfinite(weights[part]).all():
                raise ValueError("weights has values that are not finite")
            if weights[part, below:n_features].any():
                raise ValueError("weights has an edge between features that does not lead to a higher layer")


def exactly(name: str, values: ArrayLike, dtype: DTypeLike) -> Shaped[np.ndarray, "..."]:
    """Return numbers as a contiguous array of a dtype. Raises ValueError for numbers that an integer dtype does not have."""
    try:
        given = np.asarray(values)
        with np.errstate(invalid="ignore"):
            found = np.ascontiguousarray(given, dtype=dtype)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ValueError(f"{name} is an array of numbers; given {quoted(values)}") from error
    if given.ndim == 0:
        raise ValueError(f"{name} has shape (), expected one number for each node; given {quoted(values)}")
    if found.dtype.kind in "iu" and given.dtype != found.dtype and not np.array_equal(given, found):
        wrong = given[given != found].flat[0]
        raise ValueError(f"{name} has {wrong}, which is not a number of type {found.dtype}")
    return found


def within(name: str, numbers: Int32[np.ndarray, " numbers"], end: int) -> None:
    """Raise ValueError where a number is not in 0 .. end - 1."""
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < end:
        raise ValueError(f"{name} leaves the range 0 to {end - 1}")


def ascending(what: str, *keys: Int32[np.ndarray, " nodes"]) -> None:
    """Raise ValueError unless the tuples of keys are strictly ascending."""
    tied = np.ones(max(len(keys[0]) - 1, 0), dtype=bool)
    for key in keys:
        step = np.diff(key)
        if (tied & (step < 0)).any():
            raise ValueError(f"{what} are not in order")
        tied &= step == 0
    if tied.any():
        raise ValueError(f"{what} have the same node twice")
