"""Settings of torch, for the process or the thread, change no result and are restored afterwards."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import pytest
import torch

import circuit_widget as cw
from circuit_widget.errors import LoadError
from circuit_widget.loading import load
from circuit_widget.model.self_check import check_pieces
from circuit_widget.nodes import error_id
from circuit_widget.replacement_model import ReplacementModel
from tests.architectures import THOROUGH, model_of
from tests.model.process_state import network_state, process_state
from tests.models import PROMPT_IDS, REFERENCE, reference_model, tiny_model, tiny_transcoders

MODES = ("total", "frozen_attention", (0, 1), "direct")


@contextmanager
def changed(set_to: Callable[[Any], object], value: Any, before: Any) -> Iterator[None]:
    """A setting of torch that is not a context."""
    set_to(value)
    try:
        yield
    finally:
        set_to(before)


def set_default_device(device: str | None) -> None:
    """Set torch's default device; torch 2.6 cannot load any model once None was set, unless that leaves nothing."""
    torch.set_default_device(device)
    if device is None:
        vars(torch._GLOBAL_DEVICE_CONTEXT).pop("device_context")


SETTINGS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "float64": lambda: changed(torch.set_default_dtype, torch.float64, torch.float32),
    "float16": lambda: changed(torch.set_default_dtype, torch.float16, torch.float32),
    "bfloat16": lambda: changed(torch.set_default_dtype, torch.bfloat16, torch.float32),
    "default-device": lambda: changed(set_default_device, "meta", None),
    "device-context": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "autocast-float16": lambda: torch.autocast("cpu", dtype=torch.float16),
    "no-grad": torch.no_grad,
    "gradients-off": lambda: changed(torch.set_grad_enabled, False, True),
    "inference-mode": torch.inference_mode,
    "deterministic": lambda: changed(torch.use_deterministic_algorithms, True, False),
}
ROUNDED = {
    "high": lambda: changed(torch.set_float32_matmul_precision, "high", "highest"),
    "medium": lambda: changed(torch.set_float32_matmul_precision, "medium", "highest"),
}


def numbers(model: ReplacementModel, *, again: bool = True) -> dict[str, Any]:
    """The numbers of everything that runs the model."""
    if again:
        model.forget()
    graph = model.trace(PROMPT_IDS, progress=False)
    node, other = graph.node_ids[0], graph.node_ids[3]
    ablation = cw.Ablate(node)
    effects = [
        effect for mode in MODES for effect in model.intervene_many(graph, [ablation, cw.Scale(other, 2)], mode=mode)
    ]
    edges = (cw.Ablate(error_id(0, 3)), cw.SwapIn([node], [*PROMPT_IDS[:-1], 7]))
    effects += [model.intervene(graph, one) for one in edges]
    steered = model.generate(PROMPT_IDS, interventions=cw.Add(node, 1.0), new_tokens=True, max_new_tokens=2)
    drawn = model.generate(PROMPT_IDS, max_new_tokens=2, temperature=1.0, seed=3)
    card = model.feature_card(0, 1)
    validation = model.validate(graph, n=2)
    return {
        "edges": graph.weights,
        "activations": np.array(list(model.activations(PROMPT_IDS).values())),
        "limited": model.trace(PROMPT_IDS, max_features=5, progress=False).weights,
        "logits": np.array([effect.logits_after for effect in effects]),
        "predicted": np.array([effect.logits_predicted for effect in effects]),
        "generated": np.array([*steered.unsteered.probabilities, *steered.steered.probabilities, *drawn.probabilities]),
        "controls": np.array([effect.logits_after for effect in model.controls(graph, ablation, n=2).controls]),
        "sweep": np.array([effect.logits_after for effect in model.sweep(graph, node, [0.0, 2.0]).effects]),
        "last layers": np.array([effect.logits_after for effect in model.sweep_last_layer(graph, ablation).effects]),
        "groups": np.array([effect.logits_after for effect in model.sweep_groups(graph, n=2).singles.values()]),
        "faithfulness": validation.faithfulness.only.logits_after,
        "verified": np.array([edge.measured for edge in model.verify(graph, 5).edges]),
        "card": np.array([logit for _, logit in (*card.promoted, *card.suppressed)]),
        "estimate": np.array([model.estimate(PROMPT_IDS).active_features]),
    }


def agree(found: dict[str, Any], expected: dict[str, Any], tolerance: float = 0.0) -> None:
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.fixture(scope="module")
def model() -> ReplacementModel:
    """A tiny model."""
    return tiny_model(skip=True)


@pytest.fixture(scope="module")
def expected(model: ReplacementModel) -> dict[str, Any]:
    """Its numbers where nothing is set."""
    return numbers(model)


@pytest.mark.parametrize("name", SETTINGS)
def test_no_setting_changes_a_number(name: str, model: ReplacementModel, expected: dict[str, Any]) -> None:
    with SETTINGS[name]():
        before = process_state()
        found = numbers(model)
        assert process_state() == before
    agree(found, expected)


@pytest.mark.parametrize("name", ROUNDED)
def test_a_lower_precision_of_products_changes_rounding_only(
    name: str, model: ReplacementModel, expected: dict[str, Any]
) -> None:
    with ROUNDED[name]():
        found = numbers(model)
        assert torch.get_float32_matmul_precision() == name
    # "medium" is bfloat16 where a processor has it: steps of 2^-8, and logits of about 4 go through three layers of products.
    agree(found, expected, 8e-2 if name == "medium" else 2e-2)


def test_another_thread_than_the_one_that_loaded_the_model_gets_the_same(
    model: ReplacementModel, expected: dict[str, Any]
) -> None:
    with ThreadPoolExecutor(1) as pool:
        for name in ("autocast", "default-device", "inference-mode"):
            with SETTINGS[name]():
                agree(pool.submit(numbers, model).result(), expected)


def test_values_cached_under_one_setting_are_right_under_another(
    model: ReplacementModel, expected: dict[str, Any]
) -> None:
    for name in ("float64", "autocast", "device-context", "inference-mode", "no-grad"):
        model.forget()
        with SETTINGS[name]():
            model.trace(PROMPT_IDS)
        agree(numbers(model, again=False), expected)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_model_is_loaded_the_same_under_every_setting(name: str) -> None:
    paths = REFERENCE / "models" / "llama", REFERENCE / "llama-relu" / "transcoders"
    expected = reference_model().trace(PROMPT_IDS, progress=False)
    with SETTINGS[name]():
        before = process_state()
        loaded = load(*paths, device="cpu")
        found = loaded.trace(PROMPT_IDS, progress=False)
        assert process_state() == before
    np.testing.assert_array_equal(found.weights, expected.weights)
    assert {weight.dtype for weight in loaded.model.network.parameters()} == {torch.float32}
    loss = loaded.model.network(input_ids=torch.tensor([PROMPT_IDS]), labels=torch.tensor([PROMPT_IDS])).loss
    loss.backward()
    assert all(weight.grad is not None for weight in loaded.model.network.parameters())


@pytest.mark.parametrize("name", THOROUGH)
def test_no_architecture_depends_on_settings(name: str) -> None:
    language_model = model_of(name)
    subject = ReplacementModel(language_model, tiny_transcoders(language_model.n_layers, language_model.d_model))

    def some_numbers() -> dict[str, Any]:
        subject.forget()
        graph = subject.trace(PROMPT_IDS, progress=False)
        ablation = cw.Ablate(graph.node_ids[0])
        return {
            "edges": graph.weights,
            "effects": np.array([subject.intervene(graph, ablation, mode=mode).logits_after for mode in MODES]),
            "generated": np.array(subject.generate(PROMPT_IDS, max_new_tokens=3).probabilities),
        }

    expected = some_numbers()
    for dtype in ("float64", "float16", "bfloat16"):
        with SETTINGS[dtype](), SETTINGS["autocast"](), SETTINGS["device-context"]():
            before = network_state(language_model.network)
            agree(some_numbers(), expected)
            assert network_state(language_model.network) == before


@pytest.mark.parametrize("name", [name for name in THOROUGH if name != "gpt_oss"])
def test_a_model_in_float64_is_traced_as_in_float32(name: str) -> None:
    graphs, effects, generated = [], [], []
    for dtype in (torch.float32, torch.float64):
        language_model = model_of(name, dtype=dtype)
        check_pieces(language_model)
        subject = ReplacementModel(language_model, tiny_transcoders(language_model.n_layers, language_model.d_model))
        graph = subject.trace(PROMPT_IDS, progress=False)
        assert graph.weights.dtype == np.float32
        for edge in subject.verify(graph, 5).edges:
            assert edge.measured == pytest.approx(edge.weight, rel=1e-3)
        ablation = cw.Ablate(graph.node_ids[0])
        graphs.append(graph)
        effects.append([subject.intervene(graph, ablation, mode=mode).logits_after for mode in MODES])
        generated.append(subject.generate(PROMPT_IDS, interventions=ablation, max_new_tokens=3).steered.probabilities)
    assert graphs[0].node_ids == graphs[1].node_ids
    for pair in ([graph.weights for graph in graphs], effects, generated):
        np.testing.assert_allclose(pair[1], pair[0], rtol=1e-3, atol=1e-4)


class WithoutKernel(torch.nn.Module):
    """An MLP that torch has no operation for in a dtype, as the experts of some models in float64."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Fail as torch does."""
        raise RuntimeError("Expected mat_a to be Float32, BFloat16 or Float16 matrix, got Double\nmore")


def test_a_model_that_torch_cannot_run_in_its_dtype_is_refused() -> None:
    language_model = model_of("llama", dtype=torch.float64)
    down: Any = language_model.blocks[0].mlp.down_proj
    down.forward = WithoutKernel().forward
    generated = (
        r"llama: the model cannot run a short prompt in float64 on cpu \(Expected mat_a .* got Double\); load it in"
    )
    with pytest.raises(LoadError, match=generated):
        check_pieces(language_model)


def test_a_directory_is_loaded_in_float64_on_request() -> None:
    directory, transcoders = REFERENCE / "models" / "llama", REFERENCE / "llama-relu" / "transcoders"
    loaded = load(directory, transcoders, device="cpu", dtype="float64")
    assert loaded.dtype == torch.float64
    found, expected = (one.trace(PROMPT_IDS, progress=False) for one in (loaded, reference_model()))
    np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-3, atol=1e-4)
    card, other = (one.feature_card(0, 1) for one in (loaded, reference_model()))
    assert dict(card.promoted) == pytest.approx(dict(other.promoted), rel=1e-4)
