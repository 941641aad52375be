"""The interface through which the tracer sees the transcoders of a model, whatever their kind."""

from __future__ import annotations

from typing import Protocol

from jaxtyping import Float, Int
from torch import Tensor


class TranscoderSet(Protocol):
    """One transcoder for every MLP of a model.

    What is returned is float32, on the device of the layer that features read at; decoder rows and biases on the device
    of the layer that they write to.

    Raises:
        LoadError: wherever weights are first used that turn out to hold NaN or infinite values.
    """

    @property
    def name(self) -> str:
        """Name of the set, as its files give it."""

    @property
    def n_layers(self) -> int:
        """Number of layers that have a transcoder."""

    @property
    def d_model(self) -> int:
        """Width of what is read and written."""

    @property
    def input_site(self) -> str:
        """Where features read: a key of `circuit_widget.model.sites.INPUT_SITES`."""

    @property
    def output_site(self) -> str:
        """Where features write: a key of `circuit_widget.model.sites.OUTPUT_SITES`."""

    def n_features(self, layer: int) -> int:
        """Return the number of features that read at `layer`."""

    def encode(
        self, layer: int, x: Float[Tensor, "positions d_model"]
    ) -> tuple[Float[Tensor, "positions features"], Float[Tensor, "positions features"]]:
        """Return pre-activations and activations of all features of `layer` for what is read at the input site.

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
        """Return pre-activation and activation of features, each at its position, in several re-runs at once.

        `rows` are their `readers`, where those are at hand.
        """

    def readers(
        self,
        layer: int,
        features: Int[Tensor, " n"],
        positions: Int[Tensor, " n"],
        x: Float[Tensor, "rows d_model"],
    ) -> Float[Tensor, "n d_model"]:
        """Return the directions that `features`, each at its position, read on a prompt on which `x` is what is read.

        Those of transcoders are the same on every prompt, those of neurons are not.
        """

    def written_layers(self, layer: int) -> range:
        """Return the layers whose MLP output the features of `layer` write to, `layer` first."""

    def decoder_rows(self, layer: int, features: Int[Tensor, " n"], written: int) -> Float[Tensor, "n d_model"]:
        """Return the directions that `features` of `layer` write to the MLP output of the layer `written`."""

    def decoder_bias(self, layer: int) -> Float[Tensor, " d_model"]:
        """Return what is written to the MLP output of `layer` whatever is active."""

    def skip(self, layer: int) -> Float[Tensor, "d_model d_model"] | None:
        """Return the matrix of the linear skip connection (output = skip @ input), or None where there is none."""
