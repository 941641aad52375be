"""Stability over paraphrases: a feature counts where it is, with the influence it has there; a failing prompt is named."""

from dataclasses import replace

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.comparison.prompt_stability import PromptStability
from circuit_widget.errors import Cancelled, CircuitError, PromptError
from tests.comparison.test_compare import made

ONE = made([0, 5, 6], {(1, 3): 2.0, (2, 3): 1.0, (2, 4): 1.0})
TWO = made([0, 6, 7, 5], {(3, 3): 4.0, (3, 8): 4.0})
PROMPTS = ["the capital of the state containing Dallas is", "the capital of the state that contains Dallas is"]


def test_features_are_matched_wherever_they_are_with_their_summed_influence() -> None:
    found = PromptStability(("one", "two"), (ONE, TWO), 1.0, 1.0)
    nodes = found.nodes[found.nodes["kind"] == "feature"].set_index("id")
    assert dict(zip(nodes.index, nodes["prompts"], strict=True)) == {"0_3": 2, "0_4": 1, "0_8": 1}
    assert dict(zip(nodes.index, nodes["stability"], strict=True)) == {"0_3": 1.0, "0_4": 0.5, "0_8": 0.5}
    own = float(ONE.influence[ONE.index("0_3_1")] + ONE.influence[ONE.index("0_3_2")]) / ONE.influence[:3].sum()
    other = float(TWO.influence[TWO.index("0_3_3")]) / TWO.influence[:2].sum()
    assert list(nodes[["influence_share_1", "influence_share_2"]].to_dict("index")["0_3"].values()) == pytest.approx(
        [own, other]
    )
    assert (own, other) == pytest.approx((0.75, 0.5))
    assert nodes.loc["0_3", "influence_share"] == pytest.approx((own + other) / 2)
    assert nodes.loc["0_8", "influence_share_1"] == 0.0
    edges = found.edges.set_index(["source", "target"])
    numbers = edges[["prompts", "weight_1", "weight_2", "weight"]].to_dict("index")
    assert list(numbers["0_3", "2_9"].values()) == [2, 3.0, 4.0, 3.5]
    assert list(numbers["0_8", "2_9"].values()) == [1, 0.0, 4.0, 2.0]
    places = found.occurrences[found.occurrences["id"] == "0_3"]
    assert list(zip(places["prompt"], places["node"], strict=True)) == [(1, "0_3_1"), (1, "0_3_2"), (2, "0_3_3")]


def test_a_feature_that_pruning_drops_is_not_there_and_keeps_its_influence() -> None:
    weak = made([0, 6, 7, 5], {(3, 3): 0.01, (3, 8): 4.0})
    found = PromptStability(("one", "two"), (ONE, weak), 0.8, 0.98)
    row = found.nodes.set_index("id").loc["0_3"]
    assert row["prompts"] == 1
    assert row["influence_share_2"] == pytest.approx(0.01 / 4.01, rel=1e-4)
    kept = found.occurrences.set_index(["prompt", "node"])["kept"]
    assert kept[1, "0_3_1"]
    assert not kept[2, "0_3_3"]


def test_an_unlikely_target_leaves_influence_shares_as_they_are() -> None:
    unlikely = replace(TWO, targets=(replace(TWO.targets[0], probability=1e-6),), influence=TWO.influence * 2e-6)
    found, expected = (PromptStability(("one", "two"), (ONE, two), 1.0, 1.0).nodes for two in (unlikely, TWO))
    np.testing.assert_allclose(found["influence_share"], expected["influence_share"], rtol=1e-5)


def test_in_words() -> None:
    found = PromptStability(("one", "two"), (ONE, TWO), 1.0, 1.0)
    assert str(found) == (
        "Of 3 features that are kept for at least one of 2 prompts, 1 is kept for all, with 50% to 75% of the influence of all "
        "features. The first target of all is '<9>'."
    )
    other = made([0, 5], {(1, 3): 1.0}, targets=(8,))
    assert (
        "The first targets differ ('<9>', '<8>'), so the graphs explain different things; give targets to explain the same."
        in str(PromptStability(("one", "two"), (ONE, other), 1.0, 1.0))
    )


def test_each_prompt_is_traced_with_the_same_settings() -> None:
    model = cw.load("demo")
    seen: list[float] = []
    found = model.stability(PROMPTS, targets=["Austin"], max_features=40, progress=lambda done, _: seen.append(done))
    for prompt, graph in zip(PROMPTS, found.graphs, strict=True):
        expected = model.trace(prompt, targets=["Austin"], max_features=40, progress=False)
        assert graph.node_ids == expected.node_ids
        np.testing.assert_array_equal(graph.weights, expected.weights)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert found.nodes["prompts"].max() == 2


@pytest.mark.parametrize(
    ("prompts", "says"),
    [
        ([PROMPTS[0]], "at least two that mean the same; given 1"),
        ([PROMPTS[0], PROMPTS[1], PROMPTS[0]], "Prompts 1 and 3 have the same tokens"),
        ([PROMPTS[0], "the capital of Narnia is"], "Prompt 2, 'the capital of Narnia is': .*Narnia"),
        ([PROMPTS[0], ""], "Prompt 2, '': The prompt is empty"),
        (PROMPTS[0], "The prompts are a list"),
    ],
)
def test_a_prompt_that_fails_is_named(prompts: list[str], says: str) -> None:
    with pytest.raises(PromptError, match=says):
        cw.load("demo").stability(prompts)


def test_what_fails_in_one_trace_names_its_prompt() -> None:
    with pytest.raises(PromptError, match="Prompt 2, 'the capital is': "):
        cw.load("demo").stability([PROMPTS[0], "the capital is"], position=6, progress=False)
    with pytest.raises(CircuitError, match="The node threshold is a share"):
        cw.load("demo").stability(PROMPTS, node_threshold=2)


def test_it_can_be_cancelled() -> None:
    with pytest.raises(Cancelled):
        cw.load("demo").stability(PROMPTS, cancelled=lambda: True, progress=False)
