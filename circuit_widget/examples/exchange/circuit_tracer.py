"""Reads circuit-tracer's feature files: one document at a time, when a card needs it.

A set on the hub has `index.json.gz`, for each layer the name of a file and where the features in it begin: feature `i` is
from byte `offsets[i]` up to `offsets[i + 1]`, and nothing is known of one whose bytes are none. There, four bytes with a
length (little-endian) are before a document that is compressed with gzip. A local set has a file `{number}.json` for each
feature. Both give any feature at once, so that nothing but the offsets is kept: eight bytes for each feature.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from circuit_widget.arguments import quoted
from circuit_widget.errors import LoadError
from circuit_widget.examples.exchange.published import (
    LARGEST_DOCUMENT,
    Unusable,
    index_of,
    inflated,
    listed,
    parsed,
    refused,
)
from circuit_widget.examples.exchange.record_json import index_agrees, record_of
from circuit_widget.examples.record import CardRecord
from circuit_widget.feature_ids import DECIMAL, PAIRED, FeatureIds
from circuit_widget.system.paths import quoted_path

INDEX = "index.json.gz"
FOLDER = "features"
"""Name of the folder of these files beside transcoders."""

LARGEST_INDEX = 1 << 30
LENGTH_BYTES = 4
CHECKED = 16
"""How many documents of a local set are read to find out how its numbers are made."""

_FILE = re.compile(r"([0-9]{1,18})\.json")


@dataclass(frozen=True, eq=False)
class IndexedFeatures:
    """The features of a set on the hub, read from the files of its layers.

    Attributes:
        folder: where the files are.
        files: the file of each layer, None where it is missing.
        offsets: where the document of each feature begins in the file of its layer.
    """

    folder: Path
    files: Mapping[int, Path | None]
    offsets: Mapping[int, Int64[np.ndarray, " _boundaries"]]

    @property
    def origin(self) -> str:
        """Where the examples come from, in a few words."""
        return f"circuit-tracer's feature files in {self.folder.name}"

    @property
    def n_features(self) -> int:
        """Number of features with a document."""
        return sum(int((np.diff(self.offsets[layer]) > 0).sum()) for layer, file in self.files.items() if file)

    @property
    def missing(self) -> int:
        """Number of layers whose file is missing."""
        return sum(file is None for file in self.files.values())

    def of(self, layer: int, feature: int) -> CardRecord:
        """Return what is known of a feature.

        Raises:
            LoadError: its document is truncated or malformed.
        """
        path = self.files.get(layer)
        if path is None:
            return CardRecord()
        start, end = (int(offset) for offset in self.offsets[layer][feature : feature + 2])
        if start == end:
            return CardRecord()
        try:
            return _record(_member(_read(path, start, end)), feature, feature, self.origin)
        except Unusable as problem:
            raise refused(path, f"feature {feature}, bytes {start:,} to {end:,}: {problem}") from problem


@dataclass(frozen=True, eq=False)
class FeatureFiles:
    """The features of a local set, each in a file of its own."""

    folder: Path
    ids: FeatureIds
    n_features: int
    missing: int = 0

    @property
    def origin(self) -> str:
        """Where the examples come from, in a few words."""
        return f"circuit-tracer's feature files in {self.folder.name}"

    def of(self, layer: int, feature: int) -> CardRecord:
        """Return what is known of a feature.

        Raises:
            LoadError: its file is malformed.
        """
        number = self.ids.join(layer, feature)
        path = self.folder / f"{number}.json"
        if not path.is_file():
            return CardRecord()
        try:
            return _record(_read(path, 0, path.stat().st_size), feature, number, self.origin)
        except Unusable as problem:
            raise refused(path, problem) from problem


def open_indexed(folder: Path, n_features: Sequence[int]) -> IndexedFeatures:
    """Return the features of a set on the hub for a model with so many features in each layer.

    Raises:
        LoadError: the index is malformed, of another number of layers or features, or points outside a file.
    """
    index = folder / INDEX
    try:
        layers = _layers(parsed(_whole_index(index)))
        _check_layers({layer: len(offsets) - 1 for layer, (_, offsets) in layers.items()}, n_features)
        files = {layer: _file(folder, layer, *entry) for layer, entry in layers.items()}
    except Unusable as problem:
        raise refused(index, problem) from problem
    if not any(files.values()):
        raise LoadError(
            f"{quoted_path(folder)} has {INDEX} and none of the files that it names, {listed(n for n, _ in layers.values())}. "
            "Download these files, too."
        )
    return IndexedFeatures(folder, files, {layer: offsets for layer, (_, offsets) in layers.items()})


def open_files(folder: Path, n_features: Sequence[int]) -> FeatureFiles:
    """Return the features of a local set for a model with so many features in each layer.

    Raises:
        LoadError: a file is of a feature that the model does not have.
    """
    numbers = numbers_in(folder)
    problems = {}
    for ids in (PAIRED, DECIMAL):
        problem = _misfit(folder, ids, numbers, n_features)
        if problem is None:
            return FeatureFiles(folder, ids, len(numbers))
        problems[ids.name] = problem
    raise LoadError(
        f"The feature files in {quoted_path(folder)} are of other transcoders: {problems[PAIRED.name]}. Load the model and "
        "the transcoders that they belong to."
    )


def numbers_in(folder: Path, most: int | None = None) -> list[int]:
    """Return the numbers of the feature files in a folder, at most so many."""
    numbers = []
    with os.scandir(folder) as entries:
        for entry in entries:
            found = _FILE.fullmatch(entry.name)
            if found is not None:
                numbers.append(int(found[1]))
                if len(numbers) == most:
                    break
    return numbers


def _misfit(folder: Path, ids: FeatureIds, numbers: list[int], n_features: Sequence[int]) -> str | None:
    """Return why numbers were not made in this way, for a model with these features; None where they may have been."""
    for number in numbers:
        layer, feature = ids.split(number)
        if layer >= len(n_features) or feature >= n_features[layer]:
            of_layer = (
                f"layer {layer} has {n_features[layer]:,} features" if layer < len(n_features) else "there is none"
            )
            return (
                f"{number}.json is feature {feature:,} of layer {layer} ({ids.name}), and in this model with layers 0 to "
                f"{len(n_features) - 1} {of_layer}"
            )
    for number in sorted(numbers)[:: max(1, len(numbers) // CHECKED)][:CHECKED]:
        feature = ids.split(number)[1]
        path = folder / f"{number}.json"
        try:
            document = parsed(_read(path, 0, path.stat().st_size))
            if not index_agrees(document, feature, number):
                return (
                    f"{number}.json is feature {feature:,} ({ids.name}), and its index is {quoted(document['index'])}"
                )
        except Unusable as problem:
            raise refused(path, problem) from problem
    return None


def _record(content: bytes, feature: int, number: int, origin: str) -> CardRecord:
    document = parsed(content)
    if not index_agrees(document, feature, number):
        raise Unusable(f"its index is {quoted(document['index'])}, expected {feature}")
    return record_of(document, origin)


def _member(data: bytes) -> bytes:
    """Return the document in the bytes of a feature: a length, then so many compressed bytes."""
    if len(data) < LENGTH_BYTES:
        raise Unusable(f"it has {len(data)} bytes, expected a length of {LENGTH_BYTES} bytes and a document")
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    if length > len(data) - LENGTH_BYTES:
        raise Unusable(f"its length is {length:,} bytes, and {len(data) - LENGTH_BYTES:,} follow")
    return inflated(data[LENGTH_BYTES : LENGTH_BYTES + length])


def _read(path: Path, start: int, end: int) -> bytes:
    if end - start > LARGEST_DOCUMENT:
        raise Unusable(f"it has {end - start:,} bytes, expected at most {LARGEST_DOCUMENT:,}")
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(end - start)
    except OSError as error:
        raise Unusable(f"it cannot be read ({error.strerror or error})") from error
    if len(data) < end - start:
        raise Unusable(f"the file ends after {len(data):,} of {end - start:,} bytes")
    return data


def _whole_index(path: Path) -> bytes:
    try:
        return inflated(path.read_bytes(), LARGEST_INDEX)
    except OSError as error:
        raise Unusable(f"it cannot be read ({error.strerror or error})") from error


def _layers(document: dict[str, Any]) -> dict[int, tuple[str, Int64[np.ndarray, " _boundaries"]]]:
    """Return the name of the file and the offsets of each layer in an index."""
    return {index_of(name, "the name of a layer"): _entry(name, entry) for name, entry in document.items()}


def _entry(layer: str, entry: object) -> tuple[str, Int64[np.ndarray, " _boundaries"]]:
    filename = entry.get("filename") if isinstance(entry, dict) else None
    offsets = entry.get("offsets") if isinstance(entry, dict) else None
    if not isinstance(filename, str) or not isinstance(offsets, list):
        raise Unusable(f"layer {quoted(layer)} has a filename and offsets, found {quoted(entry)}")
    if Path(filename).name != filename or filename in ("", ".", "..") or "\\" in filename or "\0" in filename:
        raise Unusable(f"the file of layer {layer} is beside the index, found {quoted(filename)}")
    numbers = [index_of(offset, f"an offset of layer {layer}") for offset in offsets]
    return filename, np.array(numbers, dtype=np.int64)


def _check_layers(found: Mapping[int, int], n_features: Sequence[int]) -> None:
    """Check that an index has the layers and features of a model."""
    expected = {layer: count for layer, count in enumerate(n_features) if count}
    if sorted(found) != sorted(expected):
        raise Unusable(
            f"it has {len(found)} layers ({_span(found)}), and this model has transcoders of {len(expected)} "
            f"({_span(expected)}): it is of other transcoders"
        )
    for layer, count in sorted(found.items()):
        if count != expected[layer]:
            raise Unusable(
                f"it has {max(count, 0):,} features in layer {layer}, and this model {expected[layer]:,}: it is of other "
                "transcoders"
            )


def _span(layers: Mapping[int, int]) -> str:
    return f"{min(layers)} to {max(layers)}" if layers else "none"


def _file(folder: Path, layer: int, filename: str, offsets: Int64[np.ndarray, " _boundaries"]) -> Path | None:
    path = folder / filename
    if not path.is_file():
        return None
    size = path.stat().st_size
    if (np.diff(offsets) < 0).any():
        raise Unusable(f"the offsets of layer {layer} are not in order")
    if int(offsets[-1]) > size:
        raise Unusable(
            f"layer {layer} ends at byte {int(offsets[-1]):,}, and {quoted(filename)} has {size:,} bytes: one of them is "
            "truncated"
        )
    return path
