"""Texts for numbers and interventions; the frontend has the same in js/src/wording/words.ts."""

import math
from decimal import ROUND_HALF_UP, Context, Decimal

from circuit_widget.intervention.kinds import Ablate, Add, Intervention, Scale, Set, SwapIn

LIKELY = 0.005
"""Probability below which two decimals are both 0."""

VISIBLE_CHANGE = 0.005
"""Change of a probability below which it counts as unchanged."""

VISIBLE_SHARE = 0.05
"""Change of an activation, as a share of what it was, up to which it counts as unchanged."""


NO_NUMBER = "–"
LARGEST_FIXED = 1e21
"""Absolute value from which numbers have an exponent."""

LEAST_FIXED = 1e-6
"""Absolute value below which plain numbers have an exponent."""

_SIX_DIGITS = Context(prec=6, rounding=ROUND_HALF_UP)


def percent(share: float) -> str:
    """Return a share as a percentage: 22%, 0.4%."""
    if not math.isfinite(share):
        return NO_NUMBER
    value = 100 * share
    return f"{_fixed(value, 1 if value != 0 and abs(value) < 0.95 else 0)}%"


def signed_percent(share: float) -> str:
    """Return a share with its sign: +22%, −4%."""
    return f"+{percent(share)}" if share > 0 else percent(share)


def probability(value: float) -> str:
    """Return a probability with two decimals."""
    return _fixed(value, 2) if math.isfinite(value) else NO_NUMBER


def plain_number(value: float) -> str:
    """A factor or value as a user types it, with up to six digits: −1, 0.5, 1000000, 1e−7."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else NO_NUMBER
    rounded = _SIX_DIGITS.create_decimal(float(value)).normalize()
    return _minus(f"{rounded:f}" if LEAST_FIXED <= abs(rounded) < LARGEST_FIXED else f"{rounded:e}")


def mark(intervention: Intervention) -> str:
    """Return an intervention as the short text of a chip: ×0, ×−1, = 2, +0.5, swap."""
    match intervention:
        case Ablate():
            return "×0"
        case Scale(factor=factor):
            return f"×{plain_number(factor)}"
        case Set(value=float(value)):
            return f"= {plain_number(value)}"
        case Set():
            return "set"
        case Add(value=float(value)):
            return plain_number(value) if value < 0 else f"+{plain_number(value)}"
        case Add():
            return "add"
        case SwapIn():
            return "swap"
    raise TypeError(f"no mark for {type(intervention).__name__}")


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
        case SwapIn():
            return f"swap {subject} from {source}"
    raise TypeError(f"no words for {type(intervention).__name__}")


def _fixed(value: float, digits: int) -> str:
    """A number with so many decimals, halves away from zero, and never −0."""
    if abs(value) >= LARGEST_FIXED:
        return _minus(f"{value:.0e}")
    rounded = Decimal(float(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return _minus(f"{rounded if rounded else abs(rounded):f}")


def _minus(text: str) -> str:
    return text.replace("-", "−")
