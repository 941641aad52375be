"""The estimated cost of a trace, and traces that do not fit into memory."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from circuit_widget.errors import CircuitWidgetWarning, OutOfMemory, PromptError
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.tokens.prompt import Prompt
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.tracing import estimate, run_cache, trace_size
from circuit_widget.tracing.estimate import (
    Estimate,
    edge_operations,
    estimate_size,
    fit_to_memory,
    most_that_fit,
    product_rate,
)
from circuit_widget.tracing.prompt_run import PromptRun, run_prompt
from circuit_widget.tracing.trace_size import size_of, size_of_longer, tensors_of
from circuit_widget.transcoder.activation import JumpReLU
from circuit_widget.transcoder.transcoder_set import TranscoderSet
from tests.cases import case_of
from tests.models import PROMPT_IDS, per_layer, run_of, tiny_model
from tests.work import operations

WORKING = estimate.WORKING_BYTES


@pytest.fixture(scope="module")
def model() -> ReplacementModel:
    return tiny_model()


@pytest.fixture(scope="module")
def run(model: ReplacementModel) -> PromptRun:
    return run_of(model, PROMPT_IDS)


@pytest.fixture
def with_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets how many bytes a trace may use beside its working memory."""

    def give(usable: int) -> None:
        there = int((usable + WORKING) / estimate.USABLE_SHARE) + 1
        monkeypatch.setattr(estimate, "available_memory", lambda: there)

    return give


def edge_bytes(run: PromptRun, n_features: int, n_targets: int) -> int:
    return 4 * (n_features + n_targets) * (n_features + (len(run.nodes) + 1) * len(run.prompt))


def test_all_features_take_the_memory_of_all_their_edges(run: PromptRun) -> None:
    found = estimate_size(size_of(run), 5)
    n_active = len(run.activations)
    assert (found.features, found.active_features, found.rows) == (n_active, n_active, n_active + 5)
    assert found.memory == WORKING + edge_bytes(run, n_active, 5)
    assert found.fits
    assert 0 < found.seconds < 60


def test_a_limit_takes_less(run: PromptRun) -> None:
    few, all_of_them = estimate_size(size_of(run), 5, 10), estimate_size(size_of(run), 5)
    assert (few.features, few.rows) == (10, 15)
    assert few.memory < all_of_them.memory
    assert few.seconds < all_of_them.seconds
    assert estimate_size(size_of(run), 5, 10**9).features == all_of_them.features


def test_most_that_fit_is_the_largest_number_that_fits(run: PromptRun, with_memory: Callable[[int], None]) -> None:
    with_memory(edge_bytes(run, 20, 3) + 50)
    assert most_that_fit(size_of(run), 3) == 20
    assert fit_to_memory(size_of(run), 3, 20).fits
    assert not fit_to_memory(size_of(run), 3, 21).fits
    with_memory(0)
    assert most_that_fit(size_of(run), 3) == 0


def test_a_trace_without_a_limit_keeps_the_features_that_fit_with_a_warning(
    model: ReplacementModel, run: PromptRun, with_memory: Callable[[int], None]
) -> None:
    whole = model.trace(PROMPT_IDS)
    with_memory(edge_bytes(run, 40, len(whole.targets)) + 50)
    message = rf"{whole.n_features} features are active .* the 40 with most influence become nodes.* Pass max_features"
    with pytest.warns(CircuitWidgetWarning, match=message) as warned:
        graph = model.trace(PROMPT_IDS)
    assert Path(warned[0].filename).name == "test_estimate.py"
    assert graph.n_features == 40
    assert graph.left_out == whole.n_features - 40
    assert graph.recipe["active_features"] == whole.n_features
    assert graph.recipe["left_out_for_memory"] > 0  # type: ignore[operator]
    assert f"40 features ({graph.left_out} more are left out)" in repr(graph)
    rows = [*map(whole.index, graph.node_ids[:40]), *range(whole.n_features, len(whole.weights))]
    np.testing.assert_allclose(graph.weights.sum(1), whole.weights[rows].sum(1), atol=1e-5)


def test_there_is_no_warning_when_all_features_are_nodes(model: ReplacementModel) -> None:
    graph = model.trace(PROMPT_IDS)
    assert graph.left_out == 0
    assert "left out" not in repr(graph)
    assert "left_out_for_memory" not in graph.recipe


def test_a_limit_that_does_not_fit_is_refused_with_one_that_does(
    model: ReplacementModel, run: PromptRun, with_memory: Callable[[int], None]
) -> None:
    n_targets = len(model.trace(PROMPT_IDS).targets)
    with_memory(edge_bytes(run, 40, n_targets) + 50)
    with pytest.raises(PromptError, match=r"between 60 features take .* MiB.*available: enough for max_features=40"):
        model.trace(PROMPT_IDS, max_features=60)
    assert model.trace(PROMPT_IDS, max_features=40).n_features == 40
    with_memory(100)
    with pytest.raises(PromptError, match=r"too little for any\. Trace a shorter prompt"):
        model.trace(PROMPT_IDS, max_features=1)


def test_a_prompt_on_which_nothing_is_active_is_refused(model: ReplacementModel) -> None:
    layers = tuple(replace(layer, activation=JumpReLU(torch.full((40,), 1e9))) for layer in per_layer(model).layers)
    silent = ReplacementModel(model.model, replace(per_layer(model), layers=layers))
    with pytest.raises(
        PromptError, match=r"No feature is active on this prompt's 7 tokens up to position 6.*trained on"
    ):
        silent.trace(PROMPT_IDS)


@pytest.mark.parametrize("limit", [0, -3, 2.5, True, "many"])
def test_a_limit_that_is_no_number_is_refused(run: PromptRun, limit: object) -> None:
    message = f"max_features is a whole number from 1 up, or None for as many as memory allows; given {limit!r}."
    with pytest.raises(PromptError, match=re.escape(message)):
        estimate_size(size_of(run), 1, limit)


@pytest.mark.parametrize("limit", [0, "many"])
def test_of_neurons_no_limit_is_the_2000_largest_and_errors_say_so(limit: object) -> None:
    model = case_of("llama", "neurons").model
    message = f"None for the 2,000 neurons with most influence; given {limit!r}."
    for work in (model.trace, model.estimate):
        with pytest.raises(PromptError, match=re.escape(message)):
            work(PROMPT_IDS, max_features=limit)
    with pytest.raises(PromptError, match=r"^step is a whole number from 1 up, or None for steps that grow with"):
        model.trace(PROMPT_IDS, step=limit)


def test_progress_of_a_limited_trace_rises_to_one(model: ReplacementModel) -> None:
    reported: list[float] = []
    model.trace(PROMPT_IDS, max_features=90, progress=lambda done, _: reported.append(done))
    assert reported == sorted(reported)
    assert len(set(reported)) > 6
    assert reported[-1] == 1.0


def test_operations_grow_with_layers_positions_and_targets(model: ReplacementModel, run: PromptRun) -> None:
    of_features, of_targets = edge_operations(size_of(run), 2)
    assert edge_operations(size_of(run), 4) == (of_features, 2 * of_targets)
    longer = edge_operations(size_of(run_of(model, [*PROMPT_IDS, 8, 9, 10])), 2)
    assert longer[0] > of_features
    assert longer[1] > of_targets


def test_an_estimate_can_be_read() -> None:
    some = Estimate(1_000, 369_512, 1_010, 3 << 30, 12 << 30, 130.0, True)
    assert str(some) == (
        "1,000 of 369,512 active features as nodes, about 2 minutes, 3.0 GiB of memory with 12.0 GiB available"
    )
    everything = Estimate(2_000, 2_000, 2_010, 40 << 20, 30 << 20, 0.2, False)
    assert str(everything) == (
        "all 2,000 active features as nodes, about a second, 40 MiB of memory with 30 MiB available: too much"
    )


def test_the_rate_of_the_machine_is_measured_once(run: PromptRun) -> None:
    product_rate.cache_clear()
    first, second = (operations(lambda: estimate_size(size_of(run), 1)).count("mm") for _ in range(2))
    assert first > second == 0


def test_the_operations_of_a_target_are_those_of_its_way_down(run: PromptRun) -> None:
    """Additions and multiplications through attention and with all that is written, counted layer by layer."""
    n_positions = run.position + 1
    multiplications = 0
    for layer, frozen in enumerate(run.frozen.layers):
        d_model, heads, width = frozen.output.shape
        values = frozen.value.shape[0] * frozen.value.shape[1]
        multiplications += n_positions * d_model * (heads * width + values) + n_positions**2 * heads * width
        written = sum(len(run.activations.at(layer, position)) for position in range(n_positions))
        multiplications += d_model * (n_positions + written)
    _, of_targets = edge_operations(size_of(run), 3)
    assert of_targets == pytest.approx(2 * 3 * multiplications, rel=1e-9)


LONG_IDS = [*PROMPT_IDS, *range(8, 21)]


@pytest.fixture
def tokens_run(monkeypatch: pytest.MonkeyPatch) -> tuple[ReplacementModel, list[int]]:
    """A model whose estimates run the first 5 tokens of a prompt of more than 7, and how many tokens each of its runs had."""
    monkeypatch.setattr(estimate, "LONGEST_WHOLE", 7)
    monkeypatch.setattr(trace_size, "BEGINNING", 5)
    seen = list[int]()

    def running(
        model: LanguageModel, transcoders: TranscoderSet, prompt: Prompt, *rest: Any, **named: Any
    ) -> PromptRun:
        seen.append(len(prompt))
        return run_prompt(model, transcoders, prompt, *rest, **named)

    monkeypatch.setattr(run_cache, "run_prompt", running)
    return tiny_model(), seen


def test_an_estimate_of_a_long_prompt_runs_its_beginning_alone(
    tokens_run: tuple[ReplacementModel, list[int]],
) -> None:
    model, seen = tokens_run
    found = model.estimate(LONG_IDS, max_features=30)
    assert seen == [5]
    whole = run_of(model, LONG_IDS)
    assert found.active_features == pytest.approx(len(whole.activations), rel=0.3)
    assert (found.features, found.fits) == (30, True)
    seen.clear()
    model.trace(LONG_IDS)
    assert model.estimate(LONG_IDS).active_features == len(whole.activations)
    assert seen == [len(LONG_IDS)]
    assert model.estimate(LONG_IDS, position=3).active_features == int((whole.activations.position <= 3).sum())


@pytest.mark.parametrize("kind", ["per-layer", "neurons"])
def test_the_memory_of_a_run_is_estimated_from_its_shapes(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_size, "BEGINNING", 5)
    model = tiny_model() if kind == "per-layer" else case_of("llama", "neurons").model
    whole, beginning = run_of(model, LONG_IDS), run_of(model, LONG_IDS[:5])
    size = size_of_longer(model.model, model.transcoders, beginning, len(LONG_IDS), len(LONG_IDS) - 1)
    tensors = {id(one): one for one in tensors_of((whole.captured, whole.nodes))}.values()
    table = sum(getattr(whole.activations, name).nbytes for name in ("layer", "position", "feature", "value"))
    assert size.run_bytes == pytest.approx(sum(one.nbytes for one in tensors) + table, rel=0.15)
    assert size.run_peak > size.run_bytes
    n_twice = 2 * len(LONG_IDS)
    twice = size_of_longer(model.model, model.transcoders, beginning, n_twice, n_twice - 1)
    patterns = sum(layer.pattern.nbytes for layer in whole.captured.layers)
    assert twice.run_bytes - 2 * size.run_bytes == pytest.approx(2 * patterns, rel=0.3)


def test_a_long_prompt_whose_run_does_not_fit_is_too_much(
    tokens_run: tuple[ReplacementModel, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = tokens_run
    size = size_of_longer(model.model, model.transcoders, run_of(model, LONG_IDS[:5]), 20_000, 19_999)
    patterns = model.n_layers * model.model.heads.n * 20_000**2 * 4
    assert size.run_bytes > patterns
    monkeypatch.setattr(estimate, "available_memory", lambda: patterns)
    found = estimate_size(size, 5, 10)
    assert not found.fits
    assert found.memory > patterns
    assert str(found).endswith(": too much")
    assert found.seconds > estimate_size(replace(size, run_operations=0.0), 5, 10).seconds


def test_a_run_whose_attention_patterns_do_not_fit_is_refused_before_it_runs(
    tokens_run: tuple[ReplacementModel, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, seen = tokens_run
    monkeypatch.setattr(trace_size, "free_memory", lambda _: 1000)
    for work in (model.trace, model.estimate, model.activations):
        with pytest.raises(
            OutOfMemory, match=r"A run on \d+ tokens keeps .* of attention patterns, and 0 MiB of memory are"
        ):
            work(LONG_IDS)
    assert seen == []
