"""One pass through the lines that Neuronpedia exports: checked, counted, and sorted by feature on the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from circuit_widget.arguments import quoted
from circuit_widget.errors import Cancelled, LoadError
from circuit_widget.examples.exchange.neuronpedia import (
    LineKind,
    OneSet,
    PublishedLine,
    check_statistics,
    example_in,
    label_in,
    published_lines,
    record_of_lines,
)
from circuit_widget.examples.exchange.published_labels import PublishedLabels, keep_first
from circuit_widget.examples.exchange.sorted_lines import SortedLines
from circuit_widget.examples.record import CardRecord
from circuit_widget.progress import IsCancelled

MOST_UNKNOWN = 20
"""How many unknown fields are counted by name."""

LINES_BETWEEN = 256
"""After so many lines, progress is reported and `cancelled` is called."""


class ExportReading:
    """The lines of an export; `labels`, `skipped` and `n_kept`, the number of examples, are complete after `read`."""

    def __init__(self, folder: Path, n_features: Sequence[int]) -> None:
        self.labels = PublishedLabels()
        self.skipped: Counter[str] = Counter()
        self.n_kept = 0
        self._n_lines = 0
        self._set = OneSet(n_features)
        self._sorted = SortedLines(folder)
        self._unknown: set[str] = set()

    @property
    def origin(self) -> str:
        """Where the examples come from, in a few words."""
        return f"Neuronpedia's export of {self._set.name}"

    def read(self, files: Sequence[Path], report: Callable[[float], None], cancelled: IsCancelled | None) -> None:
        """Read the lines of all files.

        Raises:
            LoadError: a file is truncated, a line malformed or of other transcoders, or no line is about a feature.
            Cancelled: `cancelled()` became true.
        """
        sizes = [file.stat().st_size for file in files]
        for number, file in enumerate(files):
            for place, line in enumerate(published_lines(file)):
                if place % LINES_BETWEEN == 0:
                    report(sum(sizes[:number]) / max(1, sum(sizes)))
                    if cancelled is not None and cancelled():
                        raise Cancelled("Reading examples was stopped; nothing was changed.")
                self._add(line)
        if not self._n_lines:
            raise LoadError(
                f"None of the lines in {quoted([file.name for file in files])} is about a feature; expected those of "
                "Neuronpedia's activations, explanations or features."
            )

    def records(self) -> Iterator[tuple[int, int, CardRecord]]:
        """Yield layer, feature and its record, in order."""
        for layer, feature, lines in self._sorted.by_feature():
            activations = [fields for fields in lines if "tokens" in fields]
            statistics: dict[str, Any] = next((fields for fields in lines if "tokens" not in fields), {})
            yield layer, feature, replace(record_of_lines(activations, statistics), origin=self.origin)

    def close(self) -> None:
        """Remove the sorted lines."""
        self._sorted.close()

    def _add(self, line: PublishedLine | str) -> None:
        if isinstance(line, str):
            self.skipped[line] += 1
            return
        self._set.check(line)
        self._n_lines += 1
        for name in line.unknown:
            self._count_unknown(name)
        if line.kind is LineKind.EXPLANATION:
            self._add_label(line)
        elif line.kind is LineKind.FEATURE:
            check_statistics(line)
            self._sorted.add(line.layer, line.feature, line.fields)
        elif example_in(line) is None:
            self.skipped["examples at which the feature is not active"] += 1
        else:
            self.n_kept += 1
            self._sorted.add(line.layer, line.feature, line.fields)

    def _add_label(self, line: PublishedLine) -> None:
        label = label_in(line)
        if label is None:
            self.skipped["empty labels"] += 1
        elif not keep_first(self.labels, label):
            self.skipped["further labels of a feature that has one"] += 1

    def _count_unknown(self, name: str) -> None:
        if len(self._unknown) < MOST_UNKNOWN:
            self._unknown.add(name)
        self.skipped[f"field {quoted(name)}, which is not known" if name in self._unknown else "other fields"] += 1
