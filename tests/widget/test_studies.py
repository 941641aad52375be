"""Sweeps, texts and validations fill in while they run, can be stopped, and are the same from the page and from Python."""

from functools import partial
from typing import Any

import pytest

from circuit_widget import Ablate, Scale
from circuit_widget.errors import InterventionError
from circuit_widget.widget.wire.schema import parse
from circuit_widget.widget.wire.study_messages import (
    AlignmentMessage,
    GenerationMessage,
    SweepMessage,
    ValidationMessage,
)
from tests.widget.conftest import Open
from tests.widget.frontend import Page, answered
from tests.widget.linear_model import LinearModel, wait_for
from tests.widget.small_graph import small_graph

TEXAS = ["0_2_4", "0_19_4", "1_8_4"]
AUSTIN = ["2_9_5"]


def sweep_body(axis: str = "factor", **changes: Any) -> dict[str, Any]:
    body = {"axis": axis, "interventions": [{"kind": "ablate", "nodes": TEXAS}], "mode": "total", "name": "Texas"}
    return {**body, **changes}


def generate_body(**changes: Any) -> dict[str, Any]:
    return {
        "interventions": [{"kind": "ablate", "nodes": TEXAS}], "new_tokens": False, "max_new_tokens": 4,
        "temperature": 0.0, "seed": None, "name": "Texas ×0", **changes,
    }  # fmt: skip


def partials(page: Page, rid: str) -> list[dict[str, Any]]:
    return [one["body"] for one in page.answers[rid] if one["type"] == "partial"]


def test_the_progress_of_a_study_has_the_name_that_other_views_show(show: Open) -> None:
    _, page = show()
    rid = page.request("sweep", sweep_body())
    assert answered(page, rid)["type"] == "reply"
    progress = [one for one in page.answers[rid] if one["type"] == "progress"]
    assert {one["label"] for one in progress} == {"Sweep: Texas"}


def test_a_sweep_is_the_python_sweep(show: Open) -> None:
    widget, page = show()
    widget.group("Austin", AUSTIN)
    message = parse(SweepMessage, answered(page, page.request("sweep", sweep_body()))["body"], "The sweep")
    sweep = widget.sweep(TEXAS)
    page.hear()
    again = parse(SweepMessage, page.traits["study"], "The sweep")
    assert message.values == again.values == sweep.values
    assert message.total == len(message.labels) == len(sweep.effects) == 21
    assert message.labels[:3] == ("×−5", "×−4.5", "×−4")
    frame = sweep.to_frame("Austin")
    (austin,) = (token for token in message.tokens if token.token == "Austin")
    assert austin.probability == pytest.approx(frame["probability"].tolist())
    assert austin.predicted_logit == pytest.approx(frame["predicted_logit"].tolist())
    (box,) = message.boxes
    assert box.measured == pytest.approx(sweep.activation({"Austin": AUSTIN})["measured"].tolist())
    assert (box.name, again.tokens, again.boxes) == ("Austin", message.tokens, message.boxes)
    assert "model.sweep(graph, ['0_2_4', '0_19_4', '1_8_4']" in again.code


def test_a_sweep_fills_in_while_it_runs(show: Open, model: LinearModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circuit_widget.widget.worker.worker.PROGRESS_INTERVAL", 0.0)
    _, page = show()
    rid = page.request("sweep", sweep_body())
    whole = answered(page, rid)["body"]
    parts = partials(page, rid)
    assert [len(part["labels"]) for part in parts] == [6, 12, 18, 21]
    for part in parts:
        count = len(part["labels"])
        assert part["values"] == whole["values"][:count]
        assert part["tokens"][0]["probability"] == whole["tokens"][0]["probability"][:count]
    assert page.answers[rid][-1]["type"] == "reply"


@pytest.mark.parametrize(
    ("axis", "labels"),
    [
        ("last_layer", ["to layer 0", "to layer 1", "to layer 2"]),
        ("groups", ["Texas", "Austin"]),
        ("pairs", ["Texas", "Austin", "Texas + Austin"]),
    ],
)
def test_layers_groups_and_pairs_can_be_swept(show: Open, axis: str, labels: list[str]) -> None:
    widget, page = show()
    widget.group("Texas", TEXAS)
    widget.group("Austin", AUSTIN)
    message = parse(SweepMessage, answered(page, page.request("sweep", sweep_body(axis)))["body"], "The sweep")
    assert list(message.labels) == labels
    assert all(len(token.probability) == len(labels) for token in message.tokens)
    if axis == "last_layer":
        called = widget.sweep_last_layer(Ablate("Texas"))
        assert message.values == called.values == (0, 1, 2)
    else:
        called = widget.sweep_groups(pairs=axis == "pairs")
    page.hear()
    assert page.traits["study"]["tokens"] == [token_json(token) for token in message.tokens]
    compile(message.code, "copied", "exec")


def token_json(token: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(token).items()}


def test_a_sweep_over_a_circuit_without_features_says_what_to_do(show: Open) -> None:
    widget, page = show()
    answer = answered(page, page.request("sweep", sweep_body("groups")))
    assert answer["code"] == "intervention"
    assert "pin or group features" in answer["message"]
    with pytest.raises(InterventionError, match="pin or group features"):
        widget.sweep_groups()
    assert widget.study is None


def test_a_text_streams_in_beside_the_unsteered_one(show: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circuit_widget.widget.worker.worker.PROGRESS_INTERVAL", 0.0)
    widget, page = show()
    rid = page.request("generate", generate_body())
    message = parse(GenerationMessage, answered(page, rid)["body"], "The text")
    assert [token.token for token in message.unsteered] == ["word 30", "word 31", "word 32", "word 33"]
    assert [token.token for token in message.steered] == ["word 31", "word 32", "word 33", "word 34"]
    assert [token.differs for token in message.unsteered] == [True, False, False, False]
    assert message.ended
    sizes = [(len(part["unsteered"]), len(part["steered"])) for part in partials(page, rid)]
    assert sizes == [(1, 0), (1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (4, 3), (4, 4)]
    widget.ablate(TEXAS)
    generated = widget.generate(max_new_tokens=4)
    page.hear()
    assert page.traits["study"]["steered"] == [vars(token) for token in message.steered]
    assert generated.interventions == widget.effects[-1].interventions


def test_without_interventions_the_model_goes_on_as_it_is(show: Open) -> None:
    widget, page = show()
    body = generate_body(interventions=[], new_tokens=True)
    message = parse(GenerationMessage, answered(page, page.request("generate", body))["body"], "The text")
    assert (len(message.unsteered), message.steered) == (4, ())
    assert widget.generate(max_new_tokens=2).text == "word 30 word 31"


def test_a_validation_is_the_python_one(show: Open) -> None:
    widget, page = show()
    widget.group("Texas", TEXAS)
    widget.group("Austin", AUSTIN)
    reply = answered(page, page.request("validate", {"mode": "total"}))["body"]
    message = parse(ValidationMessage, reply, "The validation")
    validation = widget.validate()
    assert message.groups == 2
    assert len(message.pairs) == len(validation.influenced)
    pair = next(one for one in message.pairs if (one.source, one.target) == ("Texas", "Austin") and one.of == "feature")
    assert pair.measured == pytest.approx(pair.predicted)
    assert message.sentence == str(validation)
    page.hear()
    assert page.traits["study"]["kind"] == "validation"


def test_a_study_is_cancelled_at_once_and_the_last_one_stays(show: Open, model: LinearModel) -> None:
    widget, page = show()
    kept = widget.sweep(TEXAS, [0.0, 1.0])
    page.hear()
    for name, body in [("sweep", sweep_body()), ("generate", generate_body()), ("validate", {"mode": "total"})]:
        model.gate.clear()
        rid = page.request(name, body)
        page.speak()
        assert model.running.wait(10)
        page.request("cancel", {"rid": rid})
        page.speak()
        wait_for(partial(page.heard, rid))
        assert page.last(rid)["code"] == "cancelled"
        model.gate.set()
        assert widget._worker.wait_until_idle(10)
        page.hear()
        assert page.last(rid)["code"] == "cancelled"
        assert page.traits["study"] == widget.study
        assert widget.study["values"] == list(kept.values)


def test_the_newest_of_a_kind_takes_the_place_of_what_has_not_started(show: Open, model: LinearModel) -> None:
    widget, page = show()
    model.gate.clear()
    running = page.request("sweep", sweep_body())
    page.speak()
    assert model.running.wait(10)
    older, other, newer = (
        page.request("sweep", sweep_body(name="older")),
        page.request("generate", generate_body()),
        page.request("sweep", sweep_body(name="newer")),
    )
    page.speak()
    wait_for(lambda: page.heard(older))
    assert page.last(older)["code"] == "superseded"
    model.gate.set()
    for rid in (running, other, newer):
        wait_for(partial(page.heard, rid))
        assert page.last(rid)["type"] == "reply"
    assert widget.study["name"] == "newer"


def test_an_alignment_shows_both_prompts(show: Open) -> None:
    _, page = show()
    reply = answered(page, page.request("align", {"prompt": "the capital of Ohio"}))["body"]
    message = parse(AlignmentMessage, reply, "The alignment")
    assert message.others == ("<bos>", "the", "capital", "of", "Ohio")
    assert message.pairs == tuple((place, place) for place in range(5))


@pytest.mark.parametrize(
    ("name", "body", "sentence"),
    [
        ("sweep", sweep_body("colour"), "axis is 'colour'"),
        ("sweep", sweep_body(mode="sideways"), "or a pair of layers (first, last) to constrain; given 'sideways'"),
        ("sweep", sweep_body(interventions=[{"kind": "ablate", "nodes": []}]), "no node to change"),
        ("sweep", sweep_body(interventions=[{"kind": "scale", "nodes": TEXAS, "factor": float("nan")}]), "finite"),
        ("generate", generate_body(temperature="hot"), "expected a number"),
        ("generate", generate_body(interventions=[{"kind": "ablate", "nodes": ["9_9_9"]}]), "9_9_9"),
        ("validate", {"mode": 3}, "expected a text"),
        ("align", {}, "lacks prompt"),
    ],
)
def test_what_cannot_be_requested_is_stated_and_changes_nothing(
    show: Open, name: str, body: dict[str, Any], sentence: str
) -> None:
    widget, page = show()
    answer = answered(page, page.request(name, body))
    assert answer["type"] == "error"
    assert sentence in answer["message"]
    assert widget.effects == []
    assert widget._worker.pending(widget) == ()
    assert widget.study is None


def test_without_a_model_studies_say_what_is_missing(show: Open) -> None:
    _, page = show(small_graph())
    for name, body in [("sweep", sweep_body()), ("generate", generate_body()), ("validate", {"mode": "total"})]:
        answer = answered(page, page.request(name, body))
        assert (answer["code"], "loaded from a file" in answer["message"]) == ("no-model", True)


def test_errors_and_tokens_can_be_changed_from_the_page(show: Open) -> None:
    widget, page = show()
    body = {"interventions": [{"kind": "ablate", "nodes": ["E_4_4", "0_-1_4"]}], "mode": "total", "name": "x"}
    effect = answered(page, page.request("intervene", body))["body"]
    assert effect["interventions"] == [{"kind": "ablate", "nodes": ["E_4_4", "0_-1_4"]}]
    assert effect["tokens"] == widget.effect["tokens"]
    assert widget.ablate(["E_4_4", "0_-1_4"]).logits_after.tolist() == widget.effects[0].logits_after.tolist()
    assert widget.intervene(Scale("E_4_4", 0.5)).interventions[0].members == ("E_4_4",)
