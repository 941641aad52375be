"""A table of tokens under several experiments: their probabilities, logits and ranks after each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from circuit_widget.arguments import entries_of
from circuit_widget.errors import PromptError
from circuit_widget.intervention.effect import Effect

if TYPE_CHECKING:
    import pandas

Tokens = Sequence[str | int] | str | int | None
"""Tokens by text or id; None for the graph's targets that are tokens, or the likeliest token where none is."""


def chosen_tokens(effects: Sequence[Effect], tokens: Tokens) -> dict[int, str]:
    """Return id -> text of chosen tokens, in their order.

    Raises:
        PromptError: an id outside the vocabulary, a text that is not among the tokens of any effect, or no token at all.
    """
    if tokens is None:
        likeliest = effects[0].tokens.iloc[0]
        return effects[0].target_tokens or {int(likeliest["token_id"]): str(likeliest["token"])}
    is_one = isinstance(tokens, str | int) or getattr(tokens, "shape", None) == ()
    listed: list[Any] = (
        [tokens] if is_one else entries_of(tokens, "Tokens are texts or ids, one or a list of them", PromptError)
    )
    ids = [_token_id(effects, token) for token in listed]
    if not ids:
        raise PromptError("There is no token to look at; name at least one, or none for the graph's targets.")
    return {token: _text(effects, token) for token in ids}


def plotted_tokens(effects: Sequence[Effect], tokens: Tokens) -> dict[int, str]:
    """Return id -> text of the tokens in a plot: the chosen ones, or those that are the likeliest before or after an effect.

    Raises:
        PromptError: as `chosen_tokens` does.
    """
    if tokens is not None:
        return chosen_tokens(effects, tokens)
    likeliest = [int(effects[0].logits_before.argmax()), *(int(effect.logits_after.argmax()) for effect in effects)]
    return chosen_tokens(effects, list(dict.fromkeys(likeliest)))


def token_table(effects: Sequence[Effect], tokens: Mapping[int, str]) -> pandas.DataFrame:
    """Return one row for each effect and token, after the intervention.

    Columns: experiment (its number, from 0), token, token_id, probability, predicted_probability, logit,
    predicted_logit, rank, kl (nats).
    """
    import pandas

    rows = []
    for number, effect in enumerate(effects):
        kl = effect.kl
        for token, text in tokens.items():
            rows.append(
                {
                    "experiment": number,
                    "token": text,
                    "token_id": token,
                    "probability": effect.probability(token)[1],
                    "predicted_probability": effect.predicted_probability(token),
                    "logit": float(effect.logits_after[token]),
                    "predicted_logit": float(effect.logits_predicted[token]),
                    "rank": effect.rank(token)[1],
                    "kl": kl,
                }
            )
    return pandas.DataFrame(rows)


def _token_id(effects: Sequence[Effect], token: str | int) -> int:
    for effect in effects[:-1]:
        try:
            return effect.token_id(token)
        except PromptError:
            continue
    return effects[-1].token_id(token)


def _text(effects: Sequence[Effect], token: int) -> str:
    for effect in effects:
        if token in effect.target_tokens:
            return effect.target_tokens[token]
        found = effect.tokens.loc[effect.tokens["token_id"] == token, "token"]
        if len(found):
            return str(found.iloc[0])
    return f"<{token}>"
