"""The circuit as a file of the page: Python reads what it saves, and checks the nodes of what it opens."""

import json
from pathlib import Path
from typing import Any

import pytest

from circuit_widget.circuit.circuit import Circuit, Supernode
from circuit_widget.graph import PromptToken
from circuit_widget.widget.state.file_names import file_stem
from tests.widget.conftest import Open
from tests.widget.frontend import answered
from tests.widget.small_graph import FIXTURES, small_graph

SAVED = FIXTURES / "saved_circuit.json"
NAMES: list[dict[str, Any]] = json.loads((FIXTURES / "file_names.json").read_text(encoding="utf-8"))


def test_what_the_page_saves_is_loaded_and_saved_again_as_it_was(tmp_path: Path) -> None:
    circuit = Circuit.load(SAVED)
    assert circuit == Circuit(
        pinned=("4_40_5", "E_4_4"),
        supernodes=(Supernode("s1", 'say "Austin" \\ </script> 東京 🤠', 5, ("1_8_4", "0_2_4")),),
        labels={"1_8_4": "'); import os #", "__proto__": "a name that objects have"},
        positions={"s1": (0.25, 1.0)},
        node_threshold=0.8,
        edge_threshold=1.0,
        revision=9,
    )
    # JavaScript writes whole numbers without a fraction.
    again = circuit.save(tmp_path / "again.json").read_text(encoding="utf-8")
    assert again.replace("1.0", "1") == SAVED.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", NAMES, ids=lambda case: case["stem"])
def test_files_are_named_by_the_words_of_the_prompt(case: dict[str, Any]) -> None:
    # The graph has six tokens; those without a word add nothing to the name.
    texts = [*case["tokens"], *["."] * (6 - len(case["tokens"]))]
    tokens = [PromptToken(text, number) for number, text in enumerate(texts)]
    assert file_stem(small_graph(tokens=tokens)) == case["stem"]


def test_the_kernel_checks_the_nodes_of_a_circuit_that_the_page_opens(show: Open) -> None:
    widget, page = show()
    before = widget.circuit
    reply = answered(page, page.request("check_nodes", {"nodes": ["1_8_4", "E_4_4", "4_40_5"]}))
    assert (reply["type"], reply["body"]) == ("reply", {})
    error = answered(page, page.request("check_nodes", {"nodes": ["1_8_4", "7_9_1"]}))
    assert error["code"] == "circuit"
    assert error["message"].startswith(
        "The circuit was not opened: it is of another graph. The graph has no node “7_9_1”; the nearest ids are "
    )
    assert widget.circuit == before
