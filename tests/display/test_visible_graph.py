"""The figure shows what the screen shows: one table of visible nodes and edges checks both."""

import json
from typing import Any

import pytest

from circuit_widget.circuit.document import Circuit
from circuit_widget.display.visible_graph import visible_graph
from tests.display.write_visible import FIXTURE, table, whole
from tests.widget.small_graph import small_graph

CASES = json.loads(FIXTURE.read_text(encoding="utf-8"))


def test_the_table_is_of_today() -> None:
    assert table() == CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_the_figure(case: dict[str, Any]) -> None:
    graph = small_graph()
    found = visible_graph(graph, Circuit.from_json(whole(case["circuit"])))
    ids = graph.node_ids
    assert [ids[node] for node in found.nodes] == case["nodes"]
    edges = zip(found.source.tolist(), found.target.tolist(), strict=True)
    assert [[band.layer, band.count] for band in found.error_bands] == case["error_bands"]
    assert sorted([ids[source], ids[target]] for source, target in edges) == case["edges"]
