"""Texts as the model runs on them: windows of tokens, and batches of windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

BEFORE, AFTER = 15, 8
"""Tokens of an example before and after its peak."""

CONTEXT = BEFORE + 1 + AFTER
"""Tokens of an example."""

NO_TOKEN = -1
"""Where an example has no token, because the window begins or ends there."""

PASSAGE = 8
"""Tokens up to the peak by which two examples are found to be the same passage."""

_FACTOR = 0x5851F42D4C957F2D
"""An odd number with which products spread over all 64 bits (Steele and Vigna 2021)."""


@dataclass(frozen=True, eq=False)
class WindowBatch:
    """Windows of tokens that run together, padded behind.

    `words` are numbers of the tokens' words, and `passages` of the last tokens up to each position. Positions up to
    `first_position`, that of the first token of each window that counts, and padding are not `used`.
    """

    tokens: Int[Tensor, "windows positions"]
    used: Bool[Tensor, "windows positions"]
    lengths: Int[Tensor, " windows"]
    words: Int[Tensor, "windows positions"]
    passages: Int[Tensor, "windows positions"]
    first_position: int

    def to(self, device: torch.device) -> WindowBatch:
        """Return the batch on a device."""
        return self if self.tokens.device == device else self._with(lambda tensor: tensor.to(device))

    def part(self, windows: slice) -> WindowBatch:
        """Return some of its windows."""
        return self._with(lambda tensor: tensor[windows])

    def _with(self, change: Callable[[Tensor], Tensor]) -> WindowBatch:
        return WindowBatch(
            change(self.tokens),
            change(self.used),
            change(self.lengths),
            change(self.words),
            change(self.passages),
            self.first_position,
        )

    @property
    def n_tokens(self) -> int:
        """Number of tokens that count: those that are used, and the first of each window."""
        return int(self.used.sum()) + len(self.lengths)

    def contexts(
        self, windows: Int[Tensor, " n"], peaks: Int[Tensor, " n"]
    ) -> tuple[Int[Tensor, "n context"], Bool[Tensor, "n context"]]:
        """Return the positions around peaks, the nearest one where there is none, and where there is one."""
        offsets = torch.arange(-BEFORE, AFTER + 1, dtype=torch.long, device=peaks.device)
        positions = peaks[:, None] + offsets
        last = self.lengths[windows][:, None] - 1
        return torch.minimum(positions.clamp(min=0), last), (positions >= 0) & (positions <= last)


def batches_of(
    windows: Sequence[Sequence[int]], most_tokens: int, first_position: int, word_of: Callable[[int], int]
) -> Iterator[WindowBatch]:
    """Yield batches of windows of similar length, each of at most `most_tokens` with its padding, or of one window."""
    waiting: list[Sequence[int]] = []
    for window in sorted(windows, key=len, reverse=True):
        if waiting and (len(waiting) + 1) * len(waiting[0]) > most_tokens:
            yield _batch_of(waiting, first_position, word_of)
            waiting = []
        waiting.append(window)
    if waiting:
        yield _batch_of(waiting, first_position, word_of)


def _batch_of(windows: Sequence[Sequence[int]], first_position: int, word_of: Callable[[int], int]) -> WindowBatch:
    longest = max(map(len, windows))
    # Attention is causal, so padding behind changes nothing before it: any token does.
    rows = [[*window, *[window[-1]] * (longest - len(window))] for window in windows]
    tokens = torch.tensor(rows, dtype=torch.long, device="cpu")
    lengths = torch.tensor([len(window) for window in windows], dtype=torch.long, device="cpu")
    positions = torch.arange(longest, dtype=torch.long, device="cpu")
    used = (positions > first_position) & (positions < lengths[:, None])
    distinct, index = torch.unique(tokens, return_inverse=True)
    words = torch.tensor([word_of(token) for token in distinct.tolist()], dtype=torch.long, device="cpu")
    return WindowBatch(tokens, used, lengths, words[index], passages_of(tokens), first_position)


def passages_of(tokens: Int[Tensor, "windows positions"]) -> Int[Tensor, "windows positions"]:
    """Return a number for the last `PASSAGE` tokens up to each position, or fewer where the window begins."""
    found = torch.zeros_like(tokens)
    for back in reversed(range(PASSAGE)):
        earlier = torch.full_like(tokens, NO_TOKEN)
        earlier[:, back:] = tokens[:, : max(0, tokens.shape[1] - back)]
        found = mixed(found * 31 + earlier + 2)
    return found


def mixed(numbers: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Return numbers of 64 bits that look random, the same for the same number on every device."""
    numbers = numbers * _FACTOR
    numbers = numbers ^ ((numbers >> 32) & 0xFFFFFFFF)
    numbers = numbers * _FACTOR
    return numbers ^ ((numbers >> 29) & 0x7FFFFFFFF)
