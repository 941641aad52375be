"""Every architecture of the table: its captured pass is the model's own, at every site."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from circuit_widget.errors import LoadError
from circuit_widget.model.architectures import ARCHITECTURES, INPUT_SITES, OUTPUT_SITES
from circuit_widget.model.capture import capture
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.self_check import check_pieces, rebuild_logits
from tests.architectures import CONFIGURATIONS, THOROUGH, every_configuration, model_of, network_of
from tests.models import hooks_of, tokenizer

PROMPT = (1, 17, 42, 5, 99, 17, 120, 8, 9)
PARALLEL = "gpt_neox"
BESIDE_ATTENTION = (PARALLEL, "stablelm-parallel", "cohere", "cohere2", "gptj", "phi")
"""Configurations whose MLPs run beside attention, so that there is no residual stream between the two."""


def site_pairs(name: str) -> list[tuple[str, str]]:
    """The sites at which features of a configuration can read and write."""
    inputs = [site for site in INPUT_SITES if name not in BESIDE_ATTENTION or site != "residual_mid"]
    return list(itertools.product(inputs, OUTPUT_SITES))


POST_NORMED = ("gemma2", "gemma3", "gemma3_text", "glm4", "olmo2", "olmo3", "exaone4")
PLUS_ONE = ("gemma", "gemma2", "vaultgemma", "gemma3", "gemma3_text", "nemotron")


def own_logits(model: LanguageModel, position: int) -> Tensor:
    """The logits of a plain forward pass."""
    with torch.inference_mode():
        logits: Tensor = model.network(torch.tensor([PROMPT])).logits[0, position]
        return logits


def test_the_configurations_cover_the_table() -> None:
    assert {model_type for model_type, _ in CONFIGURATIONS.values()} == set(ARCHITECTURES)


@every_configuration
def test_the_captured_pieces_rebuild_the_models_own_logits_at_any_position_and_site(name: str) -> None:
    model = model_of(name)
    check_pieces(model)
    for position in (4, 8) if name in THOROUGH else (8,):
        own = own_logits(model, position)
        assert float(own.abs().max()) > 1
        for input_site, output_site in site_pairs(name):
            captured = capture(model, PROMPT, position, input_site=input_site, output_site=output_site)
            torch.testing.assert_close(captured.logits, own, atol=1e-5, rtol=0)
            torch.testing.assert_close(rebuild_logits(model, captured), own, atol=1e-4, rtol=0)
    assert hooks_of(model.network) == 0


@every_configuration
@torch.inference_mode()
def test_the_sites_are_what_stands_between_one_layer_and_the_next(name: str) -> None:
    model = model_of(name)
    at = {pair: capture(model, PROMPT, 8, input_site=pair[0], output_site=pair[1]) for pair in site_pairs(name)}
    written = at["mlp_input", "mlp_output"], at["mlp_input", "mlp_update"]
    multiplier = getattr(model.network.config, "residual_multiplier", 1.0)
    for layer in range(model.n_layers):
        update = multiplier * written[1].layers[layer].mlp_output
        for each in written:
            torch.testing.assert_close(each.layers[layer].writing.apply(each.layers[layer].mlp_output), update)
        assert (name in POST_NORMED) != torch.equal(multiplier * written[0].layers[layer].mlp_output, update)
        normed = at["mlp_norm", "mlp_output"].layers[layer].mlp_input
        norm: Any = model.blocks[layer].mlp_norm
        weight, bias = (getattr(norm, part, None) for part in ("weight", "bias"))
        given = normed if weight is None else normed * (weight + 1 if name in PLUS_ONE else weight)
        given = given if bias is None else given + bias
        torch.testing.assert_close(given, written[0].layers[layer].mlp_input, atol=1e-5, rtol=1e-5)
        if name in BESIDE_ATTENTION:
            continue
        middle = at["residual_mid", "mlp_output"].layers[layer].mlp_input
        leaves = written[0].layers[layer + 1].residual if layer + 1 < model.n_layers else written[0].final_residual
        torch.testing.assert_close(middle + update, leaves, atol=1e-5, rtol=1e-5)
        reading = at["mlp_norm", "mlp_output"].layers[layer].reading
        torch.testing.assert_close(reading.apply(middle), normed, atol=1e-5, rtol=1e-5)


@every_configuration
def test_a_token_source_is_its_embedding_as_it_enters_the_residual_stream_without_its_position(name: str) -> None:
    model = model_of(name)
    embeddings: Any = model.network.get_input_embeddings()
    rows = embeddings.weight.detach()[list(PROMPT)]
    config = model.network.config
    expected = rows * (model.d_model**0.5 if "gemma" in name else getattr(config, "embedding_multiplier", 1.0))
    if name == "nanochat":  # its embeddings go through a norm before they enter
        expected = rows / (rows.square().mean(1, keepdim=True) + config.rms_norm_eps).sqrt()
    torch.testing.assert_close(capture(model, PROMPT, 8).embedding, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", THOROUGH)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_accumulated_in_float32(name: str, dtype: torch.dtype) -> None:
    model = model_of(name, dtype=dtype)
    check_pieces(model)
    captured = capture(model, PROMPT, 8)
    for pieces in captured.layers:
        assert pieces.pattern.dtype == pieces.residual.dtype == pieces.keys.dtype == dtype
        assert pieces.mlp_input.dtype == pieces.mlp_output.dtype == pieces.attention_scale.dtype == torch.float32
    assert captured.embedding.dtype == captured.logits.dtype == torch.float32
    torch.testing.assert_close(captured.logits, own_logits(model, 8).float(), atol=0.1, rtol=0)


@pytest.mark.parametrize("name", ["mistral", "gemma2", "gemma3", "gpt_oss", "smollm3", "phi3", "cohere2", "starcoder2"])
def test_a_window_shorter_than_the_prompt_is_in_the_patterns(name: str) -> None:
    captured = capture(model_of(name), PROMPT, 8)
    beyond = [bool((pieces.pattern.tril(-4) == 0).all()) for pieces in captured.layers]
    assert beyond == ([True] * 3 if name in ("mistral", "phi3", "starcoder2") else [True, False, True])


def test_sinks_leave_rows_that_sum_to_less_than_1() -> None:
    sums = torch.stack([pieces.pattern.sum(-1) for pieces in capture(model_of("gpt_oss"), PROMPT, 8).layers])
    assert float(sums.max()) <= 1 + 1e-6
    assert float(sums.mean()) < 0.9


def test_norms_that_divide_the_residual_stream_itself_are_refused() -> None:
    for entries, why in (
        ({"do_layer_norm_before": False}, "do_layer_norm_before=False: its norms divide the residual stream itself"),
        ({"_remove_final_layer_norm": True}, "it has no norm before its unembedding"),
        ({"word_embed_proj_dim": 16}, r"word_embed_proj_dim=16: it projects .* with word_embed_proj_dim=32 can be"),
    ):
        network = network_of("opt", changes=entries)
        with pytest.raises(LoadError, match=f"The architecture 'opt' cannot be traced with .*{why}"):
            LanguageModel(network, tokenizer(), "opt")


def test_logits_go_through_the_models_cap() -> None:
    captured = capture(model_of("gemma2"), PROMPT, 8)
    assert float(captured.uncapped_logits.abs().max()) > 8 > float(captured.logits.abs().max())
    torch.testing.assert_close(captured.logits, 8 * torch.tanh(captured.uncapped_logits / 8))


def test_a_site_that_no_model_has_or_this_one_lacks_is_refused() -> None:
    model = model_of(PARALLEL)
    with pytest.raises(
        LoadError, match="'hook_mid' is not a site of a model; expected mlp_input or mlp_norm or residual"
    ):
        capture(model, PROMPT, 8, input_site="hook_mid")
    with pytest.raises(LoadError, match="'mlp_input' is not a site of a model; expected mlp_output or mlp_update"):
        capture(model, PROMPT, 8, output_site="mlp_input")
    with pytest.raises(
        LoadError, match=r"gpt_neox: its MLPs run beside attention, .* use transcoders that read mlp_in"
    ):
        capture(model, PROMPT, 8, input_site="residual_mid")
    assert hooks_of(model.network) == 0
    assert capture(model_of("gpt_neox-sequential"), PROMPT, 8, input_site="residual_mid").input_site == "residual_mid"


def test_attention_that_looks_ahead_is_refused() -> None:
    network = network_of("llama")

    def uniform(_: nn.Module, __: object, output: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return output[0], torch.full_like(output[1], 1 / output[1].shape[-1])

    model = LanguageModel(network, tokenizer(), "two-way")
    network.model.layers[2].self_attn.register_forward_hook(uniform)
    with pytest.raises(LoadError, match="attention of layer 2 looks at later tokens; only causal models can be traced"):
        check_pieces(model)


def test_a_layer_that_does_more_than_the_row_says_is_named() -> None:
    network = network_of("gpt2")
    model = LanguageModel(network, tokenizer(), "scaled")
    network.get_submodule("transformer.h.1").register_forward_hook(lambda _, __, output: _scaled(output, 1.1))
    with pytest.raises(LoadError, match=r"the captured pieces of layer 1 should rebuild what leaves it within 0\.0001"):
        check_pieces(model)
    network = network_of("gemma3_text")
    network.config.final_logit_softcapping = None
    model = LanguageModel(network, tokenizer(), "capped")
    network.lm_head.register_forward_hook(lambda _, __, output: 1.1 * output)
    network.config.final_logit_softcapping = 20.0
    with pytest.raises(LoadError, match=r"should rebuild the model's logits within 0\.0001, found a difference of"):
        check_pieces(model)


def test_rounded_matrix_products_are_forgiven_where_the_user_allows_them() -> None:
    network = network_of("gpt2")
    model = LanguageModel(network, tokenizer(), "rounded")
    network.get_submodule("transformer.h.1").register_forward_hook(lambda _, __, output: _scaled(output, 1.001))
    with pytest.raises(LoadError, match="layer 1 should rebuild what leaves it"):
        check_pieces(model)
    torch.set_float32_matmul_precision("high")
    try:
        check_pieces(model)
    finally:
        torch.set_float32_matmul_precision("highest")


def test_weights_that_are_not_on_a_device_are_refused() -> None:
    network = network_of("llama")
    network.model.layers[1].mlp.to("meta")
    with pytest.raises(LoadError, match=r"tensor 'model.layers.1.mlp.gate_proj.weight' is offloaded .* device_map"):
        LanguageModel(network, tokenizer(), "offloaded")


def test_quantised_weights_are_refused() -> None:
    network = network_of("llama")
    network.model.layers[1].self_attn.o_proj.weight = nn.Parameter(
        torch.zeros(512, 1, dtype=torch.uint8), requires_grad=False
    )
    with pytest.raises(LoadError, match=r"are quantised \(torch.uint8\); load the model in bfloat16 or float32"):
        LanguageModel(network, tokenizer(), "quantised")


def test_a_model_without_an_unembedding_is_refused() -> None:
    network = network_of("llama")
    network.set_output_embeddings(None)
    with pytest.raises(
        LoadError, match="LlamaForCausalLM has no unembedding, so it gives no logits; load it with Auto"
    ):
        LanguageModel(network, tokenizer(), "headless")


def _scaled(output: Tensor | tuple[Tensor, ...], factor: float) -> Tensor | tuple[Tensor, ...]:
    return (factor * output[0], *output[1:]) if isinstance(output, tuple) else factor * output
