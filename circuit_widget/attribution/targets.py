"""The targets of a graph: logits, or other directions after the final norm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from circuit_widget.arguments import plain_number, quoted, whole_number
from circuit_widget.characters import half_character
from circuit_widget.errors import PromptError
from circuit_widget.model.probability import probabilities_of
from circuit_widget.model.tokens.prompt_input import listed
from circuit_widget.model.tokens.tokenizer import not_embedded, unknown_text

MAX_TOKENS = 10
ENOUGH_PROBABILITY = 0.95

LONGEST_NAME = 80

SMALLEST, LARGEST = 1e-20, 1e20
"""Bounds of the largest number of a direction, so that results computed with it stay normal float32 numbers."""

OUTPUT = " (those of its output)"
"""Names the unembedding in errors about a model whose input and output vocabularies differ."""


@dataclass(frozen=True)
class Contrast:
    """The logit of `token` minus the logit of `other`, each given by its text or id.

    It explains why the model prefers one token to the other. The mean over the vocabulary, which is subtracted from single
    logits, cancels. Its weight in influence and scores is 1, whatever the probabilities of the tokens. Raises PromptError
    for anything but a text or an id.
    """

    token: str | int
    other: str | int

    def __post_init__(self) -> None:
        for name in ("token", "other"):
            token = plain_number(getattr(self, name))
            if not isinstance(token, str):
                token = whole_number(token, f"The {name} of a contrast is a text, or its id, which", PromptError)
            object.__setattr__(self, name, token)


@dataclass(frozen=True, eq=False)
class Direction:
    """A named direction in the residual stream, read after the final norm; `vector` has d_model finite numbers.

    Its value is the dot product of the vector and the residual stream after the final norm. Its weight in influence and
    scores is 1.

    Raises PromptError for a name that does not have 1 to 80 characters. A trace raises it for a vector of another width, of
    zeros, or whose largest number is not between 1e-20 and 1e20.
    """

    name: str
    vector: Sequence[float] | np.ndarray | Tensor

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not 0 < len(self.name.strip()) <= LONGEST_NAME:
            raise PromptError(
                f"The name of a direction is a text of 1 to {LONGEST_NAME} characters; given {quoted(self.name)}."
            )
        if (half := half_character(self.name)) is not None:
            raise PromptError(f"The name {quoted(self.name)} has half of a character, {half}; give whole characters.")


TargetChoice: TypeAlias = str | int | Contrast | Direction


@dataclass(frozen=True, eq=False)
class ChosenTarget:
    """A target with its direction after the final norm.

    `token_id` is at or above the vocabulary size for a target that is not a token. `probability` is the weight in
    influence and scores: the token's probability, 1 for contrasts and directions. `logit` is the token's logit, the
    difference of two logits before any softcap, or the dot product of the direction and the residual stream after the final
    norm. `choice` is the target, with tokens as ids. `constant` is the part of a contrast that is in the biases of its two
    tokens.
    """

    name: str
    token_id: int
    probability: float
    logit: float
    direction: Float[Tensor, " d_model"]
    choice: TargetChoice
    constant: float = 0.0


def probability_shares(targets: Sequence[ChosenTarget]) -> Float64[np.ndarray, " targets"]:
    """Return each target's share of the probability of all; equal shares where all have the probability zero."""
    weights = np.array([target.probability for target in targets], dtype=np.float64)
    return weights / weights.sum() if weights.sum() > 0 else np.full(len(weights), 1 / len(weights))


@dataclass(frozen=True, eq=False)
class TargetSource:
    """The logits at the traced position, the unembedding, and the texts of tokens, from which targets are chosen.

    `normed` is the residual stream after the final norm, float32. Before any softcap, the logit of a token is the product of
    its unembedding vector with it, plus a bias; `unembedding_row` and `unembedding_bias` return these two, the first in
    float32 on any device. `find_tokens` returns the ids of the tokens that a text can mean.
    """

    logits: Float[Tensor, " vocabulary"]
    normed: Float[Tensor, " d_model"]
    unembedding_row: Callable[[int], Float[Tensor, " d_model"]]
    unembedding_bias: Callable[[int], float]
    mean_unembedding: Float[Tensor, " d_model"]
    token_text: Callable[[int], str]
    find_tokens: Callable[[str], Sequence[int]]

    def row(self, token: int) -> Float[Tensor, " d_model"]:
        """Return the unembedding vector of a token in float32, on the device of the residual stream."""
        return self.unembedding_row(token).to(self.normed.device)

    def row_above_mean(self, token: int) -> Float[Tensor, " d_model"]:
        """Return the unembedding vector of a token minus the mean over the vocabulary."""
        return self.row(token) - self.mean_unembedding.to(self.normed.device)


def choose_targets(
    source: TargetSource, choices: Sequence[TargetChoice] | TargetChoice | None, *, sampled: int | None = None
) -> tuple[ChosenTarget, ...]:
    """Return the requested targets; by default the ten most likely tokens, or fewer with 0.95 of the probability.

    A text means the token with or without a space before it, whichever is more likely here. The default includes the token
    with the id `sampled`.

    Raises:
        PromptError: a token that does not exist or is named twice, an empty list, a direction of the wrong width.
    """
    probabilities = probabilities_of(source.logits)
    if choices is None:
        likely = _most_likely(probabilities)
        tokens = likely if sampled is None or sampled in likely else [*likely, sampled]
        return tuple(_token(source, probabilities, token) for token in tokens)
    is_one = isinstance(choices, str | int | Contrast | Direction) or getattr(choices, "shape", None) == ()
    wanted = [choices] if is_one else listed(choices)
    if wanted is None:
        raise PromptError(f"Targets are a list of texts, token ids, Contrasts and Directions; given {quoted(choices)}.")
    chosen = tuple(_choose(source, probabilities, choice, index) for index, choice in enumerate(wanted))
    if not chosen:
        raise PromptError("The list of targets is empty; name at least one token, or leave it out.")
    names = [(target.name, min(target.token_id, len(probabilities))) for target in chosen]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PromptError(f"The target {twice[0]!r} is named twice; name each target once.")
    return chosen


def target_to_json(choice: TargetChoice) -> dict[str, Any]:
    """Return a target named by ids as plain JSON: a "token", a "contrast" of two, or a "direction" with its "vector"."""
    match choice:
        case Contrast(token=token, other=other):
            return {"contrast": [token, other]}
        case Direction(name=name, vector=vector):
            return {"direction": name, "vector": torch.as_tensor(vector).tolist()}
        case _:
            return {"token": choice}


def target_from_json(entry: Mapping[str, Any]) -> TargetChoice:
    """Return the target that `target_to_json` wrote.

    Raises:
        PromptError: the entry is none of the three.
    """
    match entry:
        case {"contrast": [int(token), int(other)]}:
            return Contrast(token, other)
        case {"direction": str(name), "vector": list(vector)}:
            return Direction(name, vector)
        case {"token": int(token)}:
            return token
        case _:
            raise PromptError(f"A target in JSON is a token, a contrast or a direction; found {quoted(entry)}.")


def _most_likely(probabilities: Float[Tensor, " vocabulary"]) -> list[int]:
    top = torch.topk(probabilities, min(MAX_TOKENS, len(probabilities)))
    reached = torch.cumsum(top.values, dim=0) >= ENOUGH_PROBABILITY
    count = int(reached.int().argmax()) + 1 if bool(reached.any()) else len(reached)
    return [int(token) for token in top.indices[:count]]


def _choose(
    source: TargetSource, probabilities: Float[Tensor, " vocabulary"], choice: TargetChoice, index: int
) -> ChosenTarget:
    beyond = len(probabilities) + index
    match choice:
        case Contrast():
            return _contrast(source, choice, beyond)
        case Direction():
            return _direction(source, choice, beyond)
        case _:
            return _token(source, probabilities, _token_id(source, choice))


def _token_id(source: TargetSource, token: Any) -> int:
    rows = len(source.logits)
    if isinstance(token, str):
        found = source.find_tokens(token)
        with_logit = [spelling for spelling in found if spelling < rows]
        if not with_logit:
            raise PromptError(not_embedded(source.token_text(found[0]), found[0], rows, OUTPUT))
        return max(with_logit, key=lambda spelling: float(source.logits[spelling]))
    number = plain_number(token)
    is_id = isinstance(number, int) and not isinstance(number, bool)
    if is_id and number >= rows and source.token_text(number) != unknown_text(number):
        raise PromptError(not_embedded(source.token_text(number), number, rows, OUTPUT))
    if not is_id or not 0 <= number < rows:
        raise PromptError(
            f"The target {quoted(token)} is not a token id; expected a text or 0 to {len(source.logits) - 1}."
        )
    return int(number)


def _token(source: TargetSource, probabilities: Float[Tensor, " vocabulary"], token: int) -> ChosenTarget:
    return ChosenTarget(
        name=source.token_text(token),
        token_id=token,
        probability=float(probabilities[token]),
        logit=float(source.logits[token]),
        direction=source.row_above_mean(token),
        choice=token,
    )


def _contrast(source: TargetSource, contrast: Contrast, beyond: int) -> ChosenTarget:
    token, other = _token_id(source, contrast.token), _token_id(source, contrast.other)
    name = _contrast_name(source.token_text(token), source.token_text(other))
    if token == other:
        raise PromptError(f"The contrast {name!r} is of a token with itself, which is always 0; name two tokens.")
    vector = source.row(token) - source.row(other)
    constant = source.unembedding_bias(token) - source.unembedding_bias(other)
    value = float(vector @ source.normed) + constant
    return ChosenTarget(name, beyond, 1.0, value, vector, Contrast(token, other), constant)


def _contrast_name(token: str, other: str) -> str:
    """Return the name of a contrast: two texts that begin alike, with one space before the second, or else both quoted."""
    alike = token.startswith(" ") == other.startswith(" ")
    if not alike or not token.strip() or not other.strip():
        return f"“{token}” − “{other}”"
    return f"{token} − {other.removeprefix(' ')}"


def _numbers(direction: Direction) -> Tensor:
    """Return the vector of a direction. Raises PromptError where it does not consist of numbers."""
    try:
        return torch.as_tensor(direction.vector).detach().to(dtype=torch.float32)
    except Exception as error:  # torch raises many kinds
        raise PromptError(
            f"The direction {direction.name!r} is not a list of numbers; given {quoted(direction.vector)}."
        ) from error


def _direction(source: TargetSource, direction: Direction, beyond: int) -> ChosenTarget:
    vector = _numbers(direction).to(source.normed.device)
    if vector.shape != source.normed.shape or not bool(torch.isfinite(vector).all()):
        raise PromptError(
            f"The direction {direction.name!r} has shape {tuple(vector.shape)}; "
            f"expected {len(source.normed)} finite numbers, one for each dimension of the residual stream."
        )
    largest = float(vector.abs().max())
    if largest == 0:
        raise PromptError(f"The direction {direction.name!r} is all zeros, so nothing has an effect on it.")
    if not SMALLEST <= largest <= LARGEST:
        raise PromptError(
            f"The numbers of the direction {direction.name!r} reach {largest:.3g}; expected {SMALLEST:g} to {LARGEST:g}, "
            "within which effects on it are exact. Divide it by its length."
        )
    kept = Direction(direction.name, vector.cpu())
    return ChosenTarget(direction.name, beyond, 1.0, float(vector @ source.normed), vector, kept)
