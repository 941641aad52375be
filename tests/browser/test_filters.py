"""Filters of the map and bands of layers, by pointer and by keyboard, shared with the kernel."""

from playwright.sync_api import expect

from tests.browser.conftest import OpenNotebook
from tests.browser.widget_view import FEATURES, LOAD, SHOW, WidgetView


def test_filters_are_set_in_the_panel_known_in_python_and_removed_by_their_chips(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([LOAD, SHOW])
    notebook.run(0)
    notebook.run(1)
    view = WidgetView(notebook)
    view.part("filters").click()
    view.part("filter-errors-field").select_option("bands")
    view.part("filter-first-layers-field").select_option("1")
    view.part("filter-layers").wait_for()
    notebook.wait_until("widget.circuit.filters == cw.Filters(layers=(1, 3), error_bands=True)")
    view.page.keyboard.press("Escape")
    view.part("filter-panel").wait_for(state="detached")
    assert "drawn as bands" in str(view.part("node-threshold").get_attribute("aria-valuetext"))
    view.part("filter-layers").press("Enter")
    notebook.wait_until("widget.circuit.filters == cw.Filters(error_bands=True)")
    assert view.page.evaluate("document.activeElement.shadowRoot.activeElement.dataset.test") == "filters"
    view.part("undo").click()
    notebook.wait_until("widget.circuit.filters == cw.Filters(layers=(1, 3), error_bands=True)")


def test_single_nodes_are_hidden_by_hand_and_brought_back_by_their_chip(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([LOAD + FEATURES, SHOW])
    notebook.run(0)
    notebook.run(1)
    view = WidgetView(notebook)
    first, second = notebook.python("features('Dallas')[:2]")
    view.click_node(first)
    view.part("inspector-hide").click()
    notebook.wait_until(f"widget.circuit.filters == cw.Filters(hidden=({first!r},))")
    assert view.page.evaluate("document.activeElement.shadowRoot.activeElement.className").startswith("map-canvas")
    assert "1 hidden by hand" in str(view.part("node-threshold").get_attribute("aria-valuetext"))
    notebook.tell(f"widget.circuit = widget.circuit.hide({second!r})")
    chip = view.part("filter-hidden")
    expect(chip).to_contain_text("2 hidden by hand")
    chip.press("Enter")
    notebook.wait_until("widget.circuit.filters == cw.Filters()")


def test_a_band_opens_and_closes_by_keyboard(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([LOAD, SHOW])
    notebook.run(0)
    notebook.run(1)
    notebook.tell("widget.circuit = widget.circuit.threshold(node=0)")
    view = WidgetView(notebook)
    band = view.part("layer-band").first
    band.wait_for(state="attached")
    assert "click" not in str(band.get_attribute("aria-label"))
    before = view.part("node-threshold").get_attribute("aria-valuetext")
    band.press("Enter")
    view.part("open-layer-band").wait_for(state="attached")
    assert view.part("node-threshold").get_attribute("aria-valuetext") != before
    view.part("open-layer-band").press("Enter")
    view.part("open-layer-band").wait_for(state="detached")
    assert view.part("node-threshold").get_attribute("aria-valuetext") == before
