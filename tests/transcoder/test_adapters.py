"""Adapters beside the MLPs, in the model's own weights: the model runs with them, and its MLPs are the errors."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from circuit_widget.errors import LoadError
from circuit_widget.intervention import Ablate
from circuit_widget.loading import load
from circuit_widget.nodes import ErrorNode
from circuit_widget.replacement_model import ReplacementModel
from tests.models import PROMPT_IDS, REFERENCE, tiny_network
from tests.transcoder.layouts import Tensors, normal

LAYERS, WIDTH, FEATURES = 3, 32, 12


def adapter(layer: int, *, bias: bool = True) -> Tensors:
    prefix = f"model.layers.{layer}.mlp.transcoder"
    found = {
        f"{prefix}_enc.weight": normal(FEATURES, WIDTH, seed=layer, scale=0.3),
        f"{prefix}_enc.bias": normal(FEATURES, seed=10 + layer, scale=0.3),
        f"{prefix}_dec.weight": normal(WIDTH, FEATURES, seed=20 + layer, scale=0.3),
    }
    return found | ({f"{prefix}_dec.bias": normal(WIDTH, seed=30 + layer, scale=0.3)} if bias else {})


def write(root: Path, *, bias: bool = True, left_out: str = "", **changes: Any) -> Path:
    """A checkpoint whose shards have adapters, written as its training code saves it."""
    tiny_network().save_pretrained(root)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(REFERENCE / "models/llama" / name, root / name)
    weights = load_file(root / "model.safetensors")
    for layer in range(LAYERS):
        weights |= adapter(layer, bias=bias)
    weights.pop(left_out, None)
    half = sorted(weights)[: len(weights) // 2]
    shards = {
        "model-00001-of-00002.safetensors": half,
        "model-00002-of-00002.safetensors": sorted(set(weights) - set(half)),
    }
    for shard, names in shards.items():
        save_file({name: weights[name] for name in names}, root / shard, metadata={"format": "pt"})
    (root / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": {name: shard for shard, names in shards.items() for name in names}}
    (root / "model.safetensors.index.json").write_text(json.dumps(index))
    stated = json.loads((root / "config.json").read_text())
    stated |= {"architectures": ["LlamaForCausalLMWithTranscoder"], "transcoder_n_features": FEATURES}
    (root / "config.json").write_text(json.dumps(stated | {"transcoder_dec_bias": bias} | changes))
    return root


def logits_by_hand(
    *, without_mlp: tuple[int, int] | None = None, without_feature: tuple[int, int, int] | None = None
) -> Any:
    """Logits of the plain network with the adapters added by hooks, less one MLP's own output or one feature."""
    network, handles = tiny_network().train(False), []
    for layer, block in enumerate(network.model.layers):
        encoder, bias, decoder, decoder_bias = adapter(layer).values()

        def add(
            _: Any, args: Any, output: torch.Tensor, at: Any = (layer, encoder, bias, decoder, decoder_bias)
        ) -> torch.Tensor:
            number, w_enc, b_enc, w_dec, b_dec = at
            active = torch.relu(torch.nn.functional.linear(args[0], w_enc, b_enc))
            if without_feature is not None and without_feature[0] == number:
                active[0, without_feature[1], without_feature[2]] = 0
            own = output.clone()
            if without_mlp is not None and without_mlp[0] == number:
                own[0, without_mlp[1]] = 0
            return own + torch.nn.functional.linear(active, w_dec, b_dec)

        handles.append(block.mlp.register_forward_hook(add))
    with torch.inference_mode():
        found = network(torch.tensor([PROMPT_IDS])).logits[0, -1].numpy()
    for handle in handles:
        handle.remove()
    return found


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> ReplacementModel:
    root = write(tmp_path_factory.mktemp("adapted"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load(root, root, device="cpu")


def test_the_model_runs_with_its_adapters(adapted: ReplacementModel) -> None:
    with torch.inference_mode():
        found = adapted.model.network(torch.tensor([PROMPT_IDS])).logits[0, -1].numpy()
    np.testing.assert_allclose(found, logits_by_hand(), atol=1e-4, rtol=0)
    with torch.inference_mode():
        plain = tiny_network()(torch.tensor([PROMPT_IDS])).logits[0, -1].numpy()
    assert np.abs(plain - found).max() > 0.1


def test_features_and_mlps_are_parts_of_the_graph(adapted: ReplacementModel) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graph = adapted.trace(PROMPT_IDS)
    assert graph.recipe["provenance"]["transcoders"]["beside_mlps"] is True  # type: ignore[index, call-overload]
    assert graph.verify(10).agrees
    source = int(np.flatnonzero((graph.feature_layer == 1) & (graph.feature_position == 3))[0])
    effect = adapted.intervene(graph, Ablate(graph.node_ids[source]))
    expected = logits_by_hand(without_feature=(1, 3, int(graph.feature_index[source])))
    np.testing.assert_allclose(effect.logits_after, expected, atol=1e-4, rtol=0)
    effect = adapted.intervene(graph, Ablate(ErrorNode(1, 3).id))
    np.testing.assert_allclose(effect.logits_after, logits_by_hand(without_mlp=(1, 3)), atol=1e-4, rtol=0)


def test_activations_are_those_of_the_plain_formula(adapted: ReplacementModel, tmp_path: Path) -> None:
    x = normal(5, WIDTH, seed=3)
    encoder, bias, decoder, decoder_bias = adapter(2).values()
    expected = torch.relu(x @ encoder.T + bias)
    found = adapted.transcoders
    torch.testing.assert_close(found.encode(2, x)[1], expected)
    written = expected @ found.decoder_rows(2, torch.arange(FEATURES), 2) + found.decoder_bias(2)
    torch.testing.assert_close(written, expected @ decoder.T + decoder_bias)
    root = write(tmp_path / "without", bias=False)
    assert not load(root, root, device="cpu").transcoders.decoder_bias(1).any()


def test_the_base_model_is_refused(tmp_path: Path) -> None:
    root, base = write(tmp_path / "adapted"), tmp_path / "base"
    tiny_network().save_pretrained(base)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(REFERENCE / "models/llama" / name, base / name)
    with pytest.raises(LoadError, match="these transcoders are adapters, added beside the MLPs"):
        load(base, root, device="cpu")


def test_neurons_do_not_explain_an_mlp_with_an_adapter(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="the neurons of layer 0 should write what its MLP writes"):
        load(write(tmp_path), "neurons", device="cpu")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"left_out": "model.layers.1.mlp.transcoder_dec.weight"}, r"transcoder_dec\.weight"),
        ({"transcoder_n_features": 99}, "transcoder_n_features is 99, but"),
        ({"transcoder_dec_bias": False}, "transcoder_dec_bias is False, but such a tensor is there"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    root = write(tmp_path, **changes)
    with pytest.raises(LoadError, match=words):
        load(root, root, device="cpu")
