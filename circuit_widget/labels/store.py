"""Where the labels of a model's features are kept: in its folder of examples, or in memory where it has none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int

from circuit_widget.errors import LoadError
from circuit_widget.examples import folder as folders
from circuit_widget.labels.label import FeatureLabel, LabelKind
from circuit_widget.labels.table import LabelTable
from circuit_widget.system.atomic_write import write_whole


class LabelStore:
    """The labels of all features, a file for each layer that is read when it is first needed.

    Files are beside those of the examples, so they are refused for another model as these are.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._tables: dict[int, LabelTable] = {}
        self._lock = threading.Lock()

    def find(self, layer: int, feature: int, *, negative: bool = False) -> FeatureLabel | None:
        """Return the label of a feature that is displayed for activations of one sign, if it has one.

        Raises:
            LoadError: the file of its layer is cut off or damaged.
        """
        return self.layer(layer).find(feature, negative=negative)

    def text(self, layer: int, feature: int, *, negative: bool) -> str | None:
        """Return the text of that label. Raises LoadError as `find` does."""
        found = self.find(layer, feature, negative=negative)
        return None if found is None else found.text

    def layer(self, layer: int) -> LabelTable:
        """Return all labels of a layer. Raises LoadError where its file is cut off or damaged."""
        with self._lock:
            if layer not in self._tables:
                self._tables[layer] = self._read(layer)
            return self._tables[layer]

    def add(self, labels: Iterable[FeatureLabel]) -> None:
        """Keep labels, each in place of one of the same kind, feature and sign.

        Raises:
            LoadError: a file cannot be written, or another process writes in the folder.
        """
        by_layer: dict[int, list[FeatureLabel]] = {}
        for label in labels:
            by_layer.setdefault(label.layer, []).append(label)
        for layer, found in sorted(by_layer.items()):
            self._change(layer, partial(_with_labels, found))

    def replace(self, kind: LabelKind, features: Int[np.ndarray, " n"] | None, new: LabelTable) -> None:
        """Keep new labels of a layer, in place of all those of one kind of some features, or of all features.

        Raises:
            LoadError: as `add` does.
        """
        self._change(new.layer, lambda old: old.with_kind(kind, features, new))

    def copy_to(self, other: LabelStore) -> None:
        """Keep these labels in another store, too. Raises LoadError as `add` does."""
        for table in self._tables.values():
            other.add(table)

    def _change(self, layer: int, change: Callable[[LabelTable], LabelTable]) -> None:
        if self.folder is None:
            changed = change(self.layer(layer))
        else:
            with folders.writing(self.folder):
                # Another process may have written labels meanwhile.
                changed = change(self._read(layer))
                write_whole(_path(self.folder, layer), changed.write, "file of labels", LoadError)
        with self._lock:
            self._tables[layer] = changed

    def _read(self, layer: int) -> LabelTable:
        if self.folder is None:
            return LabelTable.of(layer, ())
        return LabelTable.read(_path(self.folder, layer), layer)


def _with_labels(labels: Iterable[FeatureLabel], table: LabelTable) -> LabelTable:
    return LabelTable.of(table.layer, [*table, *labels])


def _path(folder: Path, layer: int) -> Path:
    return folder / f"labels_{layer:03}.parquet"
