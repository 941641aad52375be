"""Cross-layer transcoders (CLT): the features of a layer write to the MLP output of this layer and of all above."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.layer import LayeredTranscoders, TranscoderLayer


@dataclass(frozen=True, eq=False)
class CrossLayerTranscoder(TranscoderLayer):
    """The features that read at one layer; slot j of their decoder writes j layers above.

    The decoder has the shape (features, slots, d_model), or is a matrix (features, d_model) for each slot.
    """

    @property
    def n_written(self) -> int:
        """Number of layers written to."""
        return len(self.decoder) if isinstance(self.decoder, tuple) else self.decoder.shape[1]


@dataclass(frozen=True, eq=False)
class CrossLayerTranscoders(LayeredTranscoders[CrossLayerTranscoder]):
    """One cross-layer transcoder for all MLPs of a model (Ameisen et al. 2025, "Circuit Tracing").

    `input_site` and `output_site` are keys of the tables in `circuit_widget.model.architectures`.

    Raises:
        LoadError: a layer's decoder does not write exactly the layers from it to the last.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        for number, layer in enumerate(self.layers):
            if layer.n_written != self.n_layers - number:
                raise LoadError(
                    f"{layer.decoder_origin} writes {layer.n_written} layers, expected {self.n_layers - number}: "
                    f"layer {number} and all above it, of {self.n_layers}."
                )

    def written_layers(self, layer: int) -> range:
        """Return the layers that features of `layer` write to: their own and all above."""
        return range(layer, self.n_layers)

    def decoder_rows(self, layer: int, features: Int[Tensor, " n"], written: int) -> Float[Tensor, "n d_model"]:
        """Return the decoder rows of `features` of `layer` for the MLP output of the layer `written`."""
        if written not in self.written_layers(layer):
            raise IndexError(
                f"features of layer {layer} write to layers {layer} to {self.n_layers - 1}, not to {written}"
            )
        return self.layers[layer].decoder_rows(features, written - layer, self.layers[written].device)
