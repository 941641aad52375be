"""Lines of features in any order, sorted by feature on the disk: exports are larger than memory."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

NAME = "lines.sqlite"
KEPT = ("id", "tokens", "values", "binMin", "binMax", "binContains", "frac_nonzero", "maxActApprox")
"""The fields that records are made of."""


class SortedLines:
    """Keeps the fields of lines in a file in a folder, and gives them back by layer and feature."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._database = sqlite3.connect(self._path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE lines (layer INTEGER, feature INTEGER, fields BLOB)")
        self._database.execute("BEGIN")

    def add(self, layer: int, feature: int, fields: Mapping[str, Any]) -> None:
        """Keep what records need of a line."""
        kept = json.dumps({name: fields[name] for name in KEPT if name in fields}).encode()
        self._database.execute("INSERT INTO lines VALUES (?, ?, ?)", (layer, feature, zlib.compress(kept, 1)))

    def by_feature(self) -> Iterator[tuple[int, int, list[dict[str, Any]]]]:
        """Yield layer, feature and its lines, in order of layer and feature, and of lines as they were added."""
        rows = self._database.execute("SELECT layer, feature, fields FROM lines ORDER BY layer, feature, rowid")
        for (layer, feature), found in groupby(rows, key=lambda row: row[:2]):
            yield layer, feature, [json.loads(zlib.decompress(fields)) for _, _, fields in found]

    def close(self) -> None:
        """Remove the file."""
        self._database.close()
        self._path.unlink(missing_ok=True)
