"""The modules of each architecture that tracing needs. To add an architecture, add a row to `ARCHITECTURES`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from enum import Enum

from circuit_widget.arguments import quoted
from circuit_widget.errors import LoadError


class NormKind(Enum):
    """The formula of a norm: `x / rms(x) * weight`, `x / rms(x) * (1 + weight)`, or `(x - mean(x)) / rms(x - mean(x)) * weight + bias`.

    `x` is the residual stream at one position, and `rms(y)` the root of the mean of the squares of y plus epsilon.
    """

    RMS = "root mean square"
    RMS_PLUS_ONE = "root mean square, times one more than the weight"
    LAYER = "layer norm"


class ValueLayout(Enum):
    """Where the output of a projection has the values of each head."""

    LAST = "its last columns, head by head; all columns where it projects values alone"
    LAST_OF_EACH_HEAD = "query, key and value of one head, then of the next"


@dataclass(frozen=True)
class MlpSites:
    """The parts of an MLP of one architecture: `down(act(gate(x)) * up(x))`, or `down(act(up(x)))` without a gate.

    Attributes:
        up, down: paths of the first and the last projection, from the MLP.
        gate: path of the projection that goes through the activation function, None where `up` does.
        activation: name of the MLP's activation function.
    """

    up: str = "up_proj"
    down: str = "down_proj"
    gate: str | None = "gate_proj"
    activation: str = "act_fn"


@dataclass(frozen=True)
class Sites:
    """The modules of a block of one architecture, and their paths.

    A block maps the residual stream `x` to `h + mlp_post_norm(mlp(mlp_norm(h)))` with
    `h = x + attention_post_norm(attention(attention_norm(x)))`; post-norms that are None are left out. Groups of query heads
    may share value heads. The output of attention must be linear in the values, plus a constant.

    Attributes:
        body: path of the text model without its unembedding, from the loaded model. The next three paths start there.
        blocks, final_norm: the layers, and the norm after them.
        positions: learned position embeddings, None for rotary ones.
        attention_norm, attention, attention_post_norm, mlp_norm, mlp, mlp_post_norm: paths from a block.
        value, output: paths of the projections W_V and W_O from attention.
        value_layout: where the output of `value` has the values.
        norm: the formula of all norms.
        parallel: name of the configuration's entry for whether the MLP reads `x` instead of `h`; None: never.
        neurons: the parts of the MLP, None where it is not of the kind that `MlpSites` describes.
        sinks: whether rows of the attention pattern may sum to less than 1.
        softcap: name of the configuration's entry for the cap on logits; None: logits have none.
    """

    body: str = "model"
    blocks: str = "layers"
    final_norm: str = "norm"
    positions: str | None = None
    attention_norm: str = "input_layernorm"
    attention: str = "self_attn"
    value: str = "v_proj"
    output: str = "o_proj"
    attention_post_norm: str | None = None
    mlp_norm: str = "post_attention_layernorm"
    mlp: str = "mlp"
    mlp_post_norm: str | None = None
    value_layout: ValueLayout = ValueLayout.LAST
    norm: NormKind = NormKind.RMS
    parallel: str | None = None
    neurons: MlpSites | None = MlpSites()
    sinks: bool = False
    softcap: str | None = None


_GEMMA = Sites(
    attention_post_norm="post_attention_layernorm",
    mlp_norm="pre_feedforward_layernorm",
    mlp_post_norm="post_feedforward_layernorm",
    norm=NormKind.RMS_PLUS_ONE,
    softcap="final_logit_softcapping",
)

ARCHITECTURES: dict[str, Sites] = {
    "llama": Sites(),
    "mistral": Sites(),
    "qwen2": Sites(),
    "qwen3": Sites(),
    "gemma2": _GEMMA,
    "gemma3_text": _GEMMA,
    "gemma3": replace(_GEMMA, body="model.language_model"),
    "gpt_oss": Sites(sinks=True, neurons=None),
    "gpt2": Sites(
        body="transformer",
        blocks="h",
        final_norm="ln_f",
        positions="wpe",
        attention_norm="ln_1",
        attention="attn",
        value="c_attn",
        output="c_proj",
        mlp_norm="ln_2",
        norm=NormKind.LAYER,
        neurons=MlpSites(up="c_fc", down="c_proj", gate=None, activation="act"),
    ),
    "gpt_neox": Sites(
        body="gpt_neox",
        final_norm="final_layer_norm",
        attention="attention",
        value="query_key_value",
        output="dense",
        value_layout=ValueLayout.LAST_OF_EACH_HEAD,
        norm=NormKind.LAYER,
        parallel="use_parallel_residual",
        neurons=MlpSites(up="dense_h_to_4h", down="dense_4h_to_h", gate=None, activation="act"),
    ),
}
"""Sites by `model_type` of the model's configuration."""

INPUT_SITES = ("mlp_input", "mlp_norm", "residual_mid")
"""Where features can read: the input of the MLP; the same before weight and bias of the norm before the MLP; the residual
stream before that norm."""

OUTPUT_SITES = ("mlp_output", "mlp_update")
"""Where features can write: the output of the MLP; what is added to the residual stream, which is the output of the
post-MLP norm in architectures that have one and the output of the MLP in others."""


def check_site(argument: str, site: object, known: tuple[str, ...]) -> None:
    """Raise LoadError where the value of `argument` is neither a known site nor None."""
    if site is not None and (not isinstance(site, str) or site not in known):
        raise LoadError(
            f"{argument} is {quoted(site)}, expected one of {', '.join(known)}, or None for what the files state."
        )


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
