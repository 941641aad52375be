"""The interface of the transcoders of a model, per-layer or cross-layer."""

from __future__ import annotations

from typing import Protocol

from jaxtyping import Float, Int
from torch import Tensor


class TranscoderSet(Protocol):
    """One transcoder for every MLP of a model.

    Results are float32, on the device of the layer where features read; decoder rows and biases on the device of the layer
    where they write.

    Raises:
        LoadError: weights with NaN or infinite values, when they are first used.
    """

    @property
    def name(self) -> str:
        """Name of the set, as its files give it."""

    @property
    def n_layers(self) -> int:
        """Number of layers that have a transcoder."""

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""

    @property
    def input_site(self) -> str:
        """Where features read: a key of `circuit_widget.model.architectures.INPUT_SITES`."""

    @property
    def output_site(self) -> str:
        """Where features write: a key of `circuit_widget.model.architectures.OUTPUT_SITES`."""

    def n_features(self, layer: int) -> int:
        """Return the number of features that read at `layer`."""

    def encode(
        self, layer: int, x: Float[Tensor, "positions d_model"]
    ) -> tuple[Float[Tensor, "positions features"], Float[Tensor, "positions features"]]:
        """Return pre-activations and activations of all features of `layer`, given the values `x` at the input site.

        A feature is active where its activation is not zero.
        """

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

    def encoder_rows_at(
        self,
        layer: int,
        features: Int[Tensor, " n"],
        positions: Int[Tensor, " n"],
        x: Float[Tensor, "rows d_model"],
    ) -> Float[Tensor, "n d_model"]:
        """Return the encoder rows of `features`, each at its own position, on a prompt where `x` is read.

        Those of transcoders are the same on every prompt, those of neurons are not.
        """

    def written_layers(self, layer: int) -> range:
        """Return the layers whose MLP output the features of `layer` write to, `layer` first."""

    def decoder_rows(self, layer: int, features: Int[Tensor, " n"], written: int) -> Float[Tensor, "n d_model"]:
        """Return the decoder rows of `features` of `layer` for the MLP output of the layer `written`."""

    def decoder_bias(self, layer: int) -> Float[Tensor, " d_model"]:
        """Return the decoder bias of `layer`."""

    def skip(self, layer: int) -> Float[Tensor, "d_model d_model"] | None:
        """Return the matrix of the linear skip connection (output = skip @ input), or None where there is none."""
