"""An intervention as numbers: the features that are held, and at what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuit_widget.graph import Graph
from circuit_widget.intervention.execution.clamp import AllHeld, Clamped
from circuit_widget.intervention.execution.constant_nodes import HeldError, HeldToken
from circuit_widget.intervention.execution.graph_features import Watched


@dataclass(frozen=True, eq=False)
class Places:
    """Held features of one layer: where each is in a list of all, its position and its number.

    `index` is where the numbers of all features are, the others where the layer is.
    """

    index: Int[Tensor, " n"]
    positions: Int[Tensor, " n"]
    features: Int[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, eq=False)
class Constants:
    """What is added to what some layer writes, at some positions, whatever else changes, for errors of a `source` layer.

    Both are where the layer is that is written to.
    """

    source: int
    positions: Int[Tensor, " n"]
    changes: Float[Tensor, "n d_model"]


@dataclass(frozen=True, eq=False)
class Experiment:
    """Features that are held, by layer; `before` are their activations on the prompt, `values` what they are held at.

    `columns` are the places among the watched features of those that the graph has, `of_graph` which ones these are;
    `added` are the others.
    `constants` are what held errors add, by the layer they are written to; `tokens` are those whose embeddings are held.
    """

    held: tuple[Clamped, ...]
    before: Float[Tensor, " held"]
    values: Float[Tensor, " held"]
    columns: Int[Tensor, " of_graph"]
    of_graph: Int[Tensor, " of_graph"]
    added: tuple[Clamped, ...]
    places: dict[int, Places]
    errors: tuple[HeldError, ...]
    tokens: tuple[HeldToken, ...]
    constants: dict[int, tuple[Constants, ...]]

    @cached_property
    def first_layer(self) -> int:
        """The lowest layer with a held feature or error, the first where a token is held."""
        return 0 if self.tokens else min([*self.places, *(item.node.layer for item in self.errors)])

    @cached_property
    def first_position(self) -> int:
        """The earliest position with a held node."""
        features = [item.feature.position for item in self.held]
        return min(
            [*features, *(item.node.position for item in self.errors), *(item.node.position for item in self.tokens)]
        )

    def entering(self, rows: range) -> Float[Tensor, "rows d_model"] | None:
        """Return what held tokens add to the residual stream that enters the first layer, at some positions."""
        if not self.tokens:
            return None
        entering = torch.zeros_like(self.tokens[0].change).repeat(len(rows), 1)
        for item in self.tokens:
            entering[item.node.position - rows.start] += item.change
        return entering


def plan(graph: Graph, watched: Watched, all_held: AllHeld) -> Experiment:
    """Return the experiment that holds some nodes."""
    held = all_held.features
    found = [graph.find(item.feature) for item in held]
    layer, position, feature = (
        np.array([getattr(item.feature, part) for item in held], dtype=np.int64)
        for part in ("layer", "position", "feature")
    )
    device = watched.before.device
    before, values = (
        torch.tensor([getattr(item, part) for item in held], dtype=torch.float32, device=device)
        for part in ("before", "value")
    )
    by_layer = {number: np.flatnonzero(layer == number) for number in np.unique(layer).tolist()}
    return Experiment(
        held=held,
        before=before,
        values=values,
        columns=watched.column[
            torch.tensor([place for place in found if place is not None], dtype=torch.long, device="cpu")
        ],
        of_graph=torch.tensor(
            [at for at, place in enumerate(found) if place is not None], dtype=torch.long, device=device
        ),
        added=tuple(item for item, place in zip(held, found, strict=True) if place is None),
        places={
            number: _placed(index, position, feature, device, watched.devices[number])
            for number, index in by_layer.items()
        },
        errors=all_held.errors,
        tokens=all_held.tokens,
        constants=_constants(all_held.errors),
    )


def _constants(errors: Sequence[HeldError]) -> dict[int, tuple[Constants, ...]]:
    """Return what held errors add, by the layer that it is written to, those of one layer together."""
    groups: dict[tuple[int, int], list[HeldError]] = {}
    for item in errors:
        for written in item.writes:
            groups.setdefault((written, item.node.layer), []).append(item)
    found: dict[int, tuple[Constants, ...]] = {}
    for (written, source), items in groups.items():
        changes = torch.stack([item.writes[written] for item in items])
        positions = torch.tensor([item.node.position for item in items], dtype=torch.long, device=changes.device)
        found[written] = (*found.get(written, ()), Constants(source, positions, changes))
    return found


def _placed(
    index: Int[np.ndarray, " n"],
    position: Int[np.ndarray, " features"],
    feature: Int[np.ndarray, " features"],
    device: torch.device,
    layer_device: torch.device,
) -> Places:
    """Return some features of a layer, given all."""
    return Places(
        torch.as_tensor(index, device=device),
        torch.as_tensor(position[index], device=layer_device),
        torch.as_tensor(feature[index], device=layer_device),
    )


def held_among(watched: Watched, experiments: Sequence[Experiment]) -> Bool[Tensor, "batch features"]:
    """Return which watched features each experiment holds."""
    held = torch.zeros(len(experiments), len(watched), dtype=torch.bool, device=watched.before.device)
    for row, experiment in enumerate(experiments):
        held[row, experiment.columns] = True
    return held
