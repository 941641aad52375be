"""What the nodes of an intervention stand for: features, errors and tokens of a run's prompt."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from circuit_widget.arguments import quoted
from circuit_widget.errors import InterventionError, NodeError
from circuit_widget.graph import Graph
from circuit_widget.graph.node_table import feature_at
from circuit_widget.intervention.kinds import Place
from circuit_widget.nodes import ErrorNode, Everywhere, Feature, NodeKind, TokenNode, read_constant
from circuit_widget.tracing.activations import Activations
from circuit_widget.tracing.run import Run
from circuit_widget.transcoder.transcoder_set import TranscoderSet

Constant: TypeAlias = ErrorNode | TokenNode
"""A node without an activation: it is a vector that stays what it is, whatever else changes."""

Touched: TypeAlias = Feature | Constant

Other: TypeAlias = Callable[[str | Sequence[int]], Run]
"""From another prompt to its run."""

Named: TypeAlias = Callable[[str], Touched]
"""From a node id to what it stands for; raises NodeError or InterventionError where that cannot be changed."""

LeftOut: TypeAlias = Callable[[ErrorNode, Collection[Feature]], Sequence[Feature]]
"""From an error to the active features that joined it because the graph has no room for them, held ones left out."""


def nothing_left_out(*_: object) -> Sequence[Feature]:
    """Return no feature."""
    return ()


@dataclass(frozen=True, eq=False)
class Setting:
    """What interventions are read against: a run of their prompt, its nodes by id, the transcoders, and other prompts.

    `open_ended`: tokens that are not there yet will be touched too, so that a feature may become active later.
    """

    run: Run
    named: Named
    transcoders: TranscoderSet
    other: Other
    left_out: LeftOut = nothing_left_out
    open_ended: bool = False


def named_in(graph: Graph) -> Named:
    """Return how ids are looked up among the nodes of a graph, and errors wherever there are any."""

    def named(node: str) -> Touched:
        constant = read_constant(node)
        if isinstance(constant, ErrorNode):
            return constant
        index = graph.index(node)
        if constant is not None:
            return constant
        if index >= graph.n_features:
            kind = NodeKind(graph.node_kinds[index]).value
            raise InterventionError(f"Features, errors and tokens can be changed; {quoted(node)} is of kind {kind}.")
        return feature_at(graph, index)

    return named


def left_out_in(graph: Graph, activations: Activations) -> LeftOut:
    """Return which features joined the errors of a graph that was limited to some features.

    Raises:
        InterventionError: when asked of a graph that was limited and then pruned, where something may have joined.
    """

    def left_out(error: ErrorNode, held: Collection[Feature]) -> Sequence[Feature]:
        if not graph.left_out:
            return ()
        active = activations.at(error.layer, error.position)
        found = [feature for feature in active if graph.find(feature) is None and feature not in held]
        if found and graph.pruned:
            raise InterventionError(
                f"This graph was limited to some features and then pruned, so which of the others belong to the error "
                f"{error.id!r} can no longer be told. Change it on the graph as it was before pruning."
            )
        return found

    return left_out


def touched_by(place: Place, setting: Setting) -> Sequence[Touched]:
    """Return what one entry of an intervention's nodes stands for, checked against prompt and transcoders.

    Raises:
        InterventionError: a position that cannot be changed, or a node of a kind that cannot.
        NodeError: a node that is not in the graph, a layer or feature that does not exist.
    """
    first, last = setting.run.activations.first_position, setting.run.position
    if isinstance(place, Everywhere):
        _check_feature(place, setting.transcoders)
        return [place.at(position) for position in range(first, last + 1)]
    if isinstance(place, Feature):
        _check_feature(place, setting.transcoders)
        if not first <= place.position <= last:
            raise InterventionError(
                f"{place} cannot be changed; positions {first} to {last} can "
                "(features before them are not read, later positions do not reach the traced one)."
            )
        return (place,)
    node = setting.named(place)
    if isinstance(node, ErrorNode):
        _check_error(node, setting)
    elif isinstance(node, TokenNode) and node.position > last:
        raise InterventionError(
            f"The token {node.id!r} cannot be changed; those at positions 0 to {last} can "
            "(later positions do not reach the traced one)."
        )
    return (node,)


def _check_feature(place: Feature | Everywhere, transcoders: TranscoderSet) -> None:
    if place.layer >= transcoders.n_layers:
        raise NodeError(f"{place} does not exist; the model has layers 0 to {transcoders.n_layers - 1}.")
    if place.feature >= transcoders.n_features(place.layer):
        last = transcoders.n_features(place.layer) - 1
        raise NodeError(f"{place} does not exist; layer {place.layer} has features 0 to {last}.")


def _check_error(error: ErrorNode, setting: Setting) -> None:
    first, last, n_layers = setting.run.activations.first_position, setting.run.position, setting.transcoders.n_layers
    if error.layer >= n_layers:
        raise NodeError(f"The error {error.id!r} does not exist; the model has layers 0 to {n_layers - 1}.")
    if not first <= error.position <= last:
        raise InterventionError(
            f"The error {error.id!r} cannot be changed; those at positions {first} to {last} can "
            "(nothing before them is reconstructed, later positions do not reach the traced one)."
        )
