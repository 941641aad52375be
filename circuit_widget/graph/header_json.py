"""The JSON part of a graph file: everything but arrays and model, with a check of every value on reading."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from circuit_widget.nodes import UNKNOWN_TOKEN, PromptToken, Scores, Target

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph

LARGEST = 1e30
"""Largest absolute value of a number in a graph, so that sums of all of them are finite."""

DEEPEST = 64
"""Deepest nesting of objects and lists."""

LARGEST_WHOLE_NUMBER = 2**63


def description(graph: Graph) -> dict[str, Any]:
    """Everything of a graph but its arrays and its model, as JSON."""
    return {
        "tokens": [{"text": token.text, "token_id": token.token_id} for token in graph.tokens],
        "targets": [
            {
                "token": target.token,
                "token_id": target.token_id,
                "probability": target.probability,
                "logit": target.logit,
            }
            for target in graph.targets
        ],
        "position": graph.position,
        "n_layers": graph.n_layers,
        "scores": {
            "replacement": graph.recorded_scores.replacement,
            "completeness": graph.recorded_scores.completeness,
        },
        "labels": dict(graph.labels),
        "recipe": dict(graph.recipe),
    }


def read_description(text: str) -> dict[str, Any]:
    """The fields of a graph from its description. Raises ValueError for a missing value, a wrong type or range."""
    document = json.loads(
        text, parse_constant=_refuse_constant, parse_float=_finite_number, object_pairs_hook=_keys_once
    )
    check_plain(document)
    return parts(document)


def parts(document: object) -> dict[str, Any]:
    """The fields of a graph from its JSON description. Raises ValueError for a missing value, a wrong type or range."""
    whole = _object(document, "the description")
    scores = _object(whole.get("scores"), "scores")
    labels = _object(whole.get("labels"), "labels")
    return {
        "tokens": tuple(
            PromptToken(_text(token, "text"), _whole_number(token, "token_id", UNKNOWN_TOKEN))
            for token in _objects(whole, "tokens")
        ),
        "targets": tuple(
            Target(
                _text(target, "token"),
                _whole_number(target, "token_id"),
                _share(target, "probability"),
                _number(target, "logit"),
            )
            for target in _objects(whole, "targets")
        ),
        "position": _whole_number(whole, "position"),
        "n_layers": _whole_number(whole, "n_layers"),
        "recorded_scores": Scores(_share(scores, "replacement"), _share(scores, "completeness")),
        "labels": {node: _text(labels, node) for node in labels},
        "recipe": _object(whole.get("recipe"), "recipe"),
    }


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is not a number that can be stored")
    return number


def _keys_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a key twice")
    return found


def check_plain(value: object, depth: int = 0) -> None:
    """Raise ValueError where a value is nested too deep, a text cannot be written as UTF-8, or a number is too large."""
    if depth > DEEPEST:
        raise ValueError(f"objects and lists are nested more than {DEEPEST} deep")
    if isinstance(value, str):
        # UTF-8 cannot encode a lone surrogate, which is half of a character.
        value.encode()
    elif isinstance(value, dict):
        for key, entry in value.items():
            key.encode()
            check_plain(entry, depth + 1)
    elif isinstance(value, list):
        for entry in value:
            check_plain(entry, depth + 1)
    elif isinstance(value, int) and abs(value) > LARGEST_WHOLE_NUMBER:
        raise ValueError("a whole number has more than 64 bits")


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is not a JSON object")
    return value


def _objects(whole: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = whole.get(key)
    if not isinstance(value, list):
        raise ValueError(f"{key} is not a list")
    return [_object(entry, f"an entry of {key}") for entry in value]


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key!r} is not a text")
    return value


def _whole_number(entry: Mapping[str, Any], key: str, least: int = 0) -> int:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**31:
        raise ValueError(f"{key!r} is not a whole number from {least} up")
    return value


def _number(entry: Mapping[str, Any], key: str) -> float:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        raise ValueError(f"{key!r} is not a number of at most {LARGEST:g}")
    return float(value)


def _share(entry: Mapping[str, Any], key: str) -> float:
    value = _number(entry, key)
    if not 0 <= value <= 1:
        raise ValueError(f"{key!r} is not a number from 0 to 1")
    return value
