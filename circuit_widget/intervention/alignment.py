"""Alignment of two prompts: which position of one is paired with which position of the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from circuit_widget.arguments import entries_of, plain_number, quoted
from circuit_widget.errors import InterventionError
from circuit_widget.model.tokens.counterparts import counterparts
from circuit_widget.nodes import PromptToken

if TYPE_CHECKING:
    import pandas

Pairs: TypeAlias = Mapping[int, int] | Iterable[tuple[int, int]]
"""Positions of one prompt, each with its counterpart in the other."""


@dataclass(frozen=True)
class Alignment:
    """Which positions of two prompts are counterparts.

    `tokens` are those of the prompt that is changed, `other_tokens` those of the other, BOS included. `pairs` maps
    positions of the first to positions of the second; positions that are not in it have no counterpart.
    """

    tokens: tuple[PromptToken, ...]
    other_tokens: tuple[PromptToken, ...]
    pairs: Mapping[int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "pairs", MappingProxyType(dict(self.pairs)))

    def to_frame(self) -> pandas.DataFrame:
        """Return one row for each position of the prompt: position, token, other_position, other_token.

        The last two are missing where a position has no counterpart.
        """
        import pandas

        others = [self.pairs.get(position) for position in range(len(self.tokens))]
        return pandas.DataFrame(
            {
                "position": range(len(self.tokens)),
                "token": [token.text for token in self.tokens],
                "other_position": pandas.array(others, dtype="Int64"),
                "other_token": [None if other is None else self.other_tokens[other].text for other in others],
            }
        )


def alignment_between(
    tokens: Sequence[PromptToken], other_tokens: Sequence[PromptToken], pairs: Sequence[tuple[int, int]] | None = None
) -> Alignment:
    """Return the alignment of two prompts: the pairs given, else as `align` finds them.

    Raises:
        InterventionError: a pair with a position that its prompt does not have; otherwise as `align` does.
    """
    prompts = tuple(tokens), tuple(other_tokens)
    if pairs is None:
        return Alignment(*prompts, align(*([token.token_id for token in prompt] for prompt in prompts)))
    for side, which in enumerate(("this", "the other")):
        for pair in pairs:
            if not 0 <= pair[side] < len(prompts[side]):
                raise InterventionError(
                    f"The alignment pairs {pair[0]} with {pair[1]}, but {which} prompt has positions 0 to "
                    f"{len(prompts[side]) - 1}; model.align(graph, prompt).to_frame() shows both."
                )
    return Alignment(*prompts, dict(pairs))


def pair_tuple(alignment: object) -> tuple[tuple[int, int], ...]:
    """Return an alignment as pairs, sorted.

    Raises:
        InterventionError: there is no pair, an entry is not a pair of whole numbers from 0 up, or a position of this
            prompt has two counterparts.
    """
    given = alignment.items() if isinstance(alignment, Mapping) else alignment
    expected = "An alignment maps positions of this prompt to positions of the other, as {3: 4}"
    pairs = [_pair(entry) for entry in entries_of(given, expected, InterventionError)]
    if not pairs:
        raise InterventionError("The alignment is empty; pair at least one position, or leave it out for the default.")
    for number, (position, other) in enumerate(pairs):
        if position in dict(pairs[:number]):
            first = dict(pairs[:number])[position]
            raise InterventionError(
                f"The alignment pairs position {position} with both {first} and {other}; give each position one."
            )
    return tuple(sorted(pairs))


def _pair(entry: object) -> tuple[int, int]:
    expected = "An alignment is pairs of positions, of this prompt and of the other"
    given = entries_of(entry, expected, InterventionError)
    numbers = [plain_number(one) for one in given]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise InterventionError(f"Positions of an alignment are whole numbers from 0 up; given {quoted(number)}.")
    if len(numbers) != 2:
        raise InterventionError(f"{expected}; given {quoted(entry)}.")
    return numbers[0], numbers[1]


def align(tokens: Sequence[int], others: Sequence[int]) -> Mapping[int, int]:
    """Return for positions of one prompt (token ids) their counterparts in the other; see `counterparts`.

    Raises:
        InterventionError: the lengths differ and the prompts share no token after the first.
    """
    pairs = counterparts(tokens, others)
    if not pairs:
        raise InterventionError(
            f"The prompts have {len(tokens)} and {len(others)} tokens and share neither their beginning nor their end, "
            "so their positions cannot be aligned. Use a prompt of the same form, or give an alignment."
        )
    return pairs
