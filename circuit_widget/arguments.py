"""Checks of arguments where they enter: numbers, truth values, functions, lists; and how errors quote them."""

from __future__ import annotations

import math
import operator
import re
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard, TypeVar

from circuit_widget.characters import shortened
from circuit_widget.errors import CircuitWidgetError

T = TypeVar("T")

LONGEST_QUOTE = 60
LARGEST_QUOTED = 10**LONGEST_QUOTE
"""Larger whole numbers are described, not written out, because Python does not convert numbers of many digits."""

FORBIDDEN_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, halves of characters, line ends and direction overrides, which act on a page or terminal."""

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 2 * LONGEST_QUOTE
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = _SHORT.maxfrozenset = _SHORT.maxdict = _SHORT.maxarray = (
    LONGEST_QUOTE
)


def quoted(given: object) -> str:
    """Return an argument as errors quote it: at most 60 printable characters on one line."""
    if isinstance(given, int) and not -LARGEST_QUOTED < given < LARGEST_QUOTED:
        return f"a whole number of {given.bit_length():,} bits"
    try:
        text = repr(given[: 2 * LONGEST_QUOTE]) if isinstance(given, str | bytes) else _SHORT.repr(given)
    except Exception:
        # Objects of other libraries, and numbers of many digits within lists, may have no repr.
        return f"an object of type {type(given).__name__[:LONGEST_QUOTE]}"
    # A text is quoted as it is; the repr of other objects may have several lines.
    text = text if isinstance(given, str | bytes) else " ".join(text.split())
    line = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return line if len(line) <= LONGEST_QUOTE else f"{line[: LONGEST_QUOTE - 3]}..."


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, at most 300 characters, or its type where it has no text."""
    return str(error).strip().split("\n")[0][:300] or type(error).__name__


def one_line(text: str, most: int) -> str:
    """Return a text as errors quote it: its beginning, with replacement characters for those that act on a page."""
    return shortened(FORBIDDEN_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", text[: 2 * most]), most)


def plain_number(given: object) -> Any:
    """Return the Python number or truth value of a scalar of NumPy or torch, and anything else unchanged."""
    if getattr(given, "shape", None) != () or not hasattr(given, "item"):
        return given
    try:
        return given.item()
    except (RuntimeError, ValueError, NotImplementedError):
        # Tensors without storage have no value.
        return given


def whole_number(
    given: object, what: str, error: type[CircuitWidgetError], *, least: int = 0, most: int | None = None
) -> int:
    """Return a whole number given as an argument, also as a scalar of NumPy or torch.

    Raises:
        CircuitWidgetError: `error`, for anything else, a truth value, or a number below `least` or above `most`.
    """
    number = plain_number(given)
    if isinstance(number, int) and not isinstance(number, bool):
        number = operator.index(number)
        if least <= number and (most is None or number <= most):
            return number
    limits = f"{least:,} up" if most is None else f"{least:,} to {most:,}"
    raise error(f"{what} is a whole number from {limits}; given {quoted(given)}.")


def finite_number(
    given: object, what: str, error: type[CircuitWidgetError], *, least: float | None = None, most: float | None = None
) -> float:
    """Return a finite number given as an argument, also as a scalar of NumPy or torch.

    Raises:
        CircuitWidgetError: `error`, for anything else, a truth value, or a number below `least` or above `most`.
    """
    number = plain_number(given)
    if isinstance(number, int | float) and not isinstance(number, bool):
        try:
            value = float(number)
        except OverflowError:
            value = math.inf
        if math.isfinite(value) and (least is None or least <= value) and (most is None or value <= most):
            return value
    limits = "" if least is None else f" from {least:g} up" if most is None else f" between {least:g} and {most:g}"
    raise error(f"{what} is a {'finite number' if least is None else 'number'}{limits}; given {quoted(given)}.")


def share_of(given: object, what: str, error: type[CircuitWidgetError]) -> float:
    """Return a number between 0 and 1, also as a scalar of NumPy or torch. Raises `error` for anything else."""
    number = plain_number(given)
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 1:
        raise error(f"{what} is a share between 0 and 1; given {quoted(given)}.")
    return float(number)


def truth_value(given: object, what: str, error: type[CircuitWidgetError]) -> bool:
    """Return True or False, also as a scalar of NumPy or torch. Raises `error` for anything else."""
    value = plain_number(given)
    if not isinstance(value, bool):
        raise error(f"{what} is True or False; given {quoted(given)}.")
    return value


def one_of(given: object, choices: Iterable[str], what: str, error: type[CircuitWidgetError]) -> str:
    """Return an argument that is one of the choices. Raises `error` for anything else."""
    known = list(choices)
    if not isinstance(given, str) or given not in known:
        raise error(f"{what} is {', '.join(known[:-1])} or {known[-1]}; given {quoted(given)}.")
    return given


def of_type(given: object, kind: type[T] | tuple[type[T], ...], what: str, error: type[CircuitWidgetError]) -> T:
    """Return an argument if it is an instance of a class. Raises `error` for anything else."""
    if not isinstance(given, kind):
        raise error(f"{what}; given {quoted(given)}.")
    return given


def check_callable(given: object, what: str, error: type[CircuitWidgetError]) -> None:
    """Check that an argument is a function or None. Raises `error` for anything else."""
    if given is not None and not callable(given):
        raise error(f"{what} or None; given {quoted(given)}.")


def has_entries(given: object) -> TypeGuard[Iterable[Any]]:
    """Return whether an object is a list or similar; texts, bytes and mappings are not."""
    unlike = isinstance(given, str | bytes | bytearray | memoryview | Mapping | type)
    return not unlike and isinstance(given, Iterable) and getattr(given, "shape", None) != ()


def entries_of(given: object, what: str, error: type[CircuitWidgetError]) -> list[Any]:
    """Return the entries of a list or of any similar iterable. Raises `error` for anything else."""
    if not has_entries(given):
        raise error(f"{what}; given {quoted(given)}.")
    return list(given)
