"""Neurons of the model's own MLPs, in the part of features: what they read is linearised at one prompt.

A neuron's activation `z` is what the MLP's last projection is given of it. With `x` what the MLP is given, `g = W_gate x`
and `u = W_up x`, a gated MLP has `z = act(g) u`, any other `z = act(u)`. The quotient `s = act(g) / g` is frozen at its
value on the prompt, and the product's two factors share it in halves (RelP: Jafari et al. 2025). So a neuron reads

    r = s/2 (u W_gate + g W_up), or r = s W_up where there is no gate,

and `r x` is `z`, but for what the biases of the projections have a share in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.at_positions import read_at

NEAR_ZERO = 1e-6
"""Inputs of an activation function that are closer to zero have the quotient at zero."""

ZERO_AT_ZERO = 1e-5
"""Most of what an activation function may be at zero: some (xIELU) are not quite 0 there."""

SMALL = 1e-3
"""Where the quotient at zero is measured."""

PIECE_BYTES = 1 << 26
"""Weights of another type that are taken to float32 together."""


@dataclass(frozen=True, eq=False)
class NeuronInputs:
    """What neurons are given: `gate` goes through the activation function, `up` is multiplied by it (None: by one)."""

    gate: Float[Tensor, "*rows neurons"]
    up: Float[Tensor, "*rows neurons"] | None


@dataclass(frozen=True, eq=False)
class NeuronLayer:
    """The neurons of one MLP. Weights are the model's own, in its dtype; all that is returned is float32.

    `gate` are the rows that the activation function is given, `up` those that multiply it, None where nothing does; `down`
    are the directions that neurons write. A bias that is None is zero.
    """

    gate: Float[Tensor, "neurons d_model"]
    up: Float[Tensor, "neurons d_model"] | None
    down: Float[Tensor, "neurons d_model"]
    activation: Callable[[Tensor], Tensor]
    gate_bias: Float[Tensor, " neurons"] | None = None
    up_bias: Float[Tensor, " neurons"] | None = None
    down_bias: Float[Tensor, " d_model"] | None = None

    def check_activation(self, what: str) -> None:
        """Check that the activation function, and so `act(g) / g`, has a limit at zero.

        Raises:
            LoadError: it is not zero at zero; `what` names the layer.
        """
        at_zero = float(self._acted(torch.zeros(1, dtype=torch.float32, device=self.device)))
        if not abs(at_zero) < ZERO_AT_ZERO:
            raise LoadError(
                f"{what}: the activation function of the MLP is {at_zero:.3g} at zero, expected 0, so what its neurons "
                "read cannot be written as a direction; load the model with transcoders."
            )

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return self.down.shape[0]

    @property
    def d_model(self) -> int:
        """Width of what is read and written."""
        return self.down.shape[1]

    @property
    def device(self) -> torch.device:
        """Where the layer is."""
        return self.down.device

    def inputs(self, x: Float[Tensor, "*rows d_model"]) -> NeuronInputs:
        """Return what all neurons are given where the MLP is given `x`."""
        up = None if self.up is None else _product(x, self.up, self.up_bias)
        return NeuronInputs(_product(x, self.gate, self.gate_bias), up)

    def inputs_of(
        self, neurons: Int[Tensor, " n"], positions: Int[Tensor, " n"], x: Float[Tensor, "batch rows d_model"]
    ) -> NeuronInputs:
        """Return what some neurons are given, each at its position, in several re-runs at once."""

        def read(weight: Tensor, bias: Tensor | None) -> Float[Tensor, "batch n"]:
            read = read_at(x, positions, weight[neurons].float())
            return read if bias is None else read + bias[neurons].float()

        return NeuronInputs(read(self.gate, self.gate_bias), None if self.up is None else read(self.up, self.up_bias))

    def activations(self, inputs: NeuronInputs) -> Float[Tensor, "*rows neurons"]:
        """Return the activations `z` of neurons that are given `inputs`."""
        acted = self._acted(inputs.gate)
        return acted if inputs.up is None else acted * inputs.up

    def outputs(self, activations: Float[Tensor, "*rows neurons"]) -> Float[Tensor, "*rows d_model"]:
        """Return what the MLP writes where its neurons have these activations."""
        written = _pulled(activations, self.down)
        return written if self.down_bias is None else written + self.down_bias.float()

    def slopes(
        self, inputs: NeuronInputs
    ) -> tuple[Float[Tensor, "*rows neurons"], Float[Tensor, "*rows neurons"] | None]:
        """Return by what a neuron's row of `gate` and its row of `up` go into what it reads: `s u / 2` and `s g / 2`.

        Without a gate these are `s` and None.
        """
        quotient = self._quotient(inputs.gate)
        if inputs.up is None:
            return quotient, None
        return 0.5 * quotient * inputs.up, 0.5 * quotient * inputs.gate

    def encoder_rows(self, neurons: Int[Tensor, " n"], inputs: NeuronInputs) -> Float[Tensor, "n d_model"]:
        """Return the directions `r` that neurons read; `inputs` has one row, an entry for each of them."""
        of_gate, of_up = self.slopes(inputs)
        rows = of_gate.view(-1, 1) * self.gate[neurons].float()
        if self.up is not None and of_up is not None:
            rows += of_up.view(-1, 1) * self.up[neurons].float()
        return rows

    def pulled_back(
        self, inputs: NeuronInputs, gradient: Float[Tensor, "positions neurons"]
    ) -> Float[Tensor, "positions d_model"]:
        """Return the gradient of what the MLP is given, where `gradient` is that of all activations: `sum_i gradient_i r_i`."""
        of_gate, of_up = self.slopes(inputs)
        pulled = _pulled(of_gate * gradient, self.gate)
        return pulled if self.up is None or of_up is None else pulled + _pulled(of_up * gradient, self.up)

    def written(self, gradient: Float[Tensor, "positions d_model"]) -> Float[Tensor, "positions neurons"]:
        """Return the gradient of all activations, where `gradient` is that of the MLP's output."""
        return _product(gradient, self.down, None)

    def _quotient(self, gate: Float[Tensor, "*rows neurons"]) -> Float[Tensor, "*rows neurons"]:
        small = gate.abs() < NEAR_ZERO
        here = torch.where(small, torch.full_like(gate, SMALL), gate)
        return self._acted(here) / here

    def _acted(self, gate: Float[Tensor, "*rows neurons"]) -> Float[Tensor, "*rows neurons"]:
        """Return what the activation function gives, outside autograd: some (xIELU) have weights of their own."""
        acted: Tensor = self.activation(gate).detach()
        return acted


def _product(x: Tensor, weight: Float[Tensor, "neurons d_model"], bias: Tensor | None) -> Tensor:
    """Return `x W^T + bias` in float32."""
    if weight.dtype == torch.float32:
        product = x @ weight.T
    else:
        pieces = weight.split(max(1, PIECE_BYTES // (4 * weight.shape[1])))
        product = torch.cat([x @ piece.float().T for piece in pieces], dim=-1)
    return product if bias is None else product + bias.float()


def _pulled(gradient: Float[Tensor, "positions neurons"], weight: Float[Tensor, "neurons d_model"]) -> Tensor:
    """Return `gradient W` in float32."""
    if weight.dtype == torch.float32:
        return gradient @ weight
    size = max(1, PIECE_BYTES // (4 * weight.shape[1]))
    pieces: Sequence[Tensor] = weight.split(size)
    products = [part @ piece.float() for part, piece in zip(gradient.split(size, dim=-1), pieces, strict=True)]
    return torch.stack(products).sum(0)
