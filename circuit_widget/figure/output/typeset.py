"""A scene set by typst, as a PDF page with real text or as a PNG.

Shapes are passed to typst as SVG pictures, layer by layer. Texts are passed as texts: typst then takes each cluster of
characters from the first font that has it, and orders scripts that run from right to left, which it does not do for text
in an SVG picture.
"""

import json
import re
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from circuit_widget.errors import FigureError
from circuit_widget.figure.output.fonts import FONTS, INSTALL
from circuit_widget.figure.output.glyphs import Coverage
from circuit_widget.figure.output.stand_in import FAMILY, stand_in_font
from circuit_widget.figure.output.svg import BASELINE, allowed, write_shapes
from circuit_widget.figure.scene.scene import Label, Scene
from circuit_widget.figure.scene.text_font import FAMILY as CHOSEN
from circuit_widget.wording.text import MARKS, runs_leftward

FAMILIES = ("Inter", "Noto Sans Mono")

# Texts are passed as inputs, never as source, so that nothing in them is run.
SOURCE = """
#let page-of = json(bytes(sys.inputs.page))
#let px = page-of.px * 1pt
#set document(title: page-of.title, description: page-of.description, keywords: page-of.keywords, date: none)
#set page(width: page-of.width * px, height: page-of.height * px, margin: 0pt, fill: white)
#set text(lang: "en", hyphenate: false, cjk-latin-spacing: none, top-edge: "baseline", bottom-edge: "baseline")
#set par(justify: false)
#let layer(svg, alt) = place(top + left, image(bytes(svg), format: "svg", width: 100%, height: 100%, alt: alt))
#let set-text(label) = {
  let body = text(
    font: label.fonts,
    size: label.size * px,
    weight: label.weight,
    fill: rgb(label.color).transparentize((1 - label.opacity) * 100%),
    // An isolated part is set in a box of its own, which nothing around it reorders.
    for part in label.parts {
      let content = text(dir: if part.leftward { rtl } else { ltr }, part.text)
      if part.apart { box(content) } else { content }
    },
  )
  place(top + left, dx: label.x * px, dy: label.y * px, rotate(label.turn * 1deg, origin: top + left, context {
    let width = measure(body).width
    // Wider than the text, so that it is never broken into lines.
    let line = box(width: width + 9pt, align(left, body))
    box(width: 0pt, height: 0pt, place(top + left, dx: -label.anchor * width, dy: label.baseline * px, line))
  }))
}
#for (index, item) in page-of.items.enumerate() {
  if "svg" in item { layer(item.svg, if index == 0 { page-of.title } else { none }) } else { set-text(item) }
}
"""


def typeset(
    scene: Scene, coverage: Coverage, keywords: Sequence[str], ending: Literal["pdf", "png"], dots_per_inch: float
) -> bytes:
    """Return the scene as one page, with the fonts that cover its text and boxes for characters that none covers.

    `dots_per_inch` is for PNG. Raises FigureError where typst is missing or fails.
    """
    try:
        import typst
    except ImportError as error:
        raise FigureError(f"A {ending.upper()} figure needs typst, which is not installed. {INSTALL}") from error
    page = {
        "px": scene.points,
        "width": scene.width,
        "height": scene.height,
        "title": allowed(scene.title),
        "description": allowed(scene.description),
        "keywords": list(keywords),
        "items": list(_items(scene, coverage)),
    }
    with tempfile.TemporaryDirectory(prefix="circuit-widget-") as folder:
        folders = [FONTS, *coverage.folders]
        if coverage.missing:
            Path(folder, "boxes.ttf").write_bytes(stand_in_font(_boxed(scene, coverage.missing)))
        if scene.font is not None:
            Path(folder, "chosen.ttf").write_bytes(scene.font.embedded)
        if coverage.missing or scene.font is not None:
            folders.append(Path(folder))
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)
        inputs = {"page": json.dumps(page)}
        try:
            return bytes(
                typst.compile(SOURCE.encode(), format=ending, ppi=dots_per_inch, sys_inputs=inputs, font_paths=fonts)
            )
        except RuntimeError as error:
            raise FigureError(f"typst cannot set the figure: {error!s:.300}. An SVG figure needs no typst.") from error


def set_as(recipe: Mapping[str, Any], coverage: Coverage, dots_per_inch: float | None) -> dict[str, Any]:
    """Return a recipe with what the typesetter adds to the picture: dots to the inch, fonts of this machine, its version."""
    how = {"dots_per_inch": dots_per_inch, "fonts": list(coverage.families), "typst": typst_version()}
    return {**recipe, "set": how}


def typst_version() -> str:
    """Return the version of the typesetter; empty where it is not installed."""
    try:
        return version("typst")
    except PackageNotFoundError:
        return ""


def _boxed(scene: Scene, missing: str) -> set[str]:
    """Return the characters to draw as boxes: those without a glyph, and those before a mark without a glyph.

    The same font sets a character and its marks.
    """
    boxed = set(missing)
    for label in scene.items:
        base = ""
        for character in label.text if isinstance(label, Label) else "":
            if unicodedata.category(character) not in MARKS:
                base = character
            elif character in missing and base:
                boxed.add(base)
    return boxed


def _items(scene: Scene, coverage: Coverage) -> Iterator[dict[str, Any]]:
    """Yield runs of shapes as pictures, and texts between them, in the scene's order."""
    for is_text, run in groupby(scene.items, key=lambda item: isinstance(item, Label)):
        if is_text:
            yield from (_text(item, scene, coverage) for item in run if isinstance(item, Label))
        else:
            yield {"svg": write_shapes(scene, list(run))}


def _text(label: Label, scene: Scene, coverage: Coverage) -> dict[str, Any]:
    bundled = tuple(reversed(FAMILIES)) if label.mono else FAMILIES
    chosen = () if scene.font is None else (CHOSEN,)
    first = (*bundled, *chosen) if label.mono else (*chosen, *bundled)
    boxes = (FAMILY,) if coverage.missing else ()
    return {
        "x": label.x,
        "y": label.y,
        "parts": _parts(allowed(label.text)),
        "fonts": [*first, *coverage.families, *boxes],
        "size": label.size,
        "weight": 600 if label.bold else 400,
        "color": label.color,
        "opacity": label.opacity,
        "anchor": {"start": 0.0, "middle": 0.5, "end": 1.0}[label.anchor],
        "baseline": BASELINE * label.size,
        "turn": label.turn,
    }


def _parts(text: str) -> list[dict[str, Any]]:
    """Return the text in parts: those that `apart` wrapped, without its signs, and those between."""
    pieces = re.split("\u2068([^\u2069]*)\u2069?", text)
    return [
        {"text": piece, "apart": at % 2 == 1, "leftward": runs_leftward(piece)}
        for at, piece in enumerate(pieces)
        if piece
    ]
