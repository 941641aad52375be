"""Architectures of transformers that do not become linear when attention patterns and norm denominators are frozen."""

from __future__ import annotations

_REASONS: dict[str, str] = {
    "bamba falcon_h1 falcon_mamba granitemoehybrid jamba mamba mamba2 nemotron_h zamba zamba2": (
        "it has state-space layers, whose states take the place of attention patterns"
    ),
    "kimi_linear minimax olmo_hybrid qwen3_5 qwen3_5_moe qwen3_5_text qwen3_next recurrent_gemma rwkv xlstm": (
        "it has layers of linear attention or of a recurrent network, which have no attention patterns to freeze"
    ),
    "lfm2 lfm2_moe": "it has layers of gated convolutions in place of attention",
    "bart blenderbot led longt5 m2m_100 marian mbart mt5 pegasus switch_transformers t5 t5gemma umt5 whisper": (
        "it has an encoder beside its decoder; only models with a decoder alone can be"
    ),
    "albert bert camembert deberta-v2 distilbert electra modernbert roberta xlm-roberta": (
        "its attention looks at later tokens; only causal models can be"
    ),
    "gemma3n gemma3n_text gemma4 gemma4_text": (
        "its values go through a norm of their own, and its layers also multiply what they read by embeddings of the token"
    ),
    "deepseek_v2 deepseek_v3 minicpm3": (
        "its values come from a compressed vector through a norm of its own, which a row of the table cannot describe"
    ),
    "diffllama": "its attention subtracts two patterns, and its heads go through a norm of their own",
    "bloom mpt": "its attention or its MLPs add the residual stream themselves, so that what they write cannot be read",
    "falcon": "its layers add the output of attention to that of the MLP in place, so that what each writes cannot be read",
    "codegen": "its projection has the values of heads in four parts among queries and keys, which no row of the table has",
    "bitnet": "its attention and its MLPs have norms inside, before their last projections",
    "openai-gpt": "its norms divide the residual stream itself, and not what attention and MLPs read of it",
    "reformer": "it has two residual streams",
}
"""Why architectures cannot be traced, by their `model_type`s, separated by spaces."""

_WHY = {model_type: reason for model_types, reason in _REASONS.items() for model_type in model_types.split()}

UNTRACEABLE = frozenset(_WHY)


def why_untraceable(model_type: str) -> str | None:
    """Return why an architecture cannot be traced, as part of a sentence about it; None where that is not known."""
    return _WHY.get(model_type)
