"""The circuit and the history of a widget are in its file, and come back from there with the same numbers."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.errors import CircuitError, CircuitWidgetWarning, PromptError
from circuit_widget.graph import Feature
from circuit_widget.widget.widget import CircuitWidget
from tests.widget.conftest import Open
from tests.widget.frontend import answered
from tests.widget.linear_model import LinearModel, wait_for
from tests.widget.small_graph import small_graph

TEXAS = ["0_2_4", "0_19_4", "1_8_4"]
AUSTIN = ["2_9_5"]


def work(widget: CircuitWidget) -> None:
    """Do what a user does: groups, labels, moves, thresholds, experiments with names and controls."""
    widget.group("Texas", TEXAS)
    widget.pin([*AUSTIN, "1_1_5"])
    widget.label("1_1_5", "say <b>\u202e capital".replace("\u202e", ""))
    widget.circuit = widget.circuit.move("Texas", 0.25, 0.5).threshold(node=0.7, edge=0.9)
    widget.ablate("Texas")
    widget.controls(n=3)
    widget.scale(AUSTIN, -2, mode="frozen_attention")
    widget.set(Feature(1, 4, 40), 2.5)
    widget.rename_experiment(2, "Austin ×−2, by name")
    widget.recall(1)


def kept(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def messages(widget: CircuitWidget) -> list[dict[str, Any]]:
    """What the page gets of each experiment."""
    found = []
    for number in widget.history()["id"].tolist():
        widget.recall(number)
        found.append(
            {
                **widget.effect,
                "nodes": dict(zip(widget.effect["nodes"]["ids"], widget.effect["nodes"]["after"], strict=True)),
            }
        )
    return found


def test_the_work_comes_back_with_the_same_numbers(show: Open, tmp_path: Path) -> None:
    path = tmp_path / "dallas.circuit.json"
    widget, page = show(keep=path)
    assert page.traits["kept"] == {"file": path.name, "sentence": "", "step": None}
    assert not path.exists()
    work(widget)
    wait_for(path.exists)
    before, table, csv = widget.circuit, widget.history(), widget.history_file()
    displayed = widget.effect
    widget.close()
    again, page = show(small_graph(), keep=path)
    assert again.circuit == before
    page.hear()
    assert page.traits["circuit"] == before.to_json()
    assert page.traits["experiments"][1]["name"] == "Austin ×−2, by name"
    assert page.traits["effect"]["id"] == 1
    assert again.history_file() == csv
    assert again.history().equals(table)
    assert again.effect["controls"] == displayed["controls"]
    assert again.effect["tokens"] == displayed["tokens"]
    np.testing.assert_allclose(again.effect["nodes"]["after"], displayed["nodes"]["after"], rtol=1e-6)


def test_restored_experiments_are_compared_named_deleted_and_saved_again(show: Open, tmp_path: Path) -> None:
    path = tmp_path / "dallas.circuit.json"
    widget, _ = show(keep=path)
    work(widget)
    compared = widget.compare(1, 2)
    widget.close()
    again, page = show(keep=path)
    assert again.compare(1, 2).equals(compared)
    reply = answered(page, page.request("compare", {"id": 2, "beside": 1}))
    assert len(reply["body"]["tokens"]) == len(compared)
    made = again.ablate(AUSTIN)
    assert again.history()["id"].tolist() == [1, 2, 3, 4]
    assert len(again.compare(1, 4)) >= 10
    again.rename_experiment(1, "the state")
    again.forget(2)
    again.recall(3)
    assert again.controls(n=2).effect.interventions == again._experiments.effect_of(3).interventions
    again.close()
    third, _ = show(keep=path)
    assert third.history()["id"].tolist() == [1, 3, 4]
    assert third.history()["name"].tolist()[0] == "the state"
    assert third._experiments.effect_of(4).kl == made.kl


def test_a_restored_experiment_runs_again_to_the_same_numbers(show: Open, tmp_path: Path) -> None:
    path = tmp_path / "dallas.circuit.json"
    widget, _ = show(keep=path)
    work(widget)
    first = widget.effects
    widget.close()
    again, _ = show(keep=path)
    for earlier, restored in zip(first, again.effects, strict=True):
        repeated = again.intervene(restored.interventions, mode=restored.mode)
        assert repeated.tokens.equals(earlier.tokens)
        assert restored.kl == earlier.kl
        assert restored.name == earlier.name
        for token in restored.tokens["token_id"]:
            assert restored.probability(token) == pytest.approx(earlier.probability(token), rel=1e-6)
            assert restored.rank(token) == earlier.rank(token)
        restored.plot()
        assert restored.to_frame().shape == earlier.to_frame().shape


def test_a_token_that_was_not_saved_has_no_number(tmp_path: Path) -> None:
    model = cw.load("demo", transcoders=None)
    graph = model.trace("the capital of Texas is")
    path = tmp_path / "kept.json"
    widget = cw.CircuitWidget(graph, keep=path)
    effect = widget.ablate(graph.node_ids[0])
    unlikely = int(np.argmin(effect.logits_before))
    widget.close()
    restored = cw.CircuitWidget(graph, keep=path)
    (again,) = restored.effects
    known = len(again.saved.ranks) if again.saved else 0
    if known < len(effect.logits_before):
        for read in (again.probability, again.rank, again.predicted_probability):
            with pytest.raises(PromptError, match="not among the likely tokens that were saved"):
                read(unlikely)
    assert again.targets.equals(effect.targets)
    restored.close()


def test_controls_are_displayed_for_boxes_that_are_the_same(show: Open, tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    widget, _ = show(keep=path)
    work(widget)
    boxes = widget.effect["controls"]["boxes"]
    assert "s1" in [box["id"] for box in boxes]
    widget.close()
    again, _ = show(keep=path)
    again.circuit = again.circuit.remove(["0_2_4"]).add("Texas", ["0_7_2"])
    again.recall(1)
    assert again.effect["controls"]["boxes"] == [box for box in boxes if box["id"] != "s1"]


def test_what_is_left_is_written_by_closing_and_by_the_end_of_the_process(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    code = f"""
from tests.widget.small_graph import small_graph
import circuit_widget as cw
widget = cw.CircuitWidget(small_graph(), keep={str(path)!r})
widget.pin("2_9_5")
"""
    run_python(code)
    assert kept(path)["circuit"]["pinned"] == AUSTIN
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def run_python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100, cwd=Path(__file__).parents[2])


def test_killed_in_the_middle_of_200_saves_the_file_is_good(show: Open, tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    code = f"""
from tests.widget.small_graph import small_graph
import circuit_widget as cw
widget = cw.CircuitWidget(small_graph(), keep={str(path)!r})
print("ready", flush=True)
for number in range(200):
    widget.group(f"group {{number}}", ["2_9_5"])
    widget._graphs.displayed.keeping.flush()
"""
    for saves in (1, 40):
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        count, last = 0, b""
        while count < saves:
            assert process.poll() is None
            now = path.read_bytes() if path.exists() else b""
            count, last = count + (now != last), now
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        widget, _ = show(keep=path)
        assert widget.circuit.supernodes[0].name.startswith("group ")
        # The next save clears up what the killed one left.
        widget.pin(AUSTIN)
        widget.close()
        assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_file_that_another_process_keeps_is_refused_and_free_after_its_end(show: Open, tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    code = f"""
import sys
from tests.widget.small_graph import small_graph
import circuit_widget as cw
widget = cw.CircuitWidget(small_graph(), keep={str(path)!r})
widget.pin("2_9_5")
widget._graphs.displayed.keeping.flush()
print("ready", flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdout.readline()
    before = path.read_bytes()
    with pytest.raises(CircuitError, match=rf"kept by another kernel, process {process.pid}: two would overwrite"):
        show(keep=path)
    assert path.read_bytes() == before
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    widget, _ = show(keep=path)
    assert widget.circuit.pinned == tuple(AUSTIN)


def test_a_cell_that_runs_again_takes_the_file_over(show: Open, tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    first, earlier = show(keep=path)
    work(first)
    second, page = show(small_graph(), keep=path)
    assert second.circuit == first.circuit
    assert len(second.history()) == 3
    earlier.hear()
    assert earlier.traits["kept"]["file"] is None
    assert earlier.traits["kept"]["sentence"] == (
        "No longer kept in kept.json: a widget that was opened later keeps it."
    )
    assert page.traits["kept"]["file"] == "kept.json"
    first.pin("0_3_1")
    second.label("0_3_1", "of the second")
    first.close()
    second.close()
    assert kept(path)["circuit"]["labels"]["0_3_1"] == "of the second"
    assert "0_3_1" not in kept(path)["circuit"]["pinned"]


def test_the_file_of_another_graph_is_refused_and_unchanged(show: Open, tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    widget, _ = show(keep=path)
    work(widget)
    widget.close()
    before = path.read_bytes()
    other = small_graph(position=4)
    with pytest.raises(
        CircuitError, match="belongs to another graph: its prompt is the same, but its nodes or targets"
    ):
        CircuitWidget(other, keep=path)
    words = [cw.graph.PromptToken(word, number) for number, word in enumerate(("<bos>", "a", "b", "c", "d", "e"))]
    with pytest.raises(CircuitError, match=r"its prompt is “<bos>thecapital.*”, and this one's is “<bos>abcde”"):
        CircuitWidget(small_graph(tokens=words, position=4), keep=path)
    assert path.read_bytes() == before
    assert cw.Circuit.load(path) == widget.circuit
    # The refusal leaves no lock.
    show(keep=path)


def test_a_given_circuit_does_not_replace_that_of_the_file(show: Open, tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    widget, _ = show(keep=path)
    widget.pin(AUSTIN)
    widget.close()
    with pytest.warns(CircuitWidgetWarning, match="and not the one given: its edits would be lost"):
        again, _ = show(keep=path, circuit=cw.Circuit().pin("0_3_1"))
    assert again.circuit.pinned == tuple(AUSTIN)


def test_a_save_that_fails_is_displayed_and_tried_again(show: Open, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "kept.json"
    widget, page = show(keep=path)
    moved = folder.rename(tmp_path / "moved")
    widget.pin(AUSTIN)
    widget._graphs.displayed.keeping.flush()
    page.hear()
    assert page.notices == [
        f"The circuit and the history are not kept at the moment. The circuit cannot be written to {path}: No such file "
        "or directory. Choose a folder that exists."
    ]
    moved.rename(folder)
    widget._graphs.displayed.keeping.flush()
    assert kept(path)["circuit"]["pinned"] == AUSTIN


def test_a_file_that_cannot_be_written_is_refused_at_once(show: Open, tmp_path: Path) -> None:
    with pytest.raises(CircuitError, match=r"cannot be written to .*Choose a folder that exists"):
        show(keep=tmp_path / "nowhere" / "kept.json")
    with pytest.raises(CircuitError, match="There is a folder of this name"):
        show(keep=tmp_path)
    with pytest.raises(CircuitError, match="A path is a text"):
        show(keep=3)


def test_the_work_of_the_last_run_comes_back_and_is_taken_away_with_one_click(show: Open, model: LinearModel) -> None:
    first, _ = show()
    work(first)
    before = first.circuit
    second, page = show(model.trace(), after_last_run=True)
    assert second.circuit == before
    assert page.traits["kept"] == {
        "file": None,
        "sentence": "The circuit of the last run of this graph",
        "step": "start_afresh",
    }
    assert all(effect.graph is second.graph for effect in second.effects)
    answered(page, page.request("start_afresh", {}))
    assert not second.circuit.boxes()
    assert second._experiments.traits.displayed is None
    assert page.traits["experiments"] == []
    assert page.traits["kept"]["sentence"] == "Started afresh"
    assert page.traits["kept"]["step"] == "bring_back"
    second.pin(AUSTIN)
    second.ablate(AUSTIN)
    assert second.history()["id"].tolist() == [4], "a number is not used again"
    answered(page, page.request("bring_back", {}))
    page.hear()
    assert second.history()["id"].tolist() == [1, 2, 3]
    assert [group.name for group in second.circuit.supernodes] == ["Texas"]
    assert page.traits["circuit"] == second.circuit.to_json()
    assert page.traits["effect"]["id"] == 1
    second.bring_back()
    assert second.history()["id"].tolist() == [4]


def test_the_work_of_a_closed_widget_is_remembered_without_its_model(show: Open) -> None:
    first, _ = show()
    work(first)
    table = first.history()
    first.close()
    second, _ = show(after_last_run=True)
    assert second.history().equals(table)
    given, page = show(after_last_run=True, circuit=cw.Circuit().pin("0_3_1"))
    assert given.circuit.pinned == ("0_3_1",)
    assert len(given.history()) == 3
    assert page.traits["kept"]["sentence"] == "The history of the last run of this graph"


def test_another_graph_and_an_empty_circuit_start_empty(show: Open) -> None:
    first, _ = show()
    second, page = show(after_last_run=True)
    assert page.traits["kept"] == {"file": None, "sentence": "", "step": None}
    work(second)
    other, _ = show(small_graph(position=4), after_last_run=True)
    assert not other.circuit.boxes()
    assert first.circuit.boxes() == ()


def test_what_was_made_without_a_file_goes_into_one_that_is_given_later(show: Open, tmp_path: Path) -> None:
    first, _ = show()
    work(first)
    path = tmp_path / "kept.json"
    second, page = show(after_last_run=True, keep=path)
    assert page.traits["kept"]["step"] == "start_afresh"
    second.close()
    assert len(kept(path)["experiments"]) == 3
