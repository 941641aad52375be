"""What ablations show: which features change the same when each is ablated, and what each group changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from circuit_widget.graph import Graph
from circuit_widget.graph.node_table import feature_at
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.kinds import Ablate
from circuit_widget.intervention.studies.local_labels import AT_ONCE, changed_words
from circuit_widget.intervention.studies.running import part_of
from circuit_widget.labels.vocabulary import Vocabulary
from circuit_widget.model.probability import log_softmax
from circuit_widget.progress import IsCancelled, ReportProgress
from circuit_widget.replacement_model import ReplacementModel

SIGNATURE_TOKENS = 200
"""How many tokens have their changes compared: the likeliest ones. Most others only follow them."""


@dataclass(frozen=True)
class Signatures:
    """What ablating each of some features changes.

    Attributes:
        logits: changes of the likeliest tokens' logits, less the mean change of all logits.
        answer: change of the first target; see `answer_change`.
    """

    logits: Float32[np.ndarray, "features tokens"]
    answer: Float32[np.ndarray, " features"]


@dataclass(frozen=True)
class GroupEffect:
    """What ablating a group changes.

    Attributes:
        answer: change of the first target; see `answer_change`.
        probability: the first target's, before and after; None where it is no token.
        words: those that the group raises or lowers most; see `changed_words`.
    """

    answer: float
    probability: tuple[float, float] | None
    words: tuple[str, ...]


def signatures_of(
    model: ReplacementModel,
    graph: Graph,
    features: Sequence[int],
    progress: ReportProgress,
    cancelled: IsCancelled | None,
) -> Signatures:
    """Return what ablating each feature changes, given by their indices.

    Raises:
        Cancelled: `cancelled()` became true.
    """
    logits, answer = [], []
    likeliest = None
    for effect in _effects(model, graph, [[one] for one in features], progress, cancelled):
        if likeliest is None:
            likeliest = np.argsort(-effect.logits_before, kind="stable")[:SIGNATURE_TOKENS]
        change = effect.logits_after - effect.logits_before
        logits.append(change[likeliest] - change.mean())
        answer.append(answer_change(effect))
    return Signatures(np.array(logits, dtype=np.float32), np.array(answer, dtype=np.float32))


def group_effects(
    model: ReplacementModel,
    graph: Graph,
    groups: Sequence[Sequence[int]],
    progress: ReportProgress,
    cancelled: IsCancelled | None,
) -> tuple[GroupEffect, ...]:
    """Return what ablating each group changes, whose features are given by their indices.

    Raises:
        Cancelled: `cancelled()` became true.
    """
    vocabulary = Vocabulary(model.model.tokenizer)
    return tuple(
        GroupEffect(answer_change(effect), _probability(effect), changed_words(effect, vocabulary))
        for effect in _effects(model, graph, groups, progress, cancelled)
    )


def answer_change(effect: Effect) -> float:
    """Return the change of the first target: of its log probability in nats, or of what is read where it is no token."""
    first = effect.graph.targets[0].token_id
    if first in effect.target_tokens:
        before, after = (log_softmax(logits)[first] for logits in (effect.logits_before, effect.logits_after))
        return float(after - before)
    reading = effect.readings.get(first)
    return 0.0 if reading is None else reading.after - reading.before


def _probability(effect: Effect) -> tuple[float, float] | None:
    first = effect.graph.targets[0].token_id
    return effect.probability(first) if first in effect.target_tokens else None


def _effects(
    model: ReplacementModel,
    graph: Graph,
    groups: Sequence[Sequence[int]],
    progress: ReportProgress,
    cancelled: IsCancelled | None,
) -> Iterator[Effect]:
    """Yield the effects of ablations of which few run together, since each effect has all logits."""
    for start in range(0, len(groups), AT_ONCE):
        some = groups[start : start + AT_ONCE]
        yield from model.intervene_many(
            graph,
            [Ablate([feature_at(graph, member) for member in members]) for members in some],
            progress=part_of(progress, start / len(groups), (start + len(some)) / len(groups)),
            cancelled=cancelled,
        )
