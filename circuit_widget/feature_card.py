"""Feature cards: where a feature is active, and which tokens it promotes and suppresses."""

from __future__ import annotations

import gc
import gzip
import json
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from circuit_widget.arguments import finite_number, quoted
from circuit_widget.characters import repaired
from circuit_widget.errors import LoadError, NodeError
from circuit_widget.examples.exchange.published_labels import PublishedLabels
from circuit_widget.examples.reader import ExampleReader
from circuit_widget.examples.record import CardRecord, Example, ExampleSource, FeatureFacts, Histogram, Level
from circuit_widget.graph import Graph
from circuit_widget.labels.label import ORIGIN_WITH_TRANSCODERS, FeatureLabel, LabelKind, suits
from circuit_widget.labels.promoted import CARD_TOKENS
from circuit_widget.labels.store import LabelStore
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.tokens.prompt import first_position
from circuit_widget.model.tokens.tokenizer import token_text
from circuit_widget.nodes import Everywhere
from circuit_widget.system.plain_torch import in_plain_torch
from circuit_widget.system.restoring import Change
from circuit_widget.transcoder.transcoder_set import TranscoderSet

WITH_TRANSCODERS = "texts that come with the transcoders"

CardLabel: TypeAlias = tuple[str | None, str | None, bool]
"""A label, where it is from, and whether this package made it."""

NO_LABEL: CardLabel = (None, None, False)

TokenLogits: TypeAlias = tuple[tuple[str, float], ...]
"""Tokens, each with the direct effect of a feature on its logit."""


@dataclass(frozen=True)
class FeatureCard:
    """What is known about a feature.

    Attributes:
        label: a name given to it, if any, for activations of this sign.
        label_origin: where the label is from, in a few words; a label by rule has its measured accuracy here.
        label_is_automatic: whether a rule or a labeller of `label_features` made it.
        other_label: label, its origin and whether it is automatic, for activations of the other sign; None: the same ones.
        frequency: share of the corpus's tokens at which it is active; `maximum`: its largest activation there; `minimum`:
            its lowest one below zero; `mean`: its mean activation where it is active. None where that is not known.
        examples: its strongest examples, those of different words first.
        lowest: those of its lowest activations, where these are below zero.
        levels: examples drawn at random in ranges of activation, each half of the one above. A group named "first tokens"
            has those at first tokens of texts, where many models have far larger activations than elsewhere. Of the
            rest, only `frequency` counts these tokens. Published examples are not kept apart so.
        histogram: how many tokens have which activation, without those at which it is not active.
        origin: where examples, frequency and the rest come from, in a few words; None where there are none.
        promoted, suppressed: tokens whose logits it raises and lowers most against the mean logit, as (token, change of
            logit for each unit of activation, before norms divide). Its decoder row, of a neuron the row of the MLP's
            last projection, goes through the weights of the norms after it and the unembedding alone. A cross-layer
            feature has a decoder row for each layer that it writes to, and the changes of logits by all of them are added.
        first_position: position of the first token in prompts whose examples are kept apart; None where they are not.
        negative: whether they are those of a negative activation, which reverses what is written. Only neurons have one.
    """

    layer: int
    feature: int
    label: str | None
    frequency: float | None
    maximum: float | None
    examples: tuple[Example, ...]
    promoted: TokenLogits
    suppressed: TokenLogits
    negative: bool = False
    minimum: float | None = None
    mean: float | None = None
    lowest: tuple[Example, ...] = ()
    levels: tuple[Level, ...] = ()
    histogram: Histogram | None = None
    origin: str | None = None
    label_origin: str | None = None
    label_is_automatic: bool = False
    other_label: CardLabel | None = None
    first_position: int | None = None

    def at(self, activation: float) -> FeatureCard:
        """Return the card for an activation of this sign: a negative one promotes what a positive one suppresses.

        Its label is that of this sign. Changes of logits are then for each unit of activation below zero. Examples of both
        signs stay where they are: those of a negative activation are `lowest`, and `examples` can be empty then.

        Raises:
            NodeError: the activation is not a finite number.
        """
        negative = finite_number(activation, "The activation of a feature", NodeError) < 0
        if negative == self.negative:
            return self
        card = replace(
            self, promoted=_reversed(self.suppressed), suppressed=_reversed(self.promoted), negative=negative
        )
        if self.other_label is None:
            return card
        own = (self.label, self.label_origin, self.label_is_automatic)
        label, origin, automatic = self.other_label
        return replace(card, label=label, label_origin=origin, label_is_automatic=automatic, other_label=own)


class FeatureRecords:
    """The files `features/layer_{i}.json.gz` beside a set of transcoders, read when they are first needed.

    Each has `sentences` (lists of token ids) and `features`: number -> frequency, maximum, optionally label, and
    examples as `[sentence, [[position, activation], ...]]`.
    """

    def __init__(self, directory: Path | None, token_text: Callable[[int], str]) -> None:
        self._directory = directory
        self._token_text = token_text
        self._layers: dict[int, Mapping[str, Any]] = {}

    def of(self, layer: int, feature: int) -> CardRecord:
        """Return the record of a feature, an empty one without a file or an entry.

        Raises:
            LoadError: the layer's file is malformed.
        """
        document = self._document(layer)
        entry = document.get("features", {}).get(str(feature))
        if entry is None:
            return CardRecord()
        try:
            return CardRecord(
                label=_text(entry.get("label")),
                frequency=_number(entry.get("frequency")),
                maximum=_number(entry.get("maximum")),
                examples=tuple(self._example(document, *example) for example in entry.get("examples", ())),
                origin=WITH_TRANSCODERS,
            )
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError) as error:
            raise LoadError(
                f"{self._path(layer)}: the entry of feature {feature} is malformed ({error}); expected frequency, "
                "maximum, label and examples as [sentence, [[position, activation], ...]]."
            ) from error

    def label(self, layer: int, feature: int) -> str | None:
        """Return the label of a feature, if it has one."""
        entry = self._document(layer).get("features", {}).get(str(feature))
        label = entry.get("label") if isinstance(entry, dict) else None
        return _text(label) if isinstance(label, str) else None

    def _path(self, layer: int) -> Path | None:
        return None if self._directory is None else self._directory / "features" / f"layer_{layer}.json.gz"

    def _document(self, layer: int) -> Mapping[str, Any]:
        if layer not in self._layers:
            path = self._path(layer)
            self._layers[layer] = {} if path is None or not path.is_file() else _read(path)
        return self._layers[layer]

    def _example(self, document: Mapping[str, Any], sentence: int, active: list[list[float]]) -> Example:
        token_ids = document["sentences"][sentence]
        activations = [0.0] * len(token_ids)
        for position, activation in active:
            activations[int(position)] = float(activation)
        return Example(tuple(self._token_text(int(token)) for token in token_ids), tuple(activations))


class FeatureCards:
    """Makes feature cards from the weights of a model and its transcoders, and from recorded statistics on a corpus."""

    def __init__(self, model: LanguageModel, transcoders: TranscoderSet, directory: Path | None) -> None:
        """`directory` contains the transcoders, and the examples and labels of their features."""
        self._model = model
        self._transcoders = transcoders
        self._records = FeatureRecords(directory, lambda token: token_text(model.tokenizer, token))
        self.examples: ExampleSource | None = None
        self.labels = LabelStore()

    def use(self, examples: ExampleReader) -> None:
        """Show these examples and the labels beside them, in place of the examples that come with the transcoders.

        Raises:
            LoadError: labels that were made before cannot be kept with these examples.
        """
        labels = LabelStore(examples.folder)
        if self.labels.folder is None:
            self.labels.copy_to(labels)
        self.examples, self.labels = examples, labels

    def use_published(self, examples: ExampleSource | None, labels: PublishedLabels, source: str) -> None:
        """Show examples, if there are any, and labels that others published; labels of rules and writers stay behind them.

        Raises:
            LoadError: the labels cannot be kept beside the examples that were collected before.
        """
        self.labels.add(
            FeatureLabel(place.layer, place.feature, text, LabelKind.IMPORTED, source, negative)
            for negative, of_sign in ((False, labels), (True, labels.negative))
            for place, text in of_sign.items()
        )
        if examples is not None:
            self.examples = examples

    def facts(self, layer: int, feature: int) -> FeatureFacts:
        """Return what is known of a feature; without examples, not what its weights promote.

        Raises:
            LoadError: the file with its layer's examples is malformed.
        """
        record = replace(self._known.of(layer, feature), label=self._label(layer, feature, negative=False)[0])
        tokens = self._promoted_and_suppressed(layer, feature) if record.n_examples else ((), ())
        return FeatureFacts(layer, feature, record, *tokens, self.labels.text(layer, feature, negative=True))

    def record(self, layer: int, feature: int) -> CardRecord:
        """Return the recorded statistics of a feature, with its examples.

        Raises:
            LoadError: the file with its layer's examples is malformed.
        """
        return self._known.of(layer, feature)

    @property
    def _first_position(self) -> int | None:
        collected = isinstance(self.examples, ExampleReader)
        return first_position(self._model.network.config) if collected else None

    @property
    def _known(self) -> ExampleSource:
        return self._records if self.examples is None else self.examples

    def label(self, layer: int, feature: int, activation: float) -> str | None:
        """Return the label of a feature for activations of this sign, if it has one that suits one of this size.

        A label by rule does not suit an activation below three quarters of the rule's level.
        """
        own = self.labels.find(layer, feature, negative=activation < 0)
        if own is not None and not suits(own, activation):
            return None
        return self._label(layer, feature, negative=activation < 0)[0]

    def labels_of(self, graph: Graph) -> dict[str, str]:
        """Return the labels of a graph's features, each for its activation, by node id."""
        features = (graph.feature_layer.tolist(), graph.feature_index.tolist(), graph.activation.tolist())
        found = {node: self.label(*numbers) for node, *numbers in zip(graph.node_ids, *features, strict=False)}
        return {node: label for node, label in found.items() if label}

    def _label(self, layer: int, feature: int, *, negative: bool) -> CardLabel:
        own = self.labels.find(layer, feature, negative=negative)
        if own is not None:
            return own.text, own.origin, own.automatic
        given = self._records.label(layer, feature)
        return NO_LABEL if given is None else (given, ORIGIN_WITH_TRANSCODERS, False)

    def card(self, layer: int, feature: int) -> FeatureCard:
        """Return the card of a feature.

        Raises:
            NodeError: there is no such feature.
            LoadError: the file with its layer's examples is malformed.
        """
        wanted = Everywhere(layer, feature)
        return in_plain_torch(lambda: self._card(wanted.layer, wanted.feature))

    def _card(self, layer: int, feature: int) -> FeatureCard:
        self._check_exists(layer, feature)
        promoted, suppressed = self._promoted_and_suppressed(layer, feature)
        label, label_origin, automatic = self._label(layer, feature, negative=False)
        return FeatureCard(
            layer=layer,
            feature=feature,
            promoted=promoted,
            suppressed=suppressed,
            label_origin=label_origin,
            label_is_automatic=automatic,
            other_label=self._label(layer, feature, negative=True),
            first_position=self._first_position,
            **vars(replace(self._known.of(layer, feature), label=label)),
        )

    def _check_exists(self, layer: int, feature: int) -> None:
        n_layers = self._transcoders.n_layers
        if layer >= n_layers:
            raise NodeError(f"There is no layer {quoted(layer)}; the model has layers 0 to {n_layers - 1}.")
        n_features = self._transcoders.n_features(layer)
        if n_features == 0:
            raise NodeError(f"There is no feature {quoted(feature)} in layer {layer}; it has no transcoder.")
        if feature >= n_features:
            raise NodeError(
                f"There is no feature {quoted(feature)} in layer {layer}; it has features 0 to {n_features - 1}."
            )

    def _promoted_and_suppressed(self, layer: int, feature: int) -> tuple[TokenLogits, TokenLogits]:
        """Return the tokens a feature promotes and those it suppresses; see FeatureCard."""
        transcoders = self._transcoders
        wanted = torch.tensor([feature], dtype=torch.long, device=self._model.device)
        logits = torch.zeros(self._model.vocabulary_size, dtype=torch.float32, device=self._model.device)
        for written in transcoders.written_layers(layer):
            row = transcoders.decoder_rows(layer, wanted, written)[0]
            logits += self._model.direct_logits(row, written, transcoders.output_site)
        count = min(CARD_TOKENS, len(logits))
        promoted, suppressed = torch.topk(logits, count), torch.topk(-logits, count)
        return (
            self._named(promoted.indices, promoted.values),
            self._named(suppressed.indices, -suppressed.values),
        )

    def _named(self, tokens: Tensor, logits: Tensor) -> TokenLogits:
        pairs = zip(tokens.tolist(), logits.tolist(), strict=True)
        return tuple((token_text(self._model.tokenizer, token), logit) for token, logit in pairs)


def _reversed(logits: TokenLogits) -> TokenLogits:
    return tuple((token, -logit) for token, logit in logits)


def _text(value: object) -> str | None:
    """Return a text that UTF-8 can encode, so that it can be saved and sent."""
    if value is None or isinstance(value, str):
        return None if value is None else repaired(value)
    raise TypeError(f"a label is a text, not {type(value).__name__}")


def _number(value: object) -> float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)):
        return value
    raise TypeError("frequency and maximum are numbers")


def _collector_paused() -> Change:
    """Return a context without garbage collection, which makes reading a large document of lists ten times as fast."""
    return Change(gc.disable, gc.enable if gc.isenabled() else gc.disable)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        with _collector_paused():
            document = json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise LoadError(f"{path}: not readable as compressed JSON ({error}).") from error
    if not isinstance(document, dict) or not isinstance(document.get("features"), dict):
        raise LoadError(f"{path}: expected an object with sentences and features.")
    return document
