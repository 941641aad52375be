"""Sets that cover some layers of a model: the MLPs of the others are errors, and that is stated once."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from circuit_widget.errors import CircuitWidgetWarning, LoadError, NodeError
from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate
from circuit_widget.loading import load
from circuit_widget.nodes import ErrorNode, Feature
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.read_transcoders import read_transcoders
from tests.models import PROMPT_IDS, tiny_network, tokenizer
from tests.transcoder.layouts import CPU, D_MODEL, FEATURES, normal, tensors, write_folder
from tests.transcoder.test_dictionary_learning_format import config as dictionary_settings
from tests.transcoder.test_dictionary_learning_format import tensors_of
from tests.transcoder.test_llamascopium_format import config as scope_settings
from tests.transcoder.test_llamascopium_format import one_layer
from tests.transcoder.test_other_formats import saelens_settings

WIDTH, COUNT = 32, 20


def write_sparsify(root: Path, *layers: int, prefix: str = "layers", width: int = WIDTH, features: int = COUNT) -> None:
    for layer in layers:
        folder = root / f"{prefix}.{layer}.mlp"
        folder.mkdir(parents=True)
        drawn = {
            "encoder.weight": normal(features, width, seed=layer, scale=0.3),
            "encoder.bias": normal(features, seed=10 + layer, scale=0.2),
            "W_dec": normal(features, width, seed=20 + layer, scale=0.2),
            "b_dec": normal(width, seed=30 + layer, scale=0.2),
        }
        save_file(drawn, folder / "sae.safetensors")
        stated = {"activation": "topk", "k": 5, "d_in": width, "num_latents": features, "transcode": True}
        (folder / "cfg.json").write_text(json.dumps(stated))


def load_partial(root: Path, *layers: int, prefix: str = "layers") -> ReplacementModel:
    write_sparsify(root, *layers, prefix=prefix)
    with pytest.warns(CircuitWidgetWarning) as warned:
        model = load(tiny_network(), root, tokenizer=tokenizer())
    assert len(warned) == 1
    return model


@pytest.fixture(scope="module")
def partial(tmp_path_factory: pytest.TempPathFactory) -> ReplacementModel:
    """A model of three layers with transcoders for the middle one."""
    return load_partial(tmp_path_factory.mktemp("sets"), 1)


@cache
def graph_of(model: ReplacementModel) -> Graph:
    return model.trace(PROMPT_IDS)


def test_one_warning_names_the_layers_without_transcoders(tmp_path: Path) -> None:
    write_sparsify(tmp_path, 1)
    with pytest.warns(CircuitWidgetWarning) as warned:
        load(tiny_network(), tmp_path, tokenizer=tokenizer())
    (message,) = [str(one.message) for one in warned]
    assert f"{tmp_path}: there are transcoders for 1 of the 3 layers" in message
    assert "stay as they are, error nodes in every graph: 0, 2." in message
    assert "or it belongs to another model" in message


def test_the_recipe_names_the_layers_without_transcoders(partial: ReplacementModel) -> None:
    recorded: Any = graph_of(partial).recipe["provenance"]
    assert recorded["transcoders"]["layers_without_transcoder"] == [0, 2]


def test_the_error_of_a_layer_without_transcoder_is_its_whole_mlp(partial: ReplacementModel) -> None:
    graph, outputs = graph_of(partial), []
    assert set(graph.feature_layer.tolist()) == {1}
    network = partial.model.network
    handles = [
        block.mlp.register_forward_hook(lambda _, __, output: outputs.append(output[0].clone()))
        for block in network.model.layers
    ]
    with torch.inference_mode():
        network(torch.tensor([PROMPT_IDS]))
    for handle in handles:
        handle.remove()
    for layer, position in ((0, 3), (2, 6)):
        effect = partial.intervene(graph, Ablate(ErrorNode(layer, position).id), mode="total")
        change = torch.zeros_like(outputs[0])
        change[position] = -outputs[layer][position]
        with torch.inference_mode():
            handle = network.model.layers[layer].mlp.register_forward_hook(
                lambda _, __, output, added=change: output + added
            )
            logits = network(torch.tensor([PROMPT_IDS])).logits[0, -1]
            handle.remove()
        np.testing.assert_allclose(effect.logits_after, logits.numpy(), atol=1e-4, rtol=0)


def test_edges_are_direct_effects(partial: ReplacementModel) -> None:
    graph = graph_of(partial)
    assert graph.verify(10).agrees
    for source in range(0, graph.n_features, 9):
        effect = partial.intervene(graph, Ablate(graph.node_ids[source]), mode="direct")
        logits = effect.logits_after - effect.logits_before
        ids = [target.token_id for target in graph.targets]
        np.testing.assert_allclose(
            logits[ids] - logits.mean(), -graph.weights[graph.n_features :, source], atol=1e-5, rtol=0
        )


def test_features_of_a_layer_without_transcoder_do_not_exist(partial: ReplacementModel) -> None:
    with pytest.raises(NodeError, match="layer 0 has no transcoder"):
        partial.intervene(graph_of(partial), Ablate(Feature(0, 3, 0)))
    with pytest.raises(NodeError, match="in layer 2; it has no transcoder"):
        partial.feature_card(2, 0)


def test_both_names_of_sparsify_folders_are_read(tmp_path: Path) -> None:
    found = load_partial(tmp_path / "long", 0, 1, prefix="model.layers")
    same = load_partial(tmp_path / "short", 0, 1)
    assert dict(found.activations(PROMPT_IDS)) == dict(same.activations(PROMPT_IDS))


def write_saelens(root: Path, layer: int) -> None:
    drawn = tensors(layer)
    drawn["W_enc"] = drawn["W_enc"].T
    write_folder(root / f"l{layer}", "sae_weights.safetensors", drawn, saelens_settings(layer, "transcoder"))


def write_scope(root: Path, layer: int) -> None:
    hooks = {"hook_point_in": f"blocks.{layer}.ln2.hook_normalized", "hook_point_out": f"blocks.{layer}.hook_mlp_out"}
    write_folder(
        root / f"layer{layer}", "sae_weights.safetensors", one_layer(layer), scope_settings(**hooks), "config.json"
    )


def write_dictionary(root: Path, layer: int) -> None:
    folder = root / f"mlp_{layer}"
    folder.mkdir(parents=True)
    torch.save(tensors_of("AutoEncoder", layer), folder / "ae.pt")
    (folder / "config.json").write_text(json.dumps(dictionary_settings("AutoEncoder", layer)))


def write_gemma_scope_2(root: Path, layer: int) -> None:
    drawn = tensors(layer)
    found = {"w_enc": drawn["W_enc"].T, "w_dec": drawn["W_dec"], "b_enc": drawn["b_enc"], "b_dec": drawn["b_dec"]}
    stated = {
        "hf_hook_point_in": f"model.layers.{layer}.mlp.input",
        "hf_hook_point_out": f"model.layers.{layer}.mlp.output",
    }
    write_folder(root / f"layer_{layer}_width_16k", "params.safetensors", found, stated, "config.json")


def write_one_sparsify(root: Path, layer: int) -> None:
    write_sparsify(root, layer, width=D_MODEL, features=FEATURES)


@pytest.mark.parametrize(
    "write", [write_saelens, write_scope, write_dictionary, write_gemma_scope_2, write_one_sparsify]
)
def test_layers_keep_their_numbers(tmp_path: Path, write: Any) -> None:
    for layer in (0, 2):
        write(tmp_path, layer)
    found = read_transcoders(Folder(tmp_path), Loading(lambda _: CPU, n_layers=5))
    assert [found.n_features(layer) for layer in range(5)] == [FEATURES, 0, FEATURES, 0, 0]
    alone = read_transcoders(Folder(tmp_path), Loading(lambda _: CPU))
    assert (alone.n_layers, alone.uncovered) == (3, (1,))
    x = normal(3, D_MODEL, seed=1)
    torch.testing.assert_close(found.encode(2, x), alone.encode(2, x))
    assert found.encode(1, x)[1].shape == (3, 0)
    assert not found.decoder_bias(1).any()


def test_a_layer_that_the_model_lacks_is_refused(tmp_path: Path) -> None:
    write_sparsify(tmp_path, 0, 4)
    with pytest.raises(LoadError, match="found transcoders for 5 layers, expected 3"):
        load(tiny_network(), tmp_path, tokenizer=tokenizer())
