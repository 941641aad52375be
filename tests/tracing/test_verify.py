"""Measuring a graph's strongest edges again: right ones agree, a wrong one is found."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import circuit_widget as cw
from circuit_widget.errors import Cancelled, InterventionError, NoModelError
from circuit_widget.graph import Graph
from circuit_widget.replacement_model import ReplacementModel
from tests.architectures import model_of
from tests.models import PROMPT_IDS, REFERENCE_CASES, reference_model, tiny_model, tiny_transcoders

PROMPT = "the capital of France is"


@pytest.fixture(scope="module")
def graph() -> Graph:
    return reference_model().trace(PROMPT)


def with_weight(graph: Graph, row: int, column: int, change: float) -> Graph:
    weights = graph.weights.copy()
    weights[row, column] = change
    return dataclasses.replace(graph, weights=weights)


def strongest(graph: Graph, rank: int) -> tuple[int, int]:
    index = np.argsort(-np.abs(graph.weights), axis=None)[rank]
    row, column = np.unravel_index(index, graph.weights.shape)
    return int(row), int(column)


@pytest.mark.parametrize("case", REFERENCE_CASES)
def test_every_kind_of_edge_agrees_in_every_reference_case(case: str) -> None:
    found = reference_model(case).trace(PROMPT)
    checked = found.verify(4000)
    assert checked.agrees, str(checked)
    sizes = np.sort(np.abs(found.weights), axis=None)[::-1][:4000]
    np.testing.assert_allclose([abs(edge.weight) for edge in checked.edges], sizes, rtol=1e-6)
    kinds = {found.node_kinds[found.index(edge.source)].value for edge in checked.edges}
    assert kinds == {"feature", "error", "token"}
    assert {edge.in_float32 for edge in checked.edges} == {None}


@pytest.mark.parametrize("name", ["gpt_oss", "gpt_neox", "gemma3_text"])
@pytest.mark.parametrize("cross_layer", [False, True])
def test_edges_agree_in_other_architectures(name: str, cross_layer: bool) -> None:
    transcoders = tiny_transcoders(cross_layer=cross_layer, skip=not cross_layer)
    checked = ReplacementModel(model_of(name), transcoders).trace(PROMPT_IDS).verify(300)
    assert checked.agrees, str(checked)


@pytest.mark.parametrize("sites", [("residual_mid", "mlp_update"), ("mlp_norm", "mlp_output")])
def test_edges_agree_wherever_features_read_and_write(sites: tuple[str, str]) -> None:
    transcoders = tiny_transcoders(input_site=sites[0], output_site=sites[1], top_k=12)
    checked = ReplacementModel(model_of("gemma2"), transcoders).trace(PROMPT_IDS).verify(300)
    assert checked.agrees, str(checked)


@pytest.mark.parametrize("factor", [-1.0, 1.01, 0.0])
@pytest.mark.parametrize("rank", [0, 20, 49])
def test_a_wrong_edge_is_found_and_named(graph: Graph, rank: int, factor: float) -> None:
    row, column = strongest(graph, rank)
    # A weight that is gone is not among the strongest; it has to be one that looks strong.
    wrong = with_weight(graph, row, column, factor * graph.weights[row, column] or 100.0)
    checked = wrong.verify(50)
    assert not checked.agrees
    assert checked.worst is not None
    assert (checked.worst.source, checked.worst.target) == (
        graph.node_ids[column],
        graph.node_ids[graph.row_nodes[row]],
    )
    assert checked.worst.measured == pytest.approx(float(graph.weights[row, column]), abs=1e-4)
    assert "they do NOT agree" in str(checked)
    assert checked.worst.source in str(checked)


def test_an_edge_that_should_not_be_is_found(graph: Graph) -> None:
    row = next(row for row in range(graph.n_features) if graph.feature_layer[row] == 0)
    column = graph.n_features - 1
    assert graph.feature_layer[column] == graph.n_layers - 1
    checked = with_weight(graph, row, column, 50.0).verify()
    assert checked.worst is not None
    assert (checked.worst.measured, checked.worst.relative) == (0.0, 1.0)


def test_errors_include_the_features_that_a_limit_left_out() -> None:
    for case in ("llama-relu", "llama-clt"):
        limited = reference_model(case).trace(PROMPT, max_features=40)
        assert limited.left_out > 0
        checked = limited.verify(500)
        assert checked.agrees, str(checked)
        assert any("_-1_" in edge.source for edge in checked.edges)


def test_a_pruned_graph_can_be_measured_but_for_errors_that_include_features_left_out(graph: Graph) -> None:
    assert graph.prune().verify(200).agrees
    limited = reference_model().trace(PROMPT, max_features=40).prune()
    checked = limited.verify(200)
    assert checked.agrees
    assert not any("_-1_" in edge.source for edge in checked.edges)


def test_contrasts_and_directions_are_measured(graph: Graph) -> None:
    vector = torch.linspace(-1, 1, 64)
    mixed = reference_model().trace(PROMPT, targets=["tea", cw.Contrast("tea", "stay"), cw.Direction("mine", vector)])
    logits = set(mixed.node_ids[-3:])
    measured = [edge for edge in mixed.verify(10_000).edges if edge.target in logits]
    assert {edge.target for edge in measured} == logits
    assert max(edge.absolute for edge in measured) < 1e-4


def test_a_graph_read_from_a_file_is_measured_by_the_model(graph: Graph, tmp_path: Path) -> None:
    again = cw.Graph.load(graph.save(tmp_path / "graph.safetensors"))
    with pytest.raises(NoModelError, match=r"load the model it was traced with: model.verify\(graph\)"):
        again.verify()
    assert reference_model().verify(again).edges == graph.verify().edges
    with pytest.raises(InterventionError, match="traced with another model"):
        tiny_model().verify(again)


def test_a_16_bit_model_is_also_computed_in_float32_and_left_as_it_was() -> None:
    exact = tiny_model()
    low = tiny_model()
    for weight in low.model.network.parameters():
        weight.data = weight.data.to(torch.bfloat16)
    before = {name: weight.clone() for name, weight in low.model.network.named_parameters()}
    checked = low.trace(PROMPT_IDS).verify(100)
    assert checked.agrees, str(checked)
    assert checked.dtype == "bfloat16"
    assert checked.rounding is not None
    assert 1e-4 < checked.rounding < 1.0
    assert "instead of bfloat16, edges differ by up to" in str(checked)
    with torch.no_grad():
        for weight in exact.model.network.parameters():
            weight.copy_(weight.to(torch.bfloat16).float())
    rounded = ReplacementModel(exact.model, exact.transcoders).trace(PROMPT_IDS)
    there = [edge for edge in checked.edges if {edge.source, edge.target} <= set(rounded.node_ids)]
    assert len(there) > 80
    for edge in there:
        row = int(np.flatnonzero(rounded.row_nodes == rounded.index(edge.target))[0])
        assert edge.in_float32 == pytest.approx(float(rounded.weights[row, rounded.index(edge.source)]), abs=1e-5)
    for name, weight in low.model.network.named_parameters():
        assert weight.dtype == torch.bfloat16
        assert torch.equal(weight, before[name])


def test_a_verification_has_a_table_and_summary_numbers(graph: Graph) -> None:
    checked = graph.verify(7)
    frame = checked.to_frame()
    assert list(frame) == ["source", "target", "weight", "measured", "absolute", "relative", "in_float32"]
    assert len(frame) == 7
    assert checked.worst is not None
    assert frame["absolute"].max() == checked.worst.absolute
    assert checked.worst_relative is not None
    assert frame["relative"].max() == checked.worst_relative.relative


def test_what_all_edges_add_up_to_is_beside_each_targets_value(graph: Graph) -> None:
    checked = graph.verify(1)
    frame = checked.targets_to_frame()
    assert list(frame) == [
        "target", "value", "features", "errors", "tokens", "nodes", "rest", "position_embeddings", "uncounted", "biases",
    ]  # fmt: skip
    assert frame["target"].tolist() == [target.token for target in graph.targets]
    logits = reference_model()._run_of(graph, None).captured.uncapped_logits
    values = [float(logits[target.token_id] - logits.mean()) for target in graph.targets]
    np.testing.assert_allclose(frame["value"], values, rtol=1e-6)
    np.testing.assert_allclose(frame["nodes"], graph.weights[graph.n_features :].sum(1), rtol=1e-4)
    np.testing.assert_allclose(frame["nodes"] + frame["rest"], values, rtol=1e-6)
    first = frame.iloc[0]
    assert f"The edges into {first.target!r} add up to {first.nodes:.4g} of {first.value:.4g}." in repr(checked)


def test_a_pruned_graph_has_no_sums_since_it_lacks_edges(graph: Graph) -> None:
    checked = graph.prune().verify(1)
    assert checked.target_sums == ()
    assert "add up" not in repr(checked)


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "all"])
def test_an_invalid_number_of_edges_is_refused(graph: Graph, n: object) -> None:
    with pytest.raises(InterventionError, match="the number of edges to measure, is a whole number from 1 up"):
        graph.verify(n)


def test_a_verification_can_be_cancelled_and_reports_its_progress(graph: Graph) -> None:
    done: list[float] = []
    model = reference_model()
    with pytest.raises(Cancelled):
        model.verify(graph, progress=lambda part, text: done.append(part), cancelled=lambda: len(done) == 2)
    assert len(done) == 2
    model.verify(graph, progress=lambda part, text: done.append(part))
    assert done[-1] == 1.0
