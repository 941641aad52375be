"""A model that changes after it was loaded: every run uses its present state, or is refused."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from circuit_widget.errors import CircuitWidgetWarning, LoadError
from circuit_widget.intervention.kinds import Ablate
from circuit_widget.model.fingerprint import Fingerprint
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.nodes import Feature
from circuit_widget.replacement_model import ReplacementModel
from tests.architectures import THOROUGH, network_of
from tests.models import PROMPT_IDS, tiny_model, tiny_network, tiny_transcoders, tokenizer


def weights(model: ReplacementModel) -> np.ndarray:
    return np.asarray(model.trace(PROMPT_IDS, targets=[5]).weights)


def by_assignment(weight: nn.Parameter) -> None:
    with torch.no_grad():
        weight.mul_(1.5)


def through_data(weight: nn.Parameter) -> None:
    weight.data.mul_(1.5)


def other_storage(weight: nn.Parameter) -> None:
    weight.data = weight.data * 1.5


def by_an_optimizer(weight: nn.Parameter) -> None:
    weight.grad = torch.ones_like(weight)
    torch.optim.SGD([weight], lr=0.1).step()


@pytest.mark.parametrize("change", [by_assignment, through_data, other_storage, by_an_optimizer])
@pytest.mark.parametrize(
    "path", ["self_attn.v_proj", "self_attn.o_proj", "input_layernorm", "mlp.down_proj", "self_attn.q_proj"]
)
def test_weights_that_change_are_read_again(change: Callable[[nn.Parameter], None], path: str) -> None:
    model = tiny_model()
    before = weights(model)
    changed = model.model.blocks[1].whole.get_submodule(path)
    change(changed.weight)
    after = weights(model)
    assert after.shape != before.shape or not np.array_equal(after, before)
    fresh = ReplacementModel(LanguageModel(model.model.network, tokenizer(), "tiny"), tiny_transcoders())
    np.testing.assert_array_equal(after, weights(fresh))
    assert model.trace(PROMPT_IDS).verify(20).agrees


@pytest.mark.parametrize("path", ["model.norm", "lm_head"])
def test_feature_cards_use_the_present_weights(path: str) -> None:
    model = tiny_model()
    before = model.feature_card(1, 3)
    changed: Any = model.model.network.get_submodule(path)
    with torch.no_grad():
        changed.weight.mul_(2.0)
    after = model.feature_card(1, 3)
    for (token, logit), (same, twice) in zip(before.promoted, after.promoted, strict=True):
        assert token == same
        assert twice == pytest.approx(2 * logit, rel=1e-4)


def test_an_intervention_after_a_change_uses_the_present_weights() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    with torch.no_grad():
        model.model.network.lm_head.weight.mul_(0.5)
    with pytest.warns(
        CircuitWidgetWarning, match=r"gives '.*' the logit .* when this graph was traced: its weights have"
    ):
        effect = model.intervene(graph, Ablate(Feature(*_first_feature(graph))))
    now = model.trace(PROMPT_IDS, targets=[graph.targets[0].token_id])
    assert float(effect.logits_before[graph.targets[0].token_id]) == pytest.approx(now.targets[0].logit, abs=1e-4)


def test_a_graph_of_the_present_weights_gives_no_warning() -> None:
    model = tiny_model()
    with torch.no_grad():
        model.model.network.lm_head.weight.mul_(0.5)
    graph = model.trace(PROMPT_IDS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.intervene(graph, Ablate(graph.node_ids[0]))


def _first_feature(graph: object) -> tuple[int, int, int]:
    layer, position, feature = (getattr(graph, f"feature_{part}")[0] for part in ("layer", "position", "index"))
    return int(layer), int(position), int(feature)


def test_a_module_that_replaces_another_is_used() -> None:
    model = tiny_model()
    before = weights(model)
    other = tiny_network(seed=9)
    model.model.network.model.layers[1] = other.model.layers[1]
    with pytest.raises(LoadError, match=r"model.layers.1.self_attn has the attention 'sdpa', which shows no patterns"):
        model.trace(PROMPT_IDS)
    other.set_attn_implementation("eager")
    after = weights(model)
    assert after.shape != before.shape or not np.array_equal(after, before)
    assert model.model.blocks[1].whole is other.model.layers[1]


@pytest.mark.parametrize("run", ["trace", "generate", "activations", "estimate", "feature_card", "intervene", "verify"])
def test_a_later_change_of_modules_is_named_by_the_next_run(run: str) -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    runs: dict[str, Callable[[], object]] = {
        "trace": lambda: model.trace(PROMPT_IDS),
        "generate": lambda: model.generate(PROMPT_IDS, max_new_tokens=1),
        "activations": lambda: model.activations(PROMPT_IDS),
        "estimate": lambda: model.estimate(PROMPT_IDS),
        "feature_card": lambda: model.feature_card(0, 0),
        "intervene": lambda: model.intervene(graph, Ablate(graph.node_ids[0])),
        "verify": lambda: graph.verify(3),
    }
    network = model.model.network
    handle = network.model.layers[1].register_forward_hook(lambda _, __, output: output)
    for _ in range(2):
        with pytest.raises(LoadError, match=r"tiny: model.layers.1 has a forward hook on it"):
            runs[run]()
    handle.remove()
    runs[run]()
    network.model.layers[0].self_attn.o_proj = nn.Sequential(network.model.layers[0].self_attn.o_proj)
    with pytest.raises(LoadError, match=r"self_attn.o_proj is a torch.nn.modules.container.Sequential, expected"):
        runs[run]()
    network.model.layers[0].self_attn.o_proj = network.model.layers[0].self_attn.o_proj[0]
    network.train()
    with pytest.raises(LoadError, match=r"put into training mode.*call eval\(\) on it first"):
        runs[run]()
    network.eval()
    runs[run]()


def test_a_hook_on_a_whole_model_gives_a_warning() -> None:
    model = tiny_model()
    before = weights(model)
    seen: list[object] = []
    handle = model.model.network.register_forward_hook(lambda _, __, output: seen.append(output.logits))
    with pytest.warns(CircuitWidgetWarning, match="tiny: LlamaForCausalLM has a forward hook on it"):
        np.testing.assert_array_equal(weights(model), before)
    model.generate(PROMPT_IDS, max_new_tokens=2)
    assert len(seen) == 2
    handle.remove()


def test_a_hook_on_an_mlp_whose_strength_changes_is_run_again_each_time() -> None:
    model = tiny_model()
    before = weights(model)
    strength = {"of": 1.0}
    model.model.blocks[1].mlp.register_forward_hook(lambda _, __, output: strength["of"] * output)
    np.testing.assert_array_equal(weights(model), before)
    strength["of"] = 2.0
    after = weights(model)
    assert after.shape != before.shape or not np.array_equal(after, before)


def test_an_attention_implementation_without_patterns_is_reset() -> None:
    model = tiny_model()
    before = weights(model)
    model.model.network.set_attn_implementation("sdpa")
    model.forget()
    np.testing.assert_array_equal(weights(model), before)


def test_a_change_of_a_few_numbers_is_read_after_forget() -> None:
    model = tiny_model()
    before = weights(model)
    value: Any = model.model.blocks[1].value
    value.weight.data[3, 1] += 1
    model.forget()
    assert not np.array_equal(weights(model), before)


def test_runs_are_kept_while_nothing_changes() -> None:
    model = tiny_model()
    model.trace(PROMPT_IDS)
    revision = model.model.refresh()
    model.trace(PROMPT_IDS).verify(5)
    model.generate(PROMPT_IDS, max_new_tokens=2)
    assert model.model.refresh() == revision


@pytest.mark.parametrize("name", THOROUGH)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_any_change_of_any_tensor_of_any_architecture_is_detected(name: str, dtype: torch.dtype) -> None:
    network = network_of(name, dtype=dtype)
    fingerprint = Fingerprint(network)
    assert not fingerprint.has_other_weights()
    assert not fingerprint.has_other_modules()
    for parameter in network.parameters():
        kept = parameter.data.clone()
        parameter.data.add_(1)
        assert fingerprint.has_other_weights()
        parameter.data.copy_(kept)
        assert not fingerprint.has_other_weights()


def test_tensors_that_cannot_be_counted_or_laid_out_are_compared_all_the_same() -> None:
    with torch.inference_mode():
        network = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))
    network.register_parameter("turned", nn.Parameter(torch.ones(6, 4).T))
    network.register_parameter("spread", nn.Parameter(torch.ones(1).expand(5)))
    network.register_parameter("none", nn.Parameter(torch.ones(0)))
    fingerprint = Fingerprint(network)
    assert not fingerprint.has_other_weights()
    last: Any = network[1]
    with torch.inference_mode():
        last.weight.add_(1)
    assert fingerprint.has_other_weights()
