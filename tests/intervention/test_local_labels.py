"""Labels of what nodes do on one prompt are what an ablation measures, and nothing else."""

import re
from dataclasses import replace

import pytest

import circuit_widget as cw
from circuit_widget.errors import Cancelled, InterventionError
from circuit_widget.graph import Graph
from circuit_widget.replacement_model import ReplacementModel

PROMPT = "the capital of the state containing Dallas is"


@pytest.fixture(scope="module")
def model() -> ReplacementModel:
    return cw.load("demo")


@pytest.fixture(scope="module")
def unlabelled(model: ReplacementModel) -> Graph:
    return replace(model.trace(PROMPT), labels={})


def test_a_label_names_what_an_ablation_lowers_and_raises(model: ReplacementModel, unlabelled: Graph) -> None:
    labels = model.local_labels(unlabelled, 40, progress=False)
    assert 0 < len(labels) <= 40
    for node, label in labels.items():
        tokens = model.intervene(unlabelled, cw.Ablate(node), progress=False).tokens
        lost = (tokens["before"] - tokens["after"]).set_axis(tokens["token"].str.strip())
        named = {part[1:].strip("“”"): part[0] for part in re.split(r" (?=[+−])", label.removeprefix("here: "))}
        assert label.startswith("here: ")
        assert 1 <= len(named) <= 2
        for word, sign in named.items():
            change = float(lost[word])
            assert abs(change) >= 0.01
            assert sign == ("+" if change > 0 else "−")
            assert change in (lost.max(), lost.min())


def test_nodes_that_change_nothing_or_have_a_label_get_none(model: ReplacementModel, unlabelled: Graph) -> None:
    everything = model.local_labels(unlabelled, 10_000, progress=False)
    without = next(node for node in unlabelled.node_ids[: unlabelled.n_features] if node not in everything)
    tokens = model.intervene(unlabelled, cw.Ablate(without), progress=False).tokens
    assert float((tokens["before"] - tokens["after"]).abs().max()) < 0.01
    labelled = next(iter(everything))
    graph = unlabelled.with_labels({labelled: "of a person"})
    assert set(model.local_labels(graph, 10_000, progress=False)) == set(everything) - {labelled}


def test_the_most_influential_nodes_come_first(model: ReplacementModel, unlabelled: Graph) -> None:
    strongest = max(range(unlabelled.n_features), key=lambda index: float(unlabelled.influence[index]))
    assert list(model.local_labels(unlabelled, 1, progress=False)) == [unlabelled.node_ids[strongest]]


def test_labels_are_given_to_a_graph_and_not_kept_with_the_features(model: ReplacementModel, unlabelled: Graph) -> None:
    before = dict(model.trace(PROMPT).labels)
    labels = model.local_labels(unlabelled, 5, progress=False)
    assert dict(unlabelled.with_labels(labels).labels) == labels
    assert dict(model.trace(PROMPT).labels) == before


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "all"])
def test_a_number_of_features_that_is_none_is_refused(model: ReplacementModel, unlabelled: Graph, n: object) -> None:
    with pytest.raises(InterventionError, match="n, the number of features"):
        model.local_labels(unlabelled, n, progress=False)


def test_labelling_stops_when_it_is_cancelled(model: ReplacementModel, unlabelled: Graph) -> None:
    with pytest.raises(Cancelled):
        model.local_labels(unlabelled, progress=False, cancelled=lambda: True)
