"""Greedy choice of features: the reference's choices, no edge lost, no row too many, within the memory given."""

import numpy as np
import pytest

from circuit_widget.attribution import selection
from circuit_widget.attribution.influence import flow
from circuit_widget.attribution.selection import Columns, Selection, select_features
from tests.models import REFERENCE, REFERENCE_CASES

every_prompt = pytest.mark.parametrize("prompt", ["p0", "p1"])
every_case = pytest.mark.parametrize("case", REFERENCE_CASES)


class Whole:
    """All edges of one prompt, and a record of the requested rows."""

    def __init__(self, weights: np.ndarray, columns: Columns, target_weight: np.ndarray) -> None:
        self.weights = weights
        self.columns = columns
        self.target_weight = target_weight
        self.n_features = len(columns.feature_layer)
        self.requested: list[np.ndarray] = []

    @classmethod
    def of_reference(cls, case: str, prompt: str) -> "Whole":
        found = np.load(REFERENCE / case / f"{prompt}_graph.npz")
        layer, position, _ = found["active_features"][found["selected_features"]].T
        n_positions, n_targets = len(found["input_tokens"]), len(found["logit_tokens"])
        matrix, n_layers = found["adjacency_matrix"], int(layer.max()) + 1
        n_columns = len(matrix) - n_targets
        rows = np.r_[: len(layer), n_columns : len(matrix)]
        columns = Columns(layer, layer * n_positions + position, n_layers * n_positions, n_positions)
        assert len(columns) == n_columns
        return cls(matrix[rows][:, :n_columns], columns, found["logit_probabilities"])

    @classmethod
    def random(cls, seed: int, *, n_layers: int = 6, n_positions: int = 5, n_features: int = 240) -> "Whole":
        random = np.random.default_rng(seed)
        layer, position = np.divmod(np.sort(random.integers(0, n_layers * n_positions, n_features)), n_positions)
        error_layer = np.repeat(np.arange(n_layers), n_positions)
        source_layer = np.concatenate([layer, error_layer, np.full(n_positions, -1)])
        target_layer = np.append(layer, [n_layers, n_layers])
        weights = random.standard_normal((n_features + 2, len(source_layer))) ** 3
        weights *= source_layer < target_layer[:, None]
        columns = Columns(layer, layer * n_positions + position, len(error_layer), n_positions)
        return cls(weights.astype(np.float32), columns, np.array([0.6, 0.3]))

    def rows(self, rows: np.ndarray) -> np.ndarray:
        self.requested.append(rows)
        chosen: np.ndarray = self.weights[rows]
        return chosen

    def select(self, count: int, step: int | None = None, store_bytes: int | None = None) -> Selection:
        return select_features(self.rows, self.columns, self.target_weight, count, step=step, store_bytes=store_bytes)

    def influence(self) -> np.ndarray:
        return flow(self.weights, self.columns.feature_layer, self.target_weight).influence[: self.n_features]

    def folded(self, features: np.ndarray) -> np.ndarray:
        """The edges when only some features are nodes, written down feature by feature."""
        weights = self.weights.astype(np.float64)
        for feature in np.setdiff1d(np.arange(self.n_features), features):
            weights[:, self.n_features + self.columns.error_of_feature[feature]] += weights[:, feature]
        rows = np.r_[features, self.n_features : len(weights)]
        return weights[rows][:, np.r_[features, self.n_features : weights.shape[1]]]


@every_prompt
@every_case
def test_ranked_as_often_as_the_reference_the_same_features_are_chosen(case: str, prompt: str) -> None:
    found = np.load(REFERENCE / case / f"{prompt}_limited.npz")
    chosen = Whole.of_reference(case, prompt).select(
        int(found["max_feature_nodes"]), step=int(found["batch_size"] * found["update_interval"])
    )
    np.testing.assert_array_equal(chosen.features, found["selected_features"])


@every_prompt
@every_case
def test_ranked_less_often_the_chosen_features_have_as_much_influence(case: str, prompt: str) -> None:
    found, whole = np.load(REFERENCE / case / f"{prompt}_limited.npz"), Whole.of_reference(case, prompt)
    influence = whole.influence()
    exact, quick = (
        influence[found["selected_features"]],
        influence[whole.select(len(found["selected_features"])).features],
    )
    assert quick.sum() > 0.999 * exact.sum()


@pytest.mark.parametrize("step", [1, 7, None])
def test_features_left_out_are_added_to_the_error_of_their_layer_and_position(step: int | None) -> None:
    whole = Whole.random(1)
    chosen = whole.select(50, step=step)
    assert len(chosen.features) == 50
    np.testing.assert_allclose(chosen.weights, whole.folded(chosen.features), atol=1e-4)


def test_only_rows_of_targets_and_chosen_features_are_computed_and_each_once() -> None:
    whole = Whole.random(2)
    chosen = whole.select(50, step=8)
    np.testing.assert_array_equal(whole.requested[0], [whole.n_features, whole.n_features + 1])
    np.testing.assert_array_equal(np.sort(np.concatenate(whole.requested[1:])), chosen.features)
    assert max(map(len, whole.requested)) <= 8


def test_each_step_chooses_the_most_influential_features_so_far() -> None:
    whole = Whole.random(3)
    whole.select(30, step=10)
    known = np.zeros_like(whole.weights)
    for step, rows in enumerate(whole.requested[:-1]):
        known[rows] = whole.weights[rows]
        influence = flow(known, whole.columns.feature_layer, whole.target_weight).influence[: whole.n_features]
        influence[np.concatenate([np.empty(0, dtype=int), *whole.requested[1 : step + 1]])] = -1
        np.testing.assert_array_equal(whole.requested[step + 1], np.sort(np.argsort(-influence)[:10]))


@pytest.mark.parametrize("rows_of_store", [1.0, 1.2, 1.8])
def test_with_little_memory_the_least_influential_columns_are_folded_first_and_no_effect_is_lost(
    monkeypatch: pytest.MonkeyPatch, rows_of_store: float
) -> None:
    whole, count = Whole.random(4), 60
    smallest = (count + 2) * (count + len(whole.columns) - whole.n_features)
    room = int(rows_of_store * smallest) * 4
    stored_bytes: list[int] = []
    make_room = selection._RowStore._make_room

    def recorded(store: selection._RowStore, n_rows: int) -> None:
        make_room(store, n_rows)
        width = len(store.candidates) + len(whole.columns) - whole.n_features
        stored_bytes.append(4 * (store.n_rows + n_rows) * width)

    monkeypatch.setattr(selection._RowStore, "_make_room", recorded)
    chosen = whole.select(count, step=10, store_bytes=room)
    assert max(stored_bytes) <= room
    assert len(chosen.features) == count
    np.testing.assert_allclose(chosen.weights, whole.folded(chosen.features), atol=1e-4)
    assert chosen.dropped_candidates > 0
    assert (
        whole.influence()[chosen.features].sum() > 0.9 * whole.influence()[whole.select(count, step=10).features].sum()
    )


def test_a_memory_limit_that_is_large_enough_changes_nothing() -> None:
    whole = Whole.random(5)
    limited, free = whole.select(60, store_bytes=1 << 20), whole.select(60)
    assert limited.dropped_candidates == 0
    np.testing.assert_array_equal(limited.features, free.features)


def test_features_without_influence_are_chosen_last() -> None:
    whole = Whole.random(6)
    read = np.arange(0, whole.n_features, 3)
    silent = np.setdiff1d(np.arange(whole.n_features), read)
    whole.weights[:, silent] = 0
    top = whole.columns.feature_layer == whole.columns.feature_layer.max()
    whole.weights[whole.n_features :, np.setdiff1d(read, np.flatnonzero(top))] += 1
    wanted = np.count_nonzero(whole.influence())
    assert set(whole.select(wanted, step=5).features) == set(np.flatnonzero(whole.influence()))
    assert len(whole.select(wanted + 9).features) == wanted + 9


def test_a_limit_above_the_number_of_features_chooses_all() -> None:
    whole = Whole.random(8)
    chosen = whole.select(10_000)
    np.testing.assert_array_equal(chosen.features, np.arange(whole.n_features))
    np.testing.assert_array_equal(chosen.weights, whole.weights)
