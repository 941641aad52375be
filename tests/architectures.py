"""A tiny model with random weights of every architecture in the table."""

from typing import Any

import torch
import transformers
from transformers import PreTrainedModel

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
    "gpt2": (
        "gpt2",
        {
            "n_embd": 32,
            "n_layer": 3,
            "n_head": 4,
            "vocab_size": 206,
            "n_positions": 32,
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
    ),
    "gpt_neox": ("gpt_neox", _UNGROUPED | {"use_parallel_residual": True, "rotary_pct": 0.5}),
    "gpt_neox-sequential": ("gpt_neox", _UNGROUPED | {"use_parallel_residual": False}),
}
"""Architecture and configuration by name. Windows are shorter than the tests' prompts."""


def network_of(name: str, *, seed: int = 5, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """The transformers model of a configuration."""
    model_type, entries = CONFIGURATIONS[name]
    config = transformers.AutoConfig.for_model(model_type, **entries)
    made: PreTrainedModel = randomised(transformers.AutoModelForCausalLM.from_config(config), seed).to(dtype)
    return made


def model_of(name: str, *, seed: int = 5, dtype: torch.dtype = torch.float32) -> LanguageModel:
    """The language model of a configuration, with the reference tokenizer."""
    return LanguageModel(network_of(name, seed=seed, dtype=dtype), tokenizer(), name)
