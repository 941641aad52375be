"""Edges by their stability: open in the middle as long as the share of prunings that drop them, and whole where all keep them."""

import numpy as np
import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.display.visible_graph import visible_graph
from circuit_widget.figure.figure import make_figure
from circuit_widget.figure.layout.open_edge import LEAST_WHOLE, OPEN_WIDTH, open_edge
from circuit_widget.figure.scene.map_scene import edge_stability
from circuit_widget.figure.scene.scene import Curves, Label
from circuit_widget.graph import Graph
from tests.widget.small_graph import small_graph

STRAIGHT = (0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 3.0, 0.0)
MARKED = Circuit().threshold(node=0.98, edge=0.995).mark_stability()


@pytest.mark.parametrize(("stability", "whole"), [(0.0, LEAST_WHOLE), (0.5, 0.5), (0.95, 0.95)])
def test_the_whole_part_of_an_edge_is_its_stability_half_at_either_end(stability: float, whole: float) -> None:
    parts = open_edge(STRAIGHT, stability)
    assert parts is not None
    start, middle, end = parts
    assert (start[:2], start[6:], middle[6:], end[6:]) == ((0.0, 0.0), middle[:2], end[:2], (3.0, 0.0))
    assert start[6] / 3 == pytest.approx(whole / 2)
    assert 1 - end[0] / 3 == pytest.approx(whole / 2)


def test_an_edge_that_stays_in_all_prunings_is_whole() -> None:
    assert open_edge(STRAIGHT, 1.0) is None


def test_edges_have_the_stability_of_the_same_edge_in_the_graph() -> None:
    graph = small_graph()
    visible = visible_graph(graph, MARKED)
    rows = graph.stability(progress=False).edges
    known = {(row["source"], row["target"]): float(row["stability"]) for _, row in rows.iterrows()}
    wanted = [
        known[graph.node_ids[source], graph.node_ids[target]]
        for source, target in zip(visible.source, visible.target, strict=True)
    ]
    np.testing.assert_allclose(edge_stability(graph, MARKED, visible), wanted)
    assert 0 < sum(one < 1 for one in wanted) < len(wanted)


def drawn(graph: Graph, circuit: Circuit) -> tuple[int, int, list[str]]:
    """How many signed edges are open in the middle, how many are whole, and the texts about prunings."""
    figure = make_figure(graph, circuit, part="map", width=5.5)
    curves = [item for item in figure.scene.items if isinstance(item, Curves) and not item.closed]
    texts = [item.text for item in figure.scene.items if isinstance(item, Label) and "prunings" in item.text]
    middles = sum(item.paint.width == OPEN_WIDTH and len(item.paths) == 1 for item in curves)
    return sum(len(item.paths) == 2 for item in curves), middles, texts


def test_a_figure_draws_what_the_circuit_says_and_its_legend_says_how_many_prunings() -> None:
    graph = small_graph()
    visible = visible_graph(graph, MARKED)
    unstable = int((edge_stability(graph, MARKED, visible) < 1).sum())
    # One more in the legend.
    assert drawn(graph, MARKED)[::2] == (unstable + 1, ["stays in half of 20 prunings"])
    assert drawn(graph, MARKED.mark_stability(False))[::2] == (0, [])
    assert drawn(graph.prune(0.9), MARKED)[::2] == (0, [])
