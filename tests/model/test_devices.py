"""A model spread over devices: every tensor is where it is used.

The devices are those of fake tensors, which have shapes and devices but no numbers, and refuse to meet across devices.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from circuit_widget.model import module_checks
from circuit_widget.model.capture import capture, freeze
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.rerun import Conditions, rerun
from circuit_widget.model.self_check import rebuild_logits
from tests.architectures import CONFIGURATIONS
from tests.models import tokenizer

PROMPT = (1, 17, 42, 5, 99, 17, 120, 8, 9)
FIRST, SECOND, THIRD, FOURTH = (torch.device(name) for name in ("cpu", "cpu:1", "cpu:2", "cpu:3"))


def put(module: nn.Module, device: torch.device) -> None:
    """Put a module's tensors on a device."""
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                part._parameters[name] = nn.Parameter(parameter.detach().to(device), requires_grad=False)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = buffer.to(device)


def dispatch(module: nn.Module, device: torch.device) -> None:
    """Put a module on a device and make its forward move its inputs there, as accelerate does."""
    put(module, device)
    forward = module.forward

    def moved(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to(device)
        return tuple(moved(part) for part in value) if isinstance(value, tuple) else value

    module.forward = lambda *args, **kwargs: forward(*moved(args), **{key: moved(kwargs[key]) for key in kwargs})


@pytest.fixture
def fake_tensors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    class Every:
        def all(self) -> bool:
            return True

    monkeypatch.setattr(torch, "isfinite", lambda _: Every())  # fake logits have no numbers
    monkeypatch.setattr(module_checks, "PLAIN_TENSORS", (*module_checks.PLAIN_TENSORS, FakeTensor))
    with FakeTensorMode():
        yield


@pytest.mark.parametrize("name", ["llama", "qwen2", "gemma2", "gemma3_text", "gpt2", "gpt_neox"])
@pytest.mark.usefixtures("fake_tensors")
@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
def test_a_model_over_four_devices_is_captured_frozen_and_run_again_where_its_layers_are(name: str) -> None:
    model_type, entries = CONFIGURATIONS[name]
    config = transformers.AutoConfig.for_model(model_type, **entries)
    model = LanguageModel(transformers.AutoModelForCausalLM.from_config(config), tokenizer(), name)
    for block, device in zip(model.blocks, (FIRST, SECOND, SECOND), strict=True):
        dispatch(block.whole, device)
    dispatch(model.final_norm, THIRD)
    put(model.unembedding, FOURTH)
    assert [model.layer_device(layer) for layer in range(3)] == [FIRST, SECOND, SECOND]
    for output_site in ("mlp_output", "mlp_update"):
        captured = capture(model, PROMPT, 8, output_site=output_site)
        assert captured.embedding.device == FIRST
        assert (captured.final_residual.device, captured.logits.device) == (THIRD, FOURTH)
        for layer, pieces in enumerate(captured.layers):
            tensors = (pieces.residual, pieces.keys, pieces.pattern, pieces.mlp_input, pieces.mlp_output)
            assert {tensor.device for tensor in tensors} == {model.layer_device(layer)}
        rebuild_logits(model, captured)
        frozen = freeze(model, captured)
        assert [layer.device for layer in frozen.layers] == [FIRST, SECOND, SECOND]
        assert model.unembed(frozen.propagate(lambda _, x: x, 0)).device == FOURTH
        for conditions in (Conditions(), Conditions(frozen_attention=True), Conditions(frozen_mlps=range(3))):
            again = rerun(model, captured, lambda _, x: x, first_layer=0, first_position=3, conditions=conditions)
            assert again.logits.device == FOURTH
            assert [again.mlp_inputs[layer].device for layer in range(3)] == [FIRST, SECOND, SECOND]
