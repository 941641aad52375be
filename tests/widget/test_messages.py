"""Messages are declared once: what fits is read, what does not is refused in a sentence, and TypeScript says the same."""

import json
import math
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from circuit_widget.errors import MessageError
from circuit_widget.widget import frontend_types
from circuit_widget.widget.requests.registry import REQUESTS, read_request
from circuit_widget.widget.requests.request_kind import Task
from circuit_widget.widget.wire import envelopes
from circuit_widget.widget.wire.envelopes import Empty
from circuit_widget.widget.wire.experiment_messages import (
    AblateJson,
    EffectMessage,
    InterveneBody,
    ScaleJson,
    SetJson,
    SwapInJson,
    TurnJson,
)
from circuit_widget.widget.wire.graph_messages import Card, CardBody, FigureBody
from circuit_widget.widget.wire.schema import parse
from tests.widget.conftest import Open
from tests.widget.frontend import answered
from tests.widget.test_every_request import body_of


def request(name: str, body: Any, **changes: Any) -> dict[str, Any]:
    return {"type": "request", "rid": "r1", "name": name, "body": body, **changes}


def intervene(*interventions: Any, mode: Any = "total", name: Any = "Texas ×0") -> dict[str, Any]:
    return request("intervene", {"interventions": list(interventions), "mode": mode, "name": name})


ABLATE = {"kind": "ablate", "nodes": ["0_3_1"]}


def test_the_types_of_the_frontend_are_those_declared_here() -> None:
    for name, text in frontend_types.typescript_modules().items():
        written = (frontend_types.SOURCES / f"{name}.ts").read_text(encoding="utf-8")
        assert written == text, "run `python -m circuit_widget.widget.frontend_types`"


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (request("ping", {}), Empty()),
        (request("card", {"node": "0_3_1"}), CardBody("0_3_1")),
        (
            request("figure", {"format": "pdf", "width": 5.5, "part": "both", "theme": "grey"}),
            FigureBody("pdf", 5.5, "both", "grey"),
        ),
        (intervene(ABLATE), InterveneBody((AblateJson("ablate", ("0_3_1",)),), "total", "Texas ×0")),
        (
            intervene(
                {"kind": "scale", "nodes": [], "factor": -2}, {"kind": "set", "nodes": ["a", "b"], "value": [1, 2.5]}
            ),
            InterveneBody((ScaleJson("scale", (), -2.0), SetJson("set", ("a", "b"), (1.0, 2.5))), "total", "Texas ×0"),
        ),
        (
            intervene({"kind": "swap_in", "nodes": ["a"], "prompt": "x", "features": ["b"]}, mode="0-2"),
            InterveneBody((SwapInJson("swap_in", ("a",), "x", ("b",)),), "0-2", "Texas ×0"),
        ),
        (
            intervene({"kind": "swap_in", "nodes": ["a"], "prompt": [1, 4]}),
            InterveneBody((SwapInJson("swap_in", ("a",), (1, 4)),), "total", "Texas ×0"),
        ),
        (
            intervene({"kind": "swap_in", "nodes": ["a"], "prompt": [{"role": "user", "content": "x"}]}),
            InterveneBody((SwapInJson("swap_in", ("a",), (TurnJson("user", "x"),)),), "total", "Texas ×0"),
        ),
    ],
)
def test_what_fits_is_read(content: dict[str, Any], body: object) -> None:
    envelope, read = read_request(json.loads(json.dumps(content)))
    assert (envelope.rid, envelope.name) == ("r1", content["name"])
    assert read == body


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("hello", "The message is 'hello'; expected an object"),
        (None, "The message is None; expected an object"),
        ([], "The message is a list of 0; expected an object"),
        ({}, "The message lacks type, rid, name, body"),
        (request("ping", {}, extra=1), "The message has the unknown key 'extra'; its keys are type, rid, name, body"),
        (request("ping", {}, rid=7), "The message.rid is 7; expected a text"),
        (request("ping", {}, rid="x" * 65), "The message.rid has 65 characters; at most 64"),
        (request("ping", {}, type="reply"), "The message.type is 'reply'; expected 'request'"),
        (request("ping", []), "The message.body is a list of 0; expected an object"),
        (request("launch", {}), "There is no request 'launch'; expected one of ping, intervene"),
        (request("ping", {"x": 1}), "The body of ping has the unknown key 'x'; its keys are none"),
        (request("card", {}), "The body of card lacks node"),
        (request("card", {"node": "x" * 10_000_000}), r"has 10,000,000 characters; at most 64"),
        (request("x" * 10_000_000, {}), "has 10,000,000 characters"),
        (
            request("figure", {"format": "gif", "width": 5.5, "part": "map", "theme": "paper"}),
            "is 'gif'; expected 'svg' or 'pdf' or 'png'",
        ),
        (
            request("figure", {"format": "svg", "width": 5, "part": "map", "theme": "paper"}),
            "is 5; expected 3.25 or 5.5 or 6.75",
        ),
        (
            request("figure", {"format": "svg", "width": True, "part": "map", "theme": "paper"}),
            "is True; expected 3.25",
        ),
        (
            request("figure", {"format": ["svg"], "width": 5.5, "part": "map", "theme": "paper"}),
            "is a list of 1; expected 'svg'",
        ),
        (intervene({"kind": "delete", "nodes": []}), "kind is 'delete'; expected 'ablate' or 'scale'"),
        (intervene({"nodes": []}), r"interventions\[0\] lacks kind"),
        (intervene("ablate"), r"interventions\[0\] is 'ablate'"),
        (intervene({**ABLATE, "factor": 2}), "has the unknown key 'factor'; its keys are kind, nodes"),
        (intervene({"kind": "scale", "nodes": []}), r"interventions\[0\] lacks factor"),
        (intervene({"kind": "scale", "nodes": [], "factor": math.nan}), "factor is nan; expected a finite number"),
        (intervene({"kind": "scale", "nodes": [], "factor": 10**400}), "factor is inf; expected a finite number"),
        (intervene({"kind": "scale", "nodes": [], "factor": True}), "factor is True; expected a number"),
        (intervene({"kind": "scale", "nodes": [], "factor": "2"}), "factor is '2'; expected a number"),
        (intervene({"kind": "set", "nodes": [], "value": [1, None]}), r"value\[1\] is None; expected a number"),
        (intervene({"kind": "ablate", "nodes": ["a", 3]}), r"nodes\[1\] is 3; expected a text"),
        (intervene({"kind": "ablate", "nodes": ["a"] * 20_001}), "has 20,001 items; at most 20,000"),
        (intervene(*[ABLATE] * 101), "has 101 items; at most 100"),
        (intervene(ABLATE, name="x" * 201), "name has 201 characters; at most 200"),
        (intervene(ABLATE, mode=None), "mode is None; expected a text"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(content: object, sentence: str) -> None:
    with pytest.raises(MessageError, match=sentence) as caught:
        read_request(content)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_a_value_from_outside_is_quoted_short_and_on_one_line() -> None:
    with pytest.raises(MessageError) as caught:
        read_request(request("<img src=x onerror=alert(1)>\n\x1b[31m" * 5, {}))
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "rid"),
    [
        ("hello", None),
        ({"rid": 3}, None),
        ({"rid": ""}, None),
        ({"rid": "x" * 65}, None),
        ({"rid": "r", "type": "nonsense"}, "r"),
    ],
)
def test_a_malformed_message_is_answered_under_its_id_if_it_has_one(content: object, rid: str | None) -> None:
    assert envelopes.request_id(content) == rid


@pytest.mark.parametrize("mode", ["", "1-", "-1-2", "1-2-3", "all", "99999-1", "2-9"])
@pytest.mark.parametrize("name", ["intervene", "sweep", "validate"])
def test_what_is_no_mode_is_refused(show: Open, name: str, mode: str) -> None:
    _, page = show()
    answer = answered(page, page.request(name, {**body_of(name), "mode": mode}))
    assert answer["code"] == "intervention"
    assert "given 2 to 9" in answer["message"] or repr(mode) in answer["message"]


@pytest.mark.parametrize("name", REQUESTS)
def test_every_request_has_a_handler_that_takes_its_body_and_returns_its_reply(name: str) -> None:
    declared = REQUESTS[name]
    _, body, returned = get_type_hints(declared.handler).values()
    assert body is declared.body
    assert returned is declared.reply or (get_origin(returned), get_args(returned)) == (Task, (declared.reply,))


def test_effects_and_cards_of_the_wrong_shape_would_be_noticed() -> None:
    card = {"node": "a", "layer": 0, "feature": 1, "label": None, "frequency": None, "maximum": 0.5}
    card |= {"examples": [{"tokens": ["x"], "activations": [0]}], "promoted": [{"token": "y", "logit": 1.5}]}
    with pytest.raises(MessageError, match="lacks suppressed, negative"):
        parse(Card, card, "The card")
    card |= {
        "suppressed": [],
        "negative": False,
        "first_token": False,
        "minimum": None,
        "mean": 0.5,
        "lowest": [],
        "levels": [],
        "histogram": None,
        "origin": None,
        "label_origin": None,
        "label_is_automatic": False,
        "contributors": [],
    }
    assert parse(Card, card, "The card").promoted[0].logit == 1.5
    with pytest.raises(MessageError, match="lacks id, name"):
        parse(EffectMessage, {}, "The effect")
