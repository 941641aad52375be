"""The picture of a widget in its notebook, for readers where no widget can run: two outputs of its own below the widget's.

The first has its words, the second the image. So the image is in the notebook once, as the type that every reader shows,
and the words are HTML, whose style hides what is not to be seen.
"""

from __future__ import annotations

import base64
import html
import logging
from dataclasses import dataclass, field, replace
from typing import Any

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

LONGEST = 125_000
"""Most characters of an image with all its edges."""

VIEW = "circuit-widget-view"
"""Class of the element in which the page displays a widget."""

PICTURE = "circuit-widget-picture"
"""Class of the element with a picture's words."""

IMAGE = "circuit-widget-image"
"""Class of the element with its image where that is HTML."""

SPOKEN = "circuit-widget-spoken"
"""Class of words that a screen reader reads beside the image."""

OLDER = "The kernel ended before the last change was drawn: this picture is of before it."

MARK = "circuit_widget"
"""Metadata of an output of ours: which it is, and the number of the picture, by which a page knows that it is outdated."""

OUTPUT = ".jp-OutputArea-child"
WORDS = f"{OUTPUT}:has(.{PICTURE})"

# Where the widget is displayed, it hides the picture; where it is not, the picture hides the host's note that it is not.
STYLE = (
    f"{OUTPUT}:has(.{VIEW}) + {WORDS}, {OUTPUT}:has(.{VIEW}) + {WORDS} + {OUTPUT}:has(img, .{IMAGE}), "
    f"{OUTPUT}:not(:has(.{VIEW})):has(+ {OUTPUT} .{PICTURE}) {{ display: none; }} "
    f".{SPOKEN} {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }}"
)


@dataclass(frozen=True)
class NotebookPicture:
    """A picture as two outputs by their media types, and the metadata of the image."""

    words: Bundle
    image: Bundle
    metadata: dict[str, Any] = field(default_factory=dict)


def picture_of(figure: Figure) -> NotebookPicture:
    """Return a figure as outputs: its description, and a PNG.

    Of an image that is too long, fewer edges without sign are drawn. Without the library that draws a PNG, it is an SVG
    inside HTML, which the reader's fonts draw.
    """
    for most in MOST_FAINT:
        scene = thinned(figure.scene, most)
        try:
            png = _text(write_small_png(scene, figure.recipe, SCALE))
        except FigureError as error:
            LOG.debug("The picture is SVG: %s", error)
            return _vector(scene, _text(write_svg(scene, figure.recipe).encode()))
        if len(png) <= LONGEST:
            break
    return NotebookPicture(
        _words(_description(scene), SPOKEN), {"image/png": png}, {"image/png": {"width": round(scene.width)}}
    )


def words_instead(words: str) -> NotebookPicture:
    """Return a text in place of a picture: one that is not drawn yet, or cannot be drawn."""
    return NotebookPicture(_words(words, ""), {"text/html": f'<div class="{IMAGE}"></div>'})


def called_older(picture: NotebookPicture) -> NotebookPicture:
    """Return a picture with a visible sentence: that it does not show the last change."""
    return replace(picture, words=_words(picture.words["text/plain"], SPOKEN, OLDER))


def _vector(scene: Scene, data: str) -> NotebookPicture:
    source, size = f"data:image/svg+xml;base64,{data}", f'width="{scene.width:.0f}" style="max-width: 100%"'
    image = f'<div class="{IMAGE}"><img src="{source}" alt="" {size}></div>'
    return NotebookPicture(_words(_description(scene), SPOKEN), {"text/html": image})


def _description(scene: Scene) -> str:
    return f"{scene.title}. {scene.description}"


def _words(words: str, kind: str, notice: str = "") -> Bundle:
    content = f'<p class="{kind}">{html.escape(words)}</p>'
    above = f"<p>{notice}</p>" if notice else ""
    return {
        "text/html": f'<div class="{PICTURE}"><style>{STYLE}</style>{above}{content}</div>',
        "text/plain": f"{notice} {words}".strip(),
    }


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
