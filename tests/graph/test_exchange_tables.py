"""GraphML, tables and networkx: what a graph is written as is readable elsewhere, and comes back whole where it can."""

from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pandas as pd
import pytest

import circuit_widget as cw
from circuit_widget.errors import GraphFileError
from tests.graph.graphs import random_graph
from tests.models import PROMPT_IDS, reference_model

HOSTILE = '"><script>alert(1)</script>&lt;]]>\x00\x08\x0b\r\n\t\u202e\ufffe=1+1'


def hostile_graph() -> cw.Graph:
    import dataclasses

    graph = reference_model().trace(PROMPT_IDS).prune()
    tokens = [dataclasses.replace(graph.tokens[0], text=HOSTILE), *graph.tokens[1:]]
    targets = [dataclasses.replace(graph.targets[0], token=HOSTILE), *graph.targets[1:]]
    return dataclasses.replace(graph, tokens=tokens, targets=targets, labels={graph.node_ids[0]: HOSTILE}, model=None)


def assert_same(found: cw.Graph, graph: cw.Graph) -> None:
    assert found.node_ids == graph.node_ids
    assert (found.tokens, found.targets, dict(found.labels)) == (graph.tokens, graph.targets, dict(graph.labels))
    assert found.recipe == graph.recipe
    assert found.recorded_scores == graph.recorded_scores
    for name in ("weights", "activation", "influence", "share"):
        np.testing.assert_array_equal(getattr(found, name), getattr(graph, name))


@pytest.mark.parametrize("ending", ["graphml", "parquet"])
@pytest.mark.parametrize("make", [hostile_graph, lambda: random_graph(3)])
def test_a_graph_comes_back_whole(ending: str, make: Any, tmp_path: Path) -> None:
    graph = make()
    assert_same(cw.open(graph.export(tmp_path / f"graph.{ending}")), graph)


def test_a_network_becomes_the_graph_it_was_made_of() -> None:
    graph = hostile_graph()
    assert_same(cw.Graph.from_networkx(graph.to_networkx()), graph)
    for other, message in ((networkx.DiGraph(), "has graph"), (3, "given 3")):
        with pytest.raises(GraphFileError, match=message):
            cw.Graph.from_networkx(other)


def test_other_programs_read_the_graphml(tmp_path: Path) -> None:
    graph = hostile_graph()
    net = networkx.read_graphml(graph.export(tmp_path / "graph.graphml"))
    assert set(net.nodes) == set(graph.node_ids)
    assert net.number_of_edges() == np.count_nonzero(graph.weights)
    feature = net.nodes[graph.node_ids[0]]
    assert feature["kind"] == "feature"
    assert feature["layer"] == int(graph.node_layer[0])
    assert feature["label"].startswith('"><script>alert(1)</script>&lt;]]>\ufffd\ufffd')
    assert feature["activation"] == float(graph.activation[0])


def test_the_tables_have_the_frames(tmp_path: Path) -> None:
    graph = random_graph(3)
    nodes = graph.export(tmp_path / "graph.csv")
    assert nodes.name == "graph.nodes.csv"
    frames = graph.to_frames()
    for path, frame in ((nodes, frames[0]), (tmp_path / "graph.edges.csv", frames[1])):
        found = pd.read_csv(path, keep_default_na=False, na_values={"feature": "", "activation": ""})
        assert list(found.columns) == list(frame.columns)
        assert len(found) == len(frame)
    with pytest.raises(GraphFileError, match=r"is a table .*does not contain everything"):
        cw.open(nodes)


def test_a_path_of_another_ending_is_refused_with_those_there_are(tmp_path: Path) -> None:
    graph = random_graph(3)
    with pytest.raises(GraphFileError, match=r"does not end in \.json, \.graphml, \.csv or \.parquet"):
        graph.export(tmp_path / "graph.gexf")
    with pytest.raises(GraphFileError, match=r"A slug or scan is for the viewers of \.json files"):
        graph.export(tmp_path / "graph.graphml", slug="a")
    assert not list(tmp_path.iterdir())


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<graphml", "<!DOCTYPE a [<!ENTITY b 'c'>]><graphml", "it has a document type"),
        ("<graph ", "<graph " + "a='1' " * 2, "is not whole XML"),
        ('<data key="circuit_widget">', '<data key="other">', "was not written by circuit-widget"),
        ('<data key="kind">feature', '<data key="kind">head', "is of the kind 'head'"),
        ('<data key="layer">', '<data key="layer">9', "layer"),
        ('<data key="weight">', '<data key="weight">nan</data><data key="weight">nan', "expected a number"),
        ("<edge source", '<edge source="none" target="none"/><edge source', "edge 0 leads from 'none' to 'none'"),
        ("</graph>", "<a>" * 40, "nested more than"),
    ],
)
def test_damaged_graphml_is_refused_by_what_is_wrong(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = random_graph(3).export(tmp_path / "graph.graphml")
    path.write_text(changed(path.read_text(encoding="utf-8"), old, new), encoding="utf-8")
    with pytest.raises(GraphFileError, match=message):
        cw.open(path)


def test_one_of_two_tables_is_not_enough(tmp_path: Path) -> None:
    graph = random_graph(3)
    nodes = graph.export(tmp_path / "graph.parquet")
    edges = tmp_path / "graph.edges.parquet"
    assert_same(cw.open(edges), graph)
    edges.unlink()
    with pytest.raises(GraphFileError, match=r"there is no graph\.edges\.parquet"):
        cw.open(nodes)
    pd.DataFrame({"a": [1]}).to_parquet(nodes)
    pd.DataFrame({"a": [1]}).to_parquet(edges)
    with pytest.raises(GraphFileError, match=r"it is another table than graph.export writes"):
        cw.open(nodes)
