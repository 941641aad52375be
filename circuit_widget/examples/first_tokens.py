"""What features do at the first token of a window, kept apart from all other tokens.

Many models have activations there that are many times as large as elsewhere, whatever the token is (Sun et al. 2024,
"Massive Activations in Large Language Models"). Among the others they would decide the maximum, the ranges and the
strongest examples, and these would say nothing of the other tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.examples.batch import WindowBatch
from circuit_widget.examples.histogram import Histograms
from circuit_widget.examples.kept_examples import Candidates, Slots
from circuit_widget.examples.strongest_examples import StrongestExamples

FIRST_EXAMPLES = 3
"""Number of examples at first tokens of a feature."""


@dataclass(frozen=True, eq=False)
class FirstTokens:
    """Activations of one sign at the first tokens of windows: how many are how large, and the strongest examples."""

    histograms: Histograms
    strongest: StrongestExamples

    @classmethod
    def empty(cls, n_features: int, device: torch.device) -> FirstTokens:
        """Return what is known before any text."""
        return cls(
            Histograms.empty(n_features, device),
            StrongestExamples(Slots.empty(n_features, FIRST_EXAMPLES, device)),
        )

    @property
    def maxima(self) -> Float[Tensor, " features"]:
        """The largest size of each feature's activations, zero where there is none."""
        return self.strongest.maxima

    def add(self, batch: WindowBatch, activations: Float[Tensor, "windows positions features"], sign: int) -> None:
        """Add those of a batch whose sign is `sign`, 1 or -1."""
        rows = (sign * activations[:, batch.first_position]).clamp(min=0)
        self.histograms.widen(rows.amax(0))
        self.histograms.add_all(rows)
        values = rows.T.contiguous()
        self.strongest.add(Candidates(batch, activations, values, torch.full_like(values, batch.first_position).long()))
