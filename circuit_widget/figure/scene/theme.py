"""The themes of figures: for paper, for slides with larger text and lines, and for print without colour."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from circuit_widget.figure.layout.circuit_layout import ROUNDEST
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.scene import Circle, Curves, Item, Label, Lines, Paint, Polygon, Rectangle, Scene

Theme: TypeAlias = Literal["paper", "slides", "grey"]

SLIDES: Final = 1.5
"""How much larger text and lines are on slides than on paper: 12 pt instead of 8."""

DARK, MIDDLE = "#1f1f1f", "#8a8a8a"
SIGNS: Final[Mapping[str, str]] = {style.EXCITE: DARK, style.INHIBIT: "#6c6c6c", style.INJECTED: DARK}
"""The grey of colours that have a meaning; of others, it is as light as they are."""
INJECTED_WIDTH: Final = 2.0
"""How much wider the rim is of what was brought in: what its hue says in colour."""
RINGS: Final = (
    (DARK, ()),
    (DARK, (3.6, 2.2)),
    (DARK, (1.1, 1.5)),
    (MIDDLE, ()),
    (MIDDLE, (3.6, 2.2)),
    (MIDDLE, (1.1, 1.5)),
)
"""Grey and dash of the rings of each hue of supernodes: six hues are no six greys that can be distinguished."""


def pixels_per_inch(theme: str) -> float:
    """Return how many scene pixels an inch has: fewer, so that they are larger, on slides."""
    return style.PX_PER_INCH / SLIDES if theme == "slides" else style.PX_PER_INCH


def themed(scene: Scene, theme: Theme) -> Scene:
    """Return a scene of the colours of paper in a theme."""
    made = replace(scene, px_per_inch=pixels_per_inch(theme))
    return (
        replace(made, items=tuple(grey for item in made.items for grey in _grey_items(item)))
        if theme == "grey"
        else made
    )


def _grey_items(item: Item) -> tuple[Item, ...]:
    """Return an item in greys; the strip at the side of a supernode's box with the gaps of its ring in the map."""
    match item:
        case Label():
            return (replace(item, color=_grey(item.color)),)
        case Curves(paths=paths, paint=Paint(fill=fill)) if fill in style.SUPERNODES:
            grey = replace(item, paint=_grey_paint(item.paint, ringed=False))
            dash = RINGS[style.SUPERNODES.index(fill)][1]
            return (grey, _gaps(paths[0], dash)) if dash else (grey,)
        case Curves() | Lines():
            return (replace(item, paint=_grey_paint(item.paint, ringed=False)),)
        case Rectangle() | Polygon() | Circle():
            return (replace(item, paint=_grey_paint(item.paint, ringed=True)),)


def _gaps(outline: Sequence[float], dash: tuple[float, ...]) -> Lines:
    """Return gaps down an upright strip."""
    across, down = outline[::2], outline[1::2]
    middle, width = (min(across) + max(across)) / 2, max(across) - min(across)
    on, off = dash
    line = (middle, min(down) + ROUNDEST, middle, max(down) - ROUNDEST)
    return Lines((line,), Paint(stroke=style.BACKGROUND, width=width + 0.4, dash=(off, on)))


def _grey_paint(paint: Paint, ringed: bool) -> Paint:
    """Return a paint in greys; the ring of a supernode with the dash of its hue."""
    fill, stroke = (None if color is None else _grey(color) for color in (paint.fill, paint.stroke))
    made = replace(paint, fill=fill, stroke=stroke)
    if ringed and paint.stroke in style.SUPERNODES:
        return replace(made, dash=RINGS[style.SUPERNODES.index(paint.stroke)][1])
    return replace(made, width=INJECTED_WIDTH * paint.width) if ringed and paint.stroke == style.INJECTED else made


def _grey(color: str) -> str:
    if color in style.SUPERNODES:
        return RINGS[style.SUPERNODES.index(color)][0]
    return SIGNS.get(color) or as_light(color)


def as_light(color: str) -> str:
    """Return the grey with the relative luminance of a color (WCAG 2)."""
    red, green, blue = (_linear(int(color[at : at + 2], 16) / 255) for at in (1, 3, 5))
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    level = 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    return "#" + f"{round(255 * level):02x}" * 3


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
