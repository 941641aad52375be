"""The numbers by which other tools' files name a feature."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuit_widget.feature_ids import DECIMAL, PAIRED, FeatureIds


@pytest.mark.parametrize(
    ("ids", "number", "place"),
    [(PAIRED, 1670217704, (1, 57794)), (PAIRED, 0, (0, 0)), (PAIRED, 1, (1, 0)), (DECIMAL, 2305458, (23, 5458))],
)
def test_a_published_number_is_that_of_its_feature(ids: FeatureIds, number: int, place: tuple[int, int]) -> None:
    assert ids.split(number) == place
    assert ids.join(*place) == number


def test_pairs_count_along_the_diagonals() -> None:
    diagonals = [(total - feature, feature) for total in range(40) for feature in range(total + 1)]
    assert [PAIRED.split(number) for number in range(len(diagonals))] == diagonals


@given(st.integers(0, 4096), st.integers(0, 2**31))
def test_a_pair_of_any_size_comes_back(layer: int, feature: int) -> None:
    assert PAIRED.split(PAIRED.join(layer, feature)) == (layer, feature)


@given(st.integers(0, 4096), st.integers(0, 99_999))
def test_digits_come_back(layer: int, feature: int) -> None:
    assert DECIMAL.split(DECIMAL.join(layer, feature)) == (layer, feature)
