"""Texts for numbers and interventions; the frontend has the same in js/src/wording/words.ts."""

import math

from circuit_widget.intervention.kinds import Ablate, Add, Intervention, Scale, Set

LIKELY = 0.005
"""Probability below which two decimals are 0.00."""


def percent(share: float) -> str:
    """Return a share as a percentage: 22%, 0.4%."""
    if not math.isfinite(share):
        return "–"
    value = 100 * share
    digits = 1 if value != 0 and abs(value) < 0.95 else 0
    return _minus(f"{_rounded(value, digits):.{digits}f}%")


def probability(value: float) -> str:
    """Return a probability with two decimals."""
    return f"{value:.2f}"


def mark(intervention: Intervention) -> str:
    """Return an intervention as the short text of a chip: ×0, ×−1, = 2, +0.5, swap."""
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


def phrase(intervention: Intervention, subject: str, source: str) -> str:
    """Return an intervention in words: ablate Texas ×0; `subject` is what it changes, `source` what a swap reads."""
    match intervention:
        case Ablate():
            return f"ablate {subject} ×0"
        case Scale():
            return f"scale {subject} {mark(intervention)}"
        case Set():
            return f"set {subject} {mark(intervention)}"
        case Add():
            return f"add to {subject} {mark(intervention)}"
        case _:
            return f"swap {subject} from {source}"


def _number(value: float) -> str:
    return _minus(f"{value:.6g}")


def _rounded(value: float, digits: int) -> float:
    # A negative number that rounds to nothing is not written as −0.
    return round(value, digits) + 0.0


def _minus(text: str) -> str:
    return text.replace("-", "−")
