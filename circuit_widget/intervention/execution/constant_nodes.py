"""Errors and embeddings of tokens that are held at something else: what is added in their place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.intervention.execution.resolve import Constant, Setting
from circuit_widget.nodes import ErrorNode, Feature, TokenNode
from circuit_widget.tracing.errors import errors_at
from circuit_widget.tracing.run import Run


@dataclass(frozen=True, eq=False)
class Become:
    """What an error or token is held at: `factor` times itself, plus that of another run at a position, if any."""

    factor: float
    elsewhere: tuple[Run, int] | None = None


@dataclass(frozen=True, eq=False)
class HeldError:
    """An error and what is added to what is written at each layer, in units of the transcoders' output site.

    Its own layer is the first; features that the graph left out, which belong to it, may write to layers above.
    """

    node: ErrorNode
    writes: Mapping[int, Float[Tensor, " d_model"]]


@dataclass(frozen=True, eq=False)
class HeldToken:
    """A token and what is added to the residual stream where it enters the first layer."""

    node: TokenNode
    change: Float[Tensor, " d_model"]


def held_errors(
    becoming: Mapping[Constant, Become], held: Collection[Feature], setting: Setting
) -> tuple[HeldError, ...]:
    """Return the errors among some nodes, sorted, with what is added in their place.

    The features that a graph left out belong to the error of their layer and position, each as it is on the prompt,
    unless it is itself `held`. Of a swap, they take their values there.

    Raises:
        InterventionError: as `left_out_in` does.
    """
    errors = {node: becoming[node] for node in sorted(node for node in becoming if isinstance(node, ErrorNode))}
    own = _errors({node: (setting.run, node.position) for node in errors}, setting)
    others = _errors({node: become.elsewhere for node, become in errors.items() if become.elsewhere}, setting)
    found = []
    for node, become in errors.items():
        change = (become.factor - 1) * own[node]
        writes = {node.layer: change + others[node] if node in others else change}
        for layer, written in _joined(node, become, held, setting):
            writes[layer] = writes[layer] + written if layer in writes else written
        found.append(HeldError(node, writes))
    return tuple(found)


def held_tokens(becoming: Mapping[Constant, Become], run: Run) -> tuple[HeldToken, ...]:
    """Return the tokens among some nodes, by position, with what is added to their embeddings."""
    found = []
    for node in sorted((node for node in becoming if isinstance(node, TokenNode)), key=lambda node: node.position):
        become = becoming[node]
        change = (become.factor - 1) * run.captured.embedding[node.position]
        if become.elsewhere is not None:
            there, position = become.elsewhere
            change = change + there.captured.embedding[position]
        found.append(HeldToken(node, change))
    return tuple(found)


def _errors(places: Mapping[ErrorNode, tuple[Run, int]], setting: Setting) -> dict[ErrorNode, Tensor]:
    """Return for each error the one of its layer in a run and at a position."""
    groups: dict[tuple[int, int], list[ErrorNode]] = {}
    for node, (run, _) in places.items():
        groups.setdefault((id(run), node.layer), []).append(node)
    found: dict[ErrorNode, Tensor] = {}
    for (_, layer), nodes in groups.items():
        run = places[nodes[0]][0]
        vectors = errors_at(run, setting.transcoders, layer, [places[node][1] for node in nodes])
        found.update(zip(nodes, vectors, strict=True))
    return found


def _joined(
    error: ErrorNode, become: Become, held: Collection[Feature], setting: Setting
) -> Iterator[tuple[int, Float[Tensor, " d_model"]]]:
    """Yield what the features that belong to an error no longer write, or write instead, for each layer they write to."""
    features = setting.left_out(error, held)
    if not features:
        return
    values = [(become.factor - 1) * setting.run.activations[feature] for feature in features]
    if become.elsewhere is not None:
        there, position = become.elsewhere
        for place, feature in enumerate(features):
            values[place] += there.activations.get(Feature(feature.layer, position, feature.feature), 0.0)
    for layer in setting.transcoders.written_layers(error.layer):
        device = setting.run.captured.layers[layer].mlp_output.device
        numbers = torch.tensor([feature.feature for feature in features], dtype=torch.long, device=device)
        rows = setting.transcoders.decoder_rows(error.layer, numbers, layer).to(device)
        yield layer, torch.tensor(values, dtype=torch.float32, device=device) @ rows
