"""Which logits, or other directions after the final norm, a graph explains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.errors import PromptError

MAX_TOKENS = 10
ENOUGH_PROBABILITY = 0.95


@dataclass(frozen=True)
class Contrast:
    """A logit difference: that of `token` minus that of `other`, each given by its text or id."""

    token: str | int
    other: str | int


@dataclass(frozen=True, eq=False)
class Direction:
    """A named direction in the residual stream, read after the final norm; `vector` has d_model numbers."""

    name: str
    vector: Sequence[float] | Float[Tensor, " d_model"]


TargetChoice: TypeAlias = str | int | Contrast | Direction


@dataclass(frozen=True, eq=False)
class ChosenTarget:
    """A target with its direction; `token_id` is at or above the vocabulary size where it is not a token.

    `probability` is the token's own, 1 for other directions; `logit` is the direction's product with the normed stream.
    """

    name: str
    token_id: int
    probability: float
    logit: float
    direction: Float[Tensor, " d_model"]


@dataclass(frozen=True, eq=False)
class Reading:
    """What targets are chosen from: the logits at the traced position, how they are read, and the tokens' names."""

    logits: Float[Tensor, " vocabulary"]
    normed: Float[Tensor, " d_model"]
    unembedding: Float[Tensor, "vocabulary d_model"]
    mean_unembedding: Float[Tensor, " d_model"]
    token_text: Callable[[int], str]
    find_token: Callable[[str], int]


def choose_targets(reading: Reading, choices: Sequence[TargetChoice] | TargetChoice | None) -> tuple[ChosenTarget, ...]:
    """Return the targets asked for, by default the most likely tokens: ten, or fewer that hold 0.95 of the probability.

    Raises:
        PromptError: a token that does not exist or is named twice, an empty list, a direction of the wrong width.
    """
    probabilities = torch.softmax(reading.logits, dim=-1)
    if choices is None:
        return tuple(_token(reading, probabilities, token) for token in _most_likely(probabilities))
    if isinstance(choices, str | int | Contrast | Direction):
        choices = [choices]
    chosen = tuple(_choose(reading, probabilities, choice, place) for place, choice in enumerate(choices))
    if not chosen:
        raise PromptError("The list of targets is empty; name at least one token, or leave it out.")
    ids = [target.token_id for target in chosen]
    if len(set(ids)) < len(ids):
        twice = next(target for target in chosen if ids.count(target.token_id) > 1)
        raise PromptError(f"The target {twice.name!r} is named twice; name each target once.")
    return chosen


def _most_likely(probabilities: Float[Tensor, " vocabulary"]) -> list[int]:
    top = torch.topk(probabilities, min(MAX_TOKENS, len(probabilities)))
    reached = torch.cumsum(top.values, dim=0) >= ENOUGH_PROBABILITY
    count = int(reached.int().argmax()) + 1 if bool(reached.any()) else len(reached)
    return [int(token) for token in top.indices[:count]]


def _choose(
    reading: Reading, probabilities: Float[Tensor, " vocabulary"], choice: TargetChoice, place: int
) -> ChosenTarget:
    beyond = len(probabilities) + place
    if isinstance(choice, Contrast):
        token, other = _token_id(reading, choice.token), _token_id(reading, choice.other)
        name = f"{reading.token_text(token)} − {reading.token_text(other)}"
        return _direction(
            reading, name, beyond, reading.unembedding[token].float() - reading.unembedding[other].float()
        )
    if isinstance(choice, Direction):
        vector = torch.as_tensor(choice.vector, dtype=torch.float32, device=reading.normed.device)
        if vector.shape != reading.normed.shape or not bool(torch.isfinite(vector).all()):
            raise PromptError(
                f"The direction {choice.name!r} has shape {tuple(vector.shape)}; "
                f"expected {len(reading.normed)} finite numbers, one for each dimension of the residual stream."
            )
        return _direction(reading, choice.name, beyond, vector)
    return _token(reading, probabilities, _token_id(reading, choice))


def _token_id(reading: Reading, token: str | int) -> int:
    if isinstance(token, str):
        return reading.find_token(token)
    number = token.item() if hasattr(token, "item") else token
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(reading.logits):
        raise PromptError(f"The target {token!r} is not a token id; expected a text or 0 to {len(reading.logits) - 1}.")
    return number


def _token(reading: Reading, probabilities: Float[Tensor, " vocabulary"], token: int) -> ChosenTarget:
    return ChosenTarget(
        name=reading.token_text(token),
        token_id=token,
        probability=float(probabilities[token]),
        logit=float(reading.logits[token]),
        direction=reading.unembedding[token].float() - reading.mean_unembedding,
    )


def _direction(reading: Reading, name: str, token_id: int, vector: Float[Tensor, " d_model"]) -> ChosenTarget:
    return ChosenTarget(name, token_id, 1.0, float(vector @ reading.normed), vector)
