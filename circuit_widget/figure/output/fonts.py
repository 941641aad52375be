"""The fonts of PDF and PNG figures: open fonts that come with the package (fonts/OFL.txt), and fonts of the machine."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from circuit_widget.arguments import entries_of, quoted
from circuit_widget.errors import FigureError

if TYPE_CHECKING:
    import uharfbuzz

FONTS = Path(__file__).parents[1] / "fonts"
INSTALL = "Install it with: pip install 'circuit-widget[figures]'."

ENDINGS = (".ttf", ".otf", ".ttc", ".otc")
FAMILY_NAME, STYLE_NAME = 1, 2
UPRIGHT = ("regular", "normal", "book", "roman", "medium", "")
STYLES = frozenset(
    [
        "black",
        "bold",
        "book",
        "compressed",
        "cond",
        "condensed",
        "demi",
        "expanded",
        "extrabold",
        "extralight",
        "heavy",
        "italic",
        "light",
        "medium",
        "narrow",
        "oblique",
        "semibold",
        "semicondensed",
        "thin",
        "variable",
        "vf",
    ]
)
"""Last words of family names that the typesetter takes for styles of a family with a shorter name."""


@dataclass(frozen=True)
class Font:
    """An upright font of ordinary weight: its family's name, its file, and its number in a file of several."""

    family: str
    file: Path
    number: int = 0

    def has(self, characters: Iterable[str]) -> frozenset[str]:
        """Return those of the characters that the font has a glyph for; none where the file cannot be read.

        Raises FigureError where uharfbuzz is missing.
        """
        return _glyphs_in(self.file, self.number, characters)


def bundled_have(characters: Iterable[str]) -> frozenset[str]:
    """Return the characters that the bundled fonts have glyphs for. Raises FigureError where uharfbuzz is missing."""
    wanted = frozenset(characters)
    return frozenset().union(*(_glyphs_in(file, 0, wanted) for file in _font_files([FONTS])))


def read_fonts(folders: Iterable[Path]) -> Iterator[Font]:
    """Yield the fonts in some folders and their subfolders; other files are skipped.

    Raises FigureError where uharfbuzz is missing.
    """
    for file in _font_files(folders):
        for number in _numbers(file):
            face = _face(file, number)
            family, style = _name(face, FAMILY_NAME), _name(face, STYLE_NAME)
            if family and style.lower() in UPRIGHT and family.split()[-1].lower() not in STYLES:
                yield Font(family, file, number)


def chosen_folders(fonts: str | Path | Sequence[str | Path]) -> tuple[Path, ...]:
    """Return the folders of fonts that a user names. Raises FigureError for one that does not exist."""
    expected = f"fonts= names folders with font files ({', '.join(ENDINGS)})"
    folders = [fonts] if isinstance(fonts, str | Path) else entries_of(fonts, expected, FigureError)
    for folder in folders:
        if not isinstance(folder, str | Path) or folder == "" or "\0" in str(folder) or not Path(folder).is_dir():
            raise FigureError(f"{expected}; given {quoted(folder)}.")
    return tuple(Path(folder) for folder in folders)


def system_folders(platform: str = sys.platform, environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Return the folders of this system's fonts, those of the user first."""
    home = Path.home()
    if platform == "darwin":
        return (home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts"))
    if platform == "win32":
        local = Path(environ.get("LOCALAPPDATA", home / "AppData/Local")) / "Microsoft/Windows/Fonts"
        return (local, Path(environ.get("WINDIR", "C:/Windows")) / "Fonts")
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
    shared = (environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    return (data / "fonts", home / ".fonts", *(Path(folder) / "fonts" for folder in shared if folder))


def _font_files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        for current, inner, names in os.walk(folder):
            inner.sort()
            yield from (Path(current, name) for name in sorted(names) if name.lower().endswith(ENDINGS))


def _numbers(file: Path) -> range:
    """Return the numbers of the fonts in a file."""
    try:
        with file.open("rb") as opened:
            head = opened.read(12)
    except OSError:
        return range(0)
    return range(min(int.from_bytes(head[8:12]), 64)) if head.startswith(b"ttcf") else range(1)


def _face(file: Path, number: int) -> "uharfbuzz.Face":
    try:
        import uharfbuzz
    except ImportError as error:
        raise FigureError(
            f"This figure has characters that need uharfbuzz, which is not installed. {INSTALL}"
        ) from error
    try:
        return uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(file)), number)
    except (OSError, uharfbuzz.HarfBuzzError):
        return uharfbuzz.Face(b"")


def _name(face: "uharfbuzz.Face", name: int) -> str:
    return (face.get_name(name) or "").strip()


def _glyphs_in(file: Path, number: int, characters: Iterable[str]) -> frozenset[str]:
    import uharfbuzz

    font = uharfbuzz.Font(_face(file, number))
    return frozenset(character for character in characters if font.get_nominal_glyph(ord(character)))
