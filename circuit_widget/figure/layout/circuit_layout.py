"""The layout of a circuit's boxes: rows by layer, columns by position, without overlaps.

The screen runs the same functions (js/src/layout/circuit-layout.ts); tests/fixtures/layout.json checks both.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from circuit_widget.wording.text import text_width, wrapped

BOX_HEIGHT: Final = 30.0
BOX_TEXT: Final = 12.0
LINE_STEP: Final = 14.0
"""From one line of a name to the next."""
MOST_LINES: Final = 3
"""Lines of a name."""
BOX_PADDING: Final = 28.0
NARROWEST: Final = 64.0
WIDEST: Final = 180.0
BOX_GAP: Final = 18.0
SIDE_LABEL: Final = 52.0
COLUMN_STEP: Final = 24.0
ROW_SPACE: Final = 26.0
ROW_PITCH: Final = 104.0
MARGIN: Final = 12.0
CARD: Final = 4.0
ROUNDEST: Final = 5.0
"""Largest radius of the corners of a box."""
STRIP: Final = 5.0
"""Width of the hue at the left side of a supernode's box."""
NAME_INSET: Final = 16.0
"""What of a box's width its name leaves free."""
LINE_INSET: Final = 40.0
"""What of the widest box a name of several lines leaves free: other fonts than the figures' are wider."""
GIVES: Final = (1.0, 0.7, 0.4)
SCALES: Final = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
WHOLE_ROWS: Final = 0.8
"""Down to this scale boxes are made smaller rather than those of one layer put into several lines."""


class LayoutBox(NamedTuple):
    """A supernode or a pinned node; `alone` keeps its row free of other layers (tokens and logits)."""

    name: str
    members: int
    layer: float
    position: float
    alone: bool = False
    stored: tuple[float, float] | None = None


class PlacedBox(NamedTuple):
    """Centre and size of a box; `cards` more are drawn behind it, each CARD to the right and up."""

    x: float
    y: float
    w: float
    h: float
    cards: int


class CircuitLayout(NamedTuple):
    """The boxes in the order given, and the size of the text in them."""

    boxes: tuple[PlacedBox, ...]
    text_size: float


class _Line(NamedTuple):
    members: tuple[int, ...]
    layer: float
    alone: bool


def name_lines(name: str) -> tuple[str, ...]:
    """Return the name of a box in the lines that it is written in."""
    return wrapped(name, WIDEST - LINE_INSET, BOX_TEXT, MOST_LINES)


def box_size(name: str) -> tuple[float, float]:
    """Return width and height of a box at full size: its name and room around it, within limits."""
    lines = name_lines(name)
    widest = max(text_width(line, BOX_TEXT) for line in lines)
    return min(max(widest + BOX_PADDING, NARROWEST), WIDEST), BOX_HEIGHT + LINE_STEP * (len(lines) - 1)


def circuit_layout(boxes: Sequence[LayoutBox], width: float, height: float) -> CircuitLayout:
    """Lay boxes out in rows, bottom to top by rounded mean layer, and across by mean position.

    Stored centres, in the unit square, take precedence. Where the pane is too low for all rows, rows of near layers are
    joined, and then boxes are made smaller.
    """
    if not boxes:
        return CircuitLayout((), BOX_TEXT)
    sizes = [box_size(box.name) for box in boxes]
    scale, widths, lines = _fitted(boxes, sizes, width, height)
    heights = [size[1] * scale for size in sizes]
    x = _across(boxes, widths, lines, width, scale)
    y = _upward(lines, heights, height)
    placed = [PlacedBox(x[i], y[i], widths[i], heights[i], min(box.members - 1, 2)) for i, box in enumerate(boxes)]
    return CircuitLayout(tuple(_with_stored(boxes, placed, width, height)), BOX_TEXT * scale)


def _fitted(
    boxes: Sequence[LayoutBox], sizes: Sequence[tuple[float, float]], width: float, height: float
) -> tuple[float, list[float], list[_Line]]:
    """Return the largest scale at which the boxes fit, their widths, and their lines: whole rows first, see WHOLE_ROWS."""
    tallest = max(size[1] for size in sizes)
    n_rows = len({_row(box) for box in boxes})
    scale = 1.0
    widths: list[float] = []
    lines: list[_Line] = []
    for scale, whole in (
        *((scale, True) for scale in SCALES if scale >= WHOLE_ROWS),
        *((one, False) for one in SCALES),
    ):
        widths = [size[0] * scale for size in sizes]
        lines = _lines(boxes, widths, width, scale)
        if whole and len(lines) > n_rows:
            continue
        most = max(1, math.floor((height - 2 * MARGIN + ROW_SPACE * scale) / ((tallest + ROW_SPACE) * scale)))
        lines = _join(boxes, lines, widths, width, scale, most)
        if len(lines) <= most and all(_content(line.members, widths, scale) <= width - 2 * MARGIN for line in lines):
            break
    return scale, widths, lines


def _row(box: LayoutBox) -> int:
    return math.floor(box.layer + 0.5)


def _content(members: Sequence[int], widths: Sequence[float], scale: float) -> float:
    return math.fsum(widths[i] for i in members) + (len(members) - 1) * BOX_GAP * scale


def _lines(boxes: Sequence[LayoutBox], widths: Sequence[float], width: float, scale: float) -> list[_Line]:
    """Return the boxes of each rounded layer in one line, or in as many as their widths need, lower layers first."""
    rows: dict[int, list[int]] = {}
    for index, box in enumerate(boxes):
        rows.setdefault(_row(box), []).append(index)
    lines: list[_Line] = []
    for layer in sorted(rows):
        members = sorted(rows[layer], key=lambda i: (boxes[i].layer, boxes[i].position, i))
        parts = 1
        while parts < len(members) and any(
            _content(part, widths, scale) > width - 2 * MARGIN for part in _split(members, parts)
        ):
            parts += 1
        lines.extend(_line(boxes, part, float(layer)) for part in _split(members, parts))
    return lines


def _split(members: Sequence[int], parts: int) -> list[Sequence[int]]:
    size = len(members)
    return [members[part * size // parts : (part + 1) * size // parts] for part in range(parts)]


def _line(boxes: Sequence[LayoutBox], members: Sequence[int], layer: float) -> _Line:
    order = sorted(members, key=lambda i: (boxes[i].position, boxes[i].layer, i))
    return _Line(tuple(order), layer, any(boxes[i].alone for i in members))


def _join(
    boxes: Sequence[LayoutBox], lines: list[_Line], widths: Sequence[float], width: float, scale: float, most: int
) -> list[_Line]:
    """Join neighbouring lines, nearest layers first, until there are at most `most`."""
    while len(lines) > most:
        best, nearest = -1, math.inf
        for index in range(len(lines) - 1):
            low, high = lines[index], lines[index + 1]
            fits = _content(low.members + high.members, widths, scale) <= width - 2 * MARGIN
            if fits and not low.alone and not high.alone and high.layer - low.layer < nearest:
                best, nearest = index, high.layer - low.layer
        if best < 0:
            break
        low, high = lines[best], lines[best + 1]
        joined = _line(boxes, low.members + high.members, (low.layer + high.layer) / 2)
        lines = [*lines[:best], joined, *lines[best + 2 :]]
    return lines


def _across(
    boxes: Sequence[LayoutBox], widths: Sequence[float], lines: Sequence[_Line], width: float, scale: float
) -> list[float]:
    centres = _column_centres(boxes, widths, lines, width, scale)
    x = [0.0] * len(boxes)
    for line in lines:
        total = math.fsum(widths[i] for i in line.members)
        between = max(1, len(line.members) - 1)
        gap = min(max((width - 2 * MARGIN - total) / between, 4.0), SIDE_LABEL * scale)
        side = min(max((width - total - (len(line.members) - 1) * gap) / 2, MARGIN), SIDE_LABEL * scale)
        for index, centre in zip(
            line.members,
            _spread([centres[i] for i in line.members], [widths[i] for i in line.members], gap, side, width - side),
            strict=True,
        ):
            x[index] = centre
    return x


def _column_centres(
    boxes: Sequence[LayoutBox], widths: Sequence[float], lines: Sequence[_Line], width: float, scale: float
) -> list[float]:
    """Return the centre of each box's column; boxes at nearly the same position share a column.

    Columns with boxes in the same line are far enough apart for these boxes.
    """
    column = _column_of(boxes)
    count = max(column) + 1
    low, high = [0.0], [0.0]
    for give in GIVES:
        gap = SIDE_LABEL * scale * give
        halves = [_halves(line.members, column, widths, gap) for line in lines]
        low = _leftmost(halves, count, gap, scale)
        high = [width - x for x in reversed(_leftmost(_reversed(halves, count), count, gap, scale))]
        if all(one <= other for one, other in zip(low, high, strict=True)):
            break
    parts = [number / (count - 1) if count > 1 else 0.5 for number in range(count)]
    centres = [one + (other - one) * part for one, other, part in zip(low, high, parts, strict=True)]
    return [centres[column[index]] for index in range(len(boxes))]


def _column_of(boxes: Sequence[LayoutBox]) -> list[int]:
    column = [0] * len(boxes)
    order = sorted(range(len(boxes)), key=lambda i: (boxes[i].position, i))
    first = boxes[order[0]].position
    count = 0
    for index in order:
        if boxes[index].position - first > 0.5:
            count += 1
            first = boxes[index].position
        column[index] = count
    return column


def _halves(
    members: Sequence[int], column: Sequence[int], widths: Sequence[float], gap: float
) -> list[tuple[int, float]]:
    """Return the columns of a line, from left to right, each with half the width of the line's boxes in it."""
    content: dict[int, float] = {}
    for index in members:
        content[column[index]] = content.get(column[index], -gap) + widths[index] + gap
    return [(number, content[number] / 2) for number in sorted(content)]


def _reversed(halves: Sequence[Sequence[tuple[int, float]]], count: int) -> list[list[tuple[int, float]]]:
    return [[(count - 1 - number, half) for number, half in reversed(line)] for line in halves]


def _leftmost(halves: Sequence[Sequence[tuple[int, float]]], count: int, gap: float, scale: float) -> list[float]:
    """Return the leftmost centre of each column that leaves room at its left."""
    least = [0.0] * count
    for column in range(count):
        if column > 0:
            least[column] = least[column - 1] + COLUMN_STEP * scale
        for line in halves:
            for at, (here, half) in enumerate(line):
                if here == column:
                    before = least[line[at - 1][0]] + line[at - 1][1] + gap if at > 0 else max(gap, MARGIN)
                    least[column] = max(least[column], before + half)
    return least


def _spread(targets: Sequence[float], widths: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return the centres nearest to the targets (least squares), in order, `gap` apart, inside [low, high]."""
    offsets = [0.0]
    for left, right in pairwise(widths):
        offsets.append(offsets[-1] + (left + right) / 2 + gap)
    pools: list[tuple[float, int]] = []
    for target, offset in zip(targets, offsets, strict=True):
        mean, count = target - offset, 1
        while pools and pools[-1][0] > mean:
            other, size = pools.pop()
            mean = (mean * count + other * size) / (count + size)
            count += size
        pools.append((mean, count))
    flat = [mean for mean, count in pools for _ in range(count)]
    least = low + widths[0] / 2
    most = high - widths[-1] / 2 - offsets[-1]
    return [min(max(one, least), max(most, least)) + offset for one, offset in zip(flat, offsets, strict=True)]


def _upward(lines: Sequence[_Line], heights: Sequence[float], height: float) -> list[float]:
    room = height - 2 * MARGIN - max(heights) - 2 * CARD
    pitch = min(room / max(1, len(lines) - 1), ROW_PITCH)
    middle = (height + 2 * CARD) / 2
    y = [0.0] * len(heights)
    for row, line in enumerate(lines):
        for index in line.members:
            y[index] = middle + ((len(lines) - 1) / 2 - row) * pitch
    return y


def _with_stored(boxes: Sequence[LayoutBox], placed: list[PlacedBox], width: float, height: float) -> list[PlacedBox]:
    """Put stored boxes at their stored centres; boxes that they would cover move as little as possible."""
    stored = [index for index, box in enumerate(boxes) if box.stored is not None]
    if not stored:
        return placed
    result = list(placed)
    settled: list[PlacedBox] = []
    for index in stored + [i for i in range(len(boxes)) if boxes[i].stored is None]:
        box, centre = placed[index], boxes[index].stored
        if centre is not None:
            box = box._replace(x=centre[0] * width, y=centre[1] * height)
        result[index] = _settle(box, settled, width, height)
        settled.append(result[index])
    return result


def _settle(box: PlacedBox, settled: Sequence[PlacedBox], width: float, height: float) -> PlacedBox:
    x = min(max(box.x, box.w / 2 + 2), max(width - box.w / 2 - 2, box.w / 2 + 2))
    y = min(max(box.y, box.h / 2 + 2), max(height - box.h / 2 - 2, box.h / 2 + 2))
    xs, ys = [x], [y]
    for other in settled:
        xs += [other.x - (other.w + box.w) / 2 - BOX_GAP, other.x + (other.w + box.w) / 2 + BOX_GAP]
        ys += [other.y - (other.h + box.h) / 2 - BOX_GAP, other.y + (other.h + box.h) / 2 + BOX_GAP]
    best, nearest = box._replace(x=x, y=y), math.inf
    for one in xs:
        for two in ys:
            distance = (one - x) * (one - x) + (two - y) * (two - y)
            inside = box.w / 2 <= one <= width - box.w / 2 and box.h / 2 <= two <= height - box.h / 2
            here = box._replace(x=one, y=two)
            if inside and distance < nearest - 1e-9 and not any(_overlap(here, other) for other in settled):
                best, nearest = here, distance
    return best


def _overlap(one: PlacedBox, other: PlacedBox) -> bool:
    return abs(one.x - other.x) < (one.w + other.w) / 2 + 4 and abs(one.y - other.y) < (one.h + other.h) / 2 + 4
