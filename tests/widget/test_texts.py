"""Texts are checked where they enter, and counted in characters, so that what is kept can be sent, saved and read."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from circuit_widget import Ablate, SwapIn
from circuit_widget.errors import (
    CircuitError,
    CircuitWidgetError,
    InterventionError,
    MessageError,
    NodeError,
    PromptError,
)
from circuit_widget.widget.requests.registry import REQUESTS, read_request
from circuit_widget.widget.widget import CircuitWidget
from circuit_widget.widget.wire.envelopes import request_id
from tests.models import reference_model
from tests.widget.conftest import Open
from tests.widget.frontend import answered
from tests.widget.small_graph import small_graph
from tests.widget.test_every_request import body_of

HALF = "\ud83d"
EMOJI = "🤠"
FAMILY = "👨‍👩‍👧‍👦"


def with_half(value: Any) -> Iterator[Any]:
    """Yield a message once for each text in it, with half a character at the end of that text."""
    if isinstance(value, str):
        yield value + HALF
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from ({**value, key: broken} for broken in with_half(inner))
            yield {**{k: v for k, v in value.items() if k != key}, key + HALF: inner}
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from ([*value[:place], broken, *value[place + 1 :]] for broken in with_half(inner))


@pytest.mark.parametrize("name", REQUESTS)
def test_half_a_character_anywhere_in_a_request_is_refused_and_the_widget_goes_on(show: Open, name: str) -> None:
    widget, page = show()
    request = {"type": "request", "rid": "r", "name": name, "body": body_of(name)}
    for number, broken in enumerate(with_half(request)):
        with pytest.raises(MessageError) as refusal:
            read_request(copy.deepcopy(broken))
        assert str(refusal.value).encode()
        rid = f"{number}" if broken.get("rid") == "r" else broken.get("rid", "")
        page.post({"method": "custom", "content": {**broken, "rid": rid} if "rid" in broken else broken})
        heard = len(page.notices)
        page.speak()
        page.hear()
        assert page.settled(rid) or len(page.notices) == heard + 1
    assert answered(page, page.request("ping", {}))["type"] == "reply"
    assert widget.effects == []


def test_half_a_character_is_named_in_the_refusal() -> None:
    with pytest.raises(MessageError, match=r"The body of rename.name has half of a character, U\+D83D; expected whole"):
        read_request({"type": "request", "rid": "r", "name": "rename", "body": {"id": 1, "name": "Texas" + HALF}})
    assert request_id({"rid": HALF}) is None


@pytest.mark.parametrize("character", ["x", EMOJI, "é", "東"])
def test_the_kernel_counts_characters_not_units(show: Open, character: str) -> None:
    _, page = show()
    click = {"interventions": [{"kind": "ablate", "nodes": ["1_8_4"]}], "mode": "total"}
    named = answered(page, page.request("intervene", {**click, "name": 200 * character}))
    assert named["body"]["name"] == 200 * character
    refused = answered(page, page.request("intervene", {**click, "name": 201 * character}))
    assert "has 201 characters; at most 200" in refused["message"]
    assert answered(page, page.request("rename", {"id": 1, "name": 200 * character}))["type"] == "reply"


ENTRANCES: dict[str, tuple[Callable[[CircuitWidget], Any], type[CircuitWidgetError]]] = {
    "the name of a group": (lambda widget: widget.group(HALF, ["1_8_4"]), CircuitError),
    "another name of a group": (lambda widget: widget.rename("Texas", "Texas" + HALF), CircuitError),
    "a label": (lambda widget: widget.label("1_8_4", HALF + "x"), CircuitError),
    "the label of a node that is not there": (lambda widget: widget.label(HALF, "x"), CircuitError),
    "the name of an experiment": (lambda widget: widget.rename_experiment(1, "x" + HALF), NodeError),
    "a node to change": (lambda widget: widget.ablate("x" * 200 + HALF), CircuitError),
    "a node to select": (lambda widget: widget.select([HALF]), CircuitWidgetError),
    "a node to pin": (lambda widget: widget.pin([HALF]), CircuitWidgetError),
    "a group to dissolve": (lambda widget: widget.ungroup(HALF), CircuitError),
    "a prompt to swap in from": (lambda widget: widget.swap("1_8_4", "the capital" + HALF), InterventionError),
}


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_half_a_character_from_a_cell_is_refused_in_a_sentence_that_can_be_displayed(show: Open, entrance: str) -> None:
    widget, page = show()
    widget.group("Texas", ["1_8_4"])
    widget.ablate("Texas")
    page.hear()
    before = (widget.circuit, widget.experiments, widget.selected)
    give, kind = ENTRANCES[entrance]
    with pytest.raises(kind) as refusal:
        give(widget)
    assert str(refusal.value).encode()
    assert len(str(refusal.value)) < 400
    assert (widget.circuit, widget.experiments, widget.selected) == before
    assert not page.comm.published


def test_a_prompt_with_half_a_character_is_refused() -> None:
    with pytest.raises(PromptError, match=r"The text .* has half of a character, U\+DC80; give whole characters"):
        reference_model().trace("the capital \udc80")
    with pytest.raises(InterventionError, match=r"has half of a character, U\+D83D"):
        SwapIn("1_8_4", HALF)


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {"1_8_4": HALF}},
        {"tokens": tuple(replace(token, text=token.text + HALF) for token in small_graph().tokens)},
        {"targets": tuple(replace(target, token=HALF) for target in small_graph().targets)},
    ],
    ids=["label", "token", "target"],
)
def test_a_graph_takes_no_text_that_no_file_can_carry(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"has half of a character, U\+D83D; give whole characters") as refusal:
        replace(small_graph(), **change)
    assert str(refusal.value).encode()


def test_names_are_cut_between_characters(show: Open) -> None:
    widget, page = show()
    names = [f"{letter}{11 * FAMILY}" for letter in "abc"]
    for name, node in zip(names, ["0_2_4", "1_8_4", "2_9_5"], strict=True):
        widget.group(name, [node])
    widget.intervene([Ablate(name) for name in names])
    page.hear()
    name = page.traits["effect"]["name"]
    assert name == f"{names[0]} ×0, {names[1]} ×0, c{4 * FAMILY}…"
    assert len(name) <= 200
    with pytest.raises(CircuitError) as refusal:
        widget.ablate(20 * FAMILY)
    assert f"“{11 * FAMILY}…”" in str(refusal.value)
