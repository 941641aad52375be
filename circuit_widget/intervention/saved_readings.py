"""What a saved effect has in place of the logits of the whole vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SavedReadings:
    """What follows from all logits of an effect, of which only those of likely tokens were saved.

    `log_totals` are the logarithms of the summed exponentials of all logits before, after and as predicted; `kl` the
    divergence in nats; `ranks` the ranks before and after of each token whose logits were saved, by its id.
    """

    log_totals: tuple[float, float, float]
    kl: float
    ranks: Mapping[int, tuple[int, int]]
