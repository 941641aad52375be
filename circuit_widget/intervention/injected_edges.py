"""Edges onward from the features that an intervention makes active: what they supply to the nodes of the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32

NEW_ANSWER_SHARE = 0.5
"""The least probability of a new answer, as a share of that of the likeliest token after the intervention."""

OUTPUT_LEAST = 0.1
"""Probability from which an output besides the graph's first belongs in a circuit: pinned by a proposal, or as a new answer."""


def least_of_new_answers(likeliest: float) -> float:
    """Return the least probability of a new answer, by that of the likeliest token after the intervention."""
    return max(OUTPUT_LEAST, NEW_ANSWER_SHARE * likeliest)


@dataclass(frozen=True)
class AnswerInput:
    """The direct effect of the injected features on a token's logit, and the logit's summed absolute input.

    `total` is the sum of `|A[t, s]|` over the graph's sources s, as for a target of the graph.
    """

    weight: float
    total: float


@dataclass(frozen=True, eq=False)
class InjectedEdges:
    """The direct effects of all injected features together, each at the value at which it is clamped.

    They are edges of the graph's own prompt: `sum_s v_s <w_enc,t, J W_dec,s>` over injected features s at their values
    v_s, with `J` of the frozen model of the graph's prompt before the intervention, as for every other edge of the graph.
    Of another prompt only the values come. They equal the change of each node under `Set(s, v_s)` in mode "direct".

    Attributes:
        weights: one for each row of the graph, its features and then its targets, in units of its pre-activation or
            logit; 0 for a feature that the intervention clamps, and for a target of unknown direction.
        answers: the same for tokens that became likely and are no targets of the graph, by token id.
    """

    weights: Float32[np.ndarray, " rows"]
    answers: Mapping[int, AnswerInput] = field(default_factory=dict)
