"""A notebook that is executed without a browser has the picture of each widget as it is at the end."""

import re

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


def pictures(executed: nbformat.NotebookNode, cell: int) -> list[str]:
    """Return the HTML of the pictures in a cell's outputs."""
    found = [output.data.get("text/html") for output in executed.cells[cell].outputs if "data" in output]
    return [html for html in found if html is not None]


def test_the_last_state_of_the_widget_is_in_every_cell_that_displays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    executed = NotebookClient(notebook, timeout=120, kernel_name="python3", store_widget_state=False).execute()
    (picture,) = pictures(executed, 1)
    assert re.search('alt="[^"]*Supernodes: a state.', picture)
    assert executed.cells[1].outputs[1].data["image/png"].startswith("iVBOR")
    assert pictures(executed, 4) == [picture] * 20
    assert sum(len(output.data.get("text/html", "")) for output in executed.cells[1].outputs) < 125_000
