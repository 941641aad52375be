"""Two graphs compared: what is in both is the same node, with the numbers of the right graph, and nothing else is."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import circuit_widget as cw
from circuit_widget.errors import CircuitError, InterventionError
from circuit_widget.graph import Graph, PromptToken, Target
from tests.graph.graphs import random_graph


def made(
    tokens: Sequence[int],
    features: Mapping[tuple[int, int], float],
    *,
    targets: Sequence[int] = (9,),
    recipe: Mapping[str, Any] | None = None,
    texts: Mapping[int, str] | None = None,
) -> Graph:
    """A graph of one layer: features by (position, number), each with its weight to every target, from its own token."""
    places = sorted(features)
    count, n_tokens = len(places), len(tokens)
    weights = np.zeros((count + len(targets), count + n_tokens), dtype=np.float32)
    for row, place in enumerate(places):
        weights[row, count + place[0]] = 1
        weights[count:, row] = features[place]
    named = texts or {}
    return Graph.build(
        tokens=[PromptToken(named.get(one, f"<{one}>"), one) for one in tokens],
        targets=[Target(f"<{one}>", one, 0.5, 1.0) for one in targets],
        position=n_tokens - 1,
        n_layers=1,
        feature_layer=np.zeros(count, np.int32),
        feature_position=np.array([place[0] for place in places], dtype=np.int32),
        feature_index=np.array([place[1] for place in places], dtype=np.int32),
        activation=np.ones(count, dtype=np.float32),
        error_layer=np.zeros(0, np.int32),
        error_position=np.zeros(0, np.int32),
        token_position=np.arange(n_tokens, dtype=np.int32),
        weights=weights,
        recipe={"transcoders": "t", "model": "m"} if recipe is None else recipe,
    )


def rows(frame: pd.DataFrame, *columns: str) -> set[tuple[Any, ...]]:
    """The rows of some columns, None where a value is missing."""
    found = frame[list(columns)].astype(object)
    return set(found.where(found.notna(), None).itertuples(index=False, name=None))


HERE = made([0, 5, 6, 80, 7], {(1, 3): 1.0, (3, 4): 2.0, (4, 8): 4.0})
THERE = made([0, 5, 6, 91, 92, 7], {(1, 3): 8.0, (3, 4): 16.0, (4, 4): 32.0, (5, 8): 64.0})


def test_features_are_the_same_at_positions_that_are_counterparts() -> None:
    found = cw.compare(HERE, THERE)
    nodes = found.nodes[found.nodes["kind"] == "feature"]
    assert rows(nodes, "id", "other_id", "where") == {
        ("0_3_1", "0_3_1", "both"),
        (
            "0_4_3",
            "0_4_4",
            "both",
        ),  # the last token of the longer name is the counterpart, not that at the same position
        ("0_8_4", "0_8_5", "both"),
        (None, "0_4_3", "only there"),
    }
    assert rows(found.nodes[found.nodes["where"] == "only there"], "other_id") == {("0_4_3",), ("E_91_3",)}
    assert rows(found.nodes[found.nodes["kind"] == "token"], "position", "other_position", "token", "other_token") >= {
        (3, 4, "<80>", "<92>"),
        (None, 3, None, "<91>"),
    }
    assert found.alignment.pairs == {0: 0, 1: 1, 2: 2, 3: 4, 4: 5}


def test_before_is_the_first_graph_and_after_the_second() -> None:
    found = cw.compare(HERE, THERE)
    edges = found.edges[found.edges["target"] == "2_9_4"]
    assert rows(edges, "source", "other_source", "where", "weight_before", "weight_after") == {
        ("0_3_1", "0_3_1", "both", 1.0, 8.0),
        ("0_4_3", "0_4_4", "both", 2.0, 32.0),
        ("0_8_4", "0_8_5", "both", 4.0, 64.0),
        (None, "0_4_3", "only there", None, 16.0),
    }
    nodes = found.nodes.set_index("other_id")
    assert nodes.loc["0_8_5", "influence_before"] == HERE.influence[HERE.index("0_8_4")]
    assert nodes.loc["0_8_5", "influence_after"] == THERE.influence[THERE.index("0_8_5")]
    assert found.edges["weight_after"].abs().iloc[0] == 64.0


def test_the_summary_has_the_numbers() -> None:
    assert cw.compare(HERE, THERE).summary == (
        "Of features, 3 are in both graphs (100% of the influence of all here, 87% there), 0 only here and 1 only there; of "
        "edges, 6 are in both, 0 only here and 2 only there. Targets in both: '<9>'. 5 of 5 positions here have one of 6 there "
        "as counterpart."
    )
    assert str(cw.compare(THERE, HERE)).startswith(
        "Of features, 3 are in both graphs (87% of the influence of all here, 100% there), 1 only here and 0 only there; of "
        "edges, 6 are in both, 2 only here"
    )


def test_a_graph_is_the_same_as_itself() -> None:
    graph = random_graph(3, n_layers=4)
    found = cw.compare(graph, graph)
    assert set(found.nodes["where"]) == set(found.edges["where"]) == {"both"}
    assert len(found.nodes) == graph.n_nodes
    assert len(found.edges) == np.count_nonzero(graph.weights)
    assert (found.edges["weight_before"] == found.edges["weight_after"]).all()
    assert list(found.nodes["id"]) == list(found.nodes["other_id"]) == list(graph.node_ids)


def test_outputs_are_matched_by_token_and_contrasts_by_name() -> None:
    model = cw.load("demo")
    prompt = "the capital of the state containing Dallas is"
    contrast, other = cw.Contrast("Austin", "Sacramento"), cw.Contrast("Austin", "Albany")
    graph = model.trace(prompt, targets=["Austin", contrast], progress=False)
    found = cw.compare(graph, model.trace(prompt, targets=["Sacramento", other, "Austin"], progress=False))
    logits = found.nodes[found.nodes["kind"] == "logit"]
    assert rows(logits, "token", "other_token", "where") == {
        ("Austin", "Austin", "both"),
        (graph.targets[1].token, None, "only here"),
        (None, "Sacramento", "only there"),
        (None, "Austin −  Albany".replace("−  ", "− "), "only there"),
    }
    assert "Targets in both: 'Austin'." in found.summary


def test_an_alignment_can_be_given() -> None:
    found = cw.compare(HERE, THERE, {3: 3})
    nodes = found.nodes[found.nodes["kind"] == "feature"]
    assert rows(nodes[nodes["where"] == "both"], "id", "other_id") == {("0_4_3", "0_4_3")}
    with pytest.raises(CircuitError, match="pairs two positions with position 3"):
        cw.compare(HERE, THERE, {2: 3, 3: 3})
    with pytest.raises(InterventionError, match="share neither"):
        cw.compare(made([0, 1, 2], {(1, 1): 1.0}), made([0, 5, 6, 7], {(1, 1): 1.0}))


NEURONS = {"basis": "neurons", "transcoders": "neurons", "model": "base"}


def files(**hashes: str) -> dict[str, Any]:
    """A recipe with the hashes of transcoders' files."""
    return {"transcoders": "a", "provenance": {"transcoders": {"name": "a", "files": hashes}}}


@pytest.mark.parametrize(
    ("recipe", "other", "reason"),
    [
        (NEURONS, {"transcoders": "t"}, "one has neurons and the other has features"),
        ({"transcoders": "t"}, {"transcoders": "u"}, "their transcoders are “t” and “u”"),
        (files(layer_0="a"), files(layer_0="b"), "the transcoders' file layer_0 is another one"),
        ({"input_site": "mlp_input"}, {"input_site": "residual"}, "their input_site is “mlp_input” and “residual”"),
    ],
)
def test_features_that_do_not_mean_the_same_are_refused(
    recipe: Mapping[str, Any], other: Mapping[str, Any], reason: str
) -> None:
    here, there = (made([0, 5], {(1, 3): 1.0}, recipe=one) for one in (recipe, other))
    with pytest.raises(CircuitError, match=f"do not mean the same: {reason}"):
        cw.compare(here, there)


def test_neurons_of_models_with_other_tokens_are_refused() -> None:
    here, there = (
        made([4, 5, 6], {(1, 3): 1.0}, recipe=NEURONS, texts={5: text, 6: text * 2}) for text in ("the", "cat")
    )
    with pytest.raises(CircuitError, match="token 5 is “the” in one and in the other “cat”"):
        cw.compare(here, there)


def test_a_fine_tuned_model_is_compared_and_named() -> None:
    here = made([0, 5], {(1, 3): 1.0}, recipe=NEURONS)
    there = made([0, 5], {(1, 3): 2.0}, recipe={**NEURONS, "model": "folder/tuned"})
    assert str(cw.compare(here, there)).endswith(
        "The models are “base” and “folder/tuned”; the same neuron is the one with the same layer and number."
    )
    moved = made([0, 5], {(1, 3): 2.0}, recipe={**NEURONS, "model": "elsewhere/base"})
    assert "models" not in str(cw.compare(here, moved))


def test_transcoders_with_the_same_files_are_the_same_by_any_name() -> None:
    renamed = {**files(layer_0="a"), "transcoders": "b"}
    here, there = (made([0, 5], {(1, 3): 1.0}, recipe=one) for one in (files(layer_0="a"), renamed))
    assert "transcoders" not in str(cw.compare(here, there))
    unnamed = made([0, 5], {(1, 3): 1.0}, recipe={})
    assert "do not both name their transcoders; they are taken to be the same" in str(cw.compare(here, unnamed))


def test_what_pruning_dropped_is_reported_as_dropped() -> None:
    found = cw.compare(HERE, HERE.prune(0.5))
    assert "The graph there is pruned: what pruning dropped counts as not in the graph." in found.summary


def test_influence_on_unlikely_targets_is_named() -> None:
    there = replace(HERE, targets=(Target("<9>", 9, 0.001, 1.0),), influence=HERE.influence / 500)
    assert str(cw.compare(HERE, there)).endswith(
        "Influence is weighted by the probability of the targets, 0.5 here and 0.001 there: compare it within a graph."
    )


def test_graphs_of_files_need_no_model(tmp_path: Path) -> None:
    model = cw.load("demo")
    graph = model.trace("the capital of the state containing Dallas is", progress=False)
    other = model.trace("the capital of the state containing Oakland is", progress=False)
    expected = cw.compare(graph, other)
    read = [cw.open(one.export(tmp_path / f"{name}.json")) for name, one in (("a", graph), ("b", other))]
    found = cw.compare(*read)
    assert list(found.nodes["where"]) == list(expected.nodes["where"])
    assert len(found.edges) == len(expected.edges)
    own, read_again = (one.edges.sort_values(["source", "target"])["weight_after"] for one in (expected, found))
    np.testing.assert_allclose(read_again.to_numpy(), own.to_numpy(), rtol=1e-5)


def test_nodes_that_are_the_same_are_named_in_both_and_features_are_counted() -> None:
    found = cw.compare(HERE, THERE)
    assert {("0_3_1", "0_3_1"), ("0_4_3", "0_4_4"), ("0_8_4", "0_8_5")} <= set(found.same_nodes)
    assert len(found.same_nodes) == int((found.nodes["where"] == "both").sum())
    assert found.feature_counts == (3, 0, 1)
    assert cw.compare(THERE, HERE).feature_counts == (3, 1, 0)


def test_the_overlap_of_influence_is_the_sum_of_the_smaller_shares() -> None:
    found = cw.compare(HERE, THERE)
    features = found.nodes[found.nodes["kind"] == "feature"].fillna({"influence_before": 0, "influence_after": 0})
    shares = [features[name] / features[name].sum() for name in ("influence_before", "influence_after")]
    assert found.overlap == pytest.approx(float(np.minimum(shares[0], shares[1]).sum()), rel=1e-6)
    assert 0.5 < found.overlap < 0.95
    assert found.overlap == pytest.approx(cw.compare(THERE, HERE).overlap)
    graph = random_graph(3, n_layers=4)
    assert cw.compare(graph, graph).overlap == pytest.approx(1)
    others = made([0, 5, 6, 80, 7], {(1, 30): 1.0})
    assert cw.compare(HERE, others).overlap == 0
