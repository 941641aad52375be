"""The output of a saved notebook where no widget can run: a static picture of the graph, and a description of it."""

from __future__ import annotations

import base64
import html
import logging
from collections.abc import Callable

from circuit_widget.arguments import quoted
from circuit_widget.errors import FigureError
from circuit_widget.figure.figure import Figure

LOG = logging.getLogger(__name__)

SCALE = 1.5
"""Dots per unit of the scene: enough to read on a dense screen, small enough to lie in a notebook twice."""


def static_bundle(make_figure: Callable[[], Figure]) -> dict[str, str]:
    """Return a figure as `text/html`, and as `image/png` where a PNG can be drawn with every character.

    A PNG needs a library, and fonts for the text: without, the picture is an SVG, which the viewer's fonts draw. The
    picture is inside the HTML, so that it needs no network; viewers of saved notebooks prefer the HTML. Where no figure
    can be made at all, which is logged, the bundle is empty: that is no reason not to display the widget.
    """
    try:
        return _bundle(make_figure())
    except Exception:
        LOG.exception("The static picture could not be drawn.")
        return {}


def _bundle(figure: Figure) -> dict[str, str]:
    bundle = {}
    try:
        if missing := figure.missing_glyphs():
            raise FigureError(f"no font has {quoted(missing)}")
        bundle["image/png"] = base64.b64encode(figure.png(SCALE)).decode("ascii")
        source = f"data:image/png;base64,{bundle['image/png']}"
    except FigureError as error:
        LOG.debug("The static picture is SVG: %s", error)
        source = f"data:image/svg+xml;base64,{base64.b64encode(figure.svg().encode()).decode('ascii')}"
    words = html.escape(f"{figure.scene.title}. {figure.scene.description}", quote=True)
    size = f'width="{figure.scene.width:.0f}" style="max-width: 100%"'
    return {**bundle, "text/html": f'<img src="{source}" alt="{words}" {size}>'}
