"""Which targets a graph explains."""

import numpy as np
import pytest
import torch

from circuit_widget.attribution.targets import Contrast, Direction
from circuit_widget.errors import PromptError
from tests.models import PROMPT_IDS, reference_model, tiny_model

PROMPT = "the capital of France is"


def test_the_default_is_ten_tokens_or_fewer_that_hold_95_percent() -> None:
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


@pytest.mark.parametrize("position", [0, 6, -6, -7])
def test_a_position_that_cannot_be_traced_is_refused(position: int) -> None:
    with pytest.raises(PromptError, match="the prompt has positions 1 to 5, or -1 for the last"):
        reference_model().trace(PROMPT, position=position)
