"""The features that are nodes of a graph: their activations, and the encoder and decoder rows to follow them by.

Every re-run reads all of them, and every prediction runs through all of them, whichever are clamped.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuit_widget.graph import Graph
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.transcoder.transcoder_set import TranscoderSet

GATHERED_BYTES = 1 << 27
"""Memory for the gathered encoder and decoder rows of a graph; rows beyond it are gathered again at each use."""


@dataclass(frozen=True, eq=False)
class LayerFeatures:
    """The graph features of one layer from some position on, ordered by position.

    `columns` are their indices among all graph features; `start` is the number of features of the layer at earlier
    positions. `rows` are their positions, counted from the first one requested, and `features` their numbers in the
    transcoder; both are on the layer's device.
    """

    columns: slice
    start: int
    rows: Int[Tensor, " n"]
    features: Int[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.features)


class GraphFeatures:
    """The features of a graph, ordered by layer, then position, with their encoder and decoder rows gathered once.

    Attributes:
        before: their activations on the prompt.
        column: for each feature in the graph's order, its index in this order.
    """

    def __init__(self, graph: Graph, transcoders: TranscoderSet, mlp_inputs: Sequence[Tensor]) -> None:
        """Sort the features of `graph`; `mlp_inputs` are the MLP inputs on its prompt by layer, each (positions, d_model)."""
        devices = [x.device for x in mlp_inputs]
        order = np.lexsort((graph.feature_position, graph.feature_layer))
        self.before = torch.tensor(graph.activation[order], dtype=torch.float32, device=devices[0])
        self.column = torch.as_tensor(np.argsort(order), device=devices[0])
        self._transcoders = transcoders
        self._mlp_inputs = tuple(mlp_inputs)
        self._devices = tuple(devices)
        self._positions = graph.feature_position[order].astype(np.int64)
        self._ends = np.searchsorted(graph.feature_layer[order], np.arange(len(devices) + 1)).tolist()
        layers = [slice(start, end) for start, end in zip(self._ends, self._ends[1:], strict=False)]
        numbers = graph.feature_index[order].astype(np.int64)
        self._layer_positions, self._layer_features = (
            [torch.as_tensor(values[layer], device=device) for layer, device in zip(layers, devices, strict=True)]
            for values in (self._positions, numbers)
        )
        self._gathered: dict[Hashable, Tensor] = {}

    def __len__(self) -> int:
        return len(self.before)

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """The device of each layer."""
        return self._devices

    def in_layer(self, layer: int, first_position: int) -> LayerFeatures:
        """Return the features of a layer at `first_position` or after it."""
        first, end = self._ends[layer], self._ends[layer + 1]
        start = int(np.searchsorted(self._positions[first:end], first_position))
        rows = self._layer_positions[layer][start:] - first_position
        return LayerFeatures(slice(first + start, end), start, rows, self._layer_features[layer][start:])

    def encoder_rows(self, layer: int, chosen: LayerFeatures) -> Float[Tensor, "n d_model"]:
        """Return the encoder rows of features chosen with `in_layer`."""
        features, positions, x = self._layer_features[layer], self._layer_positions[layer], self._mlp_inputs[layer]
        rows = self._rows((layer,), lambda: self._transcoders.encoder_rows_at(layer, features, positions, x))
        return rows[chosen.start :]

    def decoder_rows(self, source: int, chosen: LayerFeatures, written: int) -> Float[Tensor, "n d_model"]:
        """Return the decoder rows with which features of layer `source` write to layer `written`, on that layer's device."""
        device = self._devices[written]
        rows = self._rows(
            (source, written),
            lambda: self._transcoders.decoder_rows(source, self._layer_features[source], written).to(device),
        )
        return rows[chosen.start :]

    def in_graph_order(self, values: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Return numbers of all features in the order of the graph."""
        return values[:, self.column]

    def _rows(self, key: Hashable, gather: Callable[[], Tensor]) -> Tensor:
        if key in self._gathered:
            return self._gathered[key]
        rows = gather()
        if sum(kept.nbytes for kept in self._gathered.values()) + rows.nbytes <= GATHERED_BYTES:
            self._gathered[key] = rows
        return rows


class LatestGraphFeatures:
    """The graph features of the latest graph, kept for no longer than the run that the graph was traced from."""

    def __init__(self) -> None:
        self._latest: weakref.WeakKeyDictionary[PromptRun, tuple[weakref.ref[Graph], GraphFeatures]] = (
            weakref.WeakKeyDictionary()
        )

    def of(self, graph: Graph, run: PromptRun, make: Callable[[], GraphFeatures]) -> GraphFeatures:
        """Return the features of a graph: the kept ones, or those that `make` returns if others are kept."""
        found = self._latest.get(run)
        if found is not None and found[0]() is graph:
            return found[1]
        features = make()
        self._latest.clear()
        self._latest[run] = weakref.ref(graph), features
        return features
