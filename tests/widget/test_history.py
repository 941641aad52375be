"""Experiments are kept, named, displayed again, deleted and written as a table, from the page and from Python alike."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from circuit_widget.errors import InterventionError, NodeError
from circuit_widget.widget.widget import CircuitWidget
from circuit_widget.widget.wire.experiment_messages import ComparisonMessage, EffectMessage, ExperimentEntry
from circuit_widget.widget.wire.schema import parse
from tests.widget.conftest import Open
from tests.widget.frontend import Page, answered
from tests.widget.linear_model import LinearModel, wait_for

TEXAS = ["0_2_4", "0_19_4", "1_8_4"]
AUSTIN = ["2_9_5"]


def test_an_experiment_runs_again_as_a_new_one(show: Open) -> None:
    widget, page = show()
    first = widget.scale(["0_2_4"], -2, mode="direct")
    widget.rename_experiment(1, "doubled")
    answer = answered(page, page.request("repeat", {"id": 1}))["body"]
    assert (answer["id"], answer["name"], answer["mode"]) == (2, "doubled", "direct")
    assert widget.effects[1].interventions == first.interventions
    assert widget.effects[1] is not first
    assert answered(page, page.request("repeat", {"id": 7}))["code"] == "node"


def test_a_kept_experiment_runs_again_where_there_is_a_model(show: Open, model: LinearModel, tmp_path: Path) -> None:
    widget, _ = show(keep=tmp_path / "x.json")
    before = widget.swap(["0_2_4"], [1, 2, 3, 4, 5, 6])
    widget.close()
    again, page = show(model.trace(), keep=tmp_path / "x.json")
    assert again.effects[0].saved is not None
    assert answered(page, page.request("repeat", {"id": 1}))["body"]["id"] == 2
    assert again.effects[1].saved is None
    assert again.effects[1].interventions == before.interventions


def click(page: Page, nodes: list[str], name: str = "x") -> dict[str, Any]:
    body = {"interventions": [{"kind": "ablate", "nodes": nodes}], "mode": "total", "name": name}
    effect: dict[str, Any] = answered(page, page.request("intervene", body))["body"]
    return effect


def test_every_experiment_has_a_line_in_the_history(show: Open) -> None:
    widget, page = show()
    assert page.traits["experiments"] == []
    click(page, TEXAS, "Texas ×0")
    widget.scale(AUSTIN, 3)
    page.hear()
    first, second = (parse(ExperimentEntry, entry, "The entry") for entry in page.traits["experiments"])
    assert (first.id, first.name, second.id, second.name) == (1, "Texas ×0", 2, "say “Austin” 🤠 ×3")
    assert first.token == "word 40"
    assert (first.before, first.after) == pytest.approx(widget.effects[0].probability(40))
    table = widget.history()
    assert table["id"].tolist() == [1, 2]
    assert table["kl"].tolist() == [effect.kl for effect in widget.effects]


def test_an_earlier_experiment_comes_back_to_every_view(show: Open) -> None:
    widget, page = show()
    first = click(page, TEXAS)
    click(page, AUSTIN)
    reply = answered(page, page.request("recall", {"id": 1}))
    assert reply["body"] == first == page.traits["effect"] == widget.effect
    click(page, AUSTIN)
    assert widget.recall(1) is widget.effects[0]
    page.hear()
    assert page.traits["effect"] == first


def test_two_experiments_are_compared_without_putting_another_on_show(show: Open) -> None:
    widget, page = show()
    first, second = click(page, TEXAS), click(page, AUSTIN)
    reply = answered(page, page.request("compare", {"id": 1, "beside": 2}))["body"]
    message = parse(ComparisonMessage, reply, "The comparison")
    assert (message.id, message.beside, message.nodes.after) == (1, 2, tuple(first["nodes"]["after"]))
    assert page.traits["effect"] == widget.effect == second
    frame = widget.compare(2, 1)
    assert [token.token_id for token in message.tokens] == frame["token_id"].tolist()
    assert {token["token_id"] for token in [*first["tokens"], *second["tokens"]]} == set(frame["token_id"])
    for token in message.tokens:
        assert token.after == pytest.approx(widget.effects[1].probability(token.token_id)[1])
        assert token.compared == pytest.approx(widget.effects[0].probability(token.token_id)[1])
    likeliest = frame[["before", "first", "second"]].max(axis=1).tolist()
    assert likeliest == sorted(likeliest, reverse=True)


def test_an_experiment_gets_another_name_here_or_there(show: Open) -> None:
    widget, page = show()
    click(page, TEXAS)
    answered(page, page.request("rename", {"id": 1, "name": " without Texas "}))
    assert page.traits["experiments"][0]["name"] == page.traits["effect"]["name"] == "without Texas"
    widget.rename_experiment(1, "again")
    page.hear()
    assert page.traits["experiments"][0]["name"] == page.traits["effect"]["name"] == "again"
    assert answered(page, page.request("rename", {"id": 1, "name": "  "}))["code"] == "node"
    with pytest.raises(NodeError, match="1 to 200 characters; given ''"):
        widget.rename_experiment(1, "")
    assert widget.history()["name"].tolist() == ["again"]


def test_a_deleted_experiment_is_gone_and_its_number_not_used_again(show: Open) -> None:
    widget, page = show()
    click(page, TEXAS)
    click(page, AUSTIN)
    answered(page, page.request("forget", {"id": 1}))
    assert [entry["id"] for entry in page.traits["experiments"]] == [2]
    assert page.traits["effect"]["id"] == 2
    widget.forget(2)
    page.hear()
    assert (page.traits["experiments"], page.traits["effect"], widget.effects) == ([], None, [])
    assert click(page, TEXAS)["id"] == 3
    for name, body in [
        ("recall", {"id": 1}), ("compare", {"id": 1, "beside": 3}), ("rename", {"id": 1, "name": "x"}), ("forget", {"id": 1}),
        ("controls", {"id": 1, "n": 5}),
    ]:  # fmt: skip
        answer = answered(page, page.request(name, body))
        assert (answer["code"], answer["message"]) == ("node", "There is no experiment 1; those kept are 3.")


def test_the_table_is_a_file_of_comma_separated_values(show: Open) -> None:
    _, page = show()
    click(page, TEXAS, '=cmd|"x", Texas')
    rid = page.request("table", {})
    reply = answered(page, rid)["body"]
    assert reply == {"filename": "the-capital-of-texas-is-experiments.csv", "mime": "text/csv"}
    (row,) = csv.DictReader(io.StringIO(page.buffers[rid][0].decode()))
    assert (row["id"], row["name"], row["token"]) == ("1", '\'=cmd|"x", Texas', "word 40")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_text_of_the_table_is_a_formula_of_a_spreadsheet(
    show: Open, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    monkeypatch.setattr("tests.widget.linear_model.VOCABULARY", [f"{start}SUM(A1)"] * 48)
    widget, _ = show()
    effect = widget.ablate(TEXAS)
    widget.record(effect, f"{start}cmd")
    row = list(csv.DictReader(io.StringIO(widget.history_file(), newline="")))[1]
    assert (row["name"], row["token"]) == (f"'{start}cmd", f"'{start}SUM(A1)")
    assert row["likeliest"][0] in "'\\\ufffd"
    assert row["mode"] == "total"


def test_controls_come_with_their_experiment(show: Open) -> None:
    widget, page = show()
    widget.group("Austin", AUSTIN)
    page.hear()
    click(page, ["0_3_1"])
    rid = page.request("controls", {"id": 1, "n": 4})
    message = parse(EffectMessage, answered(page, rid)["body"], "The effect")
    assert message.controls is not None
    assert message.controls.n == 4
    assert [token.token_id for token in message.controls.tokens] == [token.token_id for token in message.tokens]
    for token in message.controls.tokens:
        assert token.low <= token.median <= token.high
        assert 1 / 5 <= token.p_value <= 1
    (box,) = message.controls.boxes
    assert (box.size, box.low <= box.high) == (1, True)
    assert page.traits["effect"]["controls"] == widget.effect["controls"] is not None
    click(page, AUSTIN)
    assert page.traits["effect"]["controls"] is None
    assert answered(page, page.request("recall", {"id": 1}))["body"]["controls"] is not None
    assert widget.controls(n=3).effect.name == widget.effects[0].name
    assert widget.effect["controls"]["n"] == 3


def test_controls_of_an_experiment_that_is_deleted_meanwhile_are_dropped(show: Open, model: LinearModel) -> None:
    widget, page = show()
    click(page, ["0_3_1"])
    model.gate.clear()
    rid = page.request("controls", {"id": 1, "n": 4})
    page.speak()
    assert model.running.wait(10)
    widget.forget(1)
    model.gate.set()
    wait_for(lambda: page.heard(rid))
    assert page.last(rid)["message"] == "There is no experiment 1; no experiment was made yet, or all were deleted."
    assert widget.effect is None


def test_controls_need_an_experiment_and_a_sensible_number(show: Open) -> None:
    widget, page = show()
    with pytest.raises(InterventionError, match="No experiment is displayed; run one"):
        widget.controls()
    click(page, TEXAS)
    answer = answered(page, page.request("controls", {"id": 1, "n": 10**6}))
    assert answer["message"] == "There are 1 to 200 controls; given 1000000."


def test_the_code_of_an_effect_names_what_was_done(widget: CircuitWidget) -> None:
    widget.scale(TEXAS, -2, mode=(0, 1))
    code = widget.effect["code"]
    assert "cw.Scale(['0_2_4', '0_19_4', '1_8_4'], -2.0)" in code
    assert "mode='0-1'" in code
    compile(code, "copied", "exec")
