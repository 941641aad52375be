"""A table that a spreadsheet opens holds texts, and nothing that it runs."""

import csv
import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuit_widget.graph.formats.spreadsheet import spreadsheet_text
from tests.graph.graphs import random_graph

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


@pytest.mark.parametrize("start", STARTS)
def test_texts_in_the_tables_of_a_graph_are_no_formulas(start: str, tmp_path: Path) -> None:
    graph, text = random_graph(3), f"{start}1+1"
    tokens = (dataclasses.replace(graph.tokens[0], text=text), *graph.tokens[1:])
    graph = dataclasses.replace(graph, tokens=tokens, labels={graph.node_ids[0]: f"x;{text}"})
    path = graph.export(tmp_path / "graph.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    frame = graph.to_frames()[0]
    for row, node in zip(rows, frame.to_dict(orient="records"), strict=True):
        assert row["token"] == (f"'{text}" if node["token"] == text else node["token"])
        assert (row["id"], row["kind"]) == (node["id"], node["kind"])
        # Of numbers, a minus is no formula.
        assert row["activation"] == "" or float(row["activation"]) == pytest.approx(node["activation"])
    assert rows[0]["label"] == f"x;'{text}"
