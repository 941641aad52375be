"""The layout of the map's nodes: pure functions of numbers and token texts.

The screen runs the same functions (js/src/layout/map-layout.ts); tests/fixtures/layout.json checks both.
Units are pixels of the screen; y grows downwards.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import Final, NamedTuple

from circuit_widget.display.token_runs import runs_without
from circuit_widget.figure.layout.cell import LANES, NODE_GAP, extent, fill, lanes_of, pack
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
SLANTED_SPACE: Final = 18.0
SLANT: Final = 40.0
"""Degrees by which slanted texts are turned."""
SLANT_COS: Final = 0.766
SLANT_SIN: Final = 0.643
ROW_LABEL_SPACE: Final = 11.0
MANY_LOGITS: Final = 4
QUIET: Final = 3.0
"""Width of a column that has its token alone, where there is no room for all texts."""
TEXT_SPACE: Final = 17.0
"""Least distance of two slanted texts."""
LEAST_COLUMN: Final = 6.0
"""Width from which a column is marked off by a line."""
BAND: Final = 7.0
"""Height of a band of layers without visible nodes."""
TOKEN_BAND: Final = 0.6
"""Opacity of a band of positions: it is as high as the map."""
ROW_GAP: Final = 3.0
"""Least space between the nodes of two rows."""


class MapNode(NamedTuple):
    """A visible node of the map; layer is -1 for tokens and n_layers for logits."""

    kind: str
    layer: int
    position: int
    influence: float


class Column(NamedTuple):
    """The strip of one token position, the text under it, and of the nodes in it the mean y and, tokens aside, the number.

    Of a band, a run of positions without visible nodes, `position` is the first one and `last` the last one; else both are
    the same.
    """

    position: int
    last: int
    x0: float
    x1: float
    text: str
    y: float
    crowd: int


class Row(NamedTuple):
    """The line of one layer; its label is empty where there is no room for it. A layer without nodes is in a band."""

    label: str
    y: float
    height: float
    in_band: bool


class MapLayout(NamedTuple):
    """Centres and radii of the nodes, the index of each one's column, columns, rows (bottom to top), and how texts run.

    `left` is where the columns begin, right of the row labels. Horizontal texts are centred in their column at token_y;
    slanted ones end there, turned by -40 degrees.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    radius: tuple[float, ...]
    column: tuple[int, ...]
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

    Each node is in the cell of its position and layer, the largest first, without overlaps if they fit. Rows are as high
    as their nodes need; layers without nodes, and runs of positions without, are thin bands.
    """
    strips = _strips(nodes, len(token_texts))
    positions = [first for first, _ in strips]
    place = {position: index for index, position in enumerate(positions)}
    texts = [_strip_text(first, last, token_texts) for first, last in strips]
    text_widths = [mono_width(text, token_size) for text in texts]
    n_layers, gutter = len(layers), _gutter(layers, width)
    available = max(1.0, width - gutter - RIGHT)
    radius, cells = _radii(nodes), _cells(nodes)
    # Texts are slanted where they would leave no room for the nodes of the others.
    crowds = _crowds(positions, cells, radius, n_layers + 1)
    upright = math.fsum(max(text + TOKEN_SPACE, crowd) for text, crowd in zip(text_widths, crowds, strict=True))
    slanted = upright > available
    bottom = min(BOTTOM - 8 + SLANT_SIN * max(text_widths, default=0.0), 0.4 * height) if slanted else BOTTOM
    beside = Counter(node.position for node in nodes if node.kind != "token")
    crowd = [beside[position] for position in positions]
    base = [SLANTED_SPACE if slanted else text + TOKEN_SPACE for text in text_widths]
    if math.fsum(base) > available:
        base = [
            SLANTED_SPACE if count or last > first else QUIET
            for count, (first, last) in zip(crowd, strips, strict=True)
        ]
    columns = _columns(positions, base, cells, radius, gutter, available, n_layers + 1)

    base_y = height - bottom
    rooms = {position: right - left - 4.0 for position, (left, right) in zip(positions, columns, strict=True)}
    needs = _needs(cells, radius, rooms, n_layers + 2)
    heights = _heights([need for need, _ in needs], max(1.0, base_y - TOP))
    middles = _middles(heights, base_y)
    most = [max(2.0, 0.88 * row / (lines + 1)) for row, (_, lines) in zip(heights, needs, strict=True)]
    wide = {position: right - left for position, (left, right) in zip(positions, columns, strict=True)}
    radius = [
        min(size, most[node.layer + 1], max(1.5, wide[node.position] / 2) if node.kind == "token" else size)
        for size, node in zip(radius, nodes, strict=True)
    ]
    x, y = [0.0] * len(nodes), [0.0] * len(nodes)
    for (position, row), members in cells.items():
        left, right = columns[place[position]]
        for index, (dx, dy) in zip(
            members,
            pack([radius[i] for i in members], rooms[position], heights[row], 1 if row > n_layers else LANES),
            strict=True,
        ):
            x[index] = (left + right) / 2 + dx
            y[index] = middles[row] + dy
    column = [place[node.position] for node in nodes]
    inside: list[list[float]] = [[] for _ in positions]
    for index, middle in zip(column, y, strict=True):
        inside[index].append(middle)
    means = [math.fsum(values) / len(values) if values else base_y for values in inside]
    return MapLayout(
        tuple(x),
        tuple(y),
        tuple(radius),
        tuple(column),
        tuple(
            Column(first, last, left, right, _column_text(text, left, right, slanted, token_size), mean, count)
            for (first, last), (left, right), text, mean, count in zip(
                strips, columns, texts, means, crowd, strict=True
            )
        ),
        _rows(layers, gutter, middles, heights, [lines == 0 for _, lines in needs]),
        slanted,
        base_y + (12.0 if slanted else 19.0),
        gutter,
    )


def _strip_text(first: int, last: int, token_texts: Sequence[str]) -> str:
    """Return what is written under a column: its token, or how many tokens a band has."""
    return token_label(token_texts[first]) if first == last else f"{last - first + 1:,} tokens"


def _strips(nodes: Sequence[MapNode], n_tokens: int) -> list[tuple[int, int]]:
    """Return the first and the last position of each column: of those with nodes, and of bands."""
    busy = {node.position for node in nodes}
    return sorted([*((position, position) for position in busy), *runs_without(busy, n_tokens)])


def columns_with_text(columns: Sequence[Column], zoom: float = 1.0) -> list[int]:
    """Return the indices of the columns whose slanted texts have room, ascending; those with most nodes come first."""
    chosen: list[int] = []
    for index in sorted(range(len(columns)), key=lambda at: (-columns[at].crowd, at)):
        middle = columns[index].x0 + columns[index].x1
        if all(zoom * abs(columns[at].x0 + columns[at].x1 - middle) / 2 >= TEXT_SPACE for at in chosen):
            chosen.append(index)
    return sorted(chosen)


def _gutter(layers: Sequence[str], width: float) -> float:
    """Return the width of the row labels: more than usual where layers have long names."""
    widest = max((text_width(name, ROW_LABEL_SIZE) for name in layers), default=0.0)
    most = max(GUTTER, min(MOST_GUTTER, MOST_GUTTER_SHARE * width))
    return min(max(GUTTER, widest + ROW_LABEL_MARGIN), most)


def _needs(
    cells: dict[tuple[int, int], list[int]], radius: Sequence[float], rooms: Mapping[int, float], n_rows: int
) -> list[tuple[float, int]]:
    """Return the height that each row needs, and its lines of nodes: 0 for a layer without any, whose height is 0."""
    needs = [(0.0, 0)] * n_rows
    needs[0] = needs[-1] = (0.0, 1)
    for (position, row), members in cells.items():
        radii = [radius[i] for i in members]
        step = 2 * max(radii) + NODE_GAP
        most = 1 if row == n_rows - 1 else min(LANES, len(members))
        fits = (
            lines for lines in range(1, most) if extent(fill(radii, lanes_of(lines, step)), radii) <= rooms[position]
        )
        lines = next(fits, most)
        needs[row] = max(needs[row], ((lines - 1) * step + 2 * max(radii) + ROW_GAP, lines))
    return needs


def _heights(needs: Sequence[float], available: float) -> list[float]:
    """Share the height from the middle of the first row to that of the last one.

    Each run of layers without nodes gets a band, each other row what it needs, and an equal part of the rest.
    """
    runs = [list(run) for empty, run in groupby(range(len(needs)), lambda row: _is_empty(needs, row)) if empty]
    band = min(BAND, 0.3 * available / len(runs)) if runs else 0.0
    heights = list(needs)
    for run in runs:
        for row in run:
            heights[row] = band / len(run)
    parts = [0.0 if _is_empty(needs, row) else 0.5 if row in (0, len(needs) - 1) else 1.0 for row in range(len(needs))]
    room = available - band * len(runs)
    needed = math.fsum(part * need for part, need in zip(parts, needs, strict=True))
    spare = max(0.0, room - needed) / math.fsum(parts)
    factor = min(1.0, room / needed) if needed > 0 else 1.0
    return [height if part == 0 else factor * height + spare for height, part in zip(heights, parts, strict=True)]


def _is_empty(needs: Sequence[float], row: int) -> bool:
    return needs[row] == 0 and 0 < row < len(needs) - 1


def _middles(heights: Sequence[float], base_y: float) -> list[float]:
    """Return the y of the middle of each row, bottom to top."""
    middles = [base_y]
    for below, above in pairwise(heights):
        middles.append(middles[-1] - (below + above) / 2)
    return middles


def _radii(nodes: Sequence[MapNode]) -> list[float]:
    total = math.fsum(node.influence for node in nodes if node.kind != "logit")
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
                radius = min(max(0.7 * size, 2.8), 5.0)
            case _:
                radius = min(max(size, 3.0), 11.0)
        radii.append(radius)
    return radii


def _cells(nodes: Sequence[MapNode]) -> dict[tuple[int, int], list[int]]:
    """Return the indices of the nodes of each (position, row), highest influence first."""
    cells: dict[tuple[int, int], list[int]] = {}
    for index in sorted(range(len(nodes)), key=lambda i: (-nodes[i].influence, i)):
        cells.setdefault((nodes[index].position, nodes[index].layer + 1), []).append(index)
    return cells


def _crowds(
    positions: Sequence[int], cells: dict[tuple[int, int], list[int]], radius: Sequence[float], top: int
) -> list[float]:
    """Return the width of each column in which its cells are in three lines, the top row in one."""
    widths = dict.fromkeys(positions, 0.0)
    for (position, row), members in cells.items():
        line = math.fsum(2 * radius[i] + NODE_GAP for i in members) + 6.0
        widths[position] = max(widths[position], line if row == top else line / 3)
    return list(widths.values())


def _columns(
    positions: Sequence[int],
    base: Sequence[float],
    cells: dict[tuple[int, int], list[int]],
    radius: Sequence[float],
    left: float,
    available: float,
    top: int,
) -> list[tuple[float, float]]:
    """Share the width: the top row first, then token texts, cells in three lines, then in one, then the rest."""
    index_of = {position: index for index, position in enumerate(positions)}
    outputs, first, wrapped, packed = [0.0] * len(base), list(base), list(base), list(base)
    for (position, row), members in cells.items():
        at, line = index_of[position], math.fsum(2 * radius[i] + NODE_GAP for i in members) + 6.0
        outputs[at] = max(outputs[at], line if row == top else 0.0)
        first[at] = max(first[at], outputs[at])
        wrapped[at] = max(wrapped[at], first[at], line / 3)
        packed[at] = max(packed[at], line)
    widths = [0.0] * len(positions)
    for stage in (outputs, first, wrapped, packed):
        before, after = math.fsum(widths), math.fsum(stage)
        if after >= available:
            part = (available - before) / (after - before)
            widths = [low + (high - low) * part for low, high in zip(widths, stage, strict=True)]
            break
        widths = stage
    spare = max(0.0, available - math.fsum(widths))
    crowds = [0.0] * len(positions)
    for (position, _), members in cells.items():
        crowds[index_of[position]] += len(members) - 1 / 2
    columns = []
    for column, crowd in zip(widths, crowds, strict=True):
        right = left + column + spare * crowd / math.fsum(crowds)
        columns.append((left, right))
        left = right
    return columns


def _column_text(text: str, left: float, right: float, slanted: bool, size: float) -> str:
    room = ((left + right) / 2 - 2.0) / SLANT_COS if slanted else right - left - 2.0
    return shorten(text, room, size, True)


def _rows(
    layers: Sequence[str],
    gutter: float,
    middles: Sequence[float],
    heights: Sequence[float],
    in_band: Sequence[bool],
) -> tuple[Row, ...]:
    last = len(middles) - 1
    rows = [Row("emb", middles[0], heights[0], False)]
    labelled = middles[0]
    for row in range(1, last):
        clear = min(labelled - middles[row], middles[row] - middles[last]) >= ROW_LABEL_SPACE
        fits = clear and not in_band[row]
        label = shorten(layers[row - 1], gutter - ROW_LABEL_MARGIN, ROW_LABEL_SIZE) if fits else ""
        labelled = middles[row] if fits else labelled
        rows.append(Row(label, middles[row], heights[row], in_band[row]))
    return (*rows, Row("out", middles[last], heights[last], False))
