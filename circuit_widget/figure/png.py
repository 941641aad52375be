"""A figure as PNG, drawn by resvg from its SVG."""

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

from circuit_widget.errors import FigureError
from circuit_widget.figure.fonts import FONTS
from circuit_widget.figure.style import PX_PER_INCH

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORD = "circuit-widget"
INSTALL = "Install what draws it: pip install 'circuit-widget[figures]'."


def write_png(svg: str, recipe: Mapping[str, Any], width: int, dots_per_inch: float) -> bytes:
    """The SVG as a PNG `width` dots wide, its recipe in a text chunk. Raises FigureError without resvg-py."""
    try:
        import resvg_py
    except ImportError as error:
        raise FigureError(f"A PNG figure needs resvg-py, which is not installed. {INSTALL}") from error
    drawn = bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            width=width,
            dpi=96.0,
            font_dirs=[str(FONTS)],
            sans_serif_family="Inter",
            monospace_family="Noto Sans Mono",
        )
    )
    per_metre = round(dots_per_inch / 0.0254)
    header_end = len(SIGNATURE) + 25
    text = f"{KEYWORD}\0{json.dumps(recipe, ensure_ascii=True, sort_keys=True)}".encode("latin-1")
    chunks = _chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1)) + _chunk(b"tEXt", text)
    return drawn[:header_end] + chunks + drawn[header_end:]


def dots_per_inch(scale: float) -> float:
    """Dots per inch at a number of dots per scene pixel."""
    return scale * PX_PER_INCH


def text_chunk(png: bytes) -> str | None:
    """What a PNG says under our keyword, or None. Raises ValueError for what is not a PNG or is cut off."""
    if not png.startswith(SIGNATURE):
        raise ValueError("not a PNG")
    at = len(SIGNATURE)
    while at + 8 <= len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + length]
        if len(body) < length:
            raise ValueError("cut off")
        keyword = f"{KEYWORD}\0".encode("latin-1")
        if kind == b"tEXt" and body.startswith(keyword):
            return body[len(keyword) :].decode("latin-1")
        at += 12 + length
    return None


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
