"""Checks that the recorded numbers of a graph agree with those computed from its weights and probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from circuit_widget.attribution.influence import cumulative_share, flow
from circuit_widget.attribution.prune import fewest_influential
from circuit_widget.attribution.scores import scores_of
from circuit_widget.graph.arrays import check_weights
from circuit_widget.graph.header_json import LARGEST
from circuit_widget.graph.recipe_checks import check_recipe, target_kinds
from circuit_widget.nodes import Target

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph

MOST_LAYERS = 4096

RELATIVE, ABSOLUTE = 1e-4, 1e-6
"""Tolerances between recorded and computed numbers: another machine adds up float32 numbers in another order."""

SMALLEST_PROBABILITY = 1e-30
"""Smaller probabilities have lost digits."""

LOGIT_TOLERANCE = 1e-2

PROBABILITY_SUM = 1 + 1e-3


def check_consistency(graph: Graph) -> None:
    """Raise ValueError, with a sentence, where a graph contradicts itself, or a number is out of its range.

    Influence, shares and scores of a whole graph are computed again. A pruned graph has those of the graph it was pruned
    from, so only ranges are checked, and that shares rise as influence falls.
    """
    if not 0 < graph.n_layers <= MOST_LAYERS:
        raise ValueError(f"n_layers is not a number from 1 to {MOST_LAYERS}")
    check_weights(graph.weights, graph.feature_layer, len(graph.targets))
    for name in ("weights", "activation"):
        array = getattr(graph, name)
        if array.size and max(float(array.max()), -float(array.min())) > LARGEST:
            raise ValueError(f"{name} has values above {LARGEST:g}")
    check_recipe(graph.recipe, graph.n_features)
    names: Any = graph.recipe.get("layer_names")
    if names is not None and len(names) != graph.n_layers:
        raise ValueError(f"the recipe names {len(names)} layers where the graph has {graph.n_layers}")
    _check_tokens(graph)
    _check_targets(graph)
    _check_ranges(graph)
    if graph.pruned:
        _check_part(graph)
    else:
        _check_whole(graph)


def _check_tokens(graph: Graph) -> None:
    recorded = graph.recipe.get("prompt_token_ids")
    if recorded is not None and list(recorded) != [token.token_id for token in graph.tokens]:  # type: ignore[arg-type]
        raise ValueError("the tokens are not those of the prompt in the recipe")


def _check_targets(graph: Graph) -> None:
    ids = [target.token_id for target in graph.targets]
    if len(set(ids)) != len(ids):
        raise ValueError("targets have the same token twice")
    kinds = target_kinds(graph.recipe)
    if kinds is not None and len(kinds) != len(ids):
        raise ValueError(f"the recipe has {len(kinds)} targets where the graph has {len(ids)}")
    for index, (target, token) in enumerate(zip(graph.targets, kinds or (), strict=False)):
        if token is not None and token != target.token_id:
            raise ValueError(f"target {index} is token {target.token_id}, but token {token} in the recipe")
        if token is None and target.probability != 1:
            raise ValueError(f"target {index} is not a token, so its weight is 1, not {target.probability:g}")
    if kinds is not None:
        _check_logits([target for target, token in zip(graph.targets, kinds, strict=True) if token is not None])
    # Where the recipe does not list the targets, those of weight 1 may be contrasts or directions.
    tokens = [
        target.probability
        for index, target in enumerate(graph.targets)
        if (target.probability < 1 if kinds is None else kinds[index] is not None)
    ]
    if sum(tokens) > PROBABILITY_SUM:
        raise ValueError(f"the probabilities of the targets sum to {sum(tokens):g}, more than 1")


def _check_logits(tokens: Sequence[Target]) -> None:
    """Raise ValueError where probabilities contradict logits, whose differences are those of the log probabilities."""
    known = [target for target in tokens if target.probability > SMALLEST_PROBABILITY]
    offsets = [math.log(target.probability) - target.logit for target in known]
    if offsets and max(offsets) - min(offsets) > LOGIT_TOLERANCE:
        raise ValueError("the probabilities of the targets are not what follows from their logits")


def _check_ranges(graph: Graph) -> None:
    n_sources, most = graph.weights.shape[1], float(graph.target_weight.sum())
    if graph.influence[n_sources:].any() or graph.share[n_sources:].any():
        raise ValueError("influence and share of logits are not 0")
    if not _within(graph.influence, most):
        raise ValueError(f"influence leaves the range 0 to {most:g}, the summed weight of the targets")
    if not _within(graph.share, 1):
        raise ValueError("share leaves the range 0 to 1")
    for name in ("replacement", "completeness"):
        if not -ABSOLUTE <= getattr(graph.recorded_scores, name) <= 1 + ABSOLUTE:
            raise ValueError(f"the {name} score leaves the range 0 to 1")


def _within(numbers: Float32[np.ndarray, " numbers"], most: float) -> bool:
    return not len(numbers) or (float(numbers.min()) >= 0 and float(numbers.max()) <= most * (1 + RELATIVE) + ABSOLUTE)


def _check_part(graph: Graph) -> None:
    n_sources, n_pruned = graph.weights.shape[1], graph.n_features + graph.n_errors
    influence, share = graph.influence[:n_sources], graph.share[:n_sources]
    order = np.argsort(-influence, kind="stable")
    # A node's share is the influence of this node and all before it, divided by the total. A path has at most one node
    # for each layer and a token, so the total is at most n_layers + 1 times the weight of the targets.
    step = np.diff(share[order], prepend=np.float32(0))
    most = float(graph.target_weight.sum()) * (graph.n_layers + 1)
    if (step < -ABSOLUTE).any() or (influence[order] > (step + ABSOLUTE) * most * (1 + RELATIVE)).any():
        raise ValueError("share does not follow from influence")
    if (share[influence == 0] < 1 - ABSOLUTE).any():
        raise ValueError("share of a node without influence is not 1")
    threshold: Any = graph.recipe["thresholds"]
    if not fewest_influential(share, influence, threshold["node"])[:n_pruned].all():
        raise ValueError("nodes are left that do not belong to the threshold in the recipe")


def _check_whole(graph: Graph) -> None:
    n_sources = graph.weights.shape[1]
    with np.errstate(all="ignore"):
        solved = flow(graph.weights, graph.feature_layer, graph.target_weight)
        scores = scores_of(solved, graph.weights, graph.n_features, graph.n_errors, graph.target_weight)
        recorded = graph.influence[:n_sources]
        if not np.allclose(recorded, solved.influence, rtol=RELATIVE, atol=ABSOLUTE):
            raise ValueError("influence is not what follows from its weights")
        if not np.allclose(graph.share[:n_sources], cumulative_share(recorded), rtol=0, atol=ABSOLUTE):
            raise ValueError("share is not what follows from its influence")
    for name, expected in zip(("replacement", "completeness"), scores, strict=True):
        given = getattr(graph.recorded_scores, name)
        if not abs(given - expected) <= RELATIVE * expected + ABSOLUTE:
            raise ValueError(f"the {name} score is {given:g}, but {expected:g} follows from its weights")
