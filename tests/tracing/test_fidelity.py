"""The unexplained share of MLP outputs: computed by hand, in a table, and the warning where it is nearly 1."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import circuit_widget as cw
from circuit_widget.errors import Cancelled, CircuitWidgetWarning, NoModelError, PromptError
from circuit_widget.model.neuron_set import Neurons
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.tracing.unexplained import Unexplained
from circuit_widget.transcoder.activation import Activation, JumpReLU, ReLU, TopK
from circuit_widget.transcoder.per_layer import PerLayerTranscoder, PerLayerTranscoders
from tests.cases import CASES, case_of
from tests.models import PROMPT_IDS, REFERENCE_CASES, reference_model, run_of, tiny_model, tiny_transcoders

DALLAS = "the capital of the state containing Dallas is"
PROMPTS = [PROMPT_IDS, (1, 3, 9, 88), (1, 100)]


@pytest.fixture(scope="module")
def demo() -> ReplacementModel:
    return cw.load("demo", device="cpu", dtype="float32")


def warnings_of(run: Callable[[], object]) -> list[str]:
    """The texts of the warnings that a call gives."""
    with warnings.catch_warnings(record=True) as messages:
        warnings.simplefilter("always")
        run()
    assert all(issubclass(warning.category, CircuitWidgetWarning) for warning in messages)
    return [str(warning.message) for warning in messages]


def reconstruction(model: ReplacementModel, layer: int, prompt: Any) -> tuple[torch.Tensor, torch.Tensor, float]:
    """The MLP output at the positions used, its error, and the number of active features."""
    run = run_of(model, prompt)
    first = run.prompt.first_position
    transcoders, pieces = model.transcoders, run.captured.layers
    rebuilt = transcoders.decoder_bias(layer).expand(len(prompt), -1)
    skip = transcoders.skip(layer)
    if skip is not None:
        rebuilt = rebuilt + pieces[layer].mlp_input @ skip.T
    for source in range(layer + 1):
        if layer in transcoders.written_layers(source):
            activation = transcoders.encode(source, pieces[source].mlp_input)[1]
            rebuilt = rebuilt + activation @ transcoders.decoder_rows(source, torch.arange(activation.shape[1]), layer)
    activation = transcoders.encode(layer, pieces[layer].mlp_input)[1][first:]
    # Neurons are all active, whatever their activation.
    on = float(activation.numel() if isinstance(transcoders, Neurons) else (activation != 0).sum())
    return pieces[layer].mlp_output[first:], rebuilt[first:], on


@pytest.mark.parametrize(("architecture", "kind"), CASES)
def test_the_table_is_what_it_is_by_hand(architecture: str, kind: str) -> None:
    model = case_of(architecture, kind).model
    prompts = [PROMPT_IDS, (*PROMPT_IDS[::-1], 7, 9)]
    prompts = [(1, *prompt) for prompt in prompts]
    frame = model.fidelity(prompts).to_frame()
    assert list(frame.columns) == ["layer", "fvu", "explained", "active_features", "tokens"]
    for layer in range(model.n_layers):
        parts = [reconstruction(model, layer, prompt) for prompt in prompts]
        outputs = torch.cat([part[0] for part in parts]).double().numpy()
        rebuilt = torch.cat([part[1] for part in parts]).double().numpy()
        fvu = ((outputs - rebuilt) ** 2).sum() / ((outputs - outputs.mean(0)) ** 2).sum()
        row = frame.iloc[layer]
        np.testing.assert_allclose(row["fvu"], fvu, rtol=1e-4, atol=1e-9)
        np.testing.assert_allclose(row["explained"], 1 - fvu, atol=1e-4 * max(1, fvu))
        np.testing.assert_allclose(row["active_features"], sum(part[2] for part in parts) / len(outputs))
        assert (row["layer"], row["tokens"]) == (layer, len(outputs))


def test_sums_of_parts_are_those_of_the_whole() -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = 1000 + torch.randn(50, 8, generator=generator)
    errors, weight = 0.3 * torch.randn(50, 8, generator=generator), torch.rand(50, generator=generator)
    whole = Unexplained.of(outputs, errors, 5.0, weight)
    cuts = [slice(0, 1), slice(1, 30), slice(30, 50)]
    first, second, third = (Unexplained.of(outputs[cut], errors[cut], 1.0, weight[cut]) for cut in cuts)
    found = first + second + third
    exact, w = outputs.double().numpy(), weight.double().numpy()
    mean = np.average(exact, axis=0, weights=w)
    by_hand = (w @ (errors.numpy().astype(float) ** 2).sum(1)) / (w @ ((exact - mean) ** 2).sum(1))
    for one in (whole, found):
        np.testing.assert_allclose(one.fvu, by_hand, rtol=1e-4)
    assert found.active_features == pytest.approx(3 / w.sum(), rel=1e-5)
    equal = Unexplained.of(outputs, errors, 0.0)
    np.testing.assert_allclose(equal.fvu, Unexplained.of(outputs, errors, 0.0, torch.ones(50)).fvu, rtol=1e-5)


def test_one_token_has_no_variance_and_is_judged_by_half_of_its_power() -> None:
    output = torch.tensor([[3.0, 4.0]])
    one = Unexplained.of(output, 0.5 * output, 1.0)
    assert np.isnan(one.fvu)
    assert one.share == pytest.approx(0.5)
    same = Unexplained.of(output.repeat(6, 1), torch.zeros(6, 2), 0.0)
    assert np.isnan(same.fvu)
    assert same.share == 0.0


def test_the_demo_gives_no_warning(demo: ReplacementModel) -> None:
    found = demo.fidelity([DALLAS, "the capital of the state containing Oakland is"])
    assert max(layer.fvu for layer in found.layers) < 0.05
    lines = repr(found).splitlines()
    assert lines[0] == "Fraction of variance unexplained (FVU) on 16 tokens, and active features a token:"
    assert len(lines) == 1 + demo.n_layers
    for prompt in (DALLAS, "the", "the the the the the", "Dallas"):
        fresh = ReplacementModel(demo.model, demo.transcoders)
        assert warnings_of(lambda fresh=fresh, prompt=prompt: fresh.activations(prompt)) == []  # type: ignore[misc]


def altered(model: ReplacementModel, change: Callable[[PerLayerTranscoder], dict[str, Any]]) -> ReplacementModel:
    """The same model with parts of each layer's transcoder changed."""
    transcoders: Any = model.transcoders
    layers = tuple(replace(layer, **change(layer)) for layer in transcoders.layers)
    return ReplacementModel(model.model, replace(transcoders, layers=layers))


def logarithms(layer: PerLayerTranscoder) -> dict[str, Activation]:
    assert isinstance(layer.activation, JumpReLU)
    return {"activation": JumpReLU(layer.activation.threshold.log())}


def folded_twice(layer: PerLayerTranscoder) -> dict[str, torch.Tensor]:
    """The decoder norms multiply activations once more; those of the demo are 1, here they are made 3 first."""
    return {"decoder": 3 * layer.decoder.float()}


def turned(layer: PerLayerTranscoder) -> dict[str, torch.Tensor | Activation]:
    """Matrices of as many features as dimensions, transposed."""
    width = layer.d_model
    assert isinstance(layer.activation, JumpReLU)
    return {
        "encoder": layer.encoder[:width].float().T.contiguous(),
        "encoder_bias": layer.encoder_bias[:width],
        "decoder": layer.decoder[:width].float().T.contiguous(),
        "activation": JumpReLU(layer.activation.threshold[:width]),
    }


WRONG: dict[str, Callable[[ReplacementModel], ReplacementModel]] = {
    "logarithms as thresholds": lambda model: altered(model, logarithms),
    "jump relu as relu": lambda model: altered(model, lambda layer: {"activation": ReLU()}),
    "top-k for jump relu": lambda model: altered(model, lambda layer: {"activation": TopK(64)}),
    "decoder norms folded twice": lambda model: altered(model, folded_twice),
    "transposed": lambda model: altered(model, turned),
    "layers in another order": lambda model: ReplacementModel(
        model.model, PerLayerTranscoders("rolled", _layers(model)[1:] + _layers(model)[:1], "mlp_input", "mlp_output")
    ),
    "read before the norm": lambda model: ReplacementModel(model.model, _at(model, "residual_mid")),
    "read before the gain": lambda model: ReplacementModel(model.model, _at(model, "mlp_norm")),
    "of another model": lambda model: ReplacementModel(
        model.model, tiny_transcoders(model.n_layers, model.model.d_model)
    ),
}


def _layers(model: ReplacementModel) -> tuple[PerLayerTranscoder, ...]:
    transcoders: Any = model.transcoders
    return tuple(transcoders.layers)


def _at(model: ReplacementModel, site: str) -> PerLayerTranscoders:
    transcoders: Any = model.transcoders
    changed: PerLayerTranscoders = replace(transcoders, input_site=site)
    return changed


@pytest.mark.parametrize("wrong", WRONG)
def test_transcoders_that_explain_nothing_give_one_warning(demo: ReplacementModel, wrong: str) -> None:
    model = WRONG[wrong](demo)
    messages = warnings_of(lambda: model.activations(DALLAS))
    assert len(messages) == 1
    assert "On the 8 tokens run so far they leave " in messages[0]
    for cause in (
        "another model",
        "instruct",
        "input_site=",
        "activation function",
        "logarithms",
        "model.fidelity(texts)",
    ):
        assert cause in messages[0]
    assert warnings_of(lambda: model.activations("the capital of the state containing Oakland is")) == []
    assert warnings_of(lambda: model.trace(DALLAS)) == []


@pytest.mark.parametrize("case", ["gpt2-jumprelu", "llama-relu", "gemma2-skip"])
def test_decoders_fitted_to_the_mlps_give_no_warning(case: str) -> None:
    for prompt in PROMPTS:
        model = ReplacementModel(reference_model(case).model, reference_model(case).transcoders)
        assert warnings_of(lambda model=model, prompt=prompt: model.activations(prompt)) == []  # type: ignore[misc]


@pytest.mark.parametrize("case", ["gpt2-jumprelu", "llama-relu"])
@pytest.mark.parametrize("other", [case for case in REFERENCE_CASES if case.endswith(("topk", "relu"))])
def test_transcoders_fitted_to_another_model_warn(case: str, other: str) -> None:
    if case != other:
        model = ReplacementModel(reference_model(other).model, reference_model(case).transcoders)
        assert len(warnings_of(lambda: model.activations(PROMPT_IDS))) == 1


def test_few_tokens_wait_for_more_and_a_prompt_counts_once() -> None:
    model = tiny_model()
    assert warnings_of(lambda: model.activations((1, 17))) == []
    assert warnings_of(lambda: [model.activations((1, 17)) for _ in range(5)]) == []
    assert "On the 5 tokens run so far" in warnings_of(lambda: model.activations((1, 5, 9, 8, 3)))[0]


@pytest.mark.parametrize("run", ["trace", "estimate", "activations", "generate"])
def test_the_warning_comes_with_whatever_runs_the_model_first(run: str) -> None:
    model = tiny_model()
    given = {"interventions": cw.Set(cw.Feature(0, 2, 3), 1.0)} if run == "generate" else {}
    assert len(warnings_of(lambda: getattr(model, run)(PROMPT_IDS, **given))) == 1


def test_measuring_fidelity_gives_no_warning_and_changes_no_run() -> None:
    model = tiny_model()
    assert warnings_of(lambda: model.fidelity(PROMPT_IDS)) == []
    before = warnings_of(lambda: model.trace(PROMPT_IDS))
    assert len(before) == 1


@pytest.mark.parametrize(
    "one",
    [DALLAS, list(range(5, 12)), np.arange(5, 12), torch.arange(5, 12), "tokens", "generation"],
    ids=["text", "ids", "array", "tensor", "tokens", "generation"],
)
def test_every_kind_of_prompt_is_one_text_or_an_entry_of_a_list(demo: ReplacementModel, one: Any) -> None:
    if isinstance(one, str) and one == "tokens":
        one = demo.tokenize(DALLAS)
    if isinstance(one, str) and one == "generation":
        one = demo.generate(DALLAS, max_new_tokens=3)
    alone, listed = demo.fidelity(one), demo.fidelity([one])
    assert alone == listed
    assert demo.fidelity(prompt for prompt in [one, DALLAS]).n_tokens == alone.n_tokens + 8


@pytest.mark.parametrize(
    ("texts", "messages"),
    [
        ([], "texts is empty"),
        (3, "texts is 3, expected one text, or a list of prompts"),
        (None, "texts is None"),
        ("", "The prompt is empty"),
        ([DALLAS, ""], r"texts\[1\]: The prompt is empty"),
        ([DALLAS, [1, 10**9]], r"texts\[1\]: "),
        ([DALLAS, "xyzzy"], r"texts\[1\]: The model does not know the word 'xyzzy'"),
        ([[1, 2], None], r"texts\[1\]: "),
    ],
)
def test_texts_that_cannot_be_used_are_refused(demo: ReplacementModel, texts: Any, messages: str) -> None:
    with pytest.raises(PromptError, match=messages):
        demo.fidelity(texts)


def test_progress_is_reported_and_a_run_can_be_cancelled(demo: ReplacementModel) -> None:
    reported: list[tuple[float, str]] = []
    demo.fidelity([DALLAS] * 4, progress=lambda done, text: reported.append((done, text)))
    assert [done for done, _ in reported] == [0.25, 0.5, 0.75]
    assert {text for _, text in reported} == {"Measuring fidelity"}
    with pytest.raises(Cancelled):
        demo.fidelity(DALLAS, cancelled=lambda: True)
    assert demo.fidelity(DALLAS, progress=False).n_tokens == 8


def test_a_closed_model_refuses() -> None:
    model = tiny_model()
    model.close()
    with pytest.raises(NoModelError):
        model.fidelity(PROMPT_IDS)
