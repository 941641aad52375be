"""The frozen model against autograd: the real model, its patterns and denominators and MLP outputs made constants."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from circuit_widget.model.capture import capture, freeze
from circuit_widget.model.language_model import LanguageModel
from tests.architectures import every_configuration, model_of
from tests.plain_pass import rows_of

PROMPT = (1, 17, 42, 5, 99, 17, 120, 8, 9)
POSITION = 7


@contextmanager
def constants(model: LanguageModel, output_site: str) -> Iterator[tuple[list[Tensor], list[Tensor], list[Tensor]]]:
    """While open: softmaxes and denominators are constants to autograd, and so are the outputs that features reconstruct.

    Yields the tensors added at the output site of each layer (zero, with a gradient), the MLP inputs, and the output of
    the unembedding.
    """
    softmax, rsqrt, layer_norm = nn.functional.softmax, torch.rsqrt, nn.functional.layer_norm
    leaves = [torch.zeros(len(PROMPT), model.d_model, requires_grad=True) for _ in model.blocks]
    given: list[Tensor] = []
    logits: list[Tensor] = []

    def frozen_rsqrt(x: Tensor) -> Tensor:
        return rsqrt(x).detach()

    def frozen_layer_norm(x: Tensor, _: Any, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        normed = centred * (centred.pow(2).mean(-1, keepdim=True) + eps).rsqrt().detach()
        return normed * (1 if weight is None else weight) + (0 if bias is None else bias)

    def constant(leaf: Tensor) -> Any:
        def hook(_: nn.Module, __: Any, output: Any) -> Any:
            first = output[0] if isinstance(output, tuple) else output
            changed = first.detach() + leaf
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        return hook

    handles = [model.network.get_output_embeddings().register_forward_hook(lambda _, __, output: logits.append(output))]
    for block, leaf in zip(model.blocks, leaves, strict=True):
        post_norm = block.mlp_post_norm if output_site == "mlp_update" else None
        writer = getattr(block.whole, "fc2", block.mlp) if post_norm is None else post_norm
        handles.append(writer.register_forward_hook(constant(leaf)))
        handles.append(block.mlp.register_forward_pre_hook(lambda _, args: given.append(rows_of(args[0]))))
    nn.functional.softmax = lambda *args, **kwargs: softmax(*args, **kwargs).detach()
    torch.rsqrt = frozen_rsqrt  # type: ignore[assignment]
    nn.functional.layer_norm = frozen_layer_norm  # type: ignore[assignment]
    try:
        yield leaves, given, logits
    finally:
        nn.functional.softmax, torch.rsqrt, nn.functional.layer_norm = softmax, rsqrt, layer_norm
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize("output_site", ["mlp_output", "mlp_update"])
@every_configuration
def test_the_frozen_model_is_the_models_gradient_with_its_constants_detached(name: str, output_site: str) -> None:
    model = model_of(name)
    generator = torch.Generator().manual_seed(11)
    changes = [torch.randn(len(PROMPT), model.d_model, generator=generator) for _ in model.blocks]
    reader = torch.randn(model.d_model, generator=generator)
    direction = torch.randn(model.vocabulary_size, generator=generator)
    with constants(model, output_site) as (leaves, given, unscaled):
        capped = model.network(torch.tensor([PROMPT])).logits
        logits = unscaled[0] if model.softcap is not None else capped
        top = torch.autograd.grad((logits[0, POSITION] * direction).sum(), leaves, retain_graph=True)
        middle = torch.autograd.grad((given[2][5] * reader).sum(), leaves, allow_unused=True)

    captured = capture(model, PROMPT, POSITION, output_site=output_site)
    frozen = freeze(model, captured)
    for first in range(model.n_layers):
        read: dict[int, float] = {}

        def change(layer: int, x: Tensor, first: int = first, read: dict[int, float] = read) -> Tensor:
            read[layer] = float(x[5] @ reader)
            return changes[layer] if layer == first else torch.zeros_like(x)

        moved = float(model.unembed(frozen.propagate(change, first)) @ direction)
        expected = float((top[first] * changes[first]).sum())
        assert abs(expected) > 1e-2
        assert moved == pytest.approx(expected, abs=2e-4, rel=1e-4)
        if first < 2:
            assert read[2] == pytest.approx(float((middle[first] * changes[first]).sum()), abs=1e-4, rel=1e-4)
