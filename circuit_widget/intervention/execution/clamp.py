"""From interventions to the value at which each node that they change is clamped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from circuit_widget.errors import InterventionError
from circuit_widget.intervention.alignment import alignment_between
from circuit_widget.intervention.execution.constant_nodes import (
    ClampedError,
    ClampedToken,
    ConstantValue,
    clamped_errors,
    clamped_tokens,
)
from circuit_widget.intervention.execution.resolve import Constant, Resolved, Setting, resolve
from circuit_widget.intervention.kinds import Ablate, Add, Intervention, Node, NodeEntry, Scale, Set, SwapIn
from circuit_widget.nodes import ErrorNode, Everywhere, Feature, TokenNode
from circuit_widget.tracing.activations import Activations
from circuit_widget.tracing.run import Run
from circuit_widget.tracing.trace import prompt_tokens


@dataclass(frozen=True)
class ClampedFeature:
    """A feature, its activation on the prompt, and the value at which it is clamped."""

    feature: Feature
    before: float
    value: float


@dataclass(frozen=True, eq=False)
class ClampedNodes:
    """Everything that interventions clamp: features, errors and tokens, each sorted."""

    features: tuple[ClampedFeature, ...]
    errors: tuple[ClampedError, ...] = ()
    tokens: tuple[ClampedToken, ...] = ()


@dataclass(frozen=True, eq=False)
class _Changes:
    """The values at which one intervention clamps features, and errors and tokens."""

    features: Mapping[Feature, float]
    constants: Mapping[Constant, ConstantValue]


def clamp(interventions: Sequence[Intervention], setting: Setting) -> ClampedNodes:
    """Return what the interventions clamp; where two change the same node, the later one counts.

    Raises:
        InterventionError: a kind of node that the intervention does not take, an inactive feature to ablate or scale,
            a position that cannot be changed, prompts that cannot be aligned.
        NodeError: a node that is not in the graph, a feature that does not exist.
    """
    features: dict[Feature, float] = {}
    constants: dict[Constant, ConstantValue] = {}
    for intervention in interventions:
        changes = _changes(intervention, setting)
        features.update(changes.features)
        constants.update(changes.constants)
    before = setting.run.activations
    return ClampedNodes(
        tuple(ClampedFeature(feature, before.get(feature, 0.0), features[feature]) for feature in sorted(features)),
        clamped_errors(constants, features.keys(), setting),
        clamped_tokens(constants, setting.run),
    )


def without_everywhere(intervention: Intervention, setting: Setting) -> Intervention:
    """Return the same intervention with each Everywhere replaced by Features, at the positions that it changes.

    These are all positions for Set and Add, and those where the feature is active for the others.
    """
    if not any(isinstance(entry, Everywhere) for entry in intervention.members):
        return intervention
    nodes: list[tuple[Node, ...]] = [
        tuple(_features(resolve(entry, setting))) if isinstance(entry, Everywhere) else (entry,)
        for entry in intervention.members
    ]
    if isinstance(intervention, Set | Add):
        each = _one_for_each(intervention.value, len(nodes))
        values = {node: value for some, value in zip(nodes, each, strict=True) for node in some}
        value = intervention.value if isinstance(intervention.value, float) else tuple(values.values())
        return replace(intervention, nodes=tuple(values), value=value)
    before = setting.run.activations
    return replace(
        intervention, nodes=[node for some in nodes for node in some if isinstance(node, str) or node in before]
    )


def _changes(intervention: Intervention, setting: Setting) -> _Changes:
    resolved = [resolve(entry, setting) for entry in intervention.members]
    before = setting.run.activations
    match intervention:
        case Ablate():
            return _scaled(intervention.members, resolved, setting, "ablate", 0.0)
        case Scale(factor=factor):
            return _scaled(intervention.members, resolved, setting, "scale", factor)
        case Set(value=value):
            pairs = zip(_only_features(intervention, resolved), _one_for_each(value, len(resolved)), strict=True)
            return _Changes({feature: new for features, new in pairs for feature in features}, {})
        case Add(value=value):
            pairs = zip(_only_features(intervention, resolved), _one_for_each(value, len(resolved)), strict=True)
            return _Changes(
                {feature: before.get(feature, 0.0) + added for features, added in pairs for feature in features}, {}
            )
        case SwapIn():
            return _swapped(intervention, [node for some in resolved for node in some], setting)
        case _:
            raise InterventionError(f"{type(intervention).__name__} is not an intervention this model knows.")


def _scaled(
    entries: Sequence[NodeEntry],
    resolved: Sequence[Sequence[Resolved]],
    setting: Setting,
    verb: str,
    factor: float,
) -> _Changes:
    """Return nodes at a factor times what they are, if every entry that is a feature is active at some position."""
    values: dict[Feature, float] = {}
    for entry, nodes in zip(entries, resolved, strict=True):
        features = _features(nodes)
        may_become_active = setting.open_ended and isinstance(entry, Everywhere)
        if features and not may_become_active and not any(one in setting.run.activations for one in features):
            named = entry if isinstance(entry, Everywhere) else features[0]
            raise InterventionError(
                f"{named} is not active on this prompt, so there is nothing to {verb}; Set and Add can make it active."
            )
        values.update({feature: factor * setting.run.activations.get(feature, 0.0) for feature in features})
    constants = _constants(node for nodes in resolved for node in nodes)
    return _Changes(values, dict.fromkeys(constants, ConstantValue(factor)))


def _features(nodes: Iterable[Resolved]) -> list[Feature]:
    return [node for node in nodes if isinstance(node, Feature)]


def _constants(nodes: Iterable[Resolved]) -> list[Constant]:
    return [node for node in nodes if isinstance(node, ErrorNode | TokenNode)]


def _only_features(intervention: Intervention, resolved: Sequence[Sequence[Resolved]]) -> list[list[Feature]]:
    """Return the features that each entry of an intervention resolves to; an error or a token is refused."""
    for node in _constants(node for nodes in resolved for node in nodes):
        what = "an error" if isinstance(node, ErrorNode) else "a token"
        raise InterventionError(
            f"{node.id!r} is {what}, which has no activation that {type(intervention).__name__} could change; "
            "Ablate, Scale and SwapIn take errors and tokens."
        )
    return [_features(nodes) for nodes in resolved]


def _one_for_each(value: float | Sequence[float], count: int) -> Sequence[float]:
    return (value,) * count if isinstance(value, float | int) else value


def _swapped(swap: SwapIn, resolved: Sequence[Resolved], setting: Setting) -> _Changes:
    other, features = setting.run_prompt(swap.prompt), _features(resolved)
    pairs = alignment_between(prompt_tokens(setting.run), prompt_tokens(other), swap.pairs).pairs
    if swap.features is None:
        injected = _newly_active(features, setting.run.activations, other.activations, pairs)
    else:
        injected = _incoming(swap, setting)
    values: dict[Feature, float] = {}
    for feature in [*features, *injected]:
        counterpart = Feature(feature.layer, _counterpart(feature, pairs, setting.run, other), feature.feature)
        values[feature] = other.activations.get(counterpart, 0.0)
    return _Changes(
        values,
        {
            node: ConstantValue(0.0, (other, _counterpart(node, pairs, setting.run, other)))
            for node in _constants(resolved)
        },
    )


def _incoming(swap: SwapIn, setting: Setting) -> list[Feature]:
    nodes = [node for entry in swap.incoming for node in resolve(entry, setting)]
    for node in _constants(nodes):
        raise InterventionError(
            f"The features to swap in are features; {node.id!r} is none. Name it among the nodes of SwapIn."
        )
    return _features(nodes)


def _counterpart(node: Resolved, pairs: Mapping[int, int], run: Run, other: Run) -> int:
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
    features: Sequence[Feature], activations: Activations, others: Activations, pairs: Mapping[int, int]
) -> list[Feature]:
    """Return the features active in the other prompt and not in this one, at the layers and positions of `features`."""
    changed = sorted({(feature.layer, feature.position) for feature in features if feature.position in pairs})
    return [
        feature
        for layer, position in changed
        for counterpart in others.at(layer, pairs[position])
        if (feature := Feature(layer, position, counterpart.feature)) not in activations
    ]
