"""Every request ends in one reply or one error, whatever its answer holds, and the widget goes on as before."""

import json
import math
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np
import pandas
import pytest

from circuit_widget.errors import MessageError
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.studies.steered_generation import SteeredGeneration
from circuit_widget.tracing.generation import Generation
from circuit_widget.widget.experiments.experiments import Experiments
from circuit_widget.widget.requests.registry import REQUESTS
from circuit_widget.widget.saved_picture import SavedPicture
from circuit_widget.widget.widget import CircuitWidget
from circuit_widget.widget.wire import sending
from circuit_widget.widget.wire.envelopes import Reply
from circuit_widget.widget.wire.schema import OneOf, hints_of, parse
from tests.widget.conftest import Open
from tests.widget.frontend import Page, RecordingComm, answered
from tests.widget.linear_model import LinearModel, wait_for

TEXAS = ["0_2_4", "1_8_4"]
# What the declarations do not say: nodes of the graph, an experiment that is there, a mode.
KNOWN = {
    "node": "1_8_4",
    "nodes": TEXAS,
    "sources": TEXAS[:1],
    "targets": TEXAS[1:],
    "id": 1,
    "beside": 1,
    "mode": "total",
    "n": 2,
    "max_new_tokens": 2,
}


def example(kind: Any, name: str = "") -> Any:
    """Return JSON that a declared type takes."""
    if name in KNOWN:
        return KNOWN[name]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return arguments[1].choices[0] if isinstance(arguments[1], OneOf) else example(arguments[0])
    if origin is Literal:
        return arguments[0]
    if origin in (Union, UnionType):
        return None if NoneType in arguments else example(arguments[0])
    if origin is tuple:
        return [example(arguments[0])]
    if is_dataclass(kind):
        wanted = [field for field in fields(kind) if field.default is MISSING]
        return {field.name: example(hints_of(kind)[field.name], field.name) for field in wanted}
    return {str: "the capital of Ohio is", int: 2, float: 1.0, bool: False}[kind]


def body_of(name: str) -> Any:
    return example(REQUESTS[name].body)


def circular() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


POISONS: dict[str, tuple[Callable[[], Any], str]] = {
    "not a number": (lambda: math.nan, "poison is nan, and numbers have to be finite"),
    "infinity": (lambda: [{"deep": [-math.inf]}], r"poison\[0\].deep\[0\] is -inf"),
    "a numpy number": (lambda: np.float32(1), "poison is of type float32"),
    "a numpy truth": (lambda: np.bool_(True), "poison is of type bool"),
    "an array": (lambda: np.zeros(2), "poison is of type ndarray"),
    "bytes": (lambda: b"bytes", "poison is of type bytes"),
    "a set": (lambda: {1}, "poison is of type set"),
    "a key of bytes": (lambda: {b"key": 1}, "poison has a key of type bytes"),
    "a list in itself": (circular, "nested more than 100 levels deep, or contains itself"),
    "too much": (lambda: "x" * 300_000, "it has 0 MB, and at most 0 MB are sent"),
}


@pytest.fixture
def used(show: Open) -> tuple[CircuitWidget, Page]:
    """A widget that displayed another graph before, and on which one experiment was made."""
    widget, page = show()
    widget.retrace()
    widget.pin(["2_9_5"])
    widget.ablate(["2_9_5"])
    page.hear()
    return widget, page


def settled(page: Page, rid: str) -> dict[str, Any]:
    """Return the one answer that settles a request, and see that nothing else does."""
    answer = answered(page, rid)
    page.request("ping", {}, f"after-{rid}")
    page.speak()
    page.hear()
    assert page.last(f"after-{rid}")["type"] == "reply"
    assert page.last(rid) == answer
    return answer


def check_all_is_well(widget: CircuitWidget, page: Page) -> None:
    """See that the widget holds only what can be sent, and answers the next click."""
    assert widget._worker.wait_until_idle(10)
    click = {"interventions": [{"kind": "ablate", "nodes": TEXAS}], "mode": "total", "name": "next"}
    answer = answered(page, page.request("intervene", click))
    assert answer["type"] == "reply", answer
    assert page.traits["experiments"][-1]["name"] == "next"
    assert page.traits["effect"] == widget.effect == answer["body"]
    assert [entry["id"] for entry in page.traits["experiments"]] == widget.history()["id"].tolist()
    assert answered(page, page.request("table", {}))["type"] == "reply"
    json.dumps({name: getattr(widget, name) for name in ("effect", "study", "experiments")}, allow_nan=False).encode()
    page.traits = {}
    page.post({"method": "request_state"})
    page.speak()
    page.hear()
    assert page.traits["effect"] == widget.effect
    assert page.traits["circuit"] == widget.circuit.to_json()
    # The last reply goes out a moment before its job is done.
    assert widget._worker.wait_until_idle(10)
    assert widget._worker.pending(widget) == ()


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_as_it_is_declared_is_replied_to(used: tuple[CircuitWidget, Page], name: str) -> None:
    widget, page = used
    answer = settled(page, page.request(name, body_of(name)))
    assert answer["type"] == "reply", answer
    parse(REQUESTS[name].reply, answer["body"], f"The reply of {name}")
    check_all_is_well(widget, page)


@pytest.mark.parametrize("poison", POISONS)
@pytest.mark.parametrize("name", REQUESTS)
def test_a_reply_that_cannot_be_sent_becomes_an_error(
    used: tuple[CircuitWidget, Page], monkeypatch: pytest.MonkeyPatch, name: str, poison: str
) -> None:
    widget, page = used
    made, words = POISONS[poison]
    with monkeypatch.context() as patched:
        poisoned = lambda rid, body: Reply(rid, {**body, "poison": made()})  # noqa: E731
        patched.setattr("circuit_widget.widget.requests.receiver.Reply", poisoned)
        patched.setattr("circuit_widget.widget.worker.worker.Reply", poisoned)
        patched.setattr(sending, "LARGEST_MESSAGE", 250_000)
        answer = answered(page, page.request(name, body_of(name)))
    assert (answer["type"], answer["code"]) == ("error", "message"), answer
    assert re.search(words, answer["message"])
    assert len(answer["message"]) < 300
    check_all_is_well(widget, page)


@pytest.mark.parametrize("name", REQUESTS)
def test_half_a_character_in_a_reply_becomes_the_replacement_character(
    used: tuple[CircuitWidget, Page], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    widget, page = used
    with monkeypatch.context() as patched:
        poisoned = lambda rid, body: Reply(rid, {**body, "k\ud83d": ["Texas \ud83d", "\udc80", "🤠"]})  # noqa: E731
        patched.setattr("circuit_widget.widget.requests.receiver.Reply", poisoned)
        patched.setattr("circuit_widget.widget.worker.worker.Reply", poisoned)
        answer = answered(page, page.request(name, body_of(name)))
    assert answer["body"]["k\ufffd"] == ["Texas \ufffd", "\ufffd", "🤠"]
    check_all_is_well(widget, page)


class Broken(Exception):
    """An error that cannot even say what it is."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("error", [OSError("gone"), UnicodeEncodeError("utf-8", "\ud83d", 0, 1, "x"), Broken()])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_reply_that_the_transport_refuses_becomes_an_error(
    used: tuple[CircuitWidget, Page], monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    widget, page = used
    publish = RecordingComm.publish_msg

    def refuse(self: RecordingComm, msg_type: str, data: Any = None, *others: Any, **keys: Any) -> None:
        if isinstance(data, dict) and data.get("content", {}).get("type") in ("reply", "progress", "accepted"):
            raise error
        publish(self, msg_type, data, *others, **keys)

    with monkeypatch.context() as patched:
        patched.setattr(RecordingComm, "publish_msg", refuse)
        answer = answered(page, page.request(name, body_of(name)))
    assert (answer["type"], answer["code"]) == ("error", "internal"), answer
    check_all_is_well(widget, page)


@pytest.mark.parametrize("error", [ZeroDivisionError(), Broken(), SystemExit(1), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize(
    "name",
    [name for name in REQUESTS if name not in ("ping", "cancel", "recall", "compare", "bring_back", "display_graph")],
)
def test_a_handler_that_fails_in_any_way_is_answered(
    used: tuple[CircuitWidget, Page], monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException
) -> None:
    widget, page = used

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        for method in ("record", "record_controls", "record_study", "rename", "forget", "to_csv", "restore"):
            patched.setattr(Experiments, method, fail)
        patched.setattr("circuit_widget.widget.experiments.experiments.make_figure", fail)
        patched.setattr("circuit_widget.widget.requests.graph_handlers.propose_groups", fail)
        patched.setattr("circuit_widget.widget.requests.trace_handlers.compare", fail)
        patched.setattr("circuit_widget.widget.requests.experiment_handlers.circuit_code", fail)
        for method in ("align", "feature_card"):
            patched.setattr(widget.model, method, fail)
        patched.setattr(Graph, "resolve", fail)
        patched.setattr(SavedPicture, "outputs", fail)
        rid = page.request(name, body_of(name))
        _speak(page)
        wait_for(lambda: page.heard(rid))
    assert page.last(rid)["code"] in ("internal", "memory")
    check_all_is_well(widget, page)


def _speak(page: Page) -> None:
    # An interrupt goes on to the kernel once the page has its answer.
    message = page.outbox.popleft()
    page.comm.handling = message["number"]
    with suppress(KeyboardInterrupt, SystemExit):
        page.comm.handle_msg(message)


def with_tokens(effect: Effect, **columns: Any) -> Effect:
    return replace(effect, tokens=effect.tokens.assign(**columns))


EFFECTS: dict[str, Callable[[Effect], Effect]] = {
    "a prediction that is not finite": lambda effect: with_tokens(effect, predicted=math.inf),
    "an activation that is not a number": lambda effect: replace(effect, nodes=effect.nodes.assign(after=math.nan)),
    "a time of numpy": lambda effect: replace(effect, seconds=np.float32(0.5)),
    "a device in bytes": lambda effect: replace(effect, device=b"cpu"),
    "a type that is an object": lambda effect: replace(effect, dtype=object()),
}


def without_numbers(made: Generation | SteeredGeneration) -> Generation | SteeredGeneration:
    """Return a text whose probabilities, or those of its unsteered part, are not finite."""
    if isinstance(made, SteeredGeneration):
        return replace(made, unsteered=_without_numbers(made.unsteered))
    return _without_numbers(made)


def _without_numbers(made: Generation) -> Generation:
    return replace(made, probabilities=(math.nan,) * len(made.probabilities))


def poison(monkeypatch: pytest.MonkeyPatch, model: LinearModel, spoil: Callable[[Effect], Effect]) -> None:
    own = model.intervene
    monkeypatch.setattr(model, "intervene", lambda *given, **options: spoil(own(*given, **options)))


@pytest.mark.parametrize("spoiled", EFFECTS)
def test_an_effect_that_cannot_be_sent_is_not_kept(
    show: Open, model: LinearModel, monkeypatch: pytest.MonkeyPatch, spoiled: str
) -> None:
    widget, page = show()
    click = {"interventions": [{"kind": "ablate", "nodes": TEXAS}], "mode": "total", "name": "x"}
    with monkeypatch.context() as patched:
        poison(patched, model, EFFECTS[spoiled])
        answer = answered(page, page.request("intervene", click))
        assert (answer["code"], "cannot be sent to the page" in answer["message"]) == ("message", True)
        with pytest.raises(MessageError, match="cannot be sent to the page"):
            widget.ablate(TEXAS)
    assert [widget.effects, widget.effect, widget.experiments, page.traits["effect"]] == [[], None, [], None]
    check_all_is_well(widget, page)
    assert widget.experiments[0]["id"] == 1


@pytest.mark.parametrize("name", ["sweep", "controls", "validate", "generate", "card", "align"])
def test_a_study_whose_numbers_are_not_finite_is_answered_and_not_kept(
    used: tuple[CircuitWidget, Page], model: LinearModel, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    widget, page = used
    before = (widget.study, widget.effect, widget.history().to_csv())
    with monkeypatch.context() as patched:
        not_finite = np.full(48, np.nan, dtype=np.float32)
        poison(patched, model, lambda effect: replace(effect, logits_after=not_finite))
        card, generate, align = model.feature_card, model.generate, model.align
        patched.setattr(model, "feature_card", lambda *place: replace(card(*place), maximum=math.inf))
        patched.setattr(model, "align", lambda *given: replace(align(*given), pairs={0: math.nan}))  # type: ignore[dict-item]
        patched.setattr(model, "generate", lambda *given, **options: without_numbers(generate(*given, **options)))
        answer = settled(page, page.request(name, body_of(name)))
    assert answer["type"] == "error", answer
    assert "finite" in answer["message"]
    assert (widget.study, widget.effect, widget.history().to_csv()) == before
    check_all_is_well(widget, page)


def test_token_texts_with_half_a_character_are_displayed_and_kept(
    show: Open, model: LinearModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget, page = show()
    with monkeypatch.context() as patched:
        # Of objects: where pyarrow is installed, a column of texts does not take half of a character.
        halves = pandas.Series(["Texas\ud83d"] * 48, dtype=object)
        poison(patched, model, lambda effect: with_tokens(effect, token=halves.reindex_like(effect.tokens.token)))
        assert (
            answered(page, page.request("intervene", body_of("intervene")))["body"]["tokens"][0]["token"]
            == "Texas\ufffd"
        )
    check_all_is_well(widget, page)


@pytest.mark.parametrize("value", [{"x": math.nan}, {"x": b""}, {1: {2}}, {"x": np.int64(1)}])
def test_no_trait_takes_what_cannot_be_sent(used: tuple[CircuitWidget, Page], value: Any) -> None:
    widget, page = used
    before = widget.effect
    for trait, given in [("effect", value), ("study", value), ("experiments", [value]), ("capabilities", value)]:
        with pytest.raises(MessageError, match=f"The {trait} cannot be sent to the page: "):
            widget.set_trait(trait, given)
    assert widget.effect == before
    check_all_is_well(widget, page)


def test_a_change_that_the_transport_refuses_does_not_stop_those_after_it(
    used: tuple[CircuitWidget, Page], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    widget, page = used
    with monkeypatch.context() as patched:
        patched.setattr(RecordingComm, "publish_msg", lambda *_, **__: (_ for _ in ()).throw(OSError("gone")))
        widget.pin(["1_8_4"])
        page.edit(labels={"1_8_4": "x"}, revision=9)
        page.speak()
        page.hear()
    assert "could not be sent to the page" in caplog.text
    widget.group("Texas", TEXAS)
    page.hear()
    assert page.traits["circuit"] == widget.circuit.to_json()
    check_all_is_well(widget, page)
