"""Products of features with the residual stream, each feature at its own position, for several re-runs at once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

POSITIONS_AT_ONCE = 16
"""Positions whose features are read or written in one dense product.

Most of the product is discarded, or zero. It is still faster than gathering a row of the residual stream for each feature,
and much faster for several re-runs.
"""

FEW_ROWS = 32
"""Number of rows, of all re-runs together, up to which grouping features by position takes longer than it saves."""


def read_at(
    x: Float[Tensor, "batch rows d_model"], positions: Int[Tensor, " n"], readers: Float[Tensor, "n d_model"]
) -> Float[Tensor, "batch n"]:
    """Return the product of each reader with `x` at its position; fastest where positions are in order."""
    found = []
    for part, first, last in _groups(positions, x):
        products = (x[:, first:last].flatten(0, 1) @ readers[part].T).view(len(x), last - first, -1)
        row = (positions[part] - first).expand(len(x), 1, -1)
        found.append(products.gather(1, row)[:, 0])
    return found[0] if len(found) == 1 else torch.cat([x.new_empty(len(x), 0), *found], dim=1)


def write_at(
    written: Float[Tensor, "batch rows d_model"],
    positions: Int[Tensor, " n"],
    directions: Float[Tensor, "n d_model"],
    changes: Float[Tensor, "batch n"],
) -> None:
    """Add each direction, times its change, to `written` at its position."""
    for part, first, last in _groups(positions, written):
        row = (positions[part] - first).expand(len(written), 1, -1)
        spread = changes.new_zeros(len(written), last - first, row.shape[-1])
        spread.scatter_(1, row, changes[:, None, part])
        added = spread.flatten(0, 1) @ directions[part]
        written[:, first:last] += added.view(len(written), last - first, -1)


def _groups(positions: Int[Tensor, " n"], x: Float[Tensor, "batch rows d_model"]) -> Iterator[tuple[slice, int, int]]:
    """Yield groups of features at nearby positions, each with its first position and the one after its last."""
    if not len(positions):
        return
    if x.shape[0] * x.shape[1] <= FEW_ROWS:
        yield slice(None), 0, x.shape[1]
    else:
        ordered = positions.cpu().numpy()
        cuts = np.flatnonzero(np.diff(ordered // POSITIONS_AT_ONCE)) + 1
        for start, end in pairwise((0, *cuts.tolist(), len(ordered))):
            here = ordered[start:end]
            yield slice(start, end), int(here.min()), int(here.max()) + 1
