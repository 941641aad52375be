"""A circuit taken over to another graph: the same features at counterpart positions, and what is left out is named."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuit_widget.circuit.carry_over import carry_over
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import NodeError
from circuit_widget.graph import Graph
from circuit_widget.loading import load
from circuit_widget.model.tokens.counterparts import counterparts
from circuit_widget.nodes import Feature
from circuit_widget.replacement_model import ReplacementModel

DALLAS = "the capital of the state containing Dallas is"
OAKLAND = "the capital of the state containing Oakland is"
SHORTER = "the capital of Texas is"


@cache
def model() -> ReplacementModel:
    return load("demo")


@cache
def graph(prompt: str = DALLAS, max_features: int | None = None) -> Graph:
    return model().trace(prompt, max_features=max_features, progress=False)


def test_a_circuit_on_its_own_graph_stays_as_it_is() -> None:
    nodes = graph().node_ids
    circuit = (
        Circuit().group("first", nodes[:3]).pin([nodes[5], nodes[-1]]).label(nodes[1], "one").move("first", 0.2, 0.3)
    )
    fitting = carry_over(circuit.threshold(node=0.5), graph(), graph())
    assert fitting.circuit == circuit.threshold(node=0.5)
    assert (fitting.total, fitting.left_out, str(fitting)) == (5, (), "")


def test_a_supernode_keeps_its_name_colour_and_place_and_loses_what_is_not_there() -> None:
    few = graph(max_features=60)
    there = [node for node in graph().node_ids[: graph().n_features] if node in few.node_ids]
    gone = [node for node in graph().node_ids[: graph().n_features] if node not in few.node_ids]
    circuit = Circuit().group("a", gone[:1]).group("kept", [there[0], gone[1]]).move("kept", 0.75, 0.25).pin(gone[2])
    fitting = carry_over(circuit, graph(), few)
    (supernode,) = fitting.circuit.supernodes
    assert (supernode.id, supernode.name, supernode.color, supernode.nodes) == ("s2", "kept", 1, (there[0],))
    assert dict(fitting.circuit.positions) == {"s2": (0.75, 0.25)}
    assert fitting.circuit.pinned == ()
    assert set(fitting.left_out) == set(gone[:3])
    assert str(fitting) == "3 of 4 nodes of the circuit are not in this graph"
    fitting.circuit.check(few)


def test_a_feature_of_another_prompt_is_the_one_at_the_counterpart_of_its_position() -> None:
    here, there = graph(), graph(SHORTER)
    pairs = counterparts(*([token.token_id for token in one.tokens] for one in (here, there)))
    (old,) = [position for position, token in enumerate(here.tokens) if token.text.strip() == "Dallas"]
    assert (pairs[old], there.tokens[pairs[old]].text.strip()) == (old - 3, "Texas")
    node = next(
        node
        for node, layer, position, feature in zip(
            here.node_ids, here.feature_layer, here.feature_position, here.feature_index, strict=False
        )
        if position == old + 1 and Feature(int(layer), int(pairs[old + 1]), int(feature)).id in there.node_ids
    )
    layer, feature, _ = node.split("_")
    circuit = (
        Circuit().pin([node, here.node_ids[here.index(f"E_{here.tokens[old].token_id}_{old}")]]).move(node, 0.5, 0.5)
    )
    fitting = carry_over(circuit, here, there).circuit
    wanted = f"{layer}_{feature}_{pairs[old + 1]}"
    assert fitting.pinned == (wanted, f"E_{there.tokens[pairs[old]].token_id}_{pairs[old]}")
    assert dict(fitting.positions) == {wanted: (0.5, 0.5)}
    assert not any(other.endswith(f"_{old + 1}") for other in fitting.pinned)


def test_an_output_is_that_of_the_same_token_and_a_contrast_that_of_the_same_name() -> None:
    from circuit_widget.attribution.targets import Contrast

    first = model().trace(DALLAS, targets=[Contrast("Austin", "Sacramento"), "Austin"], progress=False)
    other = model().trace(DALLAS, targets=[Contrast("Albany", "Sacramento"), "Austin"], progress=False)
    contrast, austin = first.node_ids[-2:]
    assert contrast == other.node_ids[-2]
    fitting = carry_over(Circuit().pin([contrast, austin]), first, other)
    assert fitting.circuit.pinned == (austin,)
    assert fitting.left_out == (contrast,)
    assert str(fitting) == "1 of 2 nodes of the circuit is not in this graph"


def test_a_label_stays_with_its_feature_wherever_that_is() -> None:
    here, there = graph(), graph(OAKLAND)
    features: dict[tuple[int, int], list[str]] = {}
    for node, layer, feature in zip(there.node_ids, there.feature_layer, there.feature_index, strict=False):
        features.setdefault((int(layer), int(feature)), []).append(node)
    node, elsewhere = next(
        (node, features[int(layer), int(feature)])
        for node, layer, feature in zip(here.node_ids, here.feature_layer, here.feature_index, strict=False)
        if node not in there.node_ids and (int(layer), int(feature)) in features
    )
    fitting = carry_over(Circuit().label(node, "mine"), here, there)
    assert dict(fitting.circuit.labels) == dict.fromkeys(elsewhere, "mine")
    assert fitting.left_out == ()
    grouped = carry_over(Circuit().label(node, "mine").pin(node), here, there)
    assert (dict(grouped.circuit.labels), grouped.left_out) == (dict.fromkeys(elsewhere, "mine"), (node,))


def test_prompts_that_share_nothing_leave_everything_out() -> None:
    here, there = graph(), graph("Oakland state Dallas")
    nodes = [here.node_ids[0], here.node_ids[here.n_features]]
    fitting = carry_over(Circuit().pin(nodes), here, there)
    assert (fitting.circuit.pinned, fitting.left_out) == ((), tuple(nodes))


def test_a_circuit_of_another_graph_is_refused() -> None:
    with pytest.raises(NodeError, match="9_9_9"):
        carry_over(Circuit(pinned=("9_9_9",)), graph(), graph(OAKLAND))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_what_is_taken_over_fits_and_every_node_is_kept_or_counted(data: st.DataObject) -> None:
    here = graph(data.draw(st.sampled_from([DALLAS, OAKLAND, SHORTER])))
    there = graph(data.draw(st.sampled_from([DALLAS, OAKLAND, SHORTER])))
    n_sources = here.n_nodes - len(here.targets)
    some = st.lists(st.integers(0, n_sources - 1), min_size=1, max_size=12, unique=True)
    circuit = Circuit()
    for name in ("a", "b"):
        circuit = circuit.group(name, [here.node_ids[index] for index in data.draw(some)])
    circuit = circuit.pin([here.node_ids[index] for index in data.draw(some)])
    fitting = carry_over(circuit, here, there)
    fitting.circuit.check(there)
    boxes = {node for one in circuit.supernodes for node in one.nodes} | set(circuit.pinned)
    kept = {node for one in fitting.circuit.supernodes for node in one.nodes} | set(fitting.circuit.pinned)
    assert len(boxes) == fitting.total == len(kept) + len(fitting.left_out)
    names = {one.id: (one.name, one.color) for one in circuit.supernodes}
    assert all(names[one.id] == (one.name, one.color) for one in fitting.circuit.supernodes)


def test_the_answer_of_another_prompt_takes_the_place_of_the_old_one() -> None:
    here, there = graph(), graph(OAKLAND)
    old, new = (max(one.targets, key=lambda target: target.probability) for one in (here, there))
    output = here.node_ids[here.weights.shape[1] + here.targets.index(old)]
    circuit = Circuit().pin(output).move(output, 0.4, 0.1).label(output, "the answer")
    fitting = carry_over(circuit, here, there)
    assert old.token not in [target.token for target in there.targets]
    assert fitting.answer == there.node_ids[there.weights.shape[1] + there.targets.index(new)]
    assert fitting.circuit.pinned == (fitting.answer,)
    assert dict(fitting.circuit.positions) == {fitting.answer: (0.4, 0.1)}
    assert dict(fitting.circuit.labels) == {}
    assert fitting.left_out == (output,)


def test_without_a_pinned_output_none_is_pinned() -> None:
    here, there = graph(), graph(OAKLAND)
    fitting = carry_over(Circuit().pin(here.node_ids[here.n_features + here.n_errors + 2]), here, there)
    assert fitting.answer is None
    assert all(not node.startswith(f"{there.n_layers}_") for node in fitting.circuit.pinned)


def test_an_output_that_both_graphs_have_keeps_its_place() -> None:
    output = graph().node_ids[graph().weights.shape[1]]
    circuit = Circuit().pin(output).move(output, 0.4, 0.1)
    fitting = carry_over(circuit, graph(), graph(max_features=60))
    assert (fitting.answer, fitting.circuit) == (None, circuit)


def test_names_that_may_not_fit_are_doubted_with_a_reason() -> None:
    here, other = graph(), graph(OAKLAND)
    pairs = counterparts(*([token.token_id for token in one.tokens] for one in (here, other)))
    features = here.node_ids[: here.n_features]
    gone = [node for node in features if node not in other.node_ids and here.node_position[here.index(node)] in pairs]
    shared = [
        node for index, node in enumerate(features) if here.node_position[index] in pairs and node in other.node_ids
    ]
    named = Circuit().group("at Dallas, early", shared[:1]).group("the capital", shared[1:2]).group("of", shared[2:3])
    doubts = carry_over(named, here, other).doubts
    assert doubts == {"s1": "“Dallas” is neither in this prompt nor among its outputs"}

    circuit = Circuit().group("most is left", [*shared[:2], gone[0]]).group("little is left", [shared[2], *gone[1:4]])
    fitting = carry_over(circuit, here, other)
    assert fitting.doubts == {"s2": "1 of its 4 nodes are in this graph"}
    assert str(fitting) == "4 of 7 nodes of the circuit are not in this graph · “little is left” may need another name"
    assert carry_over(circuit, here, graph(max_features=100)).doubts == {}
