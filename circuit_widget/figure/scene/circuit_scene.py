"""The circuit of a figure: boxes by layer and position, the outcomes of an effect beside them, edges between them."""

from collections.abc import Sequence

from circuit_widget.figure.layout.circuit_layout import (
    BOX_TEXT,
    CARD,
    LINE_STEP,
    NAME_INSET,
    ROUNDEST,
    PlacedBox,
    name_lines,
)
from circuit_widget.figure.layout.edge_numbers import NUMBER_HEIGHT, NUMBER_INSET, box_area, number_places
from circuit_widget.figure.layout.map_labels import Area
from circuit_widget.figure.layout.routing import Route
from circuit_widget.figure.layout.strokes import EDGE_OPACITY, FADED_EDGE_OPACITY
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.circuit_picture import CircuitPicture
from circuit_widget.figure.scene.outcome_places import RESULT_INSET, Places, outcome_places
from circuit_widget.figure.scene.scene import Paint, Pen
from circuit_widget.figure.scene.shapes import color_edge, edge, mixed_with_white
from circuit_widget.nodes import NodeKind
from circuit_widget.wording.numbers import signed_percent
from circuit_widget.wording.outcome import Injected, NewAnswer, Outcome
from circuit_widget.wording.text import printable, shorten, text_width

SHORTEST_TIE = 10.0
"""Length from which a tie between an injected box and its own is drawn."""

TONES = {"below": style.INHIBIT, "above": style.EXCITE, "same": style.MUTED}


def draw_circuit(pen: Pen, picture: CircuitPicture) -> None:
    """Draw edges, weakest first, then boxes, then outcomes beside them."""
    placed, links, routes = picture.layout.boxes, picture.drawn, picture.routes
    for index in sorted(range(len(links)), key=lambda index: (abs(links[index].share), index)):
        share = links[index].share
        faded = index < len(picture.links) and picture.outcomes[links[index].source].faded
        edge(
            pen,
            routes[index],
            share > 0,
            style.EXCITE if share > 0 else style.INHIBIT,
            FADED_EDGE_OPACITY if faded else EDGE_OPACITY,
        )
    places, answer_places = outcome_places(picture)
    if picture.numbered:
        _numbers(pen, picture, routes, _outcome_areas(picture))
    if picture.injected is not None and picture.injected_box is not None:
        _injected(pen, picture, picture.injected, picture.injected_box, places)
    for place in (*(pair.result for pair in places), *answer_places):
        _ground(pen, place)
    for index in range(len(placed)):
        _box(pen, picture, index)
    size = picture.layout.text_size
    for result, pair in zip(picture.outcomes, places, strict=True):
        _outcome(pen, result, pair, size)
    for answer, box, place in zip(picture.answers, picture.answer_boxes, answer_places, strict=True):
        _answer(pen, answer, box, place, size)


def _numbers(pen: Pen, picture: CircuitPicture, routes: Sequence[Route], outcomes: Sequence[Area]) -> None:
    """Write each edge's percentage of its target's input on it, on a white ground, clear of boxes and outcomes."""
    texts, widths = _texts(picture)
    places = _places(picture, routes, outcomes)
    for link, text, room, place in zip(picture.drawn, texts, widths, places, strict=True):
        if place is not None:
            x, y = place
            ground = Paint(fill=style.BACKGROUND, opacity=0.9)
            pen.rectangle(x - room / 2, y - NUMBER_HEIGHT / 2, room, NUMBER_HEIGHT, ground, 3.0)
            ink = style.EXCITE if link.share > 0 else style.INHIBIT
            pen.label(x, y, text, style.CAPTION_SIZE, ink, "middle")


def _texts(picture: CircuitPicture) -> tuple[list[str], list[float]]:
    """Return the number of each edge, and the width of its ground."""
    texts = [signed_percent(link.share) for link in picture.drawn]
    return texts, [text_width(text, style.CAPTION_SIZE) + 2 * NUMBER_INSET for text in texts]


def _places(
    picture: CircuitPicture, routes: Sequence[Route], outcomes: Sequence[Area]
) -> tuple[tuple[float, float] | None, ...]:
    taken = [box_area(box) for box in (*picture.layout.boxes, *picture.brought)] + list(outcomes)
    return number_places(taken, routes, _texts(picture)[1], picture.width, picture.height)


def _outcome_areas(picture: CircuitPicture) -> list[Area]:
    places, answers = outcome_places(picture)
    return [place for pair in places for place in pair if place] + list(answers)


def numbers_left_out(picture: CircuitPicture) -> int:
    """Return how many drawn edges have no room for their number; 0 where none has one."""
    if not picture.numbered:
        return 0
    return sum(place is None for place in _places(picture, picture.routes, _outcome_areas(picture)))


def _box(pen: Pen, picture: CircuitPicture, index: int) -> None:
    box, kind, text_size = picture.layout.boxes[index], picture.kinds[index], picture.layout.text_size
    faded, color = picture.outcomes[index].faded, picture.boxes[index].color
    left, top, radius = box.x - box.w / 2, box.y - box.h / 2, min(ROUNDEST, box.h / 6)
    plain = kind in (NodeKind.TOKEN, NodeKind.LOGIT)
    ground = {NodeKind.TOKEN: style.CHIP, NodeKind.LOGIT: style.ANSWER_GROUND}.get(kind or NodeKind.FEATURE, style.BOX)
    face = Paint(
        fill=style.BACKGROUND if faded and not plain else ground,
        stroke=None if plain else mixed_with_white(style.BOX_EDGE, style.FADED if faded else 1.0),
        width=0.9,
        dash=(3.0, 2.0) if kind is NodeKind.ERROR else (),
    )
    for card in range(box.cards, 0, -1):
        pen.rectangle(left + CARD * card, top - CARD * card, box.w, box.h, face, radius)
    pen.rectangle(left, top, box.w, box.h, face, radius)
    if color is not None:
        color_edge(pen, left, top, box.h, radius, style.SUPERNODES[color], style.FADED if faded else 1.0)
    ink = style.MUTED if faded else style.ANSWER if kind is NodeKind.LOGIT else style.INK
    size = text_size * (style.TOKEN_SIZE / BOX_TEXT if plain else 1.0)
    across = box.x + (2.0 if color is not None else 0.0)
    _name(pen, picture.names[index], box._replace(x=across), size, ink, scale=text_size / BOX_TEXT, mono=plain)


def _name(
    pen: Pen, name: str, box: PlacedBox, size: float, ink: str, *, scale: float = 1.0, mono: bool = False
) -> None:
    """Write the name of a box in its middle."""
    lines = name_lines(name)
    for number, line in enumerate(lines):
        y = box.y + LINE_STEP * scale * (number - (len(lines) - 1) / 2)
        text = shorten(line, box.w - NAME_INSET * scale, size, mono)
        pen.label(box.x, y, text, size, ink, "middle", bold=not mono, mono=mono)


def _ground(pen: Pen, place: Area | None) -> None:
    """Draw a white ground for a result, so that edges do not cross it."""
    if place is not None:
        paint = Paint(fill=style.BACKGROUND, opacity=0.9)
        pen.rectangle(place.x0, place.y0, place.x1 - place.x0, place.y1 - place.y0, paint, 3.0)


def _outcome(pen: Pen, result: Outcome, places: Places, size: float) -> None:
    """Draw the result of a box, and the mark of the intervention on it."""
    if places.result is not None:
        x, y = places.result.x0 + RESULT_INSET, (places.result.y0 + places.result.y1) / 2
        pen.label(x, y, result.text, size, TONES[result.tone], bold=result.tone != "same")
    if places.mark is not None and result.mark is not None:
        x0, y0, x1, y1 = places.mark
        pen.rectangle(x0, y0, x1 - x0, y1 - y0, Paint(style.INHIBIT_GROUND, style.INHIBIT, 1.0), (y1 - y0) / 2)
        pen.label((x0 + x1) / 2, (y0 + y1) / 2, result.mark, size, style.INHIBIT, "middle", bold=True)


def _answer(pen: Pen, answer: NewAnswer, box: PlacedBox, place: Area, text_size: float) -> None:
    """Draw a new answer with a dashed edge, since no node of the circuit explains it, and its probabilities beside it."""
    left, top = box.x - box.w / 2, box.y - box.h / 2
    face = Paint(style.ANSWER_GROUND, style.ANSWER, 0.9, dash=(4.0, 3.0))
    pen.rectangle(left, top, box.w, box.h, face, ROUNDEST)
    scale = text_size / BOX_TEXT
    _name(pen, answer.name, box, scale * style.TOKEN_SIZE, style.ANSWER, scale=scale, mono=True)
    y = (place.y0 + place.y1) / 2
    pen.label(place.x0 + RESULT_INSET, y, answer.text, text_size, TONES["above"], bold=True)


def _injected(pen: Pen, picture: CircuitPicture, found: Injected, box: PlacedBox, places: Sequence[Places]) -> None:
    left, top, size = box.x - box.w / 2, box.y - box.h / 2, picture.layout.text_size
    face = Paint(style.INJECTED_GROUND, style.INJECTED, 1.0)
    for card in range(box.cards, 0, -1):
        pen.rectangle(left + CARD * card, top - CARD * card, box.w, box.h, face, ROUNDEST)
    pen.rectangle(left, top, box.w, box.h, face, ROUNDEST)
    _name(pen, printable(found.name), box, size, style.INK, scale=size / BOX_TEXT)
    if found.beside is not None:
        _tie(pen, picture, found.beside, box, places[found.beside])


def _tie(pen: Pen, picture: CircuitPicture, beside: int, box: PlacedBox, places: Places) -> None:
    """Draw a dotted tie between the injected box and the box it belongs to, where they are side by side.

    It leaves out what lies between them: the result at the box's right, or the mark at its left.
    """
    host = picture.layout.boxes[beside]
    left, right = (host, box) if host.x < box.x else (box, host)
    start, end = left.x + left.w / 2 + CARD * left.cards + 3, right.x - right.w / 2 - 3
    for place in places:
        if place is not None and place.y0 < box.y < place.y1:
            start = max(start, place.x1 + 2) if box.x > host.x and place.x0 > host.x else start
            end = min(end, place.x0 - 2) if box.x < host.x and place.x1 < host.x else end
    between = any(
        start < other.x < end and abs(other.y - box.y) < other.h
        for other in (*picture.layout.boxes, *picture.brought)
        if other not in (host, box)
    )
    if abs(box.y - host.y) < (box.h + host.h) / 4 and end - start > SHORTEST_TIE and not between:
        pen.lines([(start, box.y, end, box.y)], Paint(stroke=style.INJECTED, width=1.2, dash=(1.5, 3.0)))
