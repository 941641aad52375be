"""Which targets a graph explains."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import circuit_widget as cw
from circuit_widget.attribution.targets import (
    Contrast,
    Direction,
    TargetSource,
    choose_targets,
    target_from_json,
    target_to_json,
)
from circuit_widget.errors import PromptError
from circuit_widget.tracing.target_readout import target_source_of
from tests.models import PROMPT_IDS, reference_model, run_of, tiny_model

PROMPT = "the capital of France is"


def test_the_default_is_ten_tokens_or_fewer_that_have_95_percent() -> None:
    graph = reference_model().trace(PROMPT)
    probabilities = [target.probability for target in graph.targets]
    assert len(probabilities) == 10
    assert probabilities == sorted(probabilities, reverse=True)
    sharp = tiny_model()
    with torch.no_grad():
        sharp.model.unembedding.weight.mul_(20)
    few = sharp.trace(PROMPT_IDS).target_weight
    assert len(few) < 10
    assert few.sum() >= 0.95 > few[:-1].sum()


def test_a_target_can_be_a_text_or_an_id() -> None:
    graph = reference_model().trace(PROMPT, targets=["stay", 188])
    assert [(target.token, target.token_id) for target in graph.targets] == [("stay", 142), ("tea", 188)]


def test_a_contrast_weighs_one_and_a_token_its_probability() -> None:
    graph = reference_model().trace(
        PROMPT, targets=["tea", cw.Contrast("tea", "stay"), cw.Direction("mine", [1.0] * 64)]
    )
    assert graph.targets[0].probability == pytest.approx(0.155, abs=1e-3)
    assert [target.probability for target in graph.targets[1:]] == [1.0, 1.0]
    assert [target.token for target in graph.targets[1:]] == ["tea − stay", "mine"]
    assert all(target.token_id >= 206 for target in graph.targets[1:])


@pytest.mark.parametrize(
    ("token", "other", "name"),
    [
        ("tea", "stay", "tea − stay"),
        (" Paris", " London", " Paris − London"),
        (" Paris", "Paris", "“ Paris” − “Paris”"),
        ("Paris", " London", "“Paris” − “ London”"),
        (" ", " London", "“ ” − “ London”"),
        ("tea", "", "“tea” − “”"),
    ],
)
def test_the_name_of_a_contrast_has_one_space_and_tells_spellings_apart(token: str, other: str, name: str) -> None:
    texts = {0: token, 1: other}
    source = replace(
        target_source_of(reference_model().model, run_of(reference_model(), PROMPT_IDS)), token_text=texts.__getitem__
    )
    (found,) = choose_targets(source, Contrast(0, 1))
    assert found.name == name


def test_a_contrast_the_other_way_round_has_the_opposite_edges() -> None:
    model = reference_model()
    one, other = (model.trace(PROMPT, targets=Contrast(*pair)) for pair in (("tea", 142), (142, "tea")))
    np.testing.assert_allclose(one.weights[-1], -other.weights[-1], atol=1e-6)
    single = model.trace(PROMPT, targets=["tea", 142]).weights
    np.testing.assert_allclose(one.weights[-1], single[-2] - single[-1], atol=1e-5)


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, 7])
def test_a_direction_needs_a_name(name: object) -> None:
    with pytest.raises(PromptError, match="The name of a direction is a text of 1 to 80 characters"):
        Direction(name, [1.0])


def test_a_text_means_the_likelier_of_the_tokens_with_this_text() -> None:
    logits = torch.tensor([0.0, 1.0, 3.0])
    reading = TargetSource(
        logits=logits,
        normed=torch.ones(2),
        unembedding_row=lambda token: torch.eye(3, 2)[token],
        unembedding_bias=lambda _: 0.0,
        mean_unembedding=torch.zeros(2),
        token_text=str,
        find_tokens=lambda text: (0, 2, 1),
    )
    assert [target.token_id for target in choose_targets(reading, "tea")] == [2]


def test_directions_of_tokens_are_float32_and_need_no_gradient() -> None:
    low = torch.nn.Parameter(torch.randn(7, 4).to(torch.bfloat16))
    reading = TargetSource(
        logits=torch.randn(7, dtype=torch.float64),
        normed=torch.randn(4),
        unembedding_row=lambda token: low[token].detach().float(),
        unembedding_bias=lambda _: 0.0,
        mean_unembedding=low.detach().float().mean(0),
        token_text=str,
        find_tokens=lambda text: (1,),
    )
    for target in choose_targets(reading, [3, Contrast(1, 2), Direction("d", np.ones(4))]):
        assert target.direction.dtype == torch.float32
        assert not target.direction.requires_grad
    expected = (low[1].float() - low[2].float()).detach()
    torch.testing.assert_close(choose_targets(reading, Contrast(1, 2))[0].direction, expected)


def test_the_sampled_token_is_a_target_even_if_it_is_unlikely() -> None:
    reading = TargetSource(
        logits=torch.tensor([9.0, 0.0, -3.0]),
        normed=torch.ones(2),
        unembedding_row=lambda token: torch.eye(3, 2)[token],
        unembedding_bias=lambda _: 0.0,
        mean_unembedding=torch.zeros(2),
        token_text=str,
        find_tokens=lambda text: (1,),
    )
    assert [target.token_id for target in choose_targets(reading, None, sampled=2)] == [0, 2]
    assert [target.token_id for target in choose_targets(reading, None, sampled=0)] == [0]
    assert [target.token_id for target in choose_targets(reading, 1, sampled=2)] == [1]


def test_targets_are_recorded_by_ids_and_read_back() -> None:
    graph = reference_model().trace(PROMPT, targets=["tea", Contrast("tea", "stay"), Direction("mine", [0.5] * 64)])
    written = graph.recipe["targets"]
    assert written == [{"token": 188}, {"contrast": [188, 142]}, {"direction": "mine", "vector": [0.5] * 64}]
    again = reference_model().trace(PROMPT, targets=[target_from_json(entry) for entry in written])
    np.testing.assert_array_equal(graph.weights, again.weights)
    assert [target_to_json(target_from_json(entry)) for entry in written] == written
    with pytest.raises(PromptError, match="A target in JSON is a token, a contrast or a direction"):
        target_from_json({"tea": 1})


def test_a_direction_is_read_after_the_final_norm() -> None:
    model = reference_model()
    weight = model.model.unembedding.weight.detach()
    same = model.trace(PROMPT, targets=Direction("tea, not stay", (weight[188] - weight[142]).tolist()))
    contrast = model.trace(PROMPT, targets=[Contrast("tea", "stay")])
    np.testing.assert_array_equal(same.weights, contrast.weights)
    assert (same.targets[0].token, contrast.targets[0].token) == ("tea, not stay", "tea − stay")
    logits = {target.token: target.logit for target in model.trace(PROMPT).targets}
    assert contrast.targets[0].logit == pytest.approx(logits["tea"] - logits["stay"], abs=1e-5)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["Americca"], "'Americca' is not one token of this model. Nearest known: America"),
        ([206], "The target 206 is not a token id; expected a text or 0 to 205."),
        ([True], "The target True is not a token id"),
        ([], "The list of targets is empty"),
        (["tea", 188], "The target 'tea' is named twice"),
        ([Direction("short", [1.0])], "The direction 'short' has shape (1,); expected 64 finite numbers"),
        ([Direction("nan", [float("nan")] * 64)], "expected 64 finite numbers"),
        ([Direction("nothing", [0.0] * 64)], "The direction 'nothing' is all zeros"),
        ([Direction("words", ["a"] * 64)], "The direction 'words' is not a list of numbers"),  # type: ignore[list-item]
        ([Contrast("tea", 188)], "The contrast 'tea − tea' is of a token with itself"),
        ([Contrast("tea", "teaa")], "'teaa' is not one token of this model. Nearest known: tea"),
        ([Contrast("tea", "stay"), Contrast("tea", "stay")], "The target 'tea − stay' is named twice"),
        (7.5, "Targets are a list of texts, token ids, Contrasts and Directions; given 7.5."),
        ({"tea": 1}, "Targets are a list of texts, token ids, Contrasts and Directions"),
    ],
)
def test_a_target_that_does_not_exist_is_refused(targets: list[object], message: str) -> None:
    with pytest.raises(PromptError) as refusal:
        reference_model().trace(PROMPT, targets=targets)
    assert message in str(refusal.value)


@pytest.mark.parametrize("limit", [0, -3, 2.5, True])
def test_a_limit_that_is_no_number_of_features_is_refused(limit: object) -> None:
    with pytest.raises(PromptError, match="max_features is a whole number from 1 up"):
        reference_model().trace(PROMPT, max_features=limit)


@pytest.mark.parametrize("position", [0, 6, -6, -7, 2.0, "is", True, None])
def test_a_position_that_cannot_be_traced_is_refused(position: int) -> None:
    with pytest.raises(PromptError, match="the prompt has positions 1 to 5, or -1 for the last"):
        reference_model().trace(PROMPT, position=position)
