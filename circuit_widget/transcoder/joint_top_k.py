"""Cross-layer transcoders whose features of all layers compete: which ones are active at a token is decided over all layers.

Of all features at a token, those with the `k` largest scores are active, where a score is the pre-activation, if it is above
zero, times a weight of the feature (ByteDance Seed 2026, "Cross-Layer TopK CLT": the norm of what it writes). So no layer
can be encoded by itself. Where the features of one layer are needed before the model has run the layers above it, as those
that an intervention changes are, which of them are active stays as it is on the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuit_widget.errors import CircuitWidgetError, LoadError
from circuit_widget.transcoder.activation import ReLU
from circuit_widget.transcoder.at_positions import read_at
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoder, CrossLayerTranscoders
from circuit_widget.transcoder.layer import ROWS_AT_ONCE, LayeredTranscoders

OUTLIER = 20.0
"""Multiple of a layer's mean norm from which a token, with what it reads or what its MLP writes there, has no features."""


@dataclass(frozen=True, eq=False)
class MeanNorms:
    """The mean norms, in training, of what features of each layer read and of the MLP output that they write."""

    read: Float[Tensor, " layers"]
    written: Float[Tensor, " layers"]


@dataclass(frozen=True, eq=False)
class ActiveFeatures:
    """The active features of one layer at some rows, sorted by row, then number; on the layer's device."""

    rows: Int[Tensor, " n"]
    features: Int[Tensor, " n"]
    values: Float[Tensor, " n"]


@dataclass(frozen=True, eq=False)
class JointTopKTranscoders(LayeredTranscoders[CrossLayerTranscoder]):
    """A cross-layer transcoder with one TopK over the features of all layers.

    `weights` are those of each layer's features, on its device. Without `mean_norms`, the means of a prompt's own tokens
    decide which of its tokens have no features.

    Raises:
        LoadError: weights or activation functions do not fit, or there are less than k features.
    """

    k: int
    weights: tuple[Float[Tensor, " _features"], ...]
    mean_norms: MeanNorms | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._written_as.written_layers(0)
        for number, layer in enumerate(self.layers):
            if not isinstance(layer.activation, ReLU) or len(self.weights) != self.n_layers:
                raise LoadError(f"The transcoders {self.name!r}: each layer needs ReLU, and weights.")
            if self.weights[number].shape != (layer.n_features,):
                raise LoadError(
                    f"The transcoders {self.name!r}: layer {number} has {len(self.weights[number])} weights, "
                    f"expected {layer.n_features}."
                )
        total = sum(layer.n_features for layer in self.layers)
        if not 1 <= self.k <= total:
            raise LoadError(
                f"The transcoders {self.name!r}: k is {self.k}, expected 1 to {total}, the number of features."
            )

    @cached_property
    def _written_as(self) -> CrossLayerTranscoders:
        """The same layers as a plain cross-layer transcoder, for what active features write."""
        return CrossLayerTranscoders(self.name, self.layers, self.input_site, self.output_site)

    def written_layers(self, layer: int) -> range:
        """Return the layers that features of `layer` write to: their own and all above."""
        return self._written_as.written_layers(layer)

    def decoder_rows(self, layer: int, features: Int[Tensor, " n"], written: int) -> Float[Tensor, "n d_model"]:
        """Return the decoder rows of `features` of `layer` for the MLP output of the layer `written`."""
        return self._written_as.decoder_rows(layer, features, written)

    def encode(
        self,
        layer: int,  # noqa: ARG002 - no layer is encoded alone
        x: Float[Tensor, "positions d_model"],  # noqa: ARG002
    ) -> tuple[Float[Tensor, "positions features"], Float[Tensor, "positions features"]]:
        """Raise CircuitWidgetError: what is active in one layer depends on all others; see `active` and `read_selected`."""
        raise CircuitWidgetError(
            f"The transcoders {self.name!r} choose the active features of a token among all layers, so those of one layer "
            "cannot be computed from what that layer reads. Trace or run a prompt instead."
        )

    def read(
        self,
        layer: int,
        features: Int[Tensor, " n"],
        positions: Int[Tensor, " n"],
        x: Float[Tensor, "batch rows d_model"],
        rows: Float[Tensor, "n d_model"] | None = None,
    ) -> tuple[Float[Tensor, "batch n"], Float[Tensor, "batch n"]]:
        """Raise CircuitWidgetError, as `encode` does; see `read_selected`."""
        del features, positions, rows
        return self.encode(layer, x[0])

    def read_selected(
        self,
        layer: int,
        features: Int[Tensor, " n"],
        positions: Int[Tensor, " n"],
        x: Float[Tensor, "batch rows d_model"],
        selected: Bool[Tensor, " n"],
    ) -> Float[Tensor, "batch n"]:
        """Return activations of features, each at its own position, in several re-runs, if exactly those `selected` compete.

        An activation is the pre-activation if it is above zero and the feature is selected, else zero.
        """
        chosen = self.layers[layer]
        preactivation = read_at(x, positions, chosen.encoder_rows(features)) + chosen.encoder_bias[features]
        return torch.relu(preactivation) * selected

    def active(
        self, inputs: Sequence[Float[Tensor, "rows d_model"]], kept: Bool[Tensor, " rows"]
    ) -> tuple[ActiveFeatures, ...]:
        """Return the active features of each layer, given what every layer reads at some rows.

        Rows that are not `kept` have none. Where scores are equal to the smallest one kept, they are all kept.
        """
        parts = [self._active(chunk, offset, kept) for offset, chunk in _chunks(inputs)]
        return tuple(
            ActiveFeatures(
                torch.cat([part[layer].rows for part in parts]),
                torch.cat([part[layer].features for part in parts]),
                torch.cat([part[layer].values for part in parts]),
            )
            for layer in range(self.n_layers)
        )

    def activations_of(
        self,
        inputs: Sequence[Float[Tensor, "rows d_model"]],
        wanted: Sequence[tuple[Int[Tensor, " _n"], Int[Tensor, " _n"]]],
    ) -> tuple[Float[Tensor, " _n"], ...]:
        """Return the activations of some features of each layer, given what every layer reads at some rows.

        `wanted` has, for each layer, the row and the number of each feature.
        """
        found = [torch.zeros(len(rows), dtype=torch.float32, device=rows.device) for rows, _ in wanted]
        for offset, chunk in _chunks(inputs):
            picked, largest = [], []
            for layer, (rows, features) in enumerate(wanted):
                values, scores = self._scores(layer, chunk[layer])
                here = torch.nonzero((rows >= offset) & (rows < offset + len(chunk[layer])))[:, 0]
                at = rows[here] - offset, features[here]
                picked.append((here, values[at], scores[at], at[0]))
                largest.append(torch.topk(scores, min(self.k, scores.shape[1]), dim=-1).values)
            least = self._least_kept(largest)
            for layer, (here, values, scores, rows) in enumerate(picked):
                found[layer][here] = values * ((scores >= least.to(scores.device)[rows]) & (scores > 0))
        return tuple(found)

    def kept(
        self, inputs: Sequence[Float[Tensor, "rows d_model"]], outputs: Sequence[Float[Tensor, "rows d_model"]]
    ) -> Bool[Tensor, " rows"]:
        """Return which rows have features: those whose norms are below 20 times the mean norm in every layer."""
        device = inputs[0].device
        kept = torch.ones(len(inputs[0]), dtype=torch.bool, device=device)
        for layer, sides in enumerate(zip(inputs, outputs, strict=True)):
            means = None if self.mean_norms is None else (self.mean_norms.read[layer], self.mean_norms.written[layer])
            for number, values in enumerate(sides):
                norms = values.norm(dim=-1).to(device)
                mean = norms.mean() if means is None else means[number].to(device)
                kept &= norms < OUTLIER * mean
        return kept

    def _active(
        self, inputs: Sequence[Float[Tensor, "rows d_model"]], offset: int, kept: Bool[Tensor, " all_rows"]
    ) -> list[ActiveFeatures]:
        candidates = []
        for layer, x in enumerate(inputs):
            values, scores = self._scores(layer, x)
            top = torch.topk(scores, min(self.k, scores.shape[1]), dim=-1)
            candidates.append((values.gather(1, top.indices), top.values, top.indices))
        least = self._least_kept([scores for _, scores, _ in candidates])
        found: list[ActiveFeatures] = []
        for values, scores, features in candidates:
            device = scores.device
            active = (scores >= least.to(device)[:, None]) & (scores > 0)
            active &= kept[offset : offset + len(scores)].to(device)[:, None]
            rows, columns = torch.nonzero(active, as_tuple=True)
            numbers = features[rows, columns]
            order = torch.argsort(rows * self.n_features(len(found)) + numbers)
            found.append(ActiveFeatures(rows[order] + offset, numbers[order], values[rows, columns][order]))
        return found

    def _scores(
        self, layer: int, x: Float[Tensor, "rows d_model"]
    ) -> tuple[Float[Tensor, "rows features"], Float[Tensor, "rows features"]]:
        """Return what the activations of a layer's features are if they are active, and their scores."""
        _, values = self.layers[layer].encode(x)
        return values, values * self.weights[layer]

    def _least_kept(self, largest: Sequence[Float[Tensor, "rows _some"]]) -> Float[Tensor, " rows"]:
        """Return the smallest of the k largest scores of each row, given the largest ones of each layer."""
        device = largest[0].device
        together = torch.cat([scores.to(device) for scores in largest], dim=1)
        return torch.topk(together, self.k, dim=-1).values[:, -1]


def _chunks(
    inputs: Sequence[Float[Tensor, "rows d_model"]],
) -> Iterator[tuple[int, list[Float[Tensor, "rows d_model"]]]]:
    """Yield the inputs of all layers at some rows at a time, after the number of rows before."""
    for offset in range(0, max(1, len(inputs[0])), ROWS_AT_ONCE):
        yield offset, [x[offset : offset + ROWS_AT_ONCE] for x in inputs]
