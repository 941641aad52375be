"""An intervention as numbers: the features that are watched, those among them that are held, and at what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuit_widget.graph import Graph
from circuit_widget.intervention.held import Held


@dataclass(frozen=True, eq=False)
class Places:
    """Some watched features of one layer: where each is in the list of all, its position and its number."""

    index: Int[Tensor, " n"]
    positions: Int[Tensor, " n"]
    features: Int[Tensor, " n"]

    def where(self, mask: Bool[Tensor, " n"]) -> Places:
        """Return those for which `mask` is true."""
        return Places(self.index[mask], self.positions[mask], self.features[mask])


@dataclass(frozen=True, eq=False)
class Experiment:
    """The watched features (those of a graph, then held ones it does not have) and the held ones.

    `before` are activations on the prompt, `held` are places in the list of watched features, `values` what they are
    held at.
    """

    layer: Int[Tensor, " features"]
    position: Int[Tensor, " features"]
    feature: Int[Tensor, " features"]
    before: Float[Tensor, " features"]
    held: Int[Tensor, " held"]
    values: Float[Tensor, " held"]
    n_layers: int

    @property
    def first_layer(self) -> int:
        """The lowest layer with a held feature."""
        return int(self.layer[self.held].min())

    @property
    def first_position(self) -> int:
        """The earliest position with a held feature."""
        return int(self.position[self.held].min())

    @cached_property
    def is_held(self) -> Bool[Tensor, " features"]:
        """Whether each watched feature is held."""
        mask = torch.zeros(len(self.layer), dtype=torch.bool, device=self.layer.device)
        mask[self.held] = True
        return mask

    @cached_property
    def held_values(self) -> Float[Tensor, " features"]:
        """What each held feature is held at; for the others, their activation."""
        values = self.before.clone()
        values[self.held] = self.values
        return values

    @cached_property
    def places(self) -> tuple[Places, ...]:
        """All watched features, layer by layer."""
        every = torch.arange(len(self.layer), device=self.layer.device)
        return tuple(
            Places(index := every[self.layer == layer], self.position[index], self.feature[index])
            for layer in range(self.n_layers)
        )

    @cached_property
    def held_places(self) -> tuple[Places, ...]:
        """The held features, layer by layer."""
        return tuple(places.where(self.is_held[places.index]) for places in self.places)


def plan(graph: Graph, held: Sequence[Held], device: torch.device) -> Experiment:
    """Return the experiment that holds some features while all features of a graph are watched."""
    ids = {node: place for place, node in enumerate(graph.node_ids[: graph.n_features])}
    extra = [item for item in held if item.feature.id not in ids]
    for place, item in enumerate(extra):
        ids[item.feature.id] = graph.n_features + place

    def column(values: np.ndarray, added: list[int]) -> Int[Tensor, " features"]:
        return torch.tensor(np.concatenate([values, np.array(added, dtype=np.int64)]), dtype=torch.long, device=device)

    before = np.concatenate([graph.activation, np.array([item.before for item in extra], dtype=np.float32)])
    return Experiment(
        layer=column(graph.feature_layer, [item.feature.layer for item in extra]),
        position=column(graph.feature_position, [item.feature.position for item in extra]),
        feature=column(graph.feature_index, [item.feature.feature for item in extra]),
        before=torch.tensor(before, dtype=torch.float32, device=device),
        held=torch.tensor([ids[item.feature.id] for item in held], dtype=torch.long, device=device),
        values=torch.tensor([item.value for item in held], dtype=torch.float32, device=device),
        n_layers=graph.n_layers,
    )
