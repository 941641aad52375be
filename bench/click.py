"""From a click on "ablate" to the repainted widget, on the embedded model, in a real JupyterLab.

    python bench/click.py [clicks]

The time is the page's own: from the click to the second animation frame after the new effect is in the document.
Of it, "model" is what the kernel spent running the model.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, sync_playwright

from tests.browser import chromium
from tests.browser.jupyter_server import JupyterServer
from tests.browser.notebook import START_TIMEOUT, Notebook

MEDIAN_MS, PERCENTILE_95_MS = 150, 400
"""The budget."""

CELLS = [
    """import circuit_widget as cw
model = cw.load("demo")
graph = model.trace("the capital of the state containing Dallas is")
texas = [node for node, label in graph.labels.items() if "Texas" in label]
widget = graph.show()
widget.group("Texas", texas)
widget""",
]

CLICK = """async (button) => {
  const root = button.getRootNode();
  const displayed = () => root.querySelector("[data-test='effect']")?.dataset.effect;
  const before = displayed();
  const start = performance.now();
  button.click();
  await new Promise((resolve) => {
    const check = () => { if (displayed() !== before) { observer.disconnect(); resolve(); } };
    const observer = new MutationObserver(check);
    observer.observe(root, { subtree: true, childList: true, attributes: true });
  });
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  return performance.now() - start;
}"""


def measure(page: Page, clicks: int) -> tuple[list[float], list[float]]:
    """Return, for each click, the milliseconds to the repaint and those the model took."""
    notebook = Notebook(page)
    notebook.wait_for_kernel()
    notebook.run(0)
    widget = notebook.widget()
    widget.locator("[data-test='box'][data-name='Texas']").click()
    button = widget.locator("[data-test='toolbar-0']").element_handle()
    assert button is not None
    page.evaluate(CLICK, button)
    repaint = [float(page.evaluate(CLICK, button)) for _ in range(clicks)]
    model = [1000 * float(seconds) for seconds in notebook.python(f"[e.seconds for e in widget.effects[-{clicks}:]]")]
    return repaint, model


def main() -> None:
    """Measure and print a table."""
    clicks = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with TemporaryDirectory() as folder, JupyterServer(Path(folder)) as server, sync_playwright() as playwright:
        server.write("click.ipynb", CELLS)
        browser = chromium.launch(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(server.url("click.ipynb"), timeout=START_TIMEOUT)
        repaint, model = measure(page, clicks)
        browser.close()
    print(f"{f'ablate, click to repaint, {clicks} clicks':36}{'median':>10}{'95%':>10}{'worst':>10}")
    for name, times in (("whole", repaint), ("of it, model", model)):
        nearly_all = statistics.quantiles(times, n=20)[-1]
        print(f"{name:36}{statistics.median(times):7.0f} ms{nearly_all:7.0f} ms{max(times):7.0f} ms")
    print(f"{'budget':36}{MEDIAN_MS:7.0f} ms{PERCENTILE_95_MS:7.0f} ms")


if __name__ == "__main__":
    main()
