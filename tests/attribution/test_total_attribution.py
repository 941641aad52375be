"""Total attributions of neurons, from one walk through the linearised model, against the whole graph and the target itself."""

import numpy as np
import pytest
import torch

from circuit_widget.attribution.influence import flow
from circuit_widget.attribution.total_attribution import TotalAttributions, total_attributions
from circuit_widget.graph import Graph
from circuit_widget.model.neuron_set import Neurons
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.tracing.neuron_nodes import CANDIDATES
from circuit_widget.tracing.prompt_run import PromptRun
from tests.architectures import model_of
from tests.cases import assert_close
from tests.models import PROMPT_IDS, run_of

ARCHITECTURES = ("llama", "gemma2", "gemma3_text", "gpt2", "gpt_neox", "gpt_neox-sequential", "qwen3")
TOKEN = 11


def traced(name: str) -> tuple[ReplacementModel, Neurons, PromptRun]:
    language_model = model_of(name)
    neurons = Neurons(language_model)
    model = ReplacementModel(language_model, neurons)
    return model, neurons, run_of(model, PROMPT_IDS)


def attributions(
    neurons: Neurons, run: PromptRun, direction: torch.Tensor, first_position: int | None = None
) -> TotalAttributions:
    layers = [neurons.layer(layer) for layer in range(neurons.n_layers)]
    inputs = [pieces.mlp_input for pieces in run.captured.layers]
    first = run.prompt.first_position if first_position is None else first_position
    with torch.inference_mode():
        return total_attributions(run.frozen, layers, inputs, direction, first)


def along_all_paths(graph: Graph) -> np.ndarray:
    """What each neuron of a graph adds to the last target: its own edge, and its share in what every neuron above adds."""
    edges = graph.weights[:, : graph.n_features].astype(np.float64)
    total: np.ndarray = edges[-1].copy()
    for layer in range(graph.n_layers - 1, 0, -1):
        here = np.flatnonzero((graph.feature_layer == layer) & (graph.activation != 0))
        total += (total[here] / graph.activation[here]) @ edges[here]
    return total


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_they_are_the_sum_over_all_paths_of_a_graph_of_all_neurons(name: str) -> None:
    model, neurons, run = traced(name)
    graph = model.trace(PROMPT_IDS, targets=[TOKEN], max_features=100_000)
    assert graph.n_features == len(run.activations)
    found = attributions(neurons, run, model.model.unembedding.weight.detach()[TOKEN] - model.model.mean_unembedding)
    assert_close(np.concatenate([each[1:].numpy().ravel() for each in found.neurons]), along_all_paths(graph), 1e-4)
    assert float(torch.stack(found.neurons)[:, 0].abs().max()) == 0


def test_without_biases_the_embeddings_have_the_whole_target() -> None:
    """A model without any bias is linear once everything is frozen, neurons of the first position too."""
    model, neurons, run = traced("qwen3")
    found = attributions(neurons, run, model.model.unembedding.weight.detach()[TOKEN], first_position=0)
    of_tokens = float((found.entering * run.captured.embedding).sum())
    assert of_tokens == pytest.approx(float(run.captured.uncapped_logits[TOKEN]), rel=1e-5)


@pytest.mark.parametrize("name", ["llama", "gemma2", "gpt_neox"])
def test_the_neurons_that_become_nodes_are_the_most_influential_of_those_with_the_largest(name: str) -> None:
    model, _, _ = traced(name)
    whole = model.trace(PROMPT_IDS, targets=[TOKEN], max_features=100_000)
    kept = model.trace(PROMPT_IDS, targets=[TOKEN], max_features=10, step=1)
    candidates = np.sort(np.argsort(-np.abs(along_all_paths(whole)))[: 10 * CANDIDATES])
    chosen = chosen_one_by_one(whole, candidates, 10)
    assert set(kept.node_ids[:10]) == {whole.node_ids[node] for node in chosen}
    assert not set(chosen) <= set(np.argsort(-np.abs(along_all_paths(whole)))[:10])
    assert kept.left_out == whole.n_features - 10


def chosen_one_by_one(whole: Graph, candidates: np.ndarray, count: int) -> list[int]:
    """The candidates with most influence along the edges into the targets and into those chosen before."""
    features = whole.weights[:, : whole.n_features]
    weights = np.concatenate([features[:, candidates], whole.weights[:, whole.n_features :]], axis=1)
    for node in np.setdiff1d(np.arange(whole.n_features), candidates):
        place = whole.feature_layer[node] * len(whole.tokens) + whole.feature_position[node]
        weights[:, len(candidates) + place] += features[:, node]
    chosen: list[int] = []
    while len(chosen) < count:
        known = np.concatenate([weights[candidates], weights[whole.n_features :]])
        known[: len(candidates)][~np.isin(candidates, chosen)] = 0
        influence = flow(known, whole.feature_layer[candidates], whole.target_weight).influence[: len(candidates)]
        influence[np.isin(candidates, chosen)] = -1
        chosen.append(int(candidates[influence.argmax()]))
    return chosen
