"""The examples kept of each feature, and what is written of one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuit_widget.examples.batch import CONTEXT, NO_TOKEN, WindowBatch

NEVER = torch.iinfo(torch.int64).max
"""The priority of an empty slot."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """The strongest activation of each feature in each window of a batch, in the direction of one sign.

    `values` are zero where the feature is not active. `activations` are those at all tokens, with their own signs.
    """

    batch: WindowBatch
    activations: Float[Tensor, "windows positions features"]
    values: Float[Tensor, "features windows"]
    peaks: Int[Tensor, "features windows"]

    @property
    def texts(self) -> Int[Tensor, "features windows"]:
        """A number for the passage up to each peak."""
        return _at(self.batch.passages, self.peaks)

    @property
    def words(self) -> Int[Tensor, "features windows"]:
        """A number for the word at each peak."""
        return _at(self.batch.words, self.peaks)

    def part(self, windows: slice) -> Candidates:
        """Return those of some windows."""
        return Candidates(
            self.batch.part(windows), self.activations[windows], self.values[:, windows], self.peaks[:, windows]
        )


def _at(numbers: Int[Tensor, "windows positions"], peaks: Int[Tensor, "features windows"]) -> Tensor:
    return torch.gather(numbers.T, 0, peaks)


@dataclass(frozen=True, eq=False)
class Slots:
    """A number of examples for each feature; an empty slot has the value zero.

    `values` are the sizes of the peaks, `texts` and `words` numbers of passage and word there, `priorities` what decides
    which stay of a random choice. `tokens` has NO_TOKEN where an example has none.
    """

    values: Float[Tensor, "features slots"]
    texts: Int[Tensor, "features slots"]
    words: Int[Tensor, "features slots"]
    priorities: Int[Tensor, "features slots"]
    tokens: Int[Tensor, "features slots context"]
    activations: Float[Tensor, "features slots context"]

    @classmethod
    def empty(cls, n_features: int, slots: int, device: torch.device) -> Slots:
        """Return empty slots."""
        shape = (n_features, slots)
        return cls(
            values=torch.zeros(shape, dtype=torch.float32, device=device),
            texts=torch.zeros(shape, dtype=torch.int64, device=device),
            words=torch.zeros(shape, dtype=torch.int64, device=device),
            priorities=torch.full(shape, NEVER, dtype=torch.int64, device=device),
            tokens=torch.full((*shape, CONTEXT), NO_TOKEN, dtype=torch.int32, device=device),
            activations=torch.zeros((*shape, CONTEXT), dtype=torch.float32, device=device),
        )

    @property
    def count(self) -> int:
        """Number of slots of a feature."""
        return self.values.shape[1]

    def joined(
        self, rows: Int[Tensor, " n"], found: Candidates, priorities: Int[Tensor, "features windows"] | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return values, texts, words and priorities of slots and candidates of some features, slots first."""
        new = priorities[rows] if priorities is not None else torch.zeros_like(found.peaks[rows])
        return (
            torch.cat([self.values[rows], found.values[rows]], 1),
            torch.cat([self.texts[rows], found.texts[rows]], 1),
            torch.cat([self.words[rows], found.words[rows]], 1),
            torch.cat([self.priorities[rows], new], 1),
        )

    def replace(
        self,
        rows: Int[Tensor, " n"],
        chosen: Int[Tensor, "n slots"],
        filled: Tensor,
        found: Candidates,
        priorities: Int[Tensor, "features windows"] | None = None,
    ) -> None:
        """Fill the slots of some features; `chosen` are columns of what `joined` returns, `filled` where there is one."""
        values, texts, words, found_priorities = (
            torch.gather(one, 1, chosen) for one in self.joined(rows, found, priorities)
        )
        of_old = chosen.clamp(max=self.count - 1)[:, :, None].expand(-1, -1, CONTEXT)
        tokens = torch.gather(self.tokens[rows], 1, of_old)
        activations = torch.gather(self.activations[rows], 1, of_old)
        row, slot = torch.nonzero((chosen >= self.count) & filled, as_tuple=True)
        features, windows = rows[row], chosen[row, slot] - self.count
        positions, exists = found.batch.contexts(windows, found.peaks[features, windows])
        here = windows[:, None]
        tokens[row, slot] = torch.where(exists, found.batch.tokens[here, positions], NO_TOKEN).int()
        # Adding zero takes the sign from zeros that have one.
        activations[row, slot] = found.activations[here, positions, features[:, None]] * exists + 0.0
        self.values[rows] = values * filled
        self.texts[rows] = texts * filled
        self.words[rows] = words * filled
        self.priorities[rows] = torch.where(filled, found_priorities, NEVER)
        self.tokens[rows] = torch.where(filled[:, :, None], tokens, NO_TOKEN)
        self.activations[rows] = activations * filled[:, :, None]
