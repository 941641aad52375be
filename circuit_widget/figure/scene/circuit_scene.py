"""The circuit of a figure: boxes by layer and position, the outcomes of an effect beside them, edges between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from circuit_widget.circuit.box_edges import box_edges, node_edges
from circuit_widget.circuit.document import Box, Circuit
from circuit_widget.figure.layout.beside import ANSWER_GAP, answers_beside, box_beside
from circuit_widget.figure.layout.circuit_layout import (
    BOX_TEXT,
    CARD,
    LINE_STEP,
    MARGIN,
    NAME_INSET,
    ROUNDEST,
    SIDE_LABEL,
    CircuitLayout,
    LayoutBox,
    PlacedBox,
    circuit_layout,
    name_lines,
)
from circuit_widget.figure.layout.edge_numbers import NUMBER_HEIGHT, NUMBER_INSET, box_area, number_places
from circuit_widget.figure.layout.routing import LEAST_SHARE, Link, Route, route_edges, visible_links, visible_onward
from circuit_widget.figure.layout.strokes import EDGE_OPACITY, FADED_EDGE_OPACITY
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.onward import onward_links
from circuit_widget.figure.scene.scene import Paint, Pen
from circuit_widget.figure.scene.shapes import color_edge, edge
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.nodes import NodeKind
from circuit_widget.wording.names import node_name
from circuit_widget.wording.numbers import signed_percent
from circuit_widget.wording.outcome import Injected, NewAnswer, Outcome, injected, new_answers, outcome
from circuit_widget.wording.text import printable, shorten, text_width

ROW_HEIGHT = 62.0
LEAST_HEIGHT = 150.0
MOST_HEIGHT = 620.0
STORED_ASPECT = 0.62
"""Ratio of height to width if the user moved boxes: about that of the pane on the screen."""

MARK_GAP = 7.0
"""Between a box and the mark of the intervention on it."""

TONES = {"below": style.INHIBIT, "above": style.EXCITE, "same": style.MUTED}


@dataclass(frozen=True)
class CircuitPicture:
    """A circuit ready to draw: its boxes with names, kinds, outcomes and layout, and the links between them.

    `links` are those of `total` that have at least `least_share` of a box's input, and the strongest into each box, then
    those onward from what was swapped in (see `onward_links`): the box after `boxes` and `answers`.
    """

    boxes: tuple[Box, ...]
    names: tuple[str, ...]
    kinds: tuple[NodeKind | None, ...]
    outcomes: tuple[Outcome, ...]
    layout: CircuitLayout
    links: tuple[Link, ...]
    onward: tuple[Link, ...]
    least_share: float
    total: int
    numbered: bool
    injected: Injected | None
    answers: tuple[NewAnswer, ...]
    height: float


def circuit_picture(graph: Graph, circuit: Circuit, effect: Effect | None, width: float) -> CircuitPicture:
    """Lay the circuit out in the given width, as high as its rows need."""
    boxes = circuit.boxes()
    names = tuple(printable(box.name) if box.name is not None else node_name(graph, circuit, box.id) for box in boxes)
    kinds = tuple(graph.node_kinds[graph.index(box.id)] if box.name is None else None for box in boxes)
    described = _described(graph, circuit, boxes, names, kinds)
    rows = len({round(box.layer) for box in described})
    height = min(max(2 * MARGIN + ROW_HEIGHT * rows, LEAST_HEIGHT), MOST_HEIGHT)
    if circuit.positions:
        height = max(height, min(STORED_ASPECT * width, MOST_HEIGHT))
    layout = circuit_layout(described, width, height)
    while layout.text_size < BOX_TEXT and height < MOST_HEIGHT:
        height = min(1.15 * height, MOST_HEIGHT)
        layout = circuit_layout(described, width, height)
    members = [graph.resolve(box.nodes) for box in boxes]
    inputs = node_edges(graph)
    edges = box_edges(inputs, members)
    least_share = LEAST_SHARE if circuit.least_share is None else circuit.least_share
    answers = new_answers(graph, boxes, effect)
    onward = onward_links(graph, inputs, members, answers, effect)
    return CircuitPicture(
        boxes,
        names,
        kinds,
        tuple(outcome(graph, box, effect) for box in boxes),
        layout,
        visible_links([Link(one.source, one.target, one.share) for one in edges], least_share),
        visible_onward(onward, least_share),
        least_share,
        len(edges) + len(onward),
        circuit.edge_numbers,
        injected(graph, boxes, effect),
        answers,
        height,
    )


def _described(
    graph: Graph,
    circuit: Circuit,
    boxes: tuple[Box, ...],
    names: tuple[str, ...],
    kinds: tuple[NodeKind | None, ...],
) -> list[LayoutBox]:
    layer, position = graph.node_layer, graph.node_position
    described = []
    for box, name, kind in zip(boxes, names, kinds, strict=True):
        nodes = list(graph.resolve(box.nodes))
        described.append(
            LayoutBox(
                name,
                len(nodes),
                float(np.mean(layer[nodes])),
                float(np.mean(position[nodes])),
                kind in (NodeKind.TOKEN, NodeKind.LOGIT),
                circuit.positions.get(box.id),
            )
        )
    return described


def draw_circuit(pen: Pen, picture: CircuitPicture, width: float) -> None:
    """Draw edges, weakest first, then boxes, then outcomes beside them."""
    placed = picture.layout.boxes
    links = (*picture.links, *picture.onward)
    swapped_in = _swapped_in(picture, width)
    answers = _answers(picture, swapped_in, width)
    brought = answers if swapped_in is None else (*answers, swapped_in)
    routes = route_edges((*placed, *brought), links, width)
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
    if picture.numbered:
        _numbers(pen, picture, routes, brought, width)
    if picture.injected is not None and swapped_in is not None:
        _injected(pen, picture, picture.injected, swapped_in, width)
    for index in range(len(placed)):
        _ground(pen, picture, index, width)
    for index in range(len(placed)):
        _box(pen, picture, index)
    for index in range(len(placed)):
        _beside(pen, picture, index, width)
    for answer, box in zip(picture.answers, answers, strict=True):
        _answer(pen, answer, box, width)


def _numbers(
    pen: Pen, picture: CircuitPicture, routes: Sequence[Route], brought: Sequence[PlacedBox], width: float
) -> None:
    """Write each edge's percentage of its target's input on it, on a white ground."""
    size = picture.layout.text_size
    taken = [
        box_area(
            box,
            text_width(result.text, size) + 10 if result.text else 0.0,
            _mark_width(result.mark, size) + MARK_GAP if result.mark else 0.0,
        )
        for box, result in zip(picture.layout.boxes, picture.outcomes, strict=True)
    ]
    taken += [box_area(box, ANSWER_GAP) for box in brought]
    links = (*picture.links, *picture.onward)
    texts = [signed_percent(link.share) for link in links]
    widths = [text_width(text, style.CAPTION_SIZE) + 2 * NUMBER_INSET for text in texts]
    places = number_places(taken, routes, widths, width, picture.height)
    for link, text, room, place in zip(links, texts, widths, places, strict=True):
        if place is not None:
            x, y = place
            ground = Paint(fill=style.BACKGROUND, opacity=0.9)
            pen.rectangle(x - room / 2, y - NUMBER_HEIGHT / 2, room, NUMBER_HEIGHT, ground, 3.0)
            ink = style.EXCITE if link.share > 0 else style.INHIBIT
            pen.label(x, y, text, style.CAPTION_SIZE, ink, "middle")


def _box(pen: Pen, picture: CircuitPicture, index: int) -> None:
    box, kind, text_size = picture.layout.boxes[index], picture.kinds[index], picture.layout.text_size
    faded, color = picture.outcomes[index].faded, picture.boxes[index].color
    left, top, radius = box.x - box.w / 2, box.y - box.h / 2, min(ROUNDEST, box.h / 6)
    plain = kind in (NodeKind.TOKEN, NodeKind.LOGIT)
    ground = {NodeKind.TOKEN: style.CHIP, NodeKind.LOGIT: style.ANSWER_GROUND}.get(kind or NodeKind.FEATURE, style.BOX)
    face = Paint(
        fill=style.BACKGROUND if faded and not plain else ground,
        stroke=None if plain else _faded(style.BOX_EDGE, faded),
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
        text = shorten(line, box.w - NAME_INSET, size, mono)
        pen.label(box.x, y, text, size, ink, "middle", bold=not mono, mono=mono)


def _result_area(picture: CircuitPicture, index: int, width: float) -> tuple[float, float, float]:
    """Return left end, middle height and width of a box's result: at its right, or above it where room is too little."""
    box, text = picture.layout.boxes[index], picture.outcomes[index].text
    room = text_width(text, picture.layout.text_size) + 4
    right = box.x + box.w / 2 + CARD * box.cards
    above = box.y - box.h / 2 - CARD * box.cards - 9
    if room > SIDE_LABEL:
        return box.x - room / 2, above, room
    return (right + 5, box.y, room) if right + 5 + room <= width else (right - room, above, room)


def _ground(pen: Pen, picture: CircuitPicture, index: int, width: float) -> None:
    """Draw a white ground for a result, so that edges do not cross it."""
    if picture.outcomes[index].text:
        x, y, room = _result_area(picture, index, width)
        pen.rectangle(x, y - 8, room, 16, Paint(fill=style.BACKGROUND, opacity=0.9), 3.0)


def _beside(pen: Pen, picture: CircuitPicture, index: int, width: float) -> None:
    """Draw the result of a box at its right, and the mark of the intervention on it at its left."""
    box, result, size = picture.layout.boxes[index], picture.outcomes[index], picture.layout.text_size
    others = [other for number, other in enumerate(picture.layout.boxes) if number != index]
    if result.text:
        x, y, _ = _result_area(picture, index, width)
        pen.label(x + 2, y, result.text, size, TONES[result.tone], bold=result.tone != "same")
    if result.mark:
        room = _mark_width(result.mark, size)
        x, y = box.x - box.w / 2 - room - MARK_GAP, box.y
        if x < 1 or any(_taken(other, x, y, room) for other in others):
            x, y = max(1.0, box.x - box.w / 2 - room / 2), box.y - box.h / 2 - 3
        pen.rectangle(x, y - 9.5, room, 19, Paint(style.INHIBIT_GROUND, style.INHIBIT, 1.0), 9.5)
        pen.label(x + room / 2, y, result.mark, size, style.INHIBIT, "middle", bold=True)


def _mark_width(mark: str, size: float) -> float:
    return text_width(mark, size) + 14


def _taken(other: PlacedBox, x: float, y: float, room: float) -> bool:
    """Return whether a mark would cover another box or the percentage beside it."""
    left, right = other.x - other.w / 2, other.x + other.w / 2 + CARD * other.cards + SIDE_LABEL
    return left < x + room and right > x and abs(other.y - y) < other.h / 2 + 10


def _swapped_in(picture: CircuitPicture, width: float) -> PlacedBox | None:
    """Return the box of the features that were swapped in, None if there are none."""
    found, placed = picture.injected, picture.layout.boxes
    if found is None:
        return None
    routes = route_edges(placed, picture.links, width)
    return box_beside(printable(found.name), found.features, found.beside, placed, routes, width, picture.height)


def _answers(picture: CircuitPicture, swapped_in: PlacedBox | None, width: float) -> tuple[PlacedBox, ...]:
    """Return the boxes of the new answers, clear of all others."""
    placed = picture.layout.boxes
    outputs = [index for index, kind in enumerate(picture.kinds) if kind is NodeKind.LOGIT]
    routes = route_edges(placed, picture.links, width)
    others = placed if swapped_in is None else (*placed, swapped_in)
    names = [answer.name for answer in picture.answers]
    return tuple(answers_beside(names, outputs, others, routes, width, picture.height))


def _answer(pen: Pen, answer: NewAnswer, box: PlacedBox, width: float) -> None:
    """Draw a new answer with a dashed edge, since no node of the circuit explains it, and its probabilities beside it."""
    left, top = box.x - box.w / 2, box.y - box.h / 2
    face = Paint(style.ANSWER_GROUND, style.ANSWER, 0.9, dash=(4.0, 3.0))
    pen.rectangle(left, top, box.w, box.h, face, ROUNDEST)
    _name(pen, answer.name, box, style.TOKEN_SIZE, style.ANSWER, mono=True)
    room = text_width(answer.text, BOX_TEXT) + 4
    beside = box.x + box.w / 2 + 5
    x, y = (beside, box.y) if beside + room <= width else (width - room, top - 9)
    pen.label(x + 2, y, answer.text, BOX_TEXT, TONES["above"], bold=True)


def _injected(pen: Pen, picture: CircuitPicture, found: Injected, box: PlacedBox, width: float) -> None:
    left, top = box.x - box.w / 2, box.y - box.h / 2
    face = Paint(style.INJECTED_GROUND, style.INJECTED, 1.0)
    for card in range(box.cards, 0, -1):
        pen.rectangle(left + CARD * card, top - CARD * card, box.w, box.h, face, ROUNDEST)
    pen.rectangle(left, top, box.w, box.h, face, ROUNDEST)
    _name(pen, printable(found.name), box, BOX_TEXT, style.INK)
    if found.beside is not None:
        _tie(pen, picture, found.beside, box, width)


def _tie(pen: Pen, picture: CircuitPicture, beside: int, box: PlacedBox, width: float) -> None:
    """Draw a short dotted tie between the injected box and the box it belongs to, where they are side by side.

    It leaves out what lies between them: the result at the box's right, or the mark at its left.
    """
    host, result = picture.layout.boxes[beside], picture.outcomes[beside]
    if abs(box.y - host.y) > 1:
        return
    if box.x > host.x:
        start = host.x + host.w / 2 + CARD * host.cards + 3
        if result.text:
            x, _, room = _result_area(picture, beside, width)
            start = max(start, x + room + 2)
        end = box.x - box.w / 2 - 3
    else:
        start = box.x + box.w / 2 + CARD * box.cards + 3
        end = host.x - host.w / 2 - 3
        if result.mark:
            end -= _mark_width(result.mark, picture.layout.text_size) + MARK_GAP
    if end - start > 12:
        pen.lines([(start, box.y, end, box.y)], Paint(stroke=style.INJECTED, width=1.2, dash=(1.5, 3.0)))


def _faded(color: str, faded: bool) -> str:
    """Return the color, mixed with white if faded: opaque, so that shapes behind it do not shine through."""
    if not faded:
        return color
    parts = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(255 + (part - 255) * style.FADED):02x}" for part in parts)
