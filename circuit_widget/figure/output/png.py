"""A figure as PNG."""

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from circuit_widget.figure.output.glyphs import Coverage
from circuit_widget.figure.output.typeset import set_as, typeset
from circuit_widget.figure.scene.scene import Scene

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORD = "circuit-widget"

LONGEST_TEXT = 1 << 24
"""Most characters of a compressed text that is read."""


def write_png(scene: Scene, recipe: Mapping[str, Any], coverage: Coverage, dots_per_inch: float) -> bytes:
    """Return the scene as a PNG of so many dots to the inch, which it states, with its recipe in a text chunk.

    Raises FigureError as `typeset` does.
    """
    drawn = typeset(scene, coverage, (), "png", dots_per_inch)
    per_metre = round(dots_per_inch / 0.0254)
    header_end = len(SIGNATURE) + 25
    text = (
        f"{KEYWORD}\0{json.dumps(set_as(recipe, coverage, dots_per_inch), ensure_ascii=True, sort_keys=True)}".encode(
            "latin-1"
        )
    )
    added = chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1)) + chunk(b"tEXt", text)
    return drawn[:header_end] + added + drawn[header_end:]


def text_chunk(png: bytes) -> str | None:
    """Return the text under our keyword in a PNG, or None. Raises ValueError for what is not a PNG or is cut off."""
    keyword = f"{KEYWORD}\0".encode("latin-1")
    for kind, body in chunks(png):
        if kind == b"tEXt" and body.startswith(keyword):
            return body[len(keyword) :].decode("latin-1")
        if kind == b"zTXt" and body.startswith(keyword):
            return _unpacked(body[len(keyword) + 1 :]).decode("latin-1")
    return None


def packed_text(body: bytes) -> bytes:
    """Return the chunk with the text of a `tEXt` chunk in compressed form."""
    keyword, _, text = body.partition(b"\0")
    return chunk(b"zTXt", keyword + b"\0\0" + zlib.compress(text, 9))


def _unpacked(packed: bytes) -> bytes:
    """Return a compressed text. Raises ValueError for one that is damaged, or far longer than any recipe."""
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(packed, LONGEST_TEXT)
    except zlib.error as problem:
        raise ValueError(f"its text is damaged: {problem}") from problem
    if not unpacking.eof:
        raise ValueError("its text is cut off or too long")
    return text


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and the body of each chunk of a PNG. Raises ValueError for what is not a PNG or is cut off."""
    if not png.startswith(SIGNATURE):
        raise ValueError("not a PNG")
    at = len(SIGNATURE)
    while at + 8 <= len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + length]
        if len(body) < length:
            raise ValueError("cut off")
        yield kind, body
        at += 12 + length


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG: its length, kind, body and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
