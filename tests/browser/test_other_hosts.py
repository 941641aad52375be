"""The widget outside of JupyterLab and Notebook: marimo, Voilà, JupyterLite, and pages that nbconvert writes."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from playwright.sync_api import BrowserContext, Page

from circuit_widget.demo.groups import state_features
from circuit_widget.loading import load
from tests.browser.jupyter_server import notebook_of
from tests.browser.local_server import LocalServer
from tests.browser.notebook import START_TIMEOUT, Notebook
from tests.browser.widget_view import LOAD, SHOW, WidgetView

PROMPT = "the capital of the state containing Dallas is"
GROUP = """\
from circuit_widget.demo.groups import state_features
widget.group("Texas", [feature.id for feature in state_features(graph, "Texas") if feature.id in graph.node_ids])
"""
CELLS = [LOAD + GROUP, SHOW]

MARIMO = """\
import marimo

app = marimo.App()


@app.cell
def _():
{}
    return (widget,)


@app.cell
def _(widget):
    widget
    return
"""

# marimo's editor runs nothing by itself otherwise.
RUN_ON_OPENING = "[tool.marimo.runtime]\nauto_instantiate = true\n"

PICTURE = ".circuit-widget-picture"

# Voilà asks a public server for its icons, and reports a module of JupyterLab's that it does without.
NOISE_OF_VOILA = ("fontawesome-free", "ERR_NAME_NOT_RESOLVED", "@jupyterlab/docregistry")
# nbconvert's pages ask public servers for formulas, diagrams and, with the state of widgets, what displays these.
NOISE_OF_NBCONVERT = (
    "network: https://cdnjs.cloudflare.com",
    "network: https://cdn.jsdelivr.net",
    "network: https://unpkg.com",
    "ERR_NAME_NOT_RESOLVED",
)

# JupyterLite asks for a file that its site need not have, and fetches a kernel for Python where one belongs to the site.
NOISE_OF_JUPYTERLITE = ("404", "network: https://cdn.jsdelivr.net", "ERR_NAME_NOT_RESOLVED", "pyodide")

# How many colours a canvas or an image has, from a copy of it.
COLOURS = """(drawn) => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [drawn.naturalWidth ?? drawn.width, drawn.naturalHeight ?? drawn.height];
  const context = canvas.getContext("2d");
  context.drawImage(drawn, 0, 0);
  return new Set(new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size;
}"""


@pytest.fixture(scope="module")
def probability() -> float:
    """The probability of Austin without Texas, as Python computes it."""
    graph = load("demo").trace(PROMPT)
    widget = graph.show()
    widget.group("Texas", [feature.id for feature in state_features(graph, "Texas") if feature.id in graph.node_ids])
    effect = widget.ablate("Texas")
    widget.close()
    return float(effect.tokens.set_index("token").after["Austin"])


@pytest.fixture
def forgive(complaints: list[str]) -> Iterator[Callable[..., None]]:
    """Take what a host itself logs, once its page is closed, out of the complaints."""
    noise: list[str] = []
    yield lambda *more: noise.extend(more)
    complaints[:] = [one for one in complaints if not any(part in one for part in noise)]


def indented(code: str) -> str:
    return "".join(f"    {line}\n" for line in code.splitlines())


def opened(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.goto(address, timeout=START_TIMEOUT)
    return page


def paints_and_runs_the_model(page: Page, probability: float) -> None:
    # The host starts a kernel and runs the cells first.
    page.locator(".circuit-widget[data-ready='true']").wait_for(timeout=START_TIMEOUT)
    view = WidgetView(Notebook(page))
    assert view.part("map").evaluate(COLOURS) > 20
    view.ablate("Texas")
    assert view.token_rows()["Austin"]["after"] == pytest.approx(probability, abs=1e-6)
    assert page.locator(PICTURE).filter(visible=True).count() == 0


def test_marimo_displays_the_widget_and_runs_the_model(
    tmp_path: Path, context: BrowserContext, complaints: list[str], probability: float
) -> None:
    (tmp_path / "circuit.py").write_text(MARIMO.format(indented(LOAD + GROUP)))
    (tmp_path / "pyproject.toml").write_text(RUN_ON_OPENING)
    arguments = ["edit", "--headless", "--no-token", "--host=127.0.0.1", "--port={port}", "circuit.py"]
    with LocalServer(tmp_path, "marimo", arguments) as server:
        page = opened(context, server.address)
        paints_and_runs_the_model(page, probability)
        page.close()


def test_voila_displays_the_widget_and_runs_the_model(
    tmp_path: Path, context: BrowserContext, forgive: Callable[..., None], probability: float
) -> None:
    forgive(*NOISE_OF_VOILA)
    (tmp_path / "circuit.ipynb").write_text(notebook_of(CELLS))
    arguments = ["--no-browser", "--Voila.ip=127.0.0.1", "--port={port}", "circuit.ipynb"]
    with LocalServer(tmp_path, "voila", arguments) as server:
        page = opened(context, server.address)
        paints_and_runs_the_model(page, probability)
        page.close()


@pytest.fixture(scope="module")
def executed() -> nbformat.NotebookNode:
    """The notebook after a run without a reader, with the state of its widgets."""
    notebook: nbformat.NotebookNode = nbformat.reads(notebook_of(CELLS), as_version=4)
    NotebookClient(notebook, timeout=120, store_widget_state=True).execute()
    return notebook


@pytest.mark.parametrize("state", [True, False], ids=["with state", "without state"])
def test_a_page_by_nbconvert_shows_the_picture_once(
    state: bool, executed: nbformat.NotebookNode, tmp_path: Path, context: BrowserContext, forgive: Callable[..., None]
) -> None:
    forgive(*NOISE_OF_NBCONVERT)
    notebook = nbformat.from_dict(executed)
    assert notebook.metadata.widgets
    if not state:
        del notebook.metadata["widgets"]
    file = tmp_path / "circuit.html"
    file.write_text(HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")
    page = opened(context, file.as_uri())
    (image,) = page.locator("img").filter(visible=True).all()
    (words,) = page.locator(PICTURE).all()
    assert "Supernodes: Texas." in str(words.locator("p").text_content())
    place = words.locator("p").bounding_box()
    assert place is not None
    assert place["width"] == 1
    assert image.evaluate("(image) => image.complete && image.naturalWidth > 600")
    assert image.evaluate(COLOURS) > 20
    assert "CircuitWidget(" not in page.locator("main").inner_text()
    assert "model not found" not in page.locator("main").inner_text()


@pytest.mark.skipif(
    importlib.util.find_spec("jupyterlite_core") is None,
    reason="no jupyterlite-core here: pip install jupyterlite-core",
)
def test_a_site_of_jupyterlite_shows_the_picture_of_a_saved_notebook(
    executed: nbformat.NotebookNode, tmp_path: Path, context: BrowserContext, forgive: Callable[..., None]
) -> None:
    forgive(*NOISE_OF_JUPYTERLITE)
    (tmp_path / "contents").mkdir()
    nbformat.write(executed, tmp_path / "contents" / "circuit.ipynb")
    build = "import sys; from jupyterlite_core.app import main; sys.exit(main())"
    arguments = ["build", "--contents", "contents", "--output-dir", "site"]
    subprocess.run([sys.executable, "-c", build, *arguments], cwd=tmp_path, check=True, capture_output=True)
    with LocalServer(tmp_path / "site", "http.server", ["{port}", "--bind=127.0.0.1"]) as server:
        page = opened(context, f"{server.address}/lab/index.html?path=circuit.ipynb")
        image = page.locator(".jp-OutputArea-output img")
        image.wait_for(timeout=START_TIMEOUT)
        assert image.evaluate("(image) => image.complete && image.naturalWidth > 600")
        assert image.evaluate(COLOURS) > 20
        assert "Supernodes: Texas." in page.locator(PICTURE).inner_text()
        assert page.get_by_text("model not found").filter(visible=True).count() == 0
        page.close()
