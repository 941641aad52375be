"""Widths of characters, read from the fonts that figures are set in."""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont

from circuit_widget.figure.output.fonts import FONTS

INTERFACE = ("Inter-Regular.otf", "Inter-SemiBold.otf")
MONO = "NotoSansMono-Regular.ttf"
PER_EM = 64
ZERO = "0"
WIDEST_SIGN = 78
MISSING = " "
LARGEST_GAP = 16
"""Most characters in a row that the font lacks within one run of the table."""
LONGEST_RUN = 96
END = 0x2800
"""Where the table ends: what the font has beyond is rare, and as wide as other characters."""
NOT_MEASURED = ("Cc", "Mn", "Me", "Cf")

ADVANCES_FILE = Path(__file__).parents[2] / "circuit_widget" / "wording" / "advances.py"
PYTHON_MODULE = '''"""Widths of characters in circuit_widget/figure/fonts; written by `{command}`."""

from typing import Final

PER_EM: Final = {per_em}
"""Units of the widths to an em."""

MONO_EM: Final = {mono}
"""Width of every character of the monospace font, in em."""

ADVANCES: Final = (
{runs}
)
"""Runs of characters: the first one's code point, and a sign for the width of each, U+0030 for 0 and so on.

Of the two weights of the interface font the wider one counts. A space is for what the font lacks.
"""
'''


@cache
def advances() -> tuple[tuple[int, str], ...]:
    """Return runs of characters of the interface font: the first one's code point, and a sign for each one's width."""
    widths = [_widths(name) for name in INTERFACE]
    known = sorted(code for code in widths[0] if code < END and unicodedata.category(chr(code)) not in NOT_MEASURED)
    runs: list[tuple[int, str]] = []
    for code in known:
        sign = chr(ord(ZERO) + min(round(PER_EM * max(width[code] for width in widths)), WIDEST_SIGN))
        first, signs = runs[-1] if runs else (code, "")
        gap = code - first - len(signs)
        if runs and gap <= LARGEST_GAP and len(signs) + gap < LONGEST_RUN:
            runs[-1] = (first, signs + gap * MISSING + sign)
        else:
            runs.append((code, sign))
    return tuple(runs)


@cache
def mono_em() -> float:
    """Return the width of every character of the monospace font, in em."""
    (width,) = {width for code, width in _widths(MONO).items() if code in range(0x20, 0x7F)}
    return width


def python_module(command: str) -> str:
    """Return the package's own table of widths."""
    runs = "\n".join(f"    (0x{first:04X}, {json.dumps(signs)})," for first, signs in advances())
    return PYTHON_MODULE.format(command=command, per_em=PER_EM, mono=mono_em(), runs=runs)


def _widths(name: str) -> dict[int, float]:
    """Width of each character of a font in em, by code point."""
    font = TTFont(FONTS / name)
    metrics, per_em = font["hmtx"], font["head"].unitsPerEm
    return {code: metrics[glyph][0] / per_em for code, glyph in font.getBestCmap().items()}
