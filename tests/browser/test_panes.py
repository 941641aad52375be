"""The panes share the room of the cell: an empty circuit is a strip, edges move, a folded pane gives its room away."""

import time
from collections.abc import Callable

from tests.browser.conftest import OpenNotebook
from tests.browser.widget_view import FEATURES, LOAD, SHOW, WidgetView


def _sizes(view: WidgetView) -> dict[str, tuple[float, float]]:
    sizes = {}
    for name in ("map", "circuit", "inspector"):
        bounds = view.part(f"pane-{name}").bounding_box()
        assert bounds is not None
        sizes[name] = (bounds["width"], bounds["height"])
    return sizes


def _wait(view: WidgetView, holds: Callable[[dict[str, tuple[float, float]]], bool]) -> dict[str, tuple[float, float]]:
    """Look until the panes have sizes of which `holds` is true, and return them."""
    deadline = time.monotonic() + 10
    while not holds(sizes := _sizes(view)):
        assert time.monotonic() < deadline, sizes
        view.page.wait_for_timeout(50)
    return sizes


def test_an_empty_circuit_leaves_its_room_to_the_map(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([LOAD + FEATURES, SHOW])
    notebook.run_all()
    view = WidgetView(notebook)
    view.fit(900)
    window = view.page.viewport_size
    assert window is not None
    empty = _sizes(view)
    assert empty["circuit"][1] < 60
    assert empty["map"][1] > 500
    assert view.root.evaluate("(root) => root.clientHeight") < window["height"]

    node = notebook.python("features('Dallas')[0]")
    view.drag(view.place(node), view.centre(view.part("circuit-pane")))
    view.part("box").wait_for()
    filled = _wait(view, lambda sizes: sizes["circuit"][1] > 200)
    assert abs(filled["map"][1] + filled["circuit"][1] - empty["map"][1] - empty["circuit"][1]) < 1
    assert notebook.python("dict(widget.circuit.positions)") == {}, (
        "a place in the strip says nothing of one in the pane"
    )

    edge = view.part("edge-map-circuit")
    x, y = view.centre(edge)
    view.drag((x, y), (x, y + 80))
    moved = _wait(view, lambda sizes: abs(sizes["map"][1] - filled["map"][1] - 80) < 4)
    view.part("fold-map").click()
    folded = _wait(view, lambda sizes: sizes["map"][1] < 40)
    assert folded["circuit"][1] > moved["circuit"][1] + 200
    view.part("fold-map").click()
    edge.dblclick()
    _wait(view, lambda sizes: abs(sizes["map"][1] - filled["map"][1]) < 2)

    x, y = view.centre(view.part("edge-lower"))
    view.drag((x, y), (x, y + 60))
    _wait(view, lambda sizes: abs(sizes["inspector"][1] - empty["inspector"][1] - 60) < 3)


def test_the_widget_fills_the_screen_and_comes_back(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([LOAD, SHOW])
    notebook.run_all()
    view = WidgetView(notebook)
    view.fit(900)
    window = view.page.viewport_size
    assert window is not None
    before = _sizes(view)
    view.part("fullscreen").click()
    full = _wait(view, lambda sizes: sizes["inspector"][1] > before["inspector"][1] + 20)
    assert view.root.evaluate("(root) => root.clientHeight") == window["height"]
    assert full["map"][0] > before["map"][0]
    view.page.keyboard.press("f")
    _wait(view, lambda sizes: sizes == before)
