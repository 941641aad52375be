"""From interventions to what each touched node is held at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from circuit_widget.errors import InterventionError
from circuit_widget.intervention.alignment import alignment_between
from circuit_widget.intervention.execution.constant_nodes import Become, HeldError, HeldToken, held_errors, held_tokens
from circuit_widget.intervention.execution.resolve import Constant, Setting, Touched, touched_by
from circuit_widget.intervention.kinds import Ablate, Add, Intervention, Node, Place, Scale, Set, SwapIn
from circuit_widget.nodes import ErrorNode, Everywhere, Feature, TokenNode
from circuit_widget.tracing.activations import Activations
from circuit_widget.tracing.run import Run
from circuit_widget.tracing.trace import prompt_tokens


@dataclass(frozen=True)
class Clamped:
    """A touched feature, its activation on the prompt, and the value at which it is held."""

    feature: Feature
    before: float
    value: float


@dataclass(frozen=True, eq=False)
class AllHeld:
    """Everything that interventions hold: features, errors and tokens, each sorted."""

    features: tuple[Clamped, ...]
    errors: tuple[HeldError, ...] = ()
    tokens: tuple[HeldToken, ...] = ()


@dataclass(frozen=True, eq=False)
class _Changes:
    """What one intervention holds features at, and what errors and tokens become."""

    values: Mapping[Feature, float]
    becoming: Mapping[Constant, Become]


def hold(interventions: Sequence[Intervention], setting: Setting) -> AllHeld:
    """Return what the interventions hold; where two touch the same node, the later one holds.

    Raises:
        InterventionError: a node that cannot be changed so, an inactive feature to ablate or scale, a position that
            cannot be touched, prompts that cannot be aligned.
        NodeError: a node that is not in the graph, a feature that does not exist.
    """
    values: dict[Feature, float] = {}
    becoming: dict[Constant, Become] = {}
    for intervention in interventions:
        changes = _changes(intervention, setting)
        values.update(changes.values)
        becoming.update(changes.becoming)
    before = setting.run.activations
    return AllHeld(
        tuple(Clamped(feature, before.get(feature, 0.0), values[feature]) for feature in sorted(values)),
        held_errors(becoming, values.keys(), setting),
        held_tokens(becoming, setting.run),
    )


def spelled_out(intervention: Intervention, setting: Setting) -> Intervention:
    """Return the same with Features in the place of every Everywhere, where it is active or is made to be."""
    if not any(isinstance(place, Everywhere) for place in intervention.members):
        return intervention
    nodes: list[tuple[Node, ...]] = [
        tuple(_features(touched_by(place, setting))) if isinstance(place, Everywhere) else (place,)
        for place in intervention.members
    ]
    if isinstance(intervention, Set | Add):
        each = _each(intervention.value, len(nodes))
        values = {node: value for some, value in zip(nodes, each, strict=True) for node in some}
        value = intervention.value if isinstance(intervention.value, float) else tuple(values.values())
        return replace(intervention, nodes=tuple(values), value=value)
    before = setting.run.activations
    return replace(
        intervention, nodes=[node for some in nodes for node in some if isinstance(node, str) or node in before]
    )


def _changes(intervention: Intervention, setting: Setting) -> _Changes:
    touched = [touched_by(place, setting) for place in intervention.members]
    before = setting.run.activations
    match intervention:
        case Ablate():
            return _scaled(intervention.members, touched, setting, "ablate", 0.0)
        case Scale(factor=factor):
            return _scaled(intervention.members, touched, setting, "scale", factor)
        case Set(value=value):
            pairs = zip(_only_features(intervention, touched), _each(value, len(touched)), strict=True)
            return _Changes({feature: given for features, given in pairs for feature in features}, {})
        case Add(value=value):
            pairs = zip(_only_features(intervention, touched), _each(value, len(touched)), strict=True)
            return _Changes(
                {feature: before.get(feature, 0.0) + added for features, added in pairs for feature in features}, {}
            )
        case SwapIn():
            return _swapped(intervention, [node for some in touched for node in some], setting)
        case _:
            raise InterventionError(f"{type(intervention).__name__} is not an intervention this model knows.")


def _scaled(
    places: Sequence[Place], touched: Sequence[Sequence[Touched]], setting: Setting, verb: str, factor: float
) -> _Changes:
    """Return nodes at a factor times what they are, if every entry that is a feature is active somewhere."""
    values: dict[Feature, float] = {}
    for place, nodes in zip(places, touched, strict=True):
        features = _features(nodes)
        may_come = setting.open_ended and isinstance(place, Everywhere)
        if features and not may_come and not any(feature in setting.run.activations for feature in features):
            shown = place if isinstance(place, Everywhere) else features[0]
            raise InterventionError(
                f"{shown} is not active on this prompt, so there is nothing to {verb}; Set and Add can make it active."
            )
        values.update({feature: factor * setting.run.activations.get(feature, 0.0) for feature in features})
    constants = _constants(node for nodes in touched for node in nodes)
    return _Changes(values, dict.fromkeys(constants, Become(factor)))


def _features(nodes: Iterable[Touched]) -> list[Feature]:
    return [node for node in nodes if isinstance(node, Feature)]


def _constants(nodes: Iterable[Touched]) -> list[Constant]:
    return [node for node in nodes if isinstance(node, ErrorNode | TokenNode)]


def _only_features(intervention: Intervention, touched: Sequence[Sequence[Touched]]) -> list[list[Feature]]:
    """Return the features touched by each entry of an intervention that gives activations values."""
    for node in _constants(node for nodes in touched for node in nodes):
        what = "an error" if isinstance(node, ErrorNode) else "a token"
        raise InterventionError(
            f"{node.id!r} is {what}, which has no activation that {type(intervention).__name__} could change; "
            "Ablate, Scale and SwapIn take errors and tokens."
        )
    return [_features(nodes) for nodes in touched]


def _each(value: float | Sequence[float], count: int) -> Sequence[float]:
    return (value,) * count if isinstance(value, float | int) else value


def _swapped(swap: SwapIn, touched: Sequence[Touched], setting: Setting) -> _Changes:
    there, features = setting.other(swap.prompt), _features(touched)
    partner = alignment_between(prompt_tokens(setting.run), prompt_tokens(there), swap.pairs).pairs
    if swap.features is None:
        injected = _newly_active(features, setting.run.activations, there.activations, partner)
    else:
        injected = _incoming(swap, setting)
    values: dict[Feature, float] = {}
    for feature in [*features, *injected]:
        place = Feature(feature.layer, _counterpart(feature, partner, setting.run, there), feature.feature)
        values[feature] = there.activations.get(place, 0.0)
    constants = _constants(touched)
    return _Changes(
        values,
        {node: Become(0.0, (there, _counterpart(node, partner, setting.run, there))) for node in constants},
    )


def _incoming(swap: SwapIn, setting: Setting) -> list[Feature]:
    nodes = [node for place in swap.incoming for node in touched_by(place, setting)]
    for node in _constants(nodes):
        raise InterventionError(
            f"The features to swap in are features; {node.id!r} is none. Name it among the nodes of SwapIn."
        )
    return _features(nodes)


def _counterpart(node: Touched, partner: Mapping[int, int], run: Run, there: Run) -> int:
    """Return the position of the other prompt that a node's position stands for."""
    if node.position not in partner:
        raise InterventionError(
            f"Position {node.position} ({run.prompt.texts[node.position]!r}) has no counterpart in the other prompt. "
            "Use a prompt of the same form, give an alignment, or leave this position out."
        )
    position, first = partner[node.position], there.prompt.first_position
    if position < first and not isinstance(node, TokenNode):
        raise InterventionError(
            f"Position {node.position} stands for position {position} of the other prompt, where features and errors "
            f"are not read; they are from position {first} on. Give another alignment, or leave this position out."
        )
    return position


def _newly_active(
    features: Sequence[Feature], activations: Activations, elsewhere: Activations, partner: Mapping[int, int]
) -> list[Feature]:
    """Return the features active in the other prompt, and not in this one, at the places that `features` touch."""
    places = sorted({(feature.layer, feature.position) for feature in features if feature.position in partner})
    return [
        here
        for layer, position in places
        for there in elsewhere.at(layer, partner[position])
        if (here := Feature(layer, position, there.feature)) not in activations
    ]
