"""What a model knows of features beyond one graph: what they promote, what is in their examples, what ablations change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64

from circuit_widget.examples.record import Example
from circuit_widget.feature_card import FeatureCard
from circuit_widget.graph import Graph
from circuit_widget.intervention.studies.running import part_of
from circuit_widget.labels.vocabulary import Vocabulary
from circuit_widget.model.runs_model import runs_model
from circuit_widget.progress import IsCancelled, ReportProgress
from circuit_widget.proposal.ablations import signatures_of
from circuit_widget.proposal.profiles import View, unit
from circuit_widget.replacement_model import ReplacementModel

MOST_PROMOTED = 400
"""How many features have their promoted logits compared, and their examples read: the most influential ones."""

PROMOTED_NUMBERS = 1 << 26
"""Numbers of promoted logits kept at once: 256 MiB."""

PROMOTED_TOKENS = 20
"""How many tokens a group promotes most among which its name is looked for."""


@dataclass(frozen=True)
class Knowledge:
    """What is known of some features of a graph, in the order given; empty without a model.

    `promoted_word` returns the word that features promote most together, by their places; None where there is none.
    `answer` is the change of the first target when each is ablated, NaN for those that are not; None where none is.
    """

    views: dict[str, View]
    promoted_word: Callable[[Sequence[int]], str | None]
    cards: Callable[[Sequence[int]], tuple[FeatureCard, ...]] | None = None
    answer: Float32[np.ndarray, " features"] | None = None


NOTHING = Knowledge({}, lambda _: None)


@runs_model
def knowledge_of(
    model: ReplacementModel,
    graph: Graph,
    chosen: Int64[np.ndarray, " n"],
    *,
    ablations: int,
    progress: ReportProgress,
    cancelled: IsCancelled | None,
) -> Knowledge:
    """Return what a model knows of features, given by their indices in node order.

    So many of the most influential ones as `ablations` says are ablated one by one.

    Raises:
        InterventionError: the graph is not of this model.
        Cancelled: `cancelled()` became true.
    """
    model._run_of(graph, cancelled)
    by_influence = np.argsort(-graph.influence[chosen], kind="stable")
    most = max(1, min(MOST_PROMOTED, PROMOTED_NUMBERS // model.model.unembedding.weight.shape[0]))
    strongest = np.zeros(len(chosen), dtype=bool)
    strongest[by_influence[:most]] = True
    logits = _promoted_logits(model, graph, chosen, strongest)
    progress(0.2, "Reading examples")
    views = {"promoted": View(unit(logits), strongest), "examples": _examples(model, graph, chosen, strongest)}
    answer = None
    if ablations:
        ablated = by_influence[:ablations]
        report = part_of(progress, 0.3, 1.0)
        signatures = signatures_of(model, graph, chosen[ablated].tolist(), report, cancelled)
        rows = np.zeros((len(chosen), signatures.logits.shape[1]), dtype=np.float32)
        rows[ablated] = unit(signatures.logits)
        known = np.zeros(len(chosen), dtype=bool)
        known[ablated] = True
        views["ablations"] = View(rows, known)
        answer = np.full(len(chosen), np.nan, dtype=np.float32)
        answer[ablated] = signatures.answer
    vocabulary = Vocabulary(model.model.tokenizer)
    size = np.abs(graph.activation[chosen]).astype(np.float32)

    def promoted_word(places: Sequence[int]) -> str | None:
        return _word(vocabulary, size[list(places)] @ logits[list(places)])

    def cards(places: Sequence[int]) -> tuple[FeatureCard, ...]:
        features = [int(chosen[place]) for place in places]
        return tuple(
            model.feature_card(int(graph.feature_layer[one]), int(graph.feature_index[one])).at(
                float(graph.activation[one])
            )
            for one in features
        )

    return Knowledge(views, promoted_word, cards, answer)


def _promoted_logits(
    model: ReplacementModel, graph: Graph, chosen: Int64[np.ndarray, " n"], wanted: Bool[np.ndarray, " n"]
) -> Float32[np.ndarray, "n vocabulary"]:
    """Return the changes of logits that features write directly, signed as their activations; zeros where not wanted."""
    transcoders, language_model = model.transcoders, model.model
    found = np.zeros((len(chosen), language_model.vocabulary_size), dtype=np.float32)
    for layer in np.unique(graph.feature_layer[chosen[wanted]]).tolist():
        here = np.flatnonzero(wanted & (graph.feature_layer[chosen] == layer))
        numbers = torch.from_numpy(graph.feature_index[chosen[here]].astype(np.int64)).to(
            language_model.layer_device(layer)
        )
        for written in transcoders.written_layers(layer):
            rows = transcoders.decoder_rows(layer, numbers, written)
            found[here] += (
                language_model.direct_logits(rows, written, transcoders.output_site).detach().float().cpu().numpy()
            )
    return found * np.where(graph.activation[chosen] < 0, -1, 1).astype(np.float32)[:, None]


def _word(vocabulary: Vocabulary, logits: Float32[np.ndarray, " vocabulary"]) -> str | None:
    """Return the first word with letters or digits among the tokens whose logits are raised most."""
    for token in np.argsort(-logits, kind="stable")[:PROMOTED_TOKENS].tolist():
        text = vocabulary.text(token)
        if (
            logits[token] > 0
            and any(letter.isalnum() for letter in text)
            and vocabulary.nameable(torch.tensor([token], dtype=torch.long, device="cpu")).item()
        ):
            return text
    return None


def _examples(
    model: ReplacementModel, graph: Graph, chosen: Int64[np.ndarray, " n"], wanted: Bool[np.ndarray, " n"]
) -> View:
    """Return which words stand in the examples of features up to their peaks; words of many features count less."""
    words = [
        _words(model, graph, int(one)) if there else Counter[str]() for one, there in zip(chosen, wanted, strict=True)
    ]
    known = np.array([bool(of_one) for of_one in words], dtype=bool)
    columns = {word: column for column, word in enumerate(sorted({word for of_one in words for word in of_one}))}
    counts = np.zeros((len(chosen), len(columns)), dtype=np.float32)
    for row, of_one in enumerate(words):
        counts[row, [columns[word] for word in of_one]] = list(of_one.values())
    features = np.maximum((counts > 0).sum(axis=0), 1)
    return View(unit(counts * np.log(max(1, int(known.sum())) / features).astype(np.float32)), known)


def _words(model: ReplacementModel, graph: Graph, feature: int) -> Counter[str]:
    record = model._cards.record(int(graph.feature_layer[feature]), int(graph.feature_index[feature]))
    negative = graph.activation[feature] < 0
    examples = record.lowest if negative else record.examples
    return Counter(word for example in examples for word in _read_until_peak(example, -1 if negative else 1))


def _read_until_peak(example: Example, sign: int) -> set[str]:
    if not example.activations:
        return set()
    peak = int(np.argmax(sign * np.array(example.activations)))
    return {text.strip() for text in example.tokens[: peak + 1]}
