"""The modules of each architecture that tracing needs. To add an architecture, add a row to `ARCHITECTURES`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from circuit_widget.arguments import quoted
from circuit_widget.errors import LoadError
from circuit_widget.model.untraceable import why_untraceable


@dataclass(frozen=True)
class NormKind:
    """The formula of a norm: `y / rms(y) * weight + bias`, with `y = x - mean(x)` where it is centred, and else `y = x`.

    `x` is the residual stream at one position, and `rms(y)` the root of the mean of the squares of y plus epsilon. A norm
    without a weight or a bias leaves it out.

    Attributes:
        centred: whether the mean is subtracted.
        plus_one: whether the weight is one more than the stored one.
        weighted: whether it has a weight.
        of_torch: whether its class is torch's LayerNorm, and not one of transformers.
        epsilon: epsilon, where the module does not name it `variance_epsilon` or `eps`.
    """

    centred: bool = False
    plus_one: bool = False
    weighted: bool = True
    of_torch: bool = False
    epsilon: float | None = None


RMS = NormKind()
RMS_PLUS_ONE = NormKind(plus_one=True)
LAYER_NORM = NormKind(centred=True, of_torch=True)


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
        fused: whether `up` projects both: its first half goes through the activation function and multiplies the second.
        activation: name of the MLP's activation function.
    """

    up: str = "up_proj"
    down: str = "down_proj"
    gate: str | None = "gate_proj"
    fused: bool = False
    activation: str = "act_fn"


@dataclass(frozen=True)
class Requirement:
    """A setting that a model must have: the value of an entry of its configuration, and what any other value does.

    The value may be that of another entry, whose name is `same_as`.
    """

    entry: str
    value: object
    otherwise: str
    same_as: str | None = None


@dataclass(frozen=True)
class Sites:
    """The modules of a block of one architecture, and their paths.

    A block maps the residual stream `x` to `h + m mlp_post_norm(mlp(mlp_norm(h)))` with
    `h = x + m attention_post_norm(attention(attention_norm(x)))`; norms that are None are left out, and `m`, the residual
    multiplier, is 1 where there is none. Groups of query heads may share value heads. The output of attention must be
    linear in the values, plus a constant. Logits are `s (W_U n + b)`, `n` the residual stream after the final norm, with
    the logit scale `s`, which is 1 where there is none, and the bias `b`, where the unembedding has one.

    Attributes:
        body: path of the text model without its unembedding, from the loaded model. The next three paths start there.
        blocks, final_norm: the layers, and the norm after them.
        positions: learned position embeddings, None for rotary ones.
        attention_norm, attention, attention_post_norm, mlp_norm, mlp, mlp_post_norm: paths from a block.
        mlp_before_5: path of the MLP in transformers 4, where it is another.
        mlp_end: where the block has no module for the whole MLP, path of its last module; `mlp` is that of its first.
        value, output: paths of the projections W_V and W_O from attention.
        value_layout: where the output of `value` has the values.
        norm: the formula of all norms.
        parallel: whether the MLP reads `x` instead of `h`; a text names the configuration's entry that decides.
        shared_norm: whether an MLP that reads `x` reads the output of the norm before attention.
        residual_multiplier, logit_multiplier, logit_divisor: names of the configuration's entries for `m`, `s` and `1 / s`.
        neurons: the parts of the MLP, None for a mixture of experts, whose neurons depend on a router as well.
        sinks: whether rows of the attention pattern may sum to less than 1.
        softcap: name of the configuration's entry for the cap on logits; None: logits have none.
        requirements: what the configuration must state for this to be all.
        since: the first version of transformers that has the architecture, where the oldest supported one does not.
    """

    body: str = "model"
    blocks: str = "layers"
    final_norm: str = "norm"
    positions: str | None = None
    attention_norm: str | None = "input_layernorm"
    attention: str = "self_attn"
    value: str = "v_proj"
    output: str = "o_proj"
    attention_post_norm: str | None = None
    mlp_norm: str | None = "post_attention_layernorm"
    mlp: str = "mlp"
    mlp_before_5: str | None = None
    mlp_end: str | None = None
    mlp_post_norm: str | None = None
    value_layout: ValueLayout = ValueLayout.LAST
    norm: NormKind = RMS
    parallel: bool | str = False
    shared_norm: bool = False
    residual_multiplier: str | None = None
    logit_multiplier: str | None = None
    logit_divisor: str | None = None
    neurons: MlpSites | None = MlpSites()
    sinks: bool = False
    softcap: str | None = None
    requirements: tuple[Requirement, ...] = ()
    since: str | None = None


_GEMMA = Sites(
    attention_post_norm="post_attention_layernorm",
    mlp_norm="pre_feedforward_layernorm",
    mlp_post_norm="post_feedforward_layernorm",
    norm=RMS_PLUS_ONE,
    softcap="final_logit_softcapping",
)
_POST_NORMS = Sites(
    attention_norm=None,
    attention_post_norm="post_attention_layernorm",
    mlp_norm=None,
    mlp_post_norm="post_feedforward_layernorm",
)
_FUSED = MlpSites(up="gate_up_proj", gate=None, fused=True, activation="activation_fn")
_UNGATED = MlpSites(gate=None)
_COHERE = Sites(norm=NormKind(centred=True), parallel=True, shared_norm=True, logit_multiplier="logit_scale")
_PHI = Sites(
    final_norm="final_layernorm",
    output="dense",
    norm=LAYER_NORM,
    parallel=True,
    shared_norm=True,
    neurons=MlpSites(up="fc1", down="fc2", gate=None, activation="activation_fn"),
)

_UNCLIPPED = Requirement("clip_qkv", None, "attention clips its values, so it is not linear in them")
_GPT2 = Sites(
    body="transformer",
    blocks="h",
    final_norm="ln_f",
    positions="wpe",
    attention_norm="ln_1",
    attention="attn",
    value="c_attn",
    output="c_proj",
    mlp_norm="ln_2",
    norm=LAYER_NORM,
    neurons=MlpSites(up="c_fc", down="c_proj", gate=None, activation="act"),
)

ARCHITECTURES: dict[str, Sites] = {
    "llama": Sites(),
    "mistral": Sites(),
    "ministral3": Sites(since="5.0"),
    "qwen2": Sites(),
    "qwen3": Sites(),
    "smollm3": Sites(),
    "ernie4_5": Sites(),
    "hunyuan_v1_dense": Sites(),
    "ministral": Sites(since="4.57"),
    "cwm": Sites(since="5.0"),
    "helium": Sites(),
    "seed_oss": Sites(),
    "arcee": Sites(neurons=_UNGATED),
    "apertus": Sites(attention_norm="attention_layernorm", mlp_norm="feedforward_layernorm", neurons=_UNGATED),
    "jais2": Sites(norm=LAYER_NORM, neurons=_UNGATED, since="5.0"),
    "gemma": Sites(norm=RMS_PLUS_ONE),
    "gemma2": _GEMMA,
    "vaultgemma": replace(_GEMMA, attention_post_norm=None, mlp_post_norm=None, since="4.57"),
    "gemma3_text": _GEMMA,
    "gemma3": replace(_GEMMA, body="model.language_model"),
    "phi3": Sites(value="qkv_proj", neurons=_FUSED),
    "glm": Sites(neurons=_FUSED),
    "glm4": Sites(attention_post_norm="post_self_attn_layernorm", mlp_post_norm="post_mlp_layernorm", neurons=_FUSED),
    "olmo": Sites(
        norm=NormKind(centred=True, weighted=False, epsilon=1e-5),
        requirements=(_UNCLIPPED,),
    ),
    "olmo2": _POST_NORMS,
    "olmo3": replace(_POST_NORMS, since="4.57"),
    "exaone4": _POST_NORMS,
    "granite": Sites(residual_multiplier="residual_multiplier", logit_divisor="logits_scaling"),
    "hyperclovax": Sites(
        residual_multiplier="residual_multiplier",
        logit_multiplier="logits_scaling",
        requirements=(Requirement("use_post_norm", False, "its further norms are not in the table"),),
        since="5.9",
    ),
    "cohere": _COHERE,
    "cohere2": _COHERE,
    "nemotron": Sites(norm=NormKind(centred=True, plus_one=True), neurons=_UNGATED),
    "starcoder2": Sites(norm=LAYER_NORM, neurons=MlpSites(up="c_fc", down="c_proj", gate=None, activation="act")),
    "stablelm": Sites(norm=LAYER_NORM, parallel="use_parallel_residual", shared_norm=True),
    "phi": _PHI,
    "gptj": replace(
        _PHI,
        body="transformer",
        blocks="h",
        final_norm="ln_f",
        attention_norm="ln_1",
        attention="attn",
        output="out_proj",
        neurons=MlpSites(up="fc_in", down="fc_out", gate=None, activation="act"),
    ),
    "mixtral": Sites(mlp_before_5="block_sparse_moe", neurons=None),
    "qwen3_moe": Sites(neurons=None),
    "gpt_oss": Sites(sinks=True, neurons=None),
    "olmoe": Sites(neurons=None, requirements=(_UNCLIPPED,)),
    "qwen2_moe": Sites(neurons=None),
    "gpt2": _GPT2,
    "gpt_neo": replace(_GPT2, attention="attn.attention", value="v_proj", output="out_proj"),
    "gpt_bigcode": replace(
        _GPT2,
        requirements=(
            Requirement("multi_query", True, "its projection has queries, keys and values of each head together"),
        ),
    ),
    "nanochat": Sites(
        norm=NormKind(weighted=False),
        softcap="final_logit_softcapping",
        neurons=MlpSites(up="fc1", down="fc2", gate=None, activation="activation_fn"),
        since="5.0",
    ),
    "opt": Sites(
        body="model.decoder",
        final_norm="final_layer_norm",
        positions="embed_positions",
        attention_norm="self_attn_layer_norm",
        output="out_proj",
        mlp_norm="final_layer_norm",
        mlp="fc1",
        mlp_end="fc2",
        norm=LAYER_NORM,
        neurons=MlpSites(up="fc1", down="fc2", gate=None, activation="activation_fn"),
        requirements=(
            Requirement("do_layer_norm_before", True, "its norms divide the residual stream itself"),
            Requirement("_remove_final_layer_norm", False, "it has no norm before its unembedding"),
            Requirement(
                "word_embed_proj_dim", None, "it projects the residual stream before its unembedding", "hidden_size"
            ),
        ),
    ),
    "gpt_neox": Sites(
        body="gpt_neox",
        final_norm="final_layer_norm",
        attention="attention",
        value="query_key_value",
        output="dense",
        value_layout=ValueLayout.LAST_OF_EACH_HEAD,
        norm=LAYER_NORM,
        parallel="use_parallel_residual",
        neurons=MlpSites(up="dense_h_to_4h", down="dense_4h_to_h", gate=None, activation="act"),
    ),
}
"""Sites by `model_type` of the model's configuration."""

INPUT_SITES = ("mlp_input", "mlp_norm", "residual_mid")
"""Where features can read: the input of the MLP; the same before weight and bias of the norm before the MLP; the residual
stream before that norm. They are one where there is no such norm."""

OUTPUT_SITES = ("mlp_output", "mlp_update")
"""Where features can write: the output of the MLP; the output of the post-MLP norm in architectures that have one and the
output of the MLP in others, which is added to the residual stream, times the residual multiplier if there is one."""


def check_site(argument: str, site: object, known: tuple[str, ...]) -> None:
    """Raise LoadError where the value of `argument` is neither a known site nor None."""
    if site is not None and (not isinstance(site, str) or site not in known):
        raise LoadError(
            f"{argument} is {quoted(site)}, expected one of {', '.join(known)}, or None for what the files state."
        )


SIMILAR_NAMES = 0.75
"""Least similarity of two names of architectures (difflib's ratio) at which one is offered for the other."""


def row_of(model_type: str) -> Sites:
    """Return the row of an architecture.

    Raises:
        LoadError: names the architecture, and why it cannot be traced, or what is supported and the file to extend.
    """
    if model_type in ARCHITECTURES:
        return ARCHITECTURES[model_type]
    reason = why_untraceable(model_type)
    if reason is not None:
        raise LoadError(f"The architecture {model_type!r} cannot be traced: {reason}.")
    nearest = difflib.get_close_matches(model_type, ARCHITECTURES, n=1, cutoff=SIMILAR_NAMES)
    raise LoadError(
        f"The architecture {model_type!r} is not supported; supported are {', '.join(ARCHITECTURES)}"
        f"{f' (nearest: {nearest[0]})' if nearest else ''}. "
        "To add it, add a row to ARCHITECTURES in circuit_widget/model/architectures.py."
    )


def sites_of(config: Any) -> Sites:
    """Return the sites of a model with this configuration of transformers: the row of its architecture.

    In it, `parallel` is a truth value, and `mlp_norm` the norm before attention where the MLP shares it.

    Raises:
        LoadError: the architecture is not supported, or not with these settings.
    """
    row = row_of(str(config.model_type))
    text = config.get_text_config()
    for needed in row.requirements:
        expected = needed.value if needed.same_as is None else getattr(text, needed.same_as)
        found = getattr(text, needed.entry, expected)
        if found != expected:
            raise LoadError(
                f"The architecture {config.model_type!r} cannot be traced with {needed.entry}={quoted(found)}: "
                f"{needed.otherwise}. Models with {needed.entry}={expected!r} can be."
            )
    parallel = bool(getattr(text, row.parallel)) if isinstance(row.parallel, str) else row.parallel
    shared = parallel and row.shared_norm
    return replace(row, parallel=parallel, mlp_norm=row.attention_norm if shared else row.mlp_norm)
