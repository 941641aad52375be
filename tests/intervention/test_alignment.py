"""Alignment: which position of one prompt is paired with which position of another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuit_widget.errors import InterventionError, PromptError
from circuit_widget.graph import Graph
from circuit_widget.intervention import SwapIn
from circuit_widget.intervention.alignment import align
from circuit_widget.nodes import Feature
from tests.models import PROMPT_IDS, reference_model, tiny_model

LONGER = "the capital of the France is"


@pytest.fixture(scope="module")
def graph() -> Graph:
    return reference_model().trace("the capital of France is")


def test_prompts_of_the_same_length_are_aligned_one_to_one() -> None:
    assert align([0, 1, 2], [0, 7, 9]) == {0: 0, 1: 1, 2: 2}


def test_a_longer_name_is_aligned_by_what_surrounds_it_and_its_last_token() -> None:
    here, there = [0, 5, 6, 80, 7], [0, 5, 6, 91, 92, 7]
    assert align(here, there) == {0: 0, 1: 1, 2: 2, 3: 4, 4: 5}
    assert align(there, here) == {0: 0, 1: 1, 2: 2, 4: 3, 5: 4}


def test_a_prompt_that_goes_on_is_aligned_from_its_beginning() -> None:
    assert align([0, 5, 6], [0, 5, 6, 7]) == {0: 0, 1: 1, 2: 2}


def test_prompts_without_anything_in_common_are_refused() -> None:
    with pytest.raises(InterventionError, match="have 3 and 4 tokens and share neither their beginning nor their end"):
        align([0, 1, 2], [0, 5, 6, 7])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_an_alignment_keeps_order_and_never_uses_a_position_twice(here: list[int], there: list[int]) -> None:
    try:
        pairs = align(here, there)
    except InterventionError:
        return
    order = sorted(pairs.items())
    assert [there for _, there in order] == sorted({there for _, there in order})
    assert all(0 <= a < len(here) and 0 <= b < len(there) for a, b in order)


def features_at(graph: Graph, position: int, layer: int) -> list[str]:
    places = zip(graph.node_ids, graph.feature_position, graph.feature_layer, strict=False)
    return [node for node, *place in places if place == [position, layer]]


def test_an_alignment_shows_both_prompts_side_by_side(graph: Graph) -> None:
    found = reference_model().align(graph, LONGER)
    assert dict(found.pairs) == {0: 0, 1: 1, 2: 2, 3: 3, 4: 5, 5: 6}
    assert [token.text for token in found.tokens] == ["<bos>", "the", "capital", "of", "France", "is"]
    assert [token.text for token in found.other_tokens] == ["<bos>", "the", "capital", "of", "the", "France", "is"]
    frame = found.to_frame()
    assert list(frame.columns) == ["position", "token", "other_position", "other_token"]
    assert frame.iloc[4].tolist() == [4, "France", 5, "France"]
    shorter = reference_model().align(reference_model().trace(LONGER), "the capital of France is").to_frame()
    assert shorter["other_position"].isna().tolist() == [False] * 4 + [True] + [False] * 2
    assert shorter["other_token"].isna().tolist() == shorter["other_position"].isna().tolist()
    with pytest.raises(TypeError):
        found.pairs[1] = 2  # type: ignore[index]


def test_the_default_is_what_align_finds(graph: Graph) -> None:
    model, nodes = reference_model(), features_at(graph, 4, 1)
    pairs = model.align(graph, LONGER).pairs
    effects = [model.intervene(graph, SwapIn(nodes, LONGER, alignment=given)) for given in (None, pairs)]
    np.testing.assert_array_equal(*(effect.logits_after for effect in effects))
    assert effects[0].injected == effects[1].injected


def test_values_come_from_the_positions_that_are_paired(graph: Graph) -> None:
    model = reference_model()
    nodes = [*features_at(graph, 4, 1), *features_at(graph, 5, 1)]
    effect = model.intervene(graph, SwapIn(nodes, LONGER, alignment=[(4, 2), (5, 2)]))
    after, there = effect.nodes.set_index("id")["after"], model.activations(LONGER).at(1, 2)
    for position in (4, 5):
        expected = {Feature(1, position, feature.feature).id: value for feature, value in there.items()}
        for node in {*features_at(graph, position, 1), *expected}:
            assert after[node] == pytest.approx(expected.get(node, 0.0), abs=1e-6)


def test_errors_and_tokens_are_taken_from_the_positions_that_are_paired() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    token = f"E_{PROMPT_IDS[5]}_5"
    other = [1, 18, 18, 18]
    swapped = model.intervene(graph, SwapIn(token, other, alignment={5: 2}))
    expected = model.intervene(graph, SwapIn(token, [*PROMPT_IDS[:5], 18, PROMPT_IDS[6]]))
    np.testing.assert_allclose(swapped.logits_after, expected.logits_after, atol=1e-5, rtol=0)
    same = model.intervene(graph, SwapIn("1_-1_3", PROMPT_IDS, alignment={3: 3}))
    np.testing.assert_allclose(same.logits_after, same.logits_before, atol=1e-5, rtol=0)
    moved = model.intervene(graph, SwapIn("1_-1_3", PROMPT_IDS, alignment={3: 4}))
    assert float(np.abs(moved.logits_after - moved.logits_before).max()) > 1e-3


@pytest.mark.parametrize(
    ("alignment", "message"),
    [
        (
            {3: 3},
            "Position 4 ('France') has no counterpart in the other prompt. Use a prompt of the same form, give an",
        ),
        ({6: 3}, "The alignment pairs 6 with 3, but this prompt has positions 0 to 5; model.align(graph, prompt)"),
        ({4: 7}, "The alignment pairs 4 with 7, but the other prompt has positions 0 to 6"),
        ({4: 0}, "Position 4 is paired with position 0 of the other prompt, where features and errors are not read"),
    ],
)
def test_an_alignment_that_does_not_fit_the_prompts_is_explained(
    graph: Graph, alignment: dict[int, int], message: str
) -> None:
    with pytest.raises(InterventionError) as refusal:
        reference_model().intervene(graph, SwapIn(features_at(graph, 4, 1), LONGER, alignment=alignment))
    assert message in str(refusal.value)


def test_prompts_that_cannot_be_aligned_or_read_are_refused(graph: Graph) -> None:
    with pytest.raises(PromptError, match="The prompt is empty"):
        reference_model().align(graph, "")
    with pytest.raises(
        InterventionError, match="share neither their beginning nor their end, so their positions cannot be aligned"
    ):
        reference_model().align(graph, "tea tea tea tea tea tea tea")
