"""Reads the graphs that circuit-tracer saves with torch (`.pt`): tensors and texts alone, nothing in them is run."""

from __future__ import annotations

import math
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from circuit_widget.arguments import quoted
from circuit_widget.characters import repaired
from circuit_widget.errors import GraphFileError
from circuit_widget.graph.consistency import check_consistency
from circuit_widget.graph.graph import JSON, Graph
from circuit_widget.graph.header_json import LARGEST, check_plain
from circuit_widget.graph.recipe_checks import LOG_PROBABILITIES
from circuit_widget.nodes import PromptToken, Target, token_name
from circuit_widget.system.memory import available_memory
from circuit_widget.system.paths import quoted_path

FORMAT = "circuit-tracer graph (.pt)"

STANDING_IN = ("circuit_tracer.", "transformer_lens.", "transformers.models.")
"""Packages whose classes a file may name: an empty object, which keeps what is saved of it, stands in for each."""

LARGEST_ID = 2**31 - 1
"""Largest id of a token."""

SMALLEST_PROBABILITY = 1e-38
SHARE_OF_MEMORY = 0.5

SETTINGS = (
    "model_name",
    "tokenizer_name",
    "original_architecture",
    "n_layers",
    "d_model",
    "n_heads",
    "d_head",
    "d_vocab",
)
"""Settings of the model that are kept."""


class _Saved:
    """Stands in for an object of another package: what was saved of it, and nothing that could run."""

    def __new__(cls, *arguments: object) -> _Saved:
        made = super().__new__(cls)
        made.arguments = arguments
        return made

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments

    def __setstate__(self, state: object) -> None:
        self.state = state


def read_circuit_tracer_graph(path: Path) -> Graph:
    """Return the graph in a file that circuit-tracer saved, with all the edges that it has.

    Features that were active but not chosen as nodes are in no error there, so that rows sum to less than with
    `model.trace`. The file has no texts of the prompt's tokens: each is written as its id, and `graph.show(model)` and
    `model.attach(graph)` give them their texts. Logits are logarithms of probabilities, as `recipe["logits"]` says.

    Raises GraphFileError for a file with objects of other kinds, one that is cut off, or that contradicts itself.
    """
    try:
        graph = _graph(_saved(path))
        check_consistency(graph)
    except (ValueError, TypeError, OverflowError, RecursionError) as problem:
        raise GraphFileError(
            f"{quoted_path(path)} cannot be read as a graph of circuit-tracer: {problem}."
        ) from problem
    return graph


def _saved(path: Path) -> Mapping[str, Any]:
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no zip archive, as torch has written them since 2020, or it is cut off")
        unknown = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        refused = [name for name in unknown if not name.startswith(STANDING_IN)]
        if refused:
            raise ValueError(
                f"it contains {quoted(refused[0])}, which may run code; tensors, texts and settings of models are read"
            )
        with torch.serialization.safe_globals([_stand_in(name) for name in unknown]):
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, KeyError, IndexError, AttributeError, EOFError, OSError) as problem:
        raise ValueError(f"it is damaged, or contains more than a graph: {_first_line(problem)}") from problem
    if not isinstance(found, dict) or "adjacency_matrix" not in found:
        raise ValueError("it has no adjacency_matrix")
    return found


def _stand_in(name: str) -> type:
    module, _, own = name.rpartition(".")
    made = type(own, (_Saved,), {})
    made.__module__, made.__qualname__ = module, own
    return made


def _first_line(problem: BaseException) -> str:
    return str(problem).strip().split("\n")[0][:160] or type(problem).__name__


def _graph(saved: Mapping[str, Any]) -> Graph:
    ids = _whole(saved, "input_tokens", 1)
    if not len(ids) or not 0 <= ids.min() <= ids.max() <= LARGEST_ID:
        raise ValueError(f"input_tokens is {quoted(ids.tolist())}, expected the ids of the prompt's tokens")
    active, selected = _whole(saved, "active_features", 2), _whole(saved, "selected_features", 1)
    if active.shape[1] != 3:
        raise ValueError(f"active_features has shape {active.shape}, expected layer, position and feature of each")
    if len(selected) and not 0 <= selected.min() <= selected.max() < len(active):
        raise ValueError(f"selected_features leaves the range of its {len(active):,} active features")
    cfg, n_positions = _settings(saved.get("cfg")), len(ids)
    n_layers = cfg.get("n_layers")
    if isinstance(n_layers, bool) or not isinstance(n_layers, int) or n_layers < 1:
        raise ValueError(f"cfg.n_layers is {quoted(n_layers)}, expected the number of layers")
    probabilities = _numbers(saved, "logit_probabilities", 1).astype(np.float64)
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("logit_probabilities has values that are not between 0 and 1")
    targets = _targets(saved, probabilities)
    features = active[selected]
    order = np.lexsort((features[:, 2], features[:, 1], features[:, 0]))
    n_errors = n_layers * n_positions
    weights = _weights(saved, order, n_errors + n_positions, len(targets))
    layer, position = np.divmod(np.arange(n_errors), n_positions)
    features = features[order]
    return Graph.build(
        tokens=[PromptToken(token_name(number), number) for number in ids.tolist()],
        targets=targets,
        position=n_positions - 1,
        n_layers=n_layers,
        feature_layer=features[:, 0],
        feature_position=features[:, 1],
        feature_index=features[:, 2],
        activation=_activations(saved, selected, len(active))[order],
        error_layer=layer,
        error_position=position,
        token_position=np.arange(n_positions),
        weights=weights,
        recipe=_recipe(saved, cfg, len(active)),
    )


def _tensor(saved: Mapping[str, Any], key: str, dimensions: int) -> Tensor:
    value = saved.get(key)
    if not isinstance(value, Tensor) or value.ndim != dimensions or value.layout != torch.strided:
        raise ValueError(f"{key} is {quoted(value)}, expected a tensor with {dimensions} dimensions")
    return value


def _whole(saved: Mapping[str, Any], key: str, dimensions: int) -> Int64[np.ndarray, "..."]:
    value = _tensor(saved, key, dimensions)
    if value.is_floating_point() or value.is_complex() or value.dtype == torch.bool:
        raise ValueError(f"{key} has numbers of type {value.dtype}, expected whole numbers")
    return value.to(torch.int64).numpy()


def _numbers(saved: Mapping[str, Any], key: str, dimensions: int) -> Float32[np.ndarray, "..."]:
    value = _tensor(saved, key, dimensions)
    if value.is_complex():
        raise ValueError(f"{key} has numbers of type {value.dtype}, expected real numbers")
    return value.to(torch.float32).numpy()


def _activations(
    saved: Mapping[str, Any], selected: Int64[np.ndarray, " features"], n_active: int
) -> Float32[np.ndarray, " features"]:
    values = _numbers(saved, "activation_values", 1)
    if len(values) == n_active:
        chosen: np.ndarray = values[selected]
        return chosen
    if len(values) == len(selected):
        return values
    raise ValueError(f"activation_values has {len(values):,} numbers, but {n_active:,} features are active")


def _targets(saved: Mapping[str, Any], probabilities: np.ndarray) -> list[Target]:
    given = saved.get("logit_targets", saved.get("logit_tokens"))
    listed = given.tolist() if isinstance(given, Tensor) and given.ndim == 1 else given
    if not isinstance(listed, Sequence) or not listed or len(listed) != len(probabilities):
        raise ValueError(f"logit_targets are {quoted(given)}, expected one for each of logit_probabilities")
    return [
        Target(text, number, float(probability), math.log(max(float(probability), SMALLEST_PROBABILITY)))
        for (text, number), probability in zip(map(_target, listed), probabilities, strict=True)
    ]


def _target(given: object) -> tuple[str, int]:
    """Return text and id of a target: the fields of a LogitTarget, or an id alone."""
    parts = given.arguments if isinstance(given, _Saved) else given if isinstance(given, tuple) else ("", given)
    match parts:
        case (str(text), int(number)) if not isinstance(number, bool) and 0 <= number <= LARGEST_ID:
            return repaired(text) or token_name(number), number
    raise ValueError(f"a target is {quoted(parts)}, expected a text and a token id")


def _weights(
    saved: Mapping[str, Any], order: Int64[np.ndarray, " features"], n_constants: int, n_logits: int
) -> Float32[np.ndarray, "targets sources"]:
    matrix = _tensor(saved, "adjacency_matrix", 2)
    n_features = len(order)
    expected = n_features + n_constants + n_logits
    if tuple(matrix.shape) != (expected, expected):
        raise ValueError(f"adjacency_matrix has shape {tuple(matrix.shape)}, but its nodes need {(expected, expected)}")
    needed, free = 4 * (n_features + n_logits) * (expected - n_logits), available_memory()
    if needed > SHARE_OF_MEMORY * free:
        raise ValueError(
            f"the weights between its {expected:,} nodes take {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB of "
            "memory are free"
        )
    rows = np.concatenate([order, np.arange(expected - n_logits, expected)])
    columns = np.concatenate([order, np.arange(n_features, expected - n_logits)])
    constant = matrix[n_features : expected - n_logits]
    if bool(constant.any()) or bool(matrix[:, expected - n_logits :].any()):
        raise ValueError("adjacency_matrix has edges into errors or tokens, or out of logits")
    chosen = matrix[torch.from_numpy(rows)][:, torch.from_numpy(columns)].to(torch.float32)
    if not bool((chosen.abs() <= LARGEST).all()):
        raise ValueError(f"adjacency_matrix has values that are not finite, or above {LARGEST:g}")
    return chosen.numpy()


def _settings(cfg: object) -> Mapping[str, Any]:
    """Return the settings of a model: the state of an object of another package, or a plain object."""
    state = cfg.state if isinstance(cfg, _Saved) and hasattr(cfg, "state") else cfg
    if not isinstance(state, dict):
        raise ValueError(f"cfg is {quoted(cfg)}, expected the settings of a model")
    return state


def _recipe(saved: Mapping[str, Any], cfg: Mapping[str, Any], n_active: int) -> dict[str, JSON]:
    scan = saved.get("scan", saved.get("scan_name"))
    settings = {key: cfg[key] for key in SETTINGS if isinstance(cfg.get(key), str | int)}
    file: dict[str, Any] = {"format": FORMAT, "cfg": settings, "scan": scan, "active_features": n_active}
    if isinstance(saved.get("vocab_size"), int):
        file["vocab_size"] = saved["vocab_size"]
    if not (
        scan is None or isinstance(scan, str) or (isinstance(scan, list) and all(isinstance(one, str) for one in scan))
    ):
        raise ValueError(f"scan is {quoted(scan)}, expected a text")
    check_plain(file)
    recipe: dict[str, JSON] = {"logits": LOG_PROBABILITIES, "file": file}
    if isinstance(settings.get("model_name"), str):
        recipe["model"] = repaired(settings["model_name"])
    if isinstance(saved.get("input_string"), str):
        recipe["prompt"] = repaired(saved["input_string"])
    return recipe
