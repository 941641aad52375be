"""Where each architecture keeps what the tracer needs. Adding an architecture is adding a row to `ARCHITECTURES`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from circuit_widget.errors import LoadError


@dataclass(frozen=True)
class Sites:
    """Dotted module paths: the first four from the model, the others from a block, `value` and `output` from attention.

    A block is `h = x + attention(attention_norm(x)); h + mlp(mlp_norm(h))` with RMSNorm, rotary or no positions in the
    values, and one value projection whose heads are shared by groups of query heads.
    """

    blocks: str = "model.layers"
    embedding: str = "model.embed_tokens"
    final_norm: str = "model.norm"
    unembedding: str = "lm_head"
    attention_norm: str = "input_layernorm"
    attention: str = "self_attn"
    value: str = "v_proj"
    output: str = "o_proj"
    mlp_norm: str = "post_attention_layernorm"
    mlp: str = "mlp"


ARCHITECTURES: dict[str, Sites] = {
    "llama": Sites(),
    "mistral": Sites(),
    "qwen2": Sites(),
    "qwen3": Sites(),
}
"""Sites by `model_type` of the model's configuration."""

INPUT_SITES = ("mlp_input",)
"""Where features can read: `mlp_input` is what the MLP module is given, after its norm."""

OUTPUT_SITES = ("mlp_output",)
"""Where features can write: `mlp_output` is what the MLP module adds to the residual stream."""


def sites_of(model_type: str) -> Sites:
    """Return the sites of an architecture.

    Raises:
        LoadError: names the architecture, the nearest supported one and the file to extend.
    """
    if model_type in ARCHITECTURES:
        return ARCHITECTURES[model_type]
    nearest = difflib.get_close_matches(model_type, ARCHITECTURES, n=1, cutoff=0.0)
    raise LoadError(
        f"The architecture {model_type!r} is not supported; supported are {', '.join(ARCHITECTURES)} "
        f"(nearest: {nearest[0]}). To add it, add a row to ARCHITECTURES in circuit_widget/model/sites.py."
    )
