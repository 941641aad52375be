"""Per-layer transcoders (PLT): the features of a layer write to the MLP output of the same layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuit_widget.transcoder.layer import LayeredTranscoders, TranscoderLayer


@dataclass(frozen=True, eq=False)
class PerLayerTranscoder(TranscoderLayer):
    """The transcoder of one layer."""

    decoder: Float[Tensor, "features d_model"]

    @classmethod
    def without_features(cls, d_model: int, device: torch.device) -> PerLayerTranscoder:
        """Return the layer of an MLP that no transcoder replaces: it writes nothing, so the MLP's whole output is error."""

        def zeros(*shape: int) -> Float[Tensor, "*shape"]:
            return torch.zeros(shape, dtype=torch.float32, device=device)

        return cls(zeros(0, d_model), zeros(0), zeros(0, d_model), zeros(d_model))


@dataclass(frozen=True, eq=False)
class PerLayerTranscoders(LayeredTranscoders[PerLayerTranscoder]):
    """A per-layer transcoder for every MLP of a model (Dunefsky et al. 2024).

    `input_site` and `output_site` are keys of the tables in `circuit_widget.model.architectures`. With `beside`, they are part of the
    model, added to the outputs of its MLPs; they do not replace the MLPs, which are the errors.
    """

    beside: bool = False

    def written_layers(self, layer: int) -> range:
        """Return the layers that features of `layer` write to: their own alone."""
        return range(layer, layer + 1)

    def decoder_rows(self, layer: int, features: Int[Tensor, " n"], written: int) -> Float[Tensor, "n d_model"]:
        """Return the decoder rows of `features` of `layer` for the MLP output of the layer `written`."""
        if written != layer:
            raise IndexError(f"features of layer {layer} write to their own layer only, not to layer {written}")
        return self.layers[layer].decoder_rows(features)
