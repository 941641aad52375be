"""From the nodes that an intervention names to features, errors and tokens of a run's prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress, repeat
from operator import attrgetter
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from circuit_widget.arguments import quoted
from circuit_widget.errors import InterventionError, NodeError
from circuit_widget.graph import Graph
from circuit_widget.graph.node_table import feature_at, feature_numbers
from circuit_widget.intervention.execution.feature_clamps import rows_in
from circuit_widget.intervention.kinds import NodeEntry
from circuit_widget.nodes import ErrorNode, Everywhere, Feature, NodeKind, TokenNode, read_constant
from circuit_widget.tracing.activations import Activations, features_at, numbers_of
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.transcoder.transcoder_set import TranscoderSet

ConstantNode: TypeAlias = ErrorNode | TokenNode
"""A node without an activation: a vector that is constant in the graph's linear model, whatever else changes."""

Resolved: TypeAlias = Feature | ConstantNode

RunPrompt: TypeAlias = Callable[[str | Sequence[int]], PromptRun]
"""Runs another prompt, to swap in from."""

NodeLookup: TypeAlias = Callable[[str], Resolved]
"""From a node id to the node; raises NodeError or InterventionError where it cannot be changed."""

LeftOutLookup: TypeAlias = Callable[[ErrorNode, Int64[np.ndarray, "n 3"]], Int64[np.ndarray, "left_out 3"]]
"""From an error to the active features that the graph left out and added to it, without those that are clamped.

Features are layer, position and number.
"""


def nothing_left_out(*_: object) -> Int64[np.ndarray, "0 3"]:
    """Return no feature."""
    return np.zeros((0, 3), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class ResolveContext:
    """What the nodes of interventions are resolved against.

    Attributes:
        run: the run of the prompt that is changed.
        lookup: finds its nodes by id.
        transcoders: of the model.
        run_prompt: runs other prompts, to swap in from.
        left_out: finds the features that a limited graph added to an error.
        open_ended: whether tokens that are still to be generated are changed too. A feature may then become active
            later.
    """

    run: PromptRun
    lookup: NodeLookup
    transcoders: TranscoderSet
    run_prompt: RunPrompt
    left_out: LeftOutLookup = nothing_left_out
    open_ended: bool = False


def graph_lookup(graph: Graph) -> NodeLookup:
    """Return the lookup of ids among the nodes of a graph; errors are found whether or not the graph has them."""

    def lookup(node: str) -> Resolved:
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

    return lookup


def left_out_lookup(graph: Graph, activations: Activations) -> LeftOutLookup:
    """Return the lookup of the features that a graph limited to some features added to its errors.

    Raises:
        InterventionError: when looked up in a graph that was limited and then pruned, where it is no longer known.
    """

    if not graph.left_out:
        return nothing_left_out
    nodes = feature_numbers(graph)

    def left_out(error: ErrorNode, clamped: Int64[np.ndarray, "n 3"]) -> Int64[np.ndarray, "left_out 3"]:
        active = features_at(activations, error.layer, error.position)
        found = active[(rows_in(nodes, active) < 0) & (rows_in(clamped, active) < 0)]
        if len(found) and graph.pruned:
            raise InterventionError(
                "This graph was limited to some features and then pruned, so it is no longer known which other features "
                f"belong to the error {error.id!r}. Change the error on the graph as it was before pruning."
            )
        return found

    return left_out


def resolve(entry: NodeEntry, context: ResolveContext) -> Sequence[Resolved]:
    """Return the nodes that one entry of an intervention names, checked against prompt and transcoders.

    Raises:
        InterventionError: a position that cannot be changed, or a node of a kind that cannot.
        NodeError: a node that is not in the graph, a layer or feature that does not exist.
    """
    first, last = context.run.activations.first_position, context.run.position
    if isinstance(entry, Everywhere):
        _check_feature(entry, context.transcoders)
        return [entry.at(position) for position in range(first, last + 1)]
    if isinstance(entry, Feature):
        _check_feature(entry, context.transcoders)
        if not first <= entry.position <= last:
            raise InterventionError(
                f"{entry} cannot be changed; positions {first} to {last} can "
                "(features before them are not read, later positions do not reach the traced one)."
            )
        return (entry,)
    node = context.lookup(entry)
    if isinstance(node, ErrorNode):
        _check_error(node, context)
    elif isinstance(node, TokenNode) and node.position > last:
        raise InterventionError(
            f"The token {node.id!r} cannot be changed; those at positions 0 to {last} can "
            "(later positions do not reach the traced one)."
        )
    return (node,)


@dataclass(frozen=True, eq=False)
class ResolvedNodes:
    """What the entries of an intervention's nodes name.

    Attributes:
        features: layer, position and number of each feature, in the order of the entries.
        entries: for each of them, the index of the entry that names it.
        constants: the errors and tokens.
    """

    features: Int64[np.ndarray, "n 3"]
    entries: Int64[np.ndarray, " n"]
    constants: tuple[ConstantNode, ...]


def resolve_all(entries: Sequence[NodeEntry], context: ResolveContext) -> ResolvedNodes:
    """Return the nodes that the entries of an intervention name, checked as `resolve` does, all Features at once.

    Raises:
        InterventionError, NodeError: as `resolve` does, of the first entry that cannot be changed.
    """
    at_once = np.fromiter(map(isinstance, entries, repeat(Feature)), dtype=bool, count=len(entries))
    # A number that is too large for NumPy makes these objects.
    listed = np.array([*map(attrgetter("layer", "position", "feature"), compress(entries, at_once))]).reshape(-1, 3)
    can_be_changed = _can_be_changed(listed, context)
    at_once[at_once] = can_be_changed
    features, indices = [listed[can_be_changed].astype(np.int64)], [np.flatnonzero(at_once)]
    constants: list[ConstantNode] = []
    for index in np.flatnonzero(~at_once).tolist():
        nodes = resolve(entries[index], context)
        constants.extend(node for node in nodes if not isinstance(node, Feature))
        features.append(numbers_of(node for node in nodes if isinstance(node, Feature)))
        indices.append(np.full(len(features[-1]), index, dtype=np.int64))
    order = np.argsort(np.concatenate(indices), kind="stable")
    return ResolvedNodes(np.concatenate(features)[order], np.concatenate(indices)[order], tuple(constants))


def _can_be_changed(features: Shaped[np.ndarray, "n 3"], context: ResolveContext) -> Bool[np.ndarray, " n"]:
    """Return which features, given as layer, position and number, exist and are at a position that can be changed."""
    transcoders = context.transcoders
    sizes = np.array([transcoders.n_features(layer) for layer in range(transcoders.n_layers)], dtype=np.int64)
    layer, position, number = features.T
    exists = number < sizes[np.minimum(layer, len(sizes) - 1).astype(np.int64)]
    first, last = context.run.activations.first_position, context.run.position
    return np.asarray((layer < len(sizes)) & exists & (first <= position) & (position <= last), dtype=bool)


def _check_feature(feature: Feature | Everywhere, transcoders: TranscoderSet) -> None:
    if feature.layer >= transcoders.n_layers:
        raise NodeError(f"{feature} does not exist; the model has layers 0 to {transcoders.n_layers - 1}.")
    if transcoders.n_features(feature.layer) == 0:
        raise NodeError(f"{feature} does not exist; layer {feature.layer} has no transcoder.")
    if feature.feature >= transcoders.n_features(feature.layer):
        last = transcoders.n_features(feature.layer) - 1
        raise NodeError(f"{feature} does not exist; layer {feature.layer} has features 0 to {last}.")


def _check_error(error: ErrorNode, context: ResolveContext) -> None:
    first, last, n_layers = context.run.activations.first_position, context.run.position, context.transcoders.n_layers
    if error.layer >= n_layers:
        raise NodeError(f"The error {error.id!r} does not exist; the model has layers 0 to {n_layers - 1}.")
    if not first <= error.position <= last:
        raise InterventionError(
            f"The error {error.id!r} cannot be changed; those at positions {first} to {last} can "
            "(nothing before them is reconstructed, later positions do not reach the traced one)."
        )
