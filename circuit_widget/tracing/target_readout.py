"""The source of a trace's targets: the logits and the residual stream of a run at the traced position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor

from circuit_widget.attribution.targets import (
    ChosenTarget,
    TargetChoice,
    TargetSource,
    choose_targets,
    target_from_json,
)
from circuit_widget.graph import Graph
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.tokens.target_tokens import find_tokens
from circuit_widget.model.tokens.tokenizer import token_text
from circuit_widget.system.plain_torch import inference
from circuit_widget.tracing.prompt_run import PromptRun


def final_normed(model: LanguageModel, run: PromptRun) -> Float[Tensor, " d_model"]:
    """Return the residual stream after the model's final norm at the traced position, in float32."""
    here = slice(run.position, run.position + 1)
    with inference():
        return model.normed(run.captured.final_residual[here].to(model.dtype))[0].float()


def chosen_targets(model: LanguageModel, run: PromptRun, graph: Graph) -> Mapping[int, ChosenTarget]:
    """Return the targets of a graph with their directions, by id, from the choices in its recipe.

    Without these, only the targets that are tokens.
    """
    wanted = graph.recipe.get("targets")
    choices: Sequence[TargetChoice] = (
        [target_from_json(entry) for entry in wanted]  # type: ignore[union-attr, arg-type]
        if wanted is not None
        else [target.token_id for target in graph.targets if target.token_id < model.vocabulary_size]
    )
    return (
        {target.token_id: target for target in choose_targets(target_source_of(model, run), choices)} if choices else {}
    )


def target_source_of(model: LanguageModel, run: PromptRun) -> TargetSource:
    """Return the logits and the residual stream of a run at its traced position, with the unembedding."""
    return TargetSource(
        logits=run.captured.logits,
        normed=final_normed(model, run),
        unembedding_row=model.unembedding_row,
        unembedding_bias=model.unembedding_bias,
        mean_unembedding=model.mean_unembedding,
        token_text=lambda token: token_text(model.tokenizer, token),
        find_tokens=lambda text: find_tokens(model.tokenizer, text),
    )
