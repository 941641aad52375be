"""Links that Neuronpedia shares become circuits, and circuits become such links."""

import json
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

import circuit_widget as cw
from circuit_widget.errors import CircuitError, GraphFileError
from tests.graph.crm_files import crm_document
from tests.graph.graphs import random_graph
from tests.graph.viewer_files import document, pairing

GROUPS = json.dumps([["the capital", "1_9_2"], ["rest & more", "0_57794_1", "0_1_1"]])
LABELS = json.dumps([[f"0_{pairing(0, 57794)}_1", "the “article”"]])
LINK = (
    "https://www.neuronpedia.org/gemma-2-2b/graph?slug=a-capital&pinnedIds=1_9_2%2C3_7_2%2C0_1_1"
    f"&supernodes={quote(GROUPS)}&clerps={quote(LABELS)}&pruningThreshold=0.6&densityThreshold=0.99&clickedId=1_9_2"
)


def graph_of(folder: Path, whole: object) -> cw.Graph:
    file = folder / "graph.json"
    file.write_text(json.dumps(whole), encoding="utf-8")
    return cw.open(file)


def test_a_link_is_read_as_a_circuit(tmp_path: Path) -> None:
    circuit = cw.Circuit.from_link(LINK, graph_of(tmp_path, document()))
    assert circuit.pinned == ("1_9_2", "3_7_2", "1_-1_1")
    assert {one.name: one.nodes for one in circuit.supernodes} == {
        "the capital": ("1_9_2",),
        "rest & more": ("0_57794_1", "1_-1_1"),
    }
    assert circuit.labels == {"0_57794_1": "the “article”"}
    assert circuit.node_threshold == 0.6


def test_a_circuit_goes_into_a_link_and_back(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, document())
    circuit = cw.Circuit.from_link(LINK, graph)
    link = circuit.to_link(graph)
    query = {key: value[0] for key, value in parse_qs(urlsplit(link).query).items()}
    assert link.startswith("https://www.neuronpedia.org/gemma-2-2b/graph?slug=a-capital&")
    assert set(query["pinnedIds"].split(",")) == {"1_9_2", "3_7_2", "0_1_1", "0_57794_1"}
    assert json.loads(query["supernodes"]) == json.loads(GROUPS)
    assert json.loads(query["clerps"]) == json.loads(LABELS)
    again = cw.Circuit.from_link(link, graph)
    assert again.supernodes == circuit.supernodes
    assert again.labels == circuit.labels
    assert again.node_threshold == 0.6


@pytest.mark.filterwarnings("ignore:.*the parts of a layer")
def test_ids_in_links_are_those_of_the_file(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, crm_document())
    attention = graph.node_ids[1]
    link = cw.Circuit().pin(attention).label(attention, "moves it").to_link(graph)
    assert "pinnedIds=1_lor_5_2&" in link
    assert cw.Circuit.from_link(link, graph).pinned == (attention,)
    assert cw.Circuit.from_link(link, graph).labels == {attention: "moves it"}


def test_a_graph_of_no_file_needs_the_names_it_has_there(tmp_path: Path) -> None:
    graph = random_graph(3)
    circuit = cw.Circuit().pin(graph.node_ids[0])
    with pytest.raises(CircuitError, match=r"Give the slug that the graph has on Neuronpedia, slug=…"):
        circuit.to_link(graph)
    link = circuit.to_link(graph, slug="mine", scan="gemma-2-2b")
    assert cw.Circuit.from_link(link, graph).pinned == circuit.pinned
    with pytest.raises(GraphFileError, match="A slug has letters"):
        circuit.to_link(graph, slug="a b", scan="c")


@pytest.mark.parametrize(
    ("link", "message"),
    [
        (3, "A link is a text such as"),
        ("https://www.neuronpedia.org/gemma-2-2b/graph?slug=x", "shares no circuit: it has none of pinnedIds"),
        ("?pinnedIds=9_9_9", "names the node “9_9_9”, which the file does not have"),
        ("?supernodes=[", "its supernodes are not JSON"),
        ("?supernodes=3", "its supernodes are a list"),
        ("http://[?pinnedIds=1", "cannot be read"),
        ("?pinnedIds=1_9_2&pruningThreshold=much", "pruningThreshold of the link is a share between 0 and 1"),
        ("?pinnedIds=1_9_2&pruningThreshold=7", "threshold"),
    ],
)
def test_a_wrong_link_is_refused(link: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(CircuitError, match=message):
        cw.Circuit.from_link(link, graph_of(tmp_path, document()))
