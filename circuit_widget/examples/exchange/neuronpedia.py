"""Reads what Neuronpedia exports: JSON lines of activations, explanations and features, of a layer in a folder of its own.

A line names the model, in `layer` the source ("20-gemmascope-transcoder-16k": layer and source set), and in `index` the
feature. Lines of activations have `tokens`, `values` and the range that an example was drawn from (`binMin`, `binMax`; the
strongest have -1 in `binContains` and `binMin`); lines of explanations `description`; lines of features `frac_nonzero` and
`maxActApprox`. `binContains`, a share of all tokens with three decimals of a percent, is too coarse for a share of the
tokens at which a feature is active, so it is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from circuit_widget.arguments import one_line, quoted
from circuit_widget.errors import LoadError
from circuit_widget.examples.exchange.lines import ENDINGS, lines_of
from circuit_widget.examples.exchange.published import (
    Unusable,
    example_of,
    index_of,
    label_of,
    listed,
    optional_number,
    refused,
)
from circuit_widget.examples.exchange.published_labels import PublishedLabel
from circuit_widget.examples.record import CardRecord, Example, Level
from circuit_widget.nodes import Everywhere
from circuit_widget.system.paths import quoted_path

_SOURCE = re.compile(r"([0-9]{1,9})(?:-(.*))?", re.DOTALL)

OF_A_SET = ("model.jsonl", "release.jsonl", "source.jsonl", "sourceset.jsonl")
OF_HOSTS = ("inference_hosts.jsonl", "inference_hosts_on_source.jsonl")
"""Files beside the folders of a source that are of no feature."""

NO_RANGE = -1.0
"""The `binContains` of the strongest examples, and their `binMin`."""

NEGATIVE_NOTE = "circuit-widget: for activations below zero"
"""The `notes` of an explanation of activations below zero; the format has no field for their sign."""

OWN_ID = "circuit-widget-"
"""How the ids of lines of activations begin that this package writes; their order is that of the examples."""

STRONGEST, LOWEST = "strongest", "lowest"


class LineKind(StrEnum):
    """What a line is about."""

    ACTIVATION = "activation"
    EXPLANATION = "explanation"
    FEATURE = "feature"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


FIELDS: Mapping[LineKind, frozenset[str]] = {
    LineKind.ACTIVATION: _names(
        "id modelId layer index creatorId createdAt dataIndex dataSource tokens maxValue minValue values maxValueTokenIndex "
        "dfaValues dfaMaxValue dfaTargetIndex binContains binMin binMax lossValues logitContributions "
        "qualifyingTokenIndex zIndices zValues"
    ),
    LineKind.EXPLANATION: _names(
        "id modelId layer index authorId description embedding typeName explanationModelName triggeredById notes createdAt "
        "umap_x umap_y umap_cluster umap_log_feature_sparsity"
    ),
    LineKind.FEATURE: _names(
        "modelId layer index maxActApprox creatorId createdAt frac_nonzero freq_hist_data_bar_heights "
        "freq_hist_data_bar_values logits_hist_data_bar_heights logits_hist_data_bar_values neuron_alignment_indices "
        "neuron_alignment_l1 neuron_alignment_values correlated_neurons_indices correlated_neurons_l1 "
        "correlated_neurons_pearson correlated_features_indices correlated_features_l1 correlated_features_pearson "
        "decoder_weights_dist neg_str neg_values pos_str pos_values sourceSetName topkCosSimIndices topkCosSimValues vector "
        "vectorLabel hookName vectorDefaultSteerStrength hasVector"
    ),
}
"""The fields that lines are known to have; what a card does not show of them is passed over."""


@dataclass(frozen=True)
class PublishedLine:
    """A line about one feature, with where it is."""

    path: Path
    number: int
    kind: LineKind
    model: str
    source_set: str
    layer: int
    feature: int
    fields: Mapping[str, Any]

    @property
    def unknown(self) -> tuple[str, ...]:
        """The fields that no line of its kind is known to have."""
        return tuple(name for name in self.fields if name not in FIELDS[self.kind])


def files_of(path: Path) -> list[Path]:
    """Return the files with lines about features: a file itself, or those in a folder and the folders in it."""
    if path.is_file():
        return [path] if path.name.endswith(ENDINGS) else []
    apart = {*OF_A_SET, *OF_HOSTS, *(f"{name}.gz" for name in (*OF_A_SET, *OF_HOSTS))}
    found = [one for one in path.rglob("*") if one.name.endswith(ENDINGS) and one.name not in apart and one.is_file()]
    return sorted(found)


def published_lines(path: Path) -> Iterator[PublishedLine | str]:
    """Yield the lines of a file that are about a feature, and for each other line why it is skipped.

    Raises:
        LoadError: the file is truncated, or a line is malformed; names the line.
    """
    for number, fields in lines_of(path):
        kind = _kind(fields)
        if kind is None:
            yield "lines that are neither of activations, of explanations nor of features"
            continue
        try:
            layer, source_set = _source(fields.get("layer"))
            feature = index_of(fields.get("index"), "index")
        except Unusable as problem:
            raise refused(path, problem, number) from problem
        model = fields.get("modelId")
        name = one_line(model, 80) if isinstance(model, str) else ""
        yield PublishedLine(path, number, kind, name, source_set, layer, feature, fields)


class OneSet:
    """Checks that all lines are of one model and one set of sources, and of features that this model has."""

    def __init__(self, n_features: Sequence[int]) -> None:
        self._n_features = n_features
        self._sets: set[str] = set()

    @property
    def name(self) -> str:
        """The names of the model and of the set."""
        return next(iter(self._sets), "no set")

    def check(self, line: PublishedLine) -> None:
        """Check a line.

        Raises:
            LoadError: it is of another set than the lines before, or of a layer or feature that this model does not have.
        """
        self._sets.add(f"{line.model} {line.source_set}".strip())
        if len(self._sets) > 1:
            raise refused(
                line.path,
                f"it is of another set of sources than the lines before ({listed(self._sets)}), whose features are others; "
                "give the folder of one set",
                line.number,
            )
        known = self._n_features[line.layer] if line.layer < len(self._n_features) else 0
        if line.feature >= known:
            raise LoadError(
                f"Line {line.number:,} of {quoted_path(line.path)} is of feature {line.feature:,} in layer {line.layer}, and "
                f"this model has {self._described(line.layer)}: the set {quoted(self.name)} is of other transcoders. Load the "
                "model and the transcoders that it belongs to."
            )

    def _described(self, layer: int) -> str:
        if layer < len(self._n_features):
            return f"{self._n_features[layer]:,} features there"
        return f"layers 0 to {len(self._n_features) - 1}"


def example_in(line: PublishedLine) -> Example | None:
    """Return the example in a line of activations, None where the feature is active at none of its tokens.

    Raises:
        LoadError: tokens and values are malformed, or of different lengths.
    """
    try:
        example = example_of(line.fields.get("tokens"), line.fields.get("values"))
        for name in ("binMin", "binMax", "binContains"):
            optional_number(line.fields, name)
    except Unusable as problem:
        raise refused(line.path, problem, line.number) from problem
    return example if any(example.activations) else None


def label_in(line: PublishedLine) -> PublishedLabel | None:
    """Return the label in a line of explanations, None where it is empty. Raises LoadError where it is no text."""
    try:
        text = label_of(line.fields.get("description"))
    except Unusable as problem:
        raise refused(line.path, problem, line.number) from problem
    negative = line.fields.get("notes") == NEGATIVE_NOTE
    return None if text is None else PublishedLabel(Everywhere(line.layer, line.feature), text, negative)


def check_statistics(line: PublishedLine) -> None:
    """Check frequency and maximum in a line of features. Raises LoadError where one is no number, or no share."""
    try:
        share = optional_number(line.fields, "frac_nonzero")
        optional_number(line.fields, "maxActApprox")
        if share is not None and not 0 <= share <= 1:
            raise Unusable(f"frac_nonzero is a share between 0 and 1, found {quoted(share)}")
    except Unusable as problem:
        raise refused(line.path, problem, line.number) from problem


def record_of_lines(activations: Sequence[Mapping[str, Any]], statistics: Mapping[str, Any] | None) -> CardRecord:
    """Return the record of a feature from the fields of its lines, which were checked; an example is in a group once."""
    groups: dict[tuple[float, float] | str, list[Example]] = {}
    for fields in _ordered(activations):
        example, group = example_of(fields["tokens"], fields["values"]), groups.setdefault(_group(fields), [])
        if example not in group:
            group.append(example)
    ranges = {group: tuple(found) for group, found in groups.items() if isinstance(group, tuple)}
    known = statistics or {}
    minimum = min((value for examples in groups.values() for one in examples for value in one.activations), default=0.0)
    return CardRecord(
        frequency=known.get("frac_nonzero"),
        maximum=known.get("maxActApprox"),
        minimum=minimum if minimum < 0 else None,
        examples=tuple(groups.get(STRONGEST, ())),
        lowest=tuple(groups.get(LOWEST, ())),
        levels=tuple(Level(*bounds, None, ranges[bounds]) for bounds in sorted(ranges, key=_farthest_first)),
    )


def _group(fields: Mapping[str, Any]) -> tuple[float, float] | str:
    """Return the range that an example was drawn from, or the name of its group."""
    least, most, share = (fields.get(name) for name in ("binMin", "binMax", "binContains"))
    if least is None or most is None:
        return STRONGEST
    if share == NO_RANGE:
        return LOWEST if least < 0 and most <= 0 else STRONGEST
    if least > most or least == most == 0 or (least == NO_RANGE and share is None and not _is_own(fields)):
        return STRONGEST
    return float(least), float(most)


def _ordered(activations: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return lines in the order in which this package wrote them, those of others by their strongest activation."""
    if all(map(_is_own, activations)):
        return sorted(activations, key=lambda fields: str(fields["id"]))
    return sorted(activations, key=lambda fields: max(map(abs, fields["values"])), reverse=True)


def _is_own(fields: Mapping[str, Any]) -> bool:
    return str(fields.get("id")).startswith(OWN_ID)


def _farthest_first(bounds: tuple[float, float]) -> tuple[bool, float]:
    return bounds[0] < 0, -max(map(abs, bounds))


def _kind(fields: Mapping[str, Any]) -> LineKind | None:
    if "tokens" in fields and "values" in fields:
        return LineKind.ACTIVATION
    if "description" in fields and "index" in fields:
        return LineKind.EXPLANATION
    if "frac_nonzero" in fields or "maxActApprox" in fields:
        return LineKind.FEATURE
    return None


def _source(given: object) -> tuple[int, str]:
    """Return layer and source set in the `layer` of a line."""
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < 10**9:
        return given, ""
    found = _SOURCE.fullmatch(given) if isinstance(given, str) and given.isascii() else None
    if found is None:
        raise Unusable(f'layer begins with a number, as in "20-gemmascope-transcoder-16k"; found {quoted(given)}')
    return int(found[1]), one_line(found[2] or "", 80)
