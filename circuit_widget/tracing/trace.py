"""From a prompt that was run to its attribution graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32

from circuit_widget.attribution.influence import node_influence
from circuit_widget.attribution.scores import fold_dropped
from circuit_widget.attribution.sweep import sweep
from circuit_widget.attribution.targets import ChosenTarget
from circuit_widget.errors import PromptError
from circuit_widget.graph import Graph
from circuit_widget.node import PromptToken, Target
from circuit_widget.tracing.run import Run


def trace_run(
    run: Run,
    targets: Sequence[ChosenTarget],
    *,
    max_features: int | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Graph:
    """Return the attribution graph of a run, without labels and recipe.

    With `max_features`, those with most influence stay and the others join the error of their layer and position.

    Raises:
        PromptError: max_features is not a number from 1 up.
        Cancelled: `cancelled()` became true.
    """
    directions = torch.stack([target.direction for target in targets])
    weights = sweep(
        run.frozen, run.nodes, run.captured.embedding, directions, progress=progress, cancelled=cancelled
    ).numpy()
    found = run.activations
    n_positions, n_layers = len(run.prompt), len(run.nodes)
    grid_layer, grid_position = np.divmod(np.arange(n_layers * n_positions, dtype=np.int32), np.int32(n_positions))
    keep = np.ones(len(found), dtype=bool)
    if max_features is not None:
        keep = _most_influential(weights, found.layer, targets, max_features)
        place = n_positions * found.layer + found.position
        weights, _ = fold_dropped(weights, keep, place, n_positions * grid_layer + grid_position)
    return Graph.build(
        tokens=prompt_tokens(run),
        targets=[Target(target.name, target.token_id, target.probability, target.logit) for target in targets],
        position=run.position,
        n_layers=n_layers,
        feature_layer=found.layer[keep],
        feature_position=found.position[keep],
        feature_index=found.feature[keep],
        activation=found.value[keep],
        error_layer=grid_layer,
        error_position=grid_position,
        token_position=np.arange(n_positions, dtype=np.int32),
        weights=weights,
    )


def prompt_tokens(run: Run) -> tuple[PromptToken, ...]:
    """Return the tokens of a run's prompt."""
    pairs = zip(run.prompt.texts, run.prompt.token_ids, strict=True)
    return tuple(PromptToken(text, token_id) for text, token_id in pairs)


def _most_influential(
    weights: Float32[np.ndarray, "rows columns"],
    feature_layer: np.ndarray[Any, Any],
    targets: Sequence[ChosenTarget],
    count: object,
) -> np.ndarray[Any, Any]:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise PromptError(f"max_features is a whole number from 1 up, or None for all; given {count!r}.")
    probability = np.array([target.probability for target in targets])
    influence = node_influence(weights, feature_layer, probability)[: len(feature_layer)]
    keep = np.zeros(len(feature_layer), dtype=bool)
    keep[np.argsort(-influence, kind="stable")[:count]] = True
    return keep
