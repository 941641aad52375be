"""The legend of a figure: shapes, signs, and the hues of supernodes where no box explains them."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.figure.layout.routing import Route
from circuit_widget.figure.layout.strokes import MOST_BAND_PRESENCE, RIM_WIDTH
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.circuit_picture import CircuitPicture
from circuit_widget.figure.scene.scene import Curves, Item, Paint, Pen
from circuit_widget.figure.scene.shapes import edge, mixed_with_white, node_shape
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.wording.numbers import percent
from circuit_widget.wording.outcome import FADED_BELOW
from circuit_widget.wording.text import printable, shorten, text_width

ROW = 17.0

Entry: TypeAlias = tuple[str, float, Callable[[Pen, float, float], None]]
"""Text, width of the sign before it, and a function that draws the sign from its left end and middle height."""


def shape_entries(kinds: Sequence[str], names: Mapping[str, str]) -> list[Entry]:
    """Return an entry for each kind of node, named as on the screen; `names` are those of the graph's basis."""
    fills = {"feature": style.NODE, "error": style.BACKGROUND, "token": style.NODE_EDGE, "logit": style.ANSWER}
    names = {"logit": "output", **names}
    entries: list[Entry] = []
    for kind in kinds:

        def draw(pen: Pen, x: float, y: float, kind: str = kind) -> None:
            rim = style.ANSWER if kind == "logit" else style.NODE_EDGE
            node_shape(pen, kind, x + 5, y, 4.6 if kind != "token" else 4.0, Paint(fills[kind], rim, RIM_WIDTH))

        entries.append((names.get(kind, kind), 10.0, draw))
    return entries


def error_band_entry(name: str) -> Entry:
    """Return the entry of the bands that errors are, by what one error is called."""

    def draw(pen: Pen, x: float, y: float) -> None:
        pen.rectangle(x, y - 3, 14, 6, Paint(fill=style.NODE_EDGE, opacity=MOST_BAND_PRESENCE))

    return f"{name if name.endswith('s') else name + 's'} of a layer", 14.0, draw


def sign_entries(items: Sequence[Item]) -> list[Entry]:
    """Return an entry for each sign that an edge among the items has."""
    drawn = {item.paint.stroke for item in items if isinstance(item, Curves)}
    signs = (("excites", True, style.EXCITE), ("inhibits", False, style.INHIBIT))
    return [(text, 22.0, _sign(excites)) for text, excites, color in signs if color in drawn]


def _sign(excites: bool) -> Callable[[Pen, float, float], None]:
    def draw(pen: Pen, x: float, y: float) -> None:
        route = Route((x, y, x + 5, y, x + 10, y, x + 15.2, y), (x + 21.5, y), (1.0, 0.0), 1.6)
        edge(pen, route, excites, style.EXCITE if excites else style.INHIBIT)

    return draw


def stability_entry(prunings: int) -> Entry:
    """Return the entry of edges that are open in the middle, since not all prunings keep them."""

    def draw(pen: Pen, x: float, y: float) -> None:
        route = Route((x, y, x + 8, y, x + 16, y, x + 24, y), (x + 30, y), (1.0, 0.0), 1.6)
        edge(pen, route, True, style.EXCITE, stability=0.5)

    return f"stays in half of {prunings} prunings", 30.0, draw


def cutoff_entry(drawn: int, total: int, least_share: float, where: str = "circuit") -> Entry:
    """Return the entry that says how many of the edges between boxes are drawn, and from which share on; `where` names panels."""
    return f"{where}: edges from {percent(least_share)}, {drawn} of {total}", 0.0, lambda *_: None


def number_entry(missing: int, drawn: int) -> Entry:
    """Return the entry that says how many of the drawn edges have no room for their number."""
    return f"numbers: no room on {missing} of {drawn} edges", 0.0, lambda *_: None


def outcome_entries(picture: CircuitPicture, controls: Controls | None) -> list[Entry]:
    """Return an entry for each sign of an effect in the picture: a faded box, one brought in, a new answer, the controls."""
    entries: list[Entry] = []
    if any(outcome.faded for outcome in picture.outcomes):
        faded = Paint(style.BACKGROUND, mixed_with_white(style.BOX_EDGE, style.FADED), 0.9)
        entries.append((f"below {percent(FADED_BELOW)} of before", 16.0, _small_box(faded)))
    if picture.injected is not None:
        edges = ", edges: direct effects on this prompt" if picture.onward else ""
        entries.append(
            (f"{picture.injected.how}{edges}", 16.0, _small_box(Paint(style.INJECTED_GROUND, style.INJECTED, 1.0)))
        )
    if picture.answers:
        paint = Paint(style.ANSWER_GROUND, style.ANSWER, 0.9, dash=(3.0, 2.0))
        entries.append(("new answer", 16.0, _small_box(paint)))
    return entries if controls is None else [*entries, controls_entry(controls)]


def controls_entry(controls: Controls) -> Entry:
    """Return the entry for the band of controls behind bars."""
    n = len(controls.controls)
    words = f"5% to 95% of {n} random control{'' if n == 1 else 's'}"
    return words, 16.0, _small_box(Paint(style.FAINT, opacity=0.45))


def _small_box(paint: Paint) -> Callable[[Pen, float, float], None]:
    return lambda pen, x, y: pen.rectangle(x + 0.5, y - 5, 15, 10, paint, 2.0)


def group_entries(circuit: Circuit) -> list[Entry]:
    """Return an entry for each supernode."""
    entries: list[Entry] = []
    for supernode in circuit.supernodes:

        def draw(pen: Pen, x: float, y: float, color: str = style.SUPERNODES[supernode.color]) -> None:
            pen.circle(x + 5, y, 3.9, Paint(style.BACKGROUND, color, 1.8))

        entries.append((shorten(printable(supernode.name), 120, style.CAPTION_SIZE), 10.0, draw))
    return entries


def draw_legend(pen: Pen, entries: Sequence[Entry], note: str, width: float) -> float:
    """Draw entries in rows from the left and a note after them; return the height."""
    x, y = 0.0, ROW / 2
    for text, sign, draw in entries:
        room = sign + 5 + text_width(text, style.CAPTION_SIZE)
        if x > 0 and x + room > width:
            x, y = 0.0, y + ROW
        draw(pen, x, y)
        pen.label(x + sign + 5, y, text, style.CAPTION_SIZE, style.MUTED)
        x += room + 15
    if note:
        room = text_width(note, style.CAPTION_SIZE)
        if x > 0 and x + room > width:
            x, y = 0.0, y + ROW
            pen.label(0, y, note, style.CAPTION_SIZE, style.MUTED)
        else:
            pen.label(width, y, note, style.CAPTION_SIZE, style.MUTED, "end")
    return y + ROW / 2
