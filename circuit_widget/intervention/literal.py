"""Plain values as Python source: the one way in which a value enters generated code."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping

from circuit_widget.errors import InterventionError

LARGEST_WHOLE_NUMBER = 2**64

DEEPEST = 16


def literal(value: object) -> str:
    """Return source text on one line that `ast.literal_eval` reads back to an equal value.

    Plain values are None, bool, int, float, str, and lists, tuples and dicts of these; subclasses are not. Characters
    that cannot be printed, such as those that end lines or reorder them, are escaped.

    Raises:
        InterventionError: any other value, a number that is not finite or has more than 64 bits, or a value nested more
            than 16 deep.
    """
    return _literal(value, 0)


def _literal(value: object, depth: int) -> str:
    kind = type(value)
    if value is None or kind in (bool, str):
        return repr(value)
    if isinstance(value, int) and kind is int and abs(value) <= LARGEST_WHOLE_NUMBER:
        return repr(value)
    if isinstance(value, float) and kind is float and math.isfinite(value):
        return repr(value)
    if depth < DEEPEST:
        if isinstance(value, list) and kind is list:
            return f"[{', '.join(_literal(entry, depth + 1) for entry in value)}]"
        if isinstance(value, tuple) and kind is tuple:
            entries = [_literal(entry, depth + 1) for entry in value]
            return f"({entries[0]},)" if len(entries) == 1 else f"({', '.join(entries)})"
        if isinstance(value, dict) and kind is dict:
            pairs = (f"{_literal(key, depth + 1)}: {_literal(entry, depth + 1)}" for key, entry in value.items())
            return "{" + ", ".join(pairs) + "}"
    raise InterventionError(f"A value of type {kind.__name__} cannot be written as Python code: it is no plain value.")


def plain(value: object) -> object:
    """Return a user's value as a plain value: numbers of NumPy and torch become Python's.

    A value that cannot become plain is returned as it is, and `literal` refuses it.
    """
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return operator.index(value)
    return plain(value.item()) if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def comment(text: str) -> str:
    """Return a comment of one line; characters that could end it are replaced."""
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return f"# {line.strip()}"
