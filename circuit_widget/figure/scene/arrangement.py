"""How the circuit of a figure is arranged: rows of boxes, and places for what an effect brings in."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from circuit_widget.circuit.box_edges import box_edges, edges_among
from circuit_widget.circuit.circuit import Box, Circuit
from circuit_widget.figure.layout.beside import answers_beside, box_beside
from circuit_widget.figure.layout.circuit_layout import (
    BOX_TEXT,
    MARGIN,
    CircuitLayout,
    LayoutBox,
    circuit_layout,
)
from circuit_widget.figure.layout.routing import LEAST_SHARE, Link, route_edges, visible_links, visible_onward
from circuit_widget.figure.scene.circuit_picture import CircuitPicture
from circuit_widget.figure.scene.onward import onward_links
from circuit_widget.figure.scene.outcome_places import covered
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.nodes import NodeKind
from circuit_widget.wording.names import node_name
from circuit_widget.wording.outcome import injected, new_answers, outcome
from circuit_widget.wording.text import printable

ROW_HEIGHT = 62.0
LOW_ROW = 57.0
"""Height of a row, in text of full size, where room is short: its boxes and the ends of their edges."""
LEAST_HEIGHT = 150.0
MOST_HEIGHT = 620.0
"""Height up to which a circuit grows for larger text."""
LEAST_TEXT = 9.0
"""Size that the text of boxes never goes below, whatever height that takes: 6 pt in print."""
GROWTH = 1.15
MOST_GROWTH = 12
"""How often it grows at most, so that what an experiment brings in has room."""
BEHIND_ITS_BOX = 0.01
"""Columns from a box to what was swapped in for it: enough to stand at its right in the row."""
STORED_ASPECT = 0.62
"""Ratio of height to width if the user moved boxes: about that of the pane on the screen."""


def circuit_pictures(
    graph: Graph, circuit: Circuit, effects: Sequence[Effect | None], width: float
) -> list[CircuitPicture]:
    """Return a picture of the circuit for each effect, every box at the same place in all of them.

    Where what the effects bring in has no room beside the others, the rows have a place for all of it.
    """
    pictures = [circuit_picture(graph, circuit, effect, width) for effect in effects]
    if len({picture.layout for picture in pictures}) == 1:
        return pictures
    described = _described(graph, circuit, pictures[0].boxes, pictures[0].names, pictures[0].kinds)
    brought = [[box for some in _as_rows(graph, described, picture) for box in some] for picture in pictures]
    rows = list(dict.fromkeys(box for some in brought for box in some))
    height, layout = fitting([*described, *rows], width, bool(circuit.positions))
    own, others = layout.boxes[: len(described)], dict(zip(rows, layout.boxes[len(described) :], strict=True))
    found = []
    for picture, boxes in zip(pictures, brought, strict=True):
        places = [others[box] for box in boxes]
        count = 0 if picture.injected is None else 1
        found.append(
            replace(
                picture,
                layout=CircuitLayout(own, layout.text_size),
                height=height,
                injected_box=places[0] if count else None,
                answer_boxes=tuple(places[count:]),
            )
        )
    return found


def circuit_picture(
    graph: Graph, circuit: Circuit, effect: Effect | None, width: float, text: float = BOX_TEXT
) -> CircuitPicture:
    """Lay the circuit out in the given width, as high as its rows in text of this size and what the effect brings in need."""
    boxes = circuit.boxes()
    names = tuple(printable(box.name) if box.name is not None else node_name(graph, circuit, box.id) for box in boxes)
    kinds = tuple(graph.node_kinds[graph.index(box.id)] if box.name is None else None for box in boxes)
    described = _described(graph, circuit, boxes, names, kinds)
    members = [graph.resolve(box.nodes) for box in boxes]
    inputs = edges_among(graph, members)
    edges = box_edges(inputs, members)
    least_share = LEAST_SHARE if circuit.least_share is None else circuit.least_share
    links = visible_links([Link(one.source, one.target, one.share) for one in edges], least_share)
    found, answers = injected(graph, boxes, effect), new_answers(graph, boxes, effect)
    onward = onward_links(graph, inputs, members, answers, effect)
    picture = CircuitPicture(
        boxes,
        names,
        kinds,
        tuple(outcome(graph, box, effect) for box in boxes),
        CircuitLayout((), BOX_TEXT),
        links,
        visible_onward(onward, least_share),
        least_share,
        len(edges) + len(onward),
        circuit.edge_numbers,
        found,
        None,
        answers,
        (),
        width,
        0.0,
        text,
    )
    return _arranged(picture, graph, described, bool(circuit.positions))


def rows_of_boxes(graph: Graph, circuit: Circuit, picture: CircuitPicture) -> tuple[list[LayoutBox], list[LayoutBox]]:
    """Return the boxes of a picture as the layout takes them: those of its circuit, and those that its effect brings in."""
    described = _described(graph, circuit, picture.boxes, picture.names, picture.kinds)
    return described, [box for some in _as_rows(graph, described, picture) for box in some]


def fitting(
    described: Sequence[LayoutBox], width: float, stored: bool, least: float = 0.0, text: float = BOX_TEXT
) -> tuple[float, CircuitLayout]:
    """Return the least height, from `least` on, in which text has the size `text` where the width allows it, and the layout."""
    rows = len({round(box.layer) for box in described})
    height = min(
        max(2 * MARGIN + (LOW_ROW * text / BOX_TEXT if text < BOX_TEXT else ROW_HEIGHT) * rows, LEAST_HEIGHT),
        MOST_HEIGHT,
    )
    if stored:
        height = max(height, min(STORED_ASPECT * width, MOST_HEIGHT))
    height = max(height, least)
    layout = circuit_layout(described, width, height)
    largest = min(text, circuit_layout(described, width, max(height, MOST_HEIGHT)).text_size)
    while layout.text_size < largest and height < MOST_HEIGHT:
        height = min(GROWTH * height, MOST_HEIGHT)
        layout = circuit_layout(described, width, height)
    while layout.text_size < LEAST_TEXT:
        height *= GROWTH
        layout = circuit_layout(described, width, height)
    return height, layout


def _arranged(picture: CircuitPicture, graph: Graph, described: Sequence[LayoutBox], stored: bool) -> CircuitPicture:
    """Return the picture laid out: what an effect brings in is at free places, as on the screen, else part of the rows.

    A swapped-in box is in the row of its own wherever that can be. Where something is covered in all of these, the picture
    becomes higher.
    """
    height, layout = fitting(described, picture.width, stored, text=picture.text)
    plain = _placed(replace(picture, layout=layout, height=height))
    if covered(plain) == 0 and _is_beside_its_own(plain):
        return plain
    swapped_in, answers = _as_rows(graph, described, picture)
    tried = [_in_rows(picture, described, brought, stored) for brought in (swapped_in, [*swapped_in, *answers])]
    for _ in range(MOST_GROWTH):
        found = next((one for one in tried if covered(one) == 0), None)
        if found is not None:
            return found
        height *= GROWTH
        tried.append(_in_rows(picture, described, [*swapped_in, *answers], stored, height))
        tried.append(_placed(replace(picture, layout=circuit_layout(described, picture.width, height), height=height)))
    return min(tried, key=covered)


def _is_beside_its_own(picture: CircuitPicture) -> bool:
    """Return whether the swapped-in box, if there is one, is in the row of the box that it belongs to."""
    if picture.injected is None or picture.injected_box is None or picture.injected.beside is None:
        return True
    return picture.injected_box.y == picture.layout.boxes[picture.injected.beside].y


def _as_rows(
    graph: Graph, described: Sequence[LayoutBox], picture: CircuitPicture
) -> tuple[list[LayoutBox], list[LayoutBox]]:
    """Return the swapped-in box, and the new answers, as boxes of the rows that they belong to."""
    swapped_in = []
    if picture.injected is not None:
        layer, position = graph.n_layers - 1.0, float(graph.position)
        if picture.injected.beside is not None:
            layer, position = described[picture.injected.beside].layer, described[picture.injected.beside].position
        name, features = printable(picture.injected.name), picture.injected.features
        swapped_in.append(LayoutBox(name, features, layer, position + BEHIND_ITS_BOX))
    last = float(graph.position) + BEHIND_ITS_BOX
    return swapped_in, [LayoutBox(answer.name, 1, float(graph.n_layers), last, True) for answer in picture.answers]


def _in_rows(
    picture: CircuitPicture,
    described: Sequence[LayoutBox],
    brought: Sequence[LayoutBox],
    stored: bool,
    least: float = 0.0,
) -> CircuitPicture:
    """Return the picture with these boxes as part of the rows: the swapped-in one, then all new answers or none of them."""
    height, layout = fitting([*described, *brought], picture.width, stored, least, picture.text)
    own, others = layout.boxes[: len(described)], layout.boxes[len(described) :]
    swapped_in = None if picture.injected is None else others[0]
    arranged = replace(picture, layout=CircuitLayout(own, layout.text_size), height=height, injected_box=swapped_in)
    answers = others if swapped_in is None else others[1:]
    return replace(arranged, answer_boxes=answers) if answers else _with_answers(arranged)


def _placed(picture: CircuitPicture) -> CircuitPicture:
    """Return the picture with boxes for what the effect brings in: clear of the others where there is room."""
    placed, found, width = picture.layout.boxes, picture.injected, picture.width
    if found is None:
        return _with_answers(picture)
    routes = route_edges(placed, picture.links, width)
    name = printable(found.name)
    box = box_beside(name, found.features, found.beside, placed, routes, width, picture.height)
    return _with_answers(replace(picture, injected_box=box))


def _with_answers(picture: CircuitPicture) -> CircuitPicture:
    """Return the picture with boxes for the new answers, beside the outputs where there is room."""
    outputs = [index for index, kind in enumerate(picture.kinds) if kind is NodeKind.LOGIT]
    placed = picture.layout.boxes
    routes = route_edges(placed, picture.links, picture.width)
    others = placed if picture.injected_box is None else (*placed, picture.injected_box)
    names = [answer.name for answer in picture.answers]
    boxes = answers_beside(names, outputs, others, routes, picture.width, picture.height)
    return replace(picture, answer_boxes=tuple(boxes))


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
