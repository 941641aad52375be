"""The neurons of all MLPs of a model as features: the methods are those of `TranscoderSet`."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from circuit_widget.errors import LoadError
from circuit_widget.model.architectures import MlpSites
from circuit_widget.model.block import Block, projection_weight
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.neurons import NeuronInputs, NeuronLayer


class Neurons:
    """The neurons of a model as features that add up to what its MLPs write, without an error.

    All are active on every prompt, with either sign, and what they read depends on the prompt. Weights are the model's
    own, read whenever they are used.

    Raises:
        LoadError: the MLPs of this architecture are not of the kind that neurons can be read from.
    """

    name = "neurons"
    input_site = "mlp_input"
    output_site = "mlp_output"

    def __init__(self, model: LanguageModel) -> None:
        sites = model.sites.neurons
        if sites is None:
            raise LoadError(
                f"{model.name}: the MLPs of {model.network.config.model_type!r} are mixtures of experts, so neurons cannot "
                "be its features: a router that reads the residual stream decides which experts run, so a neuron's activation "
                "can change without its inputs, and no direction that a neuron reads describes that. Load it with transcoders."
            )
        self.model = model
        self._sites = sites
        model.read_neurons()
        for layer in range(self.n_layers):
            self.layer(layer).check_activation(f"{model.name}: layer {layer}")

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return self.model.n_layers

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return self.model.d_model

    def layer(self, layer: int) -> NeuronLayer:
        """Return the neurons of one layer, as the weights are now."""
        return find_neurons(self.model.blocks[layer], self._sites)

    def n_features(self, layer: int) -> int:
        """Return the number of neurons of a layer."""
        return self.layer(layer).n_neurons

    def encode(
        self, layer: int, x: Float[Tensor, "positions d_model"]
    ) -> tuple[Float[Tensor, "positions features"], Float[Tensor, "positions features"]]:
        """Return what goes through the activation function, and the activations, of all neurons of a layer."""
        neurons = self.layer(layer)
        inputs = neurons.inputs(x)
        return inputs.gate, neurons.activations(inputs)

    def read(
        self,
        layer: int,
        features: Int[Tensor, " n"],
        positions: Int[Tensor, " n"],
        x: Float[Tensor, "batch rows d_model"],
        rows: Float[Tensor, "n d_model"] | None = None,  # noqa: ARG002 - readers are linear, and neurons are not
    ) -> tuple[Float[Tensor, "batch n"], Float[Tensor, "batch n"]]:
        """Return what goes through the activation function, and the activation, of some neurons in several re-runs.

        The model's own neurons are computed, whatever `rows`, their linear readers, are.
        """
        neurons = self.layer(layer)
        inputs = neurons.inputs_of(features, positions, x)
        return inputs.gate, neurons.activations(inputs)

    def encoder_rows_at(
        self, layer: int, features: Int[Tensor, " n"], positions: Int[Tensor, " n"], x: Float[Tensor, "rows d_model"]
    ) -> Float[Tensor, "n d_model"]:
        """Return the directions that neurons read where an MLP is given `x`, linearised there."""
        neurons = self.layer(layer)
        inputs = neurons.inputs_of(features, positions, x[None])
        return neurons.encoder_rows(features, NeuronInputs(inputs.gate[0], None if inputs.up is None else inputs.up[0]))

    def written_layers(self, layer: int) -> range:
        """Return the one layer that neurons of `layer` write to: their own."""
        return range(layer, layer + 1)

    def decoder_rows(self, layer: int, features: Int[Tensor, " n"], written: int) -> Float[Tensor, "n d_model"]:
        """Return the directions that neurons of `layer` write to the MLP output of the layer `written`."""
        if written != layer:
            raise IndexError(f"neurons of layer {layer} write to their own layer only, not to layer {written}")
        down = self.layer(layer).down
        return down[features.to(down.device)].float()

    def decoder_bias(self, layer: int) -> Float[Tensor, " d_model"]:
        """Return the bias of the MLP's last projection."""
        neurons = self.layer(layer)
        if neurons.down_bias is None:
            return torch.zeros(neurons.d_model, dtype=torch.float32, device=neurons.device)
        return neurons.down_bias.float()

    def skip(self, layer: int) -> None:  # noqa: ARG002 - no layer has one
        """Return None: neurons have no linear skip connection."""
        return


def find_neurons(block: Block, sites: MlpSites) -> NeuronLayer:
    """Return the neurons of a layer's MLP, their weights as views of the model's.

    Raises:
        LoadError: the MLP has no such part.
    """

    def part(name: str) -> nn.Module:
        found = getattr(block.mlp_owner, name, None)
        if found is None:
            raise LoadError(
                f"{type(block.mlp_owner).__name__} has no part {name!r}, expected by circuit_widget/model/architectures.py."
            )
        return found  # type: ignore[no-any-return]

    def rows(projection: nn.Module) -> Float[Tensor, "outputs inputs"]:
        return projection_weight(projection).T

    def bias(projection: nn.Module) -> Tensor | None:
        found = getattr(projection, "bias", None)
        return None if found is None else found.detach()

    up, down = part(sites.up), part(sites.down)
    gate_rows, gate_bias = rows(up), bias(up)
    up_rows: Tensor | None = None
    up_bias: Tensor | None = None
    if sites.gate is not None:
        gate = part(sites.gate)
        up_rows, up_bias, gate_rows, gate_bias = gate_rows, gate_bias, rows(gate), bias(gate)
    if sites.fused:
        gate_rows, up_rows = gate_rows.chunk(2)
        gate_bias, up_bias = (None, None) if gate_bias is None else gate_bias.chunk(2)
    return NeuronLayer(
        gate=gate_rows,
        up=up_rows,
        down=projection_weight(down),
        activation=part(sites.activation),
        gate_bias=gate_bias,
        up_bias=up_bias,
        down_bias=bias(down),
    )
