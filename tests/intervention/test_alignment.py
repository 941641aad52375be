"""Which position of one prompt stands for which of another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuit_widget.errors import InterventionError
from circuit_widget.intervention.alignment import align


def test_prompts_of_the_same_length_are_aligned_one_to_one() -> None:
    assert align([0, 1, 2], [0, 7, 9]) == {0: 0, 1: 1, 2: 2}


def test_a_longer_name_is_aligned_by_what_surrounds_it_and_its_last_token() -> None:
    here, there = [0, 5, 6, 80, 7], [0, 5, 6, 91, 92, 7]
    assert align(here, there) == {0: 0, 1: 1, 2: 2, 3: 4, 4: 5}
    assert align(there, here) == {0: 0, 1: 1, 2: 2, 4: 3, 5: 4}


def test_a_prompt_that_goes_on_is_aligned_from_its_beginning() -> None:
    assert align([0, 5, 6], [0, 5, 6, 7]) == {0: 0, 1: 1, 2: 2}


def test_prompts_without_anything_in_common_are_refused() -> None:
    with pytest.raises(InterventionError, match="have 3 and 4 tokens and neither begin nor end alike"):
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
