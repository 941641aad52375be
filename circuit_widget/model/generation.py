"""What a model went on to say after a prompt, and asking why it said that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from circuit_widget.arguments import plain_number, quoted
from circuit_widget.errors import NoModelError, PromptError
from circuit_widget.model.tokens.prompt import Prompt, PromptInput
from circuit_widget.nodes import PromptToken

if TYPE_CHECKING:
    from circuit_widget.graph import Graph
    from circuit_widget.replacement_model import ReplacementModel

SHOWN = 8
"""Probabilities that a generation names when it is shown."""


@dataclass(frozen=True)
class SampledToken:
    """A token as it is sampled: `place` counts the sampled ones from 0, `probability` is what the model itself gave it.

    `steered` says whether it was sampled under interventions.
    """

    text: str
    token_id: int
    probability: float
    place: int
    steered: bool = False


@dataclass(frozen=True, repr=False)
class Generation:
    """What a model went on to say after a prompt.

    Attributes:
        tokens: the prompt's tokens, then the sampled ones.
        n_prompt: how many of them are the prompt's.
        text: what was sampled, as text, special tokens left out.
        probabilities: of each sampled token, what the model itself gave it (before `temperature`).
        temperature: 0 where the likeliest token was taken each time.
        seed: of the sampling, None where nothing was drawn.
        ended: whether the model ended its answer by itself, with a token that ends a text.
        steering: what was changed meanwhile, as plain JSON: `interventions`, and whether on `new_tokens` too; empty
            where nothing was.
    """

    tokens: tuple[PromptToken, ...]
    n_prompt: int
    text: str
    probabilities: tuple[float, ...]
    temperature: float
    seed: int | None
    ended: bool
    steering: Mapping[str, Any] = field(default_factory=dict, hash=False)
    model: ReplacementModel | None = field(default=None, compare=False, repr=False)

    @property
    def sampled(self) -> tuple[PromptToken, ...]:
        """The sampled tokens."""
        return self.tokens[self.n_prompt :]

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        shares = ", ".join(f"{share:.2g}" for share in self.probabilities[:SHOWN])
        more = ", …" if len(self.probabilities) > SHOWN else ""
        return f"Generation({self.text!r}, {len(self.sampled)} tokens of probability {shares}{more})"

    def position_of(self, token: object) -> int:
        """Return the position that a sampled token was read from, the one before its own; -1 is the last token.

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
        """Return the attribution graph of one sampled token: why did the model say that?

        The graph is of the model as it is. Where the text came from a steered one, it shows what leads to the token
        without the interventions; `model.intervene` on the graph puts them back.

        `token` counts the sampled ones from 0; `options` are those of `ReplacementModel.trace`.

        Raises:
            PromptError: there is no such token.
            NoModelError: this generation came without its model.
        """
        if self.model is None:
            raise NoModelError("This generation has no model with it; use model.trace(generation, token=...).")
        return self.model.trace(self, token=token, **options)


@dataclass(frozen=True)
class Question:
    """What a trace explains: the token after `position` of `prompt`; `said` is the token that a generation put there.

    `recipe` says how the prompt was sampled, where it was.
    """

    prompt: PromptInput
    position: int
    said: int | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)


def question(
    prompt: PromptInput | Generation,
    position: int,
    token: int | None,
    prompt_of: Callable[[Sequence[PromptToken]], Prompt],
) -> Question:
    """Return what is asked: of a prompt, of any position of a generation, or of one of its sampled tokens.

    A generation is cut after the position in question, since what comes later has no say in it. `prompt_of` returns the
    prompt of exactly its tokens.

    Raises:
        PromptError: `token` without a generation or beside a position, or no such token or position.
    """
    if not isinstance(prompt, Generation):
        if token is not None:
            raise PromptError(
                "token= names a sampled token of a generation, but a prompt was given; use position= for a prompt."
            )
        return Question(prompt, position)
    position = plain_number(position)
    if token is not None:
        if not isinstance(position, int) or position != -1:
            raise PromptError("Both token= and position= were given; a sampled token says the position by itself.")
        position = prompt.position_of(token)
    tokens = prompt.tokens
    is_place = isinstance(position, int) and not isinstance(position, bool) and -len(tokens) <= position < len(tokens)
    place = position % len(tokens) if is_place else position
    if not is_place or place == len(tokens) - 1:
        return Question(prompt_of(tokens), place)
    sampled = place + 1 - prompt.n_prompt
    recipe = {
        "temperature": prompt.temperature,
        "seed": prompt.seed,
        "n_prompt": prompt.n_prompt,
        "sampled_token": sampled if sampled >= 0 else None,
        **({"steering": dict(prompt.steering)} if prompt.steering else {}),
    }
    return Question(prompt_of(tokens[: place + 1]), place, tokens[place + 1].token_id, {"generation": recipe})
