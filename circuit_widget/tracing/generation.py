"""The text a model generates after a prompt, and which of its tokens a trace explains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from circuit_widget.arguments import plain_number, quoted
from circuit_widget.errors import NoModelError, PromptError
from circuit_widget.graph import Graph
from circuit_widget.model.sampling import Sample
from circuit_widget.model.tokens.prompt import Prompt, PromptInput
from circuit_widget.nodes import PromptToken

PROBABILITIES_IN_REPR = 8


class GenerationTracer(Protocol):
    """The model that a generation came from, as far as the generation uses it: a ReplacementModel."""

    def trace(self, prompt: Generation, *arguments: Any, **options: Any) -> Graph:
        """Return the attribution graph of the sampled token that `token`, one of the options, names."""


@dataclass(frozen=True, repr=False)
class Generation:
    """The text that a model generates after a prompt.

    Attributes:
        tokens: the prompt's tokens, then the sampled ones.
        n_prompt: number of tokens of the prompt.
        text: the sampled tokens as text, without special tokens.
        probabilities: of each sampled token, in the model's own distribution (before `temperature`).
        temperature: 0 where the likeliest token was taken each time.
        seed: of the random numbers; None where the temperature is 0.
        ended: whether the model ended the text itself, with one of its end tokens.
        steering: the interventions under which it was sampled, as plain JSON: `interventions`, and whether they apply
            to `new_tokens` too; empty without interventions.
    """

    tokens: tuple[PromptToken, ...]
    n_prompt: int
    text: str
    probabilities: tuple[float, ...]
    temperature: float
    seed: int | None
    ended: bool
    steering: Mapping[str, Any] = field(default_factory=dict, hash=False)
    model: GenerationTracer | None = field(default=None, compare=False, repr=False)

    @property
    def sampled(self) -> tuple[PromptToken, ...]:
        """The sampled tokens."""
        return self.tokens[self.n_prompt :]

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        shares = ", ".join(f"{share:.2g}" for share in self.probabilities[:PROBABILITIES_IN_REPR])
        more = ", …" if len(self.probabilities) > PROBABILITIES_IN_REPR else ""
        return f"Generation({self.text!r}, {len(self.sampled)} tokens of probability {shares}{more})"

    def position_of(self, token: object) -> int:
        """Return the position whose logits a sampled token was drawn from: the one before its own; -1 is the last token.

        Raises:
            PromptError: there is no such sampled token.
        """
        count, number = len(self.sampled), plain_number(token)
        if isinstance(number, int) and not isinstance(number, bool) and -count <= number < count:
            return self.n_prompt + number % count - 1
        raise PromptError(
            f"There is no sampled token {quoted(token)}; this generation sampled {count}, "
            f"0 to {count - 1}, or -1 for the last."
        )

    def trace(self, token: int = -1, **options: Any) -> Graph:
        """Return the attribution graph of one sampled token: why did the model choose it?

        The graph describes the model without interventions, also where the text was sampled under some. To see their
        effect, use `model.intervene` on the graph.

        `token` counts the sampled ones from 0; `options` are those of `ReplacementModel.trace`.

        Raises:
            PromptError: there is no such token.
            NoModelError: this generation has no model.
        """
        if self.model is None:
            raise NoModelError("This generation has no model with it; use model.trace(generation, token=...).")
        return self.model.trace(self, token=token, **options)


def generation_of(prompt: Prompt, sample: Sample, model: GenerationTracer) -> Generation:
    """Return the generation that consists of a prompt and of the tokens that a model sampled after it."""
    before = (PromptToken(text, token) for text, token in zip(prompt.texts, prompt.token_ids, strict=True))
    return Generation(
        tokens=(*before, *(PromptToken(token.text, token.token_id) for token in sample.tokens)),
        n_prompt=len(prompt),
        text=sample.text,
        probabilities=tuple(token.probability for token in sample.tokens),
        temperature=sample.temperature,
        seed=sample.seed,
        ended=sample.ended,
        model=model,
    )


@dataclass(frozen=True)
class TraceRequest:
    """What a trace explains: the next token after `position` of `prompt`.

    `sampled` is the id of the token that a generation has after this position, None for any other prompt. `recipe` states
    how the tokens of a generation were sampled.
    """

    prompt: PromptInput
    position: int
    sampled: int | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)


def trace_request(
    prompt: PromptInput | Generation,
    position: int,
    token: int | None,
    prompt_of: Callable[[Sequence[PromptToken]], Prompt],
) -> TraceRequest:
    """Return what a trace of these arguments explains: a position of a prompt or generation, or a sampled token.

    A generation is cut after that position, since later tokens do not influence it. `prompt_of` returns the prompt of
    exactly the tokens it is given.

    Raises:
        PromptError: `token` without a generation or beside a position, or no such token or position.
    """
    if not isinstance(prompt, Generation):
        if token is not None:
            raise PromptError(
                "token= names a sampled token of a generation, but a prompt was given; use position= for a prompt."
            )
        return TraceRequest(prompt, position)
    position = plain_number(position)
    if token is not None:
        if not isinstance(position, int) or position != -1:
            raise PromptError("Both token= and position= were given; a sampled token determines the position.")
        position = prompt.position_of(token)
    tokens = prompt.tokens
    exists = isinstance(position, int) and not isinstance(position, bool) and -len(tokens) <= position < len(tokens)
    position = position % len(tokens) if exists else position
    if not exists or position == len(tokens) - 1:
        return TraceRequest(prompt_of(tokens), position)
    sampled = position + 1 - prompt.n_prompt
    recipe = {
        "temperature": prompt.temperature,
        "seed": prompt.seed,
        "n_prompt": prompt.n_prompt,
        "sampled_token": sampled if sampled >= 0 else None,
        **({"steering": dict(prompt.steering)} if prompt.steering else {}),
    }
    return TraceRequest(
        prompt_of(tokens[: position + 1]), position, tokens[position + 1].token_id, {"generation": recipe}
    )
