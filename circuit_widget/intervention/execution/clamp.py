"""From interventions to the value at which each node that they change is clamped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float64, Int64

from circuit_widget.errors import InterventionError
from circuit_widget.intervention.alignment import alignment_between
from circuit_widget.intervention.execution.constant_nodes import (
    ClampedError,
    ClampedToken,
    ConstantValue,
    clamped_errors,
    clamped_tokens,
)
from circuit_widget.intervention.execution.feature_clamps import FeatureClamps, latest
from circuit_widget.intervention.execution.resolve import (
    ConstantNode,
    ResolveContext,
    Resolved,
    ResolvedNodes,
    resolve,
    resolve_all,
)
from circuit_widget.intervention.kinds import Ablate, Add, Intervention, Node, Scale, Set, SwapIn
from circuit_widget.nodes import ErrorNode, Everywhere, Feature, TokenNode
from circuit_widget.tracing.activations import Activations, active_rows, by_place, features_at, values_of
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.tracing.trace import prompt_tokens

LARGEST = float(np.finfo(np.float32).max)
"""The largest activation that a model can compute with."""


@dataclass(frozen=True, eq=False)
class ClampedNodes:
    """Everything that interventions clamp: features, errors and tokens, each sorted."""

    features: FeatureClamps
    errors: tuple[ClampedError, ...] = ()
    tokens: tuple[ClampedToken, ...] = ()


@dataclass(frozen=True, eq=False)
class _Changes:
    """The values at which one intervention clamps features (layer, position and number), and errors and tokens."""

    features: Int64[np.ndarray, "n 3"]
    values: Float64[np.ndarray, " n"]
    constants: Mapping[ConstantNode, ConstantValue] = field(default_factory=dict)


def clamp(interventions: Sequence[Intervention], context: ResolveContext) -> ClampedNodes:
    """Return what the interventions clamp; where two change the same node, the later one counts.

    Raises:
        InterventionError: a kind of node that the intervention does not take, an inactive feature to ablate or scale,
            a value beyond the numbers of a model, a position that cannot be changed, prompts that cannot be aligned.
        NodeError: a node that is not in the graph, a feature that does not exist.
    """
    changes = [_changes(intervention, context) for intervention in interventions]
    constants = {node: value for one in changes for node, value in one.constants.items()}
    features, values = latest(
        np.concatenate([one.features for one in changes]), np.concatenate([one.values for one in changes])
    )
    _check_size(features, values)
    return ClampedNodes(
        FeatureClamps(features, values_of(context.run.activations, features), values),
        clamped_errors(constants, features, context),
        clamped_tokens(constants, context.run),
    )


def _check_size(features: Int64[np.ndarray, "n 3"], values: Float64[np.ndarray, " n"]) -> None:
    beyond = np.flatnonzero(~(np.abs(values) <= LARGEST))
    if len(beyond):
        feature = Feature(*features[beyond[0]].tolist())
        raise InterventionError(
            f"{feature} would be clamped at {values[beyond[0]]:g}, and the numbers of a model end at {LARGEST:.1e}; give a "
            "factor or value that is nearer to usual ones."
        )


def without_everywhere(intervention: Intervention, context: ResolveContext) -> Intervention:
    """Return the same intervention with each Everywhere replaced by Features, at the positions that it changes.

    These are all positions for Set and Add, and those where the feature is active for the others.
    """
    if not any(isinstance(entry, Everywhere) for entry in intervention.members):
        return intervention
    nodes: list[tuple[Node, ...]] = [
        _features(resolve(entry, context)) if isinstance(entry, Everywhere) else (entry,)
        for entry in intervention.members
    ]
    if isinstance(intervention, Set | Add):
        each = _one_for_each(intervention.value, len(nodes))
        values = {node: value for some, value in zip(nodes, each, strict=True) for node in some}
        value = intervention.value if isinstance(intervention.value, float) else tuple(values.values())
        return replace(intervention, nodes=tuple(values), value=value)
    before = context.run.activations
    return replace(
        intervention, nodes=[node for some in nodes for node in some if isinstance(node, str) or node in before]
    )


def _features(nodes: Sequence[Resolved]) -> tuple[Feature, ...]:
    return tuple(node for node in nodes if isinstance(node, Feature))


def _changes(intervention: Intervention, context: ResolveContext) -> _Changes:
    nodes = resolve_all(intervention.members, context)
    match intervention:
        case Ablate():
            return _scaled(intervention, nodes, context, 0.0)
        case Scale(factor=factor):
            return _scaled(intervention, nodes, context, factor)
        case Set():
            return _Changes(nodes.features, _given(intervention, nodes))
        case Add():
            before = values_of(context.run.activations, nodes.features)
            return _Changes(nodes.features, before + _given(intervention, nodes))
        case SwapIn():
            return _swapped(intervention, nodes, context)
        case _:
            raise InterventionError(f"{type(intervention).__name__} is not an intervention this model knows.")


def _scaled(intervention: Ablate | Scale, nodes: ResolvedNodes, context: ResolveContext, factor: float) -> _Changes:
    """Return nodes at a factor times what they are, if every entry that is a feature is active at some position."""
    entries, activations = intervention.members, context.run.activations
    inactive = np.bincount(nodes.entries, minlength=len(entries)) > 0
    inactive[nodes.entries[active_rows(activations, nodes.features) >= 0]] = False
    for index in np.flatnonzero(inactive).tolist():
        entry = entries[index]
        may_become_active = context.open_ended and isinstance(entry, Everywhere)
        if not may_become_active:
            first = nodes.features[np.searchsorted(nodes.entries, index)]
            named = entry if isinstance(entry, Everywhere) else Feature(*first.tolist())
            raise InterventionError(
                f"{named} is not active on this prompt, so there is nothing to {intervention.kind}; Set and Add can make "
                "it active."
            )
    before = values_of(activations, nodes.features)
    with np.errstate(over="ignore"):
        values = factor * before
    return _Changes(nodes.features, values, dict.fromkeys(nodes.constants, ConstantValue(factor)))


def _given(intervention: Set | Add, nodes: ResolvedNodes) -> Float64[np.ndarray, " n"]:
    """Return the value that an intervention has for each feature; an error or a token is refused."""
    for node in nodes.constants:
        what = "an error" if isinstance(node, ErrorNode) else "a token"
        raise InterventionError(
            f"{node.id!r} is {what}, which has no activation that {type(intervention).__name__} could change; "
            "Ablate, Scale and SwapIn take errors and tokens."
        )
    each = np.array(_one_for_each(intervention.value, len(intervention.members)), dtype=np.float64)
    values: Float64[np.ndarray, " n"] = each[nodes.entries]
    return values


def _one_for_each(value: float | Sequence[float], count: int) -> Sequence[float]:
    return (value,) * count if isinstance(value, float | int) else value


def _swapped(swap: SwapIn, nodes: ResolvedNodes, context: ResolveContext) -> _Changes:
    run, other = context.run, context.run_prompt(swap.prompt)
    pairs = alignment_between(prompt_tokens(run), prompt_tokens(other), swap.pairs).pairs
    if swap.features is None:
        injected = _newly_active(nodes.features, run.activations, other.activations, pairs)
    else:
        injected = _incoming(swap, context)
    features = np.concatenate([nodes.features, injected])
    counterparts = features.copy()
    for number in dict.fromkeys(features[:, 1].tolist()):
        first = Feature(*features[np.argmax(features[:, 1] == number)].tolist())
        counterparts[features[:, 1] == number, 1] = _counterpart(first, pairs, run, other)
    return _Changes(
        features,
        values_of(other.activations, counterparts),
        {node: ConstantValue(0.0, (other, _counterpart(node, pairs, run, other))) for node in nodes.constants},
    )


def _incoming(swap: SwapIn, context: ResolveContext) -> Int64[np.ndarray, "n 3"]:
    nodes = resolve_all(swap.incoming, context)
    for node in nodes.constants:
        raise InterventionError(
            f"The features to swap in are features; {node.id!r} is none. Name it among the nodes of SwapIn."
        )
    return nodes.features


def _counterpart(node: Resolved, pairs: Mapping[int, int], run: PromptRun, other: PromptRun) -> int:
    """Return the position of the other prompt that a node's position is paired with."""
    if node.position not in pairs:
        raise InterventionError(
            f"Position {node.position} ({run.prompt.texts[node.position]!r}) has no counterpart in the other prompt. "
            "Use a prompt of the same form, give an alignment, or leave this position out."
        )
    position, first = pairs[node.position], other.prompt.first_position
    if position < first and not isinstance(node, TokenNode):
        raise InterventionError(
            f"Position {node.position} is paired with position {position} of the other prompt, where features and "
            f"errors are not read; they are from position {first} on. Give another alignment, or leave this position out."
        )
    return position


def _newly_active(
    features: Int64[np.ndarray, "n 3"], activations: Activations, others: Activations, pairs: Mapping[int, int]
) -> Int64[np.ndarray, "new 3"]:
    """Return the features active in the other prompt and not in this one, at the layers and positions of `features`."""
    found = [np.zeros((0, 3), dtype=np.int64)]
    for (layer, position), _ in by_place(features):
        if position in pairs:
            there = features_at(others, layer, pairs[position])
            there[:, 1] = position
            found.append(there[active_rows(activations, there) < 0])
    return np.concatenate(found)
