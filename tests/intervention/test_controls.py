"""Controls: what stands in for what an intervention changes, and what their effects say of it."""

from dataclasses import replace

import numpy as np
import pytest

from circuit_widget.errors import Cancelled, InterventionError
from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate, Add, Scale, Set, SwapIn
from circuit_widget.intervention.studies.control_matching import ControlMatching, match_controls
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.nodes import Feature
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.tracing.activations import Activations
from tests.models import PROMPT_IDS, tiny_model

N = 12


@pytest.fixture(scope="module")
def model() -> ReplacementModel:
    return tiny_model()


@pytest.fixture(scope="module")
def graph(model: ReplacementModel) -> Graph:
    return model.trace(PROMPT_IDS)


def some_features(graph: Graph, count: int) -> list[Feature]:
    places = np.random.default_rng(5).choice(graph.n_features, size=count, replace=False)
    columns = (graph.feature_layer, graph.feature_position, graph.feature_index)
    return [Feature(*(int(column[place]) for column in columns)) for place in places]


def active(*rows: tuple[int, int, int, float]) -> Activations:
    *indices, value = np.array(sorted(rows)).T
    layer, position, feature = (column.astype(np.int32) for column in indices)
    return Activations(layer, position, feature, value.astype(np.float32))


def test_changed_features_are_never_stand_ins_nor_is_one_twice_and_layers_are_kept(
    model: ReplacementModel, graph: Graph
) -> None:
    changed = some_features(graph, 9)
    controls = model.controls(graph, Ablate(changed), n=N)
    there = {(feature.layer, feature.feature) for feature in changed}
    activations = model.activations(PROMPT_IDS)
    assert len(controls.controls) == len(controls.matching.stand_ins) == N
    for one in controls.matching.stand_ins:
        assert set(one) == set(changed)
        assert len(set(one.values())) == len(changed)
        for feature, other in one.items():
            assert (other.layer, other.feature) not in there
            assert other.layer == feature.layer
            assert other in activations
            assert other.position == feature.position or feature in controls.matching.elsewhere
    assert len({tuple(sorted(one.values())) for one in controls.matching.stand_ins}) == N


def test_a_seed_gives_the_same_controls_again_and_another_gives_others(model: ReplacementModel, graph: Graph) -> None:
    first, again, other = (model.controls(graph, Ablate(some_features(graph, 4)), n=N, seed=seed) for seed in (3, 3, 4))
    assert first.matching == again.matching != other.matching
    np.testing.assert_array_equal(first.kl(), again.kl())


def test_a_control_is_the_same_intervention_on_what_stands_in(model: ReplacementModel, graph: Graph) -> None:
    one, other, third = some_features(graph, 3)
    given = [Scale([one, other], -2), Add(third, 1.5), Set(third.id, 0.5)]
    controls = model.controls(graph, given, n=3)
    for effect, stand_in in zip(controls.controls, controls.matching.stand_ins, strict=True):
        expected = [Scale([stand_in[one], stand_in[other]], -2), Add(stand_in[third], 1.5), Set(stand_in[third], 0.5)]
        assert list(effect.interventions) == expected
        np.testing.assert_allclose(
            effect.logits_after, model.intervene(graph, expected).logits_after, atol=1e-4, rtol=0
        )
    np.testing.assert_allclose(
        controls.effect.logits_after, model.intervene(graph, given).logits_after, atol=1e-4, rtol=0
    )


def test_switching_features_on_is_compared_with_switching_on_others(model: ReplacementModel, graph: Graph) -> None:
    activations = model.activations(PROMPT_IDS)
    inactive = next(Feature(1, 4, number) for number in range(40) if Feature(1, 4, number) not in activations)
    controls = model.controls(graph, Set(inactive, 3.0), n=5)
    for effect, stand_in in zip(controls.controls, controls.matching.stand_ins, strict=True):
        other = stand_in[inactive]
        assert other not in activations
        assert (other.layer, other.position) == (1, 4)
        assert effect.injected == ((other, 3.0),)


def test_a_swap_keeps_the_ratio_of_what_was_active_and_the_value_of_what_was_not(
    model: ReplacementModel, graph: Graph
) -> None:
    other_prompt = [1, 17, 42, 5, 98, 17, 121]
    changed = [feature for feature in some_features(graph, 40) if feature.position >= 4][:3]
    new = next(
        feature for feature in model.activations(other_prompt).at(1, 4) if feature not in model.activations(PROMPT_IDS)
    )
    controls = model.controls(graph, SwapIn(changed, other_prompt, features=[new]), n=4)
    before = model.activations(PROMPT_IDS)
    swapped = controls.effect.nodes.set_index("id")["after"]
    for effect, stand_in in zip(controls.controls, controls.matching.stand_ins, strict=True):
        after = effect.nodes.set_index("id")["after"]
        for feature in changed:
            ratio = swapped[feature.id] / before[feature]
            assert after[stand_in[feature].id] == pytest.approx(ratio * before[stand_in[feature]], rel=1e-4, abs=1e-6)
        assert after[stand_in[new].id] == pytest.approx(swapped[new.id])


def test_those_nearest_in_activation_are_stand_ins() -> None:
    here = [(0, 1, number, float(number + 1)) for number in range(30)]
    found = match_controls([Feature(0, 1, 15)], active(*here), lambda layer: 40, 4, 0, same_position=True)
    assert (found.band, found.elsewhere) == (5, frozenset())
    assert all(abs(one[Feature(0, 1, 15)].feature - 15) <= 3 for one in found.stand_ins)


def test_the_band_widens_until_the_controls_differ_and_is_reported() -> None:
    here = [(0, 1, number, float(number + 20)) for number in range(30)]
    found = match_controls([Feature(0, 1, 15)], active(*here), lambda layer: 40, 20, 0, same_position=True)
    assert (found.band, found.elsewhere) == (20, frozenset())


def test_other_positions_are_let_in_where_nothing_here_is_similar_but_never_the_same_feature() -> None:
    changed = Feature(0, 1, 3)
    rows = [(0, 1, 3, 9.0), *((0, 1, number, 0.1) for number in range(10, 20))]
    rows += [(0, 2, 3, 9.0), *((0, 2, number, 9.0 + number / 100) for number in range(10, 20))]
    found = match_controls([changed], active(*rows), lambda layer: 40, 5, 0, same_position=True)
    assert found.elsewhere == {changed}
    assert {one[changed].position for one in found.stand_ins} == {2}
    assert all(one[changed].feature != 3 for one in found.stand_ins)


def test_too_few_similar_features_are_an_error_that_states_how_many_there_are() -> None:
    few = active((0, 1, 3, 2.0), (0, 1, 4, 2.0), (0, 2, 5, 2.5), (1, 1, 5, 2.5))
    with pytest.raises(InterventionError, match=r"Only 2 different sets .* Use n of at most 2"):
        match_controls([Feature(0, 1, 3)], few, lambda layer: 40, 3, 0, same_position=True)
    with pytest.raises(InterventionError, match="layer 1 has 0 other active features to stand in for 1 changed"):
        match_controls([Feature(1, 1, 5)], few, lambda layer: 40, 1, 0, same_position=True)


def made_up(graph: Graph, model: ReplacementModel, before: float, after: float, controls: list[float]) -> Controls:
    effect = model.intervene(graph, Ablate(some_features(graph, 1)))

    def with_probability(value: float) -> np.ndarray:
        return np.log(np.array([value, 1 - value], dtype=np.float32))

    effects = [
        replace(
            effect,
            logits_before=with_probability(before),
            logits_after=with_probability(value),
            logits_predicted=with_probability(value),
        )
        for value in [after, *controls]
    ]
    (changed,) = some_features(graph, 1)
    matching = ControlMatching(({changed: Feature(0, 1, 1)},) * len(controls), 5, frozenset())
    return Controls(effects[0], tuple(effects[1:]), matching, {changed: 2.0, Feature(0, 1, 1): 3.0}, 0)


def test_a_control_that_changes_as_much_the_other_way_counts(model: ReplacementModel, graph: Graph) -> None:
    controls = made_up(graph, model, 0.5, 0.2, [0.5, 0.45, 0.6, 0.81])
    assert controls.share(0) == 0.25
    assert controls.p_value(0) == 2 / 5
    frame = controls.to_frame(0).set_index("quantity")
    row = frame.loc["probability"]
    assert (row["before"], row["after"]) == pytest.approx((0.5, 0.2))
    assert (row["share"], row["p_value"]) == (0.25, 2 / 5)
    assert (row["low"], row["median"], row["high"]) == pytest.approx(
        tuple(np.quantile([0.5, 0.45, 0.6, 0.81], [0.05, 0.5, 0.95]))
    )
    assert frame.loc["kl", "after"] == pytest.approx(controls.effect.kl)
    np.testing.assert_allclose(controls.activation_ratio, 1.5)


def test_activations_of_either_sign_are_compared_by_size(model: ReplacementModel, graph: Graph) -> None:
    positive = made_up(graph, model, 0.5, 0.2, [0.5])
    (own,) = some_features(graph, 1)
    other, near, far = Feature(0, 1, 2), Feature(0, 1, 1), Feature(0, 1, 3)
    controls = replace(
        positive,
        matching=ControlMatching(({own: near, other: far},), 5, frozenset()),
        activations={own: 2.0, other: -2.0, near: 1.0, far: -2.0},
    )
    np.testing.assert_allclose(controls.activation_ratio, 0.75)
    assert controls.similarity.endswith("activations add up to 0.75 of those of the changed features (median).")


def test_the_smallest_p_value_is_one_over_controls_and_one(model: ReplacementModel, graph: Graph) -> None:
    controls = made_up(graph, model, 0.9, 0.1, [0.9, 0.85, 0.88, 0.7])
    assert (controls.share(0), controls.p_value(0)) == (0, 1 / 5)


def test_the_smallest_p_value_is_named_and_no_other(model: ReplacementModel, graph: Graph) -> None:
    token = graph.targets[0].token_id
    by_share: dict[bool, str] = {}
    for node in graph.node_ids[: graph.n_features : 3]:
        controls = model.controls(graph, Ablate(node), n=2)
        by_share[controls.share(token) == 0] = repr(controls)
        if len(by_share) == 2:
            break
    assert "p = 0.33, the smallest that 2 controls allow. " in by_share[True]
    assert "the smallest" not in by_share[False]


def test_controls_can_be_plotted_and_put_in_words(model: ReplacementModel, graph: Graph) -> None:
    controls = model.controls(graph, Ablate(some_features(graph, 3)), n=6)
    token = graph.targets[0].token_id
    boxes = [trace for trace in controls.plot(token).data if trace.type == "box"]
    np.testing.assert_allclose(boxes[0].x, controls.values(token))
    assert "6 controls" in repr(controls)
    assert "nearest in activation" in controls.similarity
    assert len(controls.matches) == 6 * 3


@pytest.mark.parametrize("n", [0, -1, 2.5, True])
def test_a_number_of_controls_that_is_none_is_refused(model: ReplacementModel, graph: Graph, n: object) -> None:
    with pytest.raises(InterventionError, match="n, the number of controls, is a whole number from 1 up"):
        model.controls(graph, Ablate(some_features(graph, 1)), n=n)


def test_controls_report_progress_and_stop_when_cancelled(model: ReplacementModel, graph: Graph) -> None:
    done: list[float] = []
    model.controls(graph, Ablate(some_features(graph, 1)), n=4, progress=lambda part, text: done.append(part))
    assert done == sorted(done)
    assert done[-1] == pytest.approx(1)
    with pytest.raises(Cancelled):
        model.controls(graph, Ablate(some_features(graph, 1)), n=4, cancelled=lambda: len(done) > 0)
