"""A model is put with a graph from a file only where it is the one that traced it; the error says what differs."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

import circuit_widget as cw
from circuit_widget.errors import InterventionError
from circuit_widget.nodes import PromptToken
from tests.models import PROMPT_IDS, reference_model, tiny_model


def from_file(folder: Path) -> cw.Graph:
    return cw.open(reference_model().trace(PROMPT_IDS).export(folder / "graph.json"))


def test_the_model_that_traced_a_graph_runs_it(tmp_path: Path) -> None:
    graph, model = from_file(tmp_path), reference_model()
    assert graph.model is None
    widget = graph.show(model)
    assert widget.graph.model is model
    assert len(widget.ablate(graph.node_ids[0]).logits_after) > 0
    attached = model.attach(graph)
    assert attached.node_ids == graph.node_ids
    assert model.attach(attached) is attached


Change = Callable[[cw.Graph], cw.Graph]

DIFFERENCES: dict[str, tuple[Change, str]] = {
    "ids": (
        lambda graph: dataclasses.replace(graph, tokens=[*graph.tokens[:-1], PromptToken("x", 999)]),
        "it has the token id 999, and those of .* end at 205",
    ),
    "unknown ids": (
        lambda graph: dataclasses.replace(graph, tokens=[*graph.tokens[:-1], PromptToken("x", -1)]),
        "does not say which tokens are at positions 6",
    ),
    "features": (
        lambda graph: dataclasses.replace(graph, feature_index=[*graph.feature_index[:-1].tolist(), 10**6], labels={}),
        r"it has feature 1,000,000 of layer 3, and .* has [\d,]+ features there",
    ),
    "activations": (
        lambda graph: dataclasses.replace(graph, activation=graph.activation * 2),
        "its features have other activations",
    ),
    "parts of layers": (
        lambda graph: dataclasses.replace(graph, recipe={"layer_names": ["a", "b", "c", "d"]}),
        "has features of attention or biases",
    ),
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_a_difference_is_named(difference: str, tmp_path: Path) -> None:
    change, message = DIFFERENCES[difference]
    graph = change(from_file(tmp_path))
    for put in (reference_model().attach, lambda given: given.show(reference_model())):
        with pytest.raises(InterventionError, match=message):
            put(graph)


def test_a_model_of_other_layers_is_named(tmp_path: Path) -> None:
    with pytest.raises(InterventionError, match=r"another model or other transcoders: it has 4 layers, and .* has 3"):
        tiny_model().attach(from_file(tmp_path))
