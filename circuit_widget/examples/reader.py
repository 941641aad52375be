"""Reads what was collected of one feature from a folder of examples."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuit_widget.arguments import quoted
from circuit_widget.errors import LoadError
from circuit_widget.examples.activation_ranges import LEVELS
from circuit_widget.examples.batch import CONTEXT, NO_TOKEN
from circuit_widget.examples.histogram import BINS
from circuit_widget.examples.layer_file import PREFIXES, readable
from circuit_widget.examples.manifest import NAME, Manifest, read_manifest
from circuit_widget.examples.parquet import arrow
from circuit_widget.examples.record import AT_FIRST_TOKENS, CardRecord, Example, Histogram, Level
from circuit_widget.examples.weights_hash import identity_of
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.tokens.tokenizer import token_text
from circuit_widget.system.paths import quoted_path, require_path
from circuit_widget.system.warning import warn
from circuit_widget.transcoder.transcoder_set import TranscoderSet

FOLDER = "examples"
"""Name of the folder beside transcoders in which examples are found."""


ONLY_FOR_COLLECTING = ("_texts", "_words", "_priorities")
"""Ends of the names of columns that no card needs."""


class ExampleReader:
    """The examples of a model's features in a folder; files are opened when they are first needed."""

    def __init__(self, folder: Path, manifest: Manifest, token_text: Callable[[int], str]) -> None:
        self.folder = folder
        self.manifest = manifest
        self._token_text = token_text
        self._files: dict[int, Any] = {}
        self._group: tuple[tuple[int, int], Any] | None = None
        self._lock = threading.Lock()

    def of(self, layer: int, feature: int) -> CardRecord:
        """Return what is known of a feature.

        Raises:
            LoadError: the file of its layer is missing, cut off or damaged.
        """
        with self._lock:
            if layer not in self._files and not self.manifest.file_of(self.folder, layer).exists():
                self._reload()
            path = self.manifest.file_of(self.folder, layer)
            row = readable(path, lambda: self._row(layer, path, feature))
        return readable(path, lambda: self._record(row))

    def _reload(self) -> None:
        """Read the manifest again, since another call has added texts meanwhile.

        Raises:
            LoadError: the folder has the examples of something else now.
        """
        manifest = read_manifest(self.folder)
        check_identity(manifest, self.manifest.identity, self.folder)
        self.manifest = manifest
        self._files.clear()
        self._group = None

    def _row(self, layer: int, path: Path, feature: int) -> Mapping[str, Any]:
        if layer not in self._files:
            self._files[layer] = arrow().parquet.ParquetFile(path, memory_map=True)
        file = self._files[layer]
        group, place = divmod(feature, file.metadata.row_group(0).num_rows)
        if self._group is None or self._group[0] != (layer, group):
            columns = [name for name in file.schema_arrow.names if not name.endswith(ONLY_FOR_COLLECTING)]
            self._group = (layer, group), file.read_row_group(group, columns, use_threads=False)
        row: Mapping[str, Any] = self._group[1].slice(place, 1).to_pylist()[0]
        if row["feature"] != feature:
            raise LoadError(f"{quoted_path(path)}: found feature {row['feature']} in the row of feature {feature}.")
        return row

    def _record(self, row: Mapping[str, Any]) -> CardRecord:
        signs = [sign for sign, prefix in PREFIXES.items() if f"{prefix}exponent" in row]
        n_tokens, others = self.manifest.n_tokens, int(row["active"])
        active = others + sum(sum(row[f"{PREFIXES[sign]}first_histogram"]) for sign in signs)
        if not active:
            return CardRecord(
                frequency=0.0 if n_tokens else None, maximum=0.0 if n_tokens else None, origin=self.manifest.origin
            )
        strongest = {sign: self._examples(row, f"{PREFIXES[sign]}strongest") for sign in signs}
        peaks = {sign: max(row[f"{PREFIXES[sign]}strongest_values"], default=0.0) for sign in signs}
        return CardRecord(
            frequency=active / n_tokens,
            maximum=peaks[1],
            minimum=-peaks[-1] if peaks.get(-1) else None,
            mean=row["total"] / others if others else None,
            examples=strongest[1],
            lowest=strongest.get(-1, ()),
            levels=tuple(
                level
                for sign in signs
                for level in (*self._levels(row, sign, strongest[sign], active), *self._first_tokens(row, sign, active))
            ),
            histogram=_histogram(row, signs) if others else None,
            origin=self.manifest.origin,
        )

    def _examples(self, row: Mapping[str, Any], name: str) -> tuple[Example, ...]:
        tokens = np.array(row[f"{name}_tokens"], dtype=np.int64).reshape(-1, CONTEXT)
        activations = np.array(row[f"{name}_activations"], dtype=np.float32).reshape(-1, CONTEXT)
        return tuple(self._example(*one) for one in zip(tokens, activations, strict=True))

    def _example(self, tokens: NDArray[np.int64], activations: NDArray[np.float32]) -> Example:
        here = tokens != NO_TOKEN
        return Example(tuple(map(self._token_text, tokens[here].tolist())), tuple(activations[here].tolist()))

    def _levels(self, row: Mapping[str, Any], sign: int, strongest: tuple[Example, ...], active: int) -> list[Level]:
        """Return the ranges that have examples, without those that are among the strongest."""
        prefix = PREFIXES[sign]
        exponent, counts = row[f"{prefix}exponent"], np.array(row[f"{prefix}histogram"])
        values = np.array(row[f"{prefix}levels_values"], dtype=np.float32)
        examples = self._examples(row, f"{prefix}levels")
        known = {example.tokens for example in strongest}
        found = []
        for level in range(LEVELS):
            top = 2.0 ** (exponent - level)
            least = 0.0 if level == LEVELS - 1 else top / 2
            inside = [
                example
                for example, value in zip(examples, values, strict=True)
                if least <= value < top and example.tokens not in known
            ]
            first, behind = (0 if least == 0.0 else BINS >> (level + 1)), BINS >> level
            share = float(counts[first:behind].sum() / active)
            if inside:
                low, high = (least, top) if sign > 0 else (-top, -least)
                found.append(Level(low, high, share, tuple(inside)))
        return found

    def _first_tokens(self, row: Mapping[str, Any], sign: int, active: int) -> Iterator[Level]:
        """Yield the examples at first tokens, if there are any, with the range that they are in."""
        prefix = PREFIXES[sign]
        sizes = row[f"{prefix}first_values"]
        if sizes:
            low, high = sorted((sign * min(sizes), sign * max(sizes)))
            share = sum(row[f"{prefix}first_histogram"]) / active
            yield Level(low, high, share, self._examples(row, f"{prefix}first"), AT_FIRST_TOKENS)


def _histogram(row: Mapping[str, Any], signs: list[int]) -> Histogram:
    """Return the histogram of all activations, from the first to the last bin that is not empty."""
    exponent = max(row[f"{PREFIXES[sign]}exponent"] for sign in signs)
    sides = {sign: _widened(row, PREFIXES[sign], exponent) for sign in signs}
    counts = np.concatenate([sides.get(-1, np.zeros(0, dtype=np.int64))[::-1], sides[1]])
    filled = np.flatnonzero(counts)
    width = 2.0**exponent / BINS
    first = int(filled[0])
    start = first - (len(counts) - BINS)
    return Histogram(start * width, width, tuple(int(count) for count in counts[first : int(filled[-1]) + 1]))


def _widened(row: Mapping[str, Any], prefix: str, exponent: int) -> NDArray[np.int64]:
    counts = np.array(row[f"{prefix}histogram"], dtype=np.int64)
    shift = min(exponent - row[f"{prefix}exponent"], BINS.bit_length())
    return np.bincount(np.arange(BINS) >> shift, weights=counts, minlength=BINS).astype(np.int64)


def find_examples(
    given: object, directory: Path | None, model: LanguageModel, transcoders: TranscoderSet
) -> ExampleReader | None:
    """Return the examples in a folder that a user gave, else those beside the transcoders in `directory`, else None.

    Examples beside the transcoders that cannot be used give a CircuitWidgetWarning.

    Raises:
        LoadError: the folder that was given has no examples, or those of another model or other transcoders; or pyarrow
            is not installed.
    """
    if given is not None:
        return open_examples(given, model, transcoders)
    beside = None if directory is None else directory / FOLDER
    if beside is None or not (beside / NAME).is_file():
        return None
    try:
        return open_examples(beside, model, transcoders)
    except LoadError as error:
        warn(f"The examples beside the transcoders are left out. {error}")
        return None


def open_examples(given: object, model: LanguageModel, transcoders: TranscoderSet) -> ExampleReader:
    """Return the examples in a folder that a user gave.

    Raises:
        LoadError: as `find_examples` does.
    """
    folder = require_path(given, LoadError)  # type: ignore[arg-type]
    if folder.is_file():
        raise LoadError(
            f"examples is {quoted_path(folder)}, which is a file; give the folder that collect_examples(texts, folder) "
            "wrote."
        )
    if not folder.is_dir():
        raise LoadError(
            f"examples is {quoted_path(folder)}, and there is no such folder; "
            "collect_examples(texts, folder) makes one, as circuit-widget examples does on the command line."
        )
    manifest = read_manifest(folder)
    check_identity(manifest, identity_of(model, transcoders), folder)
    arrow()
    return ExampleReader(folder, manifest, lambda token: token_text(model.tokenizer, token))


def check_identity(manifest: Manifest, identity: Mapping[str, str], folder: Path) -> None:
    """Check that examples are of a model and its features.

    Raises:
        LoadError: they are of others.
    """
    for part, name in (("model", manifest.model), ("features", manifest.transcoders)):
        if manifest.identity.get(part) != identity[part]:
            what = "another model" if part == "model" else "other transcoders"
            raise LoadError(
                f"The examples in {quoted_path(folder)} are of {what}, {quoted(name)}: its weights are different. Load "
                "the model that they were collected with, or collect examples for this one into another folder."
            )
