"""A PNG of few colours, small enough for a notebook.

The colours of a figure are few, and its other ones are mixtures of these at the rims of shapes and letters. A palette of
24 keeps all that a reader tells apart, and needs a fifth of the bytes.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from circuit_widget.figure.output.glyphs import cover
from circuit_widget.figure.output.png import SIGNATURE, chunk, chunks, packed_text, write_png
from circuit_widget.figure.output.svg import texts_of
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.scene import Curves, Item, Scene

COLOURS = 24
BITS = 5
"""Bits of each channel by which colours are distinguished before the palette is chosen."""

AXES = np.array([[1.0, 1.0, 1.0], [2.0, -2.0, 0.0], [1.0, 1.0, -2.0]]).T
"""From red, green and blue to lightness and two differences of hue, which count more: they are the signs of edges."""

THINNEST = 1.001
"""Dots. The typesetter draws thinner strokes of one path over each other, so that crossings darken."""


def write_small_png(scene: Scene, recipe: Mapping[str, Any], scale: float) -> bytes:
    """Return the scene as a PNG of 24 colours, `scale` dots to the scene pixel; a character that no font has is a box.

    Raises FigureError as `write_png` does.
    """
    drawn = write_png(_strokes_of_a_dot(scene, scale), recipe, cover(texts_of(scene)), scale * scene.px_per_inch)
    palette, image = reduced(read_pixels(drawn))
    notes = [
        packed_text(body) if kind == b"tEXt" else chunk(kind, body)
        for kind, body in chunks(drawn)
        if kind in (b"pHYs", b"tEXt")
    ]
    return _indexed_png(palette, image, b"".join(notes))


def thinned(scene: Scene, most: int) -> Scene:
    """Return the scene with the strongest of its edges without sign; where some are left out, its description says so."""
    room, total = most, 0
    items: list[Item] = []
    # Edges are in the order of their strength, the weakest first, and so are the groups of one width.
    for item in reversed(scene.items):
        if isinstance(item, Curves) and item.paint.stroke == style.FAINT:
            total += len(item.paths)
            paths = item.paths[max(len(item.paths) - room, 0) :]
            room -= len(paths)
            if paths:
                items.append(replace(item, paths=paths))
        else:
            items.append(item)
    if total <= most:
        return scene
    words = f"Of the {total:,} edges without sign, the {most:,} strongest are drawn."
    return replace(scene, items=tuple(reversed(items)), description=f"{scene.description} {words}".strip())


def read_pixels(png: bytes) -> UInt8[np.ndarray, "rows columns 3"]:
    """Return the colours of a PNG of 8 bits to the channel with or without opacity, as the typesetter writes it."""
    parts = list(chunks(png))
    columns, rows, _, kind = struct.unpack(">IIBB", parts[0][1][:10])
    channels = {2: 3, 6: 4}[kind]
    packed = zlib.decompress(b"".join(body for name, body in parts if name == b"IDAT"))
    lines = np.frombuffer(packed, np.uint8).reshape(rows, 1 + columns * channels)
    given = lines[:, 1:].reshape(rows, columns, channels)[:, :, :3].astype(np.int16)
    return _unfiltered(lines[:, 0], given)


def reduced(
    pixels: UInt8[np.ndarray, "rows columns 3"],
) -> tuple[UInt8[np.ndarray, "colours 3"], UInt8[np.ndarray, "rows columns"]]:
    """Return a palette of at most 24 colours, and the index of each pixel's colour in it.

    Each colour of the palette is the one that is worst represented so far: its distance to the palette, weighted by the
    root of its number of pixels. So the colours of thin lines come into it as well as those of areas.
    """
    channels = pixels.reshape(-1, 3).astype(np.int64)
    codes = (channels >> (8 - BITS)) @ np.array([1 << 2 * BITS, 1 << BITS, 1])
    colour_of = np.unique(codes, return_inverse=True)[1]
    count = np.bincount(colour_of)
    means = np.stack([np.bincount(colour_of, channels[:, at]) / count for at in range(3)], axis=1)
    chosen, nearest = _spread(means @ AXES, count)
    return np.round(means[chosen]).astype(np.uint8), nearest[colour_of].reshape(pixels.shape[:2])


def _spread(
    colours: Float[np.ndarray, "found axes"], count: Int[np.ndarray, " found"]
) -> tuple[list[int], UInt8[np.ndarray, " found"]]:
    """Return which colours the palette consists of, and for each colour the index of the nearest of these."""
    distance = np.full(len(colours), np.inf)
    nearest = np.zeros(len(colours), np.uint8)
    chosen = [int(np.argmax(count))]
    while True:
        to_last = ((colours - colours[chosen[-1]]) ** 2).sum(axis=1)
        closer = to_last < distance
        nearest[closer] = len(chosen) - 1
        distance = np.minimum(distance, to_last)
        worst = int(np.argmax(distance * np.sqrt(count)))
        if len(chosen) == COLOURS or distance[worst] == 0:
            return chosen, nearest
        chosen.append(worst)


def _unfiltered(
    filters: UInt8[np.ndarray, " rows"], given: Int[np.ndarray, "rows columns 3"]
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Return the colours behind a PNG's filters: each pixel is a difference to what is left of it and above it.

    All pixels of one diagonal are computed at once, as they depend on the two diagonals before it alone.
    """
    rows, columns, _ = given.shape
    colours = np.zeros((rows + 1, columns + 1, 3), np.int16)
    for diagonal in range(rows + columns - 1):
        y = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        x = diagonal - y
        left, above, corner = colours[y + 1, x], colours[y, x + 1], colours[y, x]
        to_left, to_above = np.abs(above - corner), np.abs(left - corner)
        to_corner = np.abs(left + above - 2 * corner)
        paeth = np.where(
            (to_left <= to_above) & (to_left <= to_corner), left, np.where(to_above <= to_corner, above, corner)
        )
        guesses = (np.zeros_like(left), left, above, (left + above) >> 1, paeth)
        colours[y + 1, x + 1] = (given[y, x] + np.choose(filters[y][:, None], guesses)) & 0xFF
    return colours[1:, 1:].astype(np.uint8)


def _strokes_of_a_dot(scene: Scene, scale: float) -> Scene:
    """Return the scene with no path of several strokes thinner than a dot."""
    least = THINNEST / scale
    items = tuple(
        replace(item, paint=replace(item.paint, width=max(item.paint.width, least)))
        if isinstance(item, Curves) and item.paint.stroke and len(item.paths) > 1
        else item
        for item in scene.items
    )
    return replace(scene, items=items)


def _indexed_png(
    palette: UInt8[np.ndarray, "colours 3"], image: UInt8[np.ndarray, "rows columns"], notes: bytes
) -> bytes:
    rows, columns = image.shape
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), image], axis=1)
    return SIGNATURE + b"".join(
        [
            chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
            notes,
            chunk(b"PLTE", palette.tobytes()),
            chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)),
            chunk(b"IEND", b""),
        ]
    )
