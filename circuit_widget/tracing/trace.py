"""From a run to its attribution graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float32, Int64

from circuit_widget.attribution.edges import EdgeComputation
from circuit_widget.attribution.selection import Columns, Selection, select_features
from circuit_widget.attribution.targets import ChosenTarget, probability_shares
from circuit_widget.errors import PromptError
from circuit_widget.graph import JSON, Graph
from circuit_widget.nodes import PromptToken, Target
from circuit_widget.progress import IsCancelled
from circuit_widget.system.memory import memory_text
from circuit_widget.system.warning import warn
from circuit_widget.tracing.estimate import (
    MemoryFit,
    duration_text,
    edge_seconds,
    fit_to_memory,
    most_that_fit,
)
from circuit_widget.tracing.neuron_nodes import candidate_neurons
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.tracing.trace_size import size_of


def trace_run(
    run: PromptRun,
    targets: Sequence[ChosenTarget],
    *,
    max_features: int | None = None,
    step: int | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: IsCancelled | None = None,
) -> Graph:
    """Return the attribution graph of a run, without labels; its recipe has only the number of features left out.

    With `max_features`, the most influential features become nodes; the others become part of the error of their layer and
    position. They are ranked again after every `step` features; see `select_features`. Of neurons, those with the largest
    total attribution are ranked.
    Without a limit all active features become nodes, or as many as fit into memory, with a CircuitWidgetWarning.

    Raises:
        PromptError: no feature is active; max_features is not a number from 1 up, or does not fit into memory.
        Cancelled: `cancelled()` became true.
    """
    found = run.activations
    if not len(found):
        raise PromptError(
            f"No feature is active on this prompt's {len(run.prompt)} tokens up to position {run.position}, so there is "
            "nothing to trace. Write a longer prompt, or check that the transcoders were trained on this model."
        )
    fit = _fit_to_memory(run, len(targets), max_features)
    n_positions, n_layers = len(run.prompt), len(run.captured.layers)
    grid_layer, grid_position = np.divmod(np.arange(n_layers * n_positions, dtype=np.int32), np.int32(n_positions))
    selection = _select(run, targets, fit, step, progress, cancelled)
    kept = selection.features
    return Graph.build(
        tokens=prompt_tokens(run),
        targets=[Target(target.name, target.token_id, target.probability, target.logit) for target in targets],
        position=run.position,
        n_layers=n_layers,
        feature_layer=found.layer[kept],
        feature_position=found.position[kept],
        feature_index=found.feature[kept],
        activation=found.value[kept],
        error_layer=grid_layer,
        error_position=grid_position,
        token_position=np.arange(n_positions, dtype=np.int32),
        weights=selection.weights,
        recipe=_recipe(selection, len(found), max_features, step),
    )


def prompt_tokens(run: PromptRun) -> tuple[PromptToken, ...]:
    """Return the tokens of a run's prompt."""
    pairs = zip(run.prompt.texts, run.prompt.token_ids, strict=True)
    return tuple(PromptToken(text, token_id) for text, token_id in pairs)


def _fit_to_memory(run: PromptRun, n_targets: int, max_features: int | None) -> MemoryFit:
    """Return how the trace fits into memory; with a warning or a PromptError where it does not."""
    size = size_of(run)
    fit = fit_to_memory(size, n_targets, max_features)
    if fit.fits:
        return fit
    n_active, fitting = len(run.activations), most_that_fit(size, n_targets)
    wanted = f"The edges between {fit.features:,} features take {memory_text(fit.memory)}"
    available = f"{memory_text(fit.available)} of memory are available"
    if not fitting:
        raise PromptError(f"{wanted}, and {available}, too little for any. Trace a shorter prompt, or free memory.")
    if max_features is not None:
        raise PromptError(f"{wanted}, and {available}: enough for max_features={fitting:,}. Request at most as many.")
    warn(
        f"{n_active:,} features are active and their edges take {memory_text(fit.memory)}, but {available}: the "
        f"{fitting:,} with most influence become nodes, in about {duration_text(edge_seconds(size, n_targets, fitting))}; "
        "the others join the error of their layer and position. Pass max_features to choose how many.",
    )
    return fit_to_memory(size, n_targets, fitting)


def _select(
    run: PromptRun,
    targets: Sequence[ChosenTarget],
    fit: MemoryFit,
    step: int | None,
    progress: Callable[[float], None] | None,
    cancelled: IsCancelled | None,
) -> Selection:
    """Return the features that become nodes, and all edges."""
    if run.neurons is None:
        candidates, layers = np.arange(len(run.activations), dtype=np.int64), run.nodes
    else:
        neurons = candidate_neurons(run, run.neurons, targets, fit.features, cancelled)
        candidates, layers = neurons.rows, neurons.layers
    directions = torch.stack([target.direction for target in targets])
    n_rows = fit.features + len(targets)
    edges = EdgeComputation(run.frozen, layers, run.captured.embedding, directions, n_rows=n_rows).edges
    if fit.features == len(candidates):
        return Selection(candidates, edges(progress=progress, cancelled=cancelled).numpy(), 0)

    known = 0

    def rows_of(rows: Int64[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows columns"]:
        nonlocal known
        before = known
        known += len(rows)
        report = None if progress is None else lambda done: progress((before + done * len(rows)) / n_rows)
        return edges(torch.from_numpy(rows), progress=report, cancelled=cancelled).numpy()

    n_positions = len(run.prompt)
    layer, position = run.activations.layer[candidates], run.activations.position[candidates]
    selection = select_features(
        rows_of,
        Columns(layer, n_positions * layer + position, len(layers) * n_positions, n_positions),
        probability_shares(targets),
        fit.features,
        step=step,
        store_bytes=fit.store_bytes,
    )
    return Selection(candidates[selection.features], selection.weights, selection.dropped_candidates)


def _recipe(selection: Selection, n_active: int, max_features: int | None, step: int | None) -> dict[str, JSON]:
    """Return the part of the recipe about the choice of features."""
    recipe: dict[str, JSON] = {"active_features": n_active, "left_out_features": n_active - len(selection.features)}
    if max_features is not None:
        recipe["max_features"] = max_features
    if step is not None:
        recipe["step"] = step
    if selection.dropped_candidates:
        recipe["left_out_for_memory"] = selection.dropped_candidates
    return recipe
