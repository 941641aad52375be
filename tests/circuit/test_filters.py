"""Filters of the map: kept with a circuit, in files of their own version, and taken over to another graph."""

import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.circuit.carry_over import carry_over
from circuit_widget.errors import CircuitError, NodeError
from tests.circuit.test_carry_over import DALLAS, SHORTER, graph

FILTERS = cw.Filters(kinds=("feature",), layers=(0, 2), sign="excites", label="Texas", stability=0.5, error_bands=True)


def test_a_file_has_the_filters_and_the_second_version(tmp_path: Path) -> None:
    circuit = cw.Circuit().pin("a").filter(FILTERS)
    path = circuit.save(tmp_path / "circuit.json")
    assert json.loads(path.read_text(encoding="utf-8"))["version"] == 2
    assert cw.Circuit.load(path) == circuit == pickle.loads(pickle.dumps(circuit))


def test_a_circuit_without_filters_is_of_the_version_that_every_package_reads() -> None:
    document = cw.Circuit().filter(FILTERS).filter(None).to_json()
    assert document["version"] == 1
    assert "filters" not in document


def test_numbers_of_other_libraries_and_lists_are_taken_as_they_are_saved() -> None:
    given = cw.Filters(kinds=["token", "feature"], layers=np.array([1, 3]), stability=np.float32(0.5))
    assert given == cw.Filters(kinds=("feature", "token"), layers=(1, 3), stability=0.5)
    assert cw.Filters(kinds=("error", "feature", "token"), label=" ", stability=0) == cw.Filters()


def test_what_cannot_be_a_filter_is_refused() -> None:
    with pytest.raises(CircuitError, match="The filters of a circuit are Filters"):
        cw.Circuit().filter({"layers": (0, 1)})
    with pytest.raises(CircuitError, match="the first and the last; given 3 and 1"):
        cw.Filters(layers=(3, 1))


def test_positions_go_to_their_counterparts_on_another_graph_or_vanish_with_them() -> None:
    whole, short = graph(DALLAS), graph(SHORTER)
    words = [token.text for token in short.tokens]
    filters = cw.Filters(positions=(words.index("capital") if "capital" in words else 2, 3), layers=(0, 1))
    circuit = cw.Circuit().filter(filters)
    assert carry_over(circuit, whole, whole).circuit.filters == filters
    moved = carry_over(circuit, whole, short).circuit.filters
    assert moved.layers == (0, 1)
    assert moved.positions is not None
    assert [short.tokens[at].text for at in moved.positions] == [
        whole.tokens[at].text for at in filters.positions or ()
    ]
    state = next(at for at, token in enumerate(whole.tokens) if token.text.strip() == "state")
    gone = carry_over(cw.Circuit().filter(cw.Filters(positions=(state, state), layers=(0, 1))), whole, short)
    assert gone.circuit.filters == cw.Filters(layers=(0, 1))


def test_nodes_hidden_by_hand_add_up_come_back_and_go_to_their_counterparts() -> None:
    whole, short = graph(DALLAS), graph(SHORTER)
    capital = next(at for at, token in enumerate(whole.tokens) if token.text.strip() == "capital")
    gone = next(at for at, token in enumerate(whole.tokens) if token.text.strip() == "state")
    nodes = [whole.node_ids[whole.n_features + whole.n_errors + at] for at in (capital, gone)]
    circuit = cw.Circuit().hide(nodes[0]).hide(nodes)
    assert circuit.filters == cw.Filters(hidden=tuple(nodes))
    assert cw.Circuit.from_json(circuit.to_json()) == circuit.check(whole)
    assert circuit.hide(None).filters == cw.Filters()
    moved = carry_over(circuit, whole, short)
    assert [short.tokens[int(node.split("_")[2])].text.strip() for node in moved.circuit.filters.hidden] == ["capital"]
    assert moved.left_out == ()
    with pytest.raises(NodeError, match="9_9_9"):
        cw.Circuit().hide("9_9_9").check(whole)
    with pytest.raises(CircuitError, match="Hidden nodes are a list of node ids; given “a”"):
        cw.Filters(hidden="a")


def test_layers_and_positions_that_the_graph_does_not_have_are_refused_where_the_filter_is_used() -> None:
    of = graph(DALLAS)
    circuit = cw.Circuit().filter(cw.Filters(layers=(0, 99)))
    last = of.n_layers - 1
    expected = f"layers 0 to 99 visible, and the graph has layers 0 to {last}. Give layers=(0, {last})"
    with pytest.raises(CircuitError, match=re.escape(expected)):
        circuit.check(of)
    with pytest.raises(CircuitError, match="layers 0 to 99"):
        of.figure(circuit=circuit)
    with pytest.raises(CircuitError, match="positions 900 to 900 visible"):
        cw.Circuit().filter(cw.Filters(positions=(900, 900))).check(of)
    whole = cw.Circuit().filter(cw.Filters(layers=(0, last), positions=(0, len(of.tokens) - 1)))
    assert whole.check(of) == whole
