"""The map of a figure: tokens across, layers up, as on the screen."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.display.filtering import kept_edges, known_stability
from circuit_widget.display.visible_graph import VisibleGraph, visible_graph
from circuit_widget.figure.layout.map_labels import (
    LEAD_WIDTH,
    Area,
    LabelledMap,
    MapDot,
    label_area,
    label_frame,
    map_labels,
)
from circuit_widget.figure.layout.map_layout import (
    LEAST_COLUMN,
    SLANT,
    TOKEN_BAND,
    MapLayout,
    MapNode,
    columns_with_text,
    map_layout,
)
from circuit_widget.figure.layout.routing import Route, Trunk, map_edge
from circuit_widget.figure.layout.strokes import (
    BEHIND,
    ERROR_OPACITY,
    FAINT_EDGES,
    FAINT_WIDTHS,
    LEAST_LABEL_PRESENCE,
    MAP_EDGE_OPACITY,
    PINNED_RIM_WIDTH,
    RIM_WIDTH,
    SIGNED_EDGES,
    error_band_height,
    error_band_opacity,
    faint_opacity,
    faint_step,
    head_length,
    output_presence,
    presence,
    ring_width,
    signed_opacity,
    signed_width,
)
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.scene import Paint, Pen
from circuit_widget.figure.scene.shapes import edge, node_shape
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.nodes import NodeKind
from circuit_widget.wording.names import layer_names, node_label, token_text
from circuit_widget.wording.numbers import LIKELY, probability
from circuit_widget.wording.text import apart, mono_width

EdgeIndices: TypeAlias = Int[np.ndarray, " _drawn"]
"""Indices of visible edges."""

LEAST_HEIGHT = 190.0
MOST_HEIGHT = 440.0
ROW_PITCH = 54.0
MOST_ANSWERS = 3
"""Most explained tokens written beside their pentagons."""


@dataclass(frozen=True)
class NodeMarks:
    """How nodes are marked, by node id: the supernode's hue, pins, and `presence`, their opacity where it is not 1."""

    hue: Mapping[str, int]
    pinned: frozenset[str]
    presence: Mapping[str, float]


def edge_stability(graph: Graph, circuit: Circuit, visible: VisibleGraph) -> Float[np.ndarray, " edges"]:
    """Return the share of prunings that keep each visible edge where the circuit has that drawn and it is known, else 1."""
    found = known_stability(graph) if circuit.edge_stability else None
    if found is None:
        return np.ones(len(visible.source))
    return kept_edges(found, visible.source, visible.target) / found.prunings


def node_marks(graph: Graph, circuit: Circuit, effect: Effect | None) -> NodeMarks:
    """Return the marks of nodes: hues of supernodes, pins, presence.

    The presence of an error outside the circuit is 0.7. That of an output is the square root of its probability, at
    least 0.3. That of a feature that was active is its activation after / before, at least 0.18 and at most 1.
    """
    hue = {node: supernode.color for supernode in circuit.supernodes for node in supernode.nodes}
    logits = graph.node_ids[graph.weights.shape[1] :]
    likely = {target.token_id: target.probability for target in graph.targets}
    if effect is not None:
        likely.update(zip(effect.tokens["token_id"], effect.tokens["after"], strict=True))
    circuit_nodes = {*hue, *circuit.pinned}
    kinds = zip(graph.node_ids, graph.node_kinds, strict=True)
    left = {node: ERROR_OPACITY for node, kind in kinds if kind == NodeKind.ERROR and node not in circuit_nodes}
    left |= {node: output_presence(likely[target.token_id]) for node, target in zip(logits, graph.targets, strict=True)}
    if effect is not None:
        table = effect.nodes
        for node, before, after in zip(table["id"], table["before"], table["after"], strict=True):
            left[str(node)] = presence(float(before), float(after))
    return NodeMarks(hue, frozenset(circuit.pinned), left)


def map_nodes(graph: Graph, nodes: Iterable[int]) -> list[MapNode]:
    """Return nodes as the layout of the map takes them."""
    layer, position = graph.node_layer, graph.node_position
    return [
        MapNode(str(graph.node_kinds[node]), int(layer[node]), int(position[node]), float(graph.influence[node]))
        for node in nodes
    ]


def map_height(graph: Graph) -> float:
    """Return the height of the map for its number of layers."""
    return min(max(60.0 + ROW_PITCH * (graph.n_layers + 1), LEAST_HEIGHT), MOST_HEIGHT)


def draw_map(
    pen: Pen, graph: Graph, circuit: Circuit, effect: Effect | None, width: float, height: float
) -> list[MapNode]:
    """Draw the map into width × height pixels from the pen's position; return the nodes in it."""
    visible = visible_graph(graph, circuit)
    nodes = map_nodes(graph, visible.nodes)
    texts = [token.text for token in graph.tokens]
    layout = map_layout(nodes, texts, layer_names(graph), width, height, style.TOKEN_SIZE)
    index_of = {int(node): index for index, node in enumerate(visible.nodes)}
    marks = node_marks(graph, circuit, effect)
    stability = edge_stability(graph, circuit, visible)
    _axes(pen, layout, width)
    _error_bands(pen, layout, visible, width)
    inside, signed, faint = _drawn_edges(graph, visible, marks)
    behind = BEHIND if len(inside) else 1.0
    _faint_edges(pen, layout, visible, index_of, faint, behind * faint_opacity(len(faint)))
    _signed_edges(pen, graph, layout, visible, index_of, marks, stability, signed, behind * signed_opacity(len(signed)))
    _signed_edges(pen, graph, layout, visible, index_of, marks, stability, inside, MAP_EDGE_OPACITY)
    for node, index in reversed(index_of.items()):
        _node(pen, nodes[index].kind, graph.node_ids[node], layout, index, marks)
    answers = _answers(pen, graph, layout, index_of, effect)
    texts = [node_label(graph, circuit, graph.node_ids[node]) for node in visible.nodes]
    first = [graph.node_ids[node] in marks.pinned for node in visible.nodes]
    dots = [
        MapDot(x, y, radius, text, node.influence, pinned)
        for x, y, radius, text, node, pinned in zip(layout.x, layout.y, layout.radius, texts, nodes, first, strict=True)
    ]
    presence = [marks.presence.get(graph.node_ids[node], 1.0) for node in visible.nodes]
    _labels(pen, LabelledMap(dots, label_frame(layout, width), answers, 1.0, style.CAPTION_SIZE), presence)
    return nodes


def _axes(pen: Pen, layout: MapLayout, width: float) -> None:
    left = layout.columns[0].x0 if layout.columns else 0.0
    for in_band, group in groupby(layout.rows, lambda row: row.in_band):
        rows = list(group)
        top, bottom = rows[-1].y - rows[-1].height / 2, rows[0].y + rows[0].height / 2
        if in_band:
            pen.rectangle(left, top + 1, width - left, bottom - top - 2, Paint(fill=style.GRID))
    high, low = layout.rows[-1].y - 8, layout.rows[0].y + 8
    band = Paint(fill=style.GRID, opacity=TOKEN_BAND)
    for column in layout.columns:
        if column.last > column.position:
            pen.rectangle(column.x0 + 1, high, column.x1 - column.x0 - 2, low - high, band)
    lines = [(left, row.y, width, row.y) for row in layout.rows if not row.in_band]
    pen.lines(lines, Paint(stroke=style.GRID, width=0.8))
    pen.lines(
        [(one.x0, high, one.x0, low) for one in layout.columns[1:] if one.x1 - one.x0 >= LEAST_COLUMN],
        Paint(stroke=style.LINE, width=0.8, dash=(1.0, 3.0)),
    )
    for row in layout.rows:
        pen.label(left - 8, row.y, row.label, style.CAPTION_SIZE, style.MUTED, "end")
    for index in columns_with_text(layout.columns) if layout.slanted else range(len(layout.columns)):
        column = layout.columns[index]
        ink = style.MUTED if column.last > column.position else style.INK
        middle = (column.x0 + column.x1) / 2
        if layout.slanted:
            pen.label(middle + 4, layout.token_y, column.text, style.TOKEN_SIZE, ink, "end", mono=True, turn=-SLANT)
        else:
            pen.label(middle, layout.token_y - 4, column.text, style.TOKEN_SIZE, ink, "middle", mono=True)


def _error_bands(pen: Pen, layout: MapLayout, visible: VisibleGraph, width: float) -> None:
    """Draw the errors of a layer as a band along its row, the stronger the more influence they have."""
    left = layout.columns[0].x0 if layout.columns else 0.0
    most = max((band.influence for band in visible.error_bands), default=0.0)
    for band in visible.error_bands:
        row = layout.rows[band.layer + 1]
        height = error_band_height(row.height)
        paint = Paint(fill=style.NODE_EDGE, opacity=error_band_opacity(band.influence, most))
        pen.rectangle(left, row.y - height / 2, width - left, height, paint)


def _drawn_edges(graph: Graph, visible: VisibleGraph, marks: NodeMarks) -> tuple[EdgeIndices, EdgeIndices, EdgeIndices]:
    """Return the edges within the circuit, of the others those drawn with their sign, and those without, weakest first."""
    chosen = set(marks.hue) | marks.pinned
    inside = np.array([node in chosen for node in graph.node_ids], dtype=bool)
    within = inside[visible.source] & inside[visible.target]
    others = np.flatnonzero(~within)
    faint = others[:-SIGNED_EDGES][-FAINT_EDGES:]
    return np.flatnonzero(within), others[-SIGNED_EDGES:], faint


def _curve(layout: MapLayout, source: int, target: int) -> tuple[float, ...]:
    one, other = layout.columns[layout.column[source]], layout.columns[layout.column[target]]
    trunk = Trunk((one.x0 + one.x1) / 2, (other.x0 + other.x1) / 2, (one.y + other.y) / 2)
    return map_edge(
        layout.x[source], layout.y[source], layout.radius[source],
        layout.x[target], layout.y[target], layout.radius[target],
        None if one == other else trunk,
    )  # fmt: skip


def _faint_edges(
    pen: Pen,
    layout: MapLayout,
    visible: VisibleGraph,
    index_of: Mapping[int, int],
    chosen: EdgeIndices,
    opacity: float,
) -> None:
    """Edges without sign, in a few widths, each drawn as one so that crossings do not darken."""
    paths: list[list[tuple[float, ...]]] = [[] for _ in FAINT_WIDTHS]
    for edge_index in chosen:
        source, target = int(visible.source[edge_index]), int(visible.target[edge_index])
        paths[faint_step(float(visible.share[edge_index]))].append(_curve(layout, index_of[source], index_of[target]))
    for width, group in zip(FAINT_WIDTHS, paths, strict=True):
        pen.curves(group, Paint(stroke=style.FAINT, width=width, opacity=opacity))


def _signed_edges(
    pen: Pen,
    graph: Graph,
    layout: MapLayout,
    visible: VisibleGraph,
    index_of: Mapping[int, int],
    marks: NodeMarks,
    stability: Float[np.ndarray, " edges"],
    chosen: EdgeIndices,
    opacity: float,
) -> None:
    """Draw edges with their sign as colour and form, strength as width, the strongest on top, faded with their source."""
    for index in chosen[np.argsort(np.abs(visible.share[chosen]), kind="stable")]:
        source, target = int(visible.source[index]), int(visible.target[index])
        share = float(visible.share[index])
        width = signed_width(share)
        path = list(_curve(layout, index_of[source], index_of[target]))
        x, y = path[6], path[7]
        path[7] = y + head_length(width) - 1.0
        left = opacity * marks.presence.get(graph.node_ids[source], 1.0)
        color = style.EXCITE if share > 0 else style.INHIBIT
        edge(pen, Route(tuple(path), (x, y), (0.0, -1.0), width), share > 0, color, left, float(stability[index]))


def _node(pen: Pen, kind: str, node: str, layout: MapLayout, index: int, marks: NodeMarks) -> None:
    x, y, radius = layout.x[index], layout.y[index], layout.radius[index]
    opacity = marks.presence.get(node, 1.0)
    hue = marks.hue.get(node)
    if hue is not None:
        width = ring_width(radius)
        node_shape(pen, kind, x, y, radius - width / 2, Paint(fill=style.BACKGROUND))
        ring = Paint(stroke=style.SUPERNODES[hue], width=width, opacity=opacity)
        node_shape(pen, kind, x, y, radius - width / 2, ring)
        return
    pinned = node in marks.pinned
    fill = {"error": style.BACKGROUND, "token": style.NODE_EDGE, "logit": style.ANSWER}.get(kind, style.NODE)
    rim = style.INK if pinned else style.ANSWER if kind == "logit" else style.NODE_EDGE
    radius -= RIM_WIDTH / 2
    if opacity < 1:
        node_shape(pen, kind, x, y, radius, Paint(fill=style.BACKGROUND))
    node_shape(pen, kind, x, y, radius, Paint(fill, rim, PINNED_RIM_WIDTH if pinned else RIM_WIDTH, opacity=opacity))


def _labels(pen: Pen, labelled: LabelledMap, presence: Sequence[float]) -> None:
    """Draw labels beside their nodes, on a ground that edges shine through a little, each faded with its node, but legible."""
    labels = map_labels(labelled)
    for label in labels:
        strokes = [label.lead[at : at + 4] for at in range(0, len(label.lead) - 2, 2)]
        paint = Paint(stroke=style.MUTED, width=LEAD_WIDTH, opacity=presence[label.dot])
        pen.lines([(x0, y0, x1, y1) for x0, y0, x1, y1 in strokes], paint)
    for label in labels:
        x0, y0, x1, y1 = label_area(label, labelled.size)
        pen.rectangle(x0 - 1, y0, x1 - x0 + 2, y1 - y0, Paint(fill=style.BACKGROUND, opacity=0.8), 3.0)
    for label in labels:
        x = label.x + {"start": 0.0, "middle": label.w / 2, "end": label.w}[label.anchor]
        color = style.INK if labelled.dots[label.dot].first else style.MUTED
        pen.label(
            x,
            label.y,
            label.text,
            labelled.size,
            color,
            label.anchor,
            opacity=max(LEAST_LABEL_PRESENCE, presence[label.dot]),
        )


def _answers(
    pen: Pen, graph: Graph, layout: MapLayout, index_of: Mapping[int, int], effect: Effect | None
) -> list[Area]:
    """Draw the likeliest explained tokens beside their pentagons, as many as there is room for; return their areas."""
    first = graph.weights.shape[1]
    logits = [index_of[first + index] for index in range(len(graph.targets)) if first + index in index_of]
    if not logits:
        return []
    left = min(layout.x[index] - layout.radius[index] for index in logits) - 7
    y = layout.y[logits[0]]
    after = {} if effect is None else dict(zip(effect.tokens["token_id"], effect.tokens["after"], strict=True))
    texts: list[str] = []
    for target in sorted(graph.targets, key=lambda target: -target.probability)[:MOST_ANSWERS]:
        if texts and max(target.probability, after.get(target.token_id, 0.0)) < LIKELY:
            continue
        number = probability(target.probability)
        if target.token_id in after:
            number += f" → {probability(float(after[target.token_id]))}"
        texts.append(f"{apart(token_text(target.token))} {number}")
    while texts and left - mono_width("   ".join(texts), style.TOKEN_SIZE) < 40:
        texts.pop()
    areas = []
    for text in reversed(texts):
        room = mono_width(text, style.TOKEN_SIZE)
        pen.rectangle(left - room - 3, y - 8, room + 6, 16, Paint(fill=style.BACKGROUND))
        pen.label(left, y, text, style.TOKEN_SIZE, style.ANSWER, "end", mono=True)
        areas.append(Area(left - room - 3, y - 8, left + 3, y + 8))
        left -= room + mono_width("   ", style.TOKEN_SIZE)
    return areas
