"""The widget fits its cell at every width, light and dark; CIRCUIT_WIDGET_SCREENSHOTS=folder keeps the pictures."""

import os
from pathlib import Path

import pytest

from tests.browser.conftest import FINE_SCREEN, OpenNotebook, Screen
from tests.browser.widget_view import WidgetView

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
WIDTHS = (600, 900, 1400)


@pytest.fixture
def screen() -> Screen:
    return FINE_SCREEN


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_widget_fits_its_cell(open_notebook: OpenNotebook, theme: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("CIRCUIT_WIDGET_SCREENSHOTS", tmp_path))
    notebook = open_notebook(QUICKSTART)
    notebook.theme(theme)
    notebook.run_all()
    view = WidgetView(notebook)
    feature = notebook.python("widget.circuit.supernode('Texas').nodes[0]")
    notebook.tell(f"widget.select([{feature!r}])")
    view.part("feature-card").wait_for()
    for width in WIDTHS:
        view.fit(width)
        view.page.mouse.move(2, 2)
        assert view.root.evaluate("(root) => root.scrollWidth - root.clientWidth") <= 0
        for part in ("map", "inspector", "effects"):
            assert view.part(part).is_visible()
        view.screenshot(folder / f"widget-{width}-{theme}.png")
        assert (folder / f"widget-{width}-{theme}.png").stat().st_size > 20_000
