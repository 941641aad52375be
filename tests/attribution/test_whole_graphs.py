"""The edges: against the reference library, against runs of the frozen model, and against the known sum of a row."""

import numpy as np
import pytest
import torch

from circuit_widget.attribution.targets import Contrast
from circuit_widget.graph import Graph
from circuit_widget.replacement_model import ReplacementModel
from tests.models import PROMPT_IDS, REFERENCE, per_layer, reference_model, tiny_model

TRANSCODERS = [{}, {"jump": True}, {"skip": True}]


@pytest.mark.parametrize("prompt", ["p0", "p1"])
def test_a_whole_graph_equals_the_reference(prompt: str) -> None:
    found = np.load(REFERENCE / f"llama-relu/{prompt}_graph.npz")
    graph = reference_model().trace(found["input_tokens"].tolist())
    active = np.stack([graph.feature_layer, graph.feature_position, graph.feature_index], axis=1)
    np.testing.assert_array_equal(active, found["active_features"])
    np.testing.assert_allclose(graph.activation, found["activation_values"], atol=1e-5, rtol=0)
    assert [target.token_id for target in graph.targets] == found["logit_tokens"].tolist()
    np.testing.assert_allclose(graph.target_weight, found["logit_probabilities"], atol=1e-6, rtol=0)
    n_sources = graph.weights.shape[1]
    rows = np.r_[: graph.n_features, n_sources : n_sources + len(graph.targets)]
    np.testing.assert_allclose(graph.weights, found["adjacency_matrix"][rows][:, :n_sources], atol=1e-5, rtol=0)
    assert graph.scores().replacement == pytest.approx(float(found["replacement_score"]), abs=1e-5)
    assert graph.scores().completeness == pytest.approx(float(found["completeness_score"]), abs=1e-5)


@pytest.mark.parametrize("prompt", ["p0", "p1"])
def test_pruning_a_traced_graph_keeps_what_the_reference_keeps(prompt: str) -> None:
    found = np.load(REFERENCE / f"llama-relu/{prompt}_graph.npz")
    graph = reference_model().trace(found["input_tokens"].tolist())
    small = graph.prune(0.8, 0.98)
    assert set(small.node_ids) == {graph.node_ids[node] for node in np.flatnonzero(found["prune_node_mask"])}
    edges = np.unpackbits(found["prune_edge_mask"], axis=1, count=graph.n_nodes).astype(bool)
    assert np.count_nonzero(small.weights) == edges.sum()


def test_targets_given_as_ids_equal_the_reference() -> None:
    found = np.load(REFERENCE / "llama-relu/p0_ids.npz")
    graph = reference_model().trace(found["token_ids"].tolist(), targets=found["target_ids"].tolist())
    np.testing.assert_allclose(graph.target_weight, found["target_probabilities"], atol=1e-6, rtol=0)
    np.testing.assert_allclose(graph.weights[graph.n_features :], found["weights"], atol=1e-5, rtol=0)
    assert_scores(graph, found)


def test_a_logit_difference_equals_the_reference() -> None:
    found = np.load(REFERENCE / "llama-relu/p0_difference.npz")
    graph = reference_model().trace(found["token_ids"].tolist(), targets=Contrast(188, 142))
    np.testing.assert_allclose(graph.weights[graph.n_features :], found["weights"], atol=1e-5, rtol=0)
    assert (graph.targets[0].token_id, graph.targets[0].probability) == (206, 1.0)
    assert_scores(graph, found)


def assert_scores(graph: Graph, found: np.lib.npyio.NpzFile) -> None:
    assert graph.scores().replacement == pytest.approx(float(found["replacement"]), abs=1e-5)
    assert graph.scores().completeness == pytest.approx(float(found["completeness"]), abs=1e-5)


@pytest.mark.parametrize("transcoders", TRANSCODERS)
def test_a_row_sums_to_the_pre_activation_without_biases(transcoders: dict[str, bool]) -> None:
    model = tiny_model(**transcoders)
    graph = model.trace(PROMPT_IDS)
    expected, unowned = read_from_run(model, graph)
    np.testing.assert_allclose(graph.weights[: graph.n_features].sum(1), expected - unowned, atol=2e-5, rtol=0)
    assert np.abs(unowned).max() > 0.1  # the decoder biases matter, so leaving them out would show


def test_a_row_of_the_first_layer_sums_to_the_pre_activation_less_the_encoder_bias() -> None:
    model = tiny_model(skip=True)
    graph = model.trace(PROMPT_IDS)
    first = graph.feature_layer == 0
    expected, _ = read_from_run(model, graph)
    np.testing.assert_allclose(graph.weights[: graph.n_features].sum(1)[first], expected[first], atol=1e-5, rtol=0)


def read_from_run(model: ReplacementModel, graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """Each feature's pre-activation less its encoder bias, and the part of it that comes from what no node owns.

    That is the decoder biases, and all that MLPs write at the first position less what their skip connections pass on.
    """
    run = model._run_of(graph, None)
    expected, unowned = np.zeros(graph.n_features), np.zeros(graph.n_features)

    def change(layer: int, x: torch.Tensor) -> torch.Tensor:
        pieces, transcoder = run.captured.layers[layer], per_layer(model).layers[layer]
        here = np.flatnonzero(graph.feature_layer == layer)
        features = torch.tensor(graph.feature_index[here], dtype=torch.long)
        rows, positions = transcoder.encoder[features], torch.tensor(graph.feature_position[here], dtype=torch.long)
        expected[here] = (rows * pieces.mlp_input[positions]).sum(-1)
        unowned[here] = (rows * x[positions]).sum(-1)
        written = transcoder.decoder_bias.expand_as(x).clone()
        written[0] = pieces.mlp_output[0]
        if transcoder.skip is not None:
            written[0] -= pieces.mlp_input[0] @ transcoder.skip.T
            written += x @ transcoder.skip.T
        return written

    with torch.inference_mode():
        run.frozen.propagate(change, 0)
    return expected, unowned


def test_an_earlier_position_is_traced_as_if_the_prompt_ended_there() -> None:
    model = tiny_model()
    whole, short = model.trace(PROMPT_IDS, position=3), model.trace(PROMPT_IDS[:4])
    assert whole.position == 3
    assert set(short.node_ids) <= set(whole.node_ids)
    columns = [whole.index(node) for node in short.node_ids[: short.weights.shape[1]]]
    np.testing.assert_allclose(whole.weights[:, columns], short.weights, atol=1e-5, rtol=0)
    others = np.setdiff1d(np.arange(whole.weights.shape[1]), columns)
    assert not whole.weights[:, others].any()


def test_features_beyond_a_limit_are_added_to_the_error_of_their_layer_and_position() -> None:
    model = tiny_model()
    whole, limited = model.trace(PROMPT_IDS), model.trace(PROMPT_IDS, max_features=30)
    assert limited.n_features == 30
    assert limited.n_errors == whole.n_errors
    rows = [whole.index(node) for node in limited.node_ids[:30]]
    np.testing.assert_allclose(limited.weights[:30].sum(1), whole.weights[rows].sum(1), atol=1e-5, rtol=0)
    assert min(limited.activation) > 0
    assert set(limited.node_ids) <= set(whole.node_ids)
