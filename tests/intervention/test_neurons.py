"""Interventions on neurons, whose activations have either sign."""

import dataclasses

import numpy as np
import pytest

from circuit_widget.attribution.targets import choose_targets
from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate, Add, Scale, Set, SwapIn
from circuit_widget.tracing.target_readout import target_source_of
from circuit_widget.tracing.trace import trace_run
from tests.cases import Case, case_of
from tests.models import PROMPT_IDS, run_of


@pytest.fixture(scope="module")
def case() -> Case:
    return case_of("llama", "neurons")


def mixed_group(graph: Graph) -> list[str]:
    """Neurons of one layer, the half of them negative, that nearly cancel."""
    here = np.flatnonzero(graph.feature_layer == 1)
    order = here[np.argsort(graph.activation[here])]
    return [graph.node_ids[node] for node in (*order[:4], *order[-4:])]


@pytest.mark.parametrize("factor", [0.0, 1.0, 2.0, -1.0])
def test_a_group_of_both_signs_has_the_ratio_of_its_factor(case: Case, factor: float) -> None:
    group = mixed_group(case.graph)
    activations = case.graph.activation[[case.graph.index(node) for node in group]]
    assert activations.min() < 0 < activations.max()
    effect = case.model.intervene(case.graph, Scale(group, factor))
    assert effect.ratio(group) == pytest.approx((factor, factor), abs=1e-6)
    rows = effect.to_frame({"both": group}).set_index("id")
    size = float(np.abs(activations).sum())
    assert rows.loc["both", "before"] == pytest.approx(size, rel=1e-6)
    assert rows.loc["both", "after"] == pytest.approx(factor * size, rel=1e-6, abs=1e-6)


def test_neurons_of_both_signs_are_part_of_a_validation(case: Case) -> None:
    graph = case.graph
    lower = [graph.node_ids[node] for node in np.flatnonzero(graph.feature_layer == 0)[:4]]
    validation = case.model.validate(graph, {"lower": lower, "both": mixed_group(graph)}, progress=False)
    pairs = validation.to_frame()
    found = pairs[(pairs["source"] == "lower") & (pairs["target"] == "both")]
    assert len(found) == 1
    assert np.isfinite(found["measured"]).all()


def test_values_are_set_and_added_with_their_sign(case: Case) -> None:
    graph = case.graph
    node = graph.node_ids[int(np.argmin(graph.activation))]
    before = float(graph.activation.min())
    for intervention, expected in ((Set(node, -2.5), -2.5), (Add(node, 1.0), before + 1.0), (Ablate(node), 0.0)):
        effect = case.model.intervene(graph, intervention)
        assert effect.nodes.set_index("id")["after"][node] == pytest.approx(expected, abs=1e-6)


def test_neurons_of_another_prompt_are_swapped_in(case: Case) -> None:
    other = [*PROMPT_IDS[:6], 18]
    graph = case.graph
    here = [node for node, at in zip(graph.node_ids, graph.feature_position, strict=False) if at == 6]
    nodes = [node for node in here if node.startswith("2_")]
    effect = case.model.intervene(graph, SwapIn([*nodes, "2_-1_6"], other))
    written = [run_of(case.model, ids).captured.layers[2].mlp_output[6] for ids in (other, PROMPT_IDS)]
    expected = case.plain.clamping({}, added={(2, 6): written[0] - written[1]})
    np.testing.assert_allclose(effect.logits_after, expected, atol=2e-5)


def test_controls_are_other_neurons(case: Case) -> None:
    graph = case.graph
    nodes = [graph.node_ids[node] for node in np.flatnonzero(graph.feature_layer == 1)[:3]]
    controls = case.model.controls(graph, Ablate(nodes), n=5, seed=1, progress=False)
    assert len(controls.controls) == 5
    stand_ins = {other.id for one in controls.matching.stand_ins for other in one.values()}
    assert not stand_ins & set(nodes)


def test_a_text_is_generated_with_neurons_changed(case: Case) -> None:
    graph = case.graph
    nodes = [graph.node_ids[node] for node in np.argsort(-graph.influence[: graph.n_features])[:20]]
    steered = case.model.generate(PROMPT_IDS, interventions=Scale(nodes, -3), max_new_tokens=4, progress=False)
    assert len(steered.steered.sampled) == 4
    assert steered.steered.text != steered.unsteered.text


@pytest.mark.parametrize("probability", [0.0, 1e-300])
def test_unlikely_targets_have_the_same_neurons(case: Case, probability: float) -> None:
    """Neurons are chosen by the shares of targets, however unlikely all of them are."""
    model, run = case.model, run_of(case.model, PROMPT_IDS)
    chosen = choose_targets(target_source_of(model.model, run), [7])
    wanted = trace_run(run, chosen, max_features=12)
    unlikely = [dataclasses.replace(target, probability=probability) for target in chosen]
    assert trace_run(run, unlikely, max_features=12).node_ids[:12] == wanted.node_ids[:12]


def test_neurons_that_are_no_nodes_count_as_errors_where_a_circuit_is_judged(case: Case) -> None:
    graph = case.graph
    alone = case.model.faithfulness(graph, {"some": graph.node_ids[:5]})
    assert (alone.inside, alone.outside, alone.errors) == (5, graph.n_features - 5, 0)
    others = case.model.intervene(graph, Ablate(graph.node_ids[5 : graph.n_features]))
    np.testing.assert_allclose(alone.only.logits_after, others.logits_after, atol=1e-5)


def test_a_graph_of_neurons_says_so(case: Case) -> None:
    assert f"{case.graph.n_features:,} neurons ({case.graph.left_out:,} more are left out)" in repr(case.graph)
