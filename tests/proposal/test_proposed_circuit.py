"""A proposed circuit has the groups that a person makes, and what is measured of it is of its own features."""

import numpy as np
import pytest

import circuit_widget as cw
from bench.proposals import is_state
from circuit_widget.demo.corpus import Kind, Split, select
from circuit_widget.demo.groups import state_features
from circuit_widget.graph import Graph
from circuit_widget.proposal.clustering import clusters_of

PROMPT = "the capital of the state containing Dallas is"


def test_it_becomes_a_circuit_that_fits_its_graph() -> None:
    graph = cw.load("demo").trace(PROMPT, progress=False)
    proposed = graph.propose_circuit(5, progress=False)
    circuit = proposed.to_circuit()
    assert circuit.check(graph) == circuit
    assert [one.name for one in circuit.supernodes] == [one.name for one in proposed.groups]
    tokens = {
        graph.tokens[graph.node_position[graph.index(node)]].text.strip()
        for node in circuit.pinned
        if node.startswith("E")
    }
    assert {"Dallas", "capital"} <= tokens
    assert graph.node_ids[-len(graph.targets)] in circuit.pinned
    assert graph.show(circuit=circuit).circuit == circuit
    assert proposed.influence_share == pytest.approx(proposed.to_frame()["influence_share"].sum())


def test_necessity_sufficiency_and_the_next_group_are_of_its_features() -> None:
    model = cw.load("demo")
    graph = model.trace(PROMPT, progress=False)
    proposed = graph.propose_circuit(4, progress=False)
    groups = {one.name: one.nodes for one in proposed.groups}
    expected = model.faithfulness(graph, groups, progress=False)
    assert proposed.faithfulness is not None
    assert proposed.faithfulness.necessity() == pytest.approx(expected.necessity())
    assert proposed.faithfulness.sufficiency() == pytest.approx(expected.sufficiency())
    following = proposed.next_group
    assert following is not None
    assert following.faithfulness is not None
    assert following.proposal.name not in groups
    grown = {**groups, following.proposal.name: following.proposal.nodes}
    more = model.faithfulness(graph, grown, progress=False)
    assert following.faithfulness.sufficiency() == pytest.approx(more.sufficiency())
    for other in graph.propose_groups(8, progress=False).groups[4:]:
        tried = {**groups, other.name: other.nodes}
        with_it = model.faithfulness(graph, tried, progress=False)
        assert with_it.sufficiency() <= more.sufficiency() + 1e-6
    assert "Next: " in repr(proposed)


def test_a_graph_from_a_file_has_proposals_without_measurements(tmp_path: object) -> None:
    graph = cw.load("demo").trace(PROMPT, progress=False)
    alone = Graph.load(graph.save(f"{tmp_path}/graph.safetensors"))
    proposed = alone.propose_circuit(progress=False)
    assert proposed.faithfulness is None
    assert proposed.next_group is not None
    assert proposed.next_group.faithfulness is None
    assert "say Austin" in {one.name for one in proposed.groups}
    again = alone.propose_circuit(model=cw.load("demo"), progress=False)
    assert [one.nodes for one in again.groups] == [one.nodes for one in graph.propose_circuit(progress=False).groups]


def test_most_proposals_have_a_group_that_is_the_state() -> None:
    model = cw.load("demo")
    sentences = [one for one in select(Kind.TWO_HOP_STATE, Split.CHOOSE, 0) if one.relation == "capital"][:16]
    found = []
    for sentence in sentences:
        graph = model.trace(sentence.prompt, progress=False)
        hand = [one for one in state_features(graph, sentence.topic) if graph.find(one) is not None]
        city = [one for one in hand if one.position != graph.position] or hand
        found.append(is_state(model, graph, city, graph.propose_circuit(progress=False).groups)[0])
    assert sum(found) >= 13


def test_clusters_are_those_of_the_plain_method() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        rows = rng.normal(size=(24, 3))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        near = rows @ rows.T
        apart = near < 0.1
        assert clusters_of(near, apart, 0.2) == plain_clusters(near, apart, 0.2)


def plain_clusters(near: np.ndarray, apart: np.ndarray, least: float) -> tuple[tuple[int, ...], ...]:
    """Join the most similar two of all clusters until none are similar enough."""
    clusters = [[index] for index in range(len(near))]
    while True:
        pairs = [
            (float(near[np.ix_(one, other)].mean()), first, second)
            for first, one in enumerate(clusters)
            for second, other in enumerate(clusters[:first])
            if not apart[np.ix_(one, other)].any()
        ]
        if not pairs or max(pairs)[0] < least:
            return tuple(sorted(tuple(sorted(one)) for one in clusters))
        _, first, second = max(pairs)
        clusters[second] += clusters.pop(first)
