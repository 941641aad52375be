"""Ten thousand messages that no page sends are refused in a sentence, change nothing, and leave a widget that works."""

import json
import logging
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import circuit_widget as cw
from circuit_widget.graph import Graph
from circuit_widget.widget.widget import CircuitWidget
from tests.widget.conftest import Open
from tests.widget.frontend import answered
from tests.widget.malformed import message, requests

REFUSALS = 10_000
PROMPT = "the capital of the state containing Dallas is"


@pytest.fixture(scope="module")
def graph() -> Graph:
    return cw.load("demo", device="cpu").trace(PROMPT)


def state(widget: CircuitWidget) -> tuple[Any, ...]:
    """What a user would miss or find changed."""
    # A refused circuit is answered by the present one under a higher revision.
    return (
        replace(widget.circuit, revision=0),
        widget.selected,
        widget.effect,
        widget.study,
        widget.experiments,
        widget.settings,
    )


def test_malformed_messages_are_refused_and_change_nothing(
    show: Open, graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.WARNING)
    widget, page = show(graph)
    first, second = (graph.node_ids[place] for place in graph.influence[: graph.n_features].argsort()[:2])
    widget.group("place", [first])
    widget.pin([second])
    widget.label(second, "a label")
    widget.ablate([second])
    page.hear()
    known = {"node": first, "nodes": [first, second], "id": 1, "beside": 1, "mode": "total", "features": None, "n": 1}
    known |= {
        "max_new_tokens": 1,
        "prompt": PROMPT,
        "format": "svg",
        "alignment": None,
        "width": 3.25,
        "rid": "r",
        "name": "x",
    }
    # An HTML file takes seconds, and its request has no field: here it has several too many, whichever is taken away.
    many = dict.fromkeys("abcdef", 1)
    all_requests = [{**one, "body": many} if one["name"] == "html" else one for one in requests(known)]
    traits = {**page.traits, "snapshot": {"version": 1, "columns": {}}, "_esm": "", "layout": "x"}
    chance, outcomes, refused, sent = random.Random(0), Counter[str](), 0, 0
    before = state(widget)
    while refused < REFUSALS:
        sent += 1
        assert sent < 2 * REFUSALS, outcomes
        page.answers, page.notices = {}, []
        made = message(chance, all_requests, traits, f"r{sent}")
        page.comm.handling = page.post(made.data, made.buffers)
        page.comm.handle_msg(page.outbox.pop())
        assert widget._worker.wait_until_idle(30), str(made)[:2000]
        page.hear()
        ends = [one for some in page.answers.values() for one in some if one["type"] in ("reply", "error")]
        assert len(ends) <= 1
        codes = [one.get("code", "reply") for one in ends] + ["notice"] * bool(page.notices)
        # What the page may not set is sent back to it as it is; what it may, or asks for in full, needs no words.
        assert codes or made.data["method"] in ("update", "request_state"), made
        outcomes.update(codes or ["silent"])
        assert "internal" not in codes, (made, ends)
        for sentence in [*page.notices, *(one["message"] for one in ends if one["type"] == "error")]:
            assert 10 < len(sentence) < 2_100, (made, sentence)
            assert sentence.isprintable(), (made, sentence)
        if codes and "reply" not in codes:
            refused += 1
            assert state(widget) == before, (made, codes)
        before = state(widget)
    assert not caplog.records
    assert not list(tmp_path.iterdir())
    effect = answered(
        page, page.request("intervene", {"interventions": [{"kind": "ablate", "nodes": [first]}], "mode": "total"})
    )
    assert effect["type"] == "reply"
    json.dumps(page.traits["effect"])
