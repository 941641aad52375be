"""Two graphs side by side: one selection on both maps, what is in both, and the way back to one map."""

from tests.browser.conftest import OpenNotebook
from tests.browser.widget_view import LOAD, SHOW, WidgetView

BESIDE = "widget.comparison = cw.compare(widget.graph, model.trace('the capital of the state containing Oakland is'))"


def test_two_maps_have_one_selection_and_a_count_emphasises_what_it_counts(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([LOAD, SHOW])
    notebook.run(0)
    notebook.run(1)
    notebook.tell(BESIDE)
    view = WidgetView(notebook)
    view.part("other-map").wait_for()
    shared = "widget.comparison.same_nodes[0][0]"
    notebook.tell(f"widget.select([{shared}])")
    view.part("inspector-facts").filter(has_text="in both, there influence").wait_for()
    view.part("where-only-here").click()
    assert view.part("where-only-here").get_attribute("aria-pressed") == "true"
    # By keyboard on the other map: what is selected there is selected here where it is in both, else nothing is.
    view.part("other-map").focus()
    view.page.keyboard.press("ArrowRight")
    view.page.keyboard.press("Enter")
    notebook.wait_until("len(widget.selected) <= 1")
    assert view.part("inspector-facts").inner_text()
    view.part("close-comparison").click()
    view.part("other-map").wait_for(state="detached")
    notebook.wait_until("widget.comparison is None")


def test_the_earlier_graph_is_compared_from_the_bottom_row(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([LOAD, SHOW])
    notebook.run(0)
    notebook.run(1)
    notebook.tell("widget.retrace('the capital of the state containing Oakland is')")
    view = WidgetView(notebook)
    view.part("compare-earlier").click()
    view.part("other-map").wait_for()
    assert "Dallas" in view.part("side-there").inner_text()
    assert "Oakland" in view.part("side-here").inner_text()
    notebook.wait_until("widget.comparison.other is not widget.graph")


def test_edges_show_their_stability_and_python_knows(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([LOAD, SHOW])
    notebook.run(0)
    notebook.run(1)
    view = WidgetView(notebook)
    view.part("edge-stability").click()
    notebook.wait_until("widget.circuit.edge_stability")
    assert view.part("edge-stability").get_attribute("aria-pressed") == "true"
    view.part("undo").click()
    notebook.wait_until("not widget.circuit.edge_stability")
