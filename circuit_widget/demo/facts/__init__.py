"""The facts the corpus is made of, read from the CSV files in this folder. Names of two well-known cities are left out."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
LANGUAGES = ("English", "French", "Spanish")


@dataclass(frozen=True)
class Region:
    """A state or a country: its name, its four facts (`capital`, `abbreviation`, ...) and its cities in the corpus."""

    name: str
    facts: dict[str, str]
    cities: tuple[str, ...]


@dataclass(frozen=True)
class Opposites:
    """Two words that are each other's opposite, in every language: `words[language] == (word, opposite)`."""

    words: dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Athlete:
    """A real athlete, first and last name, and the sport."""

    first: str
    last: str
    sport: str


@cache
def states() -> tuple[Region, ...]:
    """The fifty states of the USA: capital, largest city (2020 census), abbreviation, census region."""
    return _regions("state", "states.csv", "state_cities.csv")


@cache
def countries() -> tuple[Region, ...]:
    """Countries with one main language, on one continent: capital, language, continent, currency."""
    return _regions("country", "countries.csv", "country_cities.csv")


@cache
def opposites() -> tuple[Opposites, ...]:
    """Pairs of opposites in English, French and Spanish."""
    return tuple(
        Opposites({language: (row[language], row[f"{language} opposite"]) for language in LANGUAGES})
        for row in _rows("antonyms.csv")
    )


@cache
def rhymes() -> dict[str, tuple[str, ...]]:
    """Words that rhyme, by their sound."""
    return {row["sound"]: tuple(row["words"].split("|")) for row in _rows("rhymes.csv")}


@cache
def athletes() -> tuple[Athlete, ...]:
    """Athletes of the past and present, with their sport."""
    found = []
    for row in _rows("athletes.csv"):
        first, last = row["name"].split(" ")
        found.append(Athlete(first, last, row["sport"]))
    return tuple(found)


@cache
def invented_names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """First names, and last names that were made up: together they name nobody known."""
    parts = {row["part"]: tuple(row["names"].split("|")) for row in _rows("invented_names.csv")}
    return parts["first"], parts["last"]


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _regions(kind: str, facts_file: str, cities_file: str) -> tuple[Region, ...]:
    cities = {row[kind]: tuple(row["cities"].split("|")) for row in _rows(cities_file)}
    return tuple(Region(row.pop(kind), row, cities[name]) for row in _rows(facts_file) for name in [row[kind]])
