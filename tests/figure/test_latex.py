"""The LaTeX block of a figure: it says what was done, and no text in it is a command."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import circuit_widget as cw
from circuit_widget.errors import FigureError
from circuit_widget.figure.figure import make_figure
from circuit_widget.figure.output.tikz import ESCAPES
from tests.figure.graphs import HOSTILE, HOSTILE_ANSWERS, circuit_of_dallas, dallas, texas_ablated
from tests.figure.test_tikz import NASTY

GRAPH = dallas()
CIRCUIT = circuit_of_dallas()
COMMANDS = {
    *("begin", "centering", "includegraphics", "caption", "label", "end", "textbf", "fbox", "rule"),
    *(name for text in ESCAPES.values() for name in re.findall(r"\\([a-zA-Z]+)", text)),
}


@pytest.fixture(scope="module")
def model() -> cw.ReplacementModel:
    return cw.load("demo", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def graph(model: cw.ReplacementModel) -> cw.Graph:
    return model.trace("the capital of the state containing Dallas is", max_features=80).prune(0.8, 0.95)


def caption(figure: cw.Figure) -> str:
    """The caption of the block, whose braces are balanced."""
    block = figure.latex()
    found = block.split("\\caption{", 1)[1].split("\n", 1)[0]
    return found.removesuffix("}")


def test_the_caption_states_what_the_figure_was_made_from(model: cw.ReplacementModel, graph: cw.Graph) -> None:
    texas = graph.labelled("Texas")
    circuit = cw.Circuit().group("Texas & more", texas)
    controls = model.controls(graph, [cw.Scale(texas, -2)], n=7, seed=5, mode=(1, 2))
    words = caption(graph.figure(circuit, controls, part="intervention", width=5.5))
    assert words.startswith(
        "Circuit before and after an intervention of the model demo with the transcoders circuit{-}widget{-}demo"
    )
    assert "on the prompt ``the capital of the state containing Dallas is'', explaining ``Austin''" in words
    assert r"Intervention: scale Texas \& more $\times$$-$2 (MLP outputs of layers 1 to 2 frozen)." in words
    assert "The band is the range over 7 controls" in words
    assert "(seed 5)" in words
    assert "The 80 features with most influence are nodes." in words
    assert r"Pruned to 80\% of influence and 95\% of edge score." in words


def test_neurons_and_panels_are_in_words(model: cw.ReplacementModel, graph: cw.Graph) -> None:
    neurons = cw.load("demo", "neurons").trace("the capital of France is", max_features=50)
    texas = graph.labelled("Texas")
    effect = model.intervene(graph, cw.Ablate(texas), mode="frozen_attention")
    sweep = model.sweep(graph, texas, [2, -1])
    words = caption(cw.panels({"of neurons": neurons, "bars": effect, "dose": sweep}))
    assert r"\textbf{a} of neurons: attribution graph, of the model demo with its neurons as features" in words
    assert r"\textbf{b} bars: probabilities and activations; intervention: ablate" in words
    assert "(attention patterns frozen)" in words
    assert r"\textbf{c} dose: " in words
    assert r"times {-}1 to 2, measured and predicted (nothing frozen)" in words
    assert "The 50 neurons with most influence are nodes. The 80 features with most" in words
    alone = caption(cw.panels([graph, (graph, cw.Circuit().group("Texas", texas), effect)]))
    assert alone.startswith("All panels are of the model demo")
    assert r"\textbf{b} circuit; intervention: ablate Texas $\times$0 (attention patterns frozen)." in alone


def hostile() -> cw.Figure:
    graph = dallas((HOSTILE[0], NASTY, *HOSTILE[2:]), HOSTILE_ANSWERS)
    circuit = CIRCUIT.rename("Texas", "\\end{figure} 100% #1 ${x}$")
    return make_figure(graph, circuit, texas_ablated(graph), title=NASTY)


@pytest.mark.parametrize("figure", [hostile(), GRAPH.figure(CIRCUIT)], ids=["hostile", "plain"])
def test_no_text_is_a_command_and_braces_are_balanced(figure: cw.Figure) -> None:
    block = figure.latex("figures/a.pdf")
    assert set(re.findall(r"\\([a-zA-Z]+)", block)) <= COMMANDS
    assert block.count("\\end{figure}") == 1
    plain = re.sub(r"\\[{}%#$&_]", "", block)
    assert plain.count("{") == plain.count("}")
    assert not set("%#_^~") & set(plain.replace("\\includegraphics", "")), (
        "signs that LaTeX reads stand behind a backslash"
    )
    assert plain.count("$") % 2 == 0
    depth = 0
    for sign in plain:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0


def test_file_label_and_caption_are_yours() -> None:
    figure = GRAPH.figure(CIRCUIT, width=5.5)
    assert "\\includegraphics[width=5.5in]{figure.pdf}" in figure.latex()
    assert "\\label{fig:figure}" in figure.latex()
    block = figure.latex("figures/dallas.png", "My \\emph{own}.", "fig:one")
    assert "{figures/dallas.png}" in block
    assert "\\caption{My \\emph{own}.}" in block
    assert "\\label{fig:one}" in block
    assert "\\caption" not in figure.latex(caption=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.svg",), r"as \.pdf or \.png; given 'a\.svg'"),
        (("a}{b.pdf",), "name of a file in LaTeX has letters"),
        (("a b.pdf",), "name of a file in LaTeX"),
        (("a.pdf", True, "x}"), "A label in LaTeX has letters"),
        (("a.pdf", 3), "A caption is a text, True"),
        ((3,), "The file of a figure in LaTeX is a text"),
    ],
)
def test_what_latex_would_read_otherwise_is_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(FigureError, match=message):
        GRAPH.figure().latex(*arguments)


@pytest.mark.parametrize("name", ["hostile", "plain"])
def test_it_compiles_in_an_article(name: str, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    figure = hostile() if name == "hostile" else GRAPH.figure(CIRCUIT, width=4)
    figure.save(tmp_path / "figure.pdf")
    head = "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{graphicx}\n\\begin{document}\n"
    (tmp_path / "article.tex").write_text(f"{head}{figure.latex()}\\end{{document}}\n")
    run = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "article.tex"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:].decode("utf-8", "replace")
