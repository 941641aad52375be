"""Labels on the map: beside their nodes, never on one another, more of them when zoomed in."""

import itertools
import json
from typing import NamedTuple

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.widget_view import LOAD, SHOW, WidgetView


class PageLabel(NamedTuple):
    """A label as the page drew it, by its node, with the ends of its area on the canvas."""

    node: str
    text: str
    x0: float
    y0: float
    x1: float
    y1: float


@pytest.fixture
def view(open_notebook: OpenNotebook) -> WidgetView:
    """The widget on the graph alone, whose features have labels."""
    notebook = open_notebook([LOAD, SHOW])
    notebook.run(0)
    notebook.run(1)
    return WidgetView(notebook)


def labels(view: WidgetView) -> list[PageLabel]:
    """Return the labels that the page draws, once it has drawn any; no two of them overlap."""
    canvas = view.part("map")
    view.page.wait_for_function(
        "(canvas) => JSON.parse(canvas.dataset.labels ?? '[]').length > 0", arg=canvas.element_handle()
    )
    found = [PageLabel(*one) for one in json.loads(canvas.get_attribute("data-labels") or "")]
    assert [pair for pair in itertools.combinations(found, 2) if overlap(*pair)] == []
    return found


def overlap(one: PageLabel, other: PageLabel) -> bool:
    """Return whether two labels cover the same part of the map."""
    return one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1


def wait_for_labels(view: WidgetView, condition: str) -> None:
    """Wait until a condition on `texts`, the texts of the labels, is true on the page."""
    texts = "const texts = JSON.parse(canvas.dataset.labels).map(([, text]) => text);"
    view.page.wait_for_function(f"(canvas) => {{ {texts} return {condition}; }}", arg=view.part("map").element_handle())


def test_labels_are_beside_their_nodes_and_more_appear_when_zoomed_in(view: WidgetView) -> None:
    before = labels(view)
    assert {"capital", "Texas", "Dallas"} <= {label.text for label in before}
    named = view.notebook.python("{**graph.labels}")
    bounds = view.part("map").bounding_box()
    assert bounds is not None
    for label in before:
        assert label.text == named[label.node] or named[label.node].startswith(label.text.removesuffix("…"))
        x, y = view.place(label.node)
        dx = max(label.x0 - (x - bounds["x"]), 0, x - bounds["x"] - label.x1)
        dy = max(label.y0 - (y - bounds["y"]), 0, y - bounds["y"] - label.y1)
        assert max(dx, dy) < 105
        assert max(dx, dy) > 4

    # The crowded column is at the right.
    view.page.mouse.move(bounds["x"] + 0.8 * bounds["width"], bounds["y"] + 0.4 * bounds["height"])
    view.page.keyboard.down("Control")
    view.page.mouse.wheel(0, -350)
    view.page.keyboard.up("Control")
    view.part("zoom-reset").wait_for()
    view.page.wait_for_function(
        "([canvas, node]) => !JSON.parse(canvas.dataset.labels).some(([id]) => id === node)",
        arg=[view.part("map").element_handle(), next(label.node for label in before if label.x1 < 200)],
    )
    after = labels(view)
    assert {label.node for label in after} - {label.node for label in before}
    assert max(len(label.text) for label in after) > max(len(label.text) for label in before)
    assert min(label.x0 for label in after) >= 34
    assert max(label.x1 for label in after) <= bounds["width"]

    view.part("zoom-reset").click()
    view.page.wait_for_function(
        "([canvas, count]) => JSON.parse(canvas.dataset.labels).length === count",
        arg=[view.part("map").element_handle(), len(before)],
    )
    assert labels(view) == before


def test_a_label_on_the_map_is_the_readers_and_precedes_others_while_its_node_is_selected(view: WidgetView) -> None:
    (node,) = [label.node for label in labels(view) if label.text == "Dallas"]
    view.notebook.tell(f"widget.select([{node!r}])")
    wait_for_labels(view, "texts[0] === 'Dallas'")
    view.notebook.tell(f"widget.label({node!r}, 'Big D')")
    wait_for_labels(view, "texts[0] === 'Big D' && !texts.includes('Dallas')")
    labels(view)
    x, y = view.place(node)
    view.page.mouse.move(x, y)
    view.part("tooltip").wait_for()
    assert view.part("tooltip").inner_text().startswith("Big D")
    view.part("search").click()
    view.part("search-input").fill("big d")
    assert "Big D" in view.part("search-result").first.inner_text()
