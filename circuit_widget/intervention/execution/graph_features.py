"""The features of a graph, watched whatever is held: where each stands, and what it reads and writes."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuit_widget.graph import Graph
from circuit_widget.tracing.run import Run
from circuit_widget.transcoder.transcoder_set import TranscoderSet

GATHERED_BYTES = 1 << 27
"""Memory that encoder and decoder rows of watched features may fill; what does not fit is gathered whenever it is read."""


@dataclass(frozen=True, eq=False)
class Reached:
    """The watched features of one layer that stand at a position or after it, by position.

    `columns` are their places among all watched features, `start` is how many of the layer stand before them. `rows` are
    their positions, counted from the one asked for, and `features` their numbers, both where the layer is.
    """

    columns: slice
    start: int
    rows: Int[Tensor, " n"]
    features: Int[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.features)


class Watched:
    """The features of a graph by layer, then position; the directions they read and write are gathered once.

    Attributes:
        before: their activations on the prompt.
        column: for each feature in the graph's order, its place here.
    """

    def __init__(self, graph: Graph, transcoders: TranscoderSet, mlp_inputs: Sequence[Tensor]) -> None:
        """`mlp_inputs` are what features read on the prompt, layer by layer, each (positions, d_model)."""
        devices = [read.device for read in mlp_inputs]
        order = np.lexsort((graph.feature_position, graph.feature_layer))
        self.before = torch.tensor(graph.activation[order], dtype=torch.float32, device=devices[0])
        self.column = torch.as_tensor(np.argsort(order), device=devices[0])
        self._transcoders = transcoders
        self._mlp_inputs = tuple(mlp_inputs)
        self._devices = tuple(devices)
        self._positions = graph.feature_position[order].astype(np.int64)
        self._ends = np.searchsorted(graph.feature_layer[order], np.arange(len(devices) + 1)).tolist()
        places = [slice(start, end) for start, end in zip(self._ends, self._ends[1:], strict=False)]
        numbers = graph.feature_index[order].astype(np.int64)
        self._standing, self._features = (
            [torch.as_tensor(of[here], device=device) for here, device in zip(places, devices, strict=True)]
            for of in (self._positions, numbers)
        )
        self._gathered: dict[Hashable, Tensor] = {}

    def __len__(self) -> int:
        return len(self.before)

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """Where the layers are."""
        return self._devices

    def reached(self, layer: int, first_position: int) -> Reached:
        """Return the features of a layer that stand at a position or after it."""
        first, end = self._ends[layer], self._ends[layer + 1]
        start = int(np.searchsorted(self._positions[first:end], first_position))
        rows = self._standing[layer][start:] - first_position
        return Reached(slice(first + start, end), start, rows, self._features[layer][start:])

    def encoder_rows(self, layer: int, reached: Reached) -> Float[Tensor, "n d_model"]:
        """Return the directions that features reached at a layer read."""
        features, positions, read = self._features[layer], self._standing[layer], self._mlp_inputs[layer]
        rows = self._rows((layer,), lambda: self._transcoders.encoder_rows_at(layer, features, positions, read))
        return rows[reached.start :]

    def decoder_rows(self, source: int, reached: Reached, written: int) -> Float[Tensor, "n d_model"]:
        """Return the directions that features reached at layer `source` write at `written`, where that layer is."""
        device = self._devices[written]
        rows = self._rows(
            (source, written),
            lambda: self._transcoders.decoder_rows(source, self._features[source], written).to(device),
        )
        return rows[reached.start :]

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


class LatestWatched:
    """The watched features of the graph that was asked about last, for no longer than its run is remembered."""

    def __init__(self) -> None:
        self._latest: weakref.WeakKeyDictionary[Run, tuple[weakref.ref[Graph], Watched]] = weakref.WeakKeyDictionary()

    def of(self, graph: Graph, run: Run, make: Callable[[], Watched]) -> Watched:
        """Return the features of a graph as they are watched in a run, made if the last ones asked for were others."""
        found = self._latest.get(run)
        if found is not None and found[0]() is graph:
            return found[1]
        watched = make()
        self._latest.clear()
        self._latest[run] = weakref.ref(graph), watched
        return watched
