"""Edges drawn by their stability: a switch kept with a circuit, in files of a version of their own."""

import json
from pathlib import Path

import pytest

import circuit_widget as cw
from circuit_widget.circuit.carry_over import carry_over
from circuit_widget.errors import CircuitError
from tests.circuit.test_carry_over import DALLAS, SHORTER, graph


def test_it_is_saved_with_the_circuit_in_the_fourth_version_and_stays_on_another_graph(tmp_path: Path) -> None:
    circuit = cw.Circuit().mark_stability()
    path = circuit.save(tmp_path / "circuit.json")
    assert json.loads(path.read_text(encoding="utf-8"))["version"] == 4
    assert cw.Circuit.load(path) == circuit
    assert carry_over(circuit, graph(DALLAS), graph(SHORTER)).circuit.edge_stability


def test_a_circuit_without_it_is_of_the_version_that_it_was_of() -> None:
    filtered = cw.Circuit().filter(cw.Filters(layers=(0, 1)))
    for circuit, version in ((cw.Circuit(), 1), (filtered, 2), (filtered.number_edges(), 3)):
        document = circuit.mark_stability().mark_stability(False).to_json()
        assert document == {**circuit.to_json(), "revision": circuit.revision + 2}
        assert document["version"] == version


def test_what_is_no_switch_is_refused() -> None:
    with pytest.raises(CircuitError, match="The stability of edges is on or off, true or false; given 1"):
        cw.Circuit(edge_stability=1)
