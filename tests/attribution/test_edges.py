"""The edges of random frozen models: each against a run of the model forwards with one source in it."""

import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from circuit_widget.attribution import edges as edge_computation
from circuit_widget.attribution import propagation
from circuit_widget.attribution.edges import EdgeComputation
from circuit_widget.attribution.layer_nodes import NodeLayout
from circuit_widget.attribution.split_layer import best_split_layer, operation_count
from circuit_widget.attribution.upward_pass import UpwardPass
from circuit_widget.errors import Cancelled
from tests.attribution.frozen_models import Case, measured_edges, random_case, sources

KINDS: dict[str, dict[str, Any]] = {
    "per-layer": {},
    "cross-layer": {"cross_layer": True},
    "skip": {"skip": True},
    "parallel": {"parallel": True},
    "parallel with skip": {"parallel": True, "skip": True},
    "post-norms": {"post_norms": True},
    "post-norms, skip and cross-layer": {"post_norms": True, "skip": True, "cross_layer": True},
    "centred": {"centred": True, "post_norms": True},
    "no shared values": {"value_heads": 4},
    "one shared value": {"value_heads": 1},
    "four dropped positions": {"n_positions": 8, "first_position": 4},
    "features from the first position on": {"first_position": 0},
    "an earlier position": {"traced": 3},
    "some layers without features": {"empty_layers": (0, 2), "cross_layer": True},
    "no feature at all": {"empty_layers": (0, 1, 2, 3)},
    "one layer": {"n_layers": 1},
    "everything": {"cross_layer": True, "parallel": True, "skip": True, "post_norms": True, "centred": True},
}


def edges(case: Case, **settings: Any) -> torch.Tensor:
    return EdgeComputation(case.frozen, case.nodes, case.embedding, case.targets).edges(**settings)


def assert_same(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-6 * max(1.0, float(expected.abs().max())), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_an_edge_equals_the_frozen_models_response_to_its_source_alone(kind: str) -> None:
    case = random_case(**KINDS[kind])
    assert_same(edges(case), measured_edges(case))


@pytest.mark.parametrize("kind", ["per-layer", "everything", "post-norms, skip and cross-layer"])
@pytest.mark.parametrize("split_layer", [-1, 0, 1, 2, 3])
def test_edges_do_not_depend_on_the_split_layer(monkeypatch: pytest.MonkeyPatch, kind: str, split_layer: int) -> None:
    case = random_case(**KINDS[kind])
    monkeypatch.setattr(edge_computation, "best_split_layer", lambda *_: split_layer)
    assert_same(edges(case), measured_edges(case))


@settings(max_examples=30)
@given(data=st.data())
def test_edges_are_right_for_any_shape_of_model_and_prompt(data: st.DataObject) -> None:
    value_heads = data.draw(st.integers(1, 3))
    n_positions = data.draw(st.integers(1, 7))
    traced = data.draw(st.integers(0, n_positions - 1))
    case = random_case(
        seed=data.draw(st.integers(0, 10_000)),
        n_layers=data.draw(st.integers(1, 4)),
        n_positions=n_positions,
        traced=traced,
        first_position=data.draw(st.integers(0, traced)),
        heads=value_heads * data.draw(st.integers(1, 3)),
        value_heads=value_heads,
        d_model=data.draw(st.integers(2, 9)),
        head_width=data.draw(st.integers(1, 4)),
        features=data.draw(st.integers(0, 25)),
        targets=data.draw(st.integers(1, 3)),
        **{name: data.draw(st.booleans()) for name in ("cross_layer", "skip", "parallel", "centred", "post_norms")},
    )
    assert_same(edges(case), measured_edges(case))


def test_requested_rows_have_the_requested_order_and_equal_those_of_all_edges() -> None:
    case = random_case(cross_layer=True, skip=True)
    whole = edges(case)
    rows = torch.randperm(len(whole), generator=torch.Generator().manual_seed(3))[:40]
    assert_same(edges(case, rows=rows), whole[rows])
    some = EdgeComputation(case.frozen, case.nodes, case.embedding, case.targets, n_rows=40)
    for part in (rows[:7], torch.tensor([len(whole) - 1]), rows[7:]):
        assert_same(some.edges(part), whole[part])
    assert some.edges(rows[:0]).shape == (0, whole.shape[1])


def test_a_row_that_does_not_exist_is_refused() -> None:
    case = random_case()
    last = len(edges(case)) - 1
    with pytest.raises(IndexError, match=re.escape(f"rows go from 0 to {last}; given 3 to {last + 1}")):
        edges(case, rows=torch.tensor([last + 1, 3]))


def test_a_row_sums_to_the_response_of_its_target_to_all_sources_together() -> None:
    case = random_case(cross_layer=True, post_norms=True)
    together = torch.zeros_like(case.embedding)
    written: dict[int, torch.Tensor] = {}
    for entering, writes in sources(case):
        together = together + entering
        for layer, change in writes.items():
            written[layer] = written.get(layer, 0) + change

    def write(layer: int, _: torch.Tensor) -> torch.Tensor:
        return written[layer]

    of_writes = case.targets @ case.frozen.propagate(write, 0)
    n_sources = edges(case).shape[1] - len(case.embedding)
    assert_same(edges(case)[-len(case.targets) :, :n_sources].sum(1), of_writes)


@pytest.mark.parametrize("chunk_bytes", [1, 2_000])
@pytest.mark.parametrize("enough", [1, 10_000])
def test_edges_do_not_depend_on_the_size_of_a_chunk(
    monkeypatch: pytest.MonkeyPatch, chunk_bytes: int, enough: int
) -> None:
    case = random_case(skip=True, parallel=True)
    expected = edges(case)
    monkeypatch.setattr(edge_computation, "CHUNK_BYTES", {"cpu": chunk_bytes})
    monkeypatch.setattr(edge_computation, "ENOUGH_ROWS", {"cpu": enough})
    assert_same(edges(case), expected)


@pytest.mark.parametrize("parallel", [False, True])
def test_attention_over_long_prompts_is_multiplied_in_causal_blocks(
    monkeypatch: pytest.MonkeyPatch, parallel: bool
) -> None:
    case = random_case(n_positions=11, parallel=parallel, skip=True)
    expected = measured_edges(case)
    monkeypatch.setattr(propagation, "BLOCK", 3)
    monkeypatch.setattr(propagation, "CACHED_PATTERN_BYTES", 0)
    for split_layer in (-1, 3):
        monkeypatch.setattr(edge_computation, "best_split_layer", lambda *_, split_layer=split_layer: split_layer)
        assert_same(edges(case), expected)


def test_a_chunk_that_does_not_fit_into_memory_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    case = random_case()
    expected, propagate, sizes = edges(case), edge_computation._DownwardPass._propagate, []

    def short_of_memory(downward_pass: Any, chunk: Any, end: int) -> torch.Tensor:
        sizes.append(sum(group.stop - group.start for group in chunk))
        if sizes[-1] > 3:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return propagate(downward_pass, chunk, end)

    monkeypatch.setattr(edge_computation._DownwardPass, "_propagate", short_of_memory)
    assert_same(edges(case), expected)
    assert max(sizes) > 3


def test_the_computation_is_not_split_where_memory_has_no_room_for_the_upward_vectors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = random_case()
    expected, run, tried = edges(case), UpwardPass.run, []

    def short_of_memory(self: Any, split_layer: int, targets: torch.Tensor) -> Any:
        tried.append(split_layer)
        if split_layer >= 0:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return run(self, split_layer, targets)

    monkeypatch.setattr(UpwardPass, "run", short_of_memory)
    assert_same(edges(case), expected)
    assert tried[0] >= 0
    assert tried[1:] == [-1]


def test_a_single_target_that_does_not_fit_into_memory_ends_the_computation(monkeypatch: pytest.MonkeyPatch) -> None:
    def short_of_memory(*_: Any) -> torch.Tensor:
        raise torch.cuda.OutOfMemoryError("out of memory")

    monkeypatch.setattr(edge_computation._DownwardPass, "_propagate", short_of_memory)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        edges(random_case())


def test_the_computation_reports_its_progress() -> None:
    done: list[float] = []
    edges(random_case(), progress=done.append)
    assert done == sorted(done)
    assert len(done) > 3
    assert 0 < done[0] < done[-1] == 1.0


def test_the_computation_checks_for_a_cancel_before_every_layer() -> None:
    case = random_case()
    n_checks = 0

    def never() -> bool:
        nonlocal n_checks
        n_checks += 1
        return False

    edges(case, cancelled=never)
    for stop in range(1, n_checks + 1):
        left = stop

        def cancelled() -> bool:
            nonlocal left
            left -= 1
            return left == 0

        with pytest.raises(Cancelled, match="cancelled"):
            edges(case, cancelled=cancelled)
        assert left == 0
    n_layers = len(case.nodes)
    assert n_checks > 2 * n_layers


def test_the_computation_does_not_change_its_inputs() -> None:
    case = random_case(cross_layer=True, skip=True, parallel=True)
    given = [case.embedding, case.targets]
    for nodes in case.nodes:
        given += [nodes.encoder_rows, nodes.errors, *(writes.rows for writes in nodes.writes)]
    before = [tensor.clone() for tensor in given]
    edges(case)
    assert all(torch.equal(*pair) for pair in zip(given, before, strict=True))


def test_the_split_layer_has_the_fewest_operations_that_memory_allows() -> None:
    case = random_case(n_layers=8, d_model=64, head_width=16, n_positions=9)
    layout = NodeLayout(case.nodes, 9, case.frozen.position, len(case.targets))
    work = operation_count(case.frozen, layout, None)
    costs = [work.cost(split_layer) for split_layer in range(-1, 8)]
    best = best_split_layer(work, float("inf"))
    assert 1 < best < 7
    assert min(cost.operations for cost in costs) == work.cost(best).operations
    assert best_split_layer(work, costs[best].stored_bytes) == best - 1
    assert best_split_layer(work, 0) == -1
    assert best_split_layer(operation_count(case.frozen, layout, 20), float("inf")) < best
