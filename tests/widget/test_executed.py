"""A notebook that is executed without a browser has the picture of each widget as it is at the end."""

import nbformat
import pytest
from nbclient import NotebookClient

from tests.widget.test_kernel import ROOT, SET_UP

CELLS = (
    SET_UP,
    "widget",
    "widget.group('Texas', ['0_2_4', '0_19_4'])",
    "widget.ablate('Texas'); widget.rename('Texas', 'a state')",
    "for _ in range(20): display(widget)\nassert sum(t.name == 'circuit-widget-debounced' for t in threading.enumerate()) < 2",
)


LARGEST = 250_000
"""Most characters by which one widget on the embedded model's graph makes a notebook longer, its state included."""

DEMO = (
    "import circuit_widget as cw\nmodel = cw.load('demo')",
    "graph = model.trace('the capital of the state containing Dallas is')",
    "widget = graph.show()\nwidget",
)


def outputs(executed: nbformat.NotebookNode, cell: int, kind: str) -> list[str]:
    """Return the outputs of a cell that are of a media type."""
    found = [output.data.get(kind) for output in executed.cells[cell].outputs if "data" in output]
    return [data for data in found if data is not None]


def test_the_last_state_of_the_widget_is_in_every_cell_that_displays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    executed = NotebookClient(notebook, timeout=120, kernel_name="python3", store_widget_state=False).execute()
    (words,), (image,) = outputs(executed, 1, "text/html"), outputs(executed, 1, "image/png")
    assert "Supernodes: a state." in words
    assert image.startswith("iVBOR")
    assert outputs(executed, 4, "text/html") == [words] * 20
    assert outputs(executed, 4, "image/png") == [image] * 20


def test_a_widget_with_its_state_and_picture_makes_a_notebook_little_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in DEMO])
    before = len(nbformat.writes(notebook))
    executed = NotebookClient(notebook, timeout=300, kernel_name="python3", store_widget_state=True).execute()
    states = executed.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
    (widget,) = [one for one in states if "snapshot" in one["state"]]
    assert {"_code", "_panels"} <= {buffer["path"][0] for buffer in widget["buffers"]}
    assert outputs(executed, 2, "image/png")
    assert len(nbformat.writes(executed)) - before < LARGEST
