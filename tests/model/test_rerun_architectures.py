"""Re-runs of each architecture, compared with plain forward passes with hand-written hooks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from circuit_widget.model.architectures import INPUT_SITES
from circuit_widget.model.capture import Capture, capture
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.rerun import Conditions, MlpEdit, rerun
from tests.architectures import THOROUGH, every_configuration, model_of
from tests.plain_pass import rows_of

PROMPT = (1, 17, 42, 5, 99, 17, 120, 8, 9)
LAYER, FIRST_POSITION, POSITION = 1, 5, 7
every_architecture = pytest.mark.parametrize("name", THOROUGH)
every_output_site = pytest.mark.parametrize("output_site", ["mlp_output", "mlp_update"])


def vector_of(model: LanguageModel) -> Tensor:
    """Writes of MLPs."""
    return 2 * torch.randn(model.d_model, generator=torch.Generator().manual_seed(3))


def adding(vector: Tensor, first_position: int) -> MlpEdit:
    """An edit that writes a vector at one layer and position."""

    def edit(layer: int, x: Tensor) -> Tensor | None:
        if layer != LAYER:
            return None
        added = torch.zeros_like(x)
        added[FIRST_POSITION - first_position] = vector
        return added

    return edit


@contextmanager
def written_by_hand(model: LanguageModel, vector: Tensor, output_site: str) -> Iterator[dict[int, Tensor]]:
    """While open the network itself writes the vector there; gives what each MLP is given."""
    block = model.blocks[LAYER]
    whole: Any = block.whole
    post_norms = [getattr(whole, name, None) for name in ("post_feedforward_layernorm", "post_mlp_layernorm")]
    post_norm = next((norm for norm in post_norms if norm is not None), None)
    mlp_end = getattr(whole, "fc2", block.mlp)
    writer = mlp_end if post_norm is None or output_site == "mlp_output" else post_norm
    given: dict[int, Tensor] = {}

    def write(_: nn.Module, __: Any, output: Any) -> Any:
        first = (output[0] if isinstance(output, tuple) else output).clone()
        rows_of(first)[FIRST_POSITION] += vector
        return (first, *output[1:]) if isinstance(output, tuple) else first

    handles = [writer.register_forward_hook(write)]
    for layer, other in enumerate(model.blocks):
        handles.append(
            other.mlp.register_forward_pre_hook(lambda _, args, layer=layer: given.update({layer: rows_of(args[0])}))
        )
    try:
        yield given
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def replayed_patterns(captured: Capture) -> Iterator[None]:
    """While open every attention of the network uses the captured patterns, whatever its queries and keys."""
    softmax = nn.functional.softmax
    patterns = iter([pieces.pattern for pieces in captured.layers])

    def replay(scores: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if scores.ndim != 4:
            return softmax(scores, *args, **kwargs)
        pattern = next(patterns)[None]
        sinks = scores.shape[-1] - pattern.shape[-1]
        return nn.functional.pad(pattern, (0, sinks))

    nn.functional.softmax = replay  # type: ignore[assignment]
    try:
        yield
    finally:
        nn.functional.softmax = softmax


@every_output_site
@every_configuration
def test_a_total_effect_equals_a_plain_forward_pass_with_a_hook(name: str, output_site: str) -> None:
    model = model_of(name)
    captured = capture(model, PROMPT, POSITION, output_site=output_site)
    vector = vector_of(model) * max(1.0, float(captured.final_residual.std()) / 4)
    again = rerun(model, captured, adding(vector, FIRST_POSITION), first_layer=LAYER, first_position=FIRST_POSITION)
    with torch.inference_mode(), written_by_hand(model, vector, output_site) as given:
        expected = model.network(torch.tensor([PROMPT])).logits[0, POSITION]
    # Squares of large activations outweigh the vector in arcee.
    assert float((expected - captured.logits).abs().max()) > (2e-4 if name == "arcee" else 1e-2)
    torch.testing.assert_close(again.logits, expected, atol=2e-5, rtol=0)
    assert sorted(again.mlp_inputs) == [1, 2]
    for layer, x in again.mlp_inputs.items():
        torch.testing.assert_close(x, given[layer][FIRST_POSITION : POSITION + 1], atol=2e-5, rtol=2e-5)


@every_output_site
@every_architecture
def test_frozen_attention_moves_new_values_by_the_captured_patterns(name: str, output_site: str) -> None:
    model = model_of(name)
    vector = vector_of(model)
    captured = capture(model, PROMPT, POSITION, output_site=output_site)
    frozen = Conditions(frozen_attention=True)
    again = rerun(
        model,
        captured,
        adding(vector, FIRST_POSITION),
        first_layer=LAYER,
        first_position=FIRST_POSITION,
        conditions=frozen,
    )
    with torch.inference_mode(), written_by_hand(model, vector, output_site), replayed_patterns(captured):
        expected = model.network(torch.tensor([PROMPT])).logits[0, POSITION]
    torch.testing.assert_close(again.logits, expected, atol=2e-5, rtol=0)
    free = rerun(model, captured, adding(vector, FIRST_POSITION), first_layer=LAYER, first_position=FIRST_POSITION)
    assert float((again.logits - free.logits).abs().max()) > 1e-4


@pytest.mark.parametrize(
    "conditions",
    [Conditions(), Conditions(frozen_attention=True), Conditions(frozen_mlps=range(1, 3))],
    ids=["total", "frozen attention", "clamped"],
)
@pytest.mark.parametrize(
    ("name", "input_site"),
    [(name, site) for name in THOROUGH for site in INPUT_SITES if (name, site) != ("gpt_neox", "residual_mid")],
)
def test_a_partial_rerun_equals_a_full_one(name: str, input_site: str, conditions: Conditions) -> None:
    model = model_of(name)
    vector = vector_of(model)
    captured = capture(model, PROMPT, POSITION, input_site=input_site, output_site="mlp_update")
    part = rerun(
        model,
        captured,
        adding(vector, FIRST_POSITION),
        first_layer=LAYER,
        first_position=FIRST_POSITION,
        conditions=conditions,
    )
    whole = rerun(model, captured, adding(vector, 0), first_layer=0, first_position=0, conditions=conditions)
    torch.testing.assert_close(part.logits, whole.logits, atol=1e-6 * float(whole.logits.abs().max()), rtol=0)
    assert not torch.allclose(whole.logits, captured.logits, atol=1e-3)
    torch.testing.assert_close(whole.mlp_inputs[0], captured.layers[0].mlp_input[: POSITION + 1], atol=5e-6, rtol=1e-5)
    for layer, x in part.mlp_inputs.items():
        torch.testing.assert_close(x, whole.mlp_inputs[layer][FIRST_POSITION:], atol=5e-6, rtol=1e-5)


@every_architecture
def test_a_clamped_layer_has_its_captured_output_whatever_its_input(name: str) -> None:
    model = model_of(name)
    captured = capture(model, PROMPT, POSITION, output_site="mlp_update")
    vector = vector_of(model)
    clamped = Conditions(frozen_mlps=range(LAYER, LAYER + 2))
    again = rerun(
        model,
        captured,
        adding(vector, FIRST_POSITION),
        first_layer=LAYER,
        first_position=FIRST_POSITION,
        conditions=clamped,
    )
    handles = []
    for layer in (LAYER, LAYER + 1):
        block = model.blocks[layer]
        output = captured.layers[layer].mlp_output.clone()
        if layer == LAYER:
            output[FIRST_POSITION] += vector

        def hook(_: nn.Module, __: Any, own: Any, output: Tensor = output) -> Any:
            return (output[None], *own[1:]) if isinstance(own, tuple) else output[None]

        handles.append((block.mlp_post_norm or block.mlp).register_forward_hook(hook))
    with torch.inference_mode():
        expected = model.network(torch.tensor([PROMPT])).logits[0, POSITION]
    for handle in handles:
        handle.remove()
    torch.testing.assert_close(again.logits, expected, atol=2e-5, rtol=0)
