"""Clusters of things that are alike: agglomeration by mean similarity, always with the same result."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

NEVER = -np.inf
"""Similarity of things that are never in one cluster."""


def clusters_of(
    similarity: Float[np.ndarray, "n n"], apart: Bool[np.ndarray, "n n"], least: float
) -> tuple[tuple[int, ...], ...]:
    """Return clusters: the two most similar ones are joined as long as they are similar enough.

    The similarity of two clusters is the mean over their pairs; two with a pair that is `apart` are never joined, and none
    below `least`. Each thing is in one cluster.

    Neighbours are followed until two are each other's nearest, which finds the clusters of the plain method in time
    proportional to n² (Murtagh 1983, "A survey of recent advances in hierarchical clustering algorithms").
    """
    count = len(similarity)
    near = np.where(apart, NEVER, similarity).astype(np.float64)
    np.fill_diagonal(near, NEVER)
    size = np.ones(count)
    members = {index: [index] for index in range(count)}
    left = np.ones(count, dtype=bool)
    chain: list[int] = []
    while left.any():
        chain = chain or [int(np.argmax(left))]
        last = chain[-1]
        best = int(np.argmax(near[last]))
        if len(chain) > 1 and near[last, chain[-2]] >= near[last, best]:
            best = chain[-2]
        if near[last, best] < least:
            # No cluster that the others become is nearer than they are.
            left[last] = False
            near[last] = near[:, last] = NEVER
            chain.pop()
        elif len(chain) > 1 and best == chain[-2]:
            del chain[-2:]
            kept, gone = min(last, best), max(last, best)
            near[kept] = (size[kept] * near[kept] + size[gone] * near[gone]) / (size[kept] + size[gone])
            near[kept, kept] = NEVER
            near[:, kept] = near[kept]
            near[gone] = near[:, gone] = NEVER
            size[kept] += size[gone]
            left[gone] = False
            members[kept] += members.pop(gone)
        else:
            chain.append(best)
    return tuple(sorted(tuple(sorted(indices)) for indices in members.values()))
