"""A graph beside the displayed one: what the page gets, what is refused, and that it stays with its graph."""

import base64
from typing import Any

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.comparison.compare import GraphComparison
from circuit_widget.errors import CircuitError, CircuitWidgetError
from circuit_widget.graph import Graph
from circuit_widget.widget.html_file.content import content_of
from circuit_widget.widget.html_file.widget_state import WidgetState
from circuit_widget.widget.wire.other_graph import nodes_to_send, other_graph_message
from circuit_widget.widget.wire.snapshot import snapshot_nodes
from tests.widget.conftest import Open
from tests.widget.frontend import answered
from tests.widget.linear_model import LinearModel
from tests.widget.small_graph import FEATURES, small_graph


def other_graph() -> Graph:
    """The small graph with one feature under another number: 15 features are in both."""
    numbers = np.array([feature for _, _, feature in FEATURES], dtype=np.int32)
    numbers[0] = 13
    return small_graph(feature_index=numbers)


def test_the_page_gets_the_other_graph_and_which_nodes_are_the_same() -> None:
    comparison = cw.compare(small_graph(), other_graph())
    message = other_graph_message(comparison)
    assert (message.both, message.only_here, message.only_there) == (15, 1, 1)
    same = dict(zip(message.here, message.there, strict=True))
    assert "0_3_1" not in same
    assert "0_13_1" not in same.values()
    assert same["1_8_4"] == "1_8_4"
    assert message.overlap == comparison.overlap
    assert "0_13_1" in message.snapshot.ids


def displayed(widget: cw.CircuitWidget) -> GraphComparison | None:
    """The comparison of a widget, which the page may have changed meanwhile."""
    return widget.comparison


def weak(position: int, graph: Graph) -> Graph:
    """A graph one of whose features has hardly any influence."""
    weights = np.array(graph.weights)
    weights[:, position] *= 1e-6
    return small_graph(weights=weights)


def test_influential_nodes_have_their_counterparts_on_the_page_whatever_influence_these_have() -> None:
    strong = small_graph()
    at = int(strong.influence[: strong.n_features].argmax())
    node, other = strong.node_ids[at], weak(at, strong)
    assert at not in snapshot_nodes(other)
    assert node in other_graph_message(cw.compare(strong, other)).snapshot.ids
    assert node in nodes_to_send(cw.compare(other, strong))


def test_a_comparison_is_displayed_and_taken_off_the_screen_by_either_side(show: Open) -> None:
    widget, page = show()
    widget.comparison = cw.compare(widget.graph, other_graph())
    page.hear()
    assert page.traits["comparison"]["both"] == 15
    page.set("comparison", None)
    page.speak()
    assert displayed(widget) is None
    widget.comparison = cw.compare(widget.graph, other_graph())
    page.set("comparison", {"both": 3})
    page.speak()
    page.hear()
    assert isinstance(widget.comparison, GraphComparison)
    assert page.traits["comparison"]["both"] == 15


def test_other_values_and_comparisons_of_other_graphs_are_refused(show: Open) -> None:
    widget, _ = show()
    with pytest.raises(CircuitWidgetError, match=r"is cw\.compare\(widget\.graph, other\), or None; given 3"):
        widget.comparison = 3  # type: ignore[assignment]
    with pytest.raises(CircuitError, match="not the displayed one"):
        widget.comparison = cw.compare(other_graph(), widget.graph)
    assert widget.comparison is None


def test_the_earlier_graph_is_compared_on_request_and_each_graph_keeps_its_comparison(show: Open) -> None:
    widget, page = show()
    error = answered(page, page.request("compare_earlier", {}))
    assert (error["type"], error["message"].split(".")[0]) == ("error", "There is no earlier graph to compare with")
    first = widget.graph
    widget.retrace(max_features=12)
    assert answered(page, page.request("compare_earlier", {}))["type"] == "reply"
    comparison: Any = widget.comparison
    assert (comparison.graph, comparison.other) == (widget.graph, first)
    page.hear()
    assert (page.traits["comparison"]["both"], page.traits["comparison"]["only_there"]) == (12, 4)
    widget.undo_retrace()
    page.hear()
    assert widget.comparison is None
    assert page.traits["comparison"] is None
    widget.redo_retrace()
    assert widget.comparison is comparison


def test_an_html_file_has_the_other_graph(model: LinearModel) -> None:
    graph = small_graph()
    for comparison in (None, cw.compare(graph, other_graph())):
        state = WidgetState(graph, None, cw.Circuit(), comparison=comparison)
        found: Any = content_of(state, lambda *_: None, lambda: False).traits["comparison"]
        assert (found is None) == (comparison is None)
        if found is not None:
            assert base64.b64decode(found["snapshot"]["columns"]["kind"]["data"])


def test_a_comparison_shows_itself_in_a_widget_on_its_first_graph(show: Open) -> None:
    show()
    comparison = cw.compare(small_graph(), other_graph())
    widget = comparison.show(circuit=cw.Circuit().pin("1_8_4"))
    assert widget.comparison is comparison
    assert widget.circuit.pinned == ("1_8_4",)
    widget.close()
