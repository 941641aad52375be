"""Page and kernel when things go wrong between them: busy cells, cancels, restarts, reloads, two views, crossing edits."""

from pathlib import Path

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.widget_view import WidgetView

ROOT = Path(__file__).parents[2]

# A model that stops at a gate between its layers, so that a test decides how long a run takes.
GATED = f"""\
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from tests.widget.linear_model import LinearModel
model = LinearModel()
widget = model.trace().show()
widget.group("Texas", ["0_2_4", "0_19_4", "1_8_4"])
"""


@pytest.fixture
def view(open_notebook: OpenNotebook) -> WidgetView:
    notebook = open_notebook([GATED, "widget", "widget", "time.sleep(4)", "del widget"])
    notebook.run(0)
    notebook.run(1)
    view = WidgetView(notebook)
    view.box("Texas").wait_for()
    return view


def click_ablate(view: WidgetView) -> None:
    view.box("Texas").click()
    view.part("toolbar-0").click()


def test_a_running_ablation_can_be_cancelled(view: WidgetView) -> None:
    view.notebook.tell("model.gate.clear()")
    click_ablate(view)
    view.part("cancel").click()
    view.part("job").wait_for(state="detached")
    view.notebook.tell("model.gate.set()")
    assert view.notebook.python("[len(widget.effects), len(widget._worker.pending(widget))]") == [0, 0]
    assert view.part("failure").count() == 0
    click_ablate(view)
    view.wait_for_effect_after(None)


def test_a_click_while_a_cell_runs_is_answered_at_once(view: WidgetView) -> None:
    start = "async () => { void window.jupyterapp.commands.execute('notebook:run-cell'); }"
    view.page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 3; }")
    view.page.evaluate(start)
    view.root.scroll_into_view_if_needed()
    click_ablate(view)
    view.part("effect").wait_for(timeout=3_000)
    view.notebook.wait_for_kernel()
    assert view.notebook.python("len(widget.effects)") == 1


def test_a_click_while_a_cell_uses_the_model_says_what_it_waits_for(view: WidgetView) -> None:
    view.notebook.tell(
        "import threading\nkept = threading.Event(); release = threading.Event()\n"
        "def keep():\n    with model.lock:\n        kept.set(); release.wait(20)\n"
        "threading.Thread(target=keep).start(); kept.wait(5)"
    )
    click_ablate(view)
    view.part("job").filter(has_text="Waiting for the cell that uses the model").wait_for()
    view.notebook.tell("release.set()")
    view.wait_for_effect_after(None)


def test_a_failure_is_stated_and_the_next_click_works(view: WidgetView) -> None:
    view.notebook.tell("import logging; logging.disable(logging.CRITICAL); model.failure = MemoryError()")
    click_ablate(view)
    view.part("failure").filter(has_text="not enough memory").wait_for()
    view.notebook.tell("model.failure = None")
    view.part("dismiss").click()
    click_ablate(view)
    view.wait_for_effect_after(None)


def test_two_views_of_one_widget_show_the_same(view: WidgetView) -> None:
    view.notebook.run(2)
    other = WidgetView(view.notebook, index=1)
    other.box("Texas").wait_for()
    click_ablate(other)
    other.wait_for_effect_after(None)
    view.wait_for_effect_after(None)
    assert view.token_rows() == other.token_rows()
    view.notebook.tell("widget.group('Austin', ['2_9_5'])")
    view.box("Austin").wait_for()
    other.box("Austin").wait_for()
    assert view.notebook.python("len(widget.effects)") == 1


def test_a_restart_during_an_ablation_says_so_and_keeps_the_circuit(view: WidgetView, complaints: list[str]) -> None:
    view.notebook.tell("model.gate.clear()")
    click_ablate(view)
    view.part("job").wait_for()
    view.page.evaluate(
        "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart(); }"
    )
    view.part("failure").filter(has_text="Run the notebook's cells again").wait_for()
    assert view.part("job").count() == 0
    view.box("Texas").wait_for()
    view.notebook.wait_for_kernel()
    view.notebook.run(0)
    view.notebook.run(1)
    click_ablate(view)
    view.wait_for_effect_after(None)
    assert view.notebook.python("len(widget.effects)") == 1


def test_a_reloaded_page_shows_what_the_kernel_holds(view: WidgetView) -> None:
    click_ablate(view)
    view.wait_for_effect_after(None)
    view.notebook.tell("widget.group('Austin', ['2_9_5'])")
    view.box("Austin").wait_for()
    view.notebook.save()
    view.page.reload()
    view.notebook.wait_for_kernel()
    fresh = WidgetView(view.notebook)
    fresh.box("Austin").wait_for()
    assert fresh.token_rows() == {
        row[0]: {"before": row[1], "after": row[2]}
        for row in view.notebook.python(
            "[[t.token, t.before, t.after] for t in widget.effects[-1].tokens.itertuples()]"
        )
        if row[0] in fresh.token_rows()
    }
    assert fresh.part("effect").count() == 1
