"""The texts that a user gives: a list, an iterator, a file, a data set; read one after the other."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from circuit_widget.arguments import first_line, has_entries, quoted
from circuit_widget.errors import LoadError, PromptError
from circuit_widget.examples.parquet import arrow
from circuit_widget.system.paths import quoted_path, require_path

TokenIds: TypeAlias = tuple[int, ...]

LONGEST = 50_000
"""Characters of a text that are read together; longer ones are cut, at a space or a line's end if there is one."""

ROWS_AT_ONCE = 256

ENDINGS = {".txt": "a text ends at an empty line", ".jsonl": "one text a line", ".parquet": "one text a row"}

EXPECTED = (
    "expected a list or iterator of texts, a data set, the name of a file that ends in .txt, .jsonl or .parquet, or None "
    "for samples of the model itself"
)


@dataclass
class Texts:
    """Texts, and what is known of them.

    `entries` yields each text, or token ids, and counts in `skipped` what it leaves out. `name` is the name of the file,
    or a few words. `fraction` returns the share that has been read, None where that is not known.
    """

    name: str
    entries: Callable[[], Iterator[str | TokenIds]]
    skipped: Counter[str] = field(default_factory=Counter)
    fraction: Callable[[], float | None] = lambda: None


def read_texts(given: object, column: str) -> Texts:
    """Return the texts in what a user gave; `column` is the name of the text in rows and objects.

    Raises:
        PromptError: it is nothing that has texts, or a file that cannot be read.
    """
    if isinstance(given, str | os.PathLike) and not isinstance(given, bytes):
        return _of_file(require_path(given, PromptError), column)
    if not has_entries(given):
        raise PromptError(f"texts is {quoted(given)}; {EXPECTED}.")
    return _of_entries(given, column)


def _of_entries(given: Iterable[Any], column: str) -> Texts:
    count = len(given) if isinstance(given, Sized) else None
    texts = Texts(_name_of(given), lambda: iter(()))
    read = 0

    def entries() -> Iterator[str]:
        nonlocal read
        for number, entry in enumerate(given):
            read = number + 1
            yield from _pieces(_text_of(entry, number, column), texts.skipped)

    texts.entries = entries
    texts.fraction = lambda: None if not count else read / count
    return texts


def _name_of(given: object) -> str:
    """Return a name for texts without a file: that of a data set, if it has one."""
    name = getattr(getattr(given, "info", None), "dataset_name", None)
    return f"the data set {name}" if isinstance(name, str) and name else "your texts"


def _text_of(entry: object, number: int, column: str) -> str:
    found = entry.get(column) if isinstance(entry, Mapping) else entry
    if isinstance(found, str):
        return found
    if isinstance(entry, Mapping):
        keys = ", ".join(quoted(key) for key in list(entry)[:5])
        raise PromptError(
            f"texts[{number}] has {quoted(found)} as {quoted(column)}, expected a text; it has the keys {keys or 'none'}. "
            "Name the one with the text: column=."
        )
    raise PromptError(f"texts[{number}] is {quoted(entry)}, expected a text.")


def _pieces(text: str, skipped: Counter[str]) -> Iterator[str]:
    """Yield a text in pieces of limited length, none for a text without a word."""
    if not text.strip():
        skipped["empty"] += 1
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        skipped["with half a character"] += 1
        return
    start = 0
    while len(text) - start > LONGEST:
        cut = max(text.rfind(space, start + LONGEST // 2, start + LONGEST) for space in " \n")
        end = start + LONGEST if cut < 0 else cut
        yield text[start:end]
        start = end
    if text[start:].strip():
        yield text[start:]


def _of_file(path: Path, column: str) -> Texts:
    if not path.is_file():
        raise PromptError(
            f"texts is {quoted_path(path)}, and there is no such file; {EXPECTED}. Give a single text as a list: [text]."
        )
    if path.suffix not in ENDINGS:
        listed = ", ".join(f"{ending} ({what})" for ending, what in ENDINGS.items())
        raise PromptError(f"texts is the file {quoted_path(path)}, expected a name that ends in {listed}.")
    if path.suffix == ".parquet":
        return _of_parquet(path, column)
    texts = Texts(path.name, lambda: iter(()))
    place, size = 0, max(1, path.stat().st_size)

    def entries() -> Iterator[str]:
        nonlocal place
        with path.open("rb") as file:
            read = (
                _paragraphs(file, texts.skipped) if path.suffix == ".txt" else _lines(file, path, column, texts.skipped)
            )
            for text in read:
                place = file.tell()
                yield from _pieces(text, texts.skipped)

    texts.entries = entries
    texts.fraction = lambda: min(1.0, place / size)
    return texts


def _paragraphs(file: Any, skipped: Counter[str]) -> Iterator[str]:
    """Yield the texts between empty lines, without the ends of their last lines; those that are not UTF-8 are left out."""
    waiting: list[bytes] = []
    length = 0
    while line := file.readline(LONGEST):
        # A file without empty lines is one text, of which no more than a piece is kept in memory.
        ends = not line.strip()
        if not ends:
            waiting.append(line)
            length += len(line)
        if waiting and (ends or (length >= LONGEST and line.endswith(b"\n"))):
            text = b"".join(waiting)
            yield from _decoded(text.rstrip(b"\r\n") if ends else text, skipped)
            waiting, length = [], 0
    if waiting:
        yield from _decoded(b"".join(waiting).rstrip(b"\r\n"), skipped)


def _lines(file: Any, path: Path, column: str, skipped: Counter[str]) -> Iterator[str]:
    """Yield the text of each line, an object with it or the text alone; others are left out."""
    is_first = True
    for line in file:
        if not line.strip():
            continue
        for decoded in _decoded(line, skipped):
            try:
                found = json.loads(decoded)
            except (ValueError, RecursionError):
                skipped["not JSON"] += 1
                continue
            text = found.get(column) if isinstance(found, dict) else found
            if isinstance(text, str):
                yield text
            elif is_first:
                keys = ", ".join(quoted(key) for key in list(found)[:5]) if isinstance(found, dict) else quoted(found)
                raise PromptError(
                    f"The first line of {quoted_path(path)} has no text {quoted(column)}; it has {keys}. Name the key of "
                    "the text: column=."
                )
            else:
                skipped[f"without {column!r}"] += 1
            is_first = False


def _decoded(line: bytes, skipped: Counter[str]) -> Iterator[str]:
    try:
        yield line.decode("utf-8")
    except UnicodeDecodeError:
        skipped["not UTF-8"] += 1


def _of_parquet(path: Path, column: str) -> Texts:
    pyarrow = arrow()
    try:
        file = pyarrow.parquet.ParquetFile(path)
    except Exception as error:  # pyarrow raises many kinds
        raise PromptError(
            f"{quoted_path(path)} is not readable as Parquet ({first_line(error)}); write or copy it again."
        ) from error
    names = file.schema_arrow.names
    if column not in names:
        listed = ", ".join(map(quoted, names[:8])) or "none"
        raise PromptError(
            f"{quoted_path(path)} has no column {quoted(column)}; it has {listed}. Name the one with the text: column=."
        )
    texts = Texts(path.name, lambda: iter(()))
    read = 0

    def entries() -> Iterator[str]:
        nonlocal read
        for rows in _groups(file, path, column):
            for text in rows:
                read += 1
                if isinstance(text, str):
                    yield from _pieces(text, texts.skipped)
                else:
                    texts.skipped["not a text"] += 1

    texts.entries = entries
    texts.fraction = lambda: read / max(1, file.metadata.num_rows)
    return texts


def _groups(file: Any, path: Path, column: str) -> Iterator[list[Any]]:
    try:
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=[column]):
            yield batch.column(0).to_pylist()
    except LoadError:
        raise
    except Exception as error:
        raise PromptError(
            f"{quoted_path(path)} is cut off or damaged ({first_line(error)}); write or copy it again."
        ) from error
