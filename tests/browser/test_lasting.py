"""A notebook that stays open: cells run again and again, outputs cleared, widgets out of sight and back."""

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.notebook import Notebook
from tests.browser.widget_view import AT_FULL_SPEED, FEATURES, GROUPS, LOAD, SHOW, SLOWLY, WidgetView

# In small batches a study takes far longer than what the page does meanwhile, and says often how far it is.
IN_SMALL_BATCHES = "import circuit_widget.model.rerun as rerun; rerun.BATCH_BYTES = 2**17"

RUNS = 20
WARM_UP = 4
"""Runs until the page has loaded and compiled what it needs."""

SIZES = """(root) => {
  const within = root.shadowRoot ?? root;
  const parts = [...within.querySelectorAll("[data-test]"), root];
  return Object.fromEntries(parts.map((part, number) => [
    `${number} ${part.dataset.test}`, [part.getBoundingClientRect().width, part.getBoundingClientRect().height].map(Math.round)]));
}"""


def heap(notebook: Notebook) -> int:
    """Return the bytes that the page's objects take once garbage is collected."""
    session = notebook.page.context.new_cdp_session(notebook.page)
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    used: int = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return used


@pytest.mark.parametrize("cell", [SHOW, "widget = graph.show()\nwidget"], ids=["same widget", "new widgets"])
def test_twenty_runs_of_a_cell_leave_nothing_behind(cell: str, open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([LOAD, cell])
    notebook.run(0)
    before = 0
    for run in range(WARM_UP + RUNS):
        if run == WARM_UP:
            before = heap(notebook)
        notebook.run(1)
        WidgetView(notebook)
    after = heap(notebook)
    assert notebook.page.locator(".circuit-widget").count() == 1
    assert after < 1.1 * before, f"{before / 2**20:.1f} MB, then {after / 2**20:.1f} MB"
    view = WidgetView(notebook)
    notebook.tell("widget.group('last', list(graph.node_ids[:2]))")
    view.box("last").wait_for()


def sizes(view: WidgetView) -> dict[str, list[int]]:
    """Return the width and height of every part of a widget."""
    found: dict[str, list[int]] = view.root.evaluate(SIZES)
    return found


def test_a_widget_in_a_hidden_tab_is_as_it_was_when_the_tab_is_displayed(dallas: WidgetView) -> None:
    notebook = dallas.notebook
    dallas.ablate("Texas")
    before = sizes(dallas)
    notebook.page.evaluate("() => { window.ownPanel = window.jupyterapp.shell.currentWidget.id; }")
    notebook.execute("launcher:create")
    dallas.root.wait_for(state="hidden")
    notebook.page.evaluate("() => window.jupyterapp.shell.activateById(window.ownPanel)")
    dallas.root.wait_for()
    notebook.page.wait_for_function(
        "([root, height]) => Math.round(root.getBoundingClientRect().height) === height",
        arg=[dallas.root.element_handle(), list(before.values())[-1][1]],
    )
    assert sizes(dallas) == before
    # What changes meanwhile is there, too.
    notebook.execute("launcher:create")
    dallas.root.wait_for(state="hidden")
    notebook.page.evaluate("""async () => {
      const panel = [...window.jupyterapp.shell.widgets("main")].find((one) => one.id === window.ownPanel);
      await panel.sessionContext.session.kernel.requestExecute({ code: "widget.group('later', [visible.id.iloc[-1]])" }).done;
      window.jupyterapp.shell.activateById(window.ownPanel);
    }""")
    dallas.box("later").wait_for()
    dallas.ablate("later")


def test_a_widget_scrolled_out_of_sight_comes_back_whole(open_notebook: OpenNotebook) -> None:
    tall = "from IPython.display import HTML\nHTML(\"<div style='height: 1500px'>tall</div>\")"
    notebook = open_notebook([LOAD + FEATURES + GROUPS, SHOW, *[tall] * 8])
    notebook.run_all()
    view = WidgetView(notebook)
    view.supernode("Texas").wait_for()
    view.ablate("Texas")
    before = sizes(view)
    for _ in range(3):
        notebook.page.get_by_text("tall").last.scroll_into_view_if_needed()
        notebook.page.wait_for_function(
            "(root) => root.getBoundingClientRect().bottom < 0 || !root.checkVisibility({ contentVisibilityAuto: true })",
            arg=view.root.element_handle(),
        )
        notebook.tell("widget.recall(1)")
        view.root.scroll_into_view_if_needed()
        notebook.page.wait_for_function(
            "([root, height]) => Math.round(root.getBoundingClientRect().height) === height",
            arg=[view.root.element_handle(), list(before.values())[-1][1]],
        )
        assert sizes(view) == before
    view.ablate("capital")


def test_a_study_whose_output_is_cleared_goes_on_and_the_next_view_says_so(dallas: WidgetView) -> None:
    notebook = dallas.notebook
    notebook.tell(SLOWLY + IN_SMALL_BATCHES)
    dallas.open("sweep")
    dallas.part("sweep-whom").select_option(label="Texas")
    dallas.part("sweep-run").click()
    dallas.part("job").wait_for()
    notebook.page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1; }")
    notebook.execute("notebook:clear-cell-output")
    notebook.page.locator(".circuit-widget").wait_for(state="detached")
    notebook.wait_until("widget._worker.pending(widget) != ()")
    assert notebook.python("widget.study is None")
    notebook.run(2)
    again = WidgetView(notebook)
    again.part("job").filter(has_text="Sweep: Texas").wait_for()
    notebook.tell(AT_FULL_SPEED)
    notebook.wait_until("widget.study is not None and widget.study['kind'] == 'sweep'")
    again.part("job").wait_for(state="detached")
    again.open("sweep")
    again.part("sweep", done="21", total="21").wait_for()


def test_the_next_view_can_cancel_what_goes_on(dallas: WidgetView) -> None:
    notebook = dallas.notebook
    notebook.tell(SLOWLY + IN_SMALL_BATCHES)
    dallas.open("sweep")
    dallas.part("sweep-run").click()
    dallas.part("job").wait_for()
    notebook.run(2)
    other = WidgetView(notebook, 1)
    other.part("job").filter(has_text="Sweep").locator("[data-test='cancel']").click()
    for view in (dallas, other):
        view.part("job").wait_for(state="detached")
    notebook.tell(AT_FULL_SPEED)
    notebook.wait_until("widget._worker.pending(widget) == ()")
    assert notebook.python("widget.study") is None
