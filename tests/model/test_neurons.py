"""Neurons as features: what they read, checked against autograd through the MLP itself."""

from typing import Any

import pytest
import torch
from torch import nn

from circuit_widget.errors import LoadError
from circuit_widget.model.architectures import ARCHITECTURES
from circuit_widget.model.neuron_set import Neurons
from circuit_widget.model.neurons import NeuronInputs, NeuronLayer
from circuit_widget.model.self_check import check_neurons
from tests.architectures import CONFIGURATIONS, model_of, with_skips
from tests.cases import assert_close

WITH_NEURONS = [name for name, (kind, _) in CONFIGURATIONS.items() if ARCHITECTURES[kind].neurons is not None]


@pytest.fixture(params=with_skips(WITH_NEURONS))
def neurons(request: pytest.FixtureRequest) -> Neurons:
    return Neurons(model_of(request.param))


def mlp_input(neurons: Neurons, seed: int = 3) -> torch.Tensor:
    return torch.randn(5, neurons.d_model, generator=torch.Generator().manual_seed(seed))


def test_encoder_rows_and_the_share_of_biases_add_up_to_activations(neurons: Neurons) -> None:
    x = mlp_input(neurons)
    layer = neurons.layer(1)
    every, position = torch.arange(layer.n_neurons), torch.full((layer.n_neurons,), 2)
    _, activations = neurons.encode(1, x)
    rows = neurons.encoder_rows_at(1, every, position, x)
    of_gate, of_up = layer.slopes(layer.inputs(x[2]))
    biases = torch.zeros(layer.n_neurons)
    if layer.gate_bias is not None:
        biases += of_gate * layer.gate_bias
    if layer.up_bias is not None and of_up is not None:
        biases += of_up * layer.up_bias
    assert_close(rows @ x[2] + biases, activations[2])


def test_encoder_rows_are_gradients_with_quotients_and_half_of_each_product_frozen(neurons: Neurons) -> None:
    x = mlp_input(neurons).requires_grad_()
    layer = neurons.layer(0)
    gate = x @ layer.gate.T + (0 if layer.gate_bias is None else layer.gate_bias)
    quotient = (layer.activation(gate) / gate).detach()
    if layer.up is None:
        linear = quotient * gate
    else:
        up = x @ layer.up.T + (0 if layer.up_bias is None else layer.up_bias)
        linear = 0.5 * quotient * (gate * up.detach() + gate.detach() * up)
    for neuron, position in ((0, 0), (7, 3), (layer.n_neurons - 1, 4)):
        (gradient,) = torch.autograd.grad(linear[position, neuron], x, retain_graph=True)
        row = neurons.encoder_rows_at(0, torch.tensor([neuron]), torch.tensor([position]), x.detach())[0]
        assert_close(row, gradient[position])
    weights = torch.randn(linear.shape, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((linear * weights).sum(), x)
    with torch.no_grad():
        assert_close(layer.pulled_back(layer.inputs(x), weights), gradient)


def test_neurons_write_what_the_mlp_writes(neurons: Neurons) -> None:
    x = mlp_input(neurons)
    for number, block in enumerate(neurons.model.blocks):
        layer = neurons.layer(number)
        whole: Any = block.whole
        with torch.no_grad():
            written = block.mlp(x[None])
            if block.mlp_end is not block.mlp:
                written = block.mlp_end(whole.activation_fn(written))
            assert_close(layer.outputs(layer.activations(layer.inputs(x))), written[0])


def test_some_neurons_are_read_as_all_are(neurons: Neurons) -> None:
    x = torch.stack([mlp_input(neurons, 1), mlp_input(neurons, 2)])
    numbers, positions = torch.tensor([0, 3, 11, 3]), torch.tensor([0, 1, 1, 4])
    found = neurons.read(1, numbers, positions, x)
    for whole, some in zip(neurons.encode(1, x.flatten(0, 1)), found, strict=True):
        assert_close(some, whole.unflatten(0, (2, 5))[:, positions, numbers])


def test_an_input_of_zero_has_the_limit_of_the_quotient() -> None:
    layer = NeuronLayer(torch.eye(2), torch.eye(2), torch.eye(2), nn.SiLU())
    inputs = NeuronInputs(torch.zeros(1, 2), torch.tensor([[3.0, -2.0]]))
    rows = layer.encoder_rows(torch.arange(2), NeuronInputs(inputs.gate[0], inputs.up[0]))  # type: ignore[index]
    # silu(g) / g is 1/2 at zero, of which half times u: 3/4 and -1/2.
    assert_close(rows, torch.diag(torch.tensor([0.75, -0.5])), 1e-3)


def test_an_activation_function_that_is_not_zero_at_zero_is_refused() -> None:
    layer = NeuronLayer(torch.eye(2), None, torch.eye(2), nn.Sigmoid())
    with pytest.raises(LoadError, match=r"layer 3: the activation function of the MLP is 0\.5 at zero, expected 0"):
        layer.check_activation("toy: layer 3")


@pytest.mark.parametrize("name", ["gpt_oss", "mixtral", "qwen3_moe"])
def test_experts_are_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(
        LoadError,
        match=rf"'{name}' are mixtures of experts.*a router.*decides which experts run.* Load it with transcoders",
    ):
        Neurons(model_of(name))


def test_an_mlp_that_does_something_else_is_refused() -> None:
    model = model_of("llama")
    neurons = Neurons(model)
    check_neurons(model, neurons)
    original = type(model.blocks[1].mlp).forward

    class Doubled(type(model.blocks[1].mlp)):  # type: ignore[misc]
        """An MLP of transformers with another forward."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            doubled: torch.Tensor = 2 * original(self, x)
            return doubled

    model.blocks[1].mlp.__class__ = Doubled
    with pytest.raises(LoadError, match=r"neurons of layer 1 should write what its MLP writes within 0\.0001"):
        check_neurons(model, neurons)
    with pytest.raises(LoadError, match=r"layers\.1\.mlp"):
        model.forget()


def test_what_is_put_on_a_projection_is_refused_once_neurons_are_read() -> None:
    model = model_of("llama")
    model.network.model.layers[0].mlp.up_proj.register_forward_hook(lambda _, __, output: output * 2)
    with pytest.raises(LoadError, match=r"layers\.0\.mlp\.up_proj has a forward hook on it"):
        Neurons(model)


def test_a_weight_that_changes_is_read_as_it_is_now() -> None:
    model = model_of("llama")
    neurons = Neurons(model)
    x = mlp_input(neurons)
    before = neurons.encode(0, x)[1]
    up: Any = model.blocks[0].mlp.up_proj
    with torch.no_grad():
        up.weight.mul_(2)
    assert_close(neurons.encode(0, x)[1], 2 * before)


def test_16_bit_weights_give_float32() -> None:
    model = model_of("gpt2", dtype=torch.bfloat16)
    neurons = Neurons(model)
    x = mlp_input(neurons)
    layer = neurons.layer(0)
    inputs = layer.inputs(x)
    for found in (*neurons.encode(0, x), layer.written(x), layer.pulled_back(inputs, inputs.gate)):
        assert found.dtype == torch.float32
    assert_close(layer.written(x), x @ layer.down.float().T)
