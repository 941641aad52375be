"""Figures as TikZ: they compile, say what the other formats say, and no text in them is a command."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from circuit_widget.errors import FigureError
from circuit_widget.figure.figure import Figure, make_figure
from circuit_widget.figure.output.recipe_in_file import read_recipe
from circuit_widget.figure.output.tikz import ESCAPES, escaped
from circuit_widget.figure.scene.scene import Circle, Curves, Label, Lines, Polygon, Rectangle
from tests.figure.graphs import (
    HOSTILE,
    HOSTILE_ANSWERS,
    california_swapped_in,
    circuit_of_dallas,
    dallas,
    texas_ablated,
)

GRAPH = dallas()
CIRCUIT = circuit_of_dallas()
COMMANDS = {
    "begin", "documentclass", "end", "fontsize", "node", "pagestyle", "parindent", "path", "resizebox", "selectfont",
    "bfseries", "sffamily", "ttfamily", "usepackage", "useasboundingbox", "height", "fbox", "rule",
    *(name for text in ESCAPES.values() for name in re.findall(r"\\([a-zA-Z]+)", text)),
}  # fmt: skip
"""Every command that a picture uses."""
NASTY = "\\input{/etc/passwd} $x$ 100% #1 a_b^c ~ & {} \\end{document} “q” 'q' \"q\" `q` |<>| -- 東京\n\\"


def hostile() -> Figure:
    graph = dallas(HOSTILE, HOSTILE_ANSWERS, {"1_3_7": NASTY})
    circuit = CIRCUIT.rename("Texas", NASTY[:40]).pin(["1_33_7"]).label("1_33_7", "\\end{tikzpicture}")
    return make_figure(graph, circuit, texas_ablated(graph), title=NASTY)


@pytest.fixture(scope="module", params=["intervention", "both", "hostile"])
def figure(request: pytest.FixtureRequest) -> Figure:
    if request.param == "hostile":
        return hostile()
    return make_figure(GRAPH, CIRCUIT, california_swapped_in(GRAPH), request.param, 5.5)


def test_every_shape_and_text_is_there_once_and_braces_are_balanced(figure: Figure) -> None:
    body = figure.tikz().split("\\begin{tikzpicture}")[1]
    shapes = [item for item in figure.scene.items if isinstance(item, Curves | Polygon | Lines | Rectangle | Circle)]
    texts = [item for item in figure.scene.items if isinstance(item, Label) and item.text.strip()]
    assert body.count("\\path[") == len(shapes)
    assert body.count("\\node[") == len(texts)
    for line in figure.tikz().split("\n")[1:]:
        plain = line.replace("\\{", "").replace("\\}", "")
        assert plain.count("{") == plain.count("}")


def test_no_text_is_a_command(figure: Figure) -> None:
    document = figure.tikz().split("\n", 1)[1]
    assert set(re.findall(r"\\([a-zA-Z]+)", document)) <= COMMANDS
    assert document.count("\\end{document}") == document.count("\\end{tikzpicture}") == 1
    assert "東" not in document


def test_what_latex_would_read_is_escaped() -> None:
    assert escaped("50% of $x_1$ & {y}") == r"50\% of \$x\_1\$ \& \{y\}"
    assert escaped("0.91 → 0.04") == r"0.91 $\rightarrow$ 0.04"
    assert escaped("\\") == r"\textbackslash{}"
    assert "\n" not in escaped("a\nb")


def test_signs_are_colour_and_dash_as_in_the_other_formats() -> None:
    document = make_figure(GRAPH, CIRCUIT, part="circuit").tikz()
    lines = [line for line in document.split("\n") if line.startswith("\\path[draw={rgb,255:red,196;green,71;blue,43}")]
    curves = [line for line in lines if ".. controls" in line]
    assert curves
    assert all("dash pattern=on" in line for line in curves)
    solid = [
        line
        for line in document.split("\n")
        if "draw={rgb,255:red,43;green,108;blue,163}" in line and "controls" in line
    ]
    assert solid
    assert not any("dash pattern" in line for line in solid)


def test_the_recipe_is_read_back(tmp_path: Path) -> None:
    figure = make_figure(GRAPH, CIRCUIT, texas_ablated(GRAPH))
    assert read_recipe(figure.save(tmp_path / "dallas.tex")) == figure.recipe
    other = tmp_path / "other.tex"
    other.write_text("\\documentclass{article}\n")
    with pytest.raises(FigureError, match="contains no recipe"):
        read_recipe(other)


def test_it_compiles_to_one_page_of_the_size_of_the_figure(figure: Figure, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    file = figure.save(tmp_path / "picture.tex")
    run = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", file.name]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:].decode("utf-8", "replace")
    assert b"(1 page" in done.stdout
    assert b"Overfull" not in done.stdout
