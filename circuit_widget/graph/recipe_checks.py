"""The recipe of a graph: how it was traced, as JSON; checks of its known entries."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

LOG_PROBABILITIES = "log probabilities"
"""The entry `logits` of a graph whose targets have the logarithms of their probabilities in place of logits."""


def check_recipe(recipe: Mapping[str, Any], n_features: int) -> None:
    """Raise ValueError, with a sentence, where a recipe has an entry of the wrong kind or contradicts the graph.

    All entries are optional; unknown ones may be any JSON. basis: "neurons" if neurons of the model are the features.
    logits: "log probabilities" if that is what targets have as their logits.
    model, transcoders, device, dtype, time, and input_site and output_site if they were arguments of load: texts.
    provenance: an object for each of the two, whose `files` give a hash by name. versions: a text for each library.
    layer_names: a text for each layer, where these are parts of the model's layers. seconds: a number. prompt: a text or
    whole numbers. prompt_token_ids: whole numbers. targets: a list of tokens, contrasts and directions, by ids.
    max_features, step: whole numbers from 1 up. first_position, active_features, left_out_features, left_out_for_memory:
    whole numbers from 0 up. thresholds (of a pruned graph): node and edge, from 0 to 1.
    """
    for name, value in recipe.items():
        kind = _KINDS.get(name)
        if kind is not None and not kind[0](value):
            raise ValueError(f"{name!r} of the recipe is not {kind[1]}")
    active, left_out = recipe.get("active_features"), recipe.get("left_out_features")
    if active is not None and left_out is not None and active - left_out < n_features:
        raise ValueError(f"the recipe leaves {left_out} of {active} features out, but {n_features} are nodes")
    if active is not None and left_out is not None and "thresholds" not in recipe and active - left_out != n_features:
        raise ValueError(f"the recipe leaves {left_out} of {active} features out, but {n_features} are nodes")


def target_kinds(recipe: Mapping[str, Any]) -> list[int | None] | None:
    """Return the token id of each target of a recipe, None for other targets; None if the recipe does not list them."""
    targets = recipe.get("targets")
    return None if targets is None else [entry.get("token") for entry in targets]


def _text(value: object) -> bool:
    return isinstance(value, str)


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _from_one(value: object) -> bool:
    return _count(value) and value != 0


def _prompt(value: object) -> bool:
    return _text(value) or _counts(value)


def _targets(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_target, value))


def _target(value: object) -> bool:
    match value:
        case {"token": token, **others}:
            return _count(token) and not others
        case {"contrast": [token, other], **others}:
            return _count(token) and _count(other) and token != other and not others
        case {"direction": name, "vector": [_, *_] as vector, **others}:
            return _text(name) and all(map(_real, vector)) and not others
    return False


def _real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and _real(value) and value >= 0


def _counts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(map(_count, value))


def _texts(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_text, value.values()))


def _origins(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(origin, Mapping) and _texts(origin.get("files", {})) for origin in value.values()
    )


def _thresholds(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and value.keys() == {"node", "edge"}
        and all(_number(share) and share <= 1 for share in value.values())
    )


_KINDS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "basis": (lambda value: value == "neurons", '"neurons"'),
    **dict.fromkeys(
        ("model", "transcoders", "device", "dtype", "input_site", "output_site", "time"), (_text, "a text")
    ),
    **dict.fromkeys(
        ("first_position", "active_features", "left_out_features", "left_out_for_memory"),
        (_count, "a whole number from 0 up"),
    ),
    "logits": (lambda value: value == LOG_PROBABILITIES, f'"{LOG_PROBABILITIES}"'),
    "seconds": (_number, "a number from 0 up"),
    "layer_names": (lambda value: isinstance(value, list | tuple) and all(map(_text, value)), "a list of texts"),
    **dict.fromkeys(("max_features", "step"), (_from_one, "a whole number from 1 up")),
    "prompt": (_prompt, "a text or a list of whole numbers from 0 up"),
    "targets": (_targets, "a list of tokens, contrasts and directions, by ids"),
    "prompt_token_ids": (_counts, "a list of whole numbers from 0 up"),
    "versions": (_texts, "an object of texts"),
    "provenance": (_origins, "an object of origins, whose files are an object of texts"),
    "thresholds": (_thresholds, "an object with node and edge, from 0 to 1"),
}
