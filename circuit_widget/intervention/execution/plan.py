"""An intervention as tensors: which features, errors and tokens are clamped, and at what values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuit_widget.graph import Graph
from circuit_widget.graph.node_table import feature_numbers
from circuit_widget.intervention.execution.clamp import ClampedNodes
from circuit_widget.intervention.execution.constant_nodes import ClampedError, ClampedToken
from circuit_widget.intervention.execution.feature_clamps import FeatureClamps, rows_in
from circuit_widget.intervention.execution.graph_features import GraphFeatures


@dataclass(frozen=True, eq=False)
class LayerClamps:
    """The clamped features of one layer: the index of each among all clamped ones, its position and its number.

    `index` is on the device of the plan's values, the others on the layer's.
    """

    index: Int[Tensor, " n"]
    positions: Int[Tensor, " n"]
    features: Int[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, eq=False)
class ErrorWrites:
    """What the clamped errors of layer `source` add to the MLP output of one layer, at some positions.

    It does not depend on what else changes. Both tensors are on the device of the layer that is written to.
    """

    source: int
    positions: Int[Tensor, " n"]
    changes: Float[Tensor, "n d_model"]


@dataclass(frozen=True, eq=False)
class ClampPlan:
    """What one experiment clamps.

    Attributes:
        clamped: the features, sorted.
        before, values: their activations on the prompt, and the values at which they are clamped.
        columns: of those that are features of the graph, the indices in `GraphFeatures`.
        of_graph: indices in `clamped` of the same features.
        outside_graph: the clamped features that are not in the graph.
        layers: the clamped features of each layer that has any.
        errors, tokens: the clamped errors and tokens.
        error_writes: what clamped errors add, by the layer they write to.
    """

    clamped: FeatureClamps
    before: Float[Tensor, " clamped"]
    values: Float[Tensor, " clamped"]
    columns: Int[Tensor, " of_graph"]
    of_graph: Int[Tensor, " of_graph"]
    outside_graph: FeatureClamps
    layers: dict[int, LayerClamps]
    errors: tuple[ClampedError, ...]
    tokens: tuple[ClampedToken, ...]
    error_writes: dict[int, tuple[ErrorWrites, ...]]

    @cached_property
    def first_layer(self) -> int:
        """The lowest layer with a clamped feature or error; 0 where a token is clamped."""
        return 0 if self.tokens else min([*self.layers, *(item.node.layer for item in self.errors)])

    @cached_property
    def first_position(self) -> int:
        """The earliest position with a clamped node."""
        features = self.clamped.features[:, 1]
        return min(
            [
                *([int(features.min())] if len(features) else []),
                *(item.node.position for item in self.errors),
                *(item.node.position for item in self.tokens),
            ]
        )

    def embedding_change(self, rows: range) -> Float[Tensor, "rows d_model"] | None:
        """Return what clamped tokens add, at some positions, to the residual stream that enters the first layer."""
        if not self.tokens:
            return None
        change = torch.zeros_like(self.tokens[0].change).repeat(len(rows), 1)
        for item in self.tokens:
            change[item.node.position - rows.start] += item.change
        return change


def plan_clamps(graph: Graph, graph_features: GraphFeatures, nodes: ClampedNodes) -> ClampPlan:
    """Return the plan that clamps some nodes."""
    clamped = nodes.features
    layer, position, feature = clamped.features.T
    # A graph has far fewer nodes than may be clamped, so they are looked up among these.
    found = rows_in(clamped.features, feature_numbers(graph))
    in_graph = np.flatnonzero(found >= 0)
    in_graph = in_graph[np.argsort(found[in_graph])]
    outside = np.ones(len(clamped), dtype=bool)
    outside[found[in_graph]] = False
    device = graph_features.before.device
    before, values = (
        torch.as_tensor(numbers, device=device).to(torch.float32) for numbers in (clamped.before, clamped.value)
    )
    by_layer = {number: np.flatnonzero(layer == number) for number in np.unique(layer).tolist()}
    return ClampPlan(
        clamped=clamped,
        before=before,
        values=values,
        columns=graph_features.column[torch.as_tensor(in_graph, device="cpu")],
        of_graph=torch.as_tensor(found[in_graph], device=device),
        outside_graph=clamped.where(outside),
        layers={
            number: _layer_clamps(index, position, feature, device, graph_features.devices[number])
            for number, index in by_layer.items()
        },
        errors=nodes.errors,
        tokens=nodes.tokens,
        error_writes=_error_writes(nodes.errors),
    )


def _error_writes(errors: Sequence[ClampedError]) -> dict[int, tuple[ErrorWrites, ...]]:
    """Return what clamped errors add, by the layer they write to, grouped by their own layer."""
    groups: dict[tuple[int, int], list[ClampedError]] = {}
    for item in errors:
        for written in item.writes:
            groups.setdefault((written, item.node.layer), []).append(item)
    found: dict[int, tuple[ErrorWrites, ...]] = {}
    for (written, source), items in groups.items():
        changes = torch.stack([item.writes[written] for item in items])
        positions = torch.tensor([item.node.position for item in items], dtype=torch.long, device=changes.device)
        found[written] = (*found.get(written, ()), ErrorWrites(source, positions, changes))
    return found


def _layer_clamps(
    index: Int[np.ndarray, " n"],
    position: Int[np.ndarray, " features"],
    feature: Int[np.ndarray, " features"],
    device: torch.device,
    layer_device: torch.device,
) -> LayerClamps:
    """Return the clamped features with the given indices, all of one layer; `position` and `feature` have all of them."""
    return LayerClamps(
        torch.as_tensor(index, device=device),
        torch.as_tensor(position[index], device=layer_device),
        torch.as_tensor(feature[index], device=layer_device),
    )


def clamped_mask(graph_features: GraphFeatures, plans: Sequence[ClampPlan]) -> Bool[Tensor, "batch features"]:
    """Return which graph features each plan clamps."""
    mask = torch.zeros(len(plans), len(graph_features), dtype=torch.bool, device=graph_features.before.device)
    for row, one in enumerate(plans):
        mask[row, one.columns] = True
    return mask
