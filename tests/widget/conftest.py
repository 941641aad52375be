"""A widget on a small graph and a linear model, wired to a page that is not there."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import comm
import pytest

from circuit_widget.widget import keeping
from circuit_widget.widget.widget import CircuitWidget
from tests.widget.frontend import Page, RecordingComm
from tests.widget.linear_model import LinearModel

Open: TypeAlias = Callable[..., tuple[CircuitWidget, Page]]


@pytest.fixture
def model() -> Iterator[LinearModel]:
    """A model that runs at once, unless a test closes its gate."""
    made = LinearModel()
    yield made
    made.gate.set()


@pytest.fixture
def opened_widgets() -> list[CircuitWidget]:
    """The widgets that are closed when the test ends."""
    return []


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, model: LinearModel, opened_widgets: list[CircuitWidget]) -> Iterator[Open]:
    """Show the small graph in a widget and return it with its page; by default the graph is the model's, and new here."""
    monkeypatch.setattr(comm, "create_comm", RecordingComm)
    monkeypatch.setattr(CircuitWidget, "_esm", "export default { render() {} };")

    def open_widget(graph: Any = None, *, after_last_run: bool = False, **settings: Any) -> tuple[CircuitWidget, Page]:
        if not after_last_run:
            keeping._last.clear()
        widget = CircuitWidget(graph or model.trace(), **settings)
        opened_widgets.append(widget)
        page = Page(widget.comm)
        page.hear()
        return widget, page

    yield open_widget
    model.gate.set()
    for widget in opened_widgets:
        widget.close()


@pytest.fixture
def widget(show: Open) -> CircuitWidget:
    """A widget whose page does not matter."""
    return show()[0]
