"""Graphs and interventions with a gated encoder: the gate is frozen in the graph, and runs in re-runs."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate, Scale
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.transcoder.gate import Gate
from circuit_widget.transcoder.per_layer import PerLayerTranscoders
from tests.models import PROMPT_IDS, per_layer, tiny_network, tiny_transcoders, tokenizer
from tests.transcoder.layouts import normal


@cache
def model(top_k: int | None) -> ReplacementModel:
    plain = tiny_transcoders(top_k=top_k)
    layers = [
        replace(layer, gate=Gate(normal(40, 32, seed=number), normal(40, seed=9 + number), 0.7))
        for number, layer in enumerate(plain.layers)
    ]
    found = PerLayerTranscoders("gated", tuple(layers), "mlp_input", "mlp_output")
    return ReplacementModel(LanguageModel(tiny_network(), tokenizer(), "tiny"), found)


@cache
def graph(top_k: int | None) -> Graph:
    return model(top_k).trace(PROMPT_IDS)


@pytest.mark.parametrize("top_k", [None, 9])
def test_edges_are_direct_effects_with_the_gate_frozen(top_k: int | None) -> None:
    made = graph(top_k)
    assert made.verify(10).agrees
    for source in range(0, made.n_features, 29):
        effect = model(top_k).intervene(made, Ablate(made.node_ids[source]), mode="direct")
        change = (effect.nodes["after"] - effect.nodes["before"]).to_numpy()
        others = np.arange(made.n_features) != source
        np.testing.assert_allclose(change[others], -made.weights[: made.n_features, source][others], atol=1e-5, rtol=0)


@pytest.mark.parametrize("top_k", [None, 9])
def test_in_a_re_run_the_gate_reads_what_its_layer_reads(top_k: int | None) -> None:
    made, runs = graph(top_k), model(top_k)
    source = int(np.flatnonzero((made.feature_layer == 0) & (made.feature_position == 2))[0])
    effect = runs.intervene(made, Scale(made.node_ids[source], 3.0))
    row = per_layer(runs).decoder_rows(0, torch.tensor([made.feature_index[source]]), 0)[0]
    added = torch.zeros(len(PROMPT_IDS), 32)
    added[2] = 2.0 * float(made.activation[source]) * row
    network, read = runs.model.network, []
    handles = [
        block.mlp.register_forward_pre_hook(lambda _, args: read.append(args[0][0])) for block in network.model.layers
    ]
    handles.append(network.model.layers[0].mlp.register_forward_hook(lambda _, __, output: output + added))
    with torch.inference_mode():
        logits = network(torch.tensor([PROMPT_IDS])).logits[0, -1]
    for handle in handles:
        handle.remove()
    np.testing.assert_allclose(effect.logits_after, logits.numpy(), atol=1e-4, rtol=0)
    after = effect.nodes["after"].to_numpy()
    for node in np.flatnonzero(made.feature_layer == 2).tolist():
        layer = per_layer(runs).layers[2]
        x = read[2][made.feature_position[node]]
        hidden = x @ layer.encoder.T + layer.encoder_bias
        assert layer.gate is not None
        hidden = hidden * torch.sigmoid(0.7 * (x @ layer.gate.weight.T) + layer.gate.bias)
        expected = layer.activation(hidden[None])[0, made.feature_index[node]]
        assert after[node] == pytest.approx(float(expected), abs=1e-4)
