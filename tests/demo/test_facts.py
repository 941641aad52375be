"""The facts are whole, unambiguous, and lead to one answer each."""

from __future__ import annotations

from collections import Counter

import pytest

from circuit_widget.demo import facts

SHARED_NAMES = {
    "Portland", "Springfield", "Columbus", "Charleston", "Newark", "Wilmington", "Kansas City", "Aurora", "Columbia", "Rochester",
    "Augusta", "Jackson", "Arlington", "Glendale", "Pasadena", "Peoria", "Lafayette", "Bloomington", "Richmond", "Vancouver", "Athens",
    "Birmingham", "Manchester", "Concord", "Salem", "Albany", "Lincoln", "Dover", "Burlington", "Santa Fe", "San Jose", "Toledo",
    "Naples", "Alexandria", "Valencia", "Cordoba", "Hamilton", "Paris", "Cambridge", "Durham", "Lancaster",
}  # fmt: skip


def places() -> list[facts.Region]:
    return [*facts.states(), *facts.countries()]


def test_there_are_fifty_states_and_every_one_has_enough_cities_to_leave_two_out() -> None:
    assert len(facts.states()) == 50
    assert min(len(state.cities) for state in facts.states()) >= 5
    assert min(len(country.cities) for country in facts.countries()) >= 3


def test_there_are_as_many_cities_as_the_corpus_promises() -> None:
    assert sum(len(state.cities) for state in facts.states()) >= 267
    assert sum(len(country.cities) for country in facts.countries()) >= 184


def test_every_city_lies_in_one_place() -> None:
    counted = Counter(city for place in places() for city in place.cities)
    assert [city for city, count in counted.items() if count > 1] == []


def test_names_shared_by_two_well_known_cities_are_in_no_question() -> None:
    assert {city for place in places() for city in place.cities} & SHARED_NAMES == set()


def test_no_city_is_also_the_name_of_a_place() -> None:
    assert {city for place in places() for city in place.cities} & {place.name for place in places()} == set()


@pytest.mark.parametrize("level", ["states", "countries"])
def test_a_capital_names_one_place(level: str) -> None:
    regions = facts.states() if level == "states" else facts.countries()
    capitals = [region.facts["capital"] for region in regions]
    assert len(set(capitals)) == len(capitals)


def test_state_abbreviations_are_two_letters_and_unique() -> None:
    found = [state.facts["abbreviation"] for state in facts.states()]
    assert len(set(found)) == 50
    assert all(len(name) == 2 and name.isupper() for name in found)


def test_capitals_and_largest_cities_lie_in_their_own_state() -> None:
    home = {city: place.name for place in places() for city in place.cities}
    for place in places():
        for relation in ("capital", "largest city"):
            city = place.facts.get(relation)
            assert home.get(city or "", place.name) == place.name


@pytest.mark.parametrize(
    ("state", "relation", "value"),
    [
        ("Texas", "capital", "Austin"),
        ("California", "capital", "Sacramento"),
        ("Alabama", "largest city", "Huntsville"),
        ("West Virginia", "largest city", "Charleston"),
        ("Vermont", "region", "Northeast"),
        ("Oklahoma", "region", "South"),
    ],
)
def test_known_facts(state: str, relation: str, value: str) -> None:
    (found,) = [region for region in facts.states() if region.name == state]
    assert found.facts[relation] == value


def test_every_word_has_one_opposite_in_its_language() -> None:
    for language in facts.LANGUAGES:
        words = [word for pair in facts.opposites() for word in pair.words[language]]
        assert [word for word, count in Counter(words).items() if count > 1] == []


def test_no_word_belongs_to_two_languages() -> None:
    languages = Counter(
        word for language in facts.LANGUAGES for pair in facts.opposites() for word in set(pair.words[language])
    )
    assert [word for word, count in languages.items() if count > 1] == []


def test_there_are_enough_opposites() -> None:
    assert len(facts.opposites()) >= 42


def test_no_word_has_two_rhymes() -> None:
    counted = Counter(word for group in facts.rhymes().values() for word in group)
    assert [word for word, count in counted.items() if count > 1] == []


def test_invented_names_are_not_those_of_athletes() -> None:
    _, lasts = facts.invented_names()
    assert set(lasts) & {name for athlete in facts.athletes() for name in (athlete.first, athlete.last)} == set()
