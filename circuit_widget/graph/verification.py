"""The result of `verify`: edges of a graph beside their measured values, and what no node has a share in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas

TOLERANCE = 1e-4
"""Largest allowed difference between an edge and its measured value, as a share of the strongest measured edge."""

OUTSIDE = {
    "position_embeddings": "position embeddings",
    "uncounted": "MLPs at tokens whose features do not count",
    "biases": "biases",
}
"""The parts of the rest of a sum, which no node has a share in, and their names in words."""

SMALLEST = float(np.finfo(np.float32).tiny)
"""Smallest denominator, so that the ratio of two zeros is 0."""


@dataclass(frozen=True)
class MeasuredEdge:
    """An edge of a graph beside its measured value; `in_float32` is the edge with all weights of the model in float32."""

    source: str
    target: str
    weight: float
    measured: float
    in_float32: float | None = None

    @property
    def absolute(self) -> float:
        """Absolute difference between graph and measured value, in units of the target."""
        return abs(self.weight - self.measured)

    @property
    def relative(self) -> float:
        """The difference as a share of the larger of the two values."""
        return self.absolute / max(abs(self.weight), abs(self.measured), SMALLEST)


@dataclass(frozen=True)
class TargetSum:
    """The value of a target in the model, beside the sums of the edges into it from features, errors and tokens.

    `value` is the token's logit less the mean over the vocabulary, before any softcap, or the value of a contrast or
    direction. The `rest` is in what is no node: learned `position_embeddings`, None where the model adds none; what the MLPs
    write at tokens whose features do not count, such as the first (`uncounted`); and `biases`, None where all are zero.
    """

    target: str
    value: float
    features: float
    errors: float
    tokens: float
    position_embeddings: float | None = None
    uncounted: float = 0.0
    biases: float | None = None

    @property
    def nodes(self) -> float:
        """What the edges from all nodes add up to."""
        return self.features + self.errors + self.tokens

    @property
    def rest(self) -> float:
        """What no node has a share in."""
        return self.value - self.nodes

    @property
    def rounding(self) -> float:
        """What is left where all biases are zero: nothing but rounding errors."""
        known = (self.position_embeddings, self.uncounted, self.biases)
        return self.rest - sum(part for part in known if part is not None)


@dataclass(frozen=True, repr=False)
class Verification:
    """The strongest edges of a graph beside their measured values, and what its edges add up to for each target.

    `target_sums` has none for a pruned graph, which lacks edges, nor for targets that the graph's recipe does not describe.
    `dtype` is that of the model's weights. If it has 16 bits, each edge was also computed with all weights in float32,
    unless the memory was too small; the difference to the graph is the effect of rounding.
    """

    edges: tuple[MeasuredEdge, ...]
    dtype: str
    target_sums: tuple[TargetSum, ...] = ()

    @property
    def worst(self) -> MeasuredEdge | None:
        """The edge with the largest absolute difference; None without edges."""
        return max(self.edges, key=lambda edge: edge.absolute, default=None)

    @property
    def worst_relative(self) -> MeasuredEdge | None:
        """The edge with the largest relative difference; None without edges."""
        return max(self.edges, key=lambda edge: edge.relative, default=None)

    @property
    def agrees(self) -> bool:
        """Whether every edge differs from its measured value by at most 1e-4 of the strongest one."""
        scale = max((abs(edge.measured) for edge in self.edges), default=0.0)
        return all(edge.absolute <= TOLERANCE * scale for edge in self.edges)

    @property
    def rounding(self) -> float | None:
        """The largest difference between an edge and the same edge in float32; None if that was not computed."""
        return max(
            (abs(edge.weight - edge.in_float32) for edge in self.edges if edge.in_float32 is not None), default=None
        )

    def to_frame(self) -> pandas.DataFrame:
        """The edges as a pandas frame: source, target, weight, measured, absolute, relative, in_float32."""
        import pandas

        names = ("source", "target", "weight", "measured", "absolute", "relative", "in_float32")
        return pandas.DataFrame([[getattr(edge, name) for name in names] for edge in self.edges], columns=list(names))

    def targets_to_frame(self) -> pandas.DataFrame:
        """The sums of edges as a pandas frame: target, value, features, errors, tokens, nodes, rest.

        The columns position_embeddings, uncounted and biases are the parts of the rest, NaN for a part that the model does
        not have.
        """
        import pandas

        numbers = ("value", "features", "errors", "tokens", "nodes", "rest", *OUTSIDE)
        frame = pandas.DataFrame(
            [[one.target, *(getattr(one, name) for name in numbers)] for one in self.target_sums],
            columns=["target", *numbers],
        )
        return frame.astype(dict.fromkeys(numbers, float))

    def __repr__(self) -> str:
        if self.worst is None or self.worst_relative is None:
            return "There was no edge to measure."
        lines = [
            f"{len(self.edges)} strongest edges measured again: {'they agree' if self.agrees else 'they do NOT agree'}.",
            f"Largest difference {self.worst.absolute:.2g}, at {_text(self.worst)}.",
            f"Largest relative difference {self.worst_relative.relative:.2g}, at {_text(self.worst_relative)}.",
        ]
        if self.rounding is not None:
            lines.append(
                f"With all weights in float32 instead of {self.dtype}, edges differ by up to {self.rounding:.2g}."
            )
        elif self.dtype in ("bfloat16", "float16"):
            lines.append(f"The memory was too small to compute them in float32 instead of {self.dtype}.")
        if self.target_sums:
            first = self.target_sums[0]
            lines.append(
                f"The edges into {first.target!r} add up to {first.nodes:.4g} of {first.value:.4g}. No node has a share in "
                f"the other {first.rest:.4g}: {_outside(first)}."
            )
        return "\n".join(lines)


def _outside(one: TargetSum) -> str:
    """Return the parts of a rest in words, each with its number: those that the model has, the largest first."""
    parts = [(OUTSIDE[name], getattr(one, name)) for name in OUTSIDE]
    least = TOLERANCE * max(abs(one.value), abs(one.rest))
    found = [(words, part) for words, part in parts if part is not None and abs(part) > least]
    if abs(one.rounding) > least or not found:
        found.append(("rounding errors", one.rounding))
    found.sort(key=lambda part: -abs(part[1]))
    return ", ".join(f"{words} ({part:.4g})" for words, part in found)


def _text(edge: MeasuredEdge) -> str:
    return f"{edge.source} → {edge.target} ({edge.weight:.5g} in the graph, {edge.measured:.5g} measured)"
