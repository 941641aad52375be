"""Errors and tokens changed, beside features: what no transcoder explains and what was typed, by every measure."""

from typing import Any

import numpy as np
import pytest
import torch

from circuit_widget.errors import InterventionError, NodeError
from circuit_widget.graph import Graph
from circuit_widget.graph.node_table import feature_at
from circuit_widget.intervention import Ablate, Add, Intervention, Scale, Set, SwapIn
from circuit_widget.nodes import Everywhere, Feature
from circuit_widget.replacement_model import ReplacementModel
from tests.cases import CASES, TOKENS, Case, assert_close, case_of, in_turn, spread
from tests.intervention.test_batch import ROUNDING, assert_same
from tests.models import PROMPT_IDS, run_of, tiny_model

MODES = ("direct", "frozen_attention", "total", (0, 1), (1, 2))
LIMITED = {
    "per-layer": lambda: tiny_model(),
    "jump": lambda: tiny_model(jump=True),
    "top-k": lambda: tiny_model(top_k=12),
    "cross-layer": lambda: tiny_model(cross_layer=True),
}


@pytest.fixture(params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(*request.param)


def first_of(case: Case) -> int:
    return case.model.read_prompt(PROMPT_IDS).first_position


def rounding(case: Case) -> float:
    return ROUNDING.get(str(case.model.model.network.config.model_type).removesuffix("_text"), 1e-6)


def constants_of(case: Case) -> list[str]:
    """Ids of errors of every layer and of all tokens that can be changed."""
    graph, first = case.graph, first_of(case)
    errors = [f"{layer}_-1_{position}" for layer in range(graph.n_layers) for position in (first, 5, 6)]
    tokens = [node for node in graph.node_ids if node.startswith("E_")]
    return [*errors, *tokens]


def test_an_error_or_token_taken_away_takes_its_edges_away(case: Case) -> None:
    model, graph = case.model, case.graph
    before = run_of(model, PROMPT_IDS).captured.uncapped_logits[list(TOKENS)]
    nodes = constants_of(case)
    for node, effect in zip(
        nodes, model.intervene_many(graph, [Ablate(node) for node in nodes], mode="direct"), strict=True
    ):
        column = graph.weights[:, graph.index(node)]
        reaches_none = node.startswith("2_") and not node.endswith("_6")
        # Of few nodes there may be none in reach of a window of four positions.
        few = graph.left_out and node.endswith("_1")
        assert np.abs(column).max() > 1e-3 or reaches_none or few
        change = (effect.nodes["after"] - effect.nodes["before"]).to_numpy()
        assert_close(-change, column[: graph.n_features])
        expected = model.model.capped(before - torch.tensor(column[graph.n_features :]))
        assert_close(effect.logits_after[list(TOKENS)], expected)
        np.testing.assert_array_equal(effect.nodes["predicted"], effect.nodes["after"])


@in_turn
def test_in_mode_direct_errors_tokens_and_features_add_up(case: Case) -> None:
    graph = case.graph
    error, token, feature = "1_-1_5", graph.node_ids[graph.weights.shape[1] - 3], graph.node_ids[3]
    effect = case.model.intervene(graph, [Scale([error, feature], 3), Scale(token, -1)], mode="direct")
    columns = [graph.weights[: graph.n_features, graph.index(node)] for node in (error, feature, token)]
    change = (effect.nodes["after"] - effect.nodes["before"]).to_numpy()
    others = np.arange(graph.n_features) != 3
    assert_close(change[others], (2 * columns[0] + 2 * columns[1] - 2 * columns[2])[others])


@pytest.mark.parametrize("factor", [0.0, 2.5])
def test_an_error_changed_for_good_is_a_plain_pass_with_a_hook(case: Case, factor: float) -> None:
    for layer, position in ((0, first_of(case)), (1, 5), (2, 6)):
        effect = case.model.intervene(case.graph, Scale(f"{layer}_-1_{position}", factor))
        vector = (factor - 1) * case.plain.error(layer, position)
        assert_close(effect.logits_after, case.plain.clamping({}, added={(layer, position): vector}))
        assert float(np.abs(effect.logits_after - effect.logits_before).max()) > 1e-3


@pytest.mark.parametrize("factor", [0.0, -1.0])
def test_a_token_changed_for_good_is_a_plain_pass_with_its_embedding_scaled(case: Case, factor: float) -> None:
    tokens = case.graph.node_ids[case.graph.n_features + case.graph.n_errors :]
    for position in (0, 3, 6):
        effect = case.model.intervene(case.graph, Scale(tokens[position], factor))
        assert_close(effect.logits_after, case.plain.clamping({}, embeddings={position: factor}))
        assert float(np.abs(effect.logits_after - effect.logits_before).max()) > 1e-3


@in_turn
@pytest.mark.parametrize("clamped", [(0, 2), (0, 1), (1, 1)])
def test_a_constrained_change_of_all_kinds_is_a_plain_pass_with_clamped_outputs(
    case: Case, clamped: tuple[int, int]
) -> None:
    graph = case.graph
    features = [feature_at(graph, node) for node in spread(4, graph.n_features)]
    token = graph.node_ids[graph.n_features + graph.n_errors + 5]
    given = [Ablate([*features, "1_-1_5", "2_-1_6"]), Scale(token, 0.5)]
    effect = case.model.intervene(graph, given, mode=clamped)
    added = {place: -case.plain.error(*place) for place in ((1, 5), (2, 6))}
    values = dict.fromkeys(features, 0.0)
    expected = case.plain.clamping(values, range(clamped[0], clamped[1] + 1), added=added, embeddings={5: 0.5})
    assert_close(effect.logits_after, expected)


def test_all_kinds_changed_together_are_a_plain_pass_with_hooks_also_downstream(case: Case) -> None:
    graph = case.graph
    features = [feature_at(graph, node) for node in spread(4, graph.n_features)]
    token = graph.node_ids[graph.n_features + graph.n_errors + 5]
    effect = case.model.intervene(graph, [Ablate([*features, "0_-1_5", token])])
    added = {(0, 5): -case.plain.error(0, 5)}
    expected = case.plain.clamping(dict.fromkeys(features, 0.0), added=added, embeddings={5: 0.0})
    assert_close(effect.logits_after, expected)
    after = effect.nodes.set_index("id")["after"]
    others = [node for node in spread(30, graph.n_features) if feature_at(graph, node) not in features]
    read = [case.plain.activation(feature_at(graph, node)) for node in others]
    assert_close([after[graph.node_ids[node]] for node in others], read)


@in_turn
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_batch_is_its_experiments_one_by_one(case: Case, mode: Any) -> None:
    graph = case.graph
    tokens = graph.node_ids[graph.n_features + graph.n_errors :]
    other = [*PROMPT_IDS[:5], 18, *PROMPT_IDS[6:]]
    experiments: list[Intervention] = [
        Ablate("2_-1_6"),
        Ablate([tokens[5], graph.node_ids[7]]),
        Scale(["1_-1_5", "0_-1_6"], 2),
        Ablate(graph.node_ids[graph.n_features - 1]),
        SwapIn([tokens[5], "1_-1_5"], other),
    ]
    together = case.model.intervene_many(graph, experiments, mode=mode)
    for effect, experiment in zip(together, experiments, strict=True):
        # Products of other shapes are rounded otherwise, and a whole embedding taken away makes that grow.
        assert_same(effect, case.model.intervene(graph, experiment, mode=mode), 3e-6)


@in_turn
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_rerun_from_where_it_starts_is_a_whole_one(case: Case, mode: Any) -> None:
    """A first token that is clamped at itself makes the model run again from its very beginning."""
    graph = case.graph
    everything = Scale(graph.node_ids[graph.n_features + graph.n_errors], 1)
    for given in ([Ablate("1_-1_5")], [Ablate(graph.node_ids[graph.n_features - 1])]):
        part, whole = (case.model.intervene(graph, changed, mode=mode) for changed in (given, [*given, everything]))
        for found, expected in (
            (part.logits_after, whole.logits_after),
            (part.logits_predicted, whole.logits_predicted),
            (part.nodes["after"], whole.nodes["after"]),
        ):
            assert_close(found, expected, rounding(case))


@in_turn
@pytest.mark.parametrize("mode", MODES[1:], ids=str)
def test_a_token_swapped_in_gives_the_logits_of_the_other_prompt(case: Case, mode: Any) -> None:
    other = [*PROMPT_IDS[:5], 18, *PROMPT_IDS[6:]]
    token = f"E_{PROMPT_IDS[5]}_5"
    effect = case.model.intervene(case.graph, SwapIn(token, other), mode=mode)
    assert float(np.abs(effect.logits_after - effect.logits_before).max()) > 1e-2
    if mode == "total":
        assert_close(effect.logits_after, run_of(case.model, other).captured.logits, 2e-6)
        there = case.model.activations(other)
        places = [feature_at(case.graph, node) for node in range(case.graph.n_features)]
        assert_close(effect.nodes["after"][: len(places)], [there.get(place, 0.0) for place in places])
    assert effect.injected == ()


@in_turn
def test_an_error_swapped_in_is_that_of_the_other_prompt(case: Case) -> None:
    other = [*PROMPT_IDS[:5], 18, *PROMPT_IDS[6:]]
    effect = case.model.intervene(case.graph, SwapIn(["0_-1_5", "2_-1_6"], other))
    there = type(case.plain)(case.model, tuple(other), case.plain.nodes)
    added = {place: there.error(*place) - case.plain.error(*place) for place in ((0, 5), (2, 6))}
    assert_close(effect.logits_after, case.plain.clamping({}, added=added))
    assert effect.injected == ()


def test_everything_a_layer_writes_swapped_in_is_what_it_writes_there() -> None:
    """Error and features of a place together are the MLP's whole output there."""
    case = case_of("llama", "per-layer")
    other = [*PROMPT_IDS[:6], 18]
    here = [node for node, at in zip(case.graph.node_ids, case.graph.feature_position, strict=False) if at == 6]
    nodes = [node for node in here if node.startswith("2_")]
    effect = case.model.intervene(case.graph, SwapIn([*nodes, "2_-1_6"], other))
    written = [run_of(case.model, ids).captured.layers[2].mlp_output[6] for ids in (other, PROMPT_IDS)]
    assert_close(effect.logits_after, case.plain.clamping({}, added={(2, 6): written[0] - written[1]}))
    assert effect.injected


def test_predictions_follow_the_edges_of_errors_and_tokens() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    nodes = ["0_-1_3", "1_-1_4", graph.node_ids[graph.n_features + graph.n_errors + 2]]
    effect = model.intervene(graph, Ablate(nodes))
    delta = np.zeros(graph.n_features)
    sources = graph.weights[:, [graph.index(node) for node in nodes]].sum(1)
    for layer in range(graph.n_layers):
        here = graph.feature_layer == layer
        delta[here] = -sources[: graph.n_features][here]
        delta[here] += graph.weights[: graph.n_features][here, : graph.n_features] @ (delta / graph.activation)
    predicted = (effect.nodes["predicted"] - effect.nodes["before"]).to_numpy()
    np.testing.assert_allclose(predicted, delta, atol=5e-5, rtol=1e-4)
    logits = graph.weights[graph.n_features :, : graph.n_features] @ (delta / graph.activation)
    logits -= sources[graph.n_features :]
    changes = [effect.predicted_logits[t.token_id] - effect.logits_before[t.token_id] for t in graph.targets]
    np.testing.assert_allclose(np.array(changes) - changes[0], logits - logits[0], atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module", params=LIMITED)
def limited(request: pytest.FixtureRequest) -> tuple[ReplacementModel, Graph]:
    model = LIMITED[request.param]()
    return model, model.trace(PROMPT_IDS, max_features=25)


def test_what_a_limited_graph_left_out_belongs_to_its_errors(limited: tuple[ReplacementModel, Graph]) -> None:
    model, graph = limited
    assert graph.left_out
    whole = model.trace(PROMPT_IDS)
    for layer in range(graph.n_layers):
        for position in (1, 4, 6):
            node = f"{layer}_-1_{position}"
            effect = model.intervene(graph, Ablate(node), mode="direct")
            column = graph.weights[:, graph.index(node)]
            assert_close(effect.nodes["before"] - effect.nodes["after"], column[: graph.n_features])
            change = effect.logits_before - effect.logits_after
            logits = [target.token_id for target in graph.targets]
            assert_close(change[logits] - change.mean(), column[graph.n_features :])
    rows = [whole.index(node) for node in graph.node_ids[: graph.n_features]]
    bare = whole.weights[rows][:, [whole.index("0_-1_4")]].ravel()
    assert float(np.abs(bare - graph.weights[: graph.n_features, graph.index("0_-1_4")]).max()) > 1e-3


def test_a_feature_that_joined_an_error_is_not_taken_away_twice(limited: tuple[ReplacementModel, Graph]) -> None:
    model, graph = limited
    joined = [feature for feature in model.activations(PROMPT_IDS).at(0, 4) if graph.find(feature) is None]
    assert joined
    for mode in ("direct", (0, 0), (0, 1), (0, 2)):
        once = model.intervene(graph, Ablate("0_-1_4"), mode=mode)
        both = model.intervene(graph, Ablate(["0_-1_4", *joined]), mode=mode)
        assert_close(once.logits_after, both.logits_after)
        assert float(np.abs(once.logits_after - once.logits_before).max()) > 1e-3
    for mode in ("direct", "total"):
        kept = model.intervene(graph, [Ablate("0_-1_4"), Scale(joined, 1)], mode=mode)
        whole = model.intervene(model.trace(PROMPT_IDS), [Ablate("0_-1_4"), Scale(joined, 1)], mode=mode)
        assert_close(kept.logits_after, whole.logits_after)


def test_of_a_limited_and_pruned_graph_an_error_is_changed_only_where_it_is_clear_what_it_holds() -> None:
    model = tiny_model()
    pruned = model.trace(PROMPT_IDS, max_features=25).prune()
    with pytest.raises(
        InterventionError, match="it is no longer known which other features belong to the error '0_-1_4'"
    ):
        model.intervene(pruned, Ablate("0_-1_4"))
    features = [feature for feature in model.activations(PROMPT_IDS).at(0, 4) if pruned.find(feature) is None]
    named = model.intervene(pruned, Ablate(["0_-1_4", *features]))
    whole = model.intervene(model.trace(PROMPT_IDS), Ablate(["0_-1_4", *features]))
    assert_close(named.logits_after, whole.logits_after)


def test_an_error_that_pruning_dropped_is_still_there_to_be_changed() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    small = graph.prune(node_threshold=0.2)
    node = next(node for node in ("0_-1_2", "1_-1_2", "1_-1_3", "0_-1_3") if small.find(node) is None)
    effects = [model.intervene(one, Ablate(node)) for one in (graph, small)]
    np.testing.assert_array_equal(*(effect.logits_after for effect in effects))


def test_the_later_change_of_an_error_or_token_holds() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    token = graph.node_ids[graph.n_features + graph.n_errors + 3]
    for node in ("1_-1_3", token):
        twice = model.intervene(graph, [Scale(node, 5), Ablate(node)])
        np.testing.assert_array_equal(twice.logits_after, model.intervene(graph, Ablate(node)).logits_after)
        same = model.intervene(graph, [Ablate(node), Scale(node, 1)])
        assert_close(same.logits_after, same.logits_before)


def test_an_error_is_swept_over_like_a_feature() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    sweep = model.sweep(graph, "1_-1_6", [0, 1, 2])
    assert sweep.name == "1 error"
    assert_close(sweep.effects[1].logits_after, sweep.effects[1].logits_before)
    alone = model.intervene(graph, Ablate("1_-1_6"))
    assert_close(sweep.effects[0].logits_after, alone.logits_after)
    assert model.sweep_last_layer(graph, Ablate("0_-1_6")).name == "1 error ×0"


def test_an_effect_names_what_was_done_and_has_no_activations_of_errors_and_tokens() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    token = graph.node_ids[graph.n_features + graph.n_errors + 3]
    effect = model.intervene(graph, [Ablate(["1_-1_3", token, graph.node_ids[4]]), Scale("2_-1_3", 2)])
    assert effect.name == "1 feature, 1 error and 1 token ×0, 1 error ×2"
    assert effect.interventions[0].members == ("1_-1_3", token, graph.node_ids[4])
    assert effect.nodes["id"].tolist() == list(graph.node_ids[: graph.n_features])
    assert effect.interventions[1].to_json() == {"kind": "scale", "nodes": ["2_-1_3"], "factor": 2.0}
    assert effect.mode == "total"


@pytest.mark.parametrize(
    ("intervention", "error", "message"),
    [
        (
            Set("1_-1_3", 2.0),
            InterventionError,
            "'1_-1_3' is an error, which has no activation that Set could change; Ablate, Scale and SwapIn take",
        ),
        (Add(["0_0_0", "E_5_3"], [1, 2]), NodeError, "has no node"),
        (Add("E_5_3", 2.0), InterventionError, "'E_5_3' is a token, which has no activation that Add could change"),
        (Ablate("3_-1_3"), NodeError, "The error '3_-1_3' does not exist; the model has layers 0 to 2."),
        (Ablate("1_-1_0"), InterventionError, "The error '1_-1_0' cannot be changed; those at positions 1 to 5 can"),
        (Ablate("1_-1_6"), InterventionError, "those at positions 1 to 5 can (nothing before them is reconstructed"),
        (Ablate("1_-1_700000000000000000000"), NodeError, "has no node"),
        (Ablate("E_120_6"), InterventionError, "The token 'E_120_6' cannot be changed; those at positions 0 to 5 can"),
        (Ablate("E_5_4"), NodeError, "has no node"),
        (Ablate("E_5_99"), NodeError, "has no node"),
        (SwapIn("E_5_3", [1, 17, 42]), InterventionError, "has no counterpart in the other prompt"),
        (
            SwapIn("E_5_3", [*PROMPT_IDS[:-1], 3], features="1_-1_3"),
            InterventionError,
            "The features to swap in are features; '1_-1_3' is none. Name it among the nodes of SwapIn.",
        ),
    ],
)
def test_what_cannot_be_done_to_errors_and_tokens_is_explained(
    intervention: Intervention, error: type[Exception], message: str
) -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS, position=5)
    with pytest.raises(error) as refusal:
        model.intervene(graph, intervention)
    assert message in str(refusal.value)


@pytest.mark.parametrize("node", ["1_-1_3", "E_5_3"])
def test_generation_and_controls_take_features_alone(node: str) -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    with pytest.raises(InterventionError) as refusal:
        model.generate(PROMPT_IDS, interventions=Ablate([Everywhere(0, 1), node]), new_tokens=True)
    assert "is an error or a token; only features can be changed while the model generates" in str(refusal.value)
    with pytest.raises(
        InterventionError, match=r"Controls are drawn for features alone; .* is an? (error|token). Leave"
    ):
        model.controls(graph, Ablate([node, graph.node_ids[0]]), n=1)
    assert Feature(0, 1, 1).id in Set(Feature(0, 1, 1).id, 1).members


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_sixteen_bit_weights_take_the_change_as_well(mode: Any) -> None:
    model = tiny_model()
    exact = tiny_model()
    for weight in model.model.network.parameters():
        weight.data = weight.data.to(torch.bfloat16)
    graph = model.trace(PROMPT_IDS)
    token = graph.node_ids[graph.n_features + graph.n_errors + 3]
    given = [Ablate([token, "1_-1_4"])]
    found = model.intervene(graph, given, mode=mode)
    expected = exact.intervene(exact.trace(PROMPT_IDS), given, mode=mode)
    change = [effect.logits_after - effect.logits_before for effect in (found, expected)]
    assert float(np.abs(change[0] - change[1]).max()) < 0.15 * float(np.abs(change[1]).max())
