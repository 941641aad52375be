"""Numbers, interventions, names and outcomes in words: what tests/fixtures says, which the screen is checked against too."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.intervention.kinds import intervention_from_json
from circuit_widget.intervention.mode import read_mode
from circuit_widget.widget.experiments.experiment_names import experiment_name
from circuit_widget.wording.names import layer_name, node_name
from circuit_widget.wording.numbers import mark, percent, plain_number, probability
from circuit_widget.wording.outcome import description, probability_tone, ratio_tone
from tests.widget.small_graph import small_graph

FIXTURES = Path(__file__).parents[1] / "fixtures"
GRAPH = small_graph()
NAMES = json.loads((FIXTURES / "names.json").read_text(encoding="utf-8"))
EXPERIMENTS = json.loads((FIXTURES / "experiments.json").read_text(encoding="utf-8"))
WORDING = json.loads((FIXTURES / "wording.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("names", "layer", "words"), WORDING["layer_name"])
def test_names_of_layers(names: list[str], layer: int, words: str) -> None:
    assert layer_name(dataclasses.replace(GRAPH, recipe={"layer_names": names}), layer) == words


@pytest.mark.parametrize(("share", "words"), WORDING["percent"])
def test_shares_in_words(share: float | str, words: str) -> None:
    assert percent(float(share)) == words


@pytest.mark.parametrize(("value", "words"), WORDING["probability"])
def test_probabilities_in_words(value: float | str, words: str) -> None:
    assert probability(float(value)) == words


@pytest.mark.parametrize(("value", "words"), WORDING["plain_number"])
def test_factors_and_values_in_words(value: float | str, words: str) -> None:
    assert plain_number(float(value)) == words


@pytest.mark.parametrize(("intervention", "words"), WORDING["mark"])
def test_interventions_as_marks(intervention: dict[str, Any], words: str) -> None:
    assert mark(intervention_from_json(intervention)) == words


@pytest.mark.parametrize(("mode", "words"), WORDING["frozen"])
def test_what_modes_freeze(mode: str, words: str) -> None:
    assert read_mode(mode, 26).frozen == words


@pytest.mark.parametrize(("before", "after", "tone"), WORDING["probability_tone"])
def test_which_way_a_probability_went(before: float, after: float, tone: str) -> None:
    assert probability_tone(before, after) == tone


@pytest.mark.parametrize(("share", "tone"), WORDING["ratio_tone"])
def test_which_way_an_activation_went(share: float, tone: str) -> None:
    assert ratio_tone(share) == tone


@pytest.mark.parametrize("entry", NAMES, ids=lambda entry: entry["case"])
def test_names_of_nodes(entry: dict[str, Any]) -> None:
    recipe = {**GRAPH.recipe, "basis": entry["basis"]} if "basis" in entry else GRAPH.recipe
    graph = dataclasses.replace(GRAPH, recipe=recipe)
    assert node_name(graph, Circuit(labels=entry["labels"]), entry["node"]) == entry["name"]


@pytest.mark.parametrize("entry", EXPERIMENTS, ids=lambda entry: entry["case"])
def test_names_of_experiments(entry: dict[str, Any]) -> None:
    circuit = Circuit.from_json({**Circuit().to_json(), **entry["circuit"]})
    interventions = [intervention_from_json(one) for one in entry["interventions"]]
    assert experiment_name(GRAPH, circuit, interventions) == entry["name"]
    assert [description(GRAPH, circuit, one) for one in interventions] == entry["descriptions"]
