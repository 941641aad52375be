"""Reads JSON lines, plain or compressed with gzip, one at a time."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from circuit_widget.arguments import first_line
from circuit_widget.examples.exchange.published import LARGEST_DOCUMENT, Unusable, parsed, refused

ENDINGS = (".jsonl", ".jsonl.gz")


def lines_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of each line, from 1, and its object; empty lines are passed over.

    Raises:
        LoadError: the file is truncated or cannot be read, or a line is no JSON object; names the line.
    """
    number = 0
    try:
        with _opened(path) as file:
            while line := file.readline(LARGEST_DOCUMENT):
                number += 1
                if len(line) == LARGEST_DOCUMENT:
                    raise refused(path, f"it has more than {LARGEST_DOCUMENT:,} bytes", number)
                if line.strip():
                    yield number, _object(path, number, line)
    except (OSError, EOFError, zlib.error) as error:
        where = f"after line {number:,} it is truncated or damaged" if number else "it is truncated or damaged"
        raise refused(path, f"{where} ({first_line(error)})") from error


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb")  # type: ignore[return-value]


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        return parsed(line)
    except Unusable as problem:
        raise refused(path, problem, number) from problem
