"""Whatever a page sends, the widget answers it or says so, and is as before."""

import copy
import random
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circuit_widget.errors import MessageError
from circuit_widget.widget.requests.registry import read_request
from tests.widget.conftest import Open
from tests.widget.frontend import Page

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
REQUESTS = [
    ("ping", {}),
    ("cancel", {"rid": "r"}),
    ("card", {"node": "1_8_4"}),
    ("figure", {"format": "svg", "width": 3.25, "part": "map", "theme": "paper"}),
    ("intervene", {"interventions": [{"kind": "ablate", "nodes": ["1_8_4"]}], "mode": "total", "name": "x"}),
    ("intervene", {"interventions": [{"kind": "set", "nodes": ["1_8_4"], "value": 1}], "mode": "0-1", "name": "x"}),
]


def spoil(message: Any, junk: Any, choice: random.Random) -> Any:
    """Replace, add or remove one value somewhere inside a message."""
    spoiled = copy.deepcopy(message)
    places = []

    def visit(value: Any) -> None:
        for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []:
            places.append((value, key))
            visit(value[key])

    visit(spoiled)
    holder, key = choice.choice(places)
    if isinstance(holder, dict) and choice.random() < 0.3:
        del holder[key]
    elif isinstance(holder, dict) and choice.random() < 0.2:
        holder[choice.choice(["extra", "__class__", "type", "x" * 300])] = junk
    else:
        holder[key] = junk
    return spoiled


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=JSON, seed=st.integers(0, 2**32))
def test_no_message_goes_without_an_answer_or_does_harm(show: Open, junk: Any, seed: int) -> None:
    choice = random.Random(seed)
    widget, _ = show()
    page = Page(widget.comm)
    before = (widget.circuit, widget.selected, widget.snapshot)
    name, body = choice.choice(REQUESTS)
    content = {"type": "request", "rid": "r1", "name": name, "body": body}
    page.post(choice.choice([junk, {"method": "custom", "content": spoil(content, junk, choice)}]))
    page.request("ping", {}, "barrier")
    page.speak()
    assert widget._worker.wait_until_idle(20)
    page.hear()
    assert page.last("barrier")["type"] == "reply"
    heard = [kind for rid, kinds in page.answers.items() if rid != "barrier" for kind in kinds]
    assert page.notices or any(kind["type"] in ("reply", "error") for kind in heard)
    assert all(kind.get("code") != "internal" for kind in heard), heard
    assert (widget.circuit, widget.selected, widget.snapshot) == before
    widget.close()


def test_a_message_that_is_wrong_in_millions_of_ways_is_refused_at_once() -> None:
    wrong = {"kind": "set", "nodes": [3] * 20_000, "value": [None] * 20_000}
    body = {"interventions": [wrong] * 100, "mode": "total"}
    start = time.process_time()
    with pytest.raises(MessageError, match=r"interventions\[0\].nodes\[0\] is 3; expected a text"):
        read_request({"type": "request", "rid": "r", "name": "intervene", "body": body})
    assert time.process_time() - start < 1


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=JSON, seed=st.integers(0, 2**32))
def test_no_document_that_breaks_the_rules_is_taken(show: Open, junk: Any, seed: int) -> None:
    choice = random.Random(seed)
    widget, page = show()
    widget.group("Texas", ["1_8_4", "0_2_4"])
    widget.pin(["2_9_5"])
    page.hear()
    document = {**page.traits["circuit"], "revision": 3, "positions": {"s1": [0.5, 0.5]}, "labels": {"1_8_4": "x"}}
    spoiled = spoil(document, junk, choice)
    page.post({"method": "update", "state": {"circuit": spoiled}, "buffer_paths": []})
    page.speak()
    page.hear()
    widget.circuit.check(widget.graph)
    assert type(widget.circuit).from_json(widget.circuit.to_json()) == widget.circuit
    present = widget.circuit.to_json()
    assert present in (spoiled, page.traits["circuit"])
    if not page.notices and present["revision"] != 2:
        # What is taken without a word says the same: an empty label is no label, spaces around a name do not count.
        assert present == type(widget.circuit).from_json(spoiled).to_json()
    widget.close()
