"""Errors and token embeddings that are clamped to something else: the vectors that are added for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from circuit_widget.intervention.execution.resolve import ConstantNode, ResolveContext
from circuit_widget.nodes import ErrorNode, TokenNode
from circuit_widget.tracing.activations import values_of
from circuit_widget.tracing.error_vectors import errors_at
from circuit_widget.tracing.prompt_run import PromptRun


@dataclass(frozen=True, eq=False)
class ConstantValue:
    """What an error or token is clamped to: `factor` times itself, plus, where given, its counterpart in another run.

    The counterpart is that run's error of the same layer, or token, at the given position.
    """

    factor: float
    counterpart: tuple[PromptRun, int] | None = None


@dataclass(frozen=True, eq=False)
class ClampedError:
    """An error and the vector that is added to the MLP output of each layer, in units of the transcoders' output site.

    Its own layer comes first. Features that the graph left out belong to the error and may write to layers above.
    """

    node: ErrorNode
    writes: Mapping[int, Float[Tensor, " d_model"]]


@dataclass(frozen=True, eq=False)
class ClampedToken:
    """A token and what is added to the residual stream where it enters the first layer."""

    node: TokenNode
    change: Float[Tensor, " d_model"]


def clamped_errors(
    constants: Mapping[ConstantNode, ConstantValue], clamped: Int64[np.ndarray, "n 3"], context: ResolveContext
) -> tuple[ClampedError, ...]:
    """Return the errors among some nodes, sorted, with the vectors that are added to change them.

    The features that a graph left out belong to the error of their layer and position and are scaled with it, unless
    they are among the `clamped` features (layer, position, number) themselves. In a swap, they take the values they have
    in the other run.

    Raises:
        InterventionError: as `left_out_lookup` does.
    """
    errors = {node: constants[node] for node in sorted(node for node in constants if isinstance(node, ErrorNode))}
    own = _errors({node: (context.run, node.position) for node in errors}, context)
    others = _errors({node: value.counterpart for node, value in errors.items() if value.counterpart}, context)
    found = []
    for node, value in errors.items():
        change = (value.factor - 1) * own[node]
        writes = {node.layer: change + others[node] if node in others else change}
        for layer, written in _left_out_writes(node, value, clamped, context):
            writes[layer] = writes[layer] + written if layer in writes else written
        found.append(ClampedError(node, writes))
    return tuple(found)


def clamped_tokens(constants: Mapping[ConstantNode, ConstantValue], run: PromptRun) -> tuple[ClampedToken, ...]:
    """Return the tokens among some nodes, by position, with what is added to their embeddings."""
    found = []
    for node in sorted((node for node in constants if isinstance(node, TokenNode)), key=lambda node: node.position):
        value = constants[node]
        change = (value.factor - 1) * run.captured.embedding[node.position]
        if value.counterpart is not None:
            other, position = value.counterpart
            change = change + other.captured.embedding[position]
        found.append(ClampedToken(node, change))
    return tuple(found)


def _errors(sources: Mapping[ErrorNode, tuple[PromptRun, int]], context: ResolveContext) -> dict[ErrorNode, Tensor]:
    """Return for each error node the error vector of its layer in the given run, at the given position."""
    groups: dict[tuple[int, int], list[ErrorNode]] = {}
    for node, (run, _) in sources.items():
        groups.setdefault((id(run), node.layer), []).append(node)
    found: dict[ErrorNode, Tensor] = {}
    for (_, layer), nodes in groups.items():
        run = sources[nodes[0]][0]
        vectors = errors_at(run, context.transcoders, layer, [sources[node][1] for node in nodes])
        found.update(zip(nodes, vectors, strict=True))
    return found


def _left_out_writes(
    error: ErrorNode, value: ConstantValue, clamped: Int64[np.ndarray, "n 3"], context: ResolveContext
) -> Iterator[tuple[int, Float[Tensor, " d_model"]]]:
    """Yield, for each layer they write to, by how much the output of the left-out features of an error changes."""
    features = context.left_out(error, clamped)
    if not len(features):
        return
    changes = (value.factor - 1) * values_of(context.run.activations, features)
    if value.counterpart is not None:
        other, position = value.counterpart
        there = features.copy()
        there[:, 1] = position
        changes += values_of(other.activations, there)
    for layer in context.transcoders.written_layers(error.layer):
        device = context.run.captured.layers[layer].mlp_output.device
        numbers = torch.as_tensor(features[:, 2], device=device)
        rows = context.transcoders.decoder_rows(error.layer, numbers, layer).to(device)
        yield layer, torch.tensor(changes, dtype=torch.float32, device=device) @ rows
