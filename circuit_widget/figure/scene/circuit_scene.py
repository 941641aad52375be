"""The circuit of a figure: boxes by layer and position, what an effect did beside them, edges between them."""

from dataclasses import dataclass

import numpy as np

from circuit_widget.circuit.box_edges import node_edges, supernode_edges
from circuit_widget.circuit.document import Box, Circuit
from circuit_widget.figure.layout.circuit_layout import (
    BOX_HEIGHT,
    BOX_TEXT,
    CARD,
    MARGIN,
    SIDE_LABEL,
    CircuitLayout,
    LayoutBox,
    PlacedBox,
    box_width,
    circuit_layout,
)
from circuit_widget.figure.layout.detour import is_clear
from circuit_widget.figure.layout.routing import Link, route_edges, shown_links
from circuit_widget.figure.layout.strokes import EDGE_OPACITY, FADED_EDGE_OPACITY
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.scene import Paint, Pen
from circuit_widget.figure.scene.shapes import color_edge, edge
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.nodes import NodeKind
from circuit_widget.wording.names import node_name
from circuit_widget.wording.outcome import Injected, Outcome, injected, outcome
from circuit_widget.wording.text import printable, shorten, text_width

ROW_HEIGHT = 62.0
LEAST_HEIGHT = 150.0
MOST_HEIGHT = 620.0
STORED_ASPECT = 0.62
"""Height to width where the user placed boxes: about that of the pane on the screen."""

MARK_GAP = 7.0
"""Between a box and the mark of what was done to it."""
EDGE_CLEARANCE = 5.0

TONES = {"below": style.INHIBIT, "above": style.EXCITE, "same": style.MUTED}


@dataclass(frozen=True)
class CircuitPicture:
    """What the circuit draws: its boxes with their names, kinds, outcomes and places, and the links between them."""

    boxes: tuple[Box, ...]
    names: tuple[str, ...]
    kinds: tuple[NodeKind | None, ...]
    outcomes: tuple[Outcome, ...]
    layout: CircuitLayout
    links: tuple[Link, ...]
    injected: Injected | None
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
    edges = supernode_edges(node_edges(graph), members)
    return CircuitPicture(
        boxes,
        names,
        kinds,
        tuple(outcome(graph, box, effect) for box in boxes),
        layout,
        shown_links([Link(one.source, one.target, one.share) for one in edges]),
        injected(graph, boxes, effect),
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
    """Draw edges, weakest first, then boxes and what stands beside them."""
    placed = picture.layout.boxes
    links = picture.links
    stranger = _injected_place(picture, width)
    routes = route_edges(placed if stranger is None else (*placed, stranger), links, width)
    for index in sorted(range(len(links)), key=lambda index: (abs(links[index].share), index)):
        share = links[index].share
        faded = picture.outcomes[links[index].source].faded
        edge(
            pen,
            routes[index],
            share > 0,
            style.EXCITE if share > 0 else style.INHIBIT,
            FADED_EDGE_OPACITY if faded else EDGE_OPACITY,
        )
    if picture.injected is not None and stranger is not None:
        _injected(pen, picture, picture.injected, stranger, width)
    for index in range(len(placed)):
        _ground(pen, picture, index, width)
    for index in range(len(placed)):
        _box(pen, picture, index)
    for index in range(len(placed)):
        _beside(pen, picture, index, width)


def _box(pen: Pen, picture: CircuitPicture, index: int) -> None:
    place, kind, text_size = picture.layout.boxes[index], picture.kinds[index], picture.layout.text_size
    faded, color = picture.outcomes[index].faded, picture.boxes[index].color
    left, top, radius = place.x - place.w / 2, place.y - place.h / 2, min(5.0, place.h / 6)
    plain = kind in (NodeKind.TOKEN, NodeKind.LOGIT)
    ground = {NodeKind.TOKEN: style.CHIP, NodeKind.LOGIT: style.ANSWER_GROUND}.get(kind or NodeKind.FEATURE, style.BOX)
    face = Paint(
        fill=style.BACKGROUND if faded and not plain else ground,
        stroke=None if plain else _faded(style.BOX_EDGE, faded),
        width=0.9,
        dash=(3.0, 2.0) if kind is NodeKind.ERROR else (),
    )
    for card in range(place.cards, 0, -1):
        pen.rectangle(left + CARD * card, top - CARD * card, place.w, place.h, face, radius)
    pen.rectangle(left, top, place.w, place.h, face, radius)
    if color is not None:
        color_edge(pen, left, top, place.h, radius, style.GROUPS[color], style.FADED if faded else 1.0)
    ink = style.ANSWER if kind is NodeKind.LOGIT else style.INK
    size = text_size * (style.TOKEN_SIZE / BOX_TEXT if plain else 1.0)
    pen.label(
        place.x + (2.0 if color is not None else 0.0),
        place.y,
        shorten(picture.names[index], place.w - 16, size, plain),
        size,
        _faded(ink, faded),
        "middle",
        bold=not plain,
        mono=plain,
    )


def _result_place(picture: CircuitPicture, index: int, width: float) -> tuple[float, float, float]:
    """Left end, middle height and width of what stands beside a box: at its right, above it where that is too little."""
    place, text = picture.layout.boxes[index], picture.outcomes[index].text
    room = text_width(text, picture.layout.text_size) + 4
    right = place.x + place.w / 2 + CARD * place.cards
    above = place.y - place.h / 2 - CARD * place.cards - 9
    if room > SIDE_LABEL:
        return place.x - room / 2, above, room
    return (right + 5, place.y, room) if right + 5 + room <= width else (right - room, above, room)


def _ground(pen: Pen, picture: CircuitPicture, index: int, width: float) -> None:
    """White where a result will stand, so that edges do not cross it."""
    if picture.outcomes[index].text:
        x, y, room = _result_place(picture, index, width)
        pen.rectangle(x, y - 8, room, 16, Paint(fill=style.BACKGROUND, opacity=0.9), 3.0)


def _beside(pen: Pen, picture: CircuitPicture, index: int, width: float) -> None:
    """The result of a box at its right, what was done to it at its left."""
    place, result, size = picture.layout.boxes[index], picture.outcomes[index], picture.layout.text_size
    others = [other for number, other in enumerate(picture.layout.boxes) if number != index]
    if result.text:
        x, y, _ = _result_place(picture, index, width)
        pen.label(x + 2, y, result.text, size, TONES[result.tone], bold=result.tone != "same")
    if result.mark:
        room = _mark_width(result.mark, size)
        x, y = place.x - place.w / 2 - room - MARK_GAP, place.y
        if x < 1 or any(_taken(other, x, y, room) for other in others):
            x, y = max(1.0, place.x - place.w / 2 - room / 2), place.y - place.h / 2 - 3
        pen.rectangle(x, y - 9.5, room, 19, Paint(style.INHIBIT_GROUND, style.INHIBIT, 1.0), 9.5)
        pen.label(x + room / 2, y, result.mark, size, style.INHIBIT, "middle", bold=True)


def _mark_width(mark: str, size: float) -> float:
    return text_width(mark, size) + 14


def _taken(other: PlacedBox, x: float, y: float, room: float) -> bool:
    """Whether a mark would cover another box or the percentage beside it."""
    left, right = other.x - other.w / 2, other.x + other.w / 2 + CARD * other.cards + SIDE_LABEL
    return left < x + room and right > x and abs(other.y - y) < other.h / 2 + 10


def _injected_place(picture: CircuitPicture, width: float) -> PlacedBox | None:
    """Where the box of what was swapped in stands: beside the box it came in for, at the first of six free places.

    A place that no edge crosses goes before one that edges have to go around.
    """
    found, placed = picture.injected, picture.layout.boxes
    if found is None:
        return None
    w, h = box_width(printable(found.name)), BOX_HEIGHT
    cards = min(found.features - 1, 2)
    if found.beside is None:
        return PlacedBox(width - w / 2 - 12, h / 2 + 30, w, h, cards)
    host = placed[found.beside]
    aside, apart = (host.w + w) / 2, (host.h + h) / 2 + 14
    places = [
        PlacedBox(host.x + dx, host.y + dy, w, h, cards)
        for dx, dy in (
            (aside + 60, 0),
            (-aside - 70, 0),
            (aside + 14, -apart),
            (-aside - 14, -apart),
            (aside + 14, apart),
            (-aside - 14, apart),
        )
    ]
    free = [place for place in places if _is_free(place, placed, width, picture.height)]
    paths = [route.path for route in route_edges(placed, picture.links, width)]
    for place in free:
        if all(is_clear(path, (place,), EDGE_CLEARANCE) for path in paths):
            return place
    crowded = PlacedBox(min(width - w / 2 - 4, host.x + aside + 20), max(h, host.y - h), w, h, cards)
    return next(iter(free), crowded)


def _is_free(place: PlacedBox, placed: tuple[PlacedBox, ...], width: float, height: float) -> bool:
    """Whether a box is inside the circuit and clear of the others."""
    right = place.x + place.w / 2 + CARD * place.cards
    top = place.y - place.h / 2 - CARD * place.cards
    inside = place.x - place.w / 2 >= 4 and right <= width and top >= 4 and place.y + place.h / 2 <= height - 4
    return inside and all(
        abs(one.x - place.x) > (one.w + place.w) / 2 + 8 or abs(one.y - place.y) > (one.h + place.h) / 2 + 6
        for one in placed
    )


def _injected(pen: Pen, picture: CircuitPicture, found: Injected, place: PlacedBox, width: float) -> None:
    left, top = place.x - place.w / 2, place.y - place.h / 2
    face = Paint(style.INJECTED_GROUND, style.INJECTED, 1.0)
    for card in range(place.cards, 0, -1):
        pen.rectangle(left + CARD * card, top - CARD * card, place.w, place.h, face, 5.0)
    pen.rectangle(left, top, place.w, place.h, face, 5.0)
    name = shorten(printable(found.name), place.w - 16, BOX_TEXT)
    pen.label(place.x, place.y, name, BOX_TEXT, style.INK, "middle", bold=True)
    if found.beside is not None:
        _tie(pen, picture, found.beside, place, width)


def _tie(pen: Pen, picture: CircuitPicture, beside: int, place: PlacedBox, width: float) -> None:
    """A short dotted tie between what came in and the box it came in for, where they stand side by side.

    It begins past what stands between them: the result at the box's right, or the mark at its left.
    """
    host, result = picture.layout.boxes[beside], picture.outcomes[beside]
    if abs(place.y - host.y) > 1:
        return
    if place.x > host.x:
        start = host.x + host.w / 2 + CARD * host.cards + 3
        if result.text:
            x, _, room = _result_place(picture, beside, width)
            start = max(start, x + room + 2)
        end = place.x - place.w / 2 - 3
    else:
        start = place.x + place.w / 2 + CARD * place.cards + 3
        end = host.x - host.w / 2 - 3
        if result.mark:
            end -= _mark_width(result.mark, picture.layout.text_size) + MARK_GAP
    if end - start > 12:
        pen.lines([(start, place.y, end, place.y)], Paint(stroke=style.INJECTED, width=1.2, dash=(1.5, 3.0)))


def _faded(color: str, faded: bool) -> str:
    """The color, mixed with the ground when faded: solid, so that what lies behind does not shine through."""
    if not faded:
        return color
    parts = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(255 + (part - 255) * style.FADED):02x}" for part in parts)
