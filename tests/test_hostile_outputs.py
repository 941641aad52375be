"""Every way in which the package writes texts that others wrote: they come out as texts, in any format there is."""

import ast
import base64
import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from types import MappingProxyType
from xml.etree import ElementTree

import pypdf
import pytest

import circuit_widget as cw
from circuit_widget.characters import REPLACEMENT, beginning, repaired
from circuit_widget.figure.figure import Figure, make_figure, read_recipe
from circuit_widget.graph import exporting
from circuit_widget.intervention.as_code import effect_code
from circuit_widget.widget.history.history import HistoryEntry
from circuit_widget.widget.history.work import Work
from circuit_widget.widget.kept_work.kept_file import Writing, read_file, read_work
from circuit_widget.widget.picture_output import picture_of
from circuit_widget.widget.requests import graph_handlers
from circuit_widget.widget.requests.registry import REQUESTS
from circuit_widget.widget.wire.graph_messages import FileReply
from tests.figure.graphs import circuit_of_dallas, dallas, texas_ablated
from tests.figure.test_hostile_text import ACTIVE, labelled, names_in, renamed
from tests.figure.test_tikz import COMMANDS
from tests.graph.test_spreadsheet import STARTS
from tests.hostile import HOSTILE
from tests.intervention.test_code_is_literal import assert_harmless
from tests.widget.linear_model import LinearModel
from tests.widget.small_graph import small_graph

pytestmark = pytest.mark.filterwarnings("ignore:A box is drawn for each character")

TEXTS = {
    **HOSTILE,
    "formula of a spreadsheet": "=HYPERLINK(A1)",
    "another": "@SUM(1)",
    "end of a program": "'''\n\"\"\"\\",
}


@dataclass(frozen=True)
class Displayed:
    """A graph, a circuit and an effect with a hostile text wherever each takes one."""

    text: str
    graph: cw.Graph
    circuit: cw.Circuit

    @property
    def figure(self) -> Figure:
        return make_figure(self.graph, self.circuit, texas_ablated(self.graph), "both", 12, title=self.text)

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.circuit.supernodes]


def displayed(text: str) -> Displayed:
    """A graph refuses halves of characters, a circuit a name of many lines: then it is as it was without the text."""
    whole = repaired(text)
    graph = dallas()
    graph = replace(
        graph,
        tokens=(graph.tokens[0], replace(graph.tokens[1], text=whole), *graph.tokens[2:]),
        targets=(replace(graph.targets[0], token=whole), *graph.targets[1:]),
        labels={graph.node_ids[0]: whole} if whole else {},
        recipe={**graph.recipe, "model": whole, "transcoders": whole, "prompt": whole},
        model=None,
    )
    circuit = labelled(renamed(circuit_of_dallas(), "Dallas", text), graph.node_ids[0], text)
    return Displayed(text, graph, circuit)


class Elements(HTMLParser):
    """The elements and attributes of an HTML text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def without_what_xml_lacks(text: str) -> str:
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", REPLACEMENT, text)


def svg(given: Displayed, folder: Path) -> None:
    root = ElementTree.parse(given.figure.save(folder / "x.svg")).getroot()
    for element in root.iter():
        assert element.tag.rpartition("}")[2] not in ("script", "foreignObject", "image", "a", "use", "style", "iframe")
        assert not [name for name in element.attrib if name.lower().startswith("on") or "href" in name]


def pdf(given: Displayed, folder: Path) -> None:
    path = given.figure.save(folder / "x.pdf")
    reader = pypdf.PdfReader(path, strict=True)
    assert len(reader.pages) == 1
    assert not (ACTIVE & set(names_in(reader)))


def png(given: Displayed, folder: Path) -> None:
    figure = given.figure
    found = read_recipe(figure.save(folder / "x.png"))
    assert {name: value for name, value in found.items() if name != "set"} == json.loads(json.dumps(figure.recipe))


def tikz(given: Displayed, folder: Path) -> None:
    """The first line is the recipe, a comment; below it, no text adds a command or a line break to what "x" has."""
    del folder
    comment, document = given.figure.tikz().split("\n", 1)
    assert comment.startswith("% ")
    commands = set(re.findall(r"\\[a-zA-Z]+", document))
    assert commands <= {f"\\{name}" for name in COMMANDS}
    for line in document.split("\n"):
        plain = line.replace("\\{", "").replace("\\}", "")
        assert plain.count("{") == plain.count("}")
        assert "%" not in plain.replace("\\%", "")


def same_texts(found: cw.Graph, given: Displayed) -> None:
    assert [token.text for token in found.tokens] == [token.text for token in given.graph.tokens]
    assert [target.token for target in found.targets] == [target.token for target in given.graph.targets]


def own(given: Displayed, folder: Path) -> None:
    found = cw.Graph.load(given.graph.save(folder / "x.safetensors"))
    same_texts(found, given)
    assert (dict(found.labels), found.recipe) == (dict(given.graph.labels), given.graph.recipe)


def exported(ending: str) -> Callable[[Displayed, Path], None]:
    def write(given: Displayed, folder: Path) -> None:
        same_texts(cw.open(given.graph.export(folder / f"x{ending}")), given)

    return write


def viewer(given: Displayed, folder: Path) -> None:
    path = given.graph.export(folder / "x.json", slug="a", scan="b")
    assert json.loads(path.read_text(encoding="utf-8"))["metadata"]["prompt_tokens"][1] == repaired(given.text)
    assert cw.open(path).tokens[1].text == repaired(given.text)


def graphml(given: Displayed, folder: Path) -> None:
    exported(".graphml")(given, folder)
    tree = ElementTree.parse(folder / "x.graphml")
    assert {one.tag.rpartition("}")[2] for one in tree.iter()} == {"graphml", "key", "graph", "node", "edge", "data"}
    labels = [one.text or "" for one in tree.iter() if one.get("key") == "label"]
    assert labels[0] == without_what_xml_lacks(repaired(given.text))


def tables(given: Displayed, folder: Path) -> None:
    path = given.graph.export(folder / "x.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == list(given.graph.node_ids)
    for row in rows:
        assert None not in row
        assert not row["token"].strip(" \u00a0").startswith(STARTS)
        assert not row["label"].strip(" \u00a0").startswith(STARTS)


def circuit(given: Displayed, folder: Path) -> None:
    found = cw.Circuit.load(given.circuit.save(folder / "x.circuit.json"))
    assert found == given.circuit
    assert cw.Circuit.from_json(json.loads(json.dumps(found.to_json()))) == given.circuit


def link(given: Displayed, folder: Path) -> None:
    del folder
    written = given.circuit.to_link(given.graph, slug="a", scan="b")
    assert re.fullmatch(r"https://www\.neuronpedia\.org/b/graph\?[\w=&%.~+-]*", written, re.ASCII)
    found = cw.Circuit.from_link(written, given.graph)
    assert [one.name for one in found.supernodes] == given.names


def code(given: Displayed, folder: Path) -> None:
    del folder
    swapped = cw.SwapIn([given.graph.node_ids[0]], repaired(given.text))
    written = effect_code(given.graph, [swapped], "total")
    assert_harmless(written)
    constants = [one.value for one in ast.walk(ast.parse(written)) if isinstance(one, ast.Constant)]
    assert repaired(given.text) in constants


def output_of_a_notebook(given: Displayed, folder: Path) -> None:
    del folder
    figure = given.figure
    picture = picture_of(figure)
    plain = Elements(picture_of(displayed("x").figure).words["text/html"]).found
    found = Elements(picture.words["text/html"]).found
    assert [(tag, sorted(names)) for tag, names in found] == [(tag, sorted(names)) for tag, names in plain]
    assert picture.words["text/plain"].startswith(figure.scene.title[:20])
    assert set(picture.image) == {"image/png"}
    base64.b64decode(picture.image["image/png"], validate=True)


def kept_work(given: Displayed, folder: Path) -> None:
    path, graph = folder / "x.json", small_graph()
    graph = replace(
        graph, tokens=(graph.tokens[0], replace(graph.tokens[1], text=repaired(given.text)), *graph.tokens[2:])
    )
    node, *others = graph.node_ids
    made = cw.Circuit().group("a", [node])
    for name, one in zip(given.names, others, strict=False):
        made = made.group(name, [one])
    # The name of an experiment is a text of 1 to 200 characters.
    name = beginning(repaired(given.text).strip(), 200).strip() or "x"
    entry = HistoryEntry(1, name, LinearModel().intervene(graph, [cw.Ablate(node)]))
    path.write_text(Writing(graph).text(Work(made, (entry,), 1, 1)), encoding="utf-8")
    found = read_work(read_file(path), graph, path.name)
    assert (found.circuit, found.entries[0].name) == (made, name)
    assert found.entries[0].effect.tokens["token"].tolist() == entry.effect.tokens["token"].tolist()
    assert cw.Circuit.load(path) == made


OUTPUTS: Mapping[str, Callable[[Displayed, Path], None]] = MappingProxyType(
    {
        "figure .svg": svg,
        "figure .pdf": pdf,
        "figure .png": png,
        "figure .tex": tikz,
        "graph .safetensors": own,
        "graph .json": viewer,
        "graph .graphml": graphml,
        "graph .csv": tables,
        "graph .parquet": exported(".parquet"),
        "circuit": circuit,
        "kept work": kept_work,
        "link": link,
        "code": code,
        "output of a notebook": output_of_a_notebook,
    }
)

ELSEWHERE = {
    "table": "tests/widget/test_history.py::test_no_text_of_the_table_is_a_formula_of_a_spreadsheet",
    "html": "tests/widget/test_html_file.py::test_hostile_text_adds_no_element_to_the_page",
}
"""Files that the page asks for, and where hostile texts in them are tested."""


def missing() -> Iterator[str]:
    """Yield the outputs that the package has and the table has not."""
    yield from {f"graph {ending}" for ending in (".json", *exporting._WRITERS)} - OUTPUTS.keys()
    yield from {f"figure .{kind}" for kind in graph_handlers.MIME} - OUTPUTS.keys()
    yield from {name for name, kind in REQUESTS.items() if kind.reply is FileReply} - {"figure", *ELSEWHERE}


def test_no_format_is_forgotten() -> None:
    assert list(missing()) == []


@pytest.mark.parametrize("test", ELSEWHERE.values())
def test_what_is_tested_elsewhere_is_there(test: str) -> None:
    path, _, name = test.partition("::")
    assert f"def {name}(" in (Path(__file__).parents[1] / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("output", OUTPUTS)
def test_hostile_texts_come_out_as_texts(output: str, tmp_path: Path) -> None:
    texts = list(TEXTS.values())
    if output in ("figure .pdf", "figure .png", "output of a notebook"):
        # They take a second each, and tests/figure/test_hostile_text.py has all texts.
        texts = [TEXTS[name] for name in ("end of a pdf", "typst code", "attribute", "controls")]
    for text in texts:
        OUTPUTS[output](displayed(text), tmp_path)
