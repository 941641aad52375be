"""The font that a user names for the text of a figure: read, checked, measured, and cut down to what a figure needs."""

import base64
import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from circuit_widget.arguments import quoted
from circuit_widget.errors import FigureError
from circuit_widget.figure.output.fonts import FONTS, INSTALL
from circuit_widget.figure.output.glyphs import is_seen
from circuit_widget.figure.scene.text_font import FAMILY, TextFont

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

SHIPPED = {"Inter": "Inter-Regular.otf", "Noto Sans Mono": "NotoSansMono-Regular.ttf"}
"""Fonts that come with the package, by their names."""
ENDINGS = (".ttf", ".otf")
FAMILY_NAMES, STYLE_NAMES = (1, 16), (2, 17)
"""Numbers of names in a font: what typesetters take for its family, and for its style."""
NAMED_CHARACTERS = 12
# fmt: off
EMBEDDED = frozenset([
    "GlyphOrder", "head", "hhea", "maxp", "OS/2", "hmtx", "cmap", "name", "post", "glyf", "loca", "cvt ", "fpgm", "prep", "gasp",
    "CFF ", "GSUB", "GPOS", "GDEF", "kern",
])
# fmt: on
"""Tables of a font that an SVG carries: those that letters are drawn and placed with."""

ChosenFont: TypeAlias = str | Path | None
"""A file of a font (.ttf, .otf), or the name of one that comes with the package."""


def read_text_font(font: ChosenFont) -> TextFont | None:
    """Return the font that a user names, None for None.

    Raises FigureError for a name that is no file, for a file that cannot be read or is no font, and where fontTools is
    missing.
    """
    if font is None:
        return None
    expected = f"font= names a font file ({', '.join(ENDINGS)}), or {' or '.join(map(repr, SHIPPED))}"
    if not isinstance(font, str | Path) or str(font) in ("", ".") or "\0" in str(font):
        raise FigureError(f"{expected}; given {quoted(font)}.")
    file = FONTS / SHIPPED[str(font)] if str(font) in SHIPPED else Path(font)
    if file.suffix.lower() not in ENDINGS:
        raise FigureError(f"{expected}; given {quoted(str(font))}.")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise FigureError(
            f"The font {quoted(str(font))} cannot be read: {error.strerror or error}. {expected}."
        ) from error
    except UnicodeError as error:
        raise FigureError(f"{expected}; given {quoted(str(font))}.") from error
    return _text_font(content, file, str(font) if str(font) in SHIPPED else file.name)


def same_font(name: str, sha256: str, folders: Iterable[Path]) -> str | Path:
    """Return the font of a name and a hash: one of the package, else a file of that name in the folders.

    Raises FigureError where there is none.
    """
    if name in SHIPPED:
        return name
    for folder in folders:
        file = folder / Path(name).name
        if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == sha256:
            return file
    raise FigureError(
        f"The figure is set in the font {quoted(name)} (SHA-256 {sha256}), which is in none of the folders that fonts= names."
    )


def lacking(font: TextFont, texts: Iterable[str]) -> str:
    """Return the characters of some texts that a font has no glyph for, each once."""
    wanted = dict.fromkeys(character for text in texts for character in text)
    return "".join(one for one in wanted if is_seen(one) and one not in font.advances)


def lacking_words(font: TextFont, characters: str) -> str:
    """Return the warning about characters that the chosen font lacks."""
    more = f" and {len(characters) - NAMED_CHARACTERS} more" if len(characters) > NAMED_CHARACTERS else ""
    return (
        f"The font {font.name} has no glyph for {' '.join(characters[:NAMED_CHARACTERS])}{more}: these are set in Inter, or "
        "in a font of this machine."
    )


def embedded_face(font: TextFont, characters: Iterable[str]) -> str:
    """Return the CSS rule that carries these characters of the font within an SVG document.

    It stands for all weights, so that no program makes a bolder one whose texts are wider than measured.
    """
    from fontTools import subset
    from fontTools.ttLib import TTFont

    loaded = TTFont(io.BytesIO(font.embedded), recalcTimestamp=False)
    for table in set(loaded.keys()) - EMBEDDED:
        del loaded[table]
    options = subset.Options(layout_features=["*"], notdef_outline=True, name_IDs=["*"])
    cutting = subset.Subsetter(options)
    cutting.populate(text="".join(sorted(set(characters))))
    cutting.subset(loaded)
    loaded.flavor = "woff"
    written = io.BytesIO()
    loaded.save(written)
    data = base64.b64encode(written.getvalue()).decode("ascii")
    return f'@font-face{{font-family:"{FAMILY}";font-weight:1 1000;src:url("data:font/woff;base64,{data}") format("woff")}}'


def _text_font(content: bytes, file: Path, name: str) -> TextFont:
    try:
        from fontTools.ttLib import TTFont
    except ImportError as error:
        raise FigureError(f"A font of your own needs fontTools, which is not installed. {INSTALL}") from error
    try:
        loaded = TTFont(io.BytesIO(content), recalcTimestamp=False)
        characters, widths, em = loaded.getBestCmap() or {}, loaded["hmtx"], loaded["head"].unitsPerEm
        advances = {chr(code): widths[glyph][0] / em for code, glyph in characters.items()}
        embedded = _renamed(loaded)
    except Exception as error:  # a damaged file makes fontTools raise any kind
        raise FigureError(f"{str(file)!r} is no font that can be read: {quoted(str(error))}.") from error
    if not advances:
        raise FigureError(f"The font {str(file)!r} has no characters.")
    return TextFont(name, content, embedded, advances)


def _renamed(loaded: "TTFont") -> bytes:
    """Return the font under the name FAMILY as its only style; its PostScript name, which a PDF states, stays."""
    names = loaded["name"]
    for number in (*FAMILY_NAMES, *STYLE_NAMES):
        names.removeNames(nameID=number)
    for number, text in ((FAMILY_NAMES[0], FAMILY), (STYLE_NAMES[0], "Regular")):
        names.setName(text, number, 3, 1, 0x409)
    written = io.BytesIO()
    loaded.save(written)
    return written.getvalue()
