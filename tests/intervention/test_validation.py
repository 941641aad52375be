"""A validation tells a graph that predicts from one that does not, and direct edges from knock-on effects."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import Cancelled, InterventionError, NoModelError
from circuit_widget.graph import Graph
from circuit_widget.graph.node_table import feature_at
from circuit_widget.intervention import Ablate, Effect, Intervention
from circuit_widget.intervention.studies.validation import sign_share, spearman
from tests.cases import assert_close, case_of
from tests.models import PROMPT_IDS, reference_model, tiny_model
from tests.widget.linear_model import LinearModel
from tests.widget.small_graph import small_graph


class LinearStudies(LinearModel):
    """A model that is its own graph; `lie` turns what is measured into something else."""

    def __init__(self, lie: float = 1.0) -> None:
        super().__init__()
        self.lie = lie

    def intervene_many(
        self,
        graph: Graph,
        experiments: Sequence[Sequence[Intervention] | Intervention],
        *,
        mode: object = "total",
        **how: object,
    ) -> tuple[Effect, ...]:
        return tuple(
            self._one(graph, [one] if isinstance(one, Intervention) else list(one), mode == "direct")
            for one in experiments
        )

    def _one(self, graph: Graph, interventions: list[Intervention], direct: bool) -> Effect:
        effect = self.intervene(graph, interventions)
        before, logits = effect.nodes["before"].to_numpy(), effect.logits_before
        if direct:
            sources = [graph.index(node) for one in interventions for node in one.members]
            nodes = before - graph.weights[: graph.n_features, sources].sum(1)
            nodes[sources] = 0
            after = logits.copy()
            after[[target.token_id for target in graph.targets]] -= graph.weights[graph.n_features :, sources].sum(1)
            return replace(effect, nodes=effect.nodes.assign(predicted=nodes), logits_predicted=after)
        reported = before + self.lie * (effect.nodes["after"] - before)
        return replace(
            effect,
            nodes=effect.nodes.assign(after=reported),
            logits_after=logits + self.lie * (effect.logits_after - logits),
        )


@pytest.fixture(scope="module")
def graph() -> Graph:
    return small_graph()


def test_a_model_that_does_what_its_graph_predicts_agrees_in_full(graph: Graph) -> None:
    validation = LinearStudies().validate(graph, n=graph.n_features)
    assert validation.spearman == pytest.approx(1)
    assert validation.sign_share == 1
    agreement = validation.agreement()
    np.testing.assert_allclose(agreement["spearman"], 1)
    np.testing.assert_allclose(agreement["sign_share"], 1)
    assert agreement["pairs"].min() > 3


def test_a_model_that_does_the_opposite_disagrees_in_full(graph: Graph) -> None:
    validation = LinearStudies(lie=-1).validate(graph, n=graph.n_features)
    assert validation.spearman == pytest.approx(-1)
    assert validation.sign_share == 0


def test_direct_parts_are_edges_and_knock_on_effects_what_comes_through_others(graph: Graph) -> None:
    frame: Any = LinearStudies().validate(graph, n=graph.n_features).to_frame().set_index(["source", "target"])
    per_unit = graph.weights[:, : graph.n_features] / graph.activation
    names = {node: f"{graph.labels[node]} ({node})" if node in graph.labels else node for node in graph.node_ids}
    low, between, high = "0_19_4", "1_8_4", "2_9_5"
    source, target = graph.index(low), graph.index(high)
    row = frame.loc[(names[low], names[high])]
    assert row["direct"] == pytest.approx(-graph.weights[target, source] / graph.activation[target])
    through = np.flatnonzero(graph.feature_layer == 1)
    knock_on = -sum(per_unit[target, place] * graph.weights[place, source] for place in through)
    assert row["knock_on"] == pytest.approx(knock_on / graph.activation[target], rel=1e-5)
    assert not row["by_construction"]
    assert row["predicted"] == pytest.approx(row["direct"] + row["knock_on"])
    adjacent = frame.loc[(names[low], names[between])]
    assert adjacent["by_construction"]
    assert adjacent["knock_on"] == pytest.approx(0, abs=1e-6)


def test_features_may_come_from_anything_that_can_be_walked_once(graph: Graph) -> None:
    ids = ["0_5_5", "1_23_5", "2_9_5"]
    validation = LinearStudies().validate(graph, (node for node in ids))
    assert len(validation.effects) == validation.faithfulness.inside == 3


def test_only_what_a_group_can_reach_is_read(graph: Graph) -> None:
    frame = LinearStudies().validate(graph, {"low": ["0_5_5"], "earlier": ["1_8_4"], "later": ["1_23_5"]}).to_frame()
    pairs = set(zip(frame["source"], frame["target"], strict=True))
    assert ("low", "later") in pairs
    assert not pairs & {("low", "earlier"), ("later", "low"), ("earlier", "later"), ("low", "low")}
    assert {("later", "Austin"), ("later", "Dallas")} <= pairs


def test_a_group_is_read_as_its_summed_activation(graph: Graph) -> None:
    group = ["2_0_5", "2_9_5"]
    validation = LinearStudies().validate(graph, Circuit().group("say", group).pin("0_5_5"))
    row: Any = validation.to_frame().set_index(["source", "target"]).loc[("0_5_5", "say")]
    measured, predicted = validation.effects["0_5_5"].ratio(group)
    assert (row["measured"], row["predicted"]) == pytest.approx((measured - 1, predicted - 1))


def test_of_overlapping_groups_a_shared_feature_counts_for_the_ablated_one(graph: Graph) -> None:
    frame = LinearStudies().validate(graph, {"one": ["0_5_5", "2_0_5"], "two": ["2_0_5", "2_9_5"]}).to_frame()
    alone = LinearStudies().validate(graph, {"one": ["0_5_5", "2_0_5"], "two": ["2_9_5"]}).to_frame()
    row, expected = (one[(one["source"] == "one") & (one["target"] == "two")].iloc[0] for one in (frame, alone))
    assert row["measured"] == pytest.approx(expected["measured"])


def test_the_correlation_is_that_of_ranks_and_ties_share_theirs() -> None:
    rising = np.array([1.0, 2.0, 3.0, 10.0])
    assert spearman(rising, np.exp(rising)) == pytest.approx(1)
    assert spearman(rising, -rising) == pytest.approx(-1)
    # Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5).
    assert spearman(np.array([0.0, 1.0, 1.0, 7.0]), rising) == pytest.approx(4.5 / np.sqrt(4.5 * 5))
    assert np.isnan(spearman(rising[:2], rising[:2]))
    assert np.isnan(spearman(rising, np.ones(4)))


def test_predictions_of_nothing_have_no_sign_and_a_measured_nothing_is_wrong() -> None:
    assert sign_share(np.array([1.0, -1.0, 0.0, 2.0]), np.array([0.5, -0.1, 5.0, 0.0])) == pytest.approx(2 / 3)
    assert np.isnan(sign_share(np.zeros(3), np.ones(3)))


def test_in_mode_direct_there_is_nothing_to_validate(graph: Graph) -> None:
    with pytest.raises(InterventionError, match="validates nothing"):
        LinearStudies().validate(graph, mode="direct")


def test_a_real_model_is_validated_by_its_own_ablations() -> None:
    model = reference_model()
    graph = model.trace("the capital of France is")
    done: list[float] = []
    validation = graph.validate(n=6, progress=lambda part, text: done.append(part))
    assert done == sorted(done)
    assert done[-1] == pytest.approx(1)
    assert len(validation.effects) == 6
    name, effect = next(iter(validation.effects.items()))
    place = int(np.argmax(graph.influence[: graph.n_features]))
    single = model.intervene(graph, Ablate(graph.node_ids[place]))
    np.testing.assert_allclose(effect.logits_after, single.logits_after, atol=1e-4, rtol=0)
    rows = validation.to_frame().set_index(["source", "target"])
    direct = model.intervene(graph, Ablate(graph.node_ids[place]), mode="direct")
    target = graph.targets[0]
    row = rows.loc[(name, target.token)]
    assert row["direct"] == pytest.approx(direct.logits_after[target.token_id] - target.logit, abs=1e-4)
    assert row["measured"] == pytest.approx(single.logits_after[target.token_id] - target.logit, abs=1e-4)
    points = sum(len(trace.x) for trace in validation.plot().data if trace.mode == "markers")
    assert points == (validation.to_frame()["kind"] == "feature").sum()
    assert "errors stay" in repr(validation)
    with pytest.raises(Cancelled):
        graph.validate(n=2, cancelled=lambda: True)


def test_validating_a_graph_without_its_model_is_an_error(graph: Graph) -> None:
    with pytest.raises(NoModelError, match=r"model\.validate\(graph\)"):
        replace(graph, model=None).validate()


def test_every_feature_is_sufficient_and_no_other_is_ablated() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    ids = graph.node_ids[: graph.n_features]
    all_of_them = model.faithfulness(graph, ids)
    assert (all_of_them.inside, all_of_them.outside) == (graph.n_features, 0)
    assert all_of_them.sufficiency() == pytest.approx(1, rel=1e-4)
    np.testing.assert_allclose(
        all_of_them.without.logits_after, model.intervene(graph, Ablate(ids)).logits_after, atol=1e-4, rtol=0
    )


def test_what_is_in_the_circuit_and_what_is_not_are_ablated_in_turn() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    ids = graph.node_ids[: graph.n_features]
    inside, outside = ids[::3], [node for place, node in enumerate(ids) if place % 3]
    faithfulness = model.faithfulness(graph, {"a third": inside})
    assert (faithfulness.inside, faithfulness.outside) == (len(inside), len(outside))
    token = graph.targets[0].token_id
    for nodes, share in ((inside, faithfulness.necessity(token)), (outside, faithfulness.sufficiency(token))):
        before, after = model.intervene(graph, Ablate(nodes)).probability(token)
        assert share == pytest.approx(after / before, rel=1e-3)
    row = faithfulness.to_frame(token).iloc[0]
    assert (row["necessity"], row["sufficiency"]) == (faithfulness.necessity(token), faithfulness.sufficiency(token))


def test_features_that_a_graph_left_out_count_as_others() -> None:
    model = tiny_model()
    small = model.trace(PROMPT_IDS, max_features=20)
    faithfulness = model.faithfulness(small, small.node_ids[:20])
    assert faithfulness.inside + faithfulness.outside == len(model.activations(PROMPT_IDS)) > 20


@pytest.mark.parametrize("kind", ["per-layer", "cross-layer", "top-k with skip"])
def test_errors_can_be_ablated_with_every_other_feature(kind: str) -> None:
    case = case_of("llama", kind)
    model, graph = case.model, case.graph
    ids = graph.node_ids[: graph.n_features]
    inside, outside = ids[::3], [feature_at(graph, place) for place in range(len(ids)) if place % 3]
    found = model.faithfulness(graph, inside, ablate_errors=True)
    assert (found.inside, found.outside, found.errors) == (len(inside), len(outside), 3 * 6)
    assert f"all {3 * 6} errors ablated too" in repr(found)
    added = {(layer, at): -case.plain.error(layer, at) for layer in range(3) for at in range(1, 7)}
    assert_close(found.only.logits_after, case.plain.clamping(dict.fromkeys(outside, 0.0), added=added))
    kept = model.faithfulness(graph, inside)
    np.testing.assert_allclose(found.without.logits_after, kept.without.logits_after, atol=1e-5, rtol=0)
    assert kept.errors == 0
    assert float(np.abs(found.only.logits_after - kept.only.logits_after).max()) > 1e-2


def test_every_error_is_ablated_whatever_the_graph_left_out_or_pruned() -> None:
    model = tiny_model()
    whole = model.trace(PROMPT_IDS)
    small = model.trace(PROMPT_IDS, max_features=20)
    kept = small.node_ids[:20:2]
    for graph in (small, small.prune(node_threshold=0.99)):
        ids = [node for node in kept if graph.find(node) is not None]
        found, expected = (model.faithfulness(one, ids, ablate_errors=True) for one in (graph, whole))
        assert found.errors == expected.errors == 18
        np.testing.assert_allclose(found.only.logits_after, expected.only.logits_after, atol=1e-4, rtol=0)
    everything = whole.node_ids[: whole.n_features]
    bare = model.faithfulness(whole, everything, ablate_errors=True)
    errors = [node for node in whole.node_ids[whole.n_features :] if "_-1_" in node and not node.endswith("_0")]
    np.testing.assert_allclose(
        bare.only.logits_after, model.intervene(whole, Ablate(errors)).logits_after, atol=1e-5, rtol=0
    )


def test_faithfulness_in_a_sentence_has_its_numbers_and_where_most_is_left_out() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    ids = graph.node_ids[: graph.n_features]
    places = list(zip(graph.feature_layer.tolist(), graph.feature_position.tolist(), strict=True))
    inside = [node for node, place in zip(ids, places, strict=True) if place != (1, 3)]
    found = model.faithfulness(graph, inside)
    before, after = found.only.probability(graph.targets[0].token_id)
    assert str(found).startswith(
        f"This circuit alone keeps {after / before:.0%} of {graph.targets[0].token!r} ({before:.2g} → "
    )
    assert str(found).endswith(
        f"; most of the influence of the features that it leaves out (100%) is at {graph.tokens[3].text!r}, layer 1."
    )
    sums = dict.fromkeys(places, 0.0)
    for index, place in enumerate(places[2:], 2):
        sums[place] += float(graph.influence[index])
    layer, position = max(sums, key=lambda place: sums[place])
    share = max(sums.values()) / sum(sums.values())
    what = "most" if share > 0.5 else "the largest part"
    two = str(model.faithfulness(graph, ids[:2], ablate_errors=True))
    assert f"{what} of the influence of the features that it leaves out ({share:.0%})" in two
    assert two.endswith(f"is at {graph.tokens[position].text!r}, layer {layer}.")
    assert "alone and without the 18 errors keeps" in two
    assert "leaves out" not in str(model.faithfulness(graph, ids))


def test_a_small_share_in_a_sentence_is_not_zero() -> None:
    model = cw.load("demo")
    graph = model.trace("the capital of the state containing Dallas is", progress=False)
    found = model.faithfulness(graph, graph.propose_groups(2, progress=False).to_circuit(), progress=False)
    assert 0 < found.sufficiency() < 0.001
    assert "This circuit alone keeps less than 0.1% of 'Austin'" in str(found)


def test_a_validation_in_words_has_its_numbers() -> None:
    graph = tiny_model().trace(PROMPT_IDS)
    validation = graph.validate(n=6, progress=False)
    frame = validation.to_frame()
    pairs = frame[frame["kind"] == "feature"]
    assert str(validation) == (
        f"Of {len(pairs)} changes of groups when 6 are ablated in turn, the graph predicts the right sign in "
        f"{validation.sign_share:.0%} and Spearman {validation.spearman:.2f} ({pairs['by_construction'].sum()} of them along "
        f"direct edges alone, confirmed by construction). {validation.faithfulness}"
    )
    alone = graph.validate([graph.node_ids[0]], progress=False)
    assert str(alone).startswith(f"Of {len(graph.targets)} changes of logits when 1 is ablated, the graph predicts ")
