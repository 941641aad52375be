"""The layout of the map's nodes: pure functions of numbers and token texts.

The screen runs the same functions (js/src/layout/map-layout.ts); tests/fixtures/layout.json checks both.
Units are pixels of the screen; y grows downwards.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from circuit_widget.wording.text import mono_width, shorten, text_width, token_label

GUTTER: Final = 34.0
"""Width of the row labels, and the most that longer names of layers get, in pixels and as a share of the map."""
MOST_GUTTER: Final = 96.0
MOST_GUTTER_SHARE: Final = 0.25
ROW_LABEL_SIZE: Final = 10.5
ROW_LABEL_MARGIN: Final = 10.0
"""Space left and right of a row label."""
RIGHT: Final = 10.0
TOP: Final = 18.0
BOTTOM: Final = 30.0
TOKEN_SPACE: Final = 10.0
SLANTED_SPACE: Final = 15.0
SLANT: Final = 40.0
"""Degrees by which slanted texts are turned."""
SLANT_COS: Final = 0.766
SLANT_SIN: Final = 0.643
NODE_GAP: Final = 1.5
ROW_LABEL_SPACE: Final = 11.0
MANY_LOGITS: Final = 4


class MapNode(NamedTuple):
    """A visible node of the map; layer is -1 for tokens and n_layers for logits."""

    kind: str
    layer: int
    position: int
    influence: float


class Column(NamedTuple):
    """The strip of one token position and the text under it."""

    position: int
    x0: float
    x1: float
    text: str


class Row(NamedTuple):
    """The line of one layer; its label is empty where there is no room for it."""

    label: str
    y: float


class MapLayout(NamedTuple):
    """Centres and radii of the nodes, columns, rows (bottom to top), and the direction of the token texts.

    `left` is where the columns begin, right of the row labels. Horizontal texts are centred in their column at token_y;
    slanted ones end there, turned by -40 degrees.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    radius: tuple[float, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    slanted: bool
    token_y: float
    left: float


def map_layout(
    nodes: Sequence[MapNode],
    token_texts: Sequence[str],
    layers: Sequence[str],
    width: float,
    height: float,
    token_size: float = 11.5,
) -> MapLayout:
    """Lay out tokens across and layers upwards; `layers` are the names of the layers.

    Each node is in the cell of its position and layer, the largest first, without overlaps if they fit.
    """
    positions = sorted({node.position for node in nodes})
    texts = [token_label(token_texts[position]) for position in positions]
    text_widths = [mono_width(text, token_size) for text in texts]
    n_layers, gutter = len(layers), _gutter(layers, width)
    available = max(1.0, width - gutter - RIGHT)
    slanted = math.fsum(text + TOKEN_SPACE for text in text_widths) > available
    bottom = min(BOTTOM - 8 + SLANT_SIN * max(text_widths, default=0.0), 0.4 * height) if slanted else BOTTOM
    pitch = max(1.0, height - TOP - bottom) / (n_layers + 1)
    radius = _radii(nodes, pitch)
    cells = _cells(nodes)
    base = [SLANTED_SPACE if slanted else text + TOKEN_SPACE for text in text_widths]
    columns = _columns(positions, base, cells, radius, gutter, available, n_layers + 1)

    base_y = height - bottom
    x, y = [0.0] * len(nodes), [0.0] * len(nodes)
    for (position, row), members in cells.items():
        left, right = columns[positions.index(position)]
        for index, (dx, dy) in zip(
            members,
            _pack([radius[i] for i in members], right - left - 4.0, pitch, 1 if row > n_layers else 3),
            strict=True,
        ):
            x[index] = (left + right) / 2 + dx
            y[index] = base_y - row * pitch + dy
    return MapLayout(
        tuple(x),
        tuple(y),
        tuple(radius),
        tuple(
            Column(position, left, right, _column_text(text, left, right, slanted, token_size))
            for position, (left, right), text in zip(positions, columns, texts, strict=True)
        ),
        _rows(layers, gutter, base_y, pitch),
        slanted,
        base_y + (12.0 if slanted else 19.0),
        gutter,
    )


def _gutter(layers: Sequence[str], width: float) -> float:
    """Return the width of the row labels: more than usual where layers have long names."""
    widest = max((text_width(name, ROW_LABEL_SIZE) for name in layers), default=0.0)
    most = max(GUTTER, min(MOST_GUTTER, MOST_GUTTER_SHARE * width))
    return min(max(GUTTER, widest + ROW_LABEL_MARGIN), most)


def _radii(nodes: Sequence[MapNode], pitch: float) -> list[float]:
    total = math.fsum(node.influence for node in nodes if node.kind != "logit")
    most = max(2.0, 0.44 * pitch)
    logit = 7.0 if sum(node.kind == "logit" for node in nodes) <= MANY_LOGITS else 5.0
    radii = []
    for node in nodes:
        size = 2.5 + 26.0 * math.sqrt(node.influence / total) if total > 0 and node.influence > 0 else 0.0
        match node.kind:
            case "token":
                radius = 5.0
            case "logit":
                radius = logit
            case "error":
                radius = min(max(size, 3.5), 7.0)
            case _:
                radius = min(max(size, 3.0), 11.0)
        radii.append(min(radius, most))
    return radii


def _cells(nodes: Sequence[MapNode]) -> dict[tuple[int, int], list[int]]:
    """Return the indices of the nodes of each (position, row), highest influence first."""
    cells: dict[tuple[int, int], list[int]] = {}
    for index in sorted(range(len(nodes)), key=lambda i: (-nodes[i].influence, i)):
        cells.setdefault((nodes[index].position, nodes[index].layer + 1), []).append(index)
    return cells


def _columns(
    positions: Sequence[int],
    base: Sequence[float],
    cells: dict[tuple[int, int], list[int]],
    radius: Sequence[float],
    left: float,
    available: float,
    top: int,
) -> list[tuple[float, float]]:
    """Share the width: token texts and the top row first, then cells in three lines, then in one, then the rest."""
    index_of = {position: index for index, position in enumerate(positions)}
    first, wrapped, packed = list(base), list(base), list(base)
    for (position, row), members in cells.items():
        at, line = index_of[position], math.fsum(2 * radius[i] + NODE_GAP for i in members) + 6.0
        first[at] = max(first[at], line if row == top else 0.0)
        wrapped[at] = max(wrapped[at], first[at], line / 3)
        packed[at] = max(packed[at], line)
    widths = [0.0] * len(positions)
    for stage in (first, wrapped, packed):
        before, after = math.fsum(widths), math.fsum(stage)
        if after >= available:
            part = (available - before) / (after - before)
            widths = [low + (high - low) * part for low, high in zip(widths, stage, strict=True)]
            break
        widths = stage
    total = math.fsum(widths)
    columns = []
    for column in widths:
        right = left + column * available / total
        columns.append((left, right))
        left = right
    return columns


def _pack(radii: Sequence[float], room: float, pitch: float, most: int) -> list[tuple[float, float]]:
    """Return offsets from the centre of a cell: in one line, else in staggered lines up to `most`, squeezed if need be."""
    largest = max(radii)
    spread = max(0.0, min(pitch / 3, pitch / 2 - largest - 0.75))
    placed: list[tuple[float, float]] = []
    for lines in range(1, most + 1):
        if lines == 1:
            lanes = [0.0]
        elif lines == 2:
            half = min(2 * spread, 2 * largest + NODE_GAP) / 2
            lanes = [-half, half]
        else:
            step = min(spread, 2 * largest + NODE_GAP)
            lanes = [0.0, -step, step]
        placed = _fill(radii, lanes)
        left = min(x - r for (x, _), r in zip(placed, radii, strict=True))
        right = max(x + r for (x, _), r in zip(placed, radii, strict=True))
        if right - left <= room:
            return [(x - (left + right) / 2, y) for x, y in placed]
    low, high = min(x for x, _ in placed), max(x for x, _ in placed)
    factor = max(0.0, room - 2 * largest) / (high - low) if high > low else 0.0
    return [((x - (low + high) / 2) * factor, y) for x, y in placed]


def _fill(radii: Sequence[float], lanes: Sequence[float]) -> list[tuple[float, float]]:
    """Put circles, in order, as far to the left as they go without touching the earlier ones."""
    ends: list[list[tuple[float, float]]] = [[] for _ in lanes]
    placed = []
    for radius in radii:
        best_lane, best_x = 0, math.inf
        for lane, offset in enumerate(lanes):
            x = radius
            for other, end in zip(lanes, ends, strict=True):
                for other_x, other_radius in end[-3:]:
                    reach = radius + other_radius + NODE_GAP
                    apart = reach * reach - (offset - other) * (offset - other)
                    if apart > 0:
                        x = max(x, other_x + math.sqrt(apart))
            if x < best_x - 1e-9:
                best_lane, best_x = lane, x
        ends[best_lane].append((best_x, radius))
        placed.append((best_x, lanes[best_lane]))
    return placed


def _column_text(text: str, left: float, right: float, slanted: bool, size: float) -> str:
    room = ((left + right) / 2 - 2.0) / SLANT_COS if slanted else right - left - 2.0
    return shorten(text, room, size, True)


def _rows(layers: Sequence[str], gutter: float, base_y: float, pitch: float) -> tuple[Row, ...]:
    step = next((step for step in (1, 2, 5, 10, 20) if step * pitch >= ROW_LABEL_SPACE), 50)
    labels = ["emb"]
    for layer, name in enumerate(layers):
        clear = (layer + 1) * pitch >= ROW_LABEL_SPACE and (len(layers) - layer) * pitch >= ROW_LABEL_SPACE
        fits = layer % step == 0 and clear
        labels.append(shorten(name, gutter - ROW_LABEL_MARGIN, ROW_LABEL_SIZE) if fits else "")
    labels.append("out")
    return tuple(Row(label, base_y - row * pitch) for row, label in enumerate(labels))
