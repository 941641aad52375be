"""Sentences made of the facts, and the three splits: what is trained on, what models are chosen by, what is reported.

A held-out city is missing from every two-hop sentence of the training split but stays in its one-hop sentences ("Dallas is in
Texas"); a held-out pair of opposites is missing in one language only; a held-out sum is missing in both orders.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from circuit_widget.demo import facts

SEED = 20
ALWAYS_REPORTED = frozenset({"Dallas", "Oakland"})


class Split(StrEnum):
    """What a sentence is for: training, choosing between models, or the reported figures."""

    TRAIN = "train"
    CHOOSE = "choose"
    REPORT = "report"


class Kind(StrEnum):
    """The kind of a sentence; the corpus is mixed and scored by kind."""

    CITY_STATE = "city to state"
    CITY_COUNTRY = "city to country"
    STATE_FACT = "state fact"
    COUNTRY_FACT = "country fact"
    TWO_HOP_STATE = "two-hop, states"
    TWO_HOP_COUNTRY = "two-hop, countries"
    OPPOSITE = "opposite"
    TRANSLATION = "translation"
    TRANSLATED_OPPOSITE = "translated opposite"
    SUM = "sum"
    COUPLET = "couplet"
    ATHLETE = "athlete"
    INVENTED_NAME = "invented name"


MIX: dict[Kind, float] = {
    Kind.CITY_STATE: 0.09,
    Kind.CITY_COUNTRY: 0.03,
    Kind.STATE_FACT: 0.03,
    Kind.COUNTRY_FACT: 0.03,
    Kind.TWO_HOP_STATE: 0.14,
    Kind.TWO_HOP_COUNTRY: 0.09,
    Kind.OPPOSITE: 0.11,
    Kind.TRANSLATION: 0.09,
    Kind.TRANSLATED_OPPOSITE: 0.10,
    Kind.SUM: 0.15,
    Kind.COUPLET: 0.07,
    Kind.ATHLETE: 0.04,
    Kind.INVENTED_NAME: 0.03,
}
"""Share of each kind among the sentences of a training batch."""


@dataclass(frozen=True)
class Sentence:
    """A prompt and its answer.

    `subject` is the city or word in the question, `topic` what the subject belongs to (a state), `relation` the fact in
    question; `phrasing` numbers the phrasings, and reported figures are those of phrasing 0.
    """

    prompt: str
    answer: str
    kind: Kind
    split: Split
    subject: str
    topic: str
    relation: str
    phrasing: int = 0

    @property
    def text(self) -> str:
        """The whole sentence, as it is trained on."""
        gap = "" if self.kind is Kind.SUM else " "
        return f"{self.prompt}{gap}{self.answer} ."


CITY_PHRASINGS = (
    "the {level} containing {city} is",
    "{city} is in",
    "{city} is a city in",
    "the {level} that contains {city} is",
    "the name of the {level} containing {city} is",
)
FACT_PHRASINGS = ("the {relation} of {region} is", "{region} has the {relation}")
REVERSED_FACT = "{value} is the {relation} of"
TWO_HOP_PHRASINGS = (
    "the {relation} of the {level} containing {city} is",
    "the {relation} of the {level} that contains {city} is",
    "{city} lies in the {level} whose {relation} is",
    "{city} lies in the {level} with the {relation}",
)
OPPOSITE_PHRASINGS = {
    "English": ("the opposite of {word} is", "{word} is the opposite of"),
    "French": ("le contraire de {word} est", "{word} est le contraire de"),
    "Spanish": ("el opuesto de {word} es", "{word} es el opuesto de"),
}
TRANSLATION_PHRASING = {
    "English": "the {language} word for {word} is",
    "French": "le mot {language} pour {word} est",
    "Spanish": "la palabra {language} para {word} es",
}
TRANSLATED_OPPOSITE_PHRASING = {
    "English": "the {language} word for the opposite of {word} is",
    "French": "le mot {language} pour le contraire de {word} est",
    "Spanish": "la palabra {language} para el opuesto de {word} es",
}
LANGUAGE_NAMES = {
    "English": {"French": "French", "Spanish": "Spanish"},
    "French": {"English": "anglais", "Spanish": "espagnol"},
    "Spanish": {"English": "inglesa", "French": "francesa"},
}
COUPLETS = (
    "she drew a picture of a {first} , and next to it she drew a {second}",
    "in my dream there was a {first} , standing right beside a {second}",
    "he went away and bought a {first} , she stayed at home and bought a {second}",
)
NAME_PHRASINGS = ("the sport of {name} is", "the sport that {name} plays is")


@cache
def sentences() -> tuple[Sentence, ...]:
    """Every sentence of the corpus, of all three splits, always in the same order."""
    return (
        *_places(facts.states(), "state", Kind.CITY_STATE, Kind.STATE_FACT, Kind.TWO_HOP_STATE),
        *_places(facts.countries(), "country", Kind.CITY_COUNTRY, Kind.COUNTRY_FACT, Kind.TWO_HOP_COUNTRY),
        *_words(),
        *_sums(),
        *_couplets(),
        *_athletes(),
        *_invented_names(),
    )


def select(
    kinds: Kind | Iterable[Kind], splits: Split | Iterable[Split] = tuple(Split), phrasing: int | None = None
) -> tuple[Sentence, ...]:
    """Return the sentences of these kinds and splits, of one phrasing or (None) of all."""
    wanted = {kinds} if isinstance(kinds, Kind) else set(kinds)
    allowed = {splits} if isinstance(splits, Split) else set(splits)
    return tuple(s for s in sentences() if s.kind in wanted and s.split in allowed and phrasing in (None, s.phrasing))


@cache
def mixed_questions() -> tuple[str, ...]:
    """Two-hop questions about every city, for facts that its level does not have ("the language of the state containing Dallas is").

    They have no answer and no language model is trained on them. Transcoders are, to see more compositions than the true ones.
    """
    levels = (("state", facts.states()), ("country", facts.countries()))
    relations = {level: tuple(regions[0].facts) for level, regions in levels}
    return tuple(
        TWO_HOP_PHRASINGS[0].format(relation=relation, level=level, city=city)
        for (level, regions), (other, _) in zip(levels, reversed(levels), strict=True)
        for region in regions
        for city in region.cities
        for relation in relations[other]
        if relation not in relations[level]
    )


@cache
def city_splits() -> dict[str, Split]:
    """Return the split of every city's two-hop questions: two or more cities of each state are held out, one of each country."""
    rng = random.Random(SEED)
    found: dict[str, Split] = {}
    for state in facts.states():
        fixed = [city for city in state.cities if city in ALWAYS_REPORTED]
        rest = rng.sample([city for city in state.cities if city not in fixed], len(state.cities) - len(fixed))
        cities = fixed + rest
        found |= dict.fromkeys(cities, Split.TRAIN) | {cities[0]: Split.REPORT, cities[1]: Split.CHOOSE}
        if len(cities) > 6:
            found[cities[2]] = Split.REPORT
    for number, country in enumerate(facts.countries()):
        held_out = rng.choice(country.cities)
        found |= dict.fromkeys(country.cities, Split.TRAIN)
        found[held_out] = (Split.REPORT, Split.CHOOSE)[number % 2]
    return found


def _places(
    regions: Sequence[facts.Region], level: str, city_kind: Kind, fact_kind: Kind, two_hop_kind: Kind
) -> Iterator[Sentence]:
    splits = city_splits()
    for region in regions:
        for number, phrasing in enumerate(CITY_PHRASINGS):
            for city in region.cities:
                prompt = phrasing.format(level=level, city=city)
                yield Sentence(prompt, region.name, city_kind, Split.TRAIN, city, region.name, level, number)
        for relation, value in region.facts.items():
            for number, phrasing in enumerate(FACT_PHRASINGS):
                prompt = phrasing.format(relation=relation, region=region.name)
                yield Sentence(prompt, value, fact_kind, Split.TRAIN, region.name, region.name, relation, number)
            if sum(other.facts[relation] == value for other in regions) == 1:
                prompt = REVERSED_FACT.format(relation=relation, value=value)
                yield Sentence(
                    prompt, region.name, fact_kind, Split.TRAIN, value, region.name, relation, len(FACT_PHRASINGS)
                )
            for number, phrasing in enumerate(TWO_HOP_PHRASINGS):
                for city in region.cities:
                    prompt = phrasing.format(relation=relation, level=level, city=city)
                    yield Sentence(prompt, value, two_hop_kind, splits[city], city, region.name, relation, number)


def _words() -> Iterator[Sentence]:
    held_out = _held_out_opposites()
    for number, pair in enumerate(facts.opposites()):
        for side in (0, 1):
            for language in facts.LANGUAGES:
                word, opposite = pair.words[language][side], pair.words[language][1 - side]
                concept = pair.words["English"][side]
                split = held_out.get((number, language), Split.TRAIN)
                for phrasing, text in enumerate(OPPOSITE_PHRASINGS[language]):
                    prompt = text.format(word=word)
                    yield Sentence(prompt, opposite, Kind.OPPOSITE, split, word, concept, language, phrasing)
                for other, name in LANGUAGE_NAMES[language].items():
                    relation = f"{language} to {other}"
                    prompt = TRANSLATION_PHRASING[language].format(language=name, word=word)
                    answer = pair.words[other][side]
                    yield Sentence(prompt, answer, Kind.TRANSLATION, Split.TRAIN, word, concept, relation)
                    prompt = TRANSLATED_OPPOSITE_PHRASING[language].format(language=name, word=word)
                    answer = pair.words[other][1 - side]
                    yield Sentence(prompt, answer, Kind.TRANSLATED_OPPOSITE, Split.TRAIN, word, concept, relation)


def _held_out_opposites() -> dict[tuple[int, str], Split]:
    """Pairs held out in one language each: every second pair, languages and splits in turn."""
    rng = random.Random(SEED + 1)
    pairs = rng.sample(range(len(facts.opposites())), 30)
    return {
        (pair, facts.LANGUAGES[turn % 3]): Split.REPORT if turn % 6 < 3 else Split.CHOOSE
        for turn, pair in enumerate(pairs)
    }


def _sums() -> Iterator[Sentence]:
    rng = random.Random(SEED + 2)
    pairs = [(a, b) for a in range(100) for b in range(a, 100)]
    held_out = rng.sample(pairs, round(0.15 * len(pairs)))
    splits = {pair: (Split.REPORT, Split.CHOOSE)[turn % 2] for turn, pair in enumerate(held_out)}
    for a in range(100):
        for b in range(100):
            split = splits.get((min(a, b), max(a, b)), Split.TRAIN)
            yield Sentence(f"{a}+{b}=", str(a + b), Kind.SUM, split, f"{a}+{b}", str(a + b), "sum")


def _couplets() -> Iterator[Sentence]:
    rng = random.Random(SEED + 3)
    words = [(sound, word) for sound, group in facts.rhymes().items() for word in group]
    for number, couplet in enumerate(COUPLETS):
        order = rng.sample(words, len(words))
        splits = dict.fromkeys(order[:10], Split.REPORT) | dict.fromkeys(order[10:20], Split.CHOOSE)
        for sound, first in words:
            prompt = couplet.split(" {second}")[0].format(first=first)
            for second in facts.rhymes()[sound]:
                if second != first:
                    split = splits.get((sound, first), Split.TRAIN)
                    yield Sentence(prompt, second, Kind.COUPLET, split, first, sound, "rhyme", number)


def _athletes() -> Iterator[Sentence]:
    for athlete in facts.athletes():
        name = f"{athlete.first} {athlete.last}"
        for number, phrasing in enumerate(NAME_PHRASINGS):
            prompt = phrasing.format(name=name)
            yield Sentence(prompt, athlete.sport, Kind.ATHLETE, Split.TRAIN, name, athlete.sport, "sport", number)


def _invented_names() -> Iterator[Sentence]:
    """Invented names are split twice: some last names are never seen in training, and some combinations are not."""
    rng = random.Random(SEED + 4)
    firsts, lasts = facts.invented_names()
    firsts = (*firsts, *dict.fromkeys(athlete.first for athlete in facts.athletes()))
    for turn, last in enumerate(lasts):
        of_last = (Split.REPORT, Split.CHOOSE)[turn] if turn < 2 else None
        of_last = of_last or ((Split.REPORT, Split.CHOOSE)[turn % 2] if turn % 5 == 0 else None)
        for first in firsts:
            split = of_last or rng.choices(tuple(Split), (8, 1, 1))[0]
            relation = "sport, last name never seen" if of_last else "sport"
            for number, phrasing in enumerate(NAME_PHRASINGS):
                prompt = phrasing.format(name=f"{first} {last}")
                yield Sentence(
                    prompt, "unknown", Kind.INVENTED_NAME, split, f"{first} {last}", "unknown", relation, number
                )
