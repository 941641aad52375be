"""The labels of one layer in columns, in memory and in a Parquet file: models have hundreds of thousands of features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import NDArray

from circuit_widget.arguments import first_line
from circuit_widget.errors import LoadError
from circuit_widget.examples.parquet import arrow
from circuit_widget.labels.label import Accuracy, FeatureLabel, LabelKind
from circuit_widget.system.paths import quoted_path

NOT_MEASURED = -1

COLUMNS: dict[str, Any] = {
    "feature": np.int32,
    "negative": np.bool_,
    "kind": np.int8,
    "text": object,
    "source": object,
    "named": np.int64,
    "hits": np.int64,
    "active": np.int64,
    "level": np.float64,
    "most": np.float64,
}
"""The columns, a row for each label; `named`, `hits` and `active` are -1 where the accuracy was not measured."""


@dataclass(frozen=True, eq=False)
class LabelTable:
    """The labels of one layer, a row for each; of one feature and sign there is at most one of each kind."""

    layer: int
    columns: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, layer: int, labels: Iterable[FeatureLabel]) -> LabelTable:
        """Return the table of labels of one layer; of several of one feature, sign and kind, the last."""
        last = {(label.feature, label.negative, label.kind): label for label in labels}
        rows = [_row(label) for label in last.values()]
        columns = {}
        for name, kind in COLUMNS.items():
            columns[name] = np.empty(len(rows), dtype=kind)
            columns[name][:] = [row[name] for row in rows]
        return cls(layer, columns)

    def __len__(self) -> int:
        return len(self.columns["feature"])

    def __iter__(self) -> Iterator[FeatureLabel]:
        """Yield all labels."""
        return (self.row(index) for index in range(len(self)))

    def row(self, index: int) -> FeatureLabel:
        """Return the label in a row."""
        row = {name: column[index] for name, column in self.columns.items()}
        measured = row["named"] != NOT_MEASURED
        return FeatureLabel(
            self.layer,
            int(row["feature"]),
            str(row["text"]),
            LabelKind(int(row["kind"])),
            str(row["source"]),
            bool(row["negative"]),
            Accuracy(int(row["named"]), int(row["hits"]), int(row["active"])) if measured else None,
            float(row["level"]),
            float(row["most"]),
        )

    def find(self, feature: int, *, negative: bool) -> FeatureLabel | None:
        """Return the label of the highest kind of a feature and sign, if there is one."""
        index = self._displayed.get(2 * feature + negative)
        return None if index is None else self.row(index)

    @cached_property
    def _displayed(self) -> dict[int, int]:
        """The row of the label that is displayed, by twice the feature, plus one for activations below zero."""
        order = np.argsort(self.columns["kind"], kind="stable")
        keys = 2 * self.columns["feature"][order].astype(np.int64) + self.columns["negative"][order]
        return dict(zip(keys.tolist(), order.tolist(), strict=True))

    def displayed(self) -> LabelTable:
        """Return the labels that are displayed, by feature."""
        return self._taking(np.array([self._displayed[key] for key in sorted(self._displayed)], dtype=np.int64))

    def of_features(self, features: Int[np.ndarray, " n"]) -> LabelTable:
        """Return the labels of some features."""
        return self._taking(np.flatnonzero(np.isin(self.columns["feature"], features)))

    def with_kind(self, kind: LabelKind, features: Int[np.ndarray, " n"] | None, new: LabelTable) -> LabelTable:
        """Return the table with all labels of a kind of some features, or of all, replaced by new ones."""
        old = self.columns["kind"] == kind
        dropped: Bool[np.ndarray, " labels"] = (
            old if features is None else old & np.isin(self.columns["feature"], features)
        )
        kept = self._taking(np.flatnonzero(~dropped))
        joined = {name: np.concatenate([kept.columns[name], new.columns[name]]) for name in COLUMNS}
        return LabelTable(self.layer, joined)

    def _taking(self, rows: Int[np.ndarray, " n"]) -> LabelTable:
        return LabelTable(self.layer, {name: column[rows] for name, column in self.columns.items()})

    def write(self, path: Path) -> None:
        """Write the columns to a Parquet file."""
        pyarrow = arrow()
        texts = {name: pyarrow.array(self.columns[name].tolist(), pyarrow.string()) for name in ("text", "source")}
        pyarrow.parquet.write_table(pyarrow.table({**self.columns, **texts}), path, compression="zstd")

    @classmethod
    def read(cls, path: Path, layer: int) -> LabelTable:
        """Return the labels in a file, none where there is no file.

        Raises:
            LoadError: the file is cut off, or has other columns.
        """
        if not path.exists():
            return cls.of(layer, ())
        try:
            found = arrow().parquet.read_table(path, memory_map=False)
            columns = {name: found[name].to_numpy(zero_copy_only=False).astype(kind) for name, kind in COLUMNS.items()}
        except LoadError:
            raise
        except Exception as error:  # pyarrow raises many kinds, and NumPy others where columns do not fit
            raise LoadError(
                f"The file of labels {quoted_path(path)} is cut off or damaged ({first_line(error)}). Copy it again, or "
                "remove it to go on without its labels."
            ) from error
        return cls(layer, columns)


def _row(label: FeatureLabel) -> dict[str, Any]:
    found = label.accuracy
    counts = (
        {"named": NOT_MEASURED, "hits": NOT_MEASURED, "active": NOT_MEASURED}
        if found is None
        else {"named": found.named, "hits": found.hits, "active": found.active}
    )
    return {
        "feature": label.feature,
        "negative": label.negative,
        "kind": int(label.kind),
        "text": label.text,
        "source": label.source,
        "level": label.level,
        "most": label.most,
        **counts,
    }
