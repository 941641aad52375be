"""The features of a transcoder that read at one layer; the common part of per-layer and cross-layer transcoders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.activation import Activation, ReLU, RowWise
from circuit_widget.transcoder.at_positions import read_at
from circuit_widget.transcoder.gate import Gate

PIECE_BYTES = 1 << 26
"""Bytes of encoder rows converted together, where the encoder is not in float32 on its device."""

RELU = ReLU()

ROWS_AT_ONCE = 256
"""Rows encoded together with all features, where an activation depends on its whole row."""


@dataclass(frozen=True, eq=False)
class TranscoderLayer:
    """The features that read at one layer.

    Biases, thresholds, the skip connection and all results are float32 on the layer's device. Encoder and decoder have the
    dtype of their file, and can be in main memory or mapped from the file; only requested rows of the decoder are read.
    A decoder that writes several layers is one tensor, or a matrix for each. `encoder_origin` and `decoder_origin` name
    them in errors, `files` are their files.

    `input_scale` is multiplied into what encoders read, `output_scale` into decoder rows: a normalisation of inputs and
    outputs that a file states beside its weights. Biases and the skip connection contain it already. A `gate`, where there
    is one, multiplies pre-activations.

    Raises:
        LoadError: the parts do not fit together.
    """

    encoder: Float[Tensor, "features d_model"]
    encoder_bias: Float[Tensor, " features"]
    decoder: Float[Tensor, "features *written d_model"] | tuple[Float[Tensor, "features d_model"], ...]
    decoder_bias: Float[Tensor, " d_model"]
    activation: Activation = RELU
    skip: Float[Tensor, "d_model d_model"] | None = None
    input_scale: Float[Tensor, " d_model"] | None = None
    output_scale: Float[Tensor, "*written d_model"] | None = None
    gate: Gate | None = None
    encoder_origin: str = "The encoder"
    decoder_origin: str = "The decoder"
    files: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.activation, RowWise) and not 1 <= self.activation.k <= self.n_features:
            raise LoadError(
                f"{self.encoder_origin}: k is {self.activation.k}, expected 1 to {self.n_features}, the number of features."
            )

    @property
    def n_features(self) -> int:
        """Number of features that read here."""
        return len(self.encoder_bias)

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return len(self.decoder_bias)

    @property
    def device(self) -> torch.device:
        """Device of the results."""
        return self.encoder_bias.device

    def encode(
        self, x: Float[Tensor, "rows d_model"]
    ) -> tuple[Float[Tensor, "rows features"], Float[Tensor, "rows features"]]:
        """Return pre-activations `x W_enc^T + b_enc` and activations of all features.

        `x` is the input at each row, `W_enc` the encoder and `b_enc` its bias.

        Raises:
            LoadError: the encoder has NaN or infinite values.
        """
        read = x if self.input_scale is None else x * self.input_scale
        if self.encoder.device == self.device and self.encoder.dtype == torch.float32:
            preactivation = torch.addmm(self.encoder_bias, read, self.encoder.T)
        else:
            pieces = self.encoder.split(max(1, PIECE_BYTES // (4 * self.d_model)))
            products = [read @ piece.to(self.device).float().T for piece in pieces]
            preactivation = torch.cat(products, dim=-1).add_(self.encoder_bias)
        if self.gate is not None:
            preactivation = preactivation * self.gate(x)
        _refuse_unless_finite(preactivation, x, self.encoder_origin)
        return preactivation, self.activation(preactivation)

    def read(
        self,
        features: Int[Tensor, " n"],
        positions: Int[Tensor, " n"],
        x: Float[Tensor, "batch rows d_model"],
        rows: Float[Tensor, "n d_model"] | None = None,
    ) -> tuple[Float[Tensor, "batch n"], Float[Tensor, "batch n"]]:
        """Return pre-activations and activations of features, each at its own position, in several re-runs at once.

        `rows` are their `encoder_rows`, if the caller has them; with a gate, those that the caller has contain that of the
        prompt, and are not used.
        """
        if not isinstance(self.activation, RowWise):
            rows = self.encoder_rows(features) if rows is None or self.gate is not None else rows
            preactivation = read_at(x, positions, rows) + self.encoder_bias[features]
            if self.gate is not None:
                preactivation = preactivation * self.gate.of(features, positions, x)
            return preactivation, self.activation.of(preactivation, features)
        distinct, index = torch.unique(positions, return_inverse=True)
        found = x.new_zeros(2, len(x), len(features))
        at_once = max(1, ROWS_AT_ONCE // len(x))
        for first in range(0, len(distinct), at_once):
            here = torch.nonzero((index >= first) & (index < first + at_once))[:, 0]
            rows = x[:, distinct[first : first + at_once]]
            whole = torch.stack(self.encode(rows.flatten(0, 1))).unflatten(1, rows.shape[:2])
            found[:, :, here] = whole[:, :, index[here] - first, features[here]]
        return found[0], found[1]

    def encoder_rows(self, features: Int[Tensor, " n"]) -> Float[Tensor, "n d_model"]:
        """Return the encoder rows of `features`."""
        rows = self.encoder[features.to(self.encoder.device)].to(self.device).float()
        _refuse_unless_finite(rows, None, self.encoder_origin)
        return rows if self.input_scale is None else rows * self.input_scale

    def decoder_rows(
        self, features: Int[Tensor, " n"], slot: int | None = None, device: torch.device | None = None
    ) -> Float[Tensor, "n d_model"]:
        """Return the decoder rows of `features`, on `device`; `slot` is the index among the layers they write to."""
        decoder, scale = self.decoder, self.output_scale
        if slot is not None:
            decoder = decoder[slot] if isinstance(decoder, tuple) else decoder[:, slot]
            scale = None if scale is None else scale[slot]
        if isinstance(decoder, tuple):
            raise TypeError("a decoder that writes several layers needs a slot")
        rows = decoder[features.to(decoder.device)].to(device or self.device).float()
        _refuse_unless_finite(rows, None, self.decoder_origin)
        return rows if scale is None else rows * scale.to(rows.device)


Layer = TypeVar("Layer", bound=TranscoderLayer)


@dataclass(frozen=True, eq=False)
class LayeredTranscoders(Generic[Layer]):
    """The common part of per-layer and cross-layer sets; its methods are those of `TranscoderSet`.

    Raises:
        LoadError: there is no layer, or the layers differ in width.
    """

    name: str
    layers: tuple[Layer, ...]
    input_site: str
    output_site: str

    def __post_init__(self) -> None:
        if not self.layers:
            raise LoadError(f"The transcoders {self.name!r} have no layer; at least one is needed.")
        for number, layer in enumerate(self.layers):
            if layer.d_model != self.d_model:
                raise LoadError(
                    f"The transcoders {self.name!r}: layer {number} has width {layer.d_model}, "
                    f"expected {self.d_model}, that of layer 0."
                )

    @property
    def n_layers(self) -> int:
        """Number of layers that have a transcoder."""
        return len(self.layers)

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return self.layers[0].d_model

    @property
    def uncovered(self) -> tuple[int, ...]:
        """The layers without features, whose MLPs are not replaced."""
        return tuple(number for number, layer in enumerate(self.layers) if layer.n_features == 0)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the layers; none for transcoders made in memory."""
        return tuple(dict.fromkeys(path for layer in self.layers for path in layer.files))

    def n_features(self, layer: int) -> int:
        """Return the number of features that read at `layer`."""
        return self.layers[layer].n_features

    def encode(
        self, layer: int, x: Float[Tensor, "positions d_model"]
    ) -> tuple[Float[Tensor, "positions features"], Float[Tensor, "positions features"]]:
        """Return pre-activations and activations of all features of `layer`; see `TranscoderLayer.encode`."""
        return self.layers[layer].encode(x)

    def read(
        self,
        layer: int,
        features: Int[Tensor, " n"],
        positions: Int[Tensor, " n"],
        x: Float[Tensor, "batch rows d_model"],
        rows: Float[Tensor, "n d_model"] | None = None,
    ) -> tuple[Float[Tensor, "batch n"], Float[Tensor, "batch n"]]:
        """Return pre-activations and activations of features, each at its own position, in several re-runs at once.

        `rows` are their `encoder_rows`, if the caller has them.
        """
        return self.layers[layer].read(features, positions, x, rows)

    def encoder_rows(self, layer: int, features: Int[Tensor, " n"]) -> Float[Tensor, "n d_model"]:
        """Return the encoder rows of `features`."""
        return self.layers[layer].encoder_rows(features)

    def encoder_rows_at(
        self, layer: int, features: Int[Tensor, " n"], positions: Int[Tensor, " n"], x: Float[Tensor, "rows d_model"]
    ) -> Float[Tensor, "n d_model"]:
        """Return the directions that `features` read: the same at every position of every prompt, but for a gate."""
        rows, gate = self.encoder_rows(layer, features), self.layers[layer].gate
        return rows if gate is None else rows * gate.of(features, positions, x[None])[0, :, None]

    def decoder_bias(self, layer: int) -> Float[Tensor, " d_model"]:
        """Return the decoder bias of `layer`."""
        return self.layers[layer].decoder_bias

    def skip(self, layer: int) -> Float[Tensor, "d_model d_model"] | None:
        """Return the matrix of the linear skip connection (output = skip @ input), or None where there is none."""
        return self.layers[layer].skip


def all_finite(values: Tensor) -> bool:
    """Return whether all values are finite; usually without further memory."""
    # A sum is finite only if all values are; where it overflows, each value is checked.
    return bool(torch.isfinite(values.sum(dtype=torch.float32))) or bool(torch.isfinite(values).all())


def _refuse_unless_finite(result: Tensor, given: Tensor | None, origin: str) -> None:
    """Raise LoadError where a result is not finite although the input is, which means that the weights are not."""
    if not all_finite(result) and (given is None or all_finite(given)):
        raise LoadError(
            f"{origin} has NaN or infinite values, expected finite numbers. Copy or download the file again."
        )
