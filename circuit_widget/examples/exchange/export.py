"""The method `export_examples`: writes a model's examples and labels in the formats of circuit-tracer and Neuronpedia."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from circuit_widget.arguments import one_line, one_of
from circuit_widget.errors import Cancelled, LoadError
from circuit_widget.examples.collect import CollectingModel
from circuit_widget.examples.exchange.export_lines import write_lines
from circuit_widget.examples.exchange.published_labels import PublishedLabels
from circuit_widget.examples.exchange.read import WHAT
from circuit_widget.examples.exchange.record_json import document_of
from circuit_widget.examples.exchange.store import Document, write_labels, write_set
from circuit_widget.examples.record import FeatureFacts, without_first_tokens
from circuit_widget.model.runs_model import runs_model
from circuit_widget.nodes import Everywhere
from circuit_widget.progress import IsCancelled, ProgressChoice, ReportProgress, reporting
from circuit_widget.system.atomic_folder import new_folder

CIRCUIT_TRACER, NEURONPEDIA = "circuit-tracer", "neuronpedia"


@dataclass(frozen=True)
class ExportedExamples:
    """What `export_examples` wrote.

    Attributes:
        folder: where the files are.
        n_features: number of features with examples; the others are left out.
        n_examples: number of examples.
        n_labels: number of features with a label.
    """

    folder: Path
    n_features: int
    n_examples: int
    n_labels: int


@runs_model
def export_examples(
    model: CollectingModel,
    folder: str | os.PathLike[str],
    format: str = CIRCUIT_TRACER,  # noqa: A002
    *,
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> ExportedExamples:
    """Write the examples and labels that cards of this model show, and the tokens that features promote, for other tools.

    The folder is written completely or not at all; `read_examples` reads it. Histograms and means are in neither format.
    Neither has a field for the sign of activations: a label for those below zero says so in the `notes` of its line, which
    `read_examples` and `read_labels` read and other tools show as a note, if at all.

    Args:
        folder: a folder that does not exist yet, or an empty one.
        format: "circuit-tracer", the files of a set on the hub (`index.json.gz` and a file for each layer; labels are in a
            file beside them, which it does not read), or "neuronpedia", JSON lines of activations, explanations and
            features in a folder for each layer, where groups of examples have ranges and no names: those at first tokens
            are left out, since a range would say that they were drawn among all tokens.

    Raises:
        LoadError: there are no examples and no labels, a file of them is damaged, or the folder cannot be written.
        Cancelled: `cancelled()` became true; nothing was written.
    """
    chosen = one_of(format, (CIRCUIT_TRACER, NEURONPEDIA), "format", LoadError)
    name = one_line(model.transcoders.name, 80)
    with reporting(progress) as report, new_folder(folder, WHAT, LoadError) as made:
        features = _Features(model, report, cancelled, with_first_tokens=chosen == CIRCUIT_TRACER)
        if chosen == NEURONPEDIA:
            write_lines(made, model.model.name, model.transcoders.name, features)
        else:
            write_set(made, features.counts, _documents(features, name))
            write_labels(made, features.labels)
        if not features.n_examples and not features.labels.n_features:
            raise LoadError(
                "No feature of this model has examples or a label. Collect examples with collect_examples(texts, folder), or "
                "read them with read_examples(path)."
            )
        report(1.0, "Written")
    return ExportedExamples(Path(folder), features.n_features, features.n_examples, features.labels.n_features)


def _documents(features: _Features, name: str) -> Iterator[Document]:
    for facts in features:
        if facts.record.n_examples:
            promoted, suppressed = (tuple(token for token, _ in one) for one in (facts.promoted, facts.suppressed))
            yield facts.layer, facts.feature, document_of(facts.record, facts.feature, name, promoted, suppressed)


class _Features:
    """Yields the features of a model that have examples or a label, and counts them."""

    def __init__(
        self,
        model: CollectingModel,
        report: ReportProgress,
        cancelled: IsCancelled | None,
        *,
        with_first_tokens: bool,
    ) -> None:
        self.counts: Sequence[int] = [
            model.transcoders.n_features(layer) for layer in range(model.transcoders.n_layers)
        ]
        self.labels = PublishedLabels()
        self.n_features = self.n_examples = 0
        self._cards, self._report, self._cancelled = model._cards, report, cancelled
        self._with_first_tokens = with_first_tokens

    def __iter__(self) -> Iterator[FeatureFacts]:
        total, done = max(1, sum(self.counts)), 0
        for layer, n_features in enumerate(self.counts):
            for feature in range(n_features):
                if self._cancelled is not None and self._cancelled():
                    raise Cancelled("The export was stopped; nothing was written.")
                self._report(done / total, "Writing examples")
                done += 1
                facts = self._cards.facts(layer, feature)
                if not self._with_first_tokens:
                    facts = replace(facts, record=without_first_tokens(facts.record))
                for of_sign, label in (
                    (self.labels, facts.record.label),
                    (self.labels.negative, facts.negative_label),
                ):
                    if label is not None:
                        of_sign[Everywhere(layer, feature)] = label
                if facts.record.n_examples:
                    self.n_features += 1
                    self.n_examples += facts.record.n_examples
                if facts.record.n_examples or facts.has_label:
                    yield facts
