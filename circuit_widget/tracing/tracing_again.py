"""Another trace with the settings of an earlier one: of the same prompt or another, for the same targets or others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from circuit_widget.arguments import plain_number, quoted
from circuit_widget.attribution.targets import TargetChoice, target_from_json
from circuit_widget.errors import PromptError
from circuit_widget.graph import Graph
from circuit_widget.model.tokens.prompt import Prompt, PromptInput
from circuit_widget.nodes import PromptToken
from circuit_widget.progress import IsCancelled, ProgressChoice


class TraceableModel(Protocol):
    """The parts of a ReplacementModel that are used here."""

    def prompt_of(self, tokens: Sequence[PromptToken]) -> Prompt:
        """Return the prompt of exactly these tokens."""

    def tokenize(self, prompt: PromptInput) -> tuple[PromptToken, ...]:
        """Return the tokens of a prompt."""

    def trace(self, prompt: PromptInput, *arguments: Any, **settings: Any) -> Graph:
        """Return the attribution graph of a prompt."""


@dataclass(frozen=True)
class TraceChanges:
    """How a trace differs from an earlier one; None stands for what stays.

    `token_position` names a token of the earlier prompt: what comes before it is the prompt, and the token the target. Of
    another prompt, the likeliest next tokens are the targets, unless `targets` are given.

    Raises PromptError where both a prompt and a token of the present one are given, or a token beside targets.
    """

    prompt: PromptInput | None = None
    targets: Sequence[TargetChoice] | TargetChoice | None = None
    token_position: int | None = None
    max_features: int | None = None

    def __post_init__(self) -> None:
        if self.token_position is None:
            return
        for name in ("prompt", "targets"):
            if getattr(self, name) is not None:
                raise PromptError(
                    f"Both token_position and {name} were given; a token of the present prompt determines both prompt and "
                    "target. Give one of them."
                )


def trace_again(
    model: TraceableModel,
    graph: Graph,
    changes: TraceChanges,
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> Graph:
    """Return the graph of another trace with the settings of an earlier one, except for what changes.

    The settings are prompt, position, targets, max_features and step, and of a pruned graph its thresholds. Raises
    PromptError for what cannot be traced, and otherwise as `ReplacementModel.trace` does.
    """
    recipe = graph.recipe
    settings: dict[str, Any] = {
        "max_features": limit_of(graph) if changes.max_features is None else changes.max_features,
        "step": recipe.get("step"),
        "progress": progress,
        "cancelled": cancelled,
    }
    if changes.token_position is not None:
        position = _position(graph, changes.token_position)
        prompt: Any = model.prompt_of(graph.tokens[:position])
        settings["targets"] = [graph.tokens[position].token_id]
    elif changes.prompt is not None:
        prompt = changes.prompt
        settings["targets"] = changes.targets
    else:
        prompt = _prompt(model, graph)
        settings["position"] = graph.position
        settings["targets"] = _targets(graph) if changes.targets is None else changes.targets
    traced = model.trace(prompt, **settings)
    thresholds: Any = recipe.get("thresholds")
    if thresholds is None:
        return traced
    return traced.prune(thresholds["node"], thresholds["edge"])


def target_of(graph: Graph, token: int) -> TargetChoice:
    """Return the target that a graph has under the id of a token, or that token where it has none."""
    given = _targets(graph) or []
    ids = [target.token_id for target in graph.targets]
    return given[ids.index(token)] if token in ids and len(given) == len(ids) else token


def limit_of(graph: Graph) -> int | None:
    """Return how many features a graph was traced with at most; None where there was no limit."""
    given, active = graph.recipe.get("max_features"), graph.recipe.get("active_features")
    if isinstance(given, int):
        return given
    # Where memory or a file decided, the graph only says how many features it has.
    return active - graph.left_out if isinstance(active, int) and graph.left_out else None


def _prompt(model: TraceableModel, graph: Graph) -> PromptInput:
    """Return the prompt of a graph: as it was typed, where that gives its tokens, or else its tokens."""
    typed = graph.recipe.get("prompt")
    if isinstance(typed, str):
        try:
            if model.tokenize(typed) == graph.tokens:
                return typed
        except PromptError:
            pass
    return model.prompt_of(graph.tokens)


def _targets(graph: Graph) -> list[TargetChoice] | None:
    entries: Any = graph.recipe.get("targets")
    return None if not entries else [target_from_json(_plain(entry)) for entry in entries]


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of a recipe, whose lists may be frozen, with lists."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in entry.items()}


def _position(graph: Graph, token_position: object) -> int:
    number, count = plain_number(token_position), len(graph.tokens)
    if isinstance(number, int) and not isinstance(number, bool) and 0 < number < count:
        return number
    raise PromptError(
        f"A token of the prompt that has others before it is at a position from 1 to {count - 1}; given "
        f"{quoted(token_position)}."
    )
