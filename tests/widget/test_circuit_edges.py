"""The edges between boxes that the kernel sends: exact, of the present circuit and graph, and in HTML files too."""

import json
from dataclasses import replace
from typing import Any

import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.figure.figure import MOST_BOXES
from circuit_widget.figure.scene.arrangement import circuit_picture
from circuit_widget.widget.html_file.content import content_of
from circuit_widget.widget.html_file.widget_state import WidgetState
from circuit_widget.widget.widget import CircuitWidget
from tests.figure.graphs import circuit_of_dallas, dallas
from tests.widget.write_circuit_shares import FIXTURE, table


def same(got: Any, wanted: Any) -> bool:
    """Compare decoded values; numbers may differ as sums do from machine to machine."""
    if isinstance(wanted, dict):
        return got.keys() == wanted.keys() and all(same(got[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return len(got) == len(wanted) and all(map(same, got, wanted))
    return bool(got == (pytest.approx(wanted, rel=1e-5) if isinstance(wanted, float) else wanted))


def shares(message: dict[str, Any]) -> dict[tuple[int, int], float]:
    """The share of each edge of a message, by the indices of its boxes."""
    ends = zip(message["source"], message["target"], strict=True)
    return dict(zip(ends, message["share"], strict=True))


def of_figure(circuit: Circuit) -> dict[tuple[int, int], float]:
    """The share of each edge in a figure that draws all of them."""
    links = circuit_picture(dallas(), replace(circuit, least_share=0.0), None, 700.0).links
    return {(link.source, link.target): link.share for link in links}


def test_the_table_that_checks_the_page_is_up_to_date() -> None:
    fresh = json.loads(json.dumps(table()))
    assert same(fresh, json.loads(FIXTURE.read_text(encoding="utf-8")))


def test_every_edit_sends_the_edges_of_the_new_circuit() -> None:
    widget = CircuitWidget(dallas(), circuit=circuit_of_dallas())
    assert shares(widget._box_edges) == of_figure(widget.circuit) != {}
    before = widget._box_edges
    widget.ungroup("Texas")
    assert widget._box_edges != before
    assert shares(widget._box_edges) == of_figure(widget.circuit)
    assert [list(nodes) for nodes in widget._box_edges["boxes"]] == [list(box.nodes) for box in widget.circuit.boxes()]


def test_an_edit_of_the_page_sends_them_too() -> None:
    widget = CircuitWidget(dallas(), circuit=circuit_of_dallas())
    fewer = widget.circuit.ungroup("Texas")
    widget.set_state({"circuit": {**fewer.to_json(), "revision": widget.circuit.revision + 1}})
    assert widget.circuit.supernodes == fewer.supernodes
    assert shares(widget._box_edges) == of_figure(fewer)


def test_a_circuit_of_too_many_boxes_sends_none() -> None:
    graph = dallas()
    most = graph.node_ids[:MOST_BOXES]
    widget = CircuitWidget(graph, circuit=Circuit().pin(most))
    assert len(widget._box_edges["boxes"]) == MOST_BOXES
    widget.pin(graph.node_ids[MOST_BOXES])
    assert not widget._box_edges["boxes"]
    assert not widget._box_edges["share"]


def test_an_html_file_has_them() -> None:
    state = WidgetState(dallas(), None, circuit_of_dallas())
    content = content_of(state, lambda *_: None, lambda: False)
    sent: Any = content.traits
    assert sent["_box_edges"]["number"] == sent["snapshot"]["number"]
    assert shares(sent["_box_edges"]) == of_figure(state.circuit)
