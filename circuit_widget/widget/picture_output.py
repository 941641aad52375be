"""The picture of a widget in its notebook, for readers where no widget can run: an output of its own below the widget's."""

from __future__ import annotations

import base64
import html
import logging

from circuit_widget.errors import FigureError
from circuit_widget.figure.figure import Figure
from circuit_widget.figure.output.small_png import thinned, write_small_png
from circuit_widget.figure.output.svg import write_svg
from circuit_widget.figure.scene.scene import Scene

LOG = logging.getLogger(__name__)

Bundle = dict[str, str]
"""An output by its media types."""

SCALE = 1.25
"""Dots per unit of the scene: about 900 in all, enough to read on a dense screen."""

MOST_FAINT = (4_000, 500)
"""Edges without sign in a picture: of tens of thousands, which take seconds, and of one that is too long."""

VIEW = "circuit-widget-view"
"""Class of the element in which the page displays a widget."""

PICTURE = "circuit-widget-picture"

LONGEST_COPY = 125_000
"""Most characters of a PNG that is in the notebook twice: in the HTML and by itself, for readers that show no HTML."""

# Where the widget is displayed, it hides the picture; where it is not, the picture hides the host's note that it is not.
STYLE = (
    f".jp-OutputArea-child:has(.{VIEW}) + .jp-OutputArea-child:has(.{PICTURE}), "
    f".jp-OutputArea-child:not(:has(.{VIEW})):has(+ .jp-OutputArea-child .{PICTURE}) {{ display: none; }}"
)


def picture_of(figure: Figure) -> Bundle:
    """Return a figure as an output: `text/html` with the picture inside, and `image/png` where that is not too long.

    The picture is a PNG; of one that is too long, fewer edges without sign are drawn. Without the library that draws
    one, it is an SVG, which the reader's fonts draw.
    """
    for most in MOST_FAINT:
        scene = thinned(figure.scene, most)
        try:
            png = _text(write_small_png(scene, figure.recipe, SCALE))
        except FigureError as error:
            LOG.debug("The picture is SVG: %s", error)
            return _image(scene, "svg+xml", _text(write_svg(scene, figure.recipe).encode()))
        if len(png) <= LONGEST_COPY:
            return {**_image(scene, "png", png), "image/png": png}
    return _image(scene, "png", png)


def words_instead(words: str) -> Bundle:
    """Return a text in place of a picture: one that is not drawn yet, or cannot be drawn."""
    return _output(f"<p>{_escaped(words)}</p>", words)


def _image(scene: Scene, kind: str, data: str) -> Bundle:
    words = f"{scene.title}. {scene.description}"
    size = f'width="{scene.width:.0f}" style="max-width: 100%"'
    return _output(f'<img src="data:image/{kind};base64,{data}" alt="{_escaped(words)}" {size}>', words)


def _output(content: str, words: str) -> Bundle:
    return {"text/html": f'<div class="{PICTURE}"><style>{STYLE}</style>{content}</div>', "text/plain": words}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)
