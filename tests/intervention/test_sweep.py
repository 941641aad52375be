"""Sweeps over strength, over frozen layers, over groups and pairs: the same as one intervention after another."""

from typing import Any

import numpy as np
import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import Cancelled, InterventionError, NodeError
from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate, Scale
from tests.models import PROMPT_IDS, tiny_model

MODEL = tiny_model()


@pytest.fixture(scope="module")
def graph() -> Graph:
    return MODEL.trace(PROMPT_IDS)


def early(graph: Graph, count: int) -> list[str]:
    layer = np.flatnonzero((graph.feature_layer == 0) & (graph.feature_position > 2))
    return [graph.node_ids[place] for place in layer[:count]]


def groups(graph: Graph) -> dict[str, list[str]]:
    ids = early(graph, 9)
    return {"first": ids[:3], "second": ids[3:5], "third": ids[5:]}


def test_a_sweep_is_one_intervention_for_each_factor(graph: Graph) -> None:
    nodes, factors = early(graph, 3), [-2.0, 0.0, 1.0, 3.5]
    sweep = MODEL.sweep(graph, nodes, factors)
    assert sweep.values == tuple(factors)
    for factor, effect in zip(factors, sweep.effects, strict=True):
        single = MODEL.intervene(graph, Scale(nodes, factor))
        np.testing.assert_allclose(effect.logits_after, single.logits_after, atol=1e-4, rtol=0)
    frame = sweep.to_frame(graph.targets[0].token_id)
    assert frame["factor"].tolist() == factors
    np.testing.assert_allclose(
        frame["probability"], [effect.probability(graph.targets[0].token_id)[1] for effect in sweep.effects]
    )
    unchanged = frame[frame["factor"] == 1].iloc[0]
    assert unchanged["probability"] == pytest.approx(graph.targets[0].probability, rel=1e-4)
    assert unchanged["kl"] == pytest.approx(0, abs=1e-6)


def test_the_default_strengths_run_from_minus_five_to_five(graph: Graph) -> None:
    sweep = MODEL.sweep(graph, early(graph, 1))
    assert (sweep.values[0], sweep.values[-1], len(sweep.values)) == (-5, 5, 21)
    own = sweep.activation({"clamped": early(graph, 1)})
    np.testing.assert_allclose(own["measured"], own["factor"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(own["predicted"], own["factor"], rtol=1e-5, atol=1e-6)


def test_predicted_logits_of_a_sweep_lie_on_a_line_and_measured_ones_do_not(graph: Graph) -> None:
    frame = MODEL.sweep(graph, early(graph, 5)).to_frame(graph.targets[0].token_id)
    assert np.abs(np.diff(frame["predicted_logit"], n=2)).max() < 1e-3
    assert np.abs(np.diff(frame["logit"], n=2)).max() > 1e-3


def test_a_sweep_of_the_last_frozen_layer_is_one_constrained_run_for_each(graph: Graph) -> None:
    nodes = early(graph, 3)
    sweep = MODEL.sweep_last_layer(graph, Ablate(nodes))
    assert list(sweep.values) == [0, 1, 2]
    for last, effect in zip((0, 1, 2), sweep.effects, strict=True):
        assert effect.mode == f"0-{last}"
        single = MODEL.intervene(graph, Ablate(nodes), mode=(0, last))
        np.testing.assert_allclose(effect.logits_after, single.logits_after, atol=1e-5, rtol=0)
    assert sweep.to_frame(0)["last_layer"].tolist() == [0, 1, 2]
    with pytest.raises(InterventionError, match="The first frozen layer lies in 0 to 2; given 3"):
        MODEL.sweep_last_layer(graph, Ablate(nodes), first=3)


def test_groups_are_changed_one_at_a_time_and_in_pairs(graph: Graph) -> None:
    made = groups(graph)
    sweep = MODEL.sweep_groups(graph, made, pairs=True)
    assert list(sweep.singles) == ["first", "second", "third"]
    assert list(sweep.pairs) == [("first", "second"), ("first", "third"), ("second", "third")]
    both = MODEL.intervene(graph, Ablate([*made["first"], *made["third"]]))
    np.testing.assert_allclose(sweep.pairs["first", "third"].logits_after, both.logits_after, atol=1e-4, rtol=0)
    token = graph.targets[0].token_id
    frame: Any = sweep.to_frame(token).set_index(["first", "second"])
    alone = frame.loc[("first", ""), "logit_change"] + frame.loc[("third", ""), "logit_change"]
    pair = frame.loc[("first", "third")]
    assert pair["logit_change"] == pytest.approx(both.logits_after[token] - both.logits_before[token], abs=1e-4)
    assert pair["interaction"] == pytest.approx(pair["logit_change"] - alone)
    assert np.isnan(frame.loc[("first", ""), "interaction"])
    assert sweep.plot(token).data[0].z[2][0] == pytest.approx(pair["logit_change"])


def test_a_circuit_gives_its_boxes_and_only_their_features(graph: Graph) -> None:
    made = groups(graph)
    logit, token = graph.node_ids[-1], next(node for node in graph.node_ids if node.startswith("E_"))
    pinned = graph.node_ids[graph.n_features - 1]
    circuit = (
        Circuit()
        .group("first", [*made["first"], token])
        .group("words", [node for node in graph.node_ids if node.startswith("E_")][1:2])
        .pin([logit, pinned])
    )
    sweep = MODEL.sweep_groups(graph, circuit)
    assert list(sweep.singles) == ["first", pinned]
    assert sweep.pairs == {}
    alone = MODEL.intervene(graph, Ablate(made["first"]))
    np.testing.assert_allclose(sweep.singles["first"].logits_after, alone.logits_after, atol=1e-4, rtol=0)


def test_without_groups_the_most_influential_features_are_taken(graph: Graph) -> None:
    sweep = MODEL.sweep_groups(graph, n=4, factor=-1)
    expected = np.argsort(-graph.influence[: graph.n_features], kind="stable")[:4]
    assert list(sweep.singles) == [graph.node_ids[place] for place in expected]
    assert sweep.change == "×−1"
    assert len(sweep.plot().data[0].x) == 4


def test_groups_that_are_none_are_refused(graph: Graph) -> None:
    with pytest.raises(InterventionError, match="There is no group of features"):
        MODEL.sweep_groups(graph, Circuit().pin(graph.node_ids[-1]))
    with pytest.raises(InterventionError, match="is of kind logit"):
        MODEL.sweep_groups(graph, [graph.node_ids[-1]])
    with pytest.raises(NodeError):
        MODEL.sweep_groups(graph, {"none": ["9_9_9"]})
    with pytest.raises(InterventionError, match="There is no factor to sweep over"):
        MODEL.sweep(graph, early(graph, 1), [])
    with pytest.raises(InterventionError, match="finite"):
        MODEL.sweep(graph, early(graph, 1), [float("nan")])


def test_sweeps_plot_what_their_frames_have(graph: Graph) -> None:
    sweep = MODEL.sweep(graph, early(graph, 2), [0, 1, 2])
    token = graph.targets[0].token_id
    curve, predicted, before = sweep.plot(token).data
    assert list(curve.x) == [0, 1, 2]
    np.testing.assert_allclose(curve.y, sweep.to_frame(token)["probability"])
    np.testing.assert_allclose(predicted.y, sweep.to_frame(token)["predicted_probability"])
    expected = np.exp(sweep.effects[0].logits_predicted.astype(float))
    assert predicted.y[0] == pytest.approx(expected[token] / expected.sum())
    np.testing.assert_allclose(before.y, [graph.targets[0].probability] * 3, rtol=1e-4)


def test_a_plot_shows_what_becomes_likeliest_somewhere(graph: Graph) -> None:
    sweep = MODEL.sweep(graph, early(graph, 9))
    likeliest = {int(effect.logits_after.argmax()) for effect in sweep.effects}
    assert len(likeliest) > 1
    assert len(sweep.plot().data) == 3 * len(likeliest | {graph.targets[0].token_id})


def test_sweeps_report_progress_and_stop_when_cancelled(graph: Graph) -> None:
    for run in (
        lambda **how: MODEL.sweep(graph, early(graph, 1), **how),
        lambda **how: MODEL.sweep_last_layer(graph, Ablate(early(graph, 1)), **how),
        lambda **how: MODEL.sweep_groups(graph, groups(graph), **how),
    ):
        done: list[float] = []
        run(progress=lambda part, text, done=done: done.append(part))
        assert done == sorted(done)
        assert done[-1] == pytest.approx(1)
        with pytest.raises(Cancelled):
            run(cancelled=lambda: True)
