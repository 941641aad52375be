"""Labels of features among the lines that Neuronpedia exports, which it calls explanations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from circuit_widget.examples.exchange.neuronpedia import LineKind, label_in, published_lines
from circuit_widget.examples.exchange.published import listed, refused
from circuit_widget.examples.exchange.published_labels import PublishedLabel, PublishedLabels, first_of_each


def read_explanations(path: Path, files: Sequence[Path]) -> PublishedLabels:
    """Return the labels in files of JSON lines of one set of sources, which are `path` or in it.

    Of several explanations of one feature the first counts. What is left out is counted in a CircuitWidgetWarning.

    Raises:
        LoadError: a file is truncated, a line malformed, or there are explanations of several sets; names file and line.
    """
    left_out: Counter[str] = Counter()
    return first_of_each(_explanations(files, left_out), left_out, path)


def _explanations(files: Sequence[Path], left_out: Counter[str]) -> Iterator[PublishedLabel]:
    sets = set()
    for file in files:
        for line in published_lines(file):
            if isinstance(line, str):
                left_out[line] += 1
                continue
            if line.kind is not LineKind.EXPLANATION:
                continue
            sets.add(f"{line.model} {line.source_set}".strip())
            if len(sets) > 1:
                raise refused(
                    file, f"there are explanations of several sets, {listed(sets)}; give the folder of one", line.number
                )
            label = label_in(line)
            if label is None:
                left_out["empty labels"] += 1
            else:
                yield label
