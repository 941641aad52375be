"""A stand-in font with boxes for characters that no font has; each is a glyph of its own, so a PDF's text keeps them."""

import io
import unicodedata
from collections.abc import Iterable

from circuit_widget.errors import FigureError
from circuit_widget.figure.output.fonts import INSTALL
from circuit_widget.wording.text import text_width

FAMILY = "Circuit Widget Boxes"
UNITS = 1000
TOP, BOTTOM, SIDE, STROKE = 720, -60, 60, 45


def stand_in_font(characters: Iterable[str]) -> bytes:
    """Return a TrueType font with a hollow box for each character, as wide as the layout assumes; marks have none.

    Raises FigureError where fontTools is missing.
    """
    try:
        from fontTools.fontBuilder import FontBuilder
        from fontTools.pens.ttGlyphPen import TTGlyphPen
    except ImportError as error:
        raise FigureError(
            f"This figure has characters that need fontTools, which is not installed. {INSTALL}"
        ) from error

    def box(width: int) -> object:
        pen = TTGlyphPen(None)
        if width:
            _rectangle(pen, SIDE, BOTTOM, width - SIDE, TOP)
            _rectangle(pen, width - SIDE - STROKE, BOTTOM + STROKE, SIDE + STROKE, TOP - STROKE)
        return pen.glyph()

    codes = sorted({ord(character) for character in characters})
    names = {code: f"u{code:04X}" for code in codes}
    widths = {".notdef": 600, **{names[code]: _width(chr(code)) for code in codes}}
    font = FontBuilder(UNITS, isTTF=True)
    font.setupGlyphOrder(list(widths))
    font.setupCharacterMap(names)
    font.setupGlyf({name: box(width) for name, width in widths.items()})
    font.setupHorizontalMetrics({name: (width, SIDE if width else 0) for name, width in widths.items()})
    font.setupHorizontalHeader(ascent=TOP, descent=BOTTOM)
    names_of_font = {"familyName": FAMILY, "styleName": "Regular", "psName": FAMILY.replace(" ", "")}
    font.setupNameTable({**names_of_font, "uniqueFontIdentifier": FAMILY, "fullName": FAMILY})
    font.setupOS2(sTypoAscender=TOP, sTypoDescender=BOTTOM, usWinAscent=TOP, usWinDescent=-BOTTOM)
    font.setupPost()
    # The same characters make the same bytes at any time.
    font.updateHead(created=0, modified=0)
    font.font.recalcTimestamp = False
    written = io.BytesIO()
    font.save(written)
    return written.getvalue()


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return max(round(text_width(character, UNITS)), 4 * SIDE)


def _rectangle(pen: object, left: int, bottom: int, right: int, top: int) -> None:
    """Draw a rectangle; with left and right exchanged it runs the other way round and makes a hole."""
    pen.moveTo((left, bottom))  # type: ignore[attr-defined]
    for corner in ((left, top), (right, top), (right, bottom)):
        pen.lineTo(corner)  # type: ignore[attr-defined]
    pen.closePath()  # type: ignore[attr-defined]
