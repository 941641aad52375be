"""Drives one notebook in a real page: runs cells, asks the kernel, finds widgets."""

import ast
import json
import re
import time
from typing import Any

from playwright.sync_api import Locator, Page

KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
READY = f"() => {KERNEL}?.status === 'idle' && {KERNEL}?.connectionStatus === 'connected'"
START_TIMEOUT = 90_000

RUN_CELL = """async (index) => {
  const panel = window.jupyterapp.shell.currentWidget;
  panel.content.activeCellIndex = index;
  panel.content.deselectAll();
  await window.jupyterapp.commands.execute("notebook:run-cell");
  return panel.content.widgets[index].model.outputs.toJSON();
}"""

ASK = f"""async (expression) => {{
  const future = {KERNEL}.requestExecute(
    {{ code: "", silent: true, store_history: false, user_expressions: {{ value: expression }} }});
  return (await future.done).content;
}}"""

TELL = f"""async (code) => {{
  const future = {KERNEL}.requestExecute({{ code, silent: true, store_history: false }});
  return (await future.done).content;
}}"""


class CellFailedError(AssertionError):
    """A cell or an expression raised in the kernel; the message is its traceback."""


def traceback(content: dict[str, Any]) -> str:
    """Return the end of a kernel's traceback, without its colours."""
    lines = "\n".join(content.get("traceback", [str(content)])).splitlines()
    return "\n".join(re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines[-12:])


class Notebook:
    """A notebook open in a page, its kernel idle."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def wait_for_kernel(self) -> None:
        """Wait until the kernel is idle and connected."""
        self.page.wait_for_function(READY, timeout=START_TIMEOUT)

    def run(self, index: int) -> list[dict[str, Any]]:
        """Run one cell to its end and return its outputs; an exception in it fails the test with its traceback."""
        outputs: list[dict[str, Any]] = self.page.evaluate(RUN_CELL, index)
        for output in outputs:
            if output["output_type"] == "error":
                raise CellFailedError(traceback(output))
        return outputs

    def run_all(self) -> None:
        """Run every code cell in turn."""
        kinds = self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.content.widgets.map((cell) => cell.model.type)"
        )
        for index, kind in enumerate(kinds):
            if kind == "code":
                self.run(index)

    def python(self, expression: str) -> Any:
        """Evaluate an expression in the kernel and return its value, which must be JSON."""
        content = self.page.evaluate(ASK, f"__import__('json').dumps({expression})")
        value = content.get("user_expressions", {}).get("value", content)
        if value.get("status") != "ok":
            raise CellFailedError(f"{expression}\n{traceback(value)}")
        return json.loads(ast.literal_eval(value["data"]["text/plain"]))

    def tell(self, code: str) -> None:
        """Execute statements in the kernel, outside of any cell."""
        content = self.page.evaluate(TELL, code)
        if content["status"] != "ok":
            raise CellFailedError(traceback(content))

    def wait_until(self, expression: str, seconds: float = 20) -> Any:
        """Ask the kernel until the expression is true, and return its value."""
        deadline = time.monotonic() + seconds
        while True:
            value = self.python(expression)
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"Still {value!r} after {seconds} s: {expression}")
            self.page.wait_for_timeout(50)

    def widget(self, index: int = 0) -> Locator:
        """Return the index-th widget of the page once it has drawn its first frame."""
        widget = self.page.locator(".circuit-widget").nth(index)
        self.page.locator(".circuit-widget[data-ready='true']").nth(index).wait_for(timeout=30_000)
        widget.scroll_into_view_if_needed()
        return widget

    def execute(self, command: str, arguments: dict[str, Any] | None = None) -> None:
        """Execute one of the application's own commands."""
        self.page.evaluate(
            "async ([command, args]) => { await window.jupyterapp.commands.execute(command, args); }",
            [command, arguments or {}],
        )

    def save(self) -> None:
        """Save the notebook to its file."""
        self.page.evaluate("async () => { await window.jupyterapp.shell.currentWidget.context.save(); }")

    def theme(self, name: str) -> None:
        """Switch the application to "light" or "dark"."""
        self.execute("apputils:change-theme", {"theme": f"JupyterLab {name.capitalize()}"})
        self.page.wait_for_function(
            "(light) => document.body.dataset.jpThemeLight === light", arg=str(name == "light").lower()
        )
