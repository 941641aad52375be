"""The total attribution of neurons: activation times the gradient of the weighted targets through the frozen model.

Attention patterns, norm denominators and the quotients of activation functions are frozen, so the model is linear, and a
neuron's total attribution is what its activation adds to the targets along all paths, through other neurons too
(activation times gradient, with the rules of RelP: Jafari et al. 2025). One walk from the top finds that of all neurons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.attribution.propagation import before_norm
from circuit_widget.errors import Cancelled
from circuit_widget.model.frozen import FrozenModel
from circuit_widget.model.neurons import NeuronLayer
from circuit_widget.progress import IsCancelled


@dataclass(frozen=True, eq=False)
class TotalAttributions:
    """The attribution `z dG/dz` of every neuron, layer by layer, and the gradient of what enters the first layer."""

    neurons: tuple[Float[Tensor, "positions neurons"], ...]
    entering: Float[Tensor, "positions d_model"]


def total_attributions(
    frozen: FrozenModel,
    layers: Sequence[NeuronLayer],
    mlp_inputs: Sequence[Float[Tensor, "positions d_model"]],
    direction: Float[Tensor, " d_model"],
    first_position: int,
    cancelled: IsCancelled | None = None,
) -> TotalAttributions:
    """Return the total attribution of every neuron.

    `G` is the product of `direction` with the residual stream after the final norm at the traced position; `mlp_inputs`
    are what the MLPs are given on the prompt. Neurons before `first_position` are constants: their attribution is zero.

    Raises:
        Cancelled: `cancelled()` became true between two layers.
    """
    n_positions, d_model = mlp_inputs[0].shape
    every = torch.arange(n_positions, dtype=torch.long, device="cpu")
    gradient = torch.zeros(n_positions, d_model, dtype=torch.float32, device=frozen.device)
    last = torch.zeros(1, dtype=torch.long, device="cpu")
    gradient[frozen.position] = before_norm(frozen.final, direction[None].to(frozen.device), last)[0]
    found: list[Tensor] = []
    for number in reversed(range(len(layers))):
        if cancelled is not None and cancelled():
            raise Cancelled("The trace was cancelled.")
        layer, neurons = frozen.layers[number], layers[number]
        gradient = gradient.to(layer.device)
        inputs = neurons.inputs(mlp_inputs[number])
        of_activations = neurons.written(before_norm(layer.writing, gradient, every))
        of_activations[:first_position] = 0
        found.append(neurons.activations(inputs) * of_activations)
        read = before_norm(layer.reading, neurons.pulled_back(inputs, of_activations), every)
        if layer.parallel:
            gradient = gradient + read + layer.attend_transposed(gradient)
        else:
            gradient = gradient + read
            gradient = gradient + layer.attend_transposed(gradient)
    return TotalAttributions(tuple(reversed(found)), gradient)
