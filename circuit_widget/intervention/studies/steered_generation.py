"""Texts that a model generated with and without interventions, side by side."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from circuit_widget.intervention.kinds import Intervention
from circuit_widget.tracing.generation import Generation

if TYPE_CHECKING:
    import pandas

MARK = "background:#f6d58a;color:#1a1a1a;border-radius:3px;padding:0 2px"
"""Style of a token that differs, readable on light and dark pages."""


@dataclass(frozen=True, repr=False)
class SteeredGeneration:
    """Two continuations of a prompt, one by the model as it is, one under interventions.

    Both are sampled with the same random numbers.

    Attributes:
        unsteered, steered: the two generations; either can be traced.
        interventions: what steered the second one.
        new_tokens: whether generated tokens were steered too, or only the prompt.
    """

    unsteered: Generation
    steered: Generation
    interventions: tuple[Intervention, ...]
    new_tokens: bool

    @property
    def name(self) -> str:
        """The interventions in a few words."""
        where = "prompt and new tokens" if self.new_tokens else "prompt only"
        return f"{', '.join(intervention.description for intervention in self.interventions)} ({where})"

    @property
    def first_difference(self) -> int | None:
        """Index of the first sampled token that is not the same in both, None where the two texts are the same."""
        unsteered, steered = self._ids
        common = _common_length(unsteered, steered)
        return None if common == len(unsteered) == len(steered) else common

    @property
    def marks(self) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
        """For each sampled token, unsteered and steered, whether it differs.

        Tokens after the first difference that both generations have, in the same order, do not differ.
        """
        unsteered, steered = self._ids
        common = _common_length(unsteered, steered)
        marks = tuple([index >= common for index in range(len(ids))] for ids in self._ids)
        matcher = SequenceMatcher(None, unsteered[common:], steered[common:], autojunk=False)
        for own, other, size in matcher.get_matching_blocks():
            for differs, start in zip(marks, (own, other), strict=True):
                differs[common + start : common + start + size] = [False] * size
        return tuple(marks[0]), tuple(marks[1])

    def to_frame(self) -> pandas.DataFrame:
        """Return one row for each index: unsteered and steered token with probability, and whether they are the same.

        Where one generation is shorter, its columns are empty.
        """
        import pandas

        both = zip_longest(
            zip(self.unsteered.sampled, self.unsteered.probabilities, strict=True),
            zip(self.steered.sampled, self.steered.probabilities, strict=True),
            fillvalue=(None, None),
        )
        rows = [
            (one and one.text, share, other and other.text, left, one == other) for (one, share), (other, left) in both
        ]
        columns = ["unsteered", "unsteered_probability", "steered", "steered_probability", "same"]
        return pandas.DataFrame(rows, columns=columns)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON: the interventions, and each sampled token with its probability and whether it differs."""
        return {
            "interventions": [intervention.to_json() for intervention in self.interventions],
            "new_tokens": self.new_tokens,
            "temperature": self.steered.temperature,
            "seed": self.steered.seed,
            "prompt_token_ids": [token.token_id for token in self.steered.tokens[: self.steered.n_prompt]],
            "first_difference": self.first_difference,
            "unsteered": _generation_json(self.unsteered, self.marks[0]),
            "steered": _generation_json(self.steered, self.marks[1]),
        }

    def __str__(self) -> str:
        unsteered, steered = self.marks
        return "\n".join(
            [
                f"{self.name}: {self._verdict}",
                f"unsteered  {_marked(self.unsteered, unsteered)}",
                f"steered    {_marked(self.steered, steered)}",
            ]
        )

    def __repr__(self) -> str:
        return f"SteeredGeneration({self})"

    def _repr_html_(self) -> str:
        unsteered, steered = self.marks
        rows = "".join(
            f'<tr><th style="text-align:left;vertical-align:top">{name}</th>'
            f'<td style="text-align:left;white-space:pre-wrap">{_marked_html(generation, marks)}</td></tr>'
            for name, generation, marks in (
                ("unsteered", self.unsteered, unsteered),
                ("steered", self.steered, steered),
            )
        )
        caption = html.escape(f"{self.name}: {self._verdict}")
        return f'<table><caption style="text-align:left">{caption}</caption>{rows}</table>'

    @property
    def _ids(self) -> tuple[list[int], list[int]]:
        unsteered, steered = self.unsteered.sampled, self.steered.sampled
        return [token.token_id for token in unsteered], [token.token_id for token in steered]

    @property
    def _verdict(self) -> str:
        index = self.first_difference
        if index is None:
            return "both texts are the same"
        unsteered, steered = (
            repr(one.sampled[index].text) if index < len(one.sampled) else "nothing more"
            for one in (self.unsteered, self.steered)
        )
        return f"they differ from token {index} on, {steered} for {unsteered}"


def _common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Return how many tokens two lists have in common at their beginning."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (one, other) in pairs if one != other), min(len(first), len(second)))


def _generation_json(generation: Generation, marks: Sequence[bool]) -> dict[str, Any]:
    rows = zip(generation.sampled, generation.probabilities, marks, strict=True)
    tokens = [
        {"token": token.text, "token_id": token.token_id, "probability": probability, "differs": differs}
        for token, probability, differs in rows
    ]
    return {"text": generation.text, "ended": generation.ended, "tokens": tokens}


def gap(generation: Generation) -> str:
    """Return the text between two tokens: empty where tokens contain their own spaces, as with most tokenizers."""
    texts = [token.text for token in generation.tokens]
    has_spaces = any(text != text.strip() for text in texts)
    return "" if has_spaces or "".join(texts[generation.n_prompt :]) == generation.text else " "


def _marked(generation: Generation, marks: Sequence[bool]) -> str:
    """Return a generation's text on one line, with tokens that differ in brackets."""
    texts = [_printable(token.text) for token in generation.sampled]
    return gap(generation).join(f"[{text}]" if differs else text for text, differs in zip(texts, marks, strict=True))


def _printable(text: str) -> str:
    """Return a text without the characters that a terminal would act on: token text is not to be trusted."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text.replace("\n", "↵")
    )


def _marked_html(generation: Generation, marks: Sequence[bool]) -> str:
    """Return a generation's tokens, those that differ marked, each with its probability as a tooltip."""
    return gap(generation).join(
        f'<{tag} title="{probability:.3g}" style="unicode-bidi:isolate;{MARK if differs else ""}">'
        f"{html.escape(token.text)}</{tag}>"
        for token, probability, differs in zip(generation.sampled, generation.probabilities, marks, strict=True)
        for tag in ("mark" if differs else "span",)
    )
