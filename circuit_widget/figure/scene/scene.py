"""A figure as plain numbers and text: the items to draw, in order, for every file format."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from circuit_widget.figure.scene.style import PX_PER_INCH
from circuit_widget.figure.scene.text_font import TextFont


@dataclass(frozen=True)
class Paint:
    """How a shape is filled and stroked; colours are #rrggbb, lengths scene pixels, opacity 0 to 1."""

    fill: str | None = None
    stroke: str | None = None
    width: float = 1.0
    dash: tuple[float, ...] = ()
    opacity: float = 1.0


@dataclass(frozen=True)
class Curves:
    """Open or closed paths drawn as one: x0, y0, then six numbers for each cubic."""

    paths: tuple[tuple[float, ...], ...]
    paint: Paint
    closed: bool = False


@dataclass(frozen=True)
class Polygon:
    """A closed outline, by its corners."""

    points: tuple[tuple[float, float], ...]
    paint: Paint


@dataclass(frozen=True)
class Lines:
    """Straight strokes drawn as one: x0, y0, x1, y1 each."""

    segments: tuple[tuple[float, float, float, float], ...]
    paint: Paint


@dataclass(frozen=True)
class Rectangle:
    """An upright rectangle from its upper left corner, its corners rounded by `radius`."""

    x: float
    y: float
    w: float
    h: float
    paint: Paint
    radius: float = 0.0


@dataclass(frozen=True)
class Circle:
    """A circle by centre and radius."""

    x: float
    y: float
    radius: float
    paint: Paint


@dataclass(frozen=True)
class Label:
    """One line of text whose middle height is at y, turned by `turn` degrees clockwise around (x, y).

    The text may be hostile: it is escaped where it is written.
    """

    x: float
    y: float
    text: str
    size: float
    color: str
    anchor: Literal["start", "middle", "end"] = "start"
    bold: bool = False
    mono: bool = False
    turn: float = 0.0
    opacity: float = 1.0


Item: TypeAlias = Curves | Polygon | Lines | Rectangle | Circle | Label


@dataclass(frozen=True)
class Scene:
    """A whole figure; `title` and `description` are for readers who cannot see it.

    `px_per_inch` says how large a scene pixel is in print. `font` is the font of all text but tokens, where a user chose one.
    """

    width: float
    height: float
    items: tuple[Item, ...]
    title: str
    description: str = ""
    px_per_inch: float = PX_PER_INCH
    font: TextFont | None = None

    @property
    def points(self) -> float:
        """Points in print to the scene pixel."""
        return 72.0 / self.px_per_inch


@dataclass
class Pen:
    """Collects items, moved by the offset (x, y)."""

    x: float = 0.0
    y: float = 0.0
    items: list[Item] = field(default_factory=list)

    def curves(self, paths: Sequence[Sequence[float]], paint: Paint, closed: bool = False) -> None:
        """Add paths; nothing when there are none."""
        if paths:
            moved = tuple(
                tuple(value + (self.x if number % 2 == 0 else self.y) for number, value in enumerate(path))
                for path in paths
            )
            self.items.append(Curves(moved, paint, closed))

    def polygon(self, points: Sequence[tuple[float, float]], paint: Paint) -> None:
        """Add a polygon."""
        self.items.append(Polygon(tuple((x + self.x, y + self.y) for x, y in points), paint))

    def lines(self, segments: Sequence[tuple[float, float, float, float]], paint: Paint) -> None:
        """Add straight strokes; nothing when there are none."""
        if segments:
            moved = tuple((a + self.x, b + self.y, c + self.x, d + self.y) for a, b, c, d in segments)
            self.items.append(Lines(moved, paint))

    def rectangle(self, x: float, y: float, w: float, h: float, paint: Paint, radius: float = 0.0) -> None:
        """Add a rectangle."""
        self.items.append(Rectangle(x + self.x, y + self.y, w, h, paint, radius))

    def circle(self, x: float, y: float, radius: float, paint: Paint) -> None:
        """Add a circle."""
        self.items.append(Circle(x + self.x, y + self.y, radius, paint))

    def label(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        color: str,
        anchor: Literal["start", "middle", "end"] = "start",
        *,
        bold: bool = False,
        mono: bool = False,
        turn: float = 0.0,
        opacity: float = 1.0,
    ) -> None:
        """Add a line of text; nothing when it is empty."""
        if text:
            self.items.append(Label(x + self.x, y + self.y, text, size, color, anchor, bold, mono, turn, opacity))
