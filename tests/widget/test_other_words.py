"""The displayed graph over prompts that mean the same: traced as it was, counted by feature, kept with its graph."""

from typing import Any

import pytest

import circuit_widget as cw
from circuit_widget.comparison.other_words import stability_in_other_words
from circuit_widget.comparison.prompt_stability import PromptStability
from circuit_widget.errors import CircuitWidgetError, PromptError
from circuit_widget.widget.html_file.content import content_of
from circuit_widget.widget.html_file.widget_state import WidgetState
from tests.widget.conftest import Open
from tests.widget.frontend import answered
from tests.widget.small_graph import small_graph

PROMPTS = ["the capital of the state containing Dallas is", "the capital of the state that contains Dallas is"]


def ignore(*_: object) -> None:
    """Report nothing."""


def test_other_prompts_are_traced_for_the_same_targets_and_counted_beside_the_graph_itself() -> None:
    model = cw.load("demo")
    graph = model.trace(PROMPTS[0], targets=["Austin"], progress=False)
    found = stability_in_other_words(model, graph, PROMPTS[1:], ignore, lambda: False)
    assert found.graphs[0] is graph
    assert [one.targets[0].token for one in found.graphs] == ["Austin", "Austin"]
    nodes = found.nodes
    assert dict(found.prompts_of) == dict(zip(nodes["id"], nodes["prompts"], strict=True))
    assert set(found.prompts_of.values()) == {1, 2}


@pytest.mark.parametrize(
    ("prompts", "why"), [([], "at least one"), ([PROMPTS[0]], "given twice"), (["zzz", "zzz "], "given twice")]
)
def test_no_prompt_and_the_same_one_twice_are_refused(prompts: list[str], why: str) -> None:
    model = cw.load("demo")
    graph = model.trace(PROMPTS[0], progress=False)
    with pytest.raises(PromptError, match=why):
        stability_in_other_words(model, graph, prompts, ignore, lambda: False)


def test_a_request_displays_what_was_found_which_stays_with_its_graph(show: Open) -> None:
    widget, page = show()
    assert answered(page, page.request("other_words", {"prompts": ["in other words"]}))["type"] == "reply"
    page.hear()
    found: Any = widget.prompt_stability
    assert page.traits["prompt_stability"] == {
        "prompts": ["The capital of Texas is", "in other words"],
        "ids": list(found.prompts_of),
        "kept": [2] * len(found.prompts_of),
    }
    widget.retrace(max_features=12)
    assert widget.prompt_stability is None
    widget.undo_retrace()
    assert widget.prompt_stability is found
    page.set("prompt_stability", None)
    page.speak()
    assert widget.prompt_stability is None
    with pytest.raises(CircuitWidgetError, match=r"is model\.stability\(prompts\), or None"):
        widget.prompt_stability = 3  # type: ignore[assignment]


def test_an_html_file_has_it() -> None:
    graph = small_graph()
    found = PromptStability(("one", "two"), (graph, graph), 0.8, 0.98)
    state = WidgetState(graph, None, cw.Circuit(), prompt_stability=found)
    traits: Any = content_of(state, ignore, lambda: False).traits
    assert traits["prompt_stability"]["prompts"] == ["one", "two"]
    assert content_of(WidgetState(graph, None, cw.Circuit()), ignore, lambda: False).traits["prompt_stability"] is None
