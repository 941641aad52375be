"""Which positions of two prompts are counterparts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def counterparts(tokens: Sequence[int], others: Sequence[int]) -> Mapping[int, int]:
    """Return for positions of one prompt (token ids) their counterparts in the other.

    Prompts of the same length are aligned one to one. Others are aligned at the tokens that they share at the beginning
    and at the end; between these, from the last token backwards, since a name of several tokens gathers its meaning on
    its last one. Tokens left over have no counterpart, and none has one where the lengths differ and the prompts share no
    token after the first.
    """
    if len(tokens) == len(others):
        return {position: position for position in range(len(tokens))}
    shorter = min(len(tokens), len(others))
    prefix = _common(tokens, others, shorter)
    suffix = _common(tokens[::-1], others[::-1], shorter - prefix)
    if prefix <= 1 and suffix == 0:
        return {}
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
