"""Graphs and interventions with transcoders whose features of all layers compete."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate, Scale, Set
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.nodes import Everywhere, Feature
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoders
from circuit_widget.transcoder.joint_top_k import JointTopKTranscoders, MeanNorms
from tests.models import PROMPT_IDS, tiny_network, tiny_transcoders, tokenizer

K, LAYERS = 24, 3


@cache
def joint() -> JointTopKTranscoders:
    """Random transcoders of 40 features in each of three layers, 24 of which are active at a token."""
    plain = tiny_transcoders(cross_layer=True, input_site="residual_mid")
    assert isinstance(plain, CrossLayerTranscoders)
    weights = tuple(torch.rand(40, generator=torch.Generator().manual_seed(layer)) for layer in range(LAYERS))
    large = torch.full((LAYERS,), 1e3)
    return JointTopKTranscoders(
        "joint", plain.layers, "residual_mid", "mlp_output", k=K, weights=weights, mean_norms=MeanNorms(large, large)
    )


@cache
def model() -> ReplacementModel:
    return ReplacementModel(LanguageModel(tiny_network(), tokenizer(), "tiny"), joint())


@cache
def graph() -> Graph:
    return model().trace(PROMPT_IDS)


def residuals(change: dict[int, torch.Tensor] | None = None) -> torch.Tensor:
    """What the MLPs' norms read (layers, positions, d_model) in a plain pass, with what is added to MLP outputs."""
    network, found, handles = model().model.network, [], []
    for layer, block in enumerate(network.model.layers):
        handles.append(
            block.post_attention_layernorm.register_forward_pre_hook(lambda _, args: found.append(args[0][0].clone()))
        )
        if change is not None and layer in change:
            added = change[layer]

            def add(_: Any, __: Any, output: torch.Tensor, added: torch.Tensor = added) -> torch.Tensor:
                return output + added

            handles.append(block.mlp.register_forward_hook(add))
    with torch.inference_mode():
        network(torch.tensor([PROMPT_IDS]))
    for handle in handles:
        handle.remove()
    return torch.stack(found)


def by_hand(x: torch.Tensor) -> torch.Tensor:
    """Activations (layers, positions, features), each token's 24 largest products with a weight, over all layers."""
    found = []
    for read, layer in zip(x, joint().layers, strict=True):
        found.append(torch.relu(read @ layer.encoder.T + layer.encoder_bias))
    active = torch.stack(found)
    scores = active * torch.stack(joint().weights)[:, None]
    least = scores.transpose(0, 1).flatten(1).sort(dim=1, descending=True).values[:, K - 1]
    return active * (scores >= least[:, None])


def of_graph(active: torch.Tensor) -> np.ndarray[Any, Any]:
    made = graph()
    found: np.ndarray[Any, Any] = active.numpy()[made.feature_layer, made.feature_position, made.feature_index]
    return found


def test_the_active_features_are_those_chosen_among_all_layers() -> None:
    expected = by_hand(residuals())
    expected[:, 0] = 0
    found = model().activations(PROMPT_IDS)
    assert len(found) == int((expected > 0).sum()) == K * (len(PROMPT_IDS) - 1)
    for feature, value in found.items():
        assert value == pytest.approx(float(expected[feature.layer, feature.position, feature.feature]), rel=1e-4)
    by_layer = [sum(feature.layer == layer for feature in found) for layer in range(LAYERS)]
    assert len(set(by_layer)) > 1


def test_edges_are_direct_effects() -> None:
    made = graph()
    assert made.verify(10).agrees
    for source in range(0, made.n_features, 29):
        effect = model().intervene(made, Ablate(made.node_ids[source]), mode="direct")
        change = (effect.nodes["after"] - effect.nodes["before"]).to_numpy()
        others = np.arange(made.n_features) != source
        np.testing.assert_allclose(change[others], -made.weights[: made.n_features, source][others], atol=1e-5, rtol=0)


@pytest.mark.parametrize("factor", [0.0, 4.0])
def test_after_a_change_all_layers_choose_again(factor: float) -> None:
    """In mode total the model's own pass with the decoder rows added is encoded again, over all layers."""
    made, runs = graph(), model()
    source = int(np.flatnonzero((made.feature_layer == 1) & (made.feature_position == 2))[0])
    feature, before = int(made.feature_index[source]), float(made.activation[source])
    change = {}
    for target in (1, 2):
        change[target] = torch.zeros(len(PROMPT_IDS), 32)
        row = joint().decoder_rows(1, torch.tensor([feature]), target)[0]
        change[target][2] = (factor - 1) * before * row
    expected = by_hand(residuals(change))
    expected[1, 2, feature] = factor * before
    effect = runs.intervene(made, Scale(made.node_ids[source], factor))
    np.testing.assert_allclose(effect.nodes["after"].to_numpy(), of_graph(expected), atol=1e-4, rtol=0)
    chosen, on_prompt = of_graph(expected) > 0, of_graph(by_hand(residuals())) > 0
    assert on_prompt.all()
    if factor == 4.0:
        assert not chosen[made.feature_position >= 2].all()


def test_features_below_the_change_can_cease_to_be_active() -> None:
    """What layer 0 reads at the changed position is the same, but other features of layer 2 may outrank its own."""
    made = graph()
    source = next(
        index
        for index in np.flatnonzero((made.feature_layer == 1) & (made.feature_position == 3)).tolist()
        if _below_change(index)
    )
    effect = model().intervene(made, Scale(made.node_ids[source], 20.0))
    below = (made.feature_layer == 0) & (made.feature_position == 3)
    after = effect.nodes["after"].to_numpy()[: made.n_features]
    assert (after[below] == 0).any()
    kept = below & (after != 0)
    np.testing.assert_allclose(after[kept], made.activation[kept], rtol=1e-5)


def _below_change(index: int) -> bool:
    made = graph()
    effect = model().intervene(made, Scale(made.node_ids[index], 20.0))
    below = (made.feature_layer == 0) & (made.feature_position == 3)
    return bool((effect.nodes["after"].to_numpy()[: made.n_features][below] == 0).any())


def test_a_second_feature_is_changed_from_its_activation_as_on_the_prompt() -> None:
    """Whether a changed feature is active stays as on the prompt; its activation is that of the re-run."""
    made = graph()
    here = [int(np.flatnonzero((made.feature_layer == layer) & (made.feature_position == 4))[0]) for layer in (0, 2)]
    first, second = (int(made.feature_index[index]) for index in here)
    change = {}
    for target in range(LAYERS):
        change[target] = torch.zeros(len(PROMPT_IDS), 32)
        change[target][4] = -float(made.activation[here[0]]) * joint().decoder_rows(0, torch.tensor([first]), target)[0]
    read = residuals({layer: change[layer] for layer in (0, 1)})[2, 4]
    layer = joint().layers[2]
    now = torch.relu(layer.encoder[second] @ read + layer.encoder_bias[second])
    change[2][4] -= now * joint().decoder_rows(2, torch.tensor([second]), 2)[0]
    with_both = residuals(change)
    effect = model().intervene(made, Ablate([made.node_ids[index] for index in here]))
    expected = by_hand(with_both)
    expected[0, 4, first] = expected[2, 4, second] = 0
    np.testing.assert_allclose(effect.nodes["after"].to_numpy(), of_graph(expected), atol=1e-4, rtol=0)
    network = model().model.network
    handles = [
        block.mlp.register_forward_hook(lambda _, __, output, added=change[number]: output + added)
        for number, block in enumerate(network.model.layers)
    ]
    with torch.inference_mode():
        logits = network(torch.tensor([PROMPT_IDS])).logits[0, -1]
    for handle in handles:
        handle.remove()
    np.testing.assert_allclose(effect.logits_after, logits.numpy(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("mode", ["frozen_attention", "total"])
def test_several_changes_at_once_are_as_each_alone(mode: str) -> None:
    made, runs = graph(), model()
    sources = [made.node_ids[index] for index in np.linspace(made.n_features - 1, 0, 5).astype(int)]
    together = runs.intervene_many(made, [Ablate(source) for source in sources], mode=mode)
    for source, effect in zip(sources, together, strict=True):
        alone = runs.intervene(made, Ablate(source), mode=mode)
        np.testing.assert_allclose(effect.nodes["after"], alone.nodes["after"], atol=1e-5)
        np.testing.assert_allclose(effect.logits_after, alone.logits_after, atol=1e-5)


def test_a_feature_that_is_not_active_is_added_whole() -> None:
    made, runs = graph(), model()
    active = {(one.layer, one.position, one.feature) for one in runs.activations(PROMPT_IDS)}
    feature = next(number for number in range(40) if (1, 3, number) not in active)
    change = {}
    for target in (1, 2):
        change[target] = torch.zeros(len(PROMPT_IDS), 32)
        change[target][3] = 2.0 * joint().decoder_rows(1, torch.tensor([feature]), target)[0]
    effect = runs.intervene(made, Set(Feature(1, 3, feature), 2.0))
    after = effect.nodes["after"].to_numpy()[: made.n_features]
    np.testing.assert_allclose(after, of_graph(by_hand(residuals(change))), atol=1e-4, rtol=0)


def test_constrained_layers_take_activations_from_the_prompt() -> None:
    made = graph()
    source = int(np.flatnonzero(made.feature_layer == 1)[0])
    effect = model().intervene(made, Ablate(made.node_ids[source]), mode=(0, 2))
    assert effect.nodes["after"].to_numpy()[source] == 0


def test_generated_tokens_cannot_be_steered_and_the_prompt_can() -> None:
    runs, made = model(), graph()
    with pytest.raises(InterventionError, match="the layers above a feature have not run yet"):
        runs.generate(PROMPT_IDS, interventions=[Ablate(Everywhere(1, 0))], new_tokens=True, max_new_tokens=1)
    source = int(np.flatnonzero((made.feature_layer == 1) & (made.feature_position == len(PROMPT_IDS) - 1))[0])
    last = Scale(made.node_ids[source], 40.0)
    steered = runs.generate(PROMPT_IDS, interventions=[last], max_new_tokens=1)
    effect = runs.intervene(made, last)
    assert steered.steered.tokens[-1].token_id == int(np.argmax(effect.logits_after))
