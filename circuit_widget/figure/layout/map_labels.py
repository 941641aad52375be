"""The places of labels beside the nodes of the map: pure functions of numbers and texts.

The screen runs the same functions (js/src/layout/map-labels.ts); tests/fixtures/layout.json checks both.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final, Generic, Literal, NamedTuple, TypeVar

from circuit_widget.figure.layout.map_layout import MapLayout
from circuit_widget.labels.label import LOCAL_LABEL
from circuit_widget.wording.text import shorten, text_width

LABEL_ROOM: Final = 86.0
"""Width to which labels are cut on a map that is not zoomed: about 14 characters of 10.5 pixels."""
LABEL_LINE: Final = 1.15
"""Height of a label, in em."""
LABEL_GAP: Final = 4.5
"""Between a node and its label: room for the outline of a selected node."""
LABEL_LEADS: Final = (6.0, 20.0)
"""Lengths of the line between a node and a label above or below it, the best first."""
LABEL_OVERHANG: Final = 3.0
"""How far a label that begins or ends above or below its node extends to the other side of the line."""
LEAD_WIDTH: Final = 0.8
"""Width of the line between a node and its label."""
LEAD_CLEAR: Final = 0.5
"""Least distance of such a line from other nodes."""
LEAD_RISES: Final = (1.8, 3.6, 7.0)
"""How far above or below its node a line turns to a side, to pass between two rows."""
LEAD_RUNS: Final = (16.0, 32.0, 56.0, 88.0)
"""How far a line goes to the side, out of a crowd of nodes."""
LABEL_CLEAR: Final = 1.5
"""Least distance of a label from other nodes."""
LABEL_SPACE: Final = 5.0
"""Least distance of two labels side by side."""
LABEL_EDGE: Final = 2.0
"""Least distance of a label from the edge of the map."""
LABEL_REPEAT: Final = 90.0
"""Distance of two nodes up to which the same label is not written twice."""
MOST_LABELS: Final = 60
"""How many of the most influential nodes in view get labels, where there is room, on a map that is not zoomed."""
UNDER_SLANTED: Final = 5.0
"""How far labels reach below the lowest row where token texts are slanted."""
UNDER_UPRIGHT: Final = 8.0
"""How far labels reach below the lowest row where token texts are upright."""

_CELL: Final = 32.0

_Thing = TypeVar("_Thing")


class MapDot(NamedTuple):
    """A node where it is drawn; `text` is empty where it has no label, `first` where its label precedes others."""

    x: float
    y: float
    radius: float
    text: str
    influence: float
    first: bool


class Area(NamedTuple):
    """An upright rectangle by its left, upper, right and lower end."""

    x0: float
    y0: float
    x1: float
    y1: float


class LabelledMap(NamedTuple):
    """What labels are placed on: the nodes, the frame, areas that are taken, the zoom and the size of the texts."""

    dots: Sequence[MapDot]
    frame: Area
    taken: Sequence[Area]
    zoom: float
    size: float


class MapLabel(NamedTuple):
    """A label by the index of its dot, its text as it is cut, left end, middle height and width.

    `anchor` is the end of the text that is nearest to the dot. `lead` is the line from the dot to a label that is not
    right beside it, as the x and y of its points.
    """

    dot: int
    text: str
    x: float
    y: float
    w: float
    anchor: Literal["start", "middle", "end"]
    lead: tuple[float, ...] = ()


def label_frame(layout: MapLayout, width: float) -> Area:
    """Return the part of the map that labels may be in: between the row labels and the token texts."""
    under = UNDER_SLANTED if layout.slanted else UNDER_UPRIGHT
    return Area(layout.left, LABEL_EDGE, width - LABEL_EDGE, layout.rows[0].y + under)


def lead_areas(lead: Sequence[float]) -> list[Area]:
    """Return the rectangles of the strokes of the line between a dot and its label, none where there is no line."""
    half = LEAD_WIDTH / 2
    areas = []
    for at in range(2, len(lead), 2):
        x0, y0, x1, y1 = lead[at - 2 : at + 2]
        if x0 == x1:
            areas.append(Area(x0 - half, min(y0, y1), x0 + half, max(y0, y1)))
        else:
            areas.append(Area(min(x0, x1), y0 - half, max(x0, x1), y0 + half))
    return areas


def label_area(label: MapLabel, size: float) -> Area:
    """Return the rectangle that a label of this size of text covers."""
    half = LABEL_LINE * size / 2
    return Area(label.x, label.y - half, label.x + label.w, label.y + half)


def map_labels(labelled: LabelledMap) -> tuple[MapLabel, ...]:
    """Place labels one after the other, those of `first` dots before others, then by influence, each where there is room.

    A label is right of its dot, else left of it, else above or below at the end of a line, else where a line between two
    rows leads out of a crowd. Neither label nor line overlaps another dot, label, line, or one of the `taken` areas;
    without such a place the label is left out. The same label is not repeated nearby.
    """
    dots, frame, taken, zoom, size = labelled
    space = _Space(dots, frame, taken)
    placed: list[MapLabel] = []
    for index in _order(dots, frame)[: math.ceil(MOST_LABELS * zoom)]:
        dot = dots[index]
        text = _cut(dot.text, zoom, size)
        if text == "…" or (not dot.first and any(_repeats(dot, text, dots[one.dot], one.text) for one in placed)):
            continue
        label = next((one for one in _candidates(space, index, dot, text, size) if space.free(one, size)), None)
        if label is not None:
            placed.append(label)
            space.take(label, size)
    return tuple(placed)


def _cut(label: str, zoom: float, size: float) -> str:
    """Return a label as wide as there is room; of one prompt's effects, the words that tell it from others of its kind."""
    words = label.removeprefix(LOCAL_LABEL)
    return shorten(words if words.startswith(("+", "−")) else label, LABEL_ROOM * zoom, size)


def _order(dots: Sequence[MapDot], frame: Area) -> list[int]:
    """Return the dots with labels within the frame, in the order in which they get a place."""
    labelled = [
        index
        for index, dot in enumerate(dots)
        if dot.text.strip() and frame.x0 <= dot.x <= frame.x1 and frame.y0 <= dot.y <= frame.y1
    ]
    return sorted(labelled, key=lambda index: (not dots[index].first, -dots[index].influence, index))


def _candidates(space: "_Space", index: int, dot: MapDot, text: str, size: float) -> Iterator[MapLabel]:
    """Yield the places of a label around its dot to which nothing blocks its line, the best first."""
    w, side, half = text_width(text, size), dot.radius + LABEL_GAP, LABEL_LINE * size / 2
    yield MapLabel(index, text, dot.x + side, dot.y, w, "start")
    yield MapLabel(index, text, dot.x - side - w, dot.y, w, "end")
    x = dot.x
    for length in LABEL_LEADS:
        for up in (-1, 1):
            rim = dot.y + up * dot.radius
            end = rim + up * length
            y = end + up * half
            lead: tuple[float, ...] = (x, rim, x, end)
            if not space.blocks(lead, index):
                yield MapLabel(index, text, x - w / 2, y, w, "middle", lead)
                yield MapLabel(index, text, x - LABEL_OVERHANG, y, w, "start", lead)
                yield MapLabel(index, text, x + LABEL_OVERHANG - w, y, w, "end", lead)
    lines = [(rise, up, side) for rise in LEAD_RISES for up in (-1, 1) for side in (-1, 1)]
    for run in LEAD_RUNS:
        for line in list(lines):
            rise, up, side = line
            rim = dot.y + up * dot.radius
            y, end = rim + up * rise, x + side * (dot.radius + run)
            lead = (x, rim, x, y, end, y)
            if space.blocks(lead, index):
                # A longer one is blocked, too.
                lines.remove(line)
            elif side < 0:
                yield MapLabel(index, text, end - LABEL_GAP - w, y, w, "end", lead)
            else:
                yield MapLabel(index, text, end + LABEL_GAP, y, w, "start", lead)


def _repeats(dot: MapDot, text: str, other: MapDot, other_text: str) -> bool:
    return text == other_text and math.hypot(dot.x - other.x, dot.y - other.y) < LABEL_REPEAT


def _inside(area: Area, frame: Area) -> bool:
    return area.x0 >= frame.x0 and area.x1 <= frame.x1 and area.y0 >= frame.y0 and area.y1 <= frame.y1


def _covers(area: Area, dot: MapDot, clear: float) -> bool:
    dx = max(area.x0 - dot.x, 0.0, dot.x - area.x1)
    dy = max(area.y0 - dot.y, 0.0, dot.y - area.y1)
    reach = dot.radius + clear
    return dx * dx + dy * dy < reach * reach


def _overlap(one: Area, other: Area) -> bool:
    return one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1


class _Grid(Generic[_Thing]):
    """Things by the cells of a grid that they reach into."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], list[_Thing]] = {}

    def add(self, area: Area, thing: _Thing) -> None:
        for cell in _cells(area):
            self._cells.setdefault(cell, []).append(thing)

    def near(self, area: Area) -> Iterator[_Thing]:
        """Yield what may reach into an area, some of it more than once."""
        for cell in _cells(area):
            yield from self._cells.get(cell, ())


def _cells(area: Area) -> Iterator[tuple[int, int]]:
    for column in range(math.floor(area.x0 / _CELL), math.floor(area.x1 / _CELL) + 1):
        for row in range(math.floor(area.y0 / _CELL), math.floor(area.y1 / _CELL) + 1):
            yield column, row


class _Space:
    """What is left of the map's frame beside dots, taken areas and the labels placed so far."""

    def __init__(self, dots: Sequence[MapDot], frame: Area, taken: Sequence[Area]) -> None:
        self._dots, self._frame = dots, frame
        self._dot_grid, self._taken_grid = _Grid[int](), _Grid[Area]()
        for index, dot in enumerate(dots):
            reach = dot.radius + LABEL_CLEAR
            self._dot_grid.add(Area(dot.x - reach, dot.y - reach, dot.x + reach, dot.y + reach), index)
        for area in taken:
            self._taken_grid.add(area, area)

    def take(self, label: MapLabel, size: float) -> None:
        for area in (label_area(label, size), *lead_areas(label.lead)):
            self._taken_grid.add(area, area)

    def free(self, label: MapLabel, size: float) -> bool:
        """Return whether there is room for a label, with space at its sides."""
        area = label_area(label, size)
        wider = Area(area.x0 - LABEL_SPACE, area.y0, area.x1 + LABEL_SPACE, area.y1)
        return _inside(area, self._frame) and not self._blocked(wider, area, label.dot, LABEL_CLEAR)

    def blocks(self, lead: Sequence[float], dot: int) -> bool:
        """Return whether something is in the way of the line from a dot to its label."""
        return any(
            not _inside(area, self._frame) or self._blocked(area, area, dot, LEAD_CLEAR) for area in lead_areas(lead)
        )

    def _blocked(self, wider: Area, area: Area, dot: int, clear: float) -> bool:
        """Return whether what is placed overlaps the wider area, or another dot the area itself."""
        return any(_overlap(wider, other) for other in self._taken_grid.near(wider)) or any(
            _covers(area, self._dots[other], clear) for other in self._dot_grid.near(area) if other != dot
        )
