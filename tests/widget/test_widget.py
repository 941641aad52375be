"""What a cell does is seen on the page, what the page does is a Python value, and what is wrong is stated."""

import gc
import hashlib
import weakref
import zlib
from typing import Any

import pytest

from circuit_widget import Circuit, Feature
from circuit_widget.errors import CircuitWidgetError, MessageError, NodeError
from circuit_widget.graph import Graph
from circuit_widget.widget.packed_bundle import PackedBundle, packed_bundle
from circuit_widget.widget.preconditions import BUNDLE, FRONTEND, PANELS
from circuit_widget.widget.widget import CircuitWidget
from tests.models import tiny_model
from tests.widget.conftest import Open
from tests.widget.frontend import answered
from tests.widget.linear_model import LinearModel, wait_for
from tests.widget.small_graph import small_graph
from tests.widget.test_snapshot import unpack

TEXAS = ["0_2_4", "0_19_4", "1_8_4"]
AUSTIN = ["2_9_5"]


def test_what_a_cell_edits_is_on_the_page_at_once(show: Open) -> None:
    widget, page = show()
    widget.group("Texas", TEXAS)
    widget.group("Austin", [Feature(2, 5, 9)])
    widget.pin("4_40_5")
    widget.label("1_8_4", "state: Texas")
    widget.rename("Austin", "say Austin")
    widget.select("Texas")
    page.hear()
    assert page.traits["circuit"] == widget.circuit.to_json()
    assert [(s["name"], s["nodes"]) for s in page.traits["circuit"]["supernodes"]] == [
        ("Texas", TEXAS),
        ("say Austin", AUSTIN),
    ]
    assert page.traits["circuit"]["pinned"] == ["4_40_5"]
    assert page.traits["selected"] == widget.selected == TEXAS
    widget.ungroup("say Austin")
    widget.unpin("4_40_5")
    page.hear()
    assert page.traits["circuit"]["pinned"] == []
    assert [s["name"] for s in page.traits["circuit"]["supernodes"]] == ["Texas"]
    assert page.traits["circuit"]["revision"] == widget.circuit.revision == 7


def test_what_the_page_edits_is_a_python_value(show: Open) -> None:
    widget, page = show()
    seen = []
    widget.observe(lambda change: seen.append(change["new"]), "circuit")
    page.edit(supernodes=[{"id": "s1", "name": "Texas", "color": 0, "nodes": TEXAS}])
    page.set("selected", ["2_9_5"])
    page.set("settings", {"theme": "dark", "height": 300})
    page.speak()
    assert widget.circuit.supernode("Texas").nodes == tuple(TEXAS)
    assert widget.selected == ["2_9_5"]
    assert widget.settings == {"theme": "dark", "height": 300}
    assert seen == [widget.circuit]
    page.hear()
    assert page.notices == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("circuit", "nonsense", "circuit"),
        ("circuit", {"version": 1}, "lacks"),
        ("circuit", {"revision": 7, "pinned": ["9_9_9"]}, ""),
        ("circuit", {"revision": True}, ""),
        ("circuit", None, ""),
        ("selected", "0_3_1", "expected a list of node ids"),
        ("selected", ["0_3_1", "9_9_9"], "no node “9_9_9”"),
        ("selected", [["0_3_1"]], "given by its id"),
        ("settings", {"theme": "pink", "height": 300}, "theme is 'pink'"),
        ("settings", {"theme": "dark", "height": 1e9}, "expected a whole number"),
        ("settings", {"theme": "dark", "height": 10**9}, "120 to 4000 pixels"),
        ("settings", [], "expected an object"),
    ],
)
def test_what_makes_no_sense_is_stated_and_answered_by_the_last_good_state(
    show: Open, name: str, value: Any, sentence: str
) -> None:
    widget, page = show()
    widget.group("Texas", TEXAS)
    widget.select(TEXAS)
    page.hear()
    good = {trait: page.traits[trait] for trait in ("circuit", "selected", "settings")}
    page.set(name, {**good["circuit"], **value} if name == "circuit" and isinstance(value, dict) else value)
    if name == "circuit" and not isinstance(value, dict):
        page.traits["circuit"] = {"revision": 2}
    if name == "circuit" and value == {"version": 1}:
        page.outbox[-1]["content"]["data"]["state"]["circuit"] = {"version": 1, "revision": 2}
    page.speak()
    page.hear()
    assert len(page.notices) == 1
    assert f"A change of the {name} was not taken over" in page.notices[0]
    assert sentence in page.notices[0]
    for trait, before in good.items():
        if trait == "circuit":
            before, after = ({**one, "revision": 0} for one in (before, page.traits[trait]))
            assert after == before
        elif trait != name:
            assert page.traits[trait] == before
    assert page.traits["circuit"]["revision"] >= widget.circuit.revision
    assert page.traits[name] == (widget.circuit.to_json() if name == "circuit" else getattr(widget, name))


def test_the_page_cannot_set_what_is_the_kernels(show: Open) -> None:
    widget, page = show()
    effect = widget.ablate(TEXAS)
    page.hear()
    before = widget.snapshot, dict(widget.capabilities), widget.effect, widget._esm
    for name, value in [
        ("snapshot", "x"),
        ("capabilities", {"intervene": False, "why_not": "", "figure": False}),
        ("effect", {"id": 7}),
        ("_esm", "alert(1)"),
        ("_code", "x"),
        ("_panels", "x"),
        ("keys", []),
        ("_effects", []),
        ("graph", None),
    ]:
        page.set(name, value)
    page.speak()
    page.hear()
    assert (widget.snapshot, widget.capabilities, widget.effect, widget._esm) == before
    assert widget.effects == [effect]
    assert page.traits["effect"] == widget.effect
    assert page.traits["capabilities"] == widget.capabilities


def test_an_edit_there_and_one_here_at_the_same_time_end_in_the_same_circuit(show: Open) -> None:
    widget, page = show()
    page.edit(pinned=["0_3_1"])
    widget.group("Texas", TEXAS)
    page.speak()
    page.hear()
    assert page.traits["circuit"] == widget.circuit.to_json()
    page.edit(pinned=["0_3_1"])
    page.edit(pinned=["0_3_1", "0_7_2"])
    widget.group("Austin", AUSTIN)
    page.hear()
    page.speak()
    page.hear()
    assert page.traits["circuit"] == widget.circuit.to_json()
    assert widget.circuit.pinned == ("0_3_1", "0_7_2")


def test_a_circuit_set_from_a_file_is_newer_than_what_it_replaces(show: Open) -> None:
    widget, page = show()
    for number in range(5):
        widget.group(f"group {number}", TEXAS)
    saved = Circuit().group("Texas", TEXAS)
    widget.circuit = saved
    page.hear()
    assert widget.circuit.supernodes == saved.supernodes
    assert page.traits["circuit"]["revision"] == widget.circuit.revision == 6
    with pytest.raises(NodeError, match="no node “9_9_9”"):
        widget.circuit = Circuit().pin("9_9_9")
    assert widget.circuit.supernodes == saved.supernodes


def test_nodes_that_the_snapshot_leaves_out_are_sent_when_they_are_wanted(show: Open) -> None:
    widget, page = show()
    hidden = next(node for node in widget.graph.node_ids if node not in page_ids(page))
    widget.pin(hidden)
    page.hear()
    assert hidden in page_ids(page)
    another = next(node for node in widget.graph.node_ids if node not in page_ids(page))
    widget.select([another])
    page.hear()
    assert {hidden, another} <= page_ids(page)
    opened, other_page = show(circuit=widget.circuit)
    assert hidden in page_ids(other_page)
    assert opened.circuit == widget.circuit


def page_ids(page: Any) -> set[str]:
    return set(unpack(page.traits["snapshot"])[0]["ids"])


def test_a_model_that_cannot_have_traced_the_graph_is_refused(show: Open) -> None:
    with pytest.raises(CircuitWidgetError, match=r"traced with another model or other transcoders: "):
        show(small_graph(), model=tiny_model())
    with pytest.raises(CircuitWidgetError, match=r"comes from circuit_widget.load\(\); given str"):
        show(small_graph(), model="demo")


def test_settings_are_checked_where_they_are_given(show: Open) -> None:
    with pytest.raises(MessageError, match="theme is 'pink'"):
        show(theme="pink")
    with pytest.raises(MessageError, match="120 to 4000"):
        show(height=1)


def test_two_widgets_on_one_model_do_not_know_each_other(show: Open, model: LinearModel) -> None:
    (one, page), (other, other_page) = show(), show()
    one.group("Texas", TEXAS)
    one.ablate("Texas")
    other.select(AUSTIN)
    for each in (page, other_page):
        each.hear()
    assert other.circuit == Circuit()
    assert other.effects == []
    assert other_page.traits["effect"] is None
    assert page.traits["selected"] == []
    body = {"interventions": [{"kind": "ablate", "nodes": AUSTIN}], "mode": "total", "name": "x"}
    model.gate.clear()
    mine, theirs = page.request("intervene", body, "same"), other_page.request("intervene", body, "same")
    page.speak()
    other_page.speak()
    assert model.running.wait(10)
    one.close()
    model.gate.set()
    assert answered(other_page, theirs)["type"] == "reply"
    page.hear()
    assert page.last(mine)["code"] == "cancelled"
    assert len(one.effects) == 1


def test_a_closed_widget_lets_go_of_the_model(show: Open, model: LinearModel) -> None:
    widget = CircuitWidget(model.trace())
    widget.ablate(TEXAS)
    page_rid = "r"
    model.gate.clear()
    widget._handle_custom_msg(
        {
            "type": "request",
            "rid": page_rid,
            "name": "intervene",
            "body": {"interventions": [{"kind": "ablate", "nodes": AUSTIN}], "mode": "total", "name": "x"},
        },
        [],
    )
    widget.close()
    widget.close()
    model.gate.set()
    gone = weakref.ref(widget)
    assert len(widget.effects) == 1
    del widget
    wait_for(lambda: gc.collect() >= 0 and gone() is None)


def test_a_missing_bundle_is_an_error_that_says_how_to_build_it(show: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CircuitWidget, "_esm", "")
    with pytest.raises(
        CircuitWidgetError, match=r"no widget\.js or no panels\.js in .*npm ci && npm run build.*restart"
    ):
        show()


def test_the_frontend_is_the_file_that_the_build_writes(show: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    _, page = show()
    assert zlib.decompress(page.traits["_code"]) == BUNDLE.read_bytes()
    assert zlib.decompress(page.traits["_panels"]) == PANELS.read_bytes()
    monkeypatch.setenv("ANYWIDGET_HMR", "1")
    assert packed_bundle(BUNDLE, PANELS) == PackedBundle(BUNDLE, b"", FRONTEND.panels)
    missing = BUNDLE.with_name("missing.js")
    assert packed_bundle(missing, PANELS) == packed_bundle(BUNDLE, missing) == PackedBundle("", b"", b"")


def test_what_a_page_keeps_of_each_widget_is_short_and_unpacks_that_code_alone() -> None:
    module = str(FRONTEND.module)
    assert len(module) < 1_000
    assert hashlib.sha256(BUNDLE.read_bytes()).hexdigest()[:16] in module


def test_graph_show_is_the_way_in(show: Open, model: LinearModel) -> None:
    graph = model.trace()
    widget = graph.show(theme="dark")
    assert isinstance(widget, CircuitWidget)
    assert [widget.graph, widget.model, widget.settings["theme"]] == [graph, model, "dark"]
    assert isinstance(widget.graph, Graph)
    widget.close()
