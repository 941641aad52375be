"""The picture in the notebook is that of the widget as it is, and it is visible where the widget is not."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator

from tests.browser.conftest import OpenNotebook
from tests.browser.jupyter_server import JupyterServer
from tests.browser.notebook import START_TIMEOUT, Notebook
from tests.browser.widget_view import FEATURES, LOAD, SHOW, WidgetView

TWO = "first, second = visible.id[:2]\n"
PICTURE = ".circuit-widget-picture"
IMAGE = ".jp-OutputArea-output img"

# Whether the image in the notebook is another one.
CHANGED = """(before) => {
  const { outputs } = window.jupyterapp.shell.currentWidget.content.widgets[1].model;
  return outputs.get(2).data["image/png"].trim() !== before;
}"""


@pytest.fixture(scope="module", params=["lab", "notebook"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, server: JupyterServer) -> Any:
    """JupyterLab, and Notebook 7."""
    if request.param == "lab":
        yield server
        return
    with JupyterServer(tmp_path_factory.mktemp("notebook7"), "notebook") as running:
        yield running


def displayed_in(open_notebook: OpenNotebook, *more: str, on: JupyterServer) -> Notebook:
    notebook = open_notebook([LOAD + FEATURES + TWO, SHOW, *more], on=on)
    notebook.run(0)
    notebook.run(1)
    return notebook


def wait_for_picture(notebook: Notebook) -> None:
    """Wait until the kernel has drawn what there is to draw."""
    notebook.wait_until("widget._picture._drawn is not None")


def file_of(notebook: Notebook, host: JupyterServer) -> Path:
    """Save a notebook and return its file."""
    notebook.save()
    name: str = notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.path")
    return host.notebooks / name


def outputs(file: Path, cell: int = 1) -> list[dict[str, str]]:
    """Return the outputs of a cell in a saved notebook, each by its media types."""
    return [
        {kind: "".join(data) for kind, data in output["data"].items() if isinstance(data, str | list)}
        for output in json.loads(file.read_text())["cells"][cell]["outputs"]
    ]


def picture_is_hidden(notebook: Notebook) -> None:
    """Assert that the live widget is displayed alone."""
    assert notebook.page.locator(PICTURE).is_hidden()
    assert notebook.page.locator(IMAGE).is_hidden()


def is_drawn(image: Locator) -> bool:
    return bool(image.evaluate("(image) => image.complete && image.naturalWidth > 600"))


def test_after_each_gesture_the_saved_picture_is_the_current_one(
    open_notebook: OpenNotebook, host: JupyterServer, complaints: list[str]
) -> None:
    notebook = displayed_in(open_notebook, on=host)
    view = WidgetView(notebook)
    wait_for_picture(notebook)
    before = outputs(file_of(notebook, host))
    assert [set(output) for output in before] == [{"text/plain"}, {"text/plain", "text/html"}, {"image/png"}]
    picture_is_hidden(notebook)

    view.drag(*(view.place(node) for node in notebook.python("[first, second]")))
    view.name_group("both")
    notebook.wait_until("len(widget.circuit.supernodes) == 1")
    wait_for_picture(notebook)
    grouped = outputs(file_of(notebook, host))
    assert "Supernodes: both." in grouped[1]["text/plain"]
    view.ablate("both")
    wait_for_picture(notebook)
    file = file_of(notebook, host)
    ablated = outputs(file)
    assert len({picture[2]["image/png"] for picture in (before, grouped, ablated)}) == 3
    assert sum(len(text) for output in ablated for text in output.values()) < 250_000
    assert view.box("both").is_visible()

    notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    notebook.page.reload(timeout=START_TIMEOUT)
    image = notebook.page.locator(IMAGE)
    image.wait_for()
    assert is_drawn(image)
    assert image.get_attribute("src") == f"data:image/png;base64,{ablated[2]['image/png']}".strip()
    assert notebook.page.get_by_text("model not found").filter(visible=True).count() == 0
    notebook.page.goto("about:blank")
    # The hosts themselves log what the picture stands in for.
    complaints[:] = [one for one in complaints if "widget model not found" not in one]


def test_after_a_reload_of_the_page_the_picture_goes_on_following_the_widget(
    open_notebook: OpenNotebook, host: JupyterServer
) -> None:
    notebook = displayed_in(open_notebook, on=host)
    wait_for_picture(notebook)
    before = outputs(file_of(notebook, host))
    notebook.page.reload(timeout=START_TIMEOUT)
    notebook.wait_for_kernel()
    view = WidgetView(notebook)
    notebook.tell("widget.group('both', [first, second])")
    view.box("both").wait_for()
    notebook.page.wait_for_function(CHANGED, arg=before[2]["image/png"].strip())
    grouped = outputs(file_of(notebook, host))
    assert "Supernodes: both." in grouped[1]["text/plain"]
    picture_is_hidden(notebook)
    assert view.box("both").is_visible()


def test_a_kernel_that_is_shut_down_leaves_the_picture_of_the_last_gesture(
    open_notebook: OpenNotebook, host: JupyterServer
) -> None:
    notebook = displayed_in(open_notebook, on=host)
    view = WidgetView(notebook)
    wait_for_picture(notebook)
    before = outputs(file_of(notebook, host))
    # Nothing is drawn before the end of the kernel unless that has it drawn, however busy the machine is.
    notebook.tell("from circuit_widget.widget import before_shutdown\nbefore_shutdown.MOST_TO_DRAW = 30")
    notebook.tell("widget._picture._debounced._wait = 3600\nwidget.group('both', [first, second])")
    view.box("both").wait_for()
    notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    notebook.page.wait_for_function(CHANGED, arg=before[2]["image/png"].strip())
    left = outputs(file_of(notebook, host))
    assert "Supernodes: both." in left[1]["text/plain"]
    assert left[2]["image/png"].startswith("iVBOR")
