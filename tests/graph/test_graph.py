"""Ids, look-ups, tables and the states a graph refuses."""

import dataclasses

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuit_widget.errors import NodeError
from circuit_widget.graph import Feature, Graph, NodeKind
from tests.graph.graphs import random_graph

GRAPH = random_graph(3)


def test_ids_are_the_fields_and_each_is_unique() -> None:
    fields = [(int(GRAPH.feature_layer[0]), int(GRAPH.feature_index[0]), int(GRAPH.feature_position[0]))]
    assert GRAPH.node_ids[0] == "{}_{}_{}".format(*fields[0])
    assert GRAPH.node_ids[GRAPH.n_features] == "0_-1_0"
    assert GRAPH.node_ids[-5:] == ("E_7_0", "E_8_1", "E_9_2", "4_90_2", "4_91_2")
    assert len(set(GRAPH.node_ids)) == GRAPH.n_nodes == len(GRAPH.node_kinds)


def test_an_error_of_layer_0_does_not_share_its_id_with_a_feature() -> None:
    kinds = dict(zip(GRAPH.node_ids, GRAPH.node_kinds, strict=True))
    assert kinds["0_-1_1"] == NodeKind.ERROR
    assert len(kinds) == GRAPH.n_nodes


def test_nodes_are_found_by_id_and_by_feature() -> None:
    feature = Feature(int(GRAPH.feature_layer[1]), int(GRAPH.feature_position[1]), int(GRAPH.feature_index[1]))
    assert GRAPH.node_ids[1] == feature.id
    assert GRAPH.resolve([feature, "E_7_0"]) == (1, GRAPH.n_nodes - 5)
    assert GRAPH.resolve(feature) == GRAPH.resolve(feature.id) == (1,)
    assert [GRAPH.index(node) for node in GRAPH.node_ids] == list(range(GRAPH.n_nodes))


def test_an_unknown_node_is_answered_with_the_nearest() -> None:
    with pytest.raises(NodeError, match="no node “E_70_0”; the nearest ids are E_7_0, "):
        GRAPH.index("E_70_0")
    with pytest.raises(NodeError, match=r"no node “Texas”; ids look like \d_\d+_\d"):
        GRAPH.resolve(["E_7_0", "Texas"])
    with pytest.raises(NodeError, match="no node “2_49_0”"):
        GRAPH.index(Feature(2, 0, 49))
    with pytest.raises(NodeError, match="given 7"):
        GRAPH.resolve([7])  # type: ignore[list-item]
    with pytest.raises(NodeError, match="…”") as long:
        GRAPH.index("x" * 10_000)
    assert len(str(long.value)) < 200


@pytest.mark.parametrize("numbers", [(-1, 0, 0), (0, 1.5, 0), (0, 0, "7"), (True, 0, 0)])
def test_a_feature_has_whole_numbers_from_0_up(numbers: tuple[object, ...]) -> None:
    with pytest.raises(NodeError, match="whole number from 0 up; given"):
        Feature(*numbers)


def test_features_made_of_numpy_numbers_are_the_same_features() -> None:
    assert Feature(*np.array([1, 2, 3])) == Feature(1, 2, 3)
    assert Feature(*np.array([1, 2, 3])).id == "1_3_2"


def test_frames() -> None:
    nodes, edges = GRAPH.to_frames()
    columns = "id kind layer position feature token token_id activation influence share label"
    assert " ".join(nodes.columns) == columns
    assert list(edges.columns) == ["source", "target", "weight"]
    assert tuple(nodes["id"]) == GRAPH.node_ids

    rows = nodes.set_index("id")
    token, logit, error = rows.loc["E_8_1"], rows.loc["4_91_2"], rows.loc["2_-1_0"]
    assert (token.kind, token.layer, token.position, token.token, token.token_id) == ("token", -1, 1, " word1", 8)
    assert (logit.kind, logit.layer, logit.position, logit.token, logit.token_id) == ("logit", 3, 2, " answer1", 91)
    assert (error.kind, error.layer, error.position, error.token, error.token_id) == ("error", 2, 0, " word0", 7)
    features = nodes[nodes.kind == "feature"]
    np.testing.assert_array_equal(features.feature.to_numpy(int), GRAPH.feature_index)
    np.testing.assert_array_equal(features.activation, GRAPH.activation)
    assert nodes[nodes.kind != "feature"][["feature", "activation"]].isna().all().all()
    assert rows.label[GRAPH.node_ids[0]] == "Texas"
    assert (rows.label == "Texas").sum() == 1


def test_edges_run_from_source_to_target_with_their_sign() -> None:
    _, edges = GRAPH.to_frames()
    assert len(edges) == np.count_nonzero(GRAPH.weights)
    logit = GRAPH.weights.shape[0] - 1
    found = edges[edges.target == "4_91_2"].set_index("source").weight
    for source, weight in found.items():
        assert GRAPH.weights[logit, GRAPH.index(str(source))] == weight
    assert (found < 0).any()
    assert (found > 0).any()


def test_network() -> None:
    net = GRAPH.to_networkx()
    nodes, edges = GRAPH.to_frames()
    assert list(net) == list(nodes.id)
    assert net.number_of_edges() == len(edges)
    assert networkx.is_directed_acyclic_graph(net)
    assert net.nodes["E_8_1"]["token"] == " word1"
    assert net.nodes["E_8_1"]["feature"] is None
    edge = edges.iloc[0]
    assert net.edges[edge.source, edge.target]["weight"] == edge.weight


def test_arrays_cannot_be_written_to() -> None:
    weights = np.array(GRAPH.weights)
    graph = dataclasses.replace(GRAPH, weights=weights)
    for array in (graph.weights, graph.influence, graph.input_total):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    weights[0, -1] = 1
    with pytest.raises(TypeError):
        graph.labels["x"] = "y"  # type: ignore[index]


REFUSED = {
    "weights": (GRAPH.weights[:, :-1], "weights has shape"),
    "activation": (GRAPH.activation[:-1], "activation has shape"),
    "influence": (np.full_like(GRAPH.influence, np.nan), "not finite"),
    "feature_layer": (GRAPH.feature_layer + 3, "feature_layer leaves the range 0 to 2"),
    "feature_position": (GRAPH.feature_position[::-1], "not in order"),
    "feature_index": (np.full_like(GRAPH.feature_index, 4), "the same node twice"),
    "error_layer": (GRAPH.error_layer[::-1], "errors are not in order"),
    "token_position": (np.array([0, 1, 7]), "token_position leaves the range"),
    "position": (3, "position 3 is not one of the 3 tokens"),
    "targets": ((), "at least one token and one target"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arrays_that_contradict_each_other_are_refused(name: str) -> None:
    value, message = REFUSED[name]
    if name == "targets":
        message = "has shape|at least one"
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(GRAPH, **{name: value})


@pytest.mark.parametrize("number", [2**31, 2**32 + 5, 1.5, float("nan"), -(2**31) - 1])
@pytest.mark.parametrize("name", ["feature_index", "feature_position", "error_layer", "token_position"])
def test_a_number_that_an_array_cannot_represent_is_refused_and_never_wrapped(name: str, number: float) -> None:
    graph = random_graph(4, density=0.8)
    numbers = getattr(graph, name).tolist()
    with pytest.raises(ValueError, match=f"{name} has .*, which is not a number of type int32"):
        dataclasses.replace(graph, **{name: np.array([*numbers[:-1], number])})


def test_the_largest_feature_number_is_kept() -> None:
    graph = random_graph(4, density=0.8)
    numbers = graph.feature_index.astype(np.int64)
    numbers[-1] = 2**31 - 1
    largest = dataclasses.replace(graph, feature_index=numbers)
    assert largest.feature_index[-1] == 2**31 - 1
    assert largest.node_ids[graph.n_features - 1].split("_")[1] == "2147483647"


@given(st.integers(0, 2**32 - 1))
def test_an_edge_that_does_not_lead_upward_is_refused(seed: int) -> None:
    random = np.random.default_rng(seed)
    weights = GRAPH.weights.copy()
    target = random.integers(GRAPH.n_features)
    source = random.choice(np.flatnonzero(GRAPH.feature_layer >= GRAPH.feature_layer[target]))
    weights[target, source] = 1
    with pytest.raises(ValueError, match="does not lead to a higher layer"):
        rebuilt(weights)


def test_weights_that_are_not_finite_are_refused() -> None:
    weights = GRAPH.weights.copy()
    weights[-1, -1] = np.inf
    with pytest.raises(ValueError, match="weights has values that are not finite"):
        rebuilt(weights)


def rebuilt(weights: np.ndarray) -> Graph:
    names = (
        "tokens targets position n_layers feature_layer feature_position feature_index activation "
        "error_layer error_position token_position"
    )
    return Graph.build(weights=weights, **{name: getattr(GRAPH, name) for name in names.split()})


def test_the_repr_of_a_graph_describes_it_in_a_line() -> None:
    graph = random_graph(3)
    text = repr(graph)
    assert text.startswith(
        f"Graph({len(graph.tokens)} tokens; {graph.n_features} features; targets ' answer0', ' answer1'; "
    )
    assert f"replacement {graph.scores().replacement:.2f}, completeness {graph.scores().completeness:.2f})" in text
    assert repr(graph.prune()).endswith("; pruned)")
    assert graph.left_out == 0


def test_the_repr_names_the_features_left_out() -> None:
    graph = dataclasses.replace(random_graph(3), recipe={"left_out_features": 1234})
    assert graph.left_out == 1234
    assert f"{graph.n_features} features (1,234 more are left out)" in repr(graph)


def test_the_input_of_a_node_is_all_that_enters_it() -> None:
    graph = random_graph(3, density=0.8)
    _, edges = graph.to_frames()
    entering = edges.assign(weight=edges.weight.abs()).groupby("target").weight.sum()
    for node, total in zip(graph.node_ids, graph.input_total, strict=True):
        assert total == pytest.approx(entering.get(node, 0.0), rel=1e-5)


def test_all_features_of_a_label_are_found_in_node_order() -> None:
    ids = GRAPH.node_ids
    error = ids[GRAPH.n_features]
    labels = {ids[2]: "Texas", ids[0]: "Texas", ids[1]: "Texas, Oklahoma", error: "Texas", ids[3]: "say Austin"}
    graph = dataclasses.replace(GRAPH, labels=labels)
    assert graph.labelled("Texas") == (ids[0], ids[2])
    assert graph.labelled("say Austin") == (ids[3],)
    assert dataclasses.replace(graph, labels={ids[1]: " a "}).labelled(" a ") == (ids[1],)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("texas", "No feature of the graph has the label “texas”; the nearest labels are “Texas”, “Texan”."),
        ("nothing like it", "has the label “nothing like it”; it has 2 different labels, see graph.labels."),
        ("", "A label is a text that is not empty; given ''."),
        (" ", "A label is a text that is not empty; given ' '."),
        (7, "A label is a text that is not empty; given 7."),
        ("x" * 500, "has the label “xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…”"),
    ],
)
def test_a_label_that_no_feature_has_is_answered_with_the_nearest(label: object, message: str) -> None:
    graph = dataclasses.replace(GRAPH, labels={GRAPH.node_ids[0]: "Texas", GRAPH.node_ids[1]: "Texan"})
    with pytest.raises(NodeError) as refusal:
        graph.labelled(label)
    assert message in str(refusal.value)
    assert len(str(refusal.value)) < 200
    with pytest.raises(NodeError, match="none of its features has a label"):
        dataclasses.replace(GRAPH, labels={}).labelled("Texas")
