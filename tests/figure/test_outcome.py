"""What an effect did to each box, and what it brought in: tests/fixtures/outcome.json, which the screen is checked against too."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from circuit_widget.circuit.box_edges import edges_among
from circuit_widget.circuit.circuit import Box, Circuit
from circuit_widget.figure.scene.onward import onward_links
from circuit_widget.intervention import Effect
from circuit_widget.intervention.injected_edges import AnswerInput, InjectedEdges
from circuit_widget.intervention.kinds import intervention_from_json
from circuit_widget.nodes import Feature
from circuit_widget.wording.outcome import activations, displayed_tokens, injected, new_answers, outcome
from tests.figure.graphs import circuit_of_dallas, dallas, effect_on
from tests.widget.small_graph import small_graph

FIXTURE = json.loads((Path(__file__).parents[1] / "fixtures/outcome.json").read_text(encoding="utf-8"))
GRAPH = small_graph()
CIRCUIT = Circuit().group("Texas", ["0_2_4", "1_8_4"]).pin(["2_9_5", "4_40_5", "2_0_5", "E_4_4"])


def effect_of(entry: dict[str, Any]) -> Effect | None:
    """The effect of a case: activations and probabilities as given there, nothing else changed."""
    if entry["interventions"] is None:
        return None
    logits = np.zeros(2, dtype=np.float32)
    labels = entry.get("labels", [])
    edges = entry.get("edges")
    features = [Feature(1, 4, 500 + at) for at in range(len(labels))]
    nodes = pd.DataFrame(entry.get("features", []), columns=["id", "before", "after"])
    rows = [(f" t{token_id}", token_id, before, after) for token_id, before, after in entry.get("tokens", [])]
    tokens = pd.DataFrame(rows, columns=["token", "token_id", "before", "after"])
    return Effect(
        graph=GRAPH,
        interventions=tuple(intervention_from_json(one) for one in entry["interventions"]),
        mode="total",
        frozen="nothing frozen",
        nodes=nodes.assign(predicted=nodes["after"]),
        tokens=tokens,
        logits_before=logits,
        logits_after=logits,
        logits_predicted=logits,
        injected=tuple((feature, 1.0) for feature in features),
        labels={feature.id: label for feature, label in zip(features, labels, strict=True) if label is not None},
        seconds=0.1,
        device="cpu",
        dtype="float32",
        injected_edges=None if edges is None else injected_edges(edges),
    )


def injected_edges(entry: dict[str, Any]) -> InjectedEdges:
    """The edges of a case: weights by node, and token, weight and total for each answer."""
    weights = np.zeros(len(GRAPH.row_nodes), dtype=np.float32)
    for node, weight in entry["weights"].items():
        weights[GRAPH.row_nodes.tolist().index(GRAPH.index(node))] = weight
    return InjectedEdges(weights, {token: AnswerInput(weight, total) for token, weight, total in entry["answers"]})


@pytest.mark.parametrize("entry", FIXTURE["onward"], ids=lambda entry: entry["case"])
def test_edges_onward_from_what_came_in(entry: dict[str, Any]) -> None:
    effect, boxes = effect_of(entry), CIRCUIT.boxes()
    answers = new_answers(GRAPH, boxes, effect)
    names = [*(box.id for box in boxes), *(answer.name for answer in answers)]
    members = [GRAPH.resolve(box.nodes) for box in boxes]
    found = onward_links(GRAPH, edges_among(GRAPH, members), members, answers, effect)
    assert {link.source for link in found} <= {len(names)}
    shares = {names[link.target]: link.share for link in found}
    assert shares == pytest.approx(entry["shares"], rel=1e-5)


@pytest.mark.parametrize("entry", FIXTURE["outcome"], ids=lambda entry: entry["case"])
def test_outcomes_of_boxes(entry: dict[str, Any]) -> None:
    name, nodes = entry["name"], tuple(entry["nodes"])
    box = Box(nodes[0] if name is None else "s1", name, None if name is None else 0, nodes)
    found = outcome(GRAPH, box, effect_of(entry))
    expected = tuple(entry[key] for key in ("text", "tone", "faded", "mark"))
    assert (found.text, found.tone, found.faded, found.mark) == expected


@pytest.mark.parametrize("entry", FIXTURE["activations"], ids=lambda entry: entry["case"])
def test_activations_of_boxes(entry: dict[str, Any]) -> None:
    effect = effect_of(entry)
    assert effect is not None
    names = {"s1": "Texas", "2_9_5": GRAPH.labels["2_9_5"], "2_0_5": "feature 0"}
    found = activations(GRAPH, CIRCUIT, effect)
    rows = [(row.name, pytest.approx(row.measured), row.clamped) for row in found]
    assert rows == [(names[box], measured, clamped) for box, measured, clamped in entry["rows"]]


@pytest.mark.parametrize("entry", FIXTURE["injected"], ids=lambda entry: entry["case"])
def test_what_came_in(entry: dict[str, Any]) -> None:
    boxes = CIRCUIT.boxes()
    found = injected(GRAPH, boxes, effect_of(entry))
    if entry["injected"] is None:
        assert found is None
    else:
        assert found is not None
        beside = None if found.beside is None else boxes[found.beside].id
        assert {"name": found.name, "how": found.how, "features": found.features, "beside": beside} == entry["injected"]


@pytest.mark.parametrize("entry", FIXTURE["answers"], ids=lambda entry: entry["case"])
def test_new_answers(entry: dict[str, Any]) -> None:
    found = new_answers(GRAPH, CIRCUIT.boxes(), effect_of(entry))
    assert [[answer.name, answer.text] for answer in found] == entry["answers"]


@pytest.mark.parametrize("entry", FIXTURE["more"], ids=lambda entry: entry["case"])
def test_tokens_that_nobody_reads_are_one_row(entry: dict[str, Any]) -> None:
    pairs = [(before, after) for before, after in entry["tokens"]]
    assert displayed_tokens(pairs, entry["most"]) == (entry["count"], entry["more"])


@pytest.mark.parametrize(("after", "count"), [(0.01, 0), (0.0999, 0), (0.1, 1), (0.9, 1)])
def test_a_new_answer_is_at_least_as_likely_as_an_output_that_a_proposal_pins(after: float, count: int) -> None:
    graph = dallas()
    effect = effect_on(graph, {graph.node_ids[0]: 0.0})
    tokens = effect.tokens.assign(after=[0.0, after, 0.0], before=[0.1, 0.0, 0.0])
    assert len(new_answers(graph, circuit_of_dallas().boxes(), replace(effect, tokens=tokens))) == count
