"""A model that is closed while a widget shows its graph: clicks and calls say so, and what was there stays."""

import pytest

import circuit_widget as cw
from circuit_widget.errors import NoModelError
from tests.models import PROMPT_IDS, tiny_model
from tests.widget.conftest import Open
from tests.widget.frontend import answered


def test_a_click_on_a_closed_model_is_answered_and_the_last_effect_stays(show: Open) -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    widget, page = show(graph)
    node = graph.node_ids[0]
    widget.ablate(node)
    page.hear()
    displayed = page.traits["effect"]
    model.close()
    ablate = {"interventions": [{"kind": "ablate", "nodes": [node]}], "mode": "total", "name": "x"}
    for name, body in [("intervene", ablate), ("controls", {"id": 1, "n": 3}), ("validate", {"mode": "total"})]:
        answer = answered(page, page.request(name, body))
        assert (answer["code"], "was closed" in answer["message"]) == ("no-model", True)
    with pytest.raises(NoModelError, match="was closed"):
        widget.intervene(cw.Scale(node, 2))
    assert page.traits["effect"] == widget.effect == displayed
    assert widget._worker.pending(widget) == ()


def test_the_graph_of_a_closed_model_can_still_be_looked_at(show: Open) -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    model.close()
    widget, page = show(graph)
    assert page.traits["capabilities"]["intervene"] is False
    assert "was closed" in page.traits["capabilities"]["why_not"]
    widget.group("some", graph.node_ids[:2])
    assert widget.figure().svg().startswith("<svg")
