"""The figure shows what the screen shows: one table of visible nodes and edges checks both."""

import json
from typing import Any

import numpy as np
import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.display.visible_graph import visible_graph
from circuit_widget.graph import Graph, PromptToken, Target
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


def test_of_the_tokens_of_a_long_prompt_the_strongest_edges_are_there_beyond_the_threshold() -> None:
    n_tokens = 50
    position = np.arange(n_tokens, dtype=np.int32)
    none = np.zeros(0, dtype=np.int32)
    graph = Graph.build(
        tokens=[PromptToken(str(number), number) for number in range(n_tokens)],
        targets=[Target("end", 1, 0.5, 2.0)],
        position=n_tokens - 1,
        n_layers=1,
        feature_layer=none,
        feature_position=none,
        feature_index=none,
        activation=np.zeros(0, dtype=np.float32),
        error_layer=np.zeros(n_tokens, dtype=np.int32),
        error_position=position,
        token_position=position,
        weights=np.concatenate([np.zeros(n_tokens), position + 1])[None].astype(np.float32),
        labels={},
        recipe={},
    )

    def tokens_with_edges(edge_threshold: float) -> list[int]:
        found = visible_graph(graph, Circuit(edge_threshold=edge_threshold))
        return sorted((found.source - n_tokens).tolist())

    assert tokens_with_edges(0.0) == list(range(30, 50))
    within = int((graph.strongest_edges().share <= 0.5).sum())
    assert tokens_with_edges(0.5) == list(range(30 - within, 50))
    assert tokens_with_edges(1.0) == list(range(50))
