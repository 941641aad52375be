"""Models for tests: the one the reference numbers come from, and tiny ones with random weights."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from circuit_widget.loading import load
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.tracing.prompt_run import PromptRun, run_prompt
from circuit_widget.transcoder.activation import JumpReLU, ReLU, TopK
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoder, CrossLayerTranscoders
from circuit_widget.transcoder.per_layer import PerLayerTranscoder, PerLayerTranscoders

REFERENCE = Path(__file__).parent / "reference"
REFERENCE_CASES = ("gpt2-jumprelu", "llama-relu", "llama-clt", "gemma2-skip", "qwen3-topk")
PROMPT_IDS = (1, 17, 42, 5, 99, 17, 120)
Network = TypeVar("Network", bound=PreTrainedModel)


@cache
def reference_model(case: str = "llama-relu") -> ReplacementModel:
    """The model and transcoders that one case of the reference numbers was made with."""
    architecture = case.split("-")[0]
    return load(REFERENCE / "models" / architecture, REFERENCE / case / "transcoders", device="cpu")


def tiny_network(seed: int = 0) -> LlamaForCausalLM:
    """A three-layer Llama whose four heads share two value heads, with weights large enough for everything to matter."""
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        vocab_size=206,
        max_position_embeddings=32,
    )
    return randomised(LlamaForCausalLM(config), seed)


def randomised(network: Network, seed: int) -> Network:
    """The same network with new random weights and biases."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * (1.0 if parameter.ndim < 2 else 0.3))
            if "norm" in name:
                parameter.copy_(1 + 0.3 * parameter)
    return network


def tiny_transcoders(
    n_layers: int = 3,
    d_model: int = 32,
    *,
    seed: int = 1,
    jump: bool = False,
    top_k: int | None = None,
    skip: bool = False,
    cross_layer: bool = False,
    input_site: str = "mlp_input",
    output_site: str = "mlp_output",
) -> PerLayerTranscoders | CrossLayerTranscoders:
    """Random transcoders of 40 features a layer, about half of which (or `top_k`) are active anywhere."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int, scale: float) -> torch.Tensor:
        return scale * torch.randn(*shape, generator=generator)

    def parts(layer: int) -> dict[str, Any]:
        written = (n_layers - layer,) if cross_layer else ()
        return {
            "encoder": random(40, d_model, scale=0.3),
            "encoder_bias": random(40, scale=0.2),
            "decoder": random(40, *written, d_model, scale=0.2),
            "decoder_bias": random(d_model, scale=0.2),
            "activation": JumpReLU(random(40, scale=0.5).abs()) if jump else TopK(top_k) if top_k else ReLU(),
            "skip": random(d_model, d_model, scale=0.1) if skip else None,
        }

    if cross_layer:
        layers = tuple(CrossLayerTranscoder(**parts(layer)) for layer in range(n_layers))
        return CrossLayerTranscoders("random", layers, input_site, output_site)
    return PerLayerTranscoders(
        "random", tuple(PerLayerTranscoder(**parts(layer)) for layer in range(n_layers)), input_site, output_site
    )


@cache
def tokenizer() -> PreTrainedTokenizerBase:
    """The reference model's tokenizer: 206 words, an unknown-word token, adds no BOS by itself."""
    made: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(REFERENCE / "models/llama")
    return made


def tiny_model(*, seed: int = 0, **transcoders: Any) -> ReplacementModel:
    """A tiny Llama with random transcoders."""
    model = LanguageModel(tiny_network(seed), tokenizer(), "tiny")
    return ReplacementModel(model, tiny_transcoders(**transcoders))


def per_layer(model: ReplacementModel) -> PerLayerTranscoders:
    """The transcoders of a model that has per-layer ones."""
    assert isinstance(model.transcoders, PerLayerTranscoders)
    return model.transcoders


def run_of(model: ReplacementModel, token_ids: Sequence[int]) -> PromptRun:
    """The run from which a trace of the last position starts."""
    with torch.inference_mode():
        return run_prompt(model.model, model.transcoders, model.read_prompt(token_ids), len(token_ids) - 1)


def hooks_of(network: torch.nn.Module) -> int:
    """Number of forward hooks on any module."""
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules())
