"""Groups of neurons are of those that change the same when each is ablated; the numbers of a group are those of its ablation."""

import math
from functools import cache

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.errors import Cancelled
from circuit_widget.graph import Graph
from circuit_widget.proposal import Proposals
from circuit_widget.proposal.feature_similarity import NO_SIDE, Alike, alike_neurons
from circuit_widget.replacement_model import ReplacementModel
from tests.real.smollm2 import model_directory

PROMPT = "the capital of the state containing Dallas is"


@cache
def model() -> ReplacementModel:
    """The embedded model with its neurons as features."""
    return cw.load(cw.load("demo").model.network, tokenizer=cw.load("demo").model.tokenizer)


@cache
def graph() -> Graph:
    return model().trace(PROMPT, max_features=150, progress=False)


@cache
def groups() -> Proposals:
    return graph().propose_groups(6, progress=False)


def log_change(*nodes: str) -> float:
    """The change of the first target's log probability when nodes are ablated."""
    effect = model().intervene(graph(), cw.Ablate(list(nodes)), progress=False)
    before, after = effect.probability(graph().targets[0].token_id)
    return math.log(after / before)


def test_neurons_of_a_group_are_at_one_token_and_change_the_answer_the_same_way() -> None:
    assert max(len(one.nodes) for one in groups()) > 3
    for one in groups():
        members = graph().resolve(one.nodes)
        assert len({int(graph().feature_position[member]) for member in members}) == 1
        changes = np.array([log_change(node) for node in one.nodes])
        sides = set(np.sign(changes[np.abs(changes) >= NO_SIDE + 1e-4]))
        assert len(sides) <= 1


def test_neurons_on_opposite_sides_are_apart_and_those_of_no_side_are_not() -> None:
    position = graph().feature_position
    last = np.flatnonzero(position == position.max())[:3]
    ones = np.ones((3, 3), dtype=np.float32)
    same = Alike({"ablations": ones}, ones, ones, ones, np.zeros((3, 3), dtype=bool))
    apart = alike_neurons(graph(), last, same, np.array([-1, 1, 0], dtype=np.float32)).apart
    assert apart.tolist() == [[False, True, False], [True, False, False], [False, False, False]]


def test_the_numbers_of_a_group_are_those_of_its_ablation_and_the_largest_comes_first() -> None:
    sizes = [abs(one.evidence["measured"]) for one in groups()]
    assert sizes == sorted(sizes, reverse=True)
    for one in groups():
        assert one.evidence["measured"] == pytest.approx(log_change(*one.nodes), abs=1e-4)
        before, after = (
            model()
            .intervene(graph(), cw.Ablate(list(one.nodes)), progress=False)
            .probability(graph().targets[0].token_id)
        )
        verb = "raise" if after < before else "lower"
        assert verb in one.reason
        if min(before, after) > 0.001:
            assert f"whose probability goes from {before:.2g} to {after:.2g}" in one.reason


def test_a_name_is_a_word_that_the_ablation_changes_the_token_and_the_layers() -> None:
    first = groups()[0]
    members = list(graph().resolve(first.nodes))
    token = graph().tokens[int(graph().feature_position[members[0]])].text.strip()
    layers = sorted({int(graph().feature_layer[member]) for member in members})
    where = f"L{layers[0]}" if len(layers) == 1 else f"L{layers[0]}–{layers[-1]}"
    assert first.name.endswith(f" at {token} {where}")
    sign, word = first.name[0], first.name[1:].split(" at ")[0]
    tokens = model().intervene(graph(), cw.Ablate(list(first.nodes)), progress=False).tokens
    row = tokens[tokens["token"].str.strip() == word].iloc[0]
    assert (row["after"] < row["before"]) == (sign == "+")
    assert sign in "+−"


def test_without_ablations_or_a_model_nothing_is_measured() -> None:
    plain = graph().propose_groups(4, ablations=False, progress=False)
    assert not any({"measured", "ablations"} & set(one.evidence) for one in plain)
    assert "alike in what they read" in plain[0].reason


def test_neurons_of_a_graph_from_a_file_are_grouped_without_ablations(tmp_path: object) -> None:
    alone = Graph.load(graph().save(f"{tmp_path}/graph.safetensors"))
    assert not any("measured" in one.evidence for one in alone.propose_groups(4, progress=False))
    again = alone.propose_groups(6, model=model(), progress=False)
    assert [one.nodes for one in again] == [one.nodes for one in groups()]


def test_groups_of_a_contrast_are_measured_by_the_contrast() -> None:
    contrast = model().trace(PROMPT, targets=[cw.Contrast("Austin", "Denver")], max_features=60, progress=False)
    first = contrast.propose_groups(2, progress=False)[0]
    effect = model().intervene(contrast, cw.Ablate(list(first.nodes)), progress=False)
    reading = effect.readings[contrast.targets[0].token_id]
    assert first.evidence["measured"] == pytest.approx(reading.after - reading.before, abs=1e-4)
    assert "which changes by" in first.reason


def test_ablations_of_neurons_report_and_are_cancelled() -> None:
    reports: list[float] = []
    graph().propose_circuit(3, progress=lambda done, _: reports.append(done))
    assert reports == sorted(reports)
    assert reports[-1] == 1
    reports[:] = [0.0]
    with pytest.raises(Cancelled):
        graph().propose_groups(progress=lambda done, _: reports.append(done), cancelled=lambda: reports[-1] > 0.3)
    assert reports[-1] < 0.8


def test_a_circuit_of_a_real_model_is_necessary_far_more_than_random_neurons() -> None:
    real = cw.load(model_directory(), "neurons", device="cpu", dtype="float32")
    traced = real.trace("The capital of France is", max_features=300, progress=False)
    circuit = traced.propose_groups(6, progress=False)
    controls = real.controls(traced, cw.Ablate([node for one in circuit for node in one.nodes]), n=8, progress=False)
    answer = traced.targets[0].token_id
    before, after = controls.effect.probability(answer)
    assert after < 0.02 * before
    assert after < 0.2 * np.median(controls.values(answer))
    assert any(one.name.startswith("+Paris at is L") for one in circuit)
