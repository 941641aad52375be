"""Questions about paths, answered by the kernel and drawn on the map."""

from tests.browser.conftest import OpenNotebook
from tests.browser.widget_view import LOAD, SHOW, WidgetView


def test_the_paths_between_two_nodes_are_listed_until_escape(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([LOAD, SHOW])
    notebook.run(0)
    notebook.run(1)
    view = WidgetView(notebook)
    notebook.tell("ends = [graph.node_ids[graph.node_kinds.index('token') + 7], graph.node_ids[-len(graph.targets)]]")
    notebook.tell("widget.selected = ends")
    view.part("find-paths").click()
    view.part("paths").wait_for()
    strongest = notebook.python("[float(share) for share in graph.paths(*ends)['share']]")
    shares = [f"{abs(share):.0%}" for share in strongest]
    listed = [text.splitlines()[-1].lstrip("+−") for text in view.part("path").all_inner_texts()]
    assert listed == shares
    view.page.keyboard.press("Escape")
    view.part("paths").wait_for(state="detached")
    assert notebook.python("list(widget.selected) == ends")
