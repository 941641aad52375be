"""A model is put with a graph from a file only where it is the one that traced it; the error says what differs."""

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import circuit_widget as cw
from circuit_widget.errors import CircuitWidgetWarning, InterventionError
from circuit_widget.nodes import PromptToken
from tests.models import PROMPT_IDS, REFERENCE, reference_model, tiny_model


def from_file(folder: Path) -> cw.Graph:
    return cw.open(reference_model().trace(PROMPT_IDS).export(folder / "graph.json"))


def test_the_model_that_traced_a_graph_runs_it(tmp_path: Path) -> None:
    graph, model = from_file(tmp_path), reference_model()
    assert graph.model is None
    with warnings.catch_warnings():
        warnings.simplefilter("error", CircuitWidgetWarning)
        widget = graph.show(model)
        widget.ablate(graph.node_ids[0])
    assert widget.graph.model is model
    assert len(widget.ablate(graph.node_ids[0]).logits_after) > 0
    attached = model.attach(graph)
    assert attached.node_ids == graph.node_ids
    assert model.attach(attached) is attached


@pytest.mark.parametrize("case", ["llama-relu", "gpt2-jumprelu"])
def test_the_same_weights_in_another_dtype_run_a_graph_with_a_warning(case: str, tmp_path: Path) -> None:
    architecture, model = case.split("-")[0], reference_model(case)
    rounded = cw.load(
        REFERENCE / "models" / architecture, REFERENCE / case / "transcoders", device="cpu", dtype="bfloat16"
    )
    graph = cw.open(rounded.trace(PROMPT_IDS).save(tmp_path / "graph.safetensors"))
    with pytest.warns(CircuitWidgetWarning, match=r"traced with weights in bfloat16, and .* is loaded in float32"):
        widget = graph.show(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(widget.ablate(graph.node_ids[0]).logits_after) > 0
    # The same dtype leaves no room for features that differ, and no dtype makes up for other weights.
    named = dataclasses.replace(graph, recipe={**graph.recipe, "dtype": "float32"})
    changed = dataclasses.replace(graph, activation=graph.activation * 1.1)
    for other in (named, changed):
        with pytest.raises(InterventionError, match="other activations"):
            model.attach(other)


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
