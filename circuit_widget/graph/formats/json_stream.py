"""Reads a JSON file piece by piece: the entries of its long lists one at a time, so that it is never in memory whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

CHUNK = 1 << 20
"""Characters that are read at once."""

LONGEST_VALUE = 1 << 28
"""Characters of the longest single value: an entry of a long list, or what is beside these lists."""

NEAR_THE_END = 64
"""An error so many characters before the end of what was read may come from the end and not from the file."""

SPACE = " \t\n\r"


@dataclass(frozen=True)
class JsonPiece:
    """A value at the top of a file: that of a key, or one entry of the list of a key, with its number.

    `number` is None for a value that is not taken apart. A list that is taken apart comes as -1 first, and is [] there.
    """

    key: str
    number: int | None
    value: Any


def entries(read: Callable[[int], str], lists: frozenset[str]) -> Iterator[JsonPiece]:
    """Yield what a JSON object has at its top; the lists of some keys entry by entry.

    `read` returns so many characters or fewer, and none at the end. Raises ValueError for what is no JSON object, or has a
    key twice or a value that is too long; RecursionError for one that is nested too deep.
    """
    text = _Text(read)
    text.expect("{")
    keys: set[str] = set()
    while text.another(len(keys), "}"):
        key = text.value()
        if not isinstance(key, str):
            raise ValueError(f"a key is no text, before character {text.place:,}")
        if key in keys:
            raise ValueError(f"it has {key[:40]!r} twice")
        keys.add(key)
        text.expect(":")
        if key in lists and text.next() == "[":
            yield from _list(text, key)
        else:
            yield JsonPiece(key, None, text.value())
    if text.next():
        raise ValueError(f"something follows its end, at character {text.place:,}")


def _list(text: _Text, key: str) -> Iterator[JsonPiece]:
    text.expect("[")
    yield JsonPiece(key, -1, [])
    number = 0
    while text.another(number, "]"):
        for value in text.several() or [text.value()]:
            yield JsonPiece(key, number, value)
            number += 1


@dataclass
class _Text:
    """The characters of a file from a place on."""

    read: Callable[[int], str]
    buffer: str = ""
    at: int = 0
    before: int = 0
    ended: bool = False
    unclear: bool = False
    decoder: json.JSONDecoder = field(default_factory=lambda: json.JSONDecoder())

    @property
    def place(self) -> int:
        """The number of characters before the next one."""
        return self.before + self.at

    def more(self, count: int) -> bool:
        """Read on; False at the end of the file."""
        chunk = self.read(count)
        self.before += self.at
        self.buffer, self.at = self.buffer[self.at :] + chunk, 0
        self.ended, self.unclear = not chunk, False
        return bool(chunk)

    def next(self) -> str:
        """The next character that is no space; nothing at the end of the file."""
        while True:
            while self.at < len(self.buffer) and self.buffer[self.at] in SPACE:
                self.at += 1
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self.more(CHUNK):
                return ""

    def expect(self, wanted: str) -> None:
        """Go behind a character. Raises ValueError where it is not the next one."""
        if (found := self.next()) != wanted:
            raise ValueError(f"{wanted} is missing at character {self.place:,}" if found else "it ends too early")
        self.at += 1

    def another(self, number: int, end: str) -> bool:
        """Go behind the comma before an entry, or behind the end of the list or object."""
        if self.next() == end:
            self.at += 1
            return False
        if number:
            self.expect(",")
        return True

    def several(self) -> list[Any]:
        """The next entries of a list, as many as there are in what was read; none where it is not clear where one ends.

        What is read as whole entries up to an end of one is what follows in the file, since JSON is read from its start.
        """
        end = self.buffer.rfind("},", self.at) + 1
        if self.unclear or end <= self.at:
            return []
        try:
            found, length = self.decoder.raw_decode(f"[{self.buffer[self.at : end]}]")
        except ValueError:
            # Tried once only: the entries that were read are then taken one by one.
            self.unclear = True
            return []
        # The list may have ended before; then its bracket comes next.
        self.at = min(end, self.at + length - len("[]"))
        return list(found)

    def value(self) -> Any:
        """The next value; the place is behind it."""
        if not self.next():
            raise ValueError("it ends too early")
        count = CHUNK
        while True:
            try:
                value, end = self.decoder.raw_decode(self.buffer, self.at)
                # A number at the end of what was read may go on.
                if end < len(self.buffer) or self.ended:
                    self.at = end
                    return value
            except json.JSONDecodeError as problem:
                cut = problem.msg.startswith("Unterminated string") or problem.pos > len(self.buffer) - NEAR_THE_END
                if self.ended or not cut:
                    if self.ended and cut:
                        raise ValueError("it ends too early") from problem
                    raise ValueError(f"{problem.msg} at character {self.before + problem.pos:,}") from problem
            if len(self.buffer) - self.at > LONGEST_VALUE:
                raise ValueError(f"the value at character {self.place:,} is longer than {LONGEST_VALUE >> 20} MB")
            self.more(count)
            count *= 2
