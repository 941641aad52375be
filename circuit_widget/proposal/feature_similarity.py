"""How alike the features of a graph are, by all kinds of evidence that there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Int64

from circuit_widget.graph import Graph
from circuit_widget.proposal.knowledge import Knowledge
from circuit_widget.proposal.profiles import Profiles, View

OPPOSITE = -0.2
"""Mean cosine of inputs or outputs in this graph below which two features are never in one group."""

INPUTS = {"sources": 1.0, "origins": 1.0, "examples": 1.5}
OUTPUTS = {"targets": 1.0, "logits": 1.0, "promoted": 1.0}
"""The weight of each kind of evidence in the similarity of inputs, and of outputs."""

ABLATIONS = 0.5
"""The weight of what ablations change in the similarity of two features, where inputs and outputs have 1 each."""

NEAR = 0.2
"""Share of a model's layers over which the nearness of neurons falls to 1/e."""

NO_SIDE = 0.05
"""Change of the first target (see `answer_change`) below which a neuron is taken neither to raise nor to lower it."""


@dataclass(frozen=True)
class Alike:
    """How alike features are: cosines by kind of evidence, NaN where not known, and what follows from them."""

    views: dict[str, Float32[np.ndarray, "n n"]]
    inputs: Float32[np.ndarray, "n n"]
    outputs: Float32[np.ndarray, "n n"]
    total: Float32[np.ndarray, "n n"]
    apart: Bool[np.ndarray, "n n"]


def alike_of(profiles: Profiles, chosen: Int64[np.ndarray, " n"], knowledge: Knowledge) -> Alike:
    """Return how alike features are, given by their indices.

    The similarity of inputs is the weighted mean of the cosines that are known, so is that of outputs, and the total is the
    mean of the two, with what ablations change where that is known. Features whose inputs or outputs in this graph are
    opposite are apart, whatever else they have in common.
    """
    own = {name: getattr(profiles, name)[chosen] for name in ("sources", "origins", "targets", "logits")}
    views = {name: rows @ rows.T for name, rows in own.items()}
    views |= {name: _cosines(view) for name, view in knowledge.views.items()}
    inputs, outputs = _mean(views, INPUTS), _mean(views, OUTPUTS)
    total = (inputs + outputs) / 2
    if "ablations" in views:
        signature = views["ablations"]
        total = np.where(np.isnan(signature), total, (2 * total + ABLATIONS * signature) / (2 + ABLATIONS))
    within = [_mean(views, dict.fromkeys(names, 1.0)) for names in (("sources", "origins"), ("targets", "logits"))]
    return Alike(views, inputs, outputs, total, (within[0] < OPPOSITE) | (within[1] < OPPOSITE))


def _cosines(view: View) -> Float32[np.ndarray, "n n"]:
    found: Float32[np.ndarray, "n n"] = view.rows @ view.rows.T
    found[~view.known] = np.nan
    found[:, ~view.known] = np.nan
    return found


def _mean(views: dict[str, Float32[np.ndarray, "n n"]], weights: dict[str, float]) -> Float32[np.ndarray, "n n"]:
    present = {name: weight for name, weight in weights.items() if name in views}
    total = sum(np.nan_to_num(views[name]) * np.float32(weight) for name, weight in present.items())
    known = sum(~np.isnan(views[name]) * np.float32(weight) for name, weight in present.items())
    found: Float32[np.ndarray, "n n"] = np.asarray(total / known, dtype=np.float32)
    return found


def alike_neurons(
    graph: Graph, chosen: Int64[np.ndarray, " n"], alike: Alike, answer: Float32[np.ndarray, " n"]
) -> Alike:
    """Return how alike neurons are that were ablated one by one; `answer` is the change of the first target by each.

    The inputs and outputs of single neurons are too unlike each other, and too far from what ablations change, to group them
    by these alone. The similarity is the mean of three: that of inputs and outputs, the cosine of what ablations change, and
    the nearness of their layers. Neurons at different tokens are apart, and so are one that raises the first target and one
    that lowers it.
    """
    layer, position = graph.feature_layer[chosen], graph.feature_position[chosen]
    distance = np.abs(layer[:, None].astype(np.float32) - layer[None])
    near = np.exp(-distance / max(NEAR * graph.n_layers, 1)).astype(np.float32)
    side = _sides(answer)
    apart = (position[:, None] != position[None]) | (side[:, None] * side[None] < 0)
    profiles = (alike.inputs + alike.outputs) / 2
    total = (profiles + alike.views["ablations"] + near) / 3
    return replace(alike, total=total, apart=apart)


def sides_of(answer: Float32[np.ndarray, " n"] | None, places: Sequence[int]) -> tuple[int, int]:
    """Return how many of some features raise the first target and how many lower it, none where they were not ablated."""
    if answer is None:
        return 0, 0
    side = _sides(answer[list(places)])
    return int((side < 0).sum()), int((side > 0).sum())


def _sides(answer: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
    return np.where(np.abs(answer) < NO_SIDE, 0, np.sign(answer)).astype(np.float32)
