"""The widget fits its cell at every width, light and dark; CIRCUIT_WIDGET_SCREENSHOTS=folder keeps the pictures."""

import os
from pathlib import Path

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.notebook import Notebook
from tests.browser.widget_view import WidgetView

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
WIDTHS = (600, 900, 1400)

SET_WIDTH = """(width) => {
  const panel = window.jupyterapp.shell.currentWidget.node;
  for (const output of panel.querySelectorAll(".jp-OutputArea-output:has(.circuit-widget)")) {
    output.style.width = `${width}px`;
    output.style.maxWidth = `${width}px`;
    output.style.flex = "none";
  }
}"""


@pytest.fixture
def walked(open_notebook: OpenNotebook) -> Notebook:
    """The quickstart after its last cell."""
    notebook = open_notebook(QUICKSTART, width=1800)
    notebook.run_all()
    return notebook


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_widget_fits_its_cell(walked: Notebook, theme: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("CIRCUIT_WIDGET_SCREENSHOTS", tmp_path))
    walked.theme(theme)
    for width in WIDTHS:
        walked.page.evaluate(SET_WIDTH, width)
        view = WidgetView(walked)
        view.page.wait_for_function(
            "([root, width]) => Math.abs(root.getBoundingClientRect().width - width) < 40",
            arg=[view.root.element_handle(), width],
        )
        overflow = view.root.evaluate("(root) => root.scrollWidth - root.clientWidth")
        assert overflow <= 0
        for part in ("map", "inspector", "effects"):
            assert view.part(part).is_visible()
        view.screenshot(folder / f"widget-{width}-{theme}.png")
        assert (folder / f"widget-{width}-{theme}.png").stat().st_size > 20_000
