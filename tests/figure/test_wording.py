"""Numbers, interventions, names and outcomes in words: what tests/fixtures says, to which the screen is held too."""

import json
from pathlib import Path
from typing import Any

import pytest

from circuit_widget.intervention.kinds import intervention_from_json
from circuit_widget.intervention.mode import read_mode
from circuit_widget.wording.numbers import mark, percent, plain_number, probability
from circuit_widget.wording.outcome import probability_tone, ratio_tone

FIXTURES = Path(__file__).parents[1] / "fixtures"
WORDING = json.loads((FIXTURES / "wording.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("share", "words"), WORDING["percent"])
def test_shares_in_words(share: float | str, words: str) -> None:
    assert percent(float(share)) == words


@pytest.mark.parametrize(("value", "words"), WORDING["probability"])
def test_probabilities_in_words(value: float | str, words: str) -> None:
    assert probability(float(value)) == words


@pytest.mark.parametrize(("value", "words"), WORDING["plain_number"])
def test_factors_and_values_in_words(value: float | str, words: str) -> None:
    assert plain_number(float(value)) == words


@pytest.mark.parametrize(("intervention", "words"), WORDING["mark"])
def test_interventions_as_marks(intervention: dict[str, Any], words: str) -> None:
    assert mark(intervention_from_json(intervention)) == words


@pytest.mark.parametrize(("mode", "words"), WORDING["frozen"])
def test_what_modes_freeze(mode: str, words: str) -> None:
    assert read_mode(mode, 26).frozen == words


@pytest.mark.parametrize(("before", "after", "tone"), WORDING["probability_tone"])
def test_which_way_a_probability_went(before: float, after: float, tone: str) -> None:
    assert probability_tone(before, after) == tone


@pytest.mark.parametrize(("share", "tone"), WORDING["ratio_tone"])
def test_which_way_an_activation_went(share: float, tone: str) -> None:
    assert ratio_tone(share) == tone
