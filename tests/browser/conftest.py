"""One server and one browser a session; a new notebook, kernel and page a test; no network beyond this machine."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser import chromium
from tests.browser.forked_kernels import ForkedKernels
from tests.browser.jupyter_server import JupyterServer
from tests.browser.local_server import private_environment
from tests.browser.notebook import START_TIMEOUT, Notebook
from tests.browser.widget_view import FEATURES, GROUPS, LOAD, SHOW, WidgetView

# Notebook 7 reports this about one of its own plugins.
KNOWN_NOISE = ("reading 'schema'",)

Screen = dict[str, Any]
"""Settings of a browser profile."""

FINE_SCREEN: Screen = {"viewport": {"width": 1600, "height": 1900}, "device_scale_factor": 1.5}
"""A screen for pictures fit to be published."""

OpenNotebook = Callable[..., Notebook]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder, so that `-m "not browser"` leaves it out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The session's browser."""
    with sync_playwright() as playwright:
        launched = chromium.launch(playwright)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """The session's JupyterLab. Its kernels are forks; other servers start theirs from nothing."""
    folder = tmp_path_factory.mktemp("jupyter")
    environment = private_environment(folder)
    with ForkedKernels(folder, Path(environment["JUPYTER_DATA_DIR"]), environment), JupyterServer(folder) as running:
        yield running


@pytest.fixture
def screen() -> Screen:
    """The screen of a test's browser profile; a file of tests that are for pictures has its own."""
    return {"viewport": {"width": 1280, "height": 1000}}


@pytest.fixture
def context(browser: Browser, screen: Screen) -> Iterator[BrowserContext]:
    """A browser profile for one test."""
    fresh = browser.new_context(accept_downloads=True, **screen)
    yield fresh
    fresh.close()


@pytest.fixture
def complaints(context: BrowserContext) -> Iterator[list[str]]:
    """What pages logged as errors and requested from other machines; the test fails when anything is left in it."""
    heard: list[str] = []

    def listen(page: Page) -> None:
        page.on("console", lambda message: hear(f"console: {message.text}") if message.type == "error" else None)
        page.on("pageerror", lambda error: hear(f"page error: {error}"))
        page.on("request", lambda request: check(request.url))
        page.on("websocket", lambda socket: check(socket.url))

    def hear(text: str) -> None:
        if not any(noise in text for noise in KNOWN_NOISE):
            heard.append(text)

    def check(url: str) -> None:
        address = urlparse(url)
        if address.scheme in ("http", "https", "ws", "wss") and address.hostname != "127.0.0.1":
            heard.append(f"network: {url}")

    context.on("page", listen)
    yield heard
    assert not heard, "\n".join(heard)


@pytest.fixture
def open_notebook(
    server: JupyterServer, context: BrowserContext, complaints: list[str], request: pytest.FixtureRequest
) -> Iterator[OpenNotebook]:
    """Open cells as a new notebook with a kernel of its own; the kernel ends with the test."""
    opened: list[Notebook] = []

    def open_(cells: list[str] | Path, on: JupyterServer = server) -> Notebook:
        name = f"{request.node.name.split('[')[0]}_{len(opened)}.ipynb"
        if isinstance(cells, Path):
            (on.notebooks / name).write_bytes(cells.read_bytes())
        else:
            on.write(name, cells)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto(on.url(name), timeout=START_TIMEOUT)
        notebook = Notebook(page)
        notebook.wait_for_kernel()
        opened.append(notebook)
        return notebook

    yield open_
    for notebook in opened:
        notebook.page.evaluate("() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.shutdown()")


@pytest.fixture
def dallas(open_notebook: OpenNotebook) -> WidgetView:
    """The widget of the quickstart with its groups; two cells are left, one that shows it again, one that takes time."""
    notebook = open_notebook([LOAD + FEATURES + GROUPS, SHOW, SHOW, "time.sleep(4)"])
    notebook.run(0)
    notebook.run(1)
    view = WidgetView(notebook)
    view.supernode("Texas").wait_for()
    return view
