"""Proposed groups have what belongs together, keep apart what pushes opposite ways, and say why in words."""

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import Cancelled, CircuitError, CircuitWidgetError, InterventionError, NoModelError
from circuit_widget.graph import Graph, PromptToken, Target
from circuit_widget.intervention.groups import groups_of
from circuit_widget.proposal import Proposal, Proposals
from circuit_widget.proposal.knowledge import knowledge_of
from circuit_widget.proposal.naming import all_different
from tests.models import tiny_model


def made(
    to_logits: Sequence[Sequence[float]],
    from_tokens: Sequence[Sequence[float]],
    activation: Sequence[float] | None = None,
    labels: dict[str, str] | None = None,
) -> Graph:
    """A graph of one layer without errors: what each logit gets from features, and each feature from the two tokens."""
    count = len(from_tokens)
    tokens, logits = np.array(from_tokens, dtype=np.float32), np.array(to_logits, dtype=np.float32)
    weights = np.zeros((count + len(logits), count + 2), dtype=np.float32)
    weights[:count, count:], weights[count:, :count] = tokens, logits
    return Graph.build(
        tokens=[PromptToken(" hot", 3), PromptToken(" is", 4)],
        targets=[Target(" cold", 7, 0.6, 2.0), Target(" warm", 8, 0.4, 1.0)][: len(logits)],
        position=1,
        n_layers=1,
        feature_layer=np.zeros(count, np.int32),
        feature_position=np.ones(count, np.int32),
        feature_index=np.arange(count, dtype=np.int32),
        activation=np.array(activation or [1.0] * count, dtype=np.float32),
        error_layer=np.zeros(0, np.int32),
        error_position=np.zeros(0, np.int32),
        token_position=np.arange(2, dtype=np.int32),
        weights=weights,
        labels=labels,
    )


def together(graph: Graph, **settings: Any) -> set[frozenset[int]]:
    """The proposed groups of `made`, as the numbers of their features."""
    groups = graph.propose_groups(graph.n_nodes, progress=False, **settings)
    return {frozenset(int(node.split("_")[1]) for node in one.nodes) for one in groups}


def test_the_same_sources_and_targets_are_one_group() -> None:
    graph = made([[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [1, 0], [0, 1], [0, 1]])
    assert together(graph) == {frozenset({0, 1}), frozenset({2, 3})}


def test_features_that_push_opposite_ways_are_apart() -> None:
    graph = made([[1, 1, -1, -1]], [[1, 0]] * 4)
    assert together(graph) == {frozenset({0, 1}), frozenset({2, 3})}


def test_features_that_the_same_token_turns_on_and_off_are_apart() -> None:
    assert together(made([[1, 1]], [[1, 0], [-1, 0]])) == {frozenset({0}), frozenset({1})}


def test_a_neuron_below_zero_is_alike_where_its_size_has_the_same_inputs() -> None:
    graph = made([[1, 1, 1]], [[1, 0], [-1, 0], [1, 0]], activation=[1, -1, -1])
    assert together(graph) == {frozenset({0, 1}), frozenset({2})}


def test_what_opposes_through_a_third_feature_is_not_joined_by_it() -> None:
    graph = made([[1, 0.1, -1], [1, 1, 1]], [[1, 0]] * 3)
    for group in together(graph):
        assert not {0, 2} <= group


def test_every_group_has_its_nodes_to_itself_and_a_name_of_its_own() -> None:
    graph = cw.load("demo").trace("the capital of the state containing Dallas is", progress=False)
    groups = graph.propose_groups(40, progress=False)
    nodes = [node for one in groups for node in one.nodes]
    assert len(nodes) == len(set(nodes)) > 60
    assert len({one.name for one in groups}) == len(groups)
    assert not any("_" in one.name or "feature " in one.name for one in groups)
    shares = [one.evidence["influence_share"] for one in groups]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(
        graph.influence[graph.resolve(nodes),].sum() / graph.influence[: graph.n_features].sum()
    )


def test_proposals_are_the_same_each_time_and_survive_a_pickle() -> None:
    graph = cw.load("demo").trace("the opposite of hot is", progress=False)
    first, second = (graph.propose_groups(progress=False) for _ in range(2))
    assert first == second == pickle.loads(pickle.dumps(first))


def test_the_answer_and_the_state_are_named_in_words() -> None:
    model = cw.load("demo")
    groups = model.trace("the capital of the state containing Dallas is", progress=False).propose_groups(progress=False)
    names = {one.name for one in groups}
    assert {"say Austin", "Texas", "capital"} <= names
    texas = next(one for one in groups if one.name == "Texas")
    assert "mostly from “Dallas”" in texas.reason
    assert "raise “Austin”" in texas.reason


def test_a_name_is_never_what_a_group_suppresses() -> None:
    lowered = made([[-1, -1], [2, 2]], [[1, 0], [1, 0]]).propose_groups(progress=False)[0]
    assert lowered.name == "say warm"
    assert "lower “cold”" in lowered.reason
    assert made([[-1, -1]], [[1, 0], [1, 0]]).propose_groups(progress=False)[0].name == "from “hot”"


def test_neurons_below_zero_promote_what_their_weights_suppress() -> None:
    model = cw.load(cw.load("demo").model.network, tokenizer=cw.load("demo").model.tokenizer)
    graph = model.trace("the opposite of hot is", max_features=60, progress=False)
    places = np.arange(graph.n_features)
    known = knowledge_of(model, graph, places, ablations=False, progress=lambda *_: None, cancelled=None)
    rows = known.views["promoted"].rows
    assert (graph.activation < 0).any()
    for place in places.tolist():
        card = model.feature_card(int(graph.feature_layer[place]), int(graph.feature_index[place]))
        token = card.at(float(graph.activation[place])).promoted[0][0]
        assert model.tokenize(token)[-1].token_id == int(np.argmax(rows[place]))


def test_equal_names_are_distinguished_by_place_layer_and_number() -> None:
    graph = made([[1, 1, 1, 1]], [[1, 0]] * 4)
    names = all_different(graph, ["heat"] * 4, [[0], [1], [2], [3]])
    assert names == ["heat", "heat at is", "heat at is, layer 0", "heat at is, layer 0, 2"]


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "x", 10_000])
def test_a_wrong_number_of_groups_is_refused(n: Any) -> None:
    graph = made([[1, 1]], [[1, 0]] * 2)
    for propose in (graph.propose_groups, graph.propose_circuit):
        with pytest.raises(CircuitError, match="n, the number of groups, is a whole number from 1 to 5"):
            propose(n)


def test_a_graph_without_features_has_nothing_to_group() -> None:
    with pytest.raises(CircuitError, match="no features to group"):
        without_features().propose_groups()


def without_features() -> Graph:
    """A graph of a token and a logit alone."""
    graph = made([[1]], [[1, 0]])
    columns = ("feature_layer", "feature_position", "feature_index", "activation")
    weights = np.ones((1, 2), dtype=np.float32)
    rest = {
        name: getattr(graph, name)
        for name in ("tokens", "targets", "position", "n_layers", "error_layer", "error_position", "token_position")
    }
    return Graph.build(**rest, **{name: getattr(graph, name)[:0] for name in columns}, weights=weights)


@pytest.mark.parametrize("settings", [{"ablations": True}, {"namer": lambda cards: "name"}])
def test_what_needs_a_model_says_so(settings: dict[str, Any]) -> None:
    with pytest.raises(NoModelError, match="this graph has none with it; give the one it was traced with as model="):
        made([[1, 1]], [[1, 0]] * 2).propose_groups(**settings)


def test_another_model_is_refused() -> None:
    graph = made([[1, 1]], [[1, 0]] * 2)
    with pytest.raises(InterventionError):
        graph.propose_groups(model=tiny_model(), progress=False)
    with pytest.raises(InterventionError, match=r"A model is what cw\.load returns"):
        graph.propose_groups(model="gpt2")
    with pytest.raises(CircuitError, match="ablations is True or False"):
        graph.propose_groups(ablations="yes")


def test_a_namer_names_and_its_faults_are_its_own() -> None:
    graph = cw.load("demo").trace("the opposite of hot is", progress=False)
    given: list[Any] = []

    def namer(cards: Any) -> str:
        given.append(cards)
        return "heat"

    groups = graph.propose_groups(3, namer=namer, progress=False)
    assert [one.name.split(" at ")[0] for one in groups] == ["heat"] * 3
    assert len({one.name for one in groups}) == 3
    assert [(card.layer, card.feature) for card in given[0]] == [
        tuple(map(int, node.split("_")[:2])) for node in groups[0].nodes[:12]
    ]
    with pytest.raises(
        CircuitWidgetError, match=r"The namer failed at the group of .*ZeroDivisionError: division by zero"
    ):
        graph.propose_groups(namer=lambda cards: str(1 / 0), progress=False)
    for wrong in (None, 7, "", "x\ny", "x" * 81):
        with pytest.raises(CircuitWidgetError, match="The namer returned no name for the group of"):
            graph.propose_groups(namer=lambda cards, wrong=wrong: wrong, progress=False)


def test_ablations_count_and_can_be_cancelled() -> None:
    graph = cw.load("demo").trace("the opposite of hot is", progress=False)
    reports: list[float] = []
    with_them = graph.propose_groups(ablations=True, progress=lambda done, text: reports.append(done))
    assert any("ablations" in one.evidence for one in with_them)
    assert not any("ablations" in one.evidence for one in graph.propose_groups(progress=False))
    assert reports == sorted(reports)
    assert reports[-1] == 1
    calls = 0

    def cancelled() -> bool:
        nonlocal calls
        calls += 1
        return calls > 6

    with pytest.raises(Cancelled):
        graph.propose_groups(ablations=True, progress=False, cancelled=cancelled)
    with pytest.raises(Cancelled):
        made([[1, 1]], [[1, 0]] * 2).propose_groups(progress=False, cancelled=lambda: True)


def test_the_frame_has_the_evidence_and_gaps_where_it_is_not_known() -> None:
    frame = made([[1, 1]], [[1, 0]] * 2).propose_groups(progress=False).to_frame()
    assert list(frame.columns[:3]) == ["name", "nodes", "reason"]
    row = frame.iloc[0]
    assert (row["features"], row["influence_share"], row["first_target"]) == (2, 1, 2)
    assert row["alike"] == pytest.approx(1)
    assert np.isnan(row["promoted"])
    assert np.isnan(row["ablations"])


def test_proposals_refuse_what_no_circuit_can_have() -> None:
    one = Proposal("heat", ("0_0_1",), "A reason.", {"features": 1})
    with pytest.raises(CircuitError, match="Two proposals have the name “heat”"):
        Proposals((one, Proposal("heat", ("0_1_1",), "A reason.")))
    with pytest.raises(CircuitError, match="“0_0_1” is in two proposals"):
        Proposals((one, Proposal("cold", ("0_0_1",), "A reason.")))
    with pytest.raises(CircuitError, match="alike of a proposal is a finite number"):
        Proposal("heat", ("0_0_1",), "A reason.", {"alike": float("nan")})
    with pytest.raises(CircuitError, match="has the numbers features"):
        Proposal("heat", ("0_0_1",), "A reason.", {"luck": 1.0})
    with pytest.raises(CircuitError, match="reason"):
        Proposal("heat", ("0_0_1",), " ")


def test_groups_of_a_circuit_keep_their_features_and_names() -> None:
    graph = made([[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [1, 0], [0, 1], [0, 1]])
    first, second = graph.propose_groups(progress=False)
    circuit = Circuit().group(second.name, first.nodes)
    (left,) = graph.propose_groups(circuit=circuit, progress=False)
    assert left.nodes == second.nodes
    assert left.name != second.name
    everything = circuit.group("rest", second.nodes)
    assert len(graph.propose_groups(circuit=everything, progress=False)) == 0
    with pytest.raises(CircuitError, match="circuit is a Circuit"):
        graph.propose_groups(circuit={"groups": []}, progress=False)


def test_a_proposal_in_place_of_a_circuit_is_refused_with_the_way_to_one() -> None:
    graph = made([[1, 1, 0, 0], [0, 0, 1, 1]], [[1, 0], [1, 0], [0, 1], [0, 1]])
    proposed: Any = graph.propose_circuit(n=2, progress=False)
    groups: Any = proposed.groups
    widget: Any = graph.show(circuit=proposed.to_circuit())
    for call in (
        lambda: graph.show(circuit=proposed),
        lambda: graph.figure(proposed),
        lambda: setattr(widget, "circuit", proposed),
    ):
        with pytest.raises(
            CircuitWidgetError, match=r"A ProposedCircuit becomes a circuit by its method to_circuit\(\)"
        ):
            call()
    with pytest.raises(CircuitError, match=r"A Proposals becomes a circuit by its method to_circuit\(\)"):
        graph.propose_groups(circuit=groups, progress=False)
    with pytest.raises(InterventionError, match=r"given .*A Proposals becomes a circuit by its method to_circuit\(\)"):
        groups_of(graph, groups, 3)
