"""Shapes in figures: nodes by kind, edges and their ends, colour edges of boxes."""

from circuit_widget.figure.layout.circuit_layout import STRIP
from circuit_widget.figure.layout.open_edge import OPEN_OPACITY, OPEN_WIDTH, open_edge
from circuit_widget.figure.layout.routing import Route
from circuit_widget.figure.layout.strokes import bar_half, dashes, head_half, head_length
from circuit_widget.figure.scene.scene import Paint, Pen

PENTAGON = ((0.0, -1.08), (1.0, -0.1), (1.0, 0.86), (-1.0, 0.86), (-1.0, -0.1))
"""Corners of the shape of an output, as shares of its radius."""
ROUND = 0.5523
"""How far the handles of a cubic reach along a quarter circle."""


def node_shape(pen: Pen, kind: str, x: float, y: float, radius: float, paint: Paint) -> None:
    """Draw a node: a circle for a feature, a diamond for an error, a square for a token, a pentagon for a logit."""
    match kind:
        case "feature":
            pen.circle(x, y, radius, paint)
        case "error":
            pen.polygon(((x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)), paint)
        case "token":
            pen.rectangle(x - radius, y - radius, 2 * radius, 2 * radius, paint)
        case _:
            pen.polygon(tuple((x + radius * dx, y + radius * dy) for dx, dy in PENTAGON), paint)


def edge(pen: Pen, route: Route, excites: bool, color: str, opacity: float = 1.0, stability: float = 1.0) -> None:
    """Draw an edge: solid with an arrowhead if it excites, dashed with a flat end if it inhibits.

    The line, a single cubic then, is open in the middle where the edge stays only in a share of prunings.
    """
    (x, y), (dx, dy) = route.tip, route.direction
    length = head_length(route.width)
    base_x, base_y = x - dx * length, y - dy * length
    dash = () if excites else dashes(route.width)
    parts = open_edge(route.path, stability)
    whole = [route.path] if parts is None else [parts[0], parts[2]]
    pen.curves(whole, Paint(stroke=color, width=route.width, dash=dash, opacity=opacity))
    if parts is not None:
        pen.curves([parts[1]], Paint(stroke=color, width=OPEN_WIDTH, opacity=OPEN_OPACITY * opacity))
    solid = Paint(fill=color, opacity=opacity)
    if excites:
        half = head_half(route.width)
        pen.polygon(((x, y), (base_x - dy * half, base_y + dx * half), (base_x + dy * half, base_y - dx * half)), solid)
        return
    half, thick = bar_half(route.width), 1.2
    stub = Paint(stroke=color, width=route.width, opacity=opacity)
    pen.lines([(base_x + dx * (length - 3 * thick), base_y + dy * (length - 3 * thick), x - dx, y - dy)], stub)
    bar = Paint(stroke=color, width=2 * thick, opacity=opacity)
    pen.lines(
        [
            (
                x - dx * thick - dy * half,
                y - dy * thick + dx * half,
                x - dx * thick + dy * half,
                y - dy * thick - dx * half,
            )
        ],
        bar,
    )


def color_edge(pen: Pen, x: float, y: float, h: float, radius: float, color: str, opacity: float) -> None:
    """Draw the strip at the left side of a box, inside its rounded corners."""
    k = radius * (1 - ROUND)
    pen.curves(
        [
            [
                *(x + STRIP, y),
                *(x + STRIP, y, x + radius, y, x + radius, y),
                *(x + k, y, x, y + k, x, y + radius),
                *(x, y + radius, x, y + h - radius, x, y + h - radius),
                *(x, y + h - k, x + k, y + h, x + radius, y + h),
                *(x + radius, y + h, x + STRIP, y + h, x + STRIP, y + h),
            ]
        ],
        Paint(fill=color, opacity=opacity),
        closed=True,
    )


def mixed_with_white(color: str, share: float) -> str:
    """Return this share of a color on white: opaque, so that shapes behind it do not shine through."""
    parts = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(255 + (part - 255) * share):02x}" for part in parts)
