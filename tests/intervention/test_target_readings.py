"""Targets that are contrasts and directions: what they were, are, and were predicted to be."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from circuit_widget.attribution.targets import Contrast, Direction
from circuit_widget.graph import Graph
from circuit_widget.graph.node_table import feature_at
from circuit_widget.intervention import Ablate, Scale
from tests.cases import CASES, Case, assert_close, case_of, in_turn, spread
from tests.models import PROMPT_IDS, tiny_model

BIASED_OR_SCALED = (("gptj", "per-layer"), ("cohere", "top-k with skip"))
"""Cases whose unembeddings have biases, and whose logits are multiplied."""
VECTOR = torch.randn(32, generator=torch.Generator().manual_seed(9))
TARGETS = [7, Contrast(11, 190), Direction("mine", VECTOR), 3]


@pytest.fixture(params=(*CASES, *BIASED_OR_SCALED), ids="-".join)
def case(request: pytest.FixtureRequest) -> Case:
    """The model of a case, with a graph of targets of every kind."""
    found = case_of(*request.param)
    return replace(found, graph=found.model.trace(PROMPT_IDS, targets=TARGETS))


def normed_by_hand(case: Case, values: dict[Any, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits but for a cap, and what the final norm gives at the last position, in a plain pass with hooks."""
    kept: list[torch.Tensor] = []
    handle = case.model.model.final_norm.register_forward_hook(lambda _, __, output: kept.append(output[0, -1]))
    case.plain.clamping(values)
    handle.remove()
    return case.scale * case.model.model.unembedding(kept[0]), kept[0]


def test_every_target_is_measured_as_a_plain_pass_with_hooks_has_it(case: Case) -> None:
    chosen = [feature_at(case.graph, node) for node in spread(6, case.graph.n_features)]
    frame = case.model.intervene(case.graph, Ablate(chosen)).targets
    assert list(frame.columns) == ["id", "target", "kind", "before", "after", "predicted"]
    assert frame["kind"].tolist() == ["token", "contrast", "direction", "token"]
    assert frame["id"].tolist() == list(case.graph.node_ids[-4:])
    assert frame["target"].tolist() == [target.token for target in case.graph.targets]
    for column, values in (("before", {}), ("after", dict.fromkeys(chosen, 0.0))):
        with torch.inference_mode():
            logits, normed = normed_by_hand(case, values)
            capped = case.model.model.capped(logits)
            expected = [capped[7], logits[11] - logits[190], normed @ VECTOR, capped[3]]
        assert_close(frame[column], expected)
    np.testing.assert_allclose(frame["before"], [t.logit for t in case.graph.targets], rtol=1e-5, atol=1e-5)
    assert (np.abs(frame["after"] - frame["before"]) > 1e-4).all()


@in_turn
def test_a_direct_change_is_the_sum_of_the_edges_also_as_predicted(case: Case) -> None:
    graph = case.graph
    nodes = [graph.node_ids[node] for node in spread(6, graph.n_features)] + ["1_-1_6"]
    frame = case.model.intervene(graph, Scale(nodes, 3), mode="direct").targets
    edges = 2 * graph.weights[graph.n_features :, [graph.index(node) for node in nodes]].sum(1)
    for column in ("after", "predicted"):
        change = (frame[column] - frame["before"]).to_numpy()
        assert_close(change[1:3], edges[1:3])


def test_a_prediction_with_knock_on_effects_follows_the_edges() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS, targets=TARGETS)
    node = int(np.abs(graph.weights[:, : graph.n_features]).sum(0).argmax())
    effect = model.intervene(graph, Ablate(graph.node_ids[node]))
    change = (effect.nodes["predicted"] - effect.nodes["before"]).to_numpy() / graph.activation
    expected = graph.weights[graph.n_features :, : graph.n_features] @ change
    found = (effect.targets["predicted"] - effect.targets["before"]).to_numpy()
    assert_close(found[1:3], expected[1:3])
    assert not np.allclose(effect.targets["predicted"], effect.targets["after"])


def test_the_frame_of_an_effect_has_every_target_and_predicted_logits_keep_to_tokens() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS, targets=TARGETS).prune()
    effect = model.intervene(graph, Ablate(graph.node_ids[0]))
    frame = effect.to_frame()
    logits = frame[frame["kind"] == "logit"]
    assert logits["label"].tolist() == [target.token for target in graph.targets]
    np.testing.assert_array_equal(logits["after"], effect.targets["after"])
    assert list(effect.predicted_logits) == [7, 3]


def test_a_graph_that_does_not_say_which_direction_has_no_value_for_it(tmp_path: Path) -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS, targets=TARGETS)
    again = Graph.load(graph.save(tmp_path / "graph.safetensors"))
    assert_close(model.intervene(again, Ablate(graph.node_ids[0])).targets["after"].isna().sum(), 0)
    silent = replace(graph, recipe={})
    frame = model.intervene(silent, Ablate(graph.node_ids[0])).targets
    assert frame["after"].isna().tolist() == [False, True, True, False]


def test_sixteen_bit_weights_are_read_in_float32() -> None:
    model = tiny_model()
    for weight in model.model.network.parameters():
        weight.data = weight.data.to(torch.bfloat16)
    graph = model.trace(PROMPT_IDS, targets=TARGETS)
    effect = model.intervene(graph, Scale(graph.node_ids[0], 1))
    frame = effect.targets
    np.testing.assert_allclose(frame["after"], frame["before"], atol=0.3)
    difference = effect.logits_before[11] - effect.logits_before[190]
    assert frame["before"][1] == pytest.approx(difference, abs=0.1)
