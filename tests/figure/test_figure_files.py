"""Files of figures: saved whole or not at all, with the recipe in them."""

import io
import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import FigureError
from circuit_widget.figure.figure import make_figure, read_recipe
from tests.figure.graphs import HOSTILE, HOSTILE_ANSWERS, circuit_of_dallas, dallas, texas_ablated

GRAPH = dallas()
CIRCUIT = circuit_of_dallas()


@pytest.mark.parametrize("ending", ["svg", "pdf", "png", "PNG", "tex", "html"])
def test_the_recipe_comes_back_from_every_file(ending: str, tmp_path: Path) -> None:
    graph = dallas(HOSTILE, HOSTILE_ANSWERS)
    figure = make_figure(graph, CIRCUIT, texas_ablated(graph), part="circuit", width=3.25)
    file = figure.save(tmp_path / f"figure.{ending}")
    recipe = read_recipe(file)
    set_as = recipe.pop("set", None)
    assert recipe == json.loads(json.dumps(figure.recipe))
    assert (set_as is not None) == (ending.lower() in ("pdf", "png")), "what a typesetter made says with which"
    (graph_recipe,), (panel,) = recipe["graphs"], recipe["panels"]
    assert graph_recipe["model"] == "small"
    assert graph_recipe["versions"] == {"torch": "2"}
    assert graph_recipe["prompt"] == list(HOSTILE)
    assert (graph_recipe["prompt_token_ids"], graph_recipe["position"]) == (list(range(9)), 8)
    assert panel["display"] == {"node": 0.8, "edge": 0.98}
    assert panel["outcome"]["interventions"] == [{"kind": "ablate", "nodes": list(CIRCUIT.supernode("Texas").nodes)}]
    assert Circuit.from_json(panel["circuit"]) == CIRCUIT


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.gif", b"", r"\.svg, \.pdf, \.png, \.tex or \.html, its recipe in \.recipe\.json; given 'x.gif'"),
        ("x.svg", b"<svg", "not a whole SVG file"),
        ("x.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "contains no recipe"),
        ("x.png", b"GIF89a", "not a whole PNG file"),
        ("x.pdf", b"%PDF-1.7 nothing", "contains no recipe"),
        ("x.pdf", b"", "not a whole PDF file"),
        ("x.html", b"<html></html>", "contains no recipe"),
        ("x.html", b"<svg <</svg>", "not a whole HTML file"),
        ("x.recipe.json", b"{", "not a whole JSON file"),
        ("x.recipe.json", b"[]", "contains no recipe"),
    ],
)
def test_a_file_without_a_recipe_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FigureError, match=message):
        read_recipe(tmp_path / name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FigureError, match=r"none\.svg.*cannot be read"):
        read_recipe(tmp_path / "none.svg")


def test_an_unknown_ending_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(FigureError, match=r"\.svg, \.pdf, \.png, \.tex or \.html; given 'dallas.jpeg'"):
        make_figure(GRAPH).save(tmp_path / "dallas.jpeg")
    with pytest.raises(FigureError, match="cannot be written"):
        make_figure(GRAPH).save(tmp_path / "no such folder" / "dallas.svg")
    assert list(tmp_path.iterdir()) == []


def test_saving_replaces_the_file_whole(tmp_path: Path) -> None:
    file = tmp_path / "dallas.svg"
    file.write_text("old")
    assert make_figure(GRAPH).save(str(file)) == file
    ElementTree.parse(io.BytesIO(file.read_bytes()))
    assert [path.name for path in tmp_path.iterdir()] == ["dallas.svg"]


@pytest.mark.parametrize(("library", "method"), [("typst", "pdf"), ("typst", "png")])
def test_a_missing_library_is_an_error_that_names_what_to_install(
    library: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(FigureError, match=r"not installed\. Install it with: pip install 'circuit-widget\[figures\]'"):
        getattr(make_figure(GRAPH), method)()
    assert make_figure(GRAPH).svg()
