"""Writes records of features as circuit-tracer's set for the hub, whose documents can be read one at a time."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from circuit_widget.examples.exchange.circuit_tracer import INDEX, LENGTH_BYTES
from circuit_widget.examples.exchange.neuronpedia import NEGATIVE_NOTE
from circuit_widget.examples.exchange.published_labels import PublishedLabels

LABELS = "explanations.jsonl.gz"
"""Name of the file with the labels of a set: lines with `layer`, `index` and `description`, as Neuronpedia's."""

Document: TypeAlias = tuple[int, int, Mapping[str, Any]]
"""Layer, feature and its document."""


def write_set(folder: Path, n_features: Sequence[int], documents: Iterable[Document]) -> None:
    """Write the documents of features, which come in order of layer and feature, and the index of them."""
    offsets: dict[int, list[int]] = {}
    coming = iter(documents)
    waiting = next(coming, None)
    for layer, count in enumerate(n_features):
        if not count:
            continue
        starts: list[int] = []
        with (folder / _filename(layer)).open("xb") as file:
            while waiting is not None and waiting[0] == layer:
                _, feature, document = waiting
                starts.extend([file.tell()] * (feature + 1 - len(starts)))
                _write_member(file, document)
                waiting = next(coming, None)
            starts.extend([file.tell()] * (count + 1 - len(starts)))
        offsets[layer] = starts
    index = {str(layer): {"filename": _filename(layer), "offsets": starts} for layer, starts in offsets.items()}
    (folder / INDEX).write_bytes(gzip.compress(_json(index), mtime=0))


def write_labels(folder: Path, labels: PublishedLabels) -> None:
    """Write the labels of a set beside its index; no file where there are none."""
    if not labels.n_features:
        return
    with gzip.open(folder / LABELS, "xb") as file:
        for of_sign, note in ((labels, {}), (labels.negative, {"notes": NEGATIVE_NOTE})):
            for feature, label in of_sign.items():
                place = {"layer": str(feature.layer), "index": str(feature.feature)}
                file.write(_json({**place, "description": label, **note}) + b"\n")


def _filename(layer: int) -> str:
    return f"layer_{layer}.bin"


def _write_member(file: BinaryIO, document: Mapping[str, Any]) -> None:
    content = gzip.compress(_json(document), compresslevel=6, mtime=0)
    file.write(len(content).to_bytes(LENGTH_BYTES, "little") + content)


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
