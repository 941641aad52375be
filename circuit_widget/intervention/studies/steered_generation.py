"""What a model said with and without interventions, side by side."""

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
    """What a model goes on to say as it is, and what it says under interventions, drawn with the same random numbers.

    Attributes:
        unsteered, steered: the two generations; either can be traced.
        interventions: what was done.
        new_tokens: whether it was done to the generated tokens too, or only to the prompt.
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
        """Number of the first sampled token that is not the same in both, None where the two say the same."""
        unsteered, steered = self._ids
        shared = _shared(unsteered, steered)
        return None if shared == len(unsteered) == len(steered) else shared

    @property
    def marks(self) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
        """For each sampled token, unsteered and steered, whether it differs.

        After the first difference, what both say later, in the same order, is not marked.
        """
        unsteered, steered = self._ids
        shared = _shared(unsteered, steered)
        marks = tuple([place >= shared for place in range(len(ids))] for ids in self._ids)
        matcher = SequenceMatcher(None, unsteered[shared:], steered[shared:], autojunk=False)
        for own, other, size in matcher.get_matching_blocks():
            for said, start in zip(marks, (own, other), strict=True):
                said[shared + start : shared + start + size] = [False] * size
        return tuple(marks[0]), tuple(marks[1])

    def to_frame(self) -> pandas.DataFrame:
        """Return one row for each place: unsteered and steered token with probability, and whether they are the same.

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
        """Return the same as plain JSON: what was done, and each sampled token with its probability and whether it differs."""
        return {
            "interventions": [intervention.to_json() for intervention in self.interventions],
            "new_tokens": self.new_tokens,
            "temperature": self.steered.temperature,
            "seed": self.steered.seed,
            "prompt_token_ids": [token.token_id for token in self.steered.tokens[: self.steered.n_prompt]],
            "first_difference": self.first_difference,
            "unsteered": _said_json(self.unsteered, self.marks[0]),
            "steered": _said_json(self.steered, self.marks[1]),
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
            f'<td style="text-align:left;white-space:pre-wrap">{_marked_html(said, marks)}</td></tr>'
            for name, said, marks in (("unsteered", self.unsteered, unsteered), ("steered", self.steered, steered))
        )
        caption = html.escape(f"{self.name}: {self._verdict}")
        return f'<table><caption style="text-align:left">{caption}</caption>{rows}</table>'

    @property
    def _ids(self) -> tuple[list[int], list[int]]:
        unsteered, steered = self.unsteered.sampled, self.steered.sampled
        return [token.token_id for token in unsteered], [token.token_id for token in steered]

    @property
    def _verdict(self) -> str:
        place = self.first_difference
        if place is None:
            return "both say the same"
        said = [
            repr(one.sampled[place].text) if place < len(one.sampled) else "nothing more"
            for one in (self.unsteered, self.steered)
        ]
        return f"they differ from token {place} on, {said[1]} for {said[0]}"


def _shared(first: Sequence[int], second: Sequence[int]) -> int:
    """Return how many tokens two lists have in common at their beginning."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(first), len(second)))


def _said_json(said: Generation, marks: Sequence[bool]) -> dict[str, Any]:
    rows = zip(said.sampled, said.probabilities, marks, strict=True)
    tokens = [
        {"token": token.text, "token_id": token.token_id, "probability": probability, "differs": differs}
        for token, probability, differs in rows
    ]
    return {"text": said.text, "ended": said.ended, "tokens": tokens}


def gap(said: Generation) -> str:
    """Return what stands between two tokens: nothing where tokens bring their own spaces, as most tokenizers' do."""
    texts = [token.text for token in said.tokens]
    return "" if any(text != text.strip() for text in texts) or "".join(texts[said.n_prompt :]) == said.text else " "


def _marked(said: Generation, marks: Sequence[bool]) -> str:
    """Return a generation's text on one line, with tokens that differ in brackets."""
    texts = [_printable(token.text) for token in said.sampled]
    return gap(said).join(f"[{text}]" if differs else text for text, differs in zip(texts, marks, strict=True))


def _printable(text: str) -> str:
    """Return a text with what a terminal would act on shown instead: token text is not to be trusted."""
    return "".join(shown if shown.isprintable() else "\N{REPLACEMENT CHARACTER}" for shown in text.replace("\n", "↵"))


def _marked_html(said: Generation, marks: Sequence[bool]) -> str:
    """Return a generation's tokens, those that differ marked, each with its probability as a tooltip."""
    return gap(said).join(
        f'<{tag} title="{probability:.3g}" style="unicode-bidi:isolate;{MARK if differs else ""}">'
        f"{html.escape(token.text)}</{tag}>"
        for token, probability, differs in zip(said.sampled, said.probabilities, marks, strict=True)
        for tag in ("mark" if differs else "span",)
    )
