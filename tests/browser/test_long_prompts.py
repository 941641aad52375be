"""The map of a long prompt: bands of tokens, a minimap, and zooming, by pointer and by keyboard."""

from tests.browser.conftest import OpenNotebook
from tests.browser.widget_view import WidgetView

LONG = """\
import circuit_widget as cw
model = cw.load("demo")
graph = model.trace("the capital of the state containing Dallas is Austin . " * 5 + "the capital of the state containing Dallas is")
widget = graph.show()
widget.circuit = widget.circuit.threshold(node=0.3, edge=0.2)
"""
SHOW = "widget"


def opened(open_notebook: OpenNotebook) -> WidgetView:
    notebook = open_notebook([LONG, SHOW])
    notebook.run(0)
    notebook.run(1)
    view = WidgetView(notebook)
    view.fit(600)
    return view


def test_a_band_of_tokens_opens_and_closes_by_a_click_and_by_keyboard(open_notebook: OpenNotebook) -> None:
    view = opened(open_notebook)
    bands = view.part("token-band")
    bands.first.wait_for(state="attached")
    before = bands.count()
    assert " tokens, positions " in str(bands.last.get_attribute("aria-label"))
    bands.last.press("Enter")
    view.part("open-token-band").wait_for(state="attached")
    assert bands.count() == before - 1
    assert "its tokens" in str(view.part("open-token-band").get_attribute("aria-label"))
    view.part("open-token-band").press("Enter")
    view.part("open-token-band").wait_for(state="detached")
    x, y = view.centre(bands.last)
    view.page.mouse.click(x, y)
    view.part("open-token-band").wait_for(state="attached")
    assert bands.count() == before - 1


def test_the_minimap_moves_the_view_by_keyboard_and_by_dragging(open_notebook: OpenNotebook) -> None:
    view = opened(open_notebook)
    window = view.part("minimap-window")
    window.wait_for()
    assert window.get_attribute("aria-valuenow") == "100"
    window.press("Home")
    assert window.get_attribute("aria-valuenow") == "0"
    assert str(window.get_attribute("aria-valuetext")).startswith("tokens ")
    window.press("ArrowRight")
    assert int(str(window.get_attribute("aria-valuenow"))) > 0
    window.press("End")
    x, y = view.centre(window)
    view.drag((x, y), (x - 400, y))
    assert window.get_attribute("aria-valuenow") == "0"


def test_zooming_in_on_a_band_opens_it_and_zooming_out_closes_it(open_notebook: OpenNotebook) -> None:
    view = opened(open_notebook)
    band = view.part("token-band").last
    band.wait_for(state="attached")
    view.page.mouse.move(*view.centre(band))
    view.page.keyboard.down("Control")
    for _ in range(8):
        view.page.mouse.wheel(0, -120)
    view.part("open-token-band").wait_for(state="attached")
    for _ in range(16):
        view.page.mouse.wheel(0, 120)
    view.page.keyboard.up("Control")
    view.part("open-token-band").wait_for(state="detached")
