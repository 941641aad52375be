"""Several experiments as one batch: each is what it is alone, whatever the others start from."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import nn

from circuit_widget.errors import Cancelled, InterventionError, NodeError
from circuit_widget.graph.node_table import feature_at
from circuit_widget.intervention import Ablate, Add, Effect, Intervention, Scale, Set, SwapIn
from circuit_widget.model import rerun as rerun_module
from circuit_widget.model.rerun import Edit, batches, rerun_batch
from circuit_widget.nodes import Feature
from tests.cases import CASES, Case, assert_close, case_of, in_turn, spread
from tests.models import PROMPT_IDS, hooks_of, run_of, tiny_model

MODES = ("direct", "frozen_attention", "total", (0, 1))
ROUNDING = {"gemma2": 2e-6, "gemma3": 3e-6}
"""Architectures in which the rounding of products of other shapes grows beyond 1e-6 of the largest number."""


@pytest.fixture(params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(*request.param)


def experiments_of(case: Case) -> list[list[Intervention]]:
    """Experiments of all kinds that start at many layers and positions, in no order."""
    graph = case.graph
    nodes = [graph.node_ids[node] for node in spread(5, graph.n_features)]
    # Of neurons all are active: one that is no node.
    nodes_or_active = case.plain.nodes or case.model.activations(PROMPT_IDS)
    inactive = next(Feature(1, 5, number) for number in range(40) if Feature(1, 5, number) not in nodes_or_active)
    return [
        [Ablate(nodes[4])],
        [Set(inactive, 2.5), Scale(nodes[1], -1)],
        [Ablate(nodes[0])],
        [Add(nodes[1:4], 1.5)],
        [Ablate(nodes[2])],
        [Set(inactive, 3.5)],
    ]


def numbers_of(effect: Effect) -> dict[str, np.ndarray]:
    columns = {column: effect.nodes[column].to_numpy() for column in ("before", "after", "predicted")}
    return {**columns, "logits": effect.logits_after, "logits predicted": effect.logits_predicted}


def assert_same(found: Effect, expected: Effect, tolerance: float = 1e-6) -> None:
    assert found.interventions == expected.interventions
    assert found.nodes["id"].tolist() == expected.nodes["id"].tolist()
    assert (found.injected, found.mode) == (expected.injected, expected.mode)
    for name, values in numbers_of(expected).items():
        scale = max(1.0, float(np.abs(values).max()))
        np.testing.assert_allclose(numbers_of(found)[name], values, atol=tolerance * scale, rtol=0, err_msg=name)


@in_turn
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_batch_is_its_experiments_one_by_one(case: Case, mode: object) -> None:
    experiments = experiments_of(case)
    together = case.model.intervene_many(case.graph, experiments, mode=mode)
    assert len(together) == len(experiments)
    architecture = str(case.model.model.network.config.model_type).removesuffix("_text")
    for effect, experiment in zip(together, experiments, strict=True):
        alone = case.model.intervene(case.graph, experiment, mode=mode)
        assert_same(effect, alone, ROUNDING.get(architecture, 1e-6))
    largest = [float(np.abs(effect.logits_after - effect.logits_before).max()) for effect in together]
    assert max(largest) > 1e-2
    assert len(set(largest)) == len(largest)


@in_turn
def test_each_row_of_a_batch_is_a_plain_pass_with_hooks(case: Case) -> None:
    features = [feature_at(case.graph, node) for node in spread(6, case.graph.n_features)]
    effects = case.model.intervene_many(case.graph, [Set(feature, 4.0) for feature in features])
    for effect, feature in zip(effects, features, strict=True):
        assert_close(effect.logits_after, case.plain.clamping({feature: 4.0}))


@pytest.mark.parametrize(("name", "value"), [("BATCH_BYTES", 1), ("PASS_ROWS", 0), ("PASS_ROWS", 10**9)])
def test_how_experiments_are_put_together_does_not_matter(
    name: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    experiments = [Ablate(graph.node_ids[node]) for node in spread(9, graph.n_features)]
    expected = model.intervene_many(graph, experiments)
    sizes: list[int] = []

    def counted(*args: object, **kwargs: object) -> object:
        sizes.append(len(args[2]))
        return rerun_batch(*args, **kwargs)

    monkeypatch.setattr(rerun_module, name, value)
    monkeypatch.setattr("circuit_widget.intervention.execution.measure.rerun_batch", counted)
    for found, alone in zip(model.intervene_many(graph, experiments), expected, strict=True):
        assert_same(found, alone)
    assert sum(sizes) == 9
    assert sizes == ([1] * 9 if name == "BATCH_BYTES" else sizes if value == 0 else [9])
    assert len(sizes) > 1 or value == 10**9


def test_batches_contain_every_rerun_once_and_start_with_the_lowest_layer() -> None:
    model = tiny_model()
    captured = run_of(model, PROMPT_IDS).captured
    generator = np.random.default_rng(0)
    starts = [(int(layer), int(position)) for layer, position in generator.integers([0, 1], [3, 7], (40, 2))]
    found = batches(model.model, captured, starts)
    assert sorted(place for batch in found for place in batch) == list(range(40))
    for batch in found:
        assert [starts[place][0] for place in batch] == sorted(starts[place][0] for place in batch)


def test_edits_out_of_order_are_refused() -> None:
    model = tiny_model()
    captured = run_of(model, PROMPT_IDS).captured
    edits = [Edit(layer, 2, lambda *_: None) for layer in (1, 0)]
    for given in (edits, []):
        with pytest.raises(ValueError, match="sorted by their first layer"):
            rerun_batch(model.model, captured, given)


def test_a_rerun_has_rows_from_its_first_layer_on_and_keeps_what_it_does_not_change() -> None:
    model = tiny_model()
    captured = run_of(model, PROMPT_IDS).captured
    edits = [Edit(layer, position, lambda *_: None) for layer, position in ((0, 4), (1, 2), (2, 5))]
    batch = rerun_batch(model.model, captured, edits)
    assert batch.first_position == 2
    assert [tuple(x.shape) for x in batch.mlp_inputs.values()] == [(1, 5, 32), (2, 5, 32), (3, 5, 32)]
    for layer, x in batch.mlp_inputs.items():
        torch.testing.assert_close(x, captured.layers[layer].mlp_input[2:].expand_as(x), atol=5e-6, rtol=1e-5)
    torch.testing.assert_close(batch.logits, captured.logits.expand(3, -1), atol=1e-5, rtol=1e-5)


def test_progress_rises_to_one_over_all_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rerun_module, "BATCH_BYTES", 1)
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    done: list[float] = []
    experiments = [Ablate(node) for node in graph.node_ids[:4]]
    model.intervene_many(graph, experiments, progress=lambda part, _: done.append(part))
    assert done == sorted(done)
    assert done[-1] == 1.0
    assert {0.25, 0.5, 0.75} <= set(done)


@pytest.mark.parametrize("mode", MODES[1:], ids=str)
def test_cancelling_a_batch_stops_between_layers_and_leaves_no_hook(mode: object) -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    checks = 0

    def cancelled() -> bool:
        nonlocal checks
        checks += 1
        return checks > 1

    experiments = [Ablate(node) for node in graph.node_ids[:20]]
    with pytest.raises(Cancelled):
        model.intervene_many(graph, experiments, mode=mode, cancelled=cancelled)
    assert checks == 2
    assert hooks_of(model.model.network) == 0
    assert len(model.intervene_many(graph, experiments, mode=mode)) == 20


def test_prompts_are_swapped_in_within_a_batch() -> None:
    model = tiny_model()
    graph = model.trace([1, 17, 42, 5])
    experiments = [SwapIn(graph.node_ids[node], [1, 17, 43, 5]) for node in spread(4, graph.n_features)]
    for found, experiment in zip(model.intervene_many(graph, experiments), experiments, strict=True):
        assert_same(found, model.intervene(graph, experiment))


@pytest.mark.parametrize(
    ("experiments", "error", "message"),
    [
        ([], InterventionError, "There is no experiment; give at least one"),
        ([Ablate("0_2_3"), []], InterventionError, "There is no intervention"),
        ([Ablate("nowhere")], NodeError, "has no node"),
        ([Set(Feature(0, 9, 1), 1.0)], InterventionError, "positions 1 to 6 can"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_runs(
    experiments: Sequence[Intervention], error: type[Exception], message: str
) -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    good = Ablate(graph.node_ids[0])
    done: list[float] = []
    given = [good, *experiments[-1:]] if experiments else []
    with pytest.raises(error, match=message):
        model.intervene_many(graph, given, progress=lambda part, _: done.append(part))
    assert done == []
    with pytest.raises(InterventionError, match="Experiments are a list, each of them an intervention or several"):
        model.intervene_many(graph, good)


@pytest.mark.filterwarnings("error", "ignore:These transcoders:circuit_widget.CircuitWidgetWarning")
def test_what_overflows_the_model_is_named() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    nodes = graph.node_ids[: graph.n_features]
    with pytest.raises(
        InterventionError, match=rf"With “{len(nodes)} features = 3e.38” the model's logits are no longer"
    ):
        model.intervene_many(graph, [Ablate(nodes[0]), Set(nodes, 3e38)])


@pytest.mark.parametrize("mode", ["total", "frozen_attention", (0, 1)])
def test_mlps_run_only_where_they_may_answer_and_it_matters(mode: object) -> None:
    model = tiny_model()
    given = dict.fromkeys(range(3), 0)

    class Counted(nn.Module):
        """The activation of an MLP, which counts the rows it is given: a hook would have the pass run anew."""

        def __init__(self, layer: int, inner: nn.Module) -> None:
            super().__init__()
            self.layer, self.inner = layer, inner

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            given[self.layer] += x.shape[:2].numel()
            return self.inner(x)  # type: ignore[no-any-return]

    for layer, block in enumerate(model.model.network.model.layers):
        block.mlp.act_fn = Counted(layer, block.mlp.act_fn)
    graph = model.trace(PROMPT_IDS)
    last = len(PROMPT_IDS) - 1
    places = [(0, 2), (0, 5), (1, 4), (2, 3)]
    given.update(dict.fromkeys(given, 0))
    model.intervene_many(graph, [Set(Feature(layer, position, 1), 3.0) for layer, position in places], mode=mode)
    answering = [(last + 1 - 2) + (last + 1 - 5), 3]
    assert given == {0: 0, 1: 0 if isinstance(mode, tuple) else answering[0], 2: answering[1]}
