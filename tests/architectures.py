"""A tiny model with random weights of every architecture in the table."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import pytest
import torch
import transformers
from _pytest.mark import ParameterSet
from transformers import PreTrainedModel

from circuit_widget.model.architectures import ARCHITECTURES
from circuit_widget.model.language_model import LanguageModel
from tests.models import randomised, tokenizer

_ROTARY: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": 206,
    "max_position_embeddings": 32,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_UNGROUPED: dict[str, Any] = {key: value for key, value in _ROTARY.items() if key != "num_key_value_heads"}
_WINDOWS: dict[str, Any] = {
    "sliding_window": 4,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}
_GEMMA3: dict[str, Any] = _ROTARY | _WINDOWS | {"query_pre_attn_scalar": 8}
_YARN: dict[str, Any] = {
    "rope_type": "yarn",
    "rope_theta": 10_000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 8,
    "llama_4_scaling_beta": 0.5,
}
_GPT2: dict[str, Any] = {
    "n_embd": 32,
    "n_layer": 3,
    "n_head": 4,
    "vocab_size": 206,
    "n_positions": 32,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_EXPERTS: dict[str, Any] = {"num_experts_per_tok": 2}

CONFIGURATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", _ROTARY),
    "llama-scaled-rope": (
        "llama",
        _ROTARY
        | {
            "rope_scaling": {
                "rope_type": "llama3",
                "rope_theta": 10_000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8,
            },
            "attention_bias": True,
            "mlp_bias": True,
        },
    ),
    "mistral": ("mistral", _ROTARY | {"sliding_window": 4}),
    "qwen2": ("qwen2", _ROTARY),
    "qwen3": ("qwen3", _ROTARY),
    "gemma2": (
        "gemma2",
        _ROTARY
        | _WINDOWS
        | {"query_pre_attn_scalar": 8, "attn_logit_softcapping": 10.0, "final_logit_softcapping": 8.0},
    ),
    "gemma3_text": ("gemma3_text", _GEMMA3 | {"final_logit_softcapping": 20.0}),
    "gemma3": (
        "gemma3",
        {
            "text_config": _GEMMA3,
            "vision_config": {
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "image_size": 28,
                "patch_size": 14,
            },
            "mm_tokens_per_image": 4,
            "boi_token_index": 203,
            "eoi_token_index": 204,
            "image_token_index": 205,
        },
    ),
    "gpt_oss": (
        "gpt_oss",
        _ROTARY | _WINDOWS | {"num_local_experts": 4, "num_experts_per_tok": 2, "rope_scaling": None},
    ),
    "gpt2": ("gpt2", _GPT2),
    "gpt_neox": ("gpt_neox", _UNGROUPED | {"use_parallel_residual": True, "rotary_pct": 0.5}),
    "gpt_neox-sequential": ("gpt_neox", _UNGROUPED | {"use_parallel_residual": False}),
    "smollm3": (
        "smollm3",
        _ROTARY | _WINDOWS | {"use_sliding_window": True, "no_rope_layers": [1, 0, 1], "attention_bias": True},
    ),
    "ministral3": ("ministral3", _ROTARY | {"rope_parameters": _YARN}),
    "ernie4_5": ("ernie4_5", _ROTARY | {"use_bias": True}),
    "hunyuan_v1_dense": ("hunyuan_v1_dense", _ROTARY),
    "seed_oss": ("seed_oss", _ROTARY | {"mlp_bias": True, "attention_bias": True, "attention_out_bias": True}),
    "arcee": ("arcee", _ROTARY | {"mlp_bias": True}),
    "gemma": ("gemma", _ROTARY),
    "phi3": ("phi3", _ROTARY | {"sliding_window": 4, "partial_rotary_factor": 0.75}),
    "glm": ("glm", _ROTARY | {"partial_rotary_factor": 0.5}),
    "glm4": ("glm4", _ROTARY | {"partial_rotary_factor": 0.5, "attention_bias": True}),
    "olmo": ("olmo", _ROTARY),
    "olmo2": ("olmo2", _ROTARY),
    "olmo3": ("olmo3", _ROTARY | _WINDOWS),
    "exaone4": ("exaone4", _ROTARY | _WINDOWS),
    "granite": (
        "granite",
        _ROTARY
        | {
            "residual_multiplier": 0.6,
            "attention_multiplier": 0.3,
            "embedding_multiplier": 3.0,
            "logits_scaling": 1.7,
            "attention_bias": True,
        },
    ),
    "cohere": ("cohere", _ROTARY | {"logit_scale": 0.4, "use_qk_norm": True}),
    "cohere2": ("cohere2", _ROTARY | _WINDOWS | {"logit_scale": 0.4}),
    "nemotron": ("nemotron", _ROTARY | {"mlp_bias": True, "partial_rotary_factor": 0.5}),
    "starcoder2": ("starcoder2", _ROTARY | {"sliding_window": 4}),
    "stablelm": ("stablelm", _ROTARY | {"use_qkv_bias": True, "partial_rotary_factor": 0.5}),
    "stablelm-parallel": ("stablelm", _ROTARY | {"use_parallel_residual": True}),
    "phi": ("phi", _ROTARY | {"partial_rotary_factor": 0.5}),
    "gptj": ("gptj", _GPT2 | {"n_inner": 48, "rotary_dim": 4}),
    "opt": (
        "opt",
        {
            "hidden_size": 32,
            "word_embed_proj_dim": 32,
            "ffn_dim": 48,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "vocab_size": 206,
            "max_position_embeddings": 32,
        },
    ),
    "ministral": ("ministral", _ROTARY | _WINDOWS),
    "cwm": ("cwm", _ROTARY | _WINDOWS | {"rope_scaling": None}),
    "helium": ("helium", _ROTARY | {"attention_bias": True}),
    "apertus": ("apertus", _ROTARY | {"attention_bias": True}),
    "jais2": ("jais2", _ROTARY),
    "vaultgemma": (
        "vaultgemma",
        _ROTARY
        | _WINDOWS
        | {"query_pre_attn_scalar": 8, "attn_logit_softcapping": 10.0, "final_logit_softcapping": 8.0},
    ),
    "hyperclovax": (
        "hyperclovax",
        _ROTARY
        | {
            "residual_multiplier": 0.6,
            "attention_multiplier": 0.3,
            "embedding_multiplier": 3.0,
            "logits_scaling": 0.4,
            "use_post_norm": False,
        },
    ),
    "gpt_neo": (
        "gpt_neo",
        {
            "hidden_size": 32,
            "num_layers": 3,
            "attention_types": [[["global", "local", "global"], 1]],
            "num_heads": 4,
            "window_size": 4,
            "vocab_size": 206,
            "max_position_embeddings": 32,
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
    ),
    "gpt_bigcode": ("gpt_bigcode", _GPT2),
    "nanochat": ("nanochat", _ROTARY | {"final_logit_softcapping": 8.0}),
    "olmoe": ("olmoe", _ROTARY | _EXPERTS | {"num_experts": 4}),
    "qwen2_moe": (
        "qwen2_moe",
        _ROTARY
        | _EXPERTS
        | {
            "num_experts": 4,
            "moe_intermediate_size": 24,
            "shared_expert_intermediate_size": 40,
            "mlp_only_layers": [1],
        },
    ),
    "mixtral": ("mixtral", _ROTARY | _EXPERTS | {"num_local_experts": 4}),
    "qwen3_moe": (
        "qwen3_moe",
        _ROTARY | _EXPERTS | {"num_experts": 4, "moe_intermediate_size": 24, "mlp_only_layers": [1]},
    ),
}
"""Architecture and configuration by name. Windows are shorter than the tests' prompts."""

THOROUGH = tuple(CONFIGURATIONS)[: tuple(CONFIGURATIONS).index("smollm3")]
"""Configurations that all tests run on. On the others run those that compare numbers with the model's own."""


def with_skips(names: Iterable[str]) -> list[ParameterSet]:
    """Configurations as parameters of a test, which is skipped where transformers does not have the architecture."""
    return [pytest.param(name, marks=skip_without(name), id=name) for name in names]


def skip_without(name: str) -> pytest.MarkDecorator:
    """Skip a test where transformers does not have the architecture of a configuration."""
    model_type = CONFIGURATIONS[name][0]
    since = ARCHITECTURES[model_type].since
    return pytest.mark.skipif(
        model_type not in transformers.CONFIG_MAPPING,
        reason=f"runs from transformers {since} on, which has {model_type}",
    )


every_configuration = pytest.mark.parametrize("name", with_skips(CONFIGURATIONS))

EAGER_WHEN_LOADED = ("nemotron", "olmoe", "qwen2_moe", "stablelm")
"""Architectures whose attention transformers 4 chooses when it makes the model, and cannot change."""


def network_of(
    name: str,
    *,
    seed: int = 5,
    dtype: torch.dtype = torch.float32,
    changes: Mapping[str, Any] = MappingProxyType({}),
) -> PreTrainedModel:
    """The transformers model of a configuration, with some of its entries changed."""
    model_type, entries = CONFIGURATIONS[name]
    config = transformers.AutoConfig.for_model(model_type, **{**entries, **changes})
    chosen = {"attn_implementation": "eager"} if model_type in EAGER_WHEN_LOADED else {}
    made: PreTrainedModel = transformers.AutoModelForCausalLM.from_config(config, **chosen)
    randomised(made, seed).to(dtype)
    return made


def model_of(name: str, *, seed: int = 5, dtype: torch.dtype = torch.float32) -> LanguageModel:
    """The language model of a configuration, with the reference tokenizer."""
    return LanguageModel(network_of(name, seed=seed, dtype=dtype), tokenizer(), name)
