"""A transcoder that is the MLP explains everything wherever its hook is read right, and is refused where that is open."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedModel

import circuit_widget as cw
from circuit_widget.errors import LoadError
from circuit_widget.intervention.as_code import effect_code
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.transcoder.hook_names import INPUT_HOOKS, HookSites
from tests.models import tokenizer

PROMPT = (1, 17, 42, 5, 99, 17, 120)
D = 16
HOOK = "ln2.hook_normalized"
Stated = Mapping[str, Any]


def network(kind: str) -> PreTrainedModel:
    """A model with LayerNorm, gain and bias far from one and zero, and MLPs of one ReLU layer."""
    torch.manual_seed(3)
    sizes = {"vocab_size": 206, "bos_token_id": 1, "eos_token_id": 2}
    if kind == "gpt2":
        config = GPT2Config(n_embd=D, n_layer=2, n_head=2, n_positions=16, activation_function="relu", **sizes)
        found: PreTrainedModel = GPT2LMHeadModel(config)
    else:
        found = GPTNeoXForCausalLM(
            GPTNeoXConfig(
                hidden_size=D,
                intermediate_size=3 * D,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=16,
                hidden_act="relu",
                use_parallel_residual=kind == "neox",
                **sizes,
            )
        )
    with torch.no_grad():
        for name, parameter in found.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3)
            elif name.endswith("bias"):
                parameter.normal_(0, 0.4)
            else:
                parameter.uniform_(0.3, 1.8)
    found.eval()
    return found


def mlps(model: PreTrainedModel) -> list[dict[str, Any]]:
    """The MLP of each layer, its norm's gain and bias beside it."""
    found: list[dict[str, Any]] = []
    if isinstance(model, GPT2LMHeadModel):
        blocks: Any = model.transformer.h
        for block in blocks:
            first, second, norm = block.mlp.c_fc, block.mlp.c_proj, block.ln_2
            found.append({"into": first.weight, "out": second.weight, "b": first.bias, "c": second.bias, "norm": norm})
    else:
        layers: Any = model.get_submodule("gpt_neox.layers")
        for block in layers:
            first, second = block.mlp.dense_h_to_4h, block.mlp.dense_4h_to_h
            norm = block.post_attention_layernorm
            found.append(
                {"into": first.weight.T, "out": second.weight.T, "b": first.bias, "c": second.bias, "norm": norm}
            )
    return found


def write(root: Path, model: PreTrainedModel, site: str, hooks: tuple[str, str], stated: Stated) -> Path:
    """Every MLP as a SAELens transcoder that reads at `site`, under hook names and with further settings."""
    for layer, mlp in enumerate(mlps(model)):
        into, bias = mlp["into"], mlp["b"]
        if site == "mlp_norm":
            bias = bias + mlp["norm"].bias @ into
            into = mlp["norm"].weight[:, None] * into
        tensors = {"W_enc": into, "b_enc": bias, "W_dec": mlp["out"], "b_dec": mlp["c"]}
        folder = root / f"layer_{layer}"
        folder.mkdir(parents=True)
        save_file(
            {key: t.detach().clone().contiguous() for key, t in tensors.items()}, folder / "sae_weights.safetensors"
        )
        names = {"hook_name": f"blocks.{layer}.{hooks[0]}", "hook_name_out": f"blocks.{layer}.{hooks[1]}"}
        sizes = {"d_in": D, "d_out": D, "d_sae": into.shape[1]}
        settings = {"architecture": "transcoder", **sizes, "metadata": {**names, **stated}}
        (folder / "cfg.json").write_text(json.dumps(settings))
    return root


def load(root: Path, model: PreTrainedModel, **options: Any) -> ReplacementModel:
    return cw.load(model, transcoders=root, tokenizer=tokenizer(), **options)


BEFORE = ("mlp_norm", [
    {"transformer_lens_version": "3.0.0"},
    {"transformer_lens_version": 4.1},
    {"transformer_lens_version": "2.16.1", "model_from_pretrained_kwargs": {"fold_ln": True}},
    {"model_class_name": "TransformerBridge"},
    {"sae_lens_version": "6.54.12", "model_from_pretrained_kwargs": {"fold_ln": True, "center_writing_weights": True}},
])  # fmt: skip
AFTER = ("mlp_input", [
    {"transformer_lens_version": "2.16.1"},
    {"transformer_lens_version": "v1.19.0", "model_from_pretrained_kwargs": {"fold_ln": False}},
    {"sae_lens_training_version": "5.11.0", "model_class_name": "HookedTransformer"},
    {"sae_lens_version": "6.12.1", "sae_lens_training_version": None},
])  # fmt: skip
KINDS = ("gpt2", "neox", "neox-sequential")
STATEMENTS = [(site, stated) for site, listed in (BEFORE, AFTER) for stated in listed]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("site", "stated"), STATEMENTS)
def test_a_normalized_hook_is_read_at_the_site_that_the_file_states(
    tmp_path: Path, kind: str, site: str, stated: Stated
) -> None:
    model = network(kind)
    found = load(write(tmp_path, model, site, (HOOK, "hook_mlp_out"), stated), model)
    assert found.transcoders.input_site == site
    assert found.trace(PROMPT).scores().replacement == pytest.approx(1.0, abs=1e-5)
    assert max(layer.fvu for layer in found.fidelity(PROMPT).layers) < 1e-8


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "stated",
    [
        {},
        {"model_class_name": "HookedTransformer", "model_from_pretrained_kwargs": {"fold_ln": False}},
        {"sae_lens_version": "6.54.12", "sae_lens_training_version": "6.54.12"},
        {"transformer_lens_version": "unknown"},
    ],
)
def test_a_normalized_hook_is_refused_where_nothing_decides(tmp_path: Path, kind: str, stated: Stated) -> None:
    model = network(kind)
    root = write(tmp_path, model, "mlp_input", (HOOK, "hook_mlp_out"), stated)
    with pytest.raises(LoadError) as refusal:
        load(root, model)
    message = str(refusal.value)
    assert "layer_0/cfg.json: hook_name is 'blocks.0.ln2.hook_normalized'" in message
    assert "input_site='mlp_input'" in message
    assert "input_site='mlp_norm'" in message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("site", ["mlp_input", "mlp_norm"])
@pytest.mark.parametrize("output_site", ["mlp_output", "mlp_update"])
def test_the_site_that_was_chosen_is_read_recorded_and_copied(
    tmp_path: Path, kind: str, site: str, output_site: str
) -> None:
    model = network(kind)
    root = write(tmp_path, model, site, (HOOK, "hook_mlp_out"), {})
    found = load(root, model, input_site=site, output_site=output_site)
    graph = found.trace(PROMPT)
    assert graph.scores().replacement == pytest.approx(1.0, abs=1e-5)
    assert (graph.recipe["input_site"], graph.recipe["output_site"]) == (site, output_site)
    provenance: Any = graph.recipe["provenance"]
    assert provenance["transcoders"]["input_site"] == site
    graph.save(tmp_path / "graph.safetensors")
    again = cw.Graph.load(tmp_path / "graph.safetensors")
    assert again.recipe["input_site"] == site
    found.source = ("model", "transcoders")
    code = effect_code(graph, [cw.Ablate(graph.node_ids[0])], "total")
    assert f"input_site='{site}'" in code
    assert f"output_site='{output_site}'" in code


def test_a_site_that_was_not_chosen_is_recorded_where_files_are_and_not_copied(tmp_path: Path) -> None:
    model = network("gpt2")
    root = write(tmp_path, model, "mlp_input", ("mlp.hook_in", "mlp.hook_out"), {})
    graph = load(root, model).trace(PROMPT)
    assert "input_site" not in graph.recipe
    provenance: Any = graph.recipe["provenance"]
    record = provenance["transcoders"]
    assert (record["input_site"], record["output_site"]) == ("mlp_input", "mlp_output")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("site", "hook", "stated"),
    [
        ("mlp_input", "mlp.hook_in", {}),
        ("mlp_input", "mlp.input", {"model_from_pretrained_kwargs": {"fold_ln": True}}),
        ("mlp_norm", "mlp.hook_in", {"model_from_pretrained_kwargs": {"fold_ln": True}}),
    ],
)
def test_the_input_of_an_mlp_whose_norm_is_folded_comes_before_the_gain(
    tmp_path: Path, kind: str, site: str, hook: str, stated: Stated
) -> None:
    model = network(kind)
    found = load(write(tmp_path, model, site, (hook, "mlp.hook_out"), stated), model)
    assert found.transcoders.input_site == site
    assert found.trace(PROMPT).scores().replacement == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("kind", ["gpt2", "neox-sequential"])
def test_a_residual_stream_without_its_mean_is_no_site(tmp_path: Path, kind: str) -> None:
    model = network(kind)
    stated = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}
    root = write(tmp_path, model, "residual_mid", ("hook_resid_mid", "hook_mlp_out"), stated)
    with pytest.raises(
        LoadError, match=r"hook_resid_mid', with center_writing_weights: that residual stream has no mean"
    ):
        load(root, model)


@pytest.mark.parametrize("hook", INPUT_HOOKS)
def test_no_hook_is_open_in_a_model_with_rms_norm(hook: str, tmp_path: Path) -> None:
    assert HookSites().read(f"blocks.2.{hook}", path=tmp_path, key="hook_name") == INPUT_HOOKS[hook]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"input_site": "mlp.hook_in"},
            "input_site is 'mlp.hook_in', expected one of mlp_input, mlp_norm, residual_mid",
        ),
        ({"input_site": 3}, "input_site is 3, expected one of"),
        ({"input_site": ["mlp_input"]}, "input_site is "),
        ({"output_site": "mlp_input"}, "output_site is 'mlp_input', expected one of mlp_output, mlp_update"),
    ],
)
def test_a_site_that_does_not_exist_is_refused_at_the_door(options: dict[str, Any], message: str) -> None:
    with pytest.raises(LoadError) as refusal:
        cw.load("no model at all", transcoders="none", **options)
    assert message in str(refusal.value)


def test_a_site_that_the_model_does_not_have_is_refused(tmp_path: Path) -> None:
    model = network("neox")
    root = write(tmp_path, model, "mlp_input", ("mlp.hook_in", "mlp.hook_out"), {})
    with pytest.raises(LoadError, match="its MLPs run beside attention"):
        load(root, model, input_site="residual_mid")


def test_a_hook_of_a_name_unknown_here_is_read_at_the_chosen_site(tmp_path: Path) -> None:
    model = network("gpt2")
    root = write(tmp_path, model, "mlp_input", ("mlp_in", "mlp_out"), {})
    with pytest.raises(LoadError, match=r"hook_name is 'blocks.0.mlp_in', expected one of .* pass input_site="):
        load(root, model)
    found = load(root, model, input_site="mlp_input", output_site="mlp_output")
    assert found.trace(PROMPT).scores().replacement == pytest.approx(1.0, abs=1e-5)
