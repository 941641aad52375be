"""Writes features as Neuronpedia exports them: for each layer a folder with JSON lines, in files of 1,024 features."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import count, groupby
from pathlib import Path
from typing import IO, Any, TypeAlias

from circuit_widget.examples.exchange.neuronpedia import NEGATIVE_NOTE, NO_RANGE, OWN_ID, LineKind
from circuit_widget.examples.record import Example, FeatureFacts, Level

FEATURES_IN_FILE = 1024

FOLDERS: Mapping[LineKind, str] = {
    LineKind.ACTIVATION: "activations",
    LineKind.EXPLANATION: "explanations",
    LineKind.FEATURE: "features",
}

_NOT_IN_NAMES = re.compile("[^A-Za-z0-9_.]+")

KindAndFields: TypeAlias = tuple[LineKind, dict[str, Any]]


def write_lines(folder: Path, model: str, transcoders: str, features: Iterable[FeatureFacts]) -> None:
    """Write the lines of features, which come in order of layer and feature."""
    model_id, set_name = name_of(model), name_of(transcoders)
    for (layer, number), batch in groupby(features, lambda one: (one.layer, one.feature // FEATURES_IN_FILE)):
        source = f"{layer}-{set_name}"
        with ExitStack() as stack:
            files: dict[LineKind, IO[bytes]] = {}
            for facts in batch:
                for kind, fields in lines_of_feature(facts, model_id, source):
                    if kind not in files:
                        path = folder / model_id / source / FOLDERS[kind] / f"batch-{number}.jsonl.gz"
                        path.parent.mkdir(parents=True, exist_ok=True)
                        files[kind] = stack.enter_context(gzip.open(path, "xb", compresslevel=5))  # type: ignore[arg-type]
                    files[kind].write(json.dumps(fields, allow_nan=False).encode() + b"\n")


def name_of(given: str) -> str:
    """Return a name as a part of paths and of the names of sources: letters, digits, dots, underscores and hyphens."""
    return _NOT_IN_NAMES.sub("-", given.strip()).strip("-.")[:80] or "unnamed"


def lines_of_feature(facts: FeatureFacts, model_id: str, source: str) -> Iterator[KindAndFields]:
    """Yield the lines of a feature: its numbers, an explanation where it has a label, and one for each example."""
    record = facts.record
    common = {"modelId": model_id, "layer": source, "index": str(facts.feature)}
    if record.label is not None:
        yield LineKind.EXPLANATION, {**common, "id": _id(facts, 0), "description": record.label}
    if facts.negative_label is not None:
        noted = {"description": facts.negative_label, "notes": NEGATIVE_NOTE}
        yield LineKind.EXPLANATION, {**common, "id": _id(facts, 1), **noted}
    if not record.n_examples:
        return
    yield (
        LineKind.FEATURE,
        {
            **common,
            "maxActApprox": record.maximum,
            "frac_nonzero": record.frequency,
            "pos_str": [token for token, _ in facts.promoted],
            "pos_values": [change for _, change in facts.promoted],
            "neg_str": [token for token, _ in facts.suppressed],
            "neg_values": [change for _, change in facts.suppressed],
            "hasVector": False,
        },
    )
    numbers = count()
    for example, group in _grouped(facts):
        line = {"id": _id(facts, next(numbers)), **common, "dataSource": record.origin, **_of_example(example), **group}
        yield LineKind.ACTIVATION, line


def _grouped(facts: FeatureFacts) -> Iterator[tuple[Example, dict[str, float | None]]]:
    """Yield each example with the fields of the range that it was drawn from."""
    record = facts.record
    peak = max((max(example.activations, default=0.0) for example in record.examples), default=0.0)
    strongest: dict[str, float | None] = {"binMin": NO_RANGE, "binMax": max(0.0, peak), "binContains": NO_RANGE}
    lowest: dict[str, float | None] = {"binMin": record.minimum or -1.0, "binMax": 0.0, "binContains": NO_RANGE}
    for example in record.examples:
        yield example, strongest
    for level in record.levels:
        bounds = {"binMin": level.least, "binMax": level.most, "binContains": _of_all(level, record.frequency)}
        for example in level.examples:
            yield example, bounds
    for example in record.lowest:
        yield example, lowest


def _of_all(level: Level, frequency: float | None) -> float | None:
    """Return the share of all tokens whose activation is in a range, None if not known."""
    return None if level.share is None or frequency is None else level.share * frequency


def _of_example(example: Example) -> dict[str, Any]:
    values = list(example.activations)
    peak = max(values, default=0.0)
    return {
        "tokens": list(example.tokens),
        "values": values,
        "maxValue": peak,
        "minValue": min(values, default=0.0),
        "maxValueTokenIndex": values.index(peak) if values else 0,
    }


def _id(facts: FeatureFacts, number: int) -> str:
    return f"{OWN_ID}{facts.layer:04}-{facts.feature:08}-{number:06}"
