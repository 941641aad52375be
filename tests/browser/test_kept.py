"""The circuit and the history outlive the kernel and the cell: from their file, or in the kernel's memory."""

from pathlib import Path

from tests.browser.conftest import OpenNotebook
from tests.browser.notebook import KERNEL
from tests.browser.widget_view import FEATURES, LOAD, WidgetView

KEPT = LOAD.replace("graph.show()", "graph.show(keep=path)") + "widget"


def load(path: Path) -> str:
    return f"path = {str(path)!r}\n{KEPT}"


def test_after_a_restart_the_cells_bring_the_circuit_and_the_history_back(
    open_notebook: OpenNotebook, tmp_path: Path
) -> None:
    path = tmp_path / "dallas.circuit.json"
    notebook = open_notebook([load(path)])
    notebook.run(0)
    view = WidgetView(notebook)
    assert view.part("kept").inner_text() == "kept in dallas.circuit.json"
    notebook.tell(FEATURES + "widget.group('place', features('Dallas'))")
    view.box("place").wait_for()
    view.ablate("place")
    before = notebook.python("[widget.history_file(), widget.circuit.to_json()]")
    notebook.page.evaluate(f"async () => {{ await {KERNEL}.restart(); }}")
    notebook.wait_for_kernel()
    notebook.run(0)
    again = WidgetView(notebook)
    again.box("place").wait_for()
    assert notebook.python("[widget.history_file(), widget.circuit.to_json()]") == before
    assert again.part("experiment").inner_text() == "place ×0"
    again.part("open-history").click()
    again.part("experiment-entry", id="1").wait_for()
    assert again.part("recall").count() == 1


def test_a_cell_that_runs_again_has_its_circuit_and_starts_afresh_with_one_click(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([LOAD + "widget"])
    notebook.run(0)
    view = WidgetView(notebook)
    notebook.tell(FEATURES + "widget.group('place', features('Dallas'))")
    view.box("place").wait_for()
    view.ablate("place")
    notebook.run(0)
    again = WidgetView(notebook)
    again.box("place").wait_for()
    assert again.part("kept").inner_text() == "The circuit of the last run of this graph · Start afresh"
    again.part("start_afresh").click()
    again.part("bring_back").wait_for()
    assert again.part("box").count() == 0
    assert again.effect_id() is None
    assert notebook.python("len(widget.effects)") == 0
    again.part("undo").click()
    again.box("place").wait_for()
    again.part("start_afresh").wait_for()
    assert again.effect_id() == "1"
    assert notebook.python("len(widget.effects)") == 1
