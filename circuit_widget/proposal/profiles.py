"""Profiles of features in a graph: where what they read comes from, and what their outputs do, each with its sign.

A feature with a negative activation, which only neurons have, passes on what it reads with the opposite sign. So inputs are
those to its size, and the profiles of features of either sign can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32

from circuit_widget.attribution.influence import layers_from_top, score_scale
from circuit_widget.graph import Graph


class Profiles(NamedTuple):
    """Signed profiles of all features. Each row of the first four has length 1, or is 0 where there is nothing.

    Attributes:
        sources: direct inputs from each feature, error and token.
        origins: inputs from each error and token along all paths.
        targets: direct outputs to each feature and logit, times the root of the effect that passes there.
        logits: outputs to each logit along all paths, times the root of its probability.
        shares: inputs from each error and token along all paths, as shares of the absolute direct inputs.
        effects: outputs to each logit along all paths, as shares of its absolute direct inputs.
    """

    sources: Float32[np.ndarray, "features sources"]
    origins: Float32[np.ndarray, "features constants"]
    targets: Float32[np.ndarray, "features targets"]
    logits: Float32[np.ndarray, "features logits"]
    shares: Float32[np.ndarray, "features constants"]
    effects: Float32[np.ndarray, "features logits"]


@dataclass(frozen=True)
class View:
    """Rows of length 1 for some features, whose cosines say how alike these are; `known` says for which there is one."""

    rows: Float32[np.ndarray, "features width"]
    known: Bool[np.ndarray, " features"]


def profiles_of(graph: Graph) -> Profiles:
    """Return the profiles of all features of a graph.

    Edges count as shares of the absolute inputs of their target, as they do in influence, and keep their signs. The graph is
    acyclic: one pass from the lowest layer up sums all paths from the constants, one from the top down those to the logits.
    """
    n, layers = graph.n_features, list(layers_from_top(graph.feature_layer, len(graph.weights)))
    scale = score_scale(np.ones(len(graph.weights)), graph.input_total[graph.row_nodes])
    sign = np.where(graph.activation < 0, -1, 1).astype(np.float32)
    shares = graph.weights * (scale * np.concatenate([sign, np.ones(len(graph.targets), np.float32)]))[:, None]
    origins = shares[:n, n:].copy()
    for rows, below in reversed(layers[1:]):
        origins[rows] += shares[rows, :below] @ origins[:below]
    logits = shares[n:, :n].copy()
    for rows, below in layers[1:]:
        logits[:, :below] += logits[:, rows] @ shares[rows, :below]
    passing = np.sqrt(np.concatenate([graph.influence[:n], np.abs(graph.target_weight)])).astype(np.float32)
    targets = shares[:, :n] * passing[:, None]
    return Profiles(unit(shares[:n]), unit(origins), unit(targets.T), unit(logits.T * passing[n:]), origins, logits.T)


def unit(rows: Float32[np.ndarray, "n width"]) -> Float32[np.ndarray, "n width"]:
    """Return rows scaled to length 1; those of zeros stay."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Float32[np.ndarray, "n width"] = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return scaled
