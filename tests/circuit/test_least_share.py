"""The least share of drawn edges: kept with a circuit, in files of their own version, and taken over to another graph."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.circuit.carry_over import carry_over
from circuit_widget.errors import CircuitError
from tests.circuit.test_carry_over import DALLAS, SHORTER, graph


def test_a_file_has_the_least_share_and_the_third_version(tmp_path: Path) -> None:
    circuit = cw.Circuit().pin("a").cut_edges(0.1)
    path = circuit.save(tmp_path / "circuit.json")
    assert json.loads(path.read_text(encoding="utf-8"))["version"] == 3
    assert cw.Circuit.load(path) == circuit == pickle.loads(pickle.dumps(circuit))


def test_a_circuit_without_it_is_of_the_version_that_it_was_of() -> None:
    filtered = cw.Circuit().filter(cw.Filters(layers=(0, 1)))
    for circuit, version in ((cw.Circuit(), 1), (filtered, 2)):
        document = circuit.cut_edges(0.1).cut_edges(None).to_json()
        assert document == {**circuit.to_json(), "revision": circuit.revision + 2}
        assert document["version"] == version


def test_numbers_of_other_libraries_are_taken_and_what_is_no_share_is_refused() -> None:
    assert cw.Circuit().cut_edges(np.float32(0.5)).least_share == 0.5
    with pytest.raises(CircuitError, match="is a share between 0 and 1; given 4"):
        cw.Circuit().cut_edges(4)


def test_it_stays_on_another_graph() -> None:
    circuit = cw.Circuit().cut_edges(0.1)
    assert carry_over(circuit, graph(DALLAS), graph(SHORTER)).circuit.least_share == 0.1
