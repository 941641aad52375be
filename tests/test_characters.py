"""Texts are cut between visible characters, against the table that the frontend is tested against, too."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuit_widget.characters import beginning, half_character, repaired, shortened

FIXTURE = json.loads((Path(__file__).parent / "fixtures/characters.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", FIXTURE["cases"], ids=lambda case: case["case"])
def test_case(case: dict[str, Any]) -> None:
    text, most = case["text"], case["most"]
    assert len(text) == case["length"]
    assert beginning(text, most) == case["beginning"]
    assert shortened(text, most) == case["shortened"]
    assert repaired(text) == case["repaired"]
    assert (half_character(text) is None) == (repaired(text) == text)


@given(st.text(st.characters(exclude_categories=()), max_size=30), st.integers(1, 12))
def test_what_is_cut_and_repaired_can_be_sent_and_is_no_longer_than_allowed(text: str, most: int) -> None:
    whole = repaired(text)
    assert len(whole) == len(text)
    for cut in (beginning(whole, most), shortened(whole, most)):
        assert len(cut) <= most
        assert cut.encode().decode() == cut
    assert whole.startswith(beginning(whole, most))
    assert bool(beginning(whole, most)) == bool(whole)


def test_half_a_character_is_named() -> None:
    assert half_character("Texas \ud83d") == "U+D83D"
    assert half_character("Texas 🤠") is None
