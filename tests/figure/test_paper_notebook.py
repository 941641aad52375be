"""The notebook of a figure for a paper runs from top to bottom on the embedded model, and its figure is as its text says."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pypdf
from nbclient import NotebookClient

from circuit_widget.figure.output.recipe_in_file import read_recipe

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "paper_figure.ipynb"


def executed(folder: Path, cache: Path) -> list[Any]:
    """The code cells of the notebook after they ran in a folder, with the models in a cache."""
    document = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(document, timeout=400, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute(env={**os.environ, "CIRCUIT_WIDGET_CACHE": str(cache)})
    return [cell for cell in document.cells if cell.cell_type == "code"]


def page_of(file: Path) -> tuple[float, str]:
    """The width of the only page of a PDF in inches, and its text."""
    (page,) = pypdf.PdfReader(file).pages
    return float(page.mediabox.width) / 72, page.extract_text()


def test_it_runs_on_the_embedded_model_and_its_figure_is_of_three_panels(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    *cells, real = executed(folder, tmp_path / "no cache")
    assert "Run any_model.ipynb first" in real.outputs[0].text
    assert sorted(file.name for file in folder.iterdir()) == ["again.pdf", "dallas.pdf", "dallas.recipe.json"]
    width, text = page_of(folder / "dallas.pdf")
    assert abs(width - 5.5) < 0.01
    assert all(
        words in text for words in ("before", "California for Texas", "Texas scaled", "Sacramento", "say Austin")
    )
    assert cells[-1].outputs[0].data["text/plain"] == "True", "the same bytes came out again"
    (block,) = [cell.outputs[0].text for cell in cells if "figure.latex" in cell.source]
    assert "\\includegraphics[width=5.5in]{dallas.pdf}" in block
    assert [panel["title"] for panel in read_recipe(folder / "dallas.pdf")["panels"]] == [
        "before",
        "California for Texas",
        "Texas scaled",
    ]
