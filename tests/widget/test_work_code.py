"""The circuit and all of the work as Python lines, which make the same again in a fresh interpreter."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.widget.history.history import HistoryEntry
from circuit_widget.widget.history.work import Work
from circuit_widget.widget.history.work_code import circuit_code, work_code
from circuit_widget.widget.widget import CircuitWidget
from tests.hostile import HOSTILE
from tests.widget.conftest import Open
from tests.widget.frontend import answered
from tests.widget.small_graph import small_graph

PROMPT = "the capital of the state containing Dallas is"

PROGRAM = """
import json
names = {}
exec(open("code.py", encoding="utf-8").read(), names)
widget = names["widget"]
controls = [one.controls for one in widget._experiments.work().entries]
json.dump({
    "nodes": widget.graph.node_ids,
    "circuit": widget.circuit.to_json(),
    "history": json.loads(widget.history().drop(columns="seconds").to_json(orient="records")),
    "logits": [effect.logits_after.tolist() for effect in widget.effects],
    "controls": [None if one is None else [other.logits_after.tolist() for other in one.controls] for one in controls],
    "displayed": widget.effect and widget.effect["id"],
}, open("found.json", "w"))
widget.close()
"""


def run(code: str, folder: Path) -> dict[str, Any]:
    """Run code in a fresh interpreter, elsewhere, and return what the widget has then."""
    (folder / "code.py").write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def widget() -> Iterator[CircuitWidget]:
    """A widget whose first group is gone, with names that are the ids of other nodes."""
    made = cw.load("demo", device="cpu", dtype="float32").trace(PROMPT).show()
    ids = made.graph.node_ids
    made.group("gone", ids[:1])
    made.group("'); import os #", ids[:2])
    made.ablate(ids[5])
    # From here on, a node's id is the name of a group, and the label of another node.
    made.group(ids[5], ids[2:4])
    made.label(ids[6], ids[7])
    made.pin(ids[8])
    made.circuit = made.circuit.move(ids[5], 0.25, 1).threshold(node=0.7)
    made.controls(n=2, seed=3)
    made.scale([cw.Feature(*_place(made.graph, 7))], -2, mode="frozen_attention")
    made.rename_experiment(2, 'by name "\\ 東京')
    made.swap(ids[4], "the capital of the state containing Oakland is")
    made.forget(2)
    made.scale(ids[9], 2)
    made.recall(1)
    yield made
    made.close()


def _place(graph: cw.Graph, index: int) -> tuple[int, int, int]:
    return (
        int(graph.feature_layer[index]),
        int(graph.feature_position[index]),
        int(graph.feature_index[index]),
    )


def test_everything_comes_out_the_same(widget: CircuitWidget, tmp_path: Path) -> None:
    work = widget._experiments.work()
    found = run(work_code(widget.graph, work), tmp_path)
    assert found["nodes"] == list(widget.graph.node_ids)
    assert Circuit.from_json(found["circuit"]) == widget.circuit
    for again, one in zip(found["history"], widget.history().to_dict("records"), strict=True):
        for column in ("name", "mode", "interventions", "token", "likeliest"):
            assert again[column] == one[column]
        assert again["kl"] == pytest.approx(one["kl"], abs=1e-5)
    for logits, effect in zip(found["logits"], widget.effects, strict=True):
        np.testing.assert_allclose(logits, effect.logits_after, atol=1e-5, rtol=0)
    for logits, entry in zip(found["controls"], work.entries, strict=True):
        assert (logits is None) == (entry.controls is None)
        if entry.controls is not None:
            np.testing.assert_allclose(
                logits, [other.logits_after for other in entry.controls.controls], atol=1e-5, rtol=0
            )
    assert found["displayed"] == 1


def test_a_circuit_comes_out_the_same_on_its_graph(widget: CircuitWidget, tmp_path: Path) -> None:
    trace = f'import circuit_widget as cw\ngraph = cw.load("demo").trace({PROMPT!r})\n'
    found = run(trace + circuit_code(widget.graph, widget.circuit), tmp_path)
    assert Circuit.from_json(found["circuit"]) == widget.circuit
    assert found["history"] == []


def test_names_and_labels_are_literals() -> None:
    graph = small_graph()
    for text in HOSTILE.values():
        circuit = Circuit()
        try:
            circuit = circuit.group(text, ["1_8_4"]).label("2_9_5", text)
        except cw.CircuitWidgetError:
            continue
        code = circuit_code(graph, circuit)
        assert all(character.isprintable() or character == "\n" for character in code)
        imported, made, opened, displayed = ast.parse(code).body
        assert [ast.unparse(one) for one in (imported, opened, displayed)] == [
            "import circuit_widget as cw", "widget = graph.show(circuit=circuit)", "widget",
        ]  # fmt: skip
        assert isinstance(made, ast.Assign)
        assert isinstance(made.value, ast.Call)
        assert ast.unparse(made.value.func) == "cw.Circuit.from_json"
        assert Circuit.from_json(ast.literal_eval(made.value.args[0])) == circuit


def test_the_last_lines_display_what_was_displayed(show: Open) -> None:
    widget, page = show()

    def everything() -> list[str]:
        reply = answered(page, page.request("code", {"what": "everything"}))
        return str(reply["body"]["code"]).splitlines()

    assert everything()[-2:] == ["widget = graph.show(circuit=circuit)", "widget"]
    widget.ablate("1_8_4")
    assert everything()[-2:] == ["widget.recall(displayed['id'])", "widget"]
    widget.reset()
    assert everything()[-2:] == ["widget.reset()", "widget"]
    assert answered(page, page.request("code", {"what": "circuit"}))["body"]["code"] == circuit_code(
        widget.graph, widget.circuit
    )


def test_an_experiment_on_another_graph_is_left_out_with_a_word(show: Open) -> None:
    widget, _ = show()
    effect = widget.ablate("1_8_4")
    other = replace(effect, graph=small_graph(position=4))
    code = work_code(widget.graph, Work(Circuit(), (HistoryEntry(1, "one\n", other),), 1, 1))
    assert "# one\N{REPLACEMENT CHARACTER}: it ran on another graph. Display it and copy it by itself.\n" in code
    assert "intervene" not in code
    assert code.endswith("widget.reset()\nwidget\n")
