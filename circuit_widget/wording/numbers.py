"""How numbers and interventions are said, in the words of the screen (js/src/wording/words.ts)."""

import math

from circuit_widget.intervention.kinds import Ablate, Add, Intervention, Scale, Set

LIKELY = 0.005
"""Probability below which two decimals are both 0."""

VISIBLE_CHANGE = 0.005
"""Change of a probability below which it counts as unchanged."""

VISIBLE_SHARE = 0.05
"""Change of an activation, as a share of what it was, up to which it counts as unchanged."""


def percent(share: float) -> str:
    """A share as a percentage: 22%, 0.4%."""
    if not math.isfinite(share):
        return "–"
    value = 100 * share
    digits = 1 if value != 0 and abs(value) < 0.95 else 0
    return _minus(f"{_rounded(value, digits):.{digits}f}%")


def probability(value: float) -> str:
    """A probability with two decimals."""
    return f"{value:.2f}"


def mark(intervention: Intervention) -> str:
    """What is done, as short as a chip: ×0, ×−1, = 2, +0.5, swap."""
    match intervention:
        case Ablate():
            return "×0"
        case Scale(factor=factor):
            return f"×{_number(factor)}"
        case Set(value=float(value)):
            return f"= {_number(value)}"
        case Set():
            return "set"
        case Add(value=float(value)):
            return _number(value) if value < 0 else f"+{_number(value)}"
        case Add():
            return "add"
        case _:
            return "swap"


def deed(intervention: Intervention, who: str, elsewhere: str) -> str:
    """What is done to whom: ablate Texas ×0; a swap takes its values from `elsewhere`."""
    match intervention:
        case Ablate():
            return f"ablate {who} ×0"
        case Scale():
            return f"scale {who} {mark(intervention)}"
        case Set():
            return f"set {who} {mark(intervention)}"
        case Add():
            return f"add to {who} {mark(intervention)}"
        case _:
            return f"swap {who} from {elsewhere}"


def _number(value: float) -> str:
    return _minus(f"{value:.6g}")


def _rounded(value: float, digits: int) -> float:
    # A negative number that rounds to nothing is not written as −0.
    return round(value, digits) + 0.0


def _minus(text: str) -> str:
    return text.replace("-", "−")
