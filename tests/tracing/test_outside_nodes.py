"""What no node of a graph has a share in, and which part of it: the words of a verification."""

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from circuit_widget import load
from circuit_widget.graph.verification import TargetSum, Verification
from circuit_widget.replacement_model import ReplacementModel
from tests.architectures import network_of
from tests.models import PROMPT_IDS, run_of, tokenizer


def without_biases(name: str) -> PreTrainedModel:
    network = network_of(name)
    with torch.no_grad():
        for parameter, weight in network.named_parameters():
            if parameter.endswith("bias"):
                weight.zero_()
    return network


def loaded(network: PreTrainedModel) -> ReplacementModel:
    return load(network, "neurons", tokenizer=tokenizer(), device="cpu")


def checked(model: ReplacementModel) -> Verification:
    return model.verify(model.trace(PROMPT_IDS, max_features=20), 5)


@pytest.mark.parametrize(
    ("name", "biased", "named", "absent"),
    [
        ("gpt2", True, ("position embeddings (", "MLPs at tokens whose features do not count (", "biases ("), ()),
        ("gpt2", False, ("position embeddings (", "MLPs at tokens whose features do not count ("), ("biases",)),
        ("gpt_neox", True, ("MLPs at tokens whose features do not count (", "biases ("), ("position",)),
        ("llama", False, ("MLPs at tokens whose features do not count (",), ("position", "biases")),
    ],
)
def test_only_what_the_model_has_is_named_with_its_share(
    name: str, biased: bool, named: tuple[str, ...], absent: tuple[str, ...]
) -> None:
    found = checked(loaded(network_of(name) if biased else without_biases(name)))
    last = repr(found).splitlines()[-1]
    assert all(words in last for words in named), last
    assert not any(words in last for words in (*absent, "rounding")), last
    for one in found.target_sums:
        assert (one.biases is None) == (not biased)
        parts = (one.position_embeddings or 0.0) + one.uncounted + (one.biases or 0.0)
        assert parts == pytest.approx(one.rest, abs=1e-5 * max(1.0, abs(one.value)))


def test_the_share_of_position_embeddings_is_what_they_write_into_the_frozen_model() -> None:
    model = loaded(without_biases("gpt2"))
    graph, run = model.trace(PROMPT_IDS, max_features=20, targets=[4, 7]), run_of(model, PROMPT_IDS)
    table = model.model.positions.weight.detach()[: len(PROMPT_IDS)]  # type: ignore[union-attr, operator]
    final = run.frozen.propagate(lambda _, x: torch.zeros_like(x), 0, table)
    rows = model.model.unembedding.weight.detach()
    expected = (rows[[4, 7]] - rows.mean(0)) @ final
    shares = [one.position_embeddings for one in graph.verify(1).target_sums]
    np.testing.assert_allclose(shares, expected, atol=1e-5)


def test_a_rest_that_no_part_explains_is_called_rounding() -> None:
    one = TargetSum("a", 10.0, 4.0, 3.0, 2.5, position_embeddings=0.3)
    assert one.rounding == pytest.approx(0.2)
