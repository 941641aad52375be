"""A table that a spreadsheet opens holds texts, and nothing that it runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuit_widget.spreadsheet import spreadsheet_text

STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("before", ["", " ", "\u00a0 ", "a;", "a\t", "a\n", "a\r", "a|", "a; "])
def test_a_formula_becomes_a_text_wherever_a_cell_may_start(start: str, before: str) -> None:
    safe = spreadsheet_text(f"{before}{start}cmd|' /C calc'!A0")
    assert f"'{start}" in safe
    assert not safe.lstrip(" \u00a0").startswith(STARTS)


@pytest.mark.parametrize(
    "text", ["Texas ×0, capital ×2", "a-b", "3 = 3", "x@y", "×−2", "", "'=quoted", "a +1", "é 你好 🙂"]
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert spreadsheet_text(text) == text


@given(st.text(st.characters()))
def test_no_text_begins_a_formula_or_breaks_the_file(text: str) -> None:
    safe = spreadsheet_text(text)
    safe.encode()
    assert "\0" not in safe
    for separator in ";|\t\r\n":
        assert not [cell for cell in safe.split(separator) if cell.strip(" \u00a0")[:1] in {"=", "+", "-", "@"}]
