"""What surrounds the widget: other widgets, reloads, restarts, Notebook 7."""

from collections.abc import Iterator

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.jupyter_server import JupyterServer
from tests.browser.notebook import KERNEL, START_TIMEOUT, Notebook
from tests.browser.widget_view import FEATURES, LOAD, SHOW, WidgetView

TWO = "first, second = visible.id[:2]\n"
WHERE_DALLAS_IS = "widget.group('place', features('Dallas'))"

# Keeps the model as a long run would.
KEEP = """
import threading
kept, release = threading.Event(), threading.Event()
def keep():
    with model.lock:
        kept.set()
        release.wait(60)
threading.Thread(target=keep, daemon=True).start()
kept.wait()
"""


def opened(open_notebook: OpenNotebook, *cells: str) -> Notebook:
    notebook = open_notebook([LOAD + FEATURES + TWO, *cells])
    for index in range(len(cells) + 1):
        notebook.run(index)
    return notebook


def test_two_widgets_on_a_page_do_not_know_each_other(open_notebook: OpenNotebook) -> None:
    notebook = opened(open_notebook, "other = graph.show()", "widget", "other")
    one, two = WidgetView(notebook, 0), WidgetView(notebook, 1, "other")
    first, second = notebook.python("[first, second]")
    one.click_node(first)
    notebook.wait_until("widget.selected == [first]")
    two.click_node(second)
    notebook.wait_until("other.selected == [second]")
    assert notebook.python("widget.selected") == [first]
    notebook.tell("other.group('mine', [first, second])")
    two.box("mine").wait_for()
    assert one.part("box").count() == 0
    two.ablate("mine")
    assert one.effect_id() is None
    assert notebook.python("[len(widget.effects), len(other.effects)]") == [0, 1]


def test_two_views_of_one_widget_show_the_same_circuit(open_notebook: OpenNotebook) -> None:
    notebook = opened(open_notebook, "widget", "widget")
    one, two = WidgetView(notebook, 0), WidgetView(notebook, 1)
    one.drag(*(one.place(node) for node in notebook.python("[first, second]")))
    one.name_group("both")
    two.box("both").wait_for()


def test_a_reloaded_page_shows_the_same_circuit_while_the_kernel_lives(open_notebook: OpenNotebook) -> None:
    notebook = opened(open_notebook, SHOW)
    notebook.tell("widget.group('kept', [first, second])")
    WidgetView(notebook).box("kept").wait_for()
    notebook.save()
    notebook.page.reload(timeout=START_TIMEOUT)
    notebook.wait_for_kernel()
    view = WidgetView(notebook)
    view.box("kept").wait_for()
    view.ablate("kept")
    assert notebook.python("len(widget.effects)") == 1


def test_a_kernel_restarted_mid_ablation_says_so_and_loses_nothing(open_notebook: OpenNotebook) -> None:
    notebook = opened(open_notebook, SHOW)
    notebook.tell("widget.group('kept', [first, second])")
    notebook.tell(KEEP)
    view = WidgetView(notebook)
    view.box("kept").click()
    view.part("toolbar-0").click()
    view.part("cancel").first.wait_for()
    notebook.page.evaluate(f"async () => {{ await {KERNEL}.restart(); }}")
    notebook.wait_for_kernel()
    view.part("failure").wait_for(timeout=30_000)
    assert "kernel" in view.part("failure").inner_text()
    assert view.part("cancel").count() == 0
    view.box("kept").wait_for()


def test_without_a_kernel_grouping_goes_on_and_ablating_says_at_once_what_is_missing(
    open_notebook: OpenNotebook,
) -> None:
    notebook = opened(open_notebook, SHOW)
    notebook.tell("widget.group('kept', [first, second])")
    view = WidgetView(notebook)
    view.box("kept").wait_for()
    notebook.execute("@jupyter-widgets/jupyterlab-manager:saveWidgetState")
    notebook.save()
    notebook.page.evaluate(f"async () => {{ await {KERNEL}.shutdown(); }}")
    says_that_no_kernel_is_connected(view)
    view.box("kept").press("F2")
    view.name_group("renamed")
    view.box("renamed").press("u")
    view.box("renamed").wait_for(state="detached")

    notebook.page.reload(timeout=START_TIMEOUT)
    notebook.wait_for_kernel()
    saved = WidgetView(notebook)
    says_that_no_kernel_is_connected(saved)
    every_panel_opens(saved)


def every_panel_opens(view: WidgetView) -> None:
    """Open what is no part of the code with which the widget is displayed."""
    for panel, part in [
        ("sweep", "sweep-form"),
        ("generate", "generate-form"),
        ("validate", "validate-run"),
        ("history", "history"),
    ]:
        view.open(panel)
        view.part(part).wait_for()
    for button, part in [("search", "search-input"), ("export", "save-circuit"), ("retrace", "retrace-run")]:
        view.part(button).click()
        view.part(part).wait_for()
        view.page.keyboard.press("Escape")
    view.box("kept").click()
    view.part("inspector-title").wait_for()
    assert view.part("load-failed").count() == 0


def says_that_no_kernel_is_connected(view: WidgetView) -> None:
    """Ablate, and read why it cannot be sooner than a silent kernel would be given up."""
    view.box("kept").click()
    view.part("toolbar-0").click()
    view.part("failure").wait_for(timeout=2_000)
    assert "No kernel is connected." in view.part("failure").inner_text()
    assert view.part("cancel").count() == 0
    view.part("dismiss").click()


def test_a_running_ablation_can_be_cancelled(open_notebook: OpenNotebook) -> None:
    notebook = opened(open_notebook, SHOW)
    notebook.tell("widget.group('kept', [first, second])")
    notebook.tell(KEEP)
    view = WidgetView(notebook)
    view.box("kept").click()
    view.part("toolbar-0").click()
    view.part("cancel").first.click()
    view.part("cancel").first.wait_for(state="detached")
    notebook.tell("release.set()")
    view.ablate("kept")
    assert notebook.python("len(widget.effects)") == 1


@pytest.fixture(scope="module")
def notebook7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    with JupyterServer(tmp_path_factory.mktemp("notebook7"), "notebook") as running:
        yield running


def test_notebook_7_runs_the_loop(open_notebook: OpenNotebook, notebook7: JupyterServer) -> None:
    notebook = open_notebook([LOAD + FEATURES + TWO, SHOW], on=notebook7)
    notebook.run(0)
    notebook.run(1)
    notebook.tell(WHERE_DALLAS_IS)
    view = WidgetView(notebook)
    view.ablate("place")
    after = notebook.python("float(widget.effects[-1].tokens.set_index('token').after['Austin'])")
    assert view.token_rows()["Austin"]["after"] == pytest.approx(after, abs=1e-6)
