"""What a published file states about one feature: checked values, and a sentence for each that cannot be used."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from circuit_widget.arguments import FORBIDDEN_CHARACTERS, first_line, quoted
from circuit_widget.characters import REPLACEMENT, repaired, shortened
from circuit_widget.errors import LoadError
from circuit_widget.examples.record import Example
from circuit_widget.system.paths import quoted_path

LARGEST_DOCUMENT = 64 << 20
"""Most bytes of one line, or of one feature's document, after decompression."""

LONGEST_LABEL = 200
"""Most characters of a label; longer ones are shortened."""


class Unusable(Exception):
    """A value that cannot be used; the text is a part of a sentence, to which a reader adds file and line."""


def parsed(text: bytes | str) -> dict[str, Any]:
    """Return the JSON object in a text.

    Raises:
        Unusable: it is no JSON object.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"it is not readable as JSON ({first_line(error)})") from error
    if not isinstance(document, dict):
        raise Unusable(f"expected an object with the fields of a feature, found {quoted(document)}")
    return document


def inflated(data: bytes, most: int = LARGEST_DOCUMENT) -> bytes:
    """Return what a gzip or zlib member has compressed.

    Raises:
        Unusable: it is truncated, damaged, or larger than `most` bytes.
    """
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        content = stream.decompress(data, most)
    except zlib.error as error:
        raise Unusable(f"it is not compressed with gzip, or damaged ({first_line(error)})") from error
    if stream.unconsumed_tail:
        raise Unusable(f"it has more than {most:,} bytes")
    if not stream.eof:
        raise Unusable("it is truncated")
    return content


def example_of(tokens: object, activations: object) -> Example:
    """Return the example with these tokens and activations; tokens are texts, in which halves of characters are replaced.

    Raises:
        Unusable: they are no lists of texts and of finite numbers, or of different lengths.
    """
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise Unusable(f"tokens are a list of texts, found {quoted(tokens)}")
    values = numbers_of(activations, "activations")
    if len(tokens) != len(values):
        raise Unusable(f"an example has {len(tokens):,} tokens and {len(values):,} activations")
    return Example(tuple(map(repaired, tokens)), values)


def numbers_of(given: object, what: str) -> tuple[float, ...]:
    """Return a list of finite numbers. Raises Unusable for anything else."""
    if not isinstance(given, list):
        raise Unusable(f"{what} are a list of numbers, found {quoted(given)}")
    return tuple(number_of(one, f"one of the {what}") for one in given)


def number_of(given: object, what: str) -> float:
    """Return a finite number. Raises Unusable for anything else."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        try:
            value = float(given)
        except OverflowError:
            value = math.inf
        if math.isfinite(value):
            return value
    raise Unusable(f"{what} is a finite number, found {quoted(given)}")


def optional_number(document: Mapping[str, Any], name: str) -> float | None:
    """Return a field that is a finite number, None where it is missing or null. Raises Unusable for anything else."""
    given = document.get(name)
    return None if given is None else number_of(given, name)


def index_of(given: object, what: str) -> int:
    """Return a whole number from 0, also one written as a text. Raises Unusable for anything else."""
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) <= 18:
        return int(given)
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < 10**18:
        return given
    raise Unusable(f"{what} is a whole number from 0, found {quoted(given)}")


def label_of(given: object) -> str | None:
    """Return a label as one line of at most 200 characters, None for an empty one. Raises Unusable for anything else."""
    if not isinstance(given, str):
        raise Unusable(f"a label is a text, found {quoted(given)}")
    line = FORBIDDEN_CHARACTERS.sub(REPLACEMENT, " ".join(repaired(given).split()))
    return shortened(line, LONGEST_LABEL) or None


def refused(path: Path, problem: object, line: int | None = None) -> LoadError:
    """Return the error for a file, and a line of it, that cannot be used."""
    where = quoted_path(path) if line is None else f"Line {line:,} of {quoted_path(path)}"
    return LoadError(f"{where} cannot be used: {problem}. Copy it again from where it was published.")


def listed(names: Iterable[str], most: int = 3) -> str:
    """Return names in one line, the first few and how many more."""
    known = sorted(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(quoted(name) for name in known[:most]) + more
