"""Labels by rule for the features of a model that have examples, and their accuracy on texts that they are not made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuit_widget.errors import Cancelled, LoadError, PromptError
from circuit_widget.examples.batch import batches_of
from circuit_widget.examples.collect import BATCHES_IN_ROUND, batch_tokens
from circuit_widget.examples.forward import run_batch
from circuit_widget.examples.layer_file import read_layer
from circuit_widget.examples.layer_state import LayerState, Side
from circuit_widget.examples.manifest import Manifest, read_manifest
from circuit_widget.examples.reader import check_identity
from circuit_widget.examples.stream import TextStream, WindowReader
from circuit_widget.examples.texts import read_texts
from circuit_widget.examples.weights_hash import identity_of
from circuit_widget.labels.accuracy import LayerAccuracy, SideCounts
from circuit_widget.labels.evidence import WordCounts, evidence_of, first_levels_of, levels_of
from circuit_widget.labels.label import Accuracy, FeatureLabel, LabelKind
from circuit_widget.labels.labelling_model import LabellingModel
from circuit_widget.labels.promoted import promotes
from circuit_widget.labels.rule import Rules, find_rules
from circuit_widget.labels.similar_words import AlikeWords
from circuit_widget.labels.table import LabelTable
from circuit_widget.labels.vocabulary import Vocabulary
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.runs_model import runs_model
from circuit_widget.model.tokens.prompt import first_position
from circuit_widget.progress import IsCancelled, ReportProgress
from circuit_widget.system.memory import within_memory
from circuit_widget.system.warning import warn
from circuit_widget.transcoder.transcoder_set import TranscoderSet

FEATURES_AT_ONCE = 1 << 12

RULES_SHARE = 0.3
"""Share of the progress that the rules take where they are measured, too."""


@within_memory("Label fewer features at once, or free memory.")
@runs_model
def label_by_rule(
    model: LabellingModel,
    wanted: Mapping[int, Int[np.ndarray, " n"]] | None,
    texts: Any,
    column: str,
    report: ReportProgress,
    *,
    cancelled: IsCancelled | None = None,
) -> dict[int, LabelTable]:
    """Label features by rule and keep their labels, those of a layer at a time; return them by layer.

    `wanted` are the numbers of the features by layer, None for all. `texts` measure the labels, None for no measurement.

    Raises:
        LoadError: the model has no examples, or they are of another one, or damaged, or labels cannot be kept.
        PromptError: texts cannot be read, or have no word.
        Cancelled: `cancelled()` became true; the labels made until then are kept.
    """
    manifest = _manifest_of(model)
    stream = None if texts is None else _stream_of(texts, column, manifest)
    layers = [layer for layer, count in enumerate(manifest.n_features) if count and (wanted is None or layer in wanted)]
    vocabulary = Vocabulary(model.model.tokenizer)
    counts: dict[int, LayerAccuracy] = {}
    tables: dict[int, LabelTable] = {}
    share = 1.0 if stream is None else RULES_SHARE
    for place, layer in enumerate(layers):
        report(share * place / len(layers), f"Labelling features of layer {layer}")
        if cancelled is not None and cancelled():
            raise Cancelled(f"Labelling was stopped; the labels of {place} of {len(layers)} layers are kept.")
        numbers = None if wanted is None else wanted[layer]
        counts[layer] = _rules_of_layer(model, manifest, layer, numbers, vocabulary)
        tables[layer] = _table(layer, counts[layer], vocabulary, measured=False)
        model._cards.labels.replace(LabelKind.RULE, numbers, tables[layer])
    if stream is not None:
        measuring = partial(_part_of, report, share)
        _measure(model, manifest, stream, counts, vocabulary, measuring, cancelled)
        for layer in layers:
            tables[layer] = _table(layer, counts[layer], vocabulary, measured=True)
            model._cards.labels.replace(LabelKind.RULE, None if wanted is None else wanted[layer], tables[layer])
    report(1.0, "Labelled")
    return tables


def _part_of(report: ReportProgress, begun: float, fraction: float, text: str) -> None:
    report(begun + (1 - begun) * fraction, text)


def _manifest_of(model: LabellingModel) -> Manifest:
    folder = model._cards.labels.folder
    if folder is None:
        raise LoadError(
            "Labels by rule are made from examples collected on this machine, and this model has none: collect them with "
            "model.collect_examples(texts, folder), or load them with load(..., examples=folder)."
        )
    manifest = read_manifest(folder)
    check_identity(manifest, identity_of(model.model, model.transcoders), folder)
    return manifest


def _stream_of(texts: str | Iterable[Any], column: str, manifest: Manifest) -> TextStream:
    stream = TextStream(read_texts(texts, column))
    first = stream.first()
    if first is None:
        raise PromptError("texts has no text to run; give at least one with a word, or None for no measurement.")
    if any(source.first == first for source in manifest.sources):
        warn(
            "The texts that measure the labels begin as texts that the examples were collected from. On texts that the "
            "labels were made from, accuracies are too high; give other ones."
        )
    return stream


def _rules_of_layer(
    model: LabellingModel,
    manifest: Manifest,
    layer: int,
    numbers: Int[np.ndarray, " n"] | None,
    vocabulary: Vocabulary,
) -> LayerAccuracy:
    assert model._cards.labels.folder is not None
    path = manifest.file_of(model._cards.labels.folder, layer)
    state = read_layer(path, layer, signed=manifest.signed, device=model.model.layer_device(layer))
    rules = rules_of(model.model, model.transcoders, state, layer, vocabulary, manifest.n_tokens)
    if numbers is not None:
        chosen = torch.zeros_like(rules[0].found)
        chosen[torch.from_numpy(numbers).to(chosen.device)] = True
        for one in rules:
            one.found.logical_and_(chosen)
    return LayerAccuracy(
        state.n_features,
        tuple(
            SideCounts(one, side.sign, _levels_of(one, side, signed=manifest.signed), _most_of(one, side), vocabulary)
            for one, side in zip(rules, state.sides, strict=True)
        ),
    )


def _levels_of(rules: Rules, side: Side, *, signed: bool) -> Float[Tensor, " features"]:
    """Return the strength above which each feature counts as active in its label."""
    return torch.where(rules.first, first_levels_of(side), levels_of(side, signed=signed))


def _most_of(rules: Rules, side: Side) -> Float[Tensor, " features"]:
    """Return the largest strength that each feature's label was made from."""
    return torch.where(rules.first, side.first.maxima, side.strongest.maxima)


def rules_of(
    model: LanguageModel,
    transcoders: TranscoderSet,
    state: LayerState,
    layer: int,
    vocabulary: Vocabulary,
    n_tokens: int,
) -> tuple[Rules, ...]:
    """Return the labels by rule of all features of a layer, for each sign of activations that it has.

    `n_tokens` is the number of tokens of the texts that the examples are from.
    """
    signed = len(state.sides) > 1
    counts = WordCounts(state, vocabulary, n_tokens)
    embedding: Any = model.network.get_input_embeddings()
    alike = AlikeWords(embedding.weight.detach(), vocabulary, counts)
    found = []
    for side in state.sides:
        parts = []
        for start in range(0, state.n_features, FEATURES_AT_ONCE):
            some = slice(start, min(state.n_features, start + FEATURES_AT_ONCE))

            def are_promoted(rows: Tensor, words: Tensor, start: int = start, sign: int = side.sign) -> Tensor:
                return promotes(model, transcoders, vocabulary, layer, rows + start, words, sign)

            parts.append(find_rules(evidence_of(side, vocabulary, counts, some, signed=signed), are_promoted, alike))
        found.append(Rules(*(torch.cat([getattr(part, name) for part in parts]) for name in Rules.__annotations__)))
    return tuple(found)


def _measure(
    model: LabellingModel,
    manifest: Manifest,
    stream: TextStream,
    counts: Mapping[int, LayerAccuracy],
    vocabulary: Vocabulary,
    report: ReportProgress,
    cancelled: IsCancelled | None,
) -> None:
    """Run texts once, and count at which tokens features are active and named."""
    language_model = model.model
    start = first_position(language_model.network.config)
    reader = WindowReader(language_model.tokenizer, manifest.window, language_model.n_embeddings, start)
    size = batch_tokens(language_model)
    receivers = [counts.get(layer, LayerAccuracy(count, ())) for layer, count in enumerate(manifest.n_features)]
    n_tokens = 0
    report(0.0, "Measuring labels")
    for texts in reader.rounds(stream, size * BATCHES_IN_ROUND):
        for batch in batches_of(texts.windows, size, start, vocabulary.word_of):
            if cancelled is not None and cancelled():
                raise Cancelled("The measurement was stopped. The labels are kept, and count as not measured.")
            run_batch(language_model, model.transcoders, batch, receivers)
            n_tokens += batch.n_tokens
            report(stream.source.fraction() or 0.0, f"Measuring labels, {n_tokens:,} tokens")


def _table(layer: int, counts: LayerAccuracy, vocabulary: Vocabulary, *, measured: bool) -> LabelTable:
    labels = []
    for side in counts.sides:
        columns = (side.levels, side.most, side.named, side.hits, side.active)
        for feature, (text, level, most, *numbers) in enumerate(
            zip(side.rules.texts(vocabulary), *(column.tolist() for column in columns), strict=True)
        ):
            if text is not None:
                accuracy = Accuracy(*numbers) if measured else None
                labels.append(
                    FeatureLabel(layer, feature, text, LabelKind.RULE, "", side.sign < 0, accuracy, level, most)
                )
    return LabelTable.of(layer, labels)
