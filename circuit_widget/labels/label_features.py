"""The method `label_features`: labels for features of any model, by rule or by a labeller."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from circuit_widget.arguments import check_callable, of_type
from circuit_widget.errors import CircuitWidgetError, PromptError
from circuit_widget.labels.by_rule import label_by_rule
from circuit_widget.labels.feature_labels import FeatureLabels
from circuit_widget.labels.features_to_label import FeaturesGiven, by_layer, wanted_features
from circuit_widget.labels.labelling_model import LabellingModel
from circuit_widget.labels.table import LabelTable
from circuit_widget.labels.written import write_labels
from circuit_widget.model.runs_model import CANCELLED_IS
from circuit_widget.progress import IsCancelled, ProgressChoice, reporting


class ModelWithCards(LabellingModel, Protocol):
    """A model whose features have cards; see ReplacementModel."""

    def feature_card(self, layer: int, feature: int) -> Any:
        """Return the FeatureCard of a feature."""


def label_features(
    model: ModelWithCards,
    features: FeaturesGiven | None = None,
    *,
    labeller: Callable[[Any], str] | None = None,
    texts: str | os.PathLike[str] | Iterable[Any] | None = None,
    column: str = "text",
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> FeatureLabels:
    """Label features by a rule from their examples, or with a labeller, and keep the labels beside the examples.

    The rule makes labels of words that are in the data: the token at which a feature is active ("Paris"), the one that
    follows ("say Paris"), the one before ("after Paris"), or up to three; else of words that are near each other in the
    model's embeddings ("like Henry, Emily, Thomas"). A feature that fits none has no label. With
    `texts`, each label has its precision (share of the tokens that it names at which the feature is active) and its recall
    (share of the tokens at which the feature is active that it names). A feature is active above zero; where activations
    have both signs, as of neurons, above half of its largest one in the examples, each sign with a label of its own.

    Graphs that are traced from then on have the labels, `graph.with_labels(...)` gives them to one that exists. A label
    that was imported is displayed in place of one by a labeller, this one in place of one by rule.

    Args:
        features: node ids, Features or Everywheres, or a graph for all of its features; by default all that have examples.
        labeller: a function that is given the FeatureCard of a feature and returns its label, such as a ChatLabeller.
        texts: texts that measure labels by rule, other ones than those of the examples, given as to `collect_examples`.
        column: the name of the text in the rows of a file or data set.

    Raises:
        LoadError: the model has no examples for labels by rule, or labels cannot be kept beside them.
        NodeError: something is no feature of this model.
        PromptError: texts cannot be read, or were given with a labeller, whose labels nothing can measure.
        CircuitWidgetError: the labeller failed or returned no text of one line; names the feature. Earlier labels are kept.
        OutOfMemory: the memory of a device, or of the machine, is full.
        Cancelled: `cancelled()` became true; labels made until then are kept.
    """
    check_callable(labeller, "labeller is a function of a FeatureCard that returns a text,", CircuitWidgetError)
    check_callable(cancelled, CANCELLED_IS, CircuitWidgetError)
    of_type(column, str, "column is the name of the text in a row", PromptError)
    wanted = None if features is None else wanted_features(features, model.transcoders)
    with reporting(progress) as report:
        if labeller is None:
            chosen = None if wanted is None else by_layer(wanted)
            return FeatureLabels(label_by_rule(model, chosen, texts, column, report, cancelled=cancelled))
        if wanted is None:
            raise CircuitWidgetError(
                "A labeller is called once for each feature, so name them: features= takes node ids, Features or "
                "Everywheres, or a graph for its features."
            )
        if texts is not None:
            raise PromptError("texts measure labels by rule, and a labeller's labels are sentences; leave texts out.")
        found = write_labels(wanted, model.feature_card, labeller, model._cards.labels, report, cancelled)
    layers = sorted({label.layer for label in found})
    return FeatureLabels({layer: LabelTable.of(layer, [x for x in found if x.layer == layer]) for layer in layers})
