"""What a figure's marks say follows from the numbers: colour, dash, arrowhead, width, fading, words before and after."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from circuit_widget.circuit.box_edges import box_edges, edges_among
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.display.visible_graph import VisibleGraph, visible_graph
from circuit_widget.figure.layout.map_layout import MapLayout, map_layout
from circuit_widget.figure.layout.routing import Trunk, map_edge
from circuit_widget.figure.layout.strokes import FAINT_WIDTHS, edge_width
from circuit_widget.figure.scene import map_scene, style
from circuit_widget.figure.scene.arrangement import circuit_picture
from circuit_widget.figure.scene.circuit_scene import draw_circuit
from circuit_widget.figure.scene.effect_scene import draw_effect
from circuit_widget.figure.scene.legend import draw_legend, group_entries, shape_entries, sign_entries
from circuit_widget.figure.scene.map_scene import draw_map, map_nodes
from circuit_widget.figure.scene.scene import Circle, Curves, Item, Label, Lines, Pen, Polygon, Rectangle
from circuit_widget.graph import Graph
from circuit_widget.intervention import Effect
from circuit_widget.wording.names import layer_names
from tests.figure.graphs import circuit_of_dallas, dallas, effect_on, features, texas_ablated

GRAPH = dallas()
CIRCUIT = circuit_of_dallas()
WIDTH, HEIGHT = 700.0, 400.0
SIGNS = {style.EXCITE: 1.0, style.INHIBIT: -1.0}
BAR = 112.0
"""How long the bar of a certain token is in 300 pixels."""


def texas_and_answer(graph: Graph) -> Effect:
    """Texas ablated, Dallas halved, so that features, groups and outputs fade by different amounts."""
    factors = dict.fromkeys(CIRCUIT.supernode("Texas").nodes, 0.0)
    factors |= dict.fromkeys(CIRCUIT.supernode("Dallas").nodes, 0.5)
    factors |= dict.fromkeys(features(2, 8, 5), 1.7) | dict.fromkeys(features(2, 8, 4, 6, 7, 8), 0.6)
    return effect_on(graph, factors)


def drawn_map(circuit: Circuit, effect: Effect | None) -> tuple[Sequence[Item], VisibleGraph, MapLayout]:
    """The items of a map, and what is visible in it, where."""
    pen = Pen()
    draw_map(pen, GRAPH, circuit, effect, WIDTH, HEIGHT)
    visible = visible_graph(GRAPH, circuit)
    texts = [token.text for token in GRAPH.tokens]
    layout = map_layout(map_nodes(GRAPH, visible.nodes), texts, layer_names(GRAPH), WIDTH, HEIGHT, style.TOKEN_SIZE)
    return pen.items, visible, layout


def path_of(layout: MapLayout, visible: VisibleGraph, source: int, target: int) -> tuple[float, ...]:
    places = [int(np.flatnonzero(visible.nodes == node)[0]) for node in (source, target)]
    ends = [(layout.x[place], layout.y[place], layout.radius[place]) for place in places]
    one, other = (
        next(c for c in layout.columns if c.position == GRAPH.node_position[node]) for node in (source, target)
    )
    trunk = Trunk((one.x0 + one.x1) / 2, (other.x0 + other.x1) / 2, (one.y + other.y) / 2)
    return map_edge(*ends[0], *ends[1], None if one == other else trunk)


def share_of(source: int, target: int) -> float:
    """The signed share of a node's whole input that an edge carries, from the graph's weights."""
    row = GRAPH.weights[int(np.flatnonzero(GRAPH.row_nodes == target)[0])]
    return float(row[source] / np.abs(row).sum())


def expected_edges(circuit: Circuit, visible: VisibleGraph) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The edges outside and within the circuit, each in the order of the shares of input that they carry."""
    chosen = {node for group in circuit.supernodes for node in group.nodes} | set(circuit.pinned)
    edges = [(int(one), int(other)) for one, other in zip(visible.source, visible.target, strict=True)]
    edges.sort(key=lambda pair: abs(share_of(*pair)))
    inside = [pair for pair in edges if {GRAPH.node_ids[end] for end in pair} <= chosen]
    return [pair for pair in edges if pair not in inside], inside


def presence(effect: Effect | None, node: int) -> float:
    """How much is there of a feature after an effect, at least 0.18; of errors, what they always have; of others, all."""
    if GRAPH.n_features <= node < GRAPH.n_features + GRAPH.n_errors and GRAPH.node_ids[node] not in CIRCUIT.pinned:
        return 0.7
    if effect is None or node >= GRAPH.n_features:
        return 1.0
    row = effect.nodes.iloc[node]
    return float(np.clip(row["after"] / row["before"], 0.18, 1.0))


def strokes(items: Sequence[Item]) -> list[Curves]:
    return [item for item in items if isinstance(item, Curves) and item.paint.stroke in SIGNS]


def ends_in_a_head(items: Sequence[Item], curve: Curves, tip: tuple[float, float]) -> bool:
    """Whether what is drawn after an edge is an arrowhead that points at a place, or else a bar across it."""
    at = next(at for at, item in enumerate(items) if item is curve)
    end, bar = items[at + 1 : at + 3]
    if isinstance(end, Polygon):
        assert end.paint.fill == curve.paint.stroke
        assert end.points[0] == pytest.approx(tip)
        return True
    assert isinstance(bar, Lines)
    assert bar.paint.stroke == curve.paint.stroke
    ((a, b, c, d),) = bar.segments
    assert np.hypot((a + c) / 2 - tip[0], (b + d) / 2 - tip[1]) < 2
    assert np.hypot(c - a, d - b) > 7
    return False


@pytest.mark.parametrize("circuit", [Circuit(), CIRCUIT], ids=["alone", "circuit"])
@pytest.mark.parametrize("effect", [None, texas_and_answer(GRAPH)], ids=["before", "after"])
def test_every_signed_edge_of_the_map_shows_sign_strength_and_fading(circuit: Circuit, effect: Effect | None) -> None:
    items, visible, layout = drawn_map(circuit, effect)
    outside, inside = expected_edges(circuit, visible)
    wanted = [*outside, *inside]
    # Many edges are fainter, and more so behind those of the circuit.
    resting = 6 / np.sqrt(1 + len(outside)) * (0.4 if inside else 1.0)
    drawn = strokes(items)
    assert 5 < len(drawn) == len(wanted) <= 300
    assert bool(inside) == bool(circuit.supernodes)
    seen = set()
    for curve, (source, target) in zip(drawn, wanted, strict=True):
        share, path = share_of(source, target), path_of(layout, visible, source, target)
        tip = (path[6], path[7])
        assert curve.paths[0][:6] == pytest.approx(path[:6])
        assert SIGNS[str(curve.paint.stroke)] == np.sign(share)
        assert bool(curve.paint.dash) == (share < 0)
        assert curve.paint.width == pytest.approx(max(0.6, 0.55 * edge_width(share)))
        opacity = 0.75 if (source, target) in inside else resting
        assert curve.paint.opacity == pytest.approx(opacity * presence(effect, source))
        assert ends_in_a_head(items, curve, tip) == (share > 0)
        seen.add((bool(curve.paint.dash), round(curve.paint.opacity, 3)))
    assert {dashed for dashed, _ in seen} == {True, False}
    assert (len({opacity for _, opacity in seen}) > 2) == (effect is not None)


@pytest.mark.parametrize("effect", [None, texas_and_answer(GRAPH)], ids=["before", "after"])
def test_labels_fade_with_their_nodes_but_stay_legible(effect: Effect | None) -> None:
    named = [node for node in visible_graph(GRAPH, CIRCUIT).nodes.tolist() if node < GRAPH.n_features]
    circuit = CIRCUIT
    for node in named:
        circuit = circuit.label(GRAPH.node_ids[node], f"n{node}")
    items, _, _ = drawn_map(circuit, effect)
    drawn = {int(item.text[1:]): item.opacity for item in items if isinstance(item, Label) and item.text[:1] == "n"}
    assert len(drawn) > 5
    assert drawn == pytest.approx({node: max(0.6, presence(effect, node)) for node in drawn})
    assert (min(drawn.values()) < 1) == (effect is not None)


@pytest.mark.parametrize("circuit", [Circuit(), CIRCUIT], ids=["alone", "circuit"])
def test_edges_behind_the_strongest_are_faint_and_as_wide_as_their_share(
    circuit: Circuit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_scene, "SIGNED_EDGES", 10)
    items, visible, layout = drawn_map(circuit, None)
    outside, inside = expected_edges(circuit, visible)
    edges = [(int(one), int(other)) for one, other in zip(visible.source, visible.target, strict=True)]
    found = {
        tuple(round(value, 6) for value in path): item.paint.width
        for item in items
        if isinstance(item, Curves) and item.paint.stroke == style.FAINT
        for path in item.paths
    }
    wanted = {}
    for pair in [pair for pair in edges if pair in outside][:-10]:
        width = 0.6 * edge_width(share_of(*pair))
        step = next((limit for limit in FAINT_WIDTHS if width <= limit), FAINT_WIDTHS[-1])
        wanted[tuple(round(value, 6) for value in path_of(layout, visible, *pair))] = step
    assert len(wanted) > 20
    assert found == wanted
    assert len(set(found.values())) > 1
    assert len(strokes(items)) == 10 + len(inside)


def test_nodes_of_the_map_fade_as_their_activation_falls() -> None:
    effect = texas_and_answer(GRAPH)
    items, visible, layout = drawn_map(CIRCUIT, effect)
    hues = {node: style.SUPERNODES[supernode.color] for supernode in CIRCUIT.supernodes for node in supernode.nodes}
    opacities = set()
    for at, node in enumerate(visible.nodes):
        if node >= GRAPH.n_features:
            continue
        here = [item for item in items if isinstance(item, Circle) and (item.x, item.y) == (layout.x[at], layout.y[at])]
        (shape,) = [item for item in here if item.paint.stroke]
        assert shape.paint.opacity == pytest.approx(presence(effect, int(node)))
        assert shape.paint.stroke in (hues.get(GRAPH.node_ids[node], style.NODE_EDGE), style.INK)
        opacities.add(round(shape.paint.opacity, 2))
    assert {0.18, 0.5, 0.6, 1.0} <= opacities


def test_errors_of_the_map_are_fainter_than_features() -> None:
    items, visible, layout = drawn_map(replace(CIRCUIT, node_threshold=1.0), None)
    errors = [at for at, node in enumerate(visible.nodes) if GRAPH.node_kinds[node] == "error"]
    assert errors
    diamonds = [item for item in items if isinstance(item, Polygon) and len(item.points) == 4 and item.paint.stroke]
    for at in errors:
        here = [one for one in diamonds if one.points[0][0] == layout.x[at] and one.points[1][1] == layout.y[at]]
        assert [shape.paint.opacity for shape in here] == [presence(None, int(visible.nodes[at]))]


def test_answers_of_the_map_say_before_and_then_after() -> None:
    effect = texas_ablated(GRAPH)
    for displayed_effect in (None, effect):
        items, _, _ = drawn_map(CIRCUIT, displayed_effect)
        texts = {item.text for item in items if isinstance(item, Label)}
        for target in GRAPH.targets:
            words = f"{target.token} {target.probability:.2f}"
            if displayed_effect is not None:
                row = effect.tokens[effect.tokens["token_id"] == target.token_id].iloc[0]
                words += f" → {row['after']:.2f}"
                assert row["before"] != row["after"]
            assert words in texts


@pytest.mark.parametrize("effect", [None, texas_ablated(GRAPH)], ids=["before", "after"])
def test_edges_of_the_circuit_show_sign_strength_and_fading(effect: Effect | None) -> None:
    picture = circuit_picture(GRAPH, CIRCUIT, effect, WIDTH)
    pen = Pen()
    draw_circuit(pen, picture)
    members = [GRAPH.resolve(box.nodes) for box in CIRCUIT.boxes()]
    shares = {(one.source, one.target): one.share for one in box_edges(edges_among(GRAPH, members), members)}
    wanted = sorted(picture.links, key=lambda link: abs(link.share))
    edges = [item for item in strokes(pen.items) if not item.closed]
    assert len(edges) == len(wanted) > 5
    silent = {
        at for at, box in enumerate(CIRCUIT.boxes()) if box.name in ("Texas", "say Austin") and effect is not None
    }
    silent |= {at for at, box in enumerate(CIRCUIT.boxes()) if effect is not None and box.id.startswith("4_100")}
    for curve, link in zip(edges, wanted, strict=True):
        share = shares[link.source, link.target]
        assert link.share == share
        assert SIGNS[str(curve.paint.stroke)] == np.sign(share)
        assert bool(curve.paint.dash) == (share < 0)
        assert curve.paint.width == pytest.approx(edge_width(share))
        assert curve.paint.opacity == (0.35 if link.source in silent else 0.85)
    heads = [item for item in pen.items if isinstance(item, Polygon)]
    assert [item.paint.fill for item in heads] == [style.EXCITE] * sum(link.share > 0 for link in wanted)
    assert {np.sign(link.share) for link in wanted} == {1, -1}
    assert effect is None or any(link.source in silent for link in wanted)


def test_boxes_say_what_is_left_and_outputs_before_and_after() -> None:
    effect = texas_ablated(GRAPH)
    picture = circuit_picture(GRAPH, CIRCUIT, effect, WIDTH)
    pen = Pen()
    draw_circuit(pen, picture)
    labels = {item.text: item.color for item in pen.items if isinstance(item, Label)}
    answer = effect.tokens.iloc[0]
    assert answer["after"] < 0.3 * answer["before"]
    assert labels[answer["token"]] != style.ANSWER, "an output that is nearly gone fades"
    assert labels[f"{answer['before']:.2f} → {answer['after']:.2f}"] == style.INHIBIT
    for name, color in (("say Texas", style.INHIBIT), ("of → name", style.EXCITE), ("Dallas", style.MUTED)):
        measured, _ = effect.ratio(CIRCUIT.supernode(name).nodes)
        assert labels[f"{100 * measured:.0f}%"] == color


def test_the_bars_of_tokens_are_before_and_after() -> None:
    effect = texas_ablated(GRAPH)
    pen = Pen()
    draw_effect(pen, GRAPH, CIRCUIT, effect, None, 300.0, 1)
    table = effect.tokens.assign(most=effect.tokens[["before", "after"]].max(axis=1))
    names = [item for item in pen.items if isinstance(item, Label) and item.mono]
    assert [item.text for item in names] == table.sort_values(["most", "logit_after"], ascending=False)[
        "token"
    ].tolist()
    for name in names:
        row = table[table["token"] == name.text].iloc[0]
        beside = {item.text: item.bold for item in pen.items if isinstance(item, Label) and item.y == name.y}
        assert beside[f"{row['before']:.2f} →"] is False
        assert beside[f"{row['after']:.2f}"] is True
        bars = [item for item in pen.items if isinstance(item, Rectangle) and abs(item.y + item.h / 2 - name.y) < 4]
        upper, lower = sorted(bars, key=lambda item: item.y)
        assert upper.paint.fill == style.FAINT
        assert lower.paint.fill == (style.EXCITE if row["after"] > row["before"] else style.INHIBIT)
        ticks = [line for item in pen.items if isinstance(item, Lines) for line in item.segments]
        (tick,) = [line[0] for line in ticks if line[1] == name.y - 0.5]
        assert tick == pytest.approx(upper.x + BAR * row["predicted"], abs=0.01)
        assert lower.w / upper.w == pytest.approx(row["after"] / row["before"], rel=0.3)


def test_the_bars_of_activations_are_measured_and_the_ticks_predicted() -> None:
    effect = texas_ablated(GRAPH)
    pen = Pen()
    draw_effect(pen, GRAPH, CIRCUIT, effect, None, 300.0, 1)
    tracks = [item for item in pen.items if isinstance(item, Rectangle) and item.paint.fill == style.TRACK]
    assert len(tracks) == len(CIRCUIT.supernodes)
    for track in tracks:
        row = track.y + track.h / 2
        (name,) = [item for item in pen.items if isinstance(item, Label) and item.y == row and item.anchor == "start"]
        measured, predicted = effect.ratio(CIRCUIT.supernode(name.text).nodes)
        (bar,) = [item for item in pen.items if isinstance(item, Rectangle) and item.y == track.y and item is not track]
        assert bar.w == pytest.approx(max(0.8, track.w * measured / 1.25), abs=0.01)
        clamped = name.text == "Texas"
        assert bar.paint.fill == (style.FAINT if clamped else style.EXCITE)
        assert name.color == (style.MUTED if clamped else style.INK)
        ticks = [
            segment
            for item in pen.items
            if isinstance(item, Lines)
            for segment in item.segments
            if segment[1] == row - 7.5
        ]
        assert len(ticks) == (0 if clamped else 1)
        assert all(tick[0] == pytest.approx(track.x + track.w * predicted / 1.25, abs=0.01) for tick in ticks)


def test_an_edge_is_as_wide_as_it_is_strong_whatever_its_sign() -> None:
    shares = (0.02, 0.1, 0.3, 0.6)
    assert [edge_width(share) for share in shares] == [edge_width(-share) for share in shares]
    assert sorted({edge_width(share) for share in shares}) == [edge_width(share) for share in shares]


def signs_before(pen: Pen, words: str) -> list[Item]:
    """What the legend draws between a word and the word before it."""
    labels = sorted((item.x for item in pen.items if isinstance(item, Label)), reverse=True)
    (own,) = [item.x for item in pen.items if isinstance(item, Label) and item.text == words]
    left = next((x for x in labels if x < own), -1.0)
    return [item for item in pen.items if not isinstance(item, Label) and left < leftmost(item) < own]


def leftmost(item: Any) -> float:
    match item:
        case Curves():
            return min(path[0] for path in item.paths)
        case Polygon():
            return min(x for x, _ in item.points)
        case Lines():
            return min(segment[0] for segment in item.segments)
        case Circle():
            return item.x - item.radius
        case _:
            return float(item.x)


def legend(entries: Sequence[Any]) -> Pen:
    pen = Pen()
    draw_legend(pen, entries, "", 2_000.0)
    return pen


@pytest.mark.parametrize(
    ("words", "color", "dashed"), [("excites", style.EXCITE, False), ("inhibits", style.INHIBIT, True)]
)
def test_the_legend_draws_each_sign_as_edges_with_it_are_drawn(words: str, color: str, dashed: bool) -> None:
    items, _, _ = drawn_map(CIRCUIT, None)
    pen = legend(sign_entries(items))
    signs = signs_before(pen, words)
    (line,) = [item for item in signs if isinstance(item, Curves)]
    assert (line.paint.stroke, bool(line.paint.dash)) == (color, dashed)
    assert [isinstance(item, Polygon) for item in signs].count(True) == (0 if dashed else 1)
    assert {item.paint.stroke or item.paint.fill for item in signs if not isinstance(item, Label)} == {color}
    # Words for the signs that are there, and no others.
    only = [item for item in items if isinstance(item, Curves) and item.paint.stroke == color]
    assert [word for word, _, _ in sign_entries(only)] == [words]


def test_the_legend_draws_each_kind_as_its_nodes_are_drawn() -> None:
    pen = legend(shape_entries(["feature", "error", "token", "logit"], {}))
    looks = {
        words: (type(sign), len(getattr(sign, "points", ())), sign.paint.fill)
        for words in ("feature", "error", "token", "output")
        for sign in signs_before(pen, words)
        if not isinstance(sign, Label)
    }
    assert looks == {
        "feature": (Circle, 0, style.NODE),
        "error": (Polygon, 4, style.BACKGROUND),
        "token": (Rectangle, 0, style.NODE_EDGE),
        "output": (Polygon, 5, style.ANSWER),
    }


def test_the_legend_names_each_group_beside_its_hue() -> None:
    pen = legend(group_entries(CIRCUIT))
    for group in CIRCUIT.supernodes:
        (ring,) = signs_before(pen, group.name)
        assert isinstance(ring, Circle)
        assert ring.paint.stroke == style.SUPERNODES[group.color]
