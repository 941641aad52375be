"""What a cell does is seen on the page, what the page does is a Python value, and what is wrong is said."""

import gc
import html
import sys
import threading
import weakref
from typing import Any

import pytest

from circuit_widget import Ablate, Add, Circuit, Feature, Scale
from circuit_widget.errors import CircuitError, CircuitWidgetError, FigureError, MessageError, NodeError
from circuit_widget.graph import Graph, PromptToken
from circuit_widget.widget import shared
from circuit_widget.widget.messages import Card, EffectMessage, FigureReply
from circuit_widget.widget.schema import parse
from circuit_widget.widget.widget import CircuitWidget
from tests.widget.conftest import Open
from tests.widget.linear_model import LinearModel, wait_for
from tests.widget.small_graph import small_graph
from tests.widget.test_snapshot import unpack

TEXAS = ["0_2_4", "0_19_4", "1_8_4"]
AUSTIN = ["2_9_5"]


def answered(page: Any, rid: str) -> dict[str, Any]:
    """Deliver until a request is settled, and return its reply or error."""
    page.speak()
    wait_for(lambda: page.hear() or page.settled(rid))
    answer: dict[str, Any] = page.last(rid)
    return answer


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
def test_what_makes_no_sense_is_said_and_answered_by_the_last_good_state(
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


def test_a_click_runs_the_model_and_is_a_python_value(show: Open) -> None:
    widget, page = show()
    rid = page.request(
        "intervene", {"interventions": [{"kind": "ablate", "nodes": TEXAS}], "mode": "total", "name": "Texas ×0"}
    )
    reply = answered(page, rid)
    assert page.answers[rid][0]["type"] == "accepted"
    effect = parse(EffectMessage, reply["body"], "The effect")
    assert (effect.id, effect.name, effect.mode) == (1, "Texas ×0", "total")
    assert dict(zip(effect.nodes.ids, effect.nodes.after, strict=True))["1_8_4"] == 0
    assert page.traits["effect"] == widget.effect == reply["body"]
    (measured,) = widget.effects
    assert measured.tokens.token.tolist() == [token.token for token in effect.tokens]
    assert [list(one.nodes) for one in measured.interventions] == [
        [Feature(0, 4, 2), Feature(0, 4, 19), Feature(1, 4, 8)]
    ]


def test_a_call_does_what_the_click_does(show: Open) -> None:
    widget, page = show()
    widget.group("Texas", [*TEXAS, "E_4_4"])
    called = widget.ablate("Texas")
    page.hear()
    assert page.traits["effect"]["name"] == "Texas ×0"
    assert page.traits["effect"]["interventions"] == [{"kind": "ablate", "nodes": TEXAS}]
    body = {"interventions": page.traits["effect"]["interventions"], "mode": "total", "name": "again"}
    clicked = answered(page, page.request("intervene", body))["body"]
    assert clicked["nodes"] == page.traits["effect"]["nodes"]
    assert (clicked["id"], clicked["name"]) == (2, "again")
    assert widget.effects[0] is called
    assert widget.effects[1].nodes.equals(called.nodes)


def test_experiments_are_named_after_whom_they_change(widget: CircuitWidget) -> None:
    widget.group("Texas", TEXAS)
    named = {
        "Texas ×0": lambda: widget.ablate("Texas"),
        "Texas ×−2": lambda: widget.scale(TEXAS, -2),
        "Texas <b> = 1.5": lambda: widget.set("1_8_4", 1.5),
        "feature 9 and 1 more set": lambda: widget.set([Feature(0, 1, 9), "0_3_1"], [1.0, 2.0]),
        "Texas ×0, feature 3 +0.5": lambda: widget.intervene([Ablate("Texas"), Add("0_3_1", 0.5)]),
    }
    for name, run in named.items():
        run()
        assert widget.effect["name"] == name
    widget.label("0_3_1", "the")
    widget.intervene(Scale(["0_3_1"], 0.25), mode=(0, 1))
    assert (widget.effect["name"], widget.effect["mode"]) == ("the ×0.25", "0-1")
    for number, effect in enumerate(widget.effects, 1):
        assert effect.interventions
        assert number <= len(named) + 1


def test_a_name_that_is_not_there_is_answered_with_the_nearest(widget: CircuitWidget) -> None:
    widget.group("Texas", TEXAS)
    widget.group("words", ["E_4_4"])
    with pytest.raises(CircuitError, match=r"no supernode and no node “Texs”; the nearest are Texas\."):
        widget.ablate("Texs")
    with pytest.raises(CircuitError, match="no supernode and no node “0_33_1”; the nearest are 0_3_1"):
        widget.ablate(["Texas", "0_33_1"])
    with pytest.raises(CircuitError, match="Only features can be changed; among “words” there is none"):
        widget.ablate("words")
    with pytest.raises(NodeError, match="given by its id"):
        widget.pin([3])
    assert widget.effects == []
    assert widget.effect is None


def test_an_effect_is_taken_off_the_screen_here_or_there_but_kept(show: Open) -> None:
    widget, page = show()
    widget.ablate(TEXAS)
    widget.reset()
    page.hear()
    assert page.traits["effect"] is None
    widget.ablate(AUSTIN)
    page.hear()
    page.set("effect", None)
    page.speak()
    page.hear()
    assert widget.effect is None
    assert page.traits["effect"] is None
    assert len(widget.effects) == 2


def test_an_effect_that_the_page_sends_back_is_not_sent_again(show: Open) -> None:
    widget, page = show()
    widget.ablate(TEXAS)
    page.hear()
    page.set("effect", page.traits["effect"])
    page.speak()
    assert not page.comm.published
    first = page.traits["effect"]
    widget.ablate(AUSTIN)
    page.hear()
    page.set("effect", first)
    page.speak()
    page.hear()
    assert page.traits["effect"] == widget.effect != first


def test_an_effect_that_comes_while_the_page_clears_the_last_one_is_settled_by_the_kernel(show: Open) -> None:
    widget, page = show()
    widget.ablate(TEXAS)
    page.hear()
    page.set("effect", None)
    widget.ablate(AUSTIN)
    page.speak()
    page.hear()
    assert page.traits["effect"] == widget.effect


def test_a_feature_that_was_injected_can_be_asked_about_and_changed(show: Open) -> None:
    widget, page = show()
    widget.set(Feature(1, 3, 77), 2.0)
    page.hear()
    (injected,) = page.traits["effect"]["injected"]
    assert injected["id"] == "1_77_3"
    card = answered(page, page.request("card", {"node": "1_77_3"}))["body"]
    assert (card["layer"], card["feature"]) == (1, 77)
    ablate = {"interventions": [{"kind": "ablate", "nodes": ["1_77_3"]}], "mode": "total", "name": "x"}
    assert answered(page, page.request("intervene", ablate))["type"] == "reply"


def test_a_card_says_what_is_known_of_a_feature(show: Open) -> None:
    _, page = show()
    card = answered(page, page.request("card", {"node": "1_8_4"}))["body"]
    parse(Card, card, "The card")
    assert card["label"] == "Texas <b>"
    assert card["promoted"] == [{"token": "Austin", "logit": 1.5}]
    assert card["examples"] == [{"tokens": ["of", "Texas"], "activations": [0.0, 8.0]}]
    for node, code in [("E_4_4", "node"), ("4_40_5", "node"), ("9_9_9", "node"), ("0_-1_0", "node")]:
        assert answered(page, page.request("card", {"node": node}))["code"] == code


@pytest.mark.parametrize(("kind", "start"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_figure_comes_with_its_bytes(show: Open, kind: str, start: bytes) -> None:
    _, page = show()
    rid = page.request("figure", {"format": kind, "width": 3.25, "part": "map"})
    body = parse(FigureReply, answered(page, rid)["body"], "The reply")
    assert body.filename == f"the-capital-of-texas-is.{kind}"
    (data,) = page.buffers[rid]
    assert start in data[:100]
    rid = page.request("figure", {"format": kind, "width": 3.25, "part": "circuit"})
    answer = answered(page, rid)
    assert (answer["code"], answer["message"].split(":")[0]) == ("figure", "The circuit has no boxes to draw")


def test_the_figure_shows_the_effect_that_is_on_show(widget: CircuitWidget) -> None:
    widget.group("Texas", TEXAS)
    before = widget.figure().svg()
    widget.ablate("Texas")
    assert widget.figure().svg() != before
    widget.reset()
    assert widget.figure().svg() == before
    with pytest.raises(FigureError):
        widget.figure(width=0.1)


def test_without_a_model_everything_but_interventions_works(show: Open) -> None:
    widget, page = show(small_graph())
    assert page.traits["capabilities"]["intervene"] is False
    why_not = page.traits["capabilities"]["why_not"]
    assert "loaded from a file" in why_not
    body = {"interventions": [{"kind": "ablate", "nodes": TEXAS}], "mode": "total", "name": "x"}
    answer = answered(page, page.request("intervene", body))
    assert (answer["code"], answer["message"]) == ("no-model", why_not)
    with pytest.raises(CircuitWidgetError, match="loaded from a file"):
        widget.ablate(TEXAS)
    card = answered(page, page.request("card", {"node": "1_8_4"}))["body"]
    parse(Card, card, "The card")
    assert (card["label"], card["examples"], card["frequency"]) == ("Texas <b>", [], None)
    widget.group("Texas", TEXAS)
    assert answered(page, page.request("figure", {"format": "svg", "width": 5.5, "part": "both"}))["type"] == "reply"
    lent, _ = show(small_graph(), model=LinearModel())
    assert lent.ablate(TEXAS).mode == "total"


def test_a_model_that_cannot_have_traced_the_graph_is_refused(show: Open) -> None:
    model = LinearModel()
    model.n_layers = 12
    with pytest.raises(CircuitWidgetError, match=r"The graph has 3 layers and the model 12"):
        show(small_graph(), model=model)
    with pytest.raises(CircuitWidgetError, match=r"comes from circuit_widget.load\(\); given str"):
        show(small_graph(), model="demo")


def test_settings_are_checked_where_they_are_given(show: Open) -> None:
    with pytest.raises(MessageError, match="theme is 'pink'"):
        show(theme="pink")
    with pytest.raises(MessageError, match="120 to 4000"):
        show(height=1)


def test_a_follower_may_run_the_model_while_the_worker_does(show: Open, model: LinearModel) -> None:
    widget, page = show()
    widget.observe(lambda change: widget.ablate(change["new"]), "selected")
    model.gate.clear()
    body = {"interventions": [{"kind": "ablate", "nodes": AUSTIN}], "mode": "total", "name": "x"}
    rid = page.request("intervene", body)
    page.speak()
    assert model.running.wait(10)
    page.set("selected", TEXAS)
    handler = threading.Thread(target=page.speak)
    handler.start()
    model.gate.set()
    handler.join(10)
    assert not handler.is_alive()
    wait_for(lambda: page.hear() or page.settled(rid))
    assert len(widget.effects) == 2
    assert page.traits["effect"] == widget.effect


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


def test_a_missing_bundle_is_an_error_that_says_how_to_build_it(
    show: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(shared, "BUNDLE", tmp_path / "nowhere" / "widget.js")
    with pytest.raises(CircuitWidgetError, match=r"no widget\.js in .*npm ci && npm run build"):
        show()


def test_a_saved_notebook_has_a_picture_and_its_words(show: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = small_graph(tokens=hostile_tokens())
    widget, _ = show(graph)
    widget.group('"><script>alert(1)</script>', TEXAS)
    bundle, _ = widget._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    assert bundle["image/png"].startswith("iVBOR")
    assert bundle["text/html"].startswith('<img src="data:image/png;base64,iVBOR')
    words = bundle["text/html"].split('alt="')[1].split('"')[0]
    assert "<" not in words
    assert ">" not in words
    assert "Austin" in html.unescape(words)
    assert "<script>alert(1)</script>" in html.unescape(words)
    assert bundle["text/html"].count("<") == 1
    assert "→ Austin" in bundle["text/plain"]

    monkeypatch.setitem(sys.modules, "resvg_py", None)
    bundle, _ = widget._repr_mimebundle_()
    assert "image/png" not in bundle
    assert bundle["text/html"].startswith('<img src="data:image/svg+xml;base64,')


def hostile_tokens() -> list[Any]:
    texts = ["<bos>", "<img src=x onerror=alert(1)>", '"', "&amp;", "\n", "is"]
    return [PromptToken(text, number) for number, text in enumerate(texts)]


def test_a_picture_that_cannot_be_drawn_does_not_hide_the_widget(
    widget: CircuitWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no fonts")

    monkeypatch.setattr(CircuitWidget, "figure", fail)
    bundle, _ = widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "text/html" not in bundle


def test_graph_show_is_the_way_in(show: Open, model: LinearModel) -> None:
    graph = model.trace()
    widget = graph.show(theme="dark")
    assert isinstance(widget, CircuitWidget)
    assert (widget.graph, widget.model, widget.settings["theme"]) == (graph, model, "dark")
    assert isinstance(widget.graph, Graph)
    widget.close()
