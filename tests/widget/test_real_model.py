"""The widget on a real transformer with real transcoders: a click is the call, and a cancel leaves no trace."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from circuit_widget import Ablate, Everywhere, Graph, ReplacementModel, Set, load
from circuit_widget.widget.wire.experiment_messages import EffectMessage, SwapInJson
from circuit_widget.widget.wire.graph_messages import Card
from circuit_widget.widget.wire.schema import parse, plain
from tests.widget.conftest import Open
from tests.widget.frontend import answered
from tests.widget.linear_model import wait_for

REFERENCE = Path(__file__).parents[1] / "reference"
PROMPT = [1, 20, 30, 40, 50, 60, 70]


@pytest.fixture(scope="module")
def llama() -> ReplacementModel:
    return load(REFERENCE / "models/llama", transcoders=REFERENCE / "llama-relu/transcoders")


@pytest.fixture(scope="module")
def traced(llama: ReplacementModel) -> Graph:
    return llama.trace(PROMPT)


@pytest.fixture
def opened(show: Open, traced: Graph) -> Any:
    return show(traced)


def ask(page: Any, name: str, body: Any) -> dict[str, Any]:
    return answered(page, page.request(name, body))


def strongest(graph: Graph, count: int) -> list[str]:
    return [graph.node_ids[place] for place in np.argsort(-graph.influence[: graph.n_features])[:count]]


@pytest.mark.parametrize("mode", ["total", "frozen_attention", "direct", "0-1"])
def test_a_click_says_what_the_call_returns(opened: Any, llama: ReplacementModel, traced: Graph, mode: str) -> None:
    widget, page = opened
    nodes = strongest(traced, 3)
    body = {"interventions": [{"kind": "ablate", "nodes": nodes}], "mode": mode, "name": "x"}
    clicked = parse(EffectMessage, ask(page, "intervene", body)["body"], "The effect")
    called = llama.intervene(traced, [Ablate(nodes)], mode=(0, 1) if mode == "0-1" else mode)
    after = dict(zip(called.nodes.id, called.nodes.after, strict=True))
    assert set(nodes) <= set(clicked.nodes.ids)
    assert clicked.nodes.after == pytest.approx([after[node] for node in clicked.nodes.ids], abs=1e-6)
    assert {t.token_id: t.after for t in clicked.tokens} == pytest.approx(
        dict(zip(called.tokens.token_id, called.tokens.after, strict=True)), abs=1e-6
    )
    assert clicked.mode == mode
    assert clicked.frozen == called.frozen
    assert widget.effects[-1].logits_after == pytest.approx(called.logits_after, abs=1e-6)


def test_a_feature_everywhere_is_displayed_at_each_of_its_positions(opened: Any, traced: Graph) -> None:
    widget, _ = opened
    layer, number = int(traced.feature_layer[0]), int(traced.feature_index[0])
    here = (traced.feature_layer == layer) & (traced.feature_index == number)
    active = [traced.node_ids[place] for place in np.flatnonzero(here)]
    effect = widget.intervene(Ablate(Everywhere(layer, number)))
    assert effect.ratio(active) == (0, 0)
    message = parse(EffectMessage, widget.effect, "The effect")
    assert [list(one.nodes) for one in message.interventions] == [active]
    assert len(widget.intervene([Set(Everywhere(layer, number), 2)]).interventions[0].members) == len(PROMPT) - 1


def test_a_cancelled_run_leaves_the_model_as_it_was(opened: Any, llama: ReplacementModel, traced: Graph) -> None:
    widget, page = opened
    nodes = strongest(traced, 3)
    body = {"interventions": [{"kind": "scale", "nodes": nodes, "factor": -2}], "mode": "total", "name": "x"}
    expected = ask(page, "intervene", body)["body"]["nodes"]["after"]
    outcomes = []
    for delay in (0.0, 0.002, 0.005, 0.01, 0.02):
        rid = page.request("intervene", body)
        page.speak()
        time.sleep(delay)
        page.request("cancel", {"rid": rid})
        page.speak()
        wait_for(lambda: page.heard(rid), 60)  # noqa: B023
        outcomes.append(page.last(rid).get("code", "reply"))
        assert widget._worker.wait_until_idle(60)
        assert ask(page, "intervene", body)["body"]["nodes"]["after"] == expected
    assert "cancelled" in outcomes
    assert len(widget.effects) == 6 + outcomes.count("reply")


def test_another_prompt_is_swapped_in_and_an_unknown_word_is_named(opened: Any, traced: Graph) -> None:
    _, page = opened
    words = [token.text for token in traced.tokens[1:]]
    swap = {"kind": "swap_in", "nodes": strongest(traced, 3), "prompt": " ".join(reversed(words))}
    reply = ask(page, "intervene", {"interventions": [swap], "mode": "total", "name": "x"})
    effect = parse(EffectMessage, reply["body"], "The effect")
    assert effect.interventions[0].nodes == tuple(swap["nodes"])
    unknown = {**swap, "prompt": "Xanadu " + " ".join(words[1:])}
    error = ask(page, "intervene", {"interventions": [unknown], "mode": "total", "name": "x"})
    assert error["code"] == "prompt"
    assert "Xanadu" in error["message"]


def test_a_swap_from_token_ids_goes_to_the_page_and_comes_back_as_ids(opened: Any, traced: Graph) -> None:
    widget, page = opened
    ids = [token.token_id for token in traced.tokens]
    effect = widget.swap(strongest(traced, 3), list(reversed(ids[1:])))
    assert effect.interventions[0].prompt == tuple(reversed(ids[1:]))
    page.hear()
    swap = {**effect.interventions[0].to_json(), "nodes": strongest(traced, 3)}
    assert swap["prompt"] == list(reversed(ids[1:]))
    reply = ask(page, "intervene", {"interventions": [swap], "mode": "total", "name": "x"})
    message = parse(EffectMessage, reply["body"], "The effect")
    (swapped,) = message.interventions
    assert isinstance(swapped, SwapInJson)
    assert swapped.prompt == effect.interventions[0].prompt
    again = ask(page, "intervene", {"interventions": [plain(swapped)], "mode": "total", "name": "x"})
    assert again["body"]["nodes"] == reply["body"]["nodes"]
    np.testing.assert_allclose(list(widget.effects)[-1].logits_after, effect.logits_after, atol=1e-5)


def test_every_feature_has_a_card(opened: Any, traced: Graph) -> None:
    _, page = opened
    for node in strongest(traced, 5):
        card = parse(Card, ask(page, "card", {"node": node})["body"], "The card")
        assert card.node == node
        assert len(card.promoted) == len(card.suppressed) == 10
        assert card.promoted[0].logit >= card.promoted[-1].logit >= card.suppressed[-1].logit
