"""Which position of one prompt stands for which of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from circuit_widget.errors import InterventionError


def align(tokens: Sequence[int], others: Sequence[int]) -> Mapping[int, int]:
    """Return for positions of one prompt (token ids) the positions of the other that stand for them.

    Prompts of the same length are aligned one to one. Otherwise by what they have in common at their beginning and
    their end; between the two, from the last token backwards, since a name of several tokens gathers its meaning on its
    last one. Tokens left over stand for nothing.

    Raises:
        InterventionError: the lengths differ and nothing after the first token is in common.
    """
    if len(tokens) == len(others):
        return {position: position for position in range(len(tokens))}
    shorter = min(len(tokens), len(others))
    prefix = _common(tokens, others, shorter)
    suffix = _common(tokens[::-1], others[::-1], shorter - prefix)
    if prefix <= 1 and suffix == 0:
        raise InterventionError(
            f"The prompts have {len(tokens)} and {len(others)} tokens and neither begin nor end alike, "
            "so their positions cannot be aligned. Use a prompt of the same form."
        )
    pairs = {position: position for position in range(prefix)}
    between = shorter - prefix - suffix
    for back in range(1, suffix + between + 1):
        pairs[len(tokens) - back] = len(others) - back
    return pairs


def _common(first: Sequence[int], second: Sequence[int], limit: int) -> int:
    count = 0
    while count < limit and first[count] == second[count]:
        count += 1
    return count
