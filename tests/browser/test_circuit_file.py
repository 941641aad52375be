"""The circuit is saved by the page and opened again, with a kernel and without one."""

import json
from pathlib import Path

import pytest

from circuit_widget.circuit.circuit import Circuit
from tests.browser.conftest import OpenNotebook
from tests.browser.widget_view import FEATURES, LOAD, SHOW, WidgetView

GROUP = 'widget.group("Texas & <friends>", features("Dallas")[:2])\n'


@pytest.fixture
def view(open_notebook: OpenNotebook) -> WidgetView:
    notebook = open_notebook([LOAD + FEATURES + GROUP, SHOW])
    notebook.run(0)
    notebook.run(1)
    return WidgetView(notebook)


def save(view: WidgetView, folder: Path) -> Path:
    """Save the circuit and return the downloaded file."""
    view.part("export").click()
    with view.page.expect_download() as download:
        view.part("save-circuit").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def choose(view: WidgetView, path: Path) -> None:
    """Open a file with the menu."""
    view.part("export").click()
    with view.page.expect_file_chooser() as chooser:
        view.part("open-circuit").click()
    chooser.value.set_files(path)


def test_a_circuit_is_saved_and_opened_again_in_one_step(view: WidgetView, tmp_path: Path) -> None:
    path = save(view, tmp_path)
    assert path.name == "the-capital-of-the-state-containing-dallas-is-circuit.json"
    saved = Circuit.load(path)
    assert saved.to_json() == view.notebook.python("widget.circuit.to_json()")

    view.notebook.tell("widget.ungroup('Texas & <friends>')")
    view.box("Texas & <friends>").wait_for(state="detached")
    choose(view, path)
    view.box("Texas & <friends>").wait_for()
    view.notebook.wait_until("len(widget.circuit.supernodes) == 1")
    view.part("undo").click()
    view.box("Texas & <friends>").wait_for(state="detached")
    view.notebook.wait_until("len(widget.circuit.supernodes) == 0")


def test_a_circuit_of_another_graph_changes_nothing_and_says_so(view: WidgetView, tmp_path: Path) -> None:
    before = view.notebook.python("widget.circuit.to_json()")
    path = Circuit().group("x", ["7_99_1"]).save(tmp_path / "other.json")
    choose(view, path)
    message = view.part("failure")
    message.wait_for()
    assert "it is of another graph. The graph has no node “7_99_1”" in message.inner_text()
    assert view.notebook.python("widget.circuit.to_json()") == before

    path.write_text(json.dumps(before)[:-9])
    choose(view, path)
    view.root.get_by_text("“other.json” was not opened. It is not a JSON file, or it was cut off.").wait_for()
    assert view.notebook.python("widget.circuit.to_json()") == before


def test_a_circuit_is_saved_and_opened_after_the_kernel_has_gone(view: WidgetView, tmp_path: Path) -> None:
    view.notebook.execute("notebook:shutdown-kernel")
    path = save(view, tmp_path)
    assert [one.name for one in Circuit.load(path).supernodes] == ["Texas & <friends>"]
    Circuit.load(path).rename("Texas & <friends>", "Texas").save(path)
    choose(view, path)
    view.box("Texas").wait_for()
    # Whether the graph has a node that the page does not have, nobody is there to say.
    choose(view, Circuit().pin("7_99_1").save(path))
    view.part("failure").filter(has_text="No kernel is connected.").wait_for()
    view.box("Texas").wait_for()


def test_everything_is_copied_as_code_which_does_it_again(view: WidgetView) -> None:
    view.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    view.ablate("Texas & <friends>")
    view.notebook.wait_until("len(widget.effects) == 1")
    view.part("export").click()
    view.part("copy-everything").click()
    view.part("copy-everything").filter(has_text="copied").wait_for()
    code = view.page.evaluate("() => navigator.clipboard.readText()")
    view.notebook.tell(f"again = {{}}; exec({code!r}, again); again = again['widget']")
    assert view.notebook.python("again.circuit == widget.circuit and again.effects[-1].kl == widget.effects[0].kl")
    assert view.notebook.python("again.history()['name'].tolist()[-1] == widget.history()['name'].tolist()[0]")
