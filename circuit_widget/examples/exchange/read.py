"""The method `read_examples`: shows on a model's cards the examples that others published, and their labels.

circuit-tracer's files give any feature at once and stay where they are. Neuronpedia's lines do not, and are more than
memory: they are sorted on the disk and written once as circuit-tracer's set for the hub, which is then read like one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TypeAlias
from weakref import finalize

from circuit_widget.errors import Cancelled, LoadError
from circuit_widget.examples.collect import CollectingModel
from circuit_widget.examples.exchange.circuit_tracer import (
    FOLDER,
    INDEX,
    FeatureFiles,
    IndexedFeatures,
    numbers_in,
    open_files,
    open_indexed,
)
from circuit_widget.examples.exchange.explanations import read_explanations
from circuit_widget.examples.exchange.export_reading import ExportReading
from circuit_widget.examples.exchange.neuronpedia import files_of
from circuit_widget.examples.exchange.published_labels import PublishedLabels
from circuit_widget.examples.exchange.record_json import document_of
from circuit_widget.examples.exchange.store import LABELS, Document, write_labels, write_set
from circuit_widget.examples.manifest import NAME as MANIFEST
from circuit_widget.examples.record import CardRecord, ExampleSource
from circuit_widget.model.runs_model import runs_model
from circuit_widget.progress import IsCancelled, ProgressChoice, ReportProgress, reporting
from circuit_widget.system.atomic_folder import check_new_folder, new_folder
from circuit_widget.system.paths import quoted_path, require_path

SHARE_OF_READING = 0.7
"""How much of the progress is reading an export; the rest is writing it as a set."""

WHAT = "folder of examples"

Opened: TypeAlias = IndexedFeatures | FeatureFiles


@dataclass(frozen=True, repr=False)
class PublishedExamples:
    """What `read_examples` found.

    Attributes:
        source: what the files are, and of which set.
        folder: the folder that can be read again, for `read_examples(folder)`; None where it is temporary.
        n_features: number of features with examples.
        n_examples: number of examples; None where the files are read when a card needs them.
        n_labels: number of features with a label.
        skipped: how many lines, examples and fields were left out, by reason.
    """

    source: str
    folder: Path | None
    n_features: int
    n_examples: int | None
    n_labels: int
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        examples = (
            "examples read when a card needs them" if self.n_examples is None else f"{self.n_examples:,} examples"
        )
        counts = "; ".join(f"{reason}: {count:,}" for reason, count in sorted(self.skipped.items()))
        left_out = f", left out: {counts}" if counts else ""
        return f"PublishedExamples({self.source}: {self.n_features:,} features, {examples}, {self.n_labels:,} labels{left_out})"


@runs_model
def read_examples(
    model: CollectingModel,
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str] | None = None,
    *,
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> PublishedExamples:
    """Show on the cards of this model the examples and labels of its features that circuit-tracer or Neuronpedia published.

    Tokens stay the texts that were published. Labels that come along replace those beside the transcoders.

    Args:
        path: circuit-tracer's folder `features` of a set (index.json.gz and a file for each layer), or of single files
            ({number}.json); or what Neuronpedia exports of one set of sources: a file (.jsonl, .jsonl.gz), or the folder
            with the folders of its layers.
        folder: a new folder for what was read, as a set of circuit-tracer, for a later `read_examples(folder)`. Everything
            is read and checked then. Without it circuit-tracer's files are read when a card needs them, and an export
            of Neuronpedia is written to a temporary folder.

    Raises:
        LoadError: the files are truncated or malformed, of other transcoders, or of several sets; names file and line.
        Cancelled: `cancelled()` became true; nothing was changed.
    """
    given = require_path(path, LoadError)
    made = None if folder is None else check_new_folder(folder, WHAT, LoadError)
    counts = [model.transcoders.n_features(layer) for layer in range(model.transcoders.n_layers)]
    with reporting(progress) as report:
        opened = _opened(given, counts)
        if opened is None:
            found, examples, labels = _of_export(given, counts, made, report, cancelled)
        else:
            found, examples, labels = _of_set(opened, counts, made, report, cancelled)
        report(1.0, "Read")
    model._cards.use_published(examples, labels, found.source)
    return found


def is_set(path: Path) -> bool:
    """Return whether a folder has circuit-tracer's feature files, itself or in its folder `features`."""
    return any(_is_indexed(folder) or _has_files(folder) for folder in (path, path / FOLDER))


def _is_indexed(folder: Path) -> bool:
    return (folder / INDEX).is_file()


def _has_files(folder: Path) -> bool:
    try:
        return folder.is_dir() and bool(numbers_in(folder, most=1))
    except PermissionError:
        return False


def _opened(path: Path, counts: Sequence[int]) -> Opened | None:
    """Return circuit-tracer's features in a folder, or in its folder `features`; None where there are none."""
    for folder in (path, path / FOLDER):
        if _is_indexed(folder):
            return open_indexed(folder, counts)
        if _has_files(folder):
            return open_files(folder, counts)
    if (path / MANIFEST).is_file():
        raise LoadError(
            f"{quoted_path(path)} has examples that collect_examples wrote; give it to load(..., examples=folder)."
        )
    return None


def _of_set(
    opened: Opened, counts: Sequence[int], folder: Path | None, report: ReportProgress, cancelled: IsCancelled | None
) -> tuple[PublishedExamples, ExampleSource, PublishedLabels]:
    labels_file = opened.folder / LABELS
    labels = read_explanations(labels_file, [labels_file]) if labels_file.is_file() else PublishedLabels()
    missing = {"layers whose file is missing": opened.missing} if opened.missing else {}
    found = PublishedExamples(opened.origin, opened.folder, opened.n_features, None, labels.n_features, missing)
    if folder is None:
        return found, opened, labels
    written = _Counted(_all_records(opened, counts))
    made = _write(
        written, folder, counts, labels, opened.origin, lambda done: report(done, "Reading examples"), cancelled
    )
    return replace(found, folder=folder, n_examples=written.n_examples, n_features=written.n_features), made, labels


def _of_export(
    path: Path, counts: Sequence[int], folder: Path | None, report: ReportProgress, cancelled: IsCancelled | None
) -> tuple[PublishedExamples, ExampleSource | None, PublishedLabels]:
    files = files_of(path)
    if not files:
        raise LoadError(
            f"There are no published examples in {quoted_path(path)}; expected circuit-tracer's {INDEX} or "
            "{number}.json, or Neuronpedia's .jsonl or .jsonl.gz."
        )
    temporary = Path(mkdtemp(prefix="circuit-widget-examples-"))
    reading = ExportReading(temporary, counts)
    records = _Counted(reading.records())
    examples: IndexedFeatures | None = None
    try:
        reading.read(files, lambda done: report(SHARE_OF_READING * done, "Reading lines"), cancelled)
        if reading.n_kept or folder is not None:
            examples = _write(
                records,
                folder or temporary / FOLDER,
                counts,
                reading.labels,
                reading.origin,
                lambda done: report(SHARE_OF_READING + (1 - SHARE_OF_READING) * done, "Writing examples"),
                cancelled,
            )
    finally:
        reading.close()
        if examples is None or folder is not None:
            rmtree(temporary, ignore_errors=True)
    if examples is not None and folder is None:
        # The temporary folder lasts as long as the cards that show what is in it.
        finalize(examples, rmtree, temporary, ignore_errors=True)
    skipped = dict(reading.skipped)
    if twice := reading.n_kept - records.n_examples:
        skipped["examples that are there twice"] = twice
    found = PublishedExamples(
        reading.origin, folder, records.n_features, records.n_examples, reading.labels.n_features, skipped
    )
    return found, examples, reading.labels


def _write(
    records: Iterator[tuple[int, int, CardRecord]],
    folder: Path,
    counts: Sequence[int],
    labels: PublishedLabels,
    name: str,
    report: Callable[[float], None],
    cancelled: IsCancelled | None,
) -> IndexedFeatures:
    """Write records as a set into a new folder, and return it."""
    starts = [sum(counts[:layer]) for layer in range(len(counts))]
    total = max(1, sum(counts))

    def documents() -> Iterator[Document]:
        for layer, feature, record in records:
            if cancelled is not None and cancelled():
                raise Cancelled("Reading examples was stopped; nothing was written.")
            report((starts[layer] + feature) / total)
            yield layer, feature, document_of(record, feature, name, (), ())

    with new_folder(folder, WHAT, LoadError) as made:
        write_set(made, counts, documents())
        write_labels(made, labels)
    return open_indexed(folder, counts)


def _all_records(opened: Opened, counts: Sequence[int]) -> Iterator[tuple[int, int, CardRecord]]:
    """Yield every feature of a set that has examples, in order."""
    for layer, count in enumerate(counts):
        for feature in range(count):
            record = opened.of(layer, feature)
            if record != CardRecord():
                yield layer, feature, record


class _Counted:
    """Yields records, and counts the features and examples that went by."""

    def __init__(self, records: Iterator[tuple[int, int, CardRecord]]) -> None:
        self._records = records
        self.n_features = self.n_examples = 0

    def __iter__(self) -> Iterator[tuple[int, int, CardRecord]]:
        return self

    def __next__(self) -> tuple[int, int, CardRecord]:
        layer, feature, record = next(self._records)
        n_examples = record.n_examples
        self.n_features += bool(n_examples)
        self.n_examples += n_examples
        return layer, feature, record
