"""The recipe in a figure's file, read back from it."""

import hashlib
import json
import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from circuit_widget.errors import FigureError
from circuit_widget.figure.output import pdf, png, tikz
from circuit_widget.figure.output.svg import RECIPE_NAMESPACE
from circuit_widget.system.atomic_write import write_bytes
from circuit_widget.system.paths import require_path

BESIDE = ".recipe.json"
"""How the name of a recipe in a file of its own ends."""

PICTURE = re.compile(rb'<img id="circuit-widget-figure"[^>]* src="data:image/svg\+xml;base64,([A-Za-z0-9+/=]*)"')
"""The picture in the HTML file of a widget."""


def read_recipe(path: str | Path) -> dict[str, Any]:
    """Return the recipe in a figure's file (.svg, .pdf, .png, .tex, .html) or beside it (.recipe.json), as plain JSON.

    Raises FigureError for a file without a recipe.
    """
    file = require_path(path, FigureError)
    recipe = _decoded(file, recipe_text(file))
    if not isinstance(recipe, dict):
        raise _no_recipe(file)
    return recipe


def recipe_text(file: Path, content: bytes | None = None) -> str:
    """Return the text of the recipe in a figure's file; `content` is what is in it, where that was read already.

    Raises FigureError for a file without a recipe.
    """
    reader = reader_of(file)
    try:
        text = reader(file.read_bytes() if content is None else content)
    except OSError as error:
        raise FigureError(f"The figure {str(file)!r} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError, ElementTree.ParseError) as error:
        raise _not_whole(file) from error
    if text is None:
        raise _no_recipe(file)
    return text


def write_recipe(file: Path, content: bytes) -> Path:
    """Write the recipe in a figure's file beside it, with the file's name and hash; return the path.

    Raises FigureError where that cannot be written.
    """
    recipe = {
        **json.loads(recipe_text(file, content)),
        "beside": {"name": file.name, "sha256": hashlib.sha256(content).hexdigest()},
    }
    text = json.dumps(recipe, ensure_ascii=True, sort_keys=True, indent=1) + "\n"
    return write_bytes(file.with_suffix(BESIDE), text.encode(), "recipe", FigureError)


def reader_of(file: Path) -> Callable[[bytes], str | None]:
    """Return what finds a recipe in files of this name. Raises FigureError for the name of no figure."""
    if file.name.lower().endswith(BESIDE):
        return bytes.decode
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise FigureError(
            f"A figure ends in .svg, .pdf, .png, .tex or .html, its recipe in {BESIDE}; given {file.name!r}."
        )
    return reader


def _decoded(file: Path, text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _not_whole(file) from error


def _not_whole(file: Path) -> FigureError:
    return FigureError(f"{file.name!r} is not a whole {file.suffix[1:].upper()} file.")


def _no_recipe(file: Path) -> FigureError:
    return FigureError(f"{file.name!r} contains no recipe; only figures made by circuit-widget do.")


def _from_svg(content: bytes) -> str | None:
    return ElementTree.fromstring(content).findtext(f".//{{{RECIPE_NAMESPACE}}}recipe")


def _from_html(content: bytes) -> str | None:
    """Return the recipe of the picture in an HTML file: the only one, of a figure, or the one for readers, of a widget."""
    start, end = content.find(b"<svg "), content.rfind(b"</svg>")
    found = PICTURE.search(content)
    if found is not None:
        return _from_svg(b64decode(found.group(1), validate=True))
    if start < 0 or end < start:
        return None
    return _from_svg(content[start : end + len(b"</svg>")])


_READERS: dict[str, Callable[[bytes], str | None]] = {
    ".svg": _from_svg,
    ".pdf": pdf.keywords,
    ".png": png.text_chunk,
    ".tex": tikz.recipe_text,
    ".html": _from_html,
}
