"""Hundreds of thousands of clamps: as arrays they are those that one feature at a time gives, and cost no lines each."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pytest
import torch

from circuit_widget.errors import InterventionError, NodeError
from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate, Add, Scale, Set, SwapIn
from circuit_widget.intervention.execution.clamp import clamp
from circuit_widget.intervention.execution.constant_nodes import ConstantValue, clamped_errors
from circuit_widget.intervention.execution.feature_clamps import rows_in
from circuit_widget.intervention.execution.graph_features import GraphFeatures
from circuit_widget.intervention.execution.plan import ClampPlan, plan_clamps
from circuit_widget.intervention.execution.resolve import ResolveContext, graph_lookup, left_out_lookup
from circuit_widget.intervention.kinds import Intervention
from circuit_widget.nodes import ErrorNode, Everywhere, Feature
from circuit_widget.tracing.activations import Activations, numbers_of, values_of
from tests.cases import Case, case_of
from tests.models import PROMPT_IDS, run_of
from tests.work import lines

OTHER = [*PROMPT_IDS[:5], 18, *PROMPT_IDS[6:]]


@pytest.fixture(scope="module", params=["per-layer", "neurons"])
def case(request: pytest.FixtureRequest) -> Case:
    return case_of("llama", request.param)


def context_of(case: Case) -> ResolveContext:
    run = run_of(case.model, PROMPT_IDS)
    return ResolveContext(
        run,
        graph_lookup(case.graph),
        case.model.transcoders,
        lambda prompt: run_of(case.model, prompt),
        left_out_lookup(case.graph, run.activations),
    )


def active_of(case: Case) -> dict[Feature, float]:
    return dict(case.model.activations(PROMPT_IDS))


def one_by_one(case: Case, interventions: Sequence[Intervention]) -> dict[Feature, float]:
    """The value of each clamped feature, computed for one after the other from the mapping of activations."""
    before, last = case.model.activations(PROMPT_IDS), len(PROMPT_IDS) - 1
    there = case.model.activations(OTHER)
    found: dict[Feature, float] = {}
    for intervention in interventions:
        for number, entry in enumerate(intervention.members):
            if isinstance(entry, Everywhere):
                features = [entry.at(position) for position in range(before.first_position, last + 1)]
            else:
                features = [entry if isinstance(entry, Feature) else Feature(*numbers_in(entry))]
            for feature in features:
                now = before.get(feature, 0.0)
                match intervention:
                    case Ablate():
                        found[feature] = 0.0 * now
                    case Scale(factor=factor):
                        found[feature] = factor * now
                    case Set(value=value) | Add(value=value):
                        each = value if isinstance(value, float) else value[number]
                        found[feature] = each + (now if isinstance(intervention, Add) else 0.0)
                    case SwapIn():
                        found[feature] = there.get(feature, 0.0)
    return found


def numbers_in(node: str) -> tuple[int, int, int]:
    layer, feature, position = map(int, node.split("_"))
    return layer, position, feature


def test_many_clamps_are_those_of_one_feature_at_a_time(case: Case) -> None:
    active = sorted(active_of(case))
    nodes = case.graph.node_ids
    everywhere = Everywhere(active[3].layer, active[3].feature)
    idle = next((one for one in (Feature(2, 4, number) for number in range(40)) if one not in active), active[-1])
    experiments: list[list[Intervention]] = [
        [Ablate([*reversed(active), nodes[5], everywhere])],
        [Scale(active[::2], -1.5), Ablate(active[::6]), Set([active[6], nodes[0]], [0.25, -3])],
        [Add([everywhere, *active[10:20], everywhere.at(3)], list(np.linspace(-1, 1, 12)))],
        [Set([idle, *active[:4]], 2.5), Add([idle], 1.0)],
        [SwapIn([*active[:50], nodes[2]], OTHER, features=[idle])],
    ]
    for interventions in experiments:
        clamped = clamp(interventions, context_of(case)).features
        expected = one_by_one(case, interventions)
        if isinstance(interventions[0], SwapIn):
            expected[idle] = case.model.activations(OTHER).get(idle, 0.0)
        before = case.model.activations(PROMPT_IDS)
        assert [(one.feature, one.before, one.value) for one in clamped] == [
            (feature, before.get(feature, 0.0), expected[feature]) for feature in sorted(expected)
        ]
        assert clamped.ids() == [feature.id for feature in sorted(expected)]


def test_features_of_another_prompt_are_swapped_in_at_the_places_of_the_nodes(case: Case) -> None:
    active, there = active_of(case), case.model.activations(OTHER)
    nodes = [feature for feature in active if feature.layer == 1 and feature.position in (5, 6)]
    new = [
        feature
        for feature in there
        if feature.layer == 1 and feature.position in (5, 6) and feature not in active and feature not in nodes
    ]
    clamped = clamp([SwapIn(nodes, OTHER)], context_of(case)).features
    assert [one.feature for one in clamped] == sorted([*nodes, *new])
    assert [one.value for one in clamped] == [there.get(feature, 0.0) for feature in sorted([*nodes, *new])]


def plan_of(case: Case, interventions: Sequence[Intervention]) -> ClampPlan:
    inputs = [pieces.mlp_input for pieces in run_of(case.model, PROMPT_IDS).captured.layers]
    features = GraphFeatures(case.graph, case.model.transcoders, inputs)
    return plan_clamps(case.graph, features, clamp(interventions, context_of(case)))


def test_a_plan_knows_which_clamps_are_nodes_of_the_graph(case: Case) -> None:
    found = plan_of(case, [Scale(sorted(active_of(case))[::3], 2)])
    nodes = {one.feature: case.graph.find(one.feature) for one in found.clamped}
    order = {feature: place for place, feature in enumerate(nodes)}
    inside = {feature: node for feature, node in nodes.items() if node is not None}
    assert [one.feature for one in found.outside_graph] == [feature for feature in nodes if feature not in inside]
    assert found.of_graph.tolist() == [order[feature] for feature in inside]
    inputs = [pieces.mlp_input for pieces in run_of(case.model, PROMPT_IDS).captured.layers]
    columns = GraphFeatures(case.graph, case.model.transcoders, inputs).column.tolist()
    assert found.columns.tolist() == [columns[node] for node in inside.values()]


def test_neurons_that_are_no_nodes_change_with_their_error_unless_they_are_clamped() -> None:
    case = case_of("llama", "neurons")
    context, place = context_of(case), ErrorNode(1, 5)
    here = [feature for feature in active_of(case) if (feature.layer, feature.position) == (1, 5)]
    outside = [feature for feature in here if case.graph.find(feature) is None]
    assert len(outside) > 4
    clamped = numbers_of([*outside[:3], Feature(0, 5, outside[3].feature)])
    found = context.left_out(place, clamped)
    assert found.tolist() == numbers_of(outside[3:]).tolist()
    (error,) = clamped_errors({place: ConstantValue(0.0)}, clamped, context)
    layer = case.model.transcoders
    numbers = torch.tensor([feature.feature for feature in here if feature not in outside[3:]], dtype=torch.long)
    kept = torch.tensor([active_of(case)[feature] for feature in here if feature not in outside[3:]])
    rows = layer.decoder_rows(1, numbers, 1)
    written = context.run.captured.layers[1].mlp_output[5] - layer.decoder_bias(1) - kept @ rows
    torch.testing.assert_close(error.writes[1], -written, atol=1e-5, rtol=0)


def test_each_further_clamp_runs_no_further_line_of_the_package() -> None:
    case = case_of("llama", "neurons")
    context, active = context_of(case), sorted(active_of(case))
    few, many = Ablate(active[::8]), Ablate(active)
    # Both have features at every layer and position.
    counts = [lines(partial(clamp, [one], context)) for one in (few, many)]
    assert len(many.members) > 5 * len(few.members) > 500
    assert counts[0] == counts[1]
    assert lines(lambda: plan_of(case, [many])) == lines(lambda: plan_of(case, [few]))


def test_the_first_entry_that_cannot_be_changed_is_the_one_refused(case: Case) -> None:
    graph: Graph = case.graph
    active = sorted(active_of(case))
    last = case.model.transcoders.n_features(0) - 1
    for bad, error, message in (
        (
            Feature(7, 5, 0),
            NodeError,
            r"Feature\(layer=7, position=5, feature=0\) does not exist; the model has layers",
        ),
        (Feature(0, 5, last + 1), NodeError, f"does not exist; layer 0 has features 0 to {last}"),
        (Feature(0, 5, 10**30), NodeError, f"does not exist; layer 0 has features 0 to {last}"),
        (Feature(2**63, 5, 0), NodeError, "does not exist; the model has layers"),
        (Feature(0, 99, 0), InterventionError, r"position=99, feature=0\) cannot be changed; positions 1 to"),
        (Feature(0, 0, 0), InterventionError, "position=0, feature=0.* cannot be changed; positions 1 to"),
        ("no node", NodeError, "The graph has no node"),
    ):
        with pytest.raises(error, match=message):
            case.model.intervene(graph, Ablate([*active[:20], bad, Feature(9, 9, 9), *active[20:]]))


def test_many_activations_are_those_of_the_mapping(case: Case) -> None:
    found: Activations = case.model.activations(PROMPT_IDS)
    random = np.random.default_rng(3)
    near = [Feature(*map(int, row)) for row in random.integers(0, (4, 9, 40), size=(500, 3))]
    wanted = [*near, *list(found)[::5], Feature(0, 1, 2**31), Feature(2**40, 1, 0), Feature(0, 2**50, 0)]
    assert values_of(found, numbers_of(wanted)).tolist() == [found.get(feature, 0.0) for feature in wanted]
    mapping: Mapping[Feature, float] = dict(found)
    assert [found.get(feature) for feature in wanted] == [mapping.get(feature) for feature in wanted]
    assert values_of(found, numbers_of([])).tolist() == []


def test_a_neuron_at_exactly_zero_is_active_and_can_be_changed() -> None:
    case = case_of("gemma3_text", "neurons")
    found = case.model.activations(PROMPT_IDS)
    zeros = [feature for feature, value in found.items() if value == 0]
    assert zeros
    clamped = clamp([Scale(zeros, 2.0)], context_of(case)).features
    assert [(one.feature, one.value) for one in clamped] == [(feature, 0.0) for feature in sorted(zeros)]


def test_rows_of_features_among_others() -> None:
    among = np.array([[2, 1, 7], [0, 3, 3], [0, 0, 0]], dtype=np.int64)
    wanted = np.array([[0, 3, 3], [0, 3, 4], [2, 1, 7], [9, 9, 9]], dtype=np.int64)
    assert rows_in(among, wanted).tolist() == [1, -1, 0, -1]
    assert rows_in(among[:0], wanted).tolist() == [-1, -1, -1, -1]
    assert rows_in(among, wanted[:0]).tolist() == []
