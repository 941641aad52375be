"""A PNG of few colours shows what the PNG of all colours shows, in a quarter of the bytes."""

import zlib
from dataclasses import replace

import numpy as np
import pytest

from circuit_widget.figure.figure import make_figure
from circuit_widget.figure.output.png import SIGNATURE, chunk, text_chunk
from circuit_widget.figure.output.small_png import COLOURS, read_pixels, reduced, thinned, write_small_png
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.scene import Curves, Paint, Scene
from tests.figure.test_figure import CIRCUIT, GRAPH

FIGURE = make_figure(GRAPH, CIRCUIT, width=4)


def png_of(filters: list[int], body: np.ndarray, channels: int) -> bytes:
    """Return a PNG whose lines have these filters and these bytes after them."""
    rows = [bytes([kind]) + line.tobytes() for kind, line in zip(filters, body, strict=True)]
    head = body.shape[1].to_bytes(4, "big") + len(rows).to_bytes(4, "big") + bytes([8, {3: 2, 4: 6}[channels], 0, 0, 0])
    return SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("channels", [3, 4])
def test_every_filter_of_a_png_is_undone(channels: int) -> None:
    """Filtered here pixel by pixel, as the standard defines it."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (10, 7, channels), np.uint8)
    filters = [0, 1, 2, 3, 4, 4, 3, 2, 1, 0]
    filtered = np.zeros_like(pixels)
    for y in range(10):
        for x in range(7):
            for at in range(channels):
                a = int(pixels[y, x - 1, at]) if x else 0
                b = int(pixels[y - 1, x, at]) if y else 0
                c = int(pixels[y - 1, x - 1, at]) if x and y else 0
                nearest = min((a, b, c), key=lambda value: abs(a + b - c - value))
                guess = (0, a, b, (a + b) // 2, nearest)[filters[y]]
                filtered[y, x, at] = (int(pixels[y, x, at]) - guess) % 256
    assert (read_pixels(png_of(filters, filtered, channels)) == pixels[:, :, :3]).all()


def test_the_colours_of_thin_lines_stay_beside_large_areas_of_many_greys() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[:] = (np.arange(10_000) % 200 + 55).reshape(100, 100, 1)
    pixels[50, 10:22] = (200, 80, 50)
    pixels[60, 10:22] = (40, 100, 170)
    palette, image = reduced(pixels)
    assert len(palette) <= COLOURS
    seen = palette[image].astype(int)
    assert np.abs(seen[50, 10:22] - [200, 80, 50]).max() <= 4
    assert np.abs(seen[60, 10:22] - [40, 100, 170]).max() <= 4
    assert np.abs(seen - pixels).max() <= 12


def test_few_colours_stay_as_they_are() -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[1:3] = (255, 0, 0)
    palette, image = reduced(pixels)
    assert (palette[image] == pixels).all()
    assert len(palette) == 2


def test_a_small_png_shows_the_figure_and_has_its_recipe() -> None:
    whole, small = FIGURE.png(1.5 * 108), write_small_png(FIGURE.scene, FIGURE.recipe, 1.5)
    assert len(small) < len(whole) / 2
    assert text_chunk(small) == text_chunk(whole)
    assert small[16:24] == whole[16:24]
    assert small[25] == 3


def faint(number: int, width: float) -> Curves:
    path = (0.0,) * 7
    paths = tuple((*path, float(at)) for at in range(number))
    return Curves(paths, Paint(stroke=style.FAINT, width=width, opacity=0.2))


def test_the_strongest_edges_stay_and_the_description_says_what_is_left_out() -> None:
    other = Curves(((0.0,) * 8,) * 50, Paint(stroke=style.EXCITE))
    scene = Scene(10, 10, (faint(100, 0.7), faint(20, 1.1), other), "title", "A description.")
    assert thinned(scene, 120) is scene
    fewer = thinned(scene, 30)
    first, second, third = fewer.items
    assert isinstance(first, Curves)
    assert [path[7] for path in first.paths] == list(range(90, 100))
    assert (second, third) == scene.items[1:]
    assert fewer.description == "A description. Of the 120 edges without sign, the 30 strongest are drawn."
    assert thinned(replace(scene, description=""), 20).items == scene.items[1:]
