"""Direct effects measured by ablation: a source is set to zero in the frozen model, with all other sources fixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.graph import Feature, Graph
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.nodes import NodeKind
from circuit_widget.tracing.error_vectors import errors_at
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.tracing.target_readout import chosen_targets
from circuit_widget.transcoder.transcoder_set import TranscoderSet

Writes = Mapping[int, Float[Tensor, "positions d_model"]]
"""Changes added at the MLP output of each layer, by layer."""


class DirectEffects:
    """Measures the direct effects of a graph's sources on their targets in one run."""

    def __init__(self, model: LanguageModel, transcoders: TranscoderSet, run: PromptRun, graph: Graph) -> None:
        self._transcoders, self._run, self._graph = transcoders, run, graph
        chosen = {token: target.direction for token, target in chosen_targets(model, run, graph).items()}
        self._directions = [chosen.get(target.token_id) for target in graph.targets]
        kept = zip(graph.feature_layer, graph.feature_position, graph.feature_index, strict=True)
        self._kept = {Feature(*feature) for feature in kept}

    def of(self, column: int, rows: Sequence[int]) -> list[float]:
        """Return the direct effect of one source on each target: the decrease when the source is set to zero."""
        graph = self._graph
        kind = graph.node_kinds[column]
        layer, position = int(graph.node_layer[column]), int(graph.node_position[column])
        entering = None
        writes: dict[int, Tensor] = {}
        if kind is NodeKind.TOKEN:
            entering = torch.zeros_like(self._run.captured.embedding)
            entering[position] = -self._run.captured.embedding[position]
            layer = 0
        elif kind is NodeKind.FEATURE:
            self._subtract(writes, Feature(layer, position, int(graph.feature_index[column])))
        else:
            self._subtract_error(writes, layer, position)
        return [-change for change in self._read(layer, writes, entering, rows)]

    def _subtract(self, writes: dict[int, Tensor], feature: Feature) -> None:
        """Subtract what a feature writes at its activation."""
        value = self._run.activations.get(feature, 0.0)
        for written in self._transcoders.written_layers(feature.layer):
            device = self._run.captured.layers[written].mlp_output.device
            number = torch.tensor([feature.feature], dtype=torch.long, device=device)
            row = self._transcoders.decoder_rows(feature.layer, number, written)[0]
            self._changes_of(writes, written)[feature.position] -= value * row.to(device)

    def _subtract_error(self, writes: dict[int, Tensor], layer: int, position: int) -> None:
        """Subtract the error at one layer and position, including the features there that the graph left out."""
        (error,) = errors_at(self._run, self._transcoders, layer, [position])
        self._changes_of(writes, layer)[position] -= error
        if self._graph.left_out and not self._graph.pruned:
            for feature in self._run.activations.at(layer, position):
                if feature not in self._kept:
                    self._subtract(writes, feature)

    def _changes_of(self, writes: dict[int, Tensor], layer: int) -> Tensor:
        if layer not in writes:
            writes[layer] = torch.zeros_like(self._run.captured.layers[layer].mlp_output)
        return writes[layer]

    def _read(
        self, first_layer: int, writes: Writes, entering: Float[Tensor, "positions d_model"] | None, rows: Sequence[int]
    ) -> list[float]:
        """Return the change of each target's pre-activation or logit when `writes` are added and all features are fixed."""
        graph, transcoders, captured = self._graph, self._transcoders, self._run.captured
        read: dict[int, float] = {}

        def change(layer: int, x: Float[Tensor, "positions d_model"]) -> Float[Tensor, "positions d_model"]:
            for row in rows:
                if row < graph.n_features and graph.feature_layer[row] == layer:
                    number, position = (
                        torch.tensor([int(of[row])], dtype=torch.long, device=x.device)
                        for of in (graph.feature_index, graph.feature_position)
                    )
                    reader = transcoders.encoder_rows_at(layer, number, position, captured.layers[layer].mlp_input)[0]
                    read[row] = float(x[graph.feature_position[row]] @ reader.to(x.device))
            skip = transcoders.skip(layer)
            written = torch.zeros_like(x) if skip is None else x @ skip.T
            return written + writes[layer] if layer in writes else written

        normed = self._run.frozen.propagate(change, first_layer, entering)
        for row in rows:
            direction = None if row < graph.n_features else self._directions[row - graph.n_features]
            if direction is not None:
                read[row] = float(normed @ direction.to(normed.device))
        return [read.get(row, 0.0) for row in rows]
