"""A click and a call do the same, are named the same, and leave the same effect on the page and in Python."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from circuit_widget import Ablate, Add, Everywhere, Feature, Scale
from circuit_widget.errors import CircuitError, CircuitWidgetError, NodeError
from circuit_widget.examples.record import Example, Level
from circuit_widget.widget.experiments.experiment_names import changed_name, experiment_name
from circuit_widget.widget.widget import CircuitWidget
from circuit_widget.widget.wire.experiment_messages import EffectMessage
from circuit_widget.widget.wire.graph_messages import Card
from circuit_widget.widget.wire.schema import parse
from tests.widget.conftest import Open
from tests.widget.frontend import answered
from tests.widget.linear_model import LinearModel, wait_for
from tests.widget.small_graph import small_graph
from tests.widget.test_every_request import body_of

TEXAS = ["0_2_4", "0_19_4", "1_8_4"]
AUSTIN = ["2_9_5"]


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
    assert page.traits["effect"]["interventions"] == [{"kind": "ablate", "nodes": [*TEXAS, "E_4_4"]}]
    body = {"interventions": page.traits["effect"]["interventions"], "mode": "total", "name": "again"}
    clicked = answered(page, page.request("intervene", body))["body"]
    assert clicked["nodes"] == page.traits["effect"]["nodes"]
    assert (clicked["id"], clicked["name"]) == (2, "again")
    assert widget.effects[0] is called
    assert widget.effects[1].nodes.equals(called.nodes)


def test_experiments_are_named_after_whom_they_change(widget: CircuitWidget) -> None:
    widget.group("Texas", TEXAS)
    named: dict[str, Callable[[], object]] = {
        "Texas ×0": lambda: widget.ablate("Texas"),
        "Texas ×−2": lambda: widget.scale(TEXAS, -2),
        "Texas <b> = 1.5": lambda: widget.set("1_8_4", 1.5),
        "Texas everywhere ×0": lambda: widget.ablate([*TEXAS, Feature(1, 5, 8)]),
        "feature 9 and 1 more set": lambda: widget.set([Feature(0, 1, 9), "0_3_1"], [1.0, 2.0]),
        "Texas ×0, feature 3 +0.5": lambda: widget.intervene([Ablate("Texas"), Add("0_3_1", 0.5)]),
    }
    for name, run in named.items():
        run()
        assert widget.effect["name"] == name
    widget.label("0_3_1", "the")
    assert widget.ablate("the").interventions[0].members == ("0_3_1",)
    widget.intervene(Scale(["0_3_1"], 0.25), mode=(0, 1))
    assert (widget.effect["name"], widget.effect["mode"]) == ("the ×0.25", "0-1")
    for number, effect in enumerate(widget.effects, 1):
        assert effect.interventions
        assert number <= len(named) + 2


def test_a_click_without_a_name_is_named_as_a_call_is(show: Open) -> None:
    widget, page = show()
    widget.group("Texas", TEXAS)
    named = {
        "Texas ×0": [{"kind": "ablate", "nodes": TEXAS}],
        "feature 3 and 1 more set": [{"kind": "set", "nodes": ["0_3_1", "0_7_2"], "value": [1, 2]}],
        "Texas ×2, feature 3 +0.5": [
            {"kind": "scale", "nodes": TEXAS, "factor": 2},
            {"kind": "add", "nodes": ["0_3_1"], "value": 0.5},
        ],
    }
    for number, (name, interventions) in enumerate(named.items(), 1):
        rid = page.request("intervene", {"interventions": interventions, "mode": "total"})
        body = answered(page, rid)["body"]
        assert (body["name"], page.traits["effect"]["name"]) == (name, name)
        assert page.answers[rid][0] == {"type": "accepted", "rid": rid, "label": name}
        assert page.traits["experiments"][number - 1]["name"] == name


def test_features_at_every_position_are_named_so(widget: CircuitWidget) -> None:
    widget.group("Texas", TEXAS)
    everywhere = Ablate([Everywhere(0, 2), Everywhere(0, 19), Everywhere(1, 8)])
    assert experiment_name(widget.graph, widget.circuit, [everywhere]) == "Texas everywhere ×0"
    assert changed_name(widget.graph, widget.circuit, everywhere) == "Texas everywhere"


def test_studies_without_a_name_are_named_by_what_they_change(show: Open) -> None:
    widget, page = show()
    widget.group("Texas", TEXAS)
    texas = [{"kind": "ablate", "nodes": TEXAS}]
    named: list[tuple[str, str, dict[str, Any]]] = [
        ("Texas", "sweep", {"axis": "factor", "interventions": texas, "mode": "total"}),
        ("Texas ×0", "sweep", {"axis": "last_layer", "interventions": texas, "mode": "total"}),
        ("each box", "sweep", {"axis": "groups", "interventions": [], "mode": "total"}),
        ("Texas ×0", "generate", {**body_of("generate"), "interventions": texas}),
        ("as it is", "generate", {**body_of("generate"), "interventions": []}),
    ]
    for name, request, body in named:
        body.pop("name", None)
        rid = page.request(request, body)
        assert answered(page, rid)["body"]["name"] == name
        assert page.answers[rid][0]["label"] == f"{'Text' if request == 'generate' else 'Sweep'}: {name}"


def test_a_name_that_is_not_there_is_answered_with_the_nearest(widget: CircuitWidget) -> None:
    widget.group("Texas", TEXAS)
    widget.group("words", ["E_4_4"])
    with pytest.raises(CircuitError, match=r"no supernode and no node “Texs”; the nearest are Texas, Texas <b>\."):
        widget.ablate("Texs")
    with pytest.raises(CircuitError, match="no supernode and no node “0_33_1”; the nearest are 0_3_1"):
        widget.ablate(["Texas", "0_33_1"])
    with pytest.raises(
        CircuitError, match="Nothing that can be changed is in “words”; features, errors and tokens can"
    ):
        widget.set("words", 1)
    with pytest.raises(NodeError, match="given by its id"):
        widget.pin([3])  # type: ignore[list-item]
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
    assert [widget.effect, page.traits["effect"]] == [None, None]
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


def test_a_feature_that_was_injected_can_be_inspected_and_changed(show: Open) -> None:
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


def test_a_card_says_what_a_negative_activation_promotes(show: Open, model: LinearModel) -> None:
    activation = model.trace().activation.copy()
    activation[small_graph().index("1_8_4")] *= -1
    _, page = show(small_graph(model=model, activation=activation))
    negative, positive = (answered(page, page.request("card", {"node": node}))["body"] for node in ("1_8_4", "1_15_4"))
    assert (negative["negative"], positive["negative"]) == (True, False)
    assert negative["promoted"] == [{"token": "is", "logit": 0.5}]
    assert negative["suppressed"] == [{"token": "Austin", "logit": -1.5}]
    assert positive["promoted"] == [{"token": "Austin", "logit": 1.5}]


def test_long_examples_are_sent_around_their_peaks(
    show: Open, model: LinearModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = model.feature_card
    tokens = tuple(map(str, range(3_000)))
    high = Example(tokens, (*[0.0] * 2_000, 5.0, *[-7.0] * 999))
    low = Example(tokens, (-3.0, *[9.0] * 2_999))
    groups = (Level(5.0, 5.0, None, (high,), "a group"), Level(-4.0, -2.0, 0.5, (low,)))
    monkeypatch.setattr(
        model,
        "feature_card",
        lambda layer, feature: replace(
            own(layer, feature), examples=(high,) * 1_500, lowest=(low,), levels=groups, minimum=-3.0
        ),
    )
    _, page = show()
    card = parse(Card, answered(page, page.request("card", {"node": "1_8_4"}))["body"], "The card")
    assert len(card.examples) == 200
    for example in (card.examples[0], card.levels[0].examples[0]):
        assert example.tokens == tokens[1_968:2_033]
        assert example.activations == high.activations[1_968:2_033]
    for example in (card.lowest[0], card.levels[1].examples[0]):
        assert (example.tokens, example.activations[0]) == (tokens[:33], -3.0)
    assert [(level.name, level.share) for level in card.levels] == [("a group", None), (None, 0.5)]


def test_the_label_of_the_graph_goes_before_that_of_the_model(
    show: Open, model: LinearModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = model.feature_card
    monkeypatch.setattr(model, "feature_card", lambda *place: replace(own(*place), label="the model's"))
    _, page = show()
    labels = [answered(page, page.request("card", {"node": node}))["body"]["label"] for node in ("1_8_4", "0_3_1")]
    assert labels == ["Texas <b>", "the model's"]


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
    assert (
        answered(page, page.request("figure", {"format": "svg", "width": 5.5, "part": "both", "theme": "paper"}))[
            "type"
        ]
        == "reply"
    )
    lent, _ = show(small_graph(), model=LinearModel())
    assert lent.ablate(TEXAS).mode == "total"


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
    wait_for(lambda: page.heard(rid))
    assert len(widget.effects) == 2
    assert page.traits["effect"] == widget.effect
