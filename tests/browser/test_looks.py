"""The widget fits its cell at every width, light and dark; CIRCUIT_WIDGET_SCREENSHOTS=folder keeps the pictures."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.conftest import OpenNotebook
from tests.browser.widget_view import WidgetView

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
WIDTHS = (600, 900, 1400)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile on a fine screen, for pictures fit to be shown."""
    fresh = browser.new_context(viewport={"width": 1600, "height": 1900}, device_scale_factor=1.5)
    yield fresh
    fresh.close()


def fit(view: WidgetView, width: int) -> None:
    """Make the page as wide as it must be for the widget to have a width."""
    page = view.page
    bounds, viewport = view.root.bounding_box(), page.viewport_size
    assert bounds is not None
    assert viewport is not None
    page.set_viewport_size({"width": round(viewport["width"] + width - bounds["width"]), "height": viewport["height"]})
    page.wait_for_function(
        "([root, width]) => Math.abs(root.getBoundingClientRect().width - width) < 2",
        arg=[view.root.element_handle(), width],
    )


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
        fit(view, width)
        view.page.mouse.move(2, 2)
        assert view.root.evaluate("(root) => root.scrollWidth - root.clientWidth") <= 0
        for part in ("map", "inspector", "effects"):
            assert view.part(part).is_visible()
        view.screenshot(folder / f"widget-{width}-{theme}.png")
        assert (folder / f"widget-{width}-{theme}.png").stat().st_size > 20_000
