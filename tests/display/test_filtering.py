"""Filters hide what they say, in figures too, and nothing where a node's stability is not known."""

import re

import numpy as np

import circuit_widget as cw
from circuit_widget.display.filtering import UNKNOWN, known_stability, node_stability, passes_filters
from circuit_widget.display.visible_graph import visible_graph
from tests.widget.small_graph import small_graph


def note(circuit: cw.Circuit) -> str:
    found = re.search(r"[0-9]+ of 42 nodes(, filtered)?", small_graph().figure(circuit, part="map").svg())
    assert found is not None
    return found[0]


def test_a_figure_hides_the_same_and_says_so() -> None:
    graph, circuit = small_graph(), cw.Circuit().filter(cw.Filters(kinds=("feature",)))
    visible = visible_graph(graph, circuit)
    assert {str(graph.node_kinds[node]) for node in visible.nodes} == {"feature", "logit"}
    assert note(circuit) == f"{len(visible.nodes)} of 42 nodes, filtered"
    assert "filtered" not in note(cw.Circuit())


def test_a_figure_draws_the_bands_of_errors_and_explains_them() -> None:
    circuit = cw.Circuit().threshold(node=0.97).filter(cw.Filters(error_bands=True))
    bands = visible_graph(small_graph(), circuit).error_bands
    assert [band.layer for band in bands] == sorted({band.layer for band in bands})
    assert all(band.count > 0 and band.influence > 0 for band in bands)
    drawn = small_graph().figure(circuit, part="map").svg()
    assert "errors of a layer" in drawn
    assert "errors of a layer" not in small_graph().figure(cw.Circuit(), part="map").svg()


def test_a_pruned_graph_has_no_known_stability_and_the_filter_hides_nothing_there() -> None:
    graph = small_graph()
    circuit = cw.Circuit().filter(cw.Filters(stability=1))
    assert not passes_filters(graph, circuit).all()
    pruned = graph.prune(0.9, 0.99)
    assert known_stability(pruned) is None
    assert (node_stability(pruned, None) == UNKNOWN).all()
    assert passes_filters(pruned, circuit).all()


def test_stability_is_the_share_of_the_prunings_of_the_graph() -> None:
    graph = small_graph()
    by_node = graph.stability().by_node
    np.testing.assert_allclose(
        node_stability(graph, known_stability(graph)), [by_node[node] for node in graph.node_ids], rtol=1e-6
    )


def test_what_is_hidden_is_on_paths_nevertheless() -> None:
    graph = small_graph()
    low = cw.Circuit().threshold(node=0.8)
    before = {node for node in visible_graph(graph, low).nodes.tolist() if graph.node_layer[node] == 0}
    after = visible_graph(graph, low.filter(cw.Filters(layers=(0, 0))))
    assert {node for node in after.nodes.tolist() if graph.node_layer[node] == 0} == before
