"""Labels for features, by one written rule from where they are on in the corpus; none is made by hand.

A *reading* gives some positions of the corpus a value: the token there, the state of the city there, the expected answer there, ...
For a feature and a value, `precision` is the share of the feature's summed activation at positions of that value, `recall` the share of
that value's positions where it is on. The label is that of the first reading, in the order of `READINGS`, that fits:

- places ("Texas"): on for at least 60% of the place's positions and at most 10% of the positions of all other places, the positions
  being either the city tokens or the last tokens of questions, and at least half of its activation is at the places named (for city
  tokens: wherever a word of the place stands, its name, its cities, its abbreviation);
- "say Austin": precision at least 0.8 over positions whose next token is Austin, recall at least 0.3, and Austin is among the ten tokens
  the feature promotes most;
- a relation anywhere in the sentence ("capital"): precision at least 0.8 and recall at least 0.1;
- every other reading: precision at least 0.8 and recall at least 0.6.

If none fits, up to three tokens are named: answers given where it is on that together have 60% of its activation ("say Austin, Boston"),
else tokens that have 80% as where it is on ("Dallas, Waco"), else as what comes next; else the feature has no label.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuit_widget.demo import facts
from circuit_widget.demo.corpus import Kind, Sentence

SAY_TOGETHER = 0.6
PRECISION, RECALL, SAY_RECALL, RELATION_RECALL = 0.8, 0.6, 0.3, 0.1
PLACE_ON, OTHER_PLACES_ON, PLACE_SHARE = 0.6, 0.1, 0.5
NAMED_TOKENS = 3

PLACE_KINDS = {Kind.CITY_STATE, Kind.CITY_COUNTRY, Kind.TWO_HOP_STATE, Kind.TWO_HOP_COUNTRY}
RELATION_KINDS = {Kind.TWO_HOP_STATE, Kind.TWO_HOP_COUNTRY, Kind.STATE_FACT, Kind.COUNTRY_FACT}
WORD_KINDS = {Kind.OPPOSITE, Kind.TRANSLATION, Kind.TRANSLATED_OPPOSITE}


@dataclass(frozen=True)
class Position:
    """One token of one sentence of the corpus: which sentence, which place, and where the prompt ends."""

    sentence: Sentence
    token: str
    following: str
    is_last: bool


@dataclass(frozen=True)
class Reading:
    """A way of reading a position: its value there, or None; `label` turns a value into a label."""

    name: str
    value: Callable[[Position], str | None]
    label: str


def _at_end(kinds: set[Kind], value: Callable[[Sentence], str]) -> Callable[[Position], str | None]:
    return lambda p: value(p.sentence) if p.is_last and p.sentence.kind in kinds else None


def _ones(sentence: Sentence) -> str:
    a, b = sorted(int(part) % 10 for part in sentence.subject.split("+"))
    return f"{a} + {b}"


def _tens(sentence: Sentence) -> str:
    a, b = (int(part) // 10 for part in sentence.subject.split("+"))
    return str(a + b)


def _answer_language(sentence: Sentence) -> str:
    return sentence.relation.split(" to ")[-1]


@cache
def _place_words() -> dict[str, str]:
    """The place of every word that belongs to one alone: its name, its cities, and what only its facts name."""
    owners: dict[str, set[str]] = {}
    for place in (*facts.states(), *facts.countries()):
        for word in (place.name, *place.cities, *place.facts.values()):
            owners.setdefault(word, set()).add(place.name)
    return {word: next(iter(places)) for word, places in owners.items() if len(places) == 1}


CITY = Reading("place, at the city", lambda p: _place_at_city(p), "{}")
PLACE_WORD = Reading("place, at any of its words", lambda p: _place_words().get(p.token), "{}")
CITY_AT_END = Reading("place, at the end", _at_end(PLACE_KINDS, lambda s: s.topic), "{}")
SAY = Reading("answer", lambda p: p.following if p.is_last else None, "say {}")
TOKEN = Reading("token", lambda p: p.token, "{}")
FOLLOWING = Reading("next token", lambda p: p.following, "say {}")
RELATION = Reading("relation", lambda p: p.sentence.relation if p.sentence.kind in RELATION_KINDS else None, "{}")
CONCEPT = Reading(
    "concept",
    lambda p: p.sentence.topic if p.sentence.kind in WORD_KINDS and p.token == p.sentence.subject else None,
    "{} (any language)",
)
READINGS = (
    CITY,
    SAY,
    CITY_AT_END,
    TOKEN,
    CONCEPT,
    Reading("concept", _at_end(WORD_KINDS, lambda s: s.topic), "{} (any language)"),
    RELATION,
    Reading("answer's language", _at_end(WORD_KINDS, _answer_language), "say a word in {}"),
    Reading("ones", _at_end({Kind.SUM}, _ones), "ones {}"),
    Reading("tens", _at_end({Kind.SUM}, _tens), "tens make {}"),
    Reading("sum", _at_end({Kind.SUM}, lambda s: f"{int(s.topic) // 10}_"), "sum is {}"),
    Reading("last digit", _at_end({Kind.SUM}, lambda s: s.topic[-1]), "sum ends in {}"),
    Reading("rhyme", _at_end({Kind.COUPLET}, lambda s: s.topic), "rhyme in -{}"),
    Reading("sport", _at_end({Kind.ATHLETE}, lambda s: s.topic), "plays {}"),
    Reading("kind", _at_end(set(Kind), lambda s: s.kind.value), "question: {}"),
)


def _place_at_city(position: Position) -> str | None:
    sentence = position.sentence
    return sentence.topic if sentence.kind in PLACE_KINDS and position.token == sentence.subject else None


def label_features(
    activation: Float[Tensor, "positions features"], positions: Sequence[Position], promoted: Sequence[set[str]]
) -> list[str | None]:
    """Label every feature of one layer by the rule above; `promoted` holds the tokens each feature promotes most."""
    total = activation.sum(0)
    labels: list[str | None] = [None] * activation.shape[1]
    for reading in READINGS:
        values, number, counts = _numbered(reading, positions)
        if not values:
            continue
        mass, on = _by_value(activation, number, len(values))
        at_words = mass
        if reading is CITY:
            at_words, _ = _by_value(activation, _numbers(PLACE_WORD, positions, values), len(values))
        if reading in (CITY, CITY_AT_END):
            fits = _fits_place(on, counts) & (total > 0)
        else:
            recall = {SAY.name: SAY_RECALL, RELATION.name: RELATION_RECALL}.get(reading.name, RECALL)
            fits = (mass >= PRECISION * total) & (on >= recall * counts[:, None]) & (total > 0)
        for feature in fits.any(0).nonzero()[:, 0].tolist():
            if labels[feature] is not None:
                continue
            ranked = sorted(fits[:, feature].nonzero()[:, 0].tolist(), key=lambda v: -mass[v, feature].item())
            words = [values[v] for v in ranked[:NAMED_TOKENS]]
            if at_words[ranked[:NAMED_TOKENS], feature].sum() < PLACE_SHARE * total[feature]:
                continue
            if reading is SAY and words[0] not in promoted[feature]:
                continue
            labels[feature] = reading.label.format(", ".join(words))
    for reading, needed_share in ((SAY, SAY_TOGETHER), (TOKEN, PRECISION), (FOLLOWING, PRECISION)):
        values, number, _ = _numbered(reading, positions)
        mass, _ = _by_value(activation, number, len(values))
        if not values:
            continue
        best = mass.topk(min(NAMED_TOKENS, len(values)), dim=0)
        share = best.values.cumsum(0)
        for feature in (share[-1] >= needed_share * total).nonzero()[:, 0].tolist():
            if labels[feature] is None and total[feature] > 0:
                needed = 1 + int((share[:, feature] < needed_share * total[feature]).sum())
                labels[feature] = reading.label.format(
                    ", ".join(values[v] for v in best.indices[:needed, feature].tolist())
                )
    return labels


def _fits_place(
    on: Float[Tensor, "values features"], counts: Float[Tensor, " values"]
) -> Bool[Tensor, "values features"]:
    elsewhere = (on.sum(0) - on) / (counts.sum() - counts)[:, None]
    return (on / counts[:, None] >= PLACE_ON) & (elsewhere <= OTHER_PLACES_ON)


def _numbered(
    reading: Reading, positions: Sequence[Position]
) -> tuple[list[str], Int[Tensor, " positions"], Float[Tensor, " values"]]:
    """The reading's values, the number of each position's value (-1: none) and how many positions have each."""
    values = list(dict.fromkeys(value for p in positions if (value := reading.value(p)) is not None))
    number = _numbers(reading, positions, values)
    return values, number, number[number >= 0].bincount(minlength=len(values)).float()


def _numbers(reading: Reading, positions: Sequence[Position], values: Sequence[str]) -> Int[Tensor, " positions"]:
    """Which of `values` each position has; -1 where it has none of them."""
    place = {value: number for number, value in enumerate(values)}
    return torch.tensor([place.get(reading.value(p) or "", -1) for p in positions])


def _by_value(
    activation: Float[Tensor, "positions features"], number: Int[Tensor, " positions"], count: int
) -> tuple[Float[Tensor, "values features"], Float[Tensor, "values features"]]:
    """Summed activation, and number of positions on, for each value."""
    kept = number >= 0
    some, where = activation[kept], number[kept]
    zeros = torch.zeros(count, activation.shape[1])
    return zeros.index_add(0, where, some), zeros.index_add(0, where, (some > 0).float())
