"""Makes the HTML file of what a widget displays."""

from __future__ import annotations

import datetime
from pathlib import Path

from circuit_widget import __version__
from circuit_widget.display.visible_graph import thresholds_of
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.progress import IsCancelled, ReportProgress, reporting
from circuit_widget.system.atomic_write import check_destination, write_bytes
from circuit_widget.system.paths import require_path
from circuit_widget.widget.html_file.content import content_of
from circuit_widget.widget.html_file.page import Frontend, Picture, html_page
from circuit_widget.widget.html_file.widget_state import WidgetState

LARGEST_PICTURE = 150_000
"""Bytes of a picture that has all edges."""

FEWER_EDGES = (0.8, 0.5, 0.25, 0.1, 0.0)
"""Edge thresholds that are tried one after the other where a picture is too large."""

STATIC = Path(__file__).parents[1] / "static"


def html_of(state: WidgetState, progress: ReportProgress, cancelled: IsCancelled = lambda: False) -> str:
    """Return the HTML file of what is displayed, dated today.

    Raises CircuitWidgetError where the frontend has not been built; MessageError for graphs that no page can show;
    Cancelled.
    """
    frontend = Frontend(_static("html-page.js"), _static("LICENSES.txt"), __version__)
    figure = state.figure()
    picture = Picture(_small_enough(state, figure.svg()), figure.scene.title, figure.scene.description)
    recipe = {name: str(state.graph.recipe.get(name) or "") for name in ("model", "transcoders")}
    made = f"made on {datetime.datetime.now(datetime.UTC).date().isoformat()} with circuit-widget {__version__}"
    facts = (recipe["model"], recipe["transcoders"], made)
    return html_page(content_of(state, progress, cancelled), picture, facts, frontend)


def write_html(state: WidgetState, path: str | Path) -> Path:
    """Write the HTML file of what is displayed, whole or not at all, and return its path.

    Raises CircuitWidgetError for another ending than .html, for a file that cannot be written, and as `html_of`.
    """
    file = require_path(path, CircuitWidgetError)
    if file.suffix.lower() != ".html":
        raise CircuitWidgetError(f"An HTML file ends in .html; given {file.name!r}.")
    check_destination(file, "HTML file", CircuitWidgetError)
    with reporting(None) as progress:
        content = html_of(state, progress)
    return write_bytes(file, content.encode(), "HTML file", CircuitWidgetError)


def _small_enough(state: WidgetState, svg: str) -> str:
    """Return the figure of what is displayed, with its strongest edges alone where all make it too large; it says so."""
    for threshold in FEWER_EDGES:
        if len(svg.encode()) <= LARGEST_PICTURE:
            break
        edge = min(threshold, thresholds_of(state.graph, state.circuit).edge)
        svg = state.figure(edge, "Strongest edges alone").svg()
    return svg


def _static(name: str) -> str:
    try:
        return (STATIC / name).read_text(encoding="utf-8")
    except OSError as problem:
        raise CircuitWidgetError(
            f"The widget's frontend is missing: there is no {name} in {STATIC}. In a source checkout build it with "
            "`npm ci && npm run build` in the folder js; otherwise install the package again."
        ) from problem
