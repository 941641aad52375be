"""A loaded model: the provenance of its graphs, what it refuses, and that it survives an interruption."""

import dataclasses
import gc
import threading
import weakref
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import circuit_widget as cw
from circuit_widget.errors import CircuitWidgetError, LoadError, NoModelError, OutOfMemory, PromptError
from circuit_widget.replacement_model import ReplacementModel
from tests.models import (
    PROMPT_IDS,
    REFERENCE,
    hooks_of,
    per_layer,
    reference_model,
    tiny_model,
    tiny_network,
    tokenizer,
)

PROMPT = "the capital of France is"


def test_a_recipe_has_everything_that_is_needed_to_trace_again() -> None:
    graph = reference_model().trace(PROMPT, max_features=40)
    recipe: dict[str, Any] = dict(graph.recipe)
    assert (recipe["model"], recipe["device"], recipe["dtype"]) == ("llama", "cpu", "float32")
    assert recipe["prompt_token_ids"] == [token.token_id for token in graph.tokens]
    assert recipe["targets"] == [{"token": target.token_id} for target in graph.targets]
    assert recipe["active_features"] == recipe["left_out_features"] + 40 == len(reference_model().activations(PROMPT))
    assert set(recipe["versions"]) >= {"circuit_widget", "python", "torch", "transformers"}
    age = datetime.now(UTC) - datetime.fromisoformat(recipe["time"])
    assert timedelta(0) <= age + timedelta(seconds=1) < timedelta(minutes=1)
    assert recipe["seconds"] > 0


def test_a_recipe_knows_the_files_of_model_and_transcoders_by_their_hashes() -> None:
    origin: Any = reference_model().trace(PROMPT).recipe["provenance"]
    assert set(origin) == {"model", "transcoders"}
    assert origin["model"]["files"]["model.safetensors"].startswith("sha256:")
    assert any(name.endswith("layer_0.safetensors") for name in origin["transcoders"]["files"])


def test_a_recipe_survives_the_file(tmp_path: Path) -> None:
    graph = reference_model().trace(PROMPT, targets=[cw.Contrast("tea", "stay")])
    assert dict(cw.Graph.load(graph.save(tmp_path / "graph.safetensors")).recipe) == dict(graph.recipe)


def test_an_estimate_agrees_with_the_trace() -> None:
    model = reference_model()
    result, graph = model.estimate(PROMPT), model.trace(PROMPT)
    assert result.features == result.active_features == graph.n_features
    assert result.rows == graph.n_features + len(graph.targets)
    assert result.memory >= graph.weights.nbytes
    assert result.fits
    limited = model.estimate(PROMPT, max_features=40, targets=["tea"], position=3)
    assert (limited.features, limited.rows) == (40, 41)
    assert limited.memory <= result.memory
    generation = model.generate(PROMPT, max_new_tokens=2)
    assert model.estimate(generation, token=1).active_features == len(
        model.activations([token.token_id for token in generation.tokens[:7]])
    )


@pytest.mark.parametrize("number", [1, 4, 9])
def test_a_trace_that_is_interrupted_leaves_the_model_as_it_was(number: int) -> None:
    model = tiny_model()
    expected = tiny_model().trace(PROMPT_IDS).weights
    calls = 0

    def interrupt(*_: object) -> bool:
        nonlocal calls
        calls += 1
        if calls == number:
            raise KeyboardInterrupt
        return False

    def lock_is_free() -> bool:
        free = model.lock.acquire(timeout=5)
        if free:
            model.lock.release()
        return free

    for options in ({"progress": interrupt}, {"cancelled": interrupt}):
        calls = 0
        with pytest.raises(KeyboardInterrupt):
            model.trace(PROMPT_IDS, **options)
        assert hooks_of(model.model.network) == 0
        assert in_another_thread(lock_is_free)
        assert not torch.is_inference_mode_enabled()
        model.forget()
    np.testing.assert_array_equal(model.trace(PROMPT_IDS).weights, expected)


def in_another_thread(work: Callable[[], bool]) -> bool:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def test_a_verification_that_is_interrupted_restores_the_weights() -> None:
    model = tiny_model()
    for weight in model.model.network.parameters():
        weight.data = weight.data.to(torch.bfloat16)
    graph = model.trace(PROMPT_IDS)

    def interrupt(fraction: float, _: str) -> None:
        if fraction > 0.75:
            assert model.dtype == torch.float32
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.verify(graph, progress=interrupt)
    assert {weight.dtype for weight in model.model.network.parameters()} == {torch.bfloat16}


def test_a_prompt_without_an_active_feature_is_refused_and_the_model_goes_on() -> None:
    model = tiny_model()
    layers = tuple(
        dataclasses.replace(layer, encoder_bias=torch.full_like(layer.encoder_bias, -1e3))
        for layer in per_layer(model).layers
    )
    silent = ReplacementModel(model.model, dataclasses.replace(per_layer(model), layers=layers))
    with pytest.raises(PromptError, match=r"No feature is active on this prompt's 7 tokens up to position 6"):
        silent.trace(PROMPT_IDS)
    assert len(silent.activations(PROMPT_IDS)) == 0
    assert silent.estimate(PROMPT_IDS).features == 0
    assert silent.generate(PROMPT_IDS, max_new_tokens=2) == model.generate(PROMPT_IDS, max_new_tokens=2)


@pytest.mark.parametrize("prompt", ["", " \n", [], ()])
@pytest.mark.parametrize("method", ["trace", "estimate", "generate", "activations", "tokenize"])
def test_an_empty_prompt_is_refused_everywhere(method: str, prompt: object) -> None:
    with pytest.raises(PromptError, match=r"The prompt (is empty|' \\n' has no tokens); "):
        getattr(reference_model(), method)(prompt)


@pytest.mark.parametrize("prompt", ["<bos>", [1]])
def test_a_prompt_of_bos_alone_is_refused(prompt: object) -> None:
    with pytest.raises(PromptError, match="has no word after its first token; write at least one"):
        reference_model().trace(prompt)


def test_a_prompt_of_one_word_is_traced() -> None:
    graph = reference_model().trace("tea")
    assert [token.text for token in graph.tokens] == ["<bos>", "tea"]
    assert graph.verify().agrees


def test_a_prompt_as_long_as_the_context_is_traced_and_a_longer_one_refused() -> None:
    model = tiny_model()
    assert len(model.trace([5] * 31).tokens) == 32
    with pytest.raises(PromptError, match=r"The prompt has 33 tokens; the model reads at most 32. Shorten it."):
        model.trace([5] * 32)


@pytest.mark.parametrize("method", ["trace", "generate", "activations"])
def test_weights_that_became_no_numbers_are_refused(method: str) -> None:
    model = tiny_model()
    down: Any = model.model.blocks[1].mlp.down_proj
    with torch.no_grad():
        down.weight[3, 5] = float("nan")
    with pytest.raises(PromptError, match=r"logits for this prompt are not finite; try another dtype, or check"):
        getattr(model, method)(PROMPT_IDS)


def test_a_loaded_model_without_its_tokenizer_is_refused() -> None:
    with pytest.raises(LoadError, match=r"A loaded model was given without its tokenizer; pass tokenizer= as well."):
        cw.load(tiny_network(), transcoders=REFERENCE / "llama-relu/transcoders")


def test_a_loaded_model_with_its_tokenizer_is_accepted() -> None:
    from transformers import LlamaForCausalLM

    network = LlamaForCausalLM.from_pretrained(REFERENCE / "models/llama")
    model = cw.load(network, transcoders=REFERENCE / "llama-relu/transcoders", tokenizer=tokenizer())
    np.testing.assert_allclose(model.trace(PROMPT).weights, reference_model().trace(PROMPT).weights, atol=1e-5)


def test_nothing_is_printed_while_loading_tracing_and_generating(
    capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    model = cw.load("demo")
    graph = model.trace("the capital of the state containing Dallas is")
    model.intervene(graph, cw.Ablate(graph.node_ids[0]))
    model.generate("the capital of the state containing Dallas is", temperature=1.0, seed=1)
    model.trace("the capital of the state containing Dallas is", targets=cw.Contrast("Austin", "Sacramento"))
    graph.verify()
    result = capfd.readouterr()
    assert (result.out, result.err) == ("", "")
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
            "The memory of the device is full.",
        ),
        (MemoryError(), "The memory of this machine is full."),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "The memory of this machine is full."),
    ],
)
def test_a_full_memory_is_reported_in_a_sentence_and_the_model_stays_usable(error: Exception, what: str) -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)

    def full(*_: object) -> None:
        raise error

    runs: dict[str, Callable[[], object]] = {
        "Keep fewer features with max_features": lambda: model.trace([1, 5, 6, 7]),
        "Run fewer experiments": lambda: model.intervene(graph, cw.Ablate(graph.node_ids[0])),
        "Generate fewer tokens": lambda: model.generate(PROMPT_IDS, max_new_tokens=2),
    }
    handle = model.model.blocks[1].mlp.register_forward_hook(full)
    for advice, run in runs.items():
        with pytest.raises(OutOfMemory) as refusal:
            run()
        assert str(refusal.value).startswith(f"{what} {advice}")
        assert (refusal.value.code, refusal.value.__context__) == ("memory", None)
    handle.remove()
    assert hooks_of(model.model.network) == 0
    for run in runs.values():
        run()


def test_another_error_of_torch_is_not_taken_for_a_full_memory() -> None:
    model = tiny_model()

    def broken(*_: object) -> None:
        raise RuntimeError("shapes do not fit")

    model.model.blocks[1].mlp.register_forward_hook(broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        model.trace(PROMPT_IDS)


def test_every_refusal_is_one_of_the_packages_own() -> None:
    assert issubclass(PromptError, CircuitWidgetError)
    assert issubclass(LoadError, CircuitWidgetError)


def test_runs_are_cached_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    from circuit_widget.tracing import run_cache

    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    first = model._run_of(graph, None)
    model.trace([1, 5, 6])
    assert model._run_of(graph, None) is first
    monkeypatch.setattr(run_cache, "CACHED_RUN_BYTES", 1)
    model.trace([1, 5, 7])
    assert model._run_of(graph, None) is not first


def test_a_closed_model_refuses_to_run_with_what_to_do() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    result = model.generate(PROMPT_IDS, max_new_tokens=1)
    network = weakref.ref(model.model.network)
    model.close()
    model.close()
    assert (model.closed, repr(model)) == (True, "ReplacementModel(closed)")
    feature = graph.node_ids[0]
    for run in (
        lambda: model.trace(PROMPT_IDS),
        lambda: model.generate(PROMPT_IDS),
        lambda: model.intervene(graph, cw.Ablate(feature)),
        lambda: model.controls(graph, cw.Ablate(feature)),
        lambda: graph.validate(),
        lambda: graph.verify(),
        lambda: result.trace(0),
        lambda: model.feature_card(0, 0),
        lambda: model.forget(),
    ):
        with pytest.raises(
            NoModelError, match=r"This model was closed, .* Load it again with circuit_widget\.load\(\)"
        ):
            run()
    gc.collect()
    assert network() is None
    assert len(graph.to_frames()[0]) == graph.n_nodes
