"""What the marks of a circuit's boxes and numbers say follows from the numbers, each with a second cue beside its colour."""

from dataclasses import replace

import pytest

from circuit_widget.circuit.filters import Filters
from circuit_widget.display.visible_graph import visible_graph
from circuit_widget.figure.figure import make_figure
from circuit_widget.figure.layout.strokes import error_band_opacity
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.arrangement import circuit_picture
from circuit_widget.figure.scene.circuit_picture import CircuitPicture
from circuit_widget.figure.scene.circuit_scene import draw_circuit
from circuit_widget.figure.scene.scene import Circle, Curves, Label, Pen, Polygon, Rectangle
from circuit_widget.figure.scene.shapes import mixed_with_white
from circuit_widget.intervention import Effect
from circuit_widget.nodes import NodeKind
from circuit_widget.wording.numbers import signed_percent
from tests.figure.graphs import california_swapped_in, circuit_of_dallas, dallas, texas_ablated

GRAPH = dallas()
CIRCUIT = circuit_of_dallas()
WIDTH = 700.0
ERROR = GRAPH.node_ids[GRAPH.n_features + 8]


def drawn(
    effect: Effect | None = None, numbers: bool = False, pinned: tuple[str, ...] = ()
) -> tuple[Pen, CircuitPicture]:
    circuit = CIRCUIT.pin(pinned) if pinned else CIRCUIT
    picture = circuit_picture(GRAPH, circuit.number_edges() if numbers else circuit, effect, WIDTH)
    pen = Pen()
    draw_circuit(pen, picture)
    return pen, picture


def faces(pen: Pen, picture: CircuitPicture) -> dict[str, Rectangle]:
    """The front of each box by its id, without the cards behind it."""
    found = {}
    for box, place in zip(picture.boxes, picture.layout.boxes, strict=True):
        corner = (place.x - place.w / 2, place.y - place.h / 2)
        here = [item for item in pen.items if isinstance(item, Rectangle) and (item.x, item.y) == corner]
        (found[box.id],) = [item for item in here if (item.w, item.h) == (place.w, place.h)]
    return found


def test_the_numbers_of_edges_have_the_sign_in_words_and_in_colour() -> None:
    pen, picture = drawn(numbers=True)
    numbers = {item.text: item.color for item in pen.items if isinstance(item, Label) and item.text[0] in "+−"}
    shares = {signed_percent(link.share): link.share for link in picture.links}
    assert len(numbers) > 5
    for text, color in numbers.items():
        assert color == (style.EXCITE if shares[text] > 0 else style.INHIBIT)
        assert (text[0] == "+") == (shares[text] > 0)
    assert {text[0] for text in numbers} == {"+", "−"}


def test_a_suppressed_box_loses_its_ground_its_rim_and_its_hue_and_keeps_its_name() -> None:
    pen, picture = drawn(texas_ablated(GRAPH))
    boxes = faces(pen, picture)
    faint = mixed_with_white(style.BOX_EDGE, style.FADED)
    for box, outcome in zip(picture.boxes, picture.outcomes, strict=True):
        if box.name is None:
            continue
        paint = boxes[box.id].paint
        looks = (paint.fill, paint.stroke)
        assert looks == ((style.BACKGROUND, faint) if outcome.faded else (style.BOX, style.BOX_EDGE))
        (hue,) = [
            item.paint
            for item in pen.items
            if isinstance(item, Curves) and item.paint.fill == style.SUPERNODES[box.color or 0] and item.closed
        ]
        assert hue.opacity == (style.FADED if outcome.faded else 1.0)
        assert box.name in {item.text for item in pen.items if isinstance(item, Label)}
    assert {outcome.faded for outcome in picture.outcomes} == {True, False}


def test_an_error_and_a_new_answer_have_dashed_rims_and_nothing_else_has() -> None:
    pen, picture = drawn(texas_ablated(GRAPH), pinned=(ERROR,))
    dashed = [item for item in pen.items if isinstance(item, Rectangle) and item.paint.dash]
    wanted = [faces(pen, picture)[ERROR].paint.dash, *[(4.0, 3.0)] * len(picture.answers)]
    assert sorted(item.paint.dash for item in dashed) == sorted(wanted)
    assert picture.answers
    assert all(wanted)


def test_what_was_swapped_in_has_colours_that_no_other_box_has() -> None:
    pen, picture = drawn(california_swapped_in(GRAPH))
    box = picture.injected_box
    assert box is not None
    orange = [item for item in pen.items if isinstance(item, Rectangle) and item.paint.fill == style.INJECTED_GROUND]
    assert [item.paint.stroke for item in orange] == [style.INJECTED] * (box.cards + 1)
    assert (orange[-1].x, orange[-1].y) == (box.x - box.w / 2, box.y - box.h / 2)


def test_a_supernode_has_a_card_for_each_further_feature_up_to_two() -> None:
    pen, picture = drawn()
    for group, place in zip(picture.boxes, picture.layout.boxes, strict=True):
        cards = [
            item
            for item in pen.items
            if isinstance(item, Rectangle)
            and (item.w, item.h) == (place.w, place.h)
            and 0 < item.x - (place.x - place.w / 2) == (place.y - place.h / 2) - item.y <= 8
        ]
        assert len(cards) == min(len(group.nodes) - 1, 2)


def test_what_changed_is_bold_and_coloured_by_its_direction() -> None:
    effect = texas_ablated(GRAPH)
    pen, picture = drawn(effect)
    texts = {item.text: item for item in pen.items if isinstance(item, Label)}
    tones = {"below": style.INHIBIT, "above": style.EXCITE, "same": style.MUTED}
    seen = set()
    for outcome in picture.outcomes:
        if outcome.text:
            assert (texts[outcome.text].color, texts[outcome.text].bold) == (
                tones[outcome.tone],
                outcome.tone != "same",
            )
            seen.add(outcome.tone)
    assert seen == {"below", "above", "same"}


def test_rings_of_the_map_have_the_hue_of_their_group_and_pins_a_dark_rim() -> None:
    pinned = [node for node in GRAPH.node_ids[: GRAPH.n_features] if node.startswith("3_")][3]
    figure = make_figure(GRAPH, CIRCUIT.pin([pinned]), part="map")
    rims = [item.paint for item in figure.scene.items if isinstance(item, Circle)]
    for group in CIRCUIT.supernodes:
        hue = style.SUPERNODES[group.color]
        # One is in the legend.
        assert sum(rim.stroke == hue for rim in rims) == len(group.nodes) + 1
    assert [rim.width for rim in rims if rim.stroke == style.INK] == [1.8]


def test_rings_fade_with_their_features() -> None:
    figure = make_figure(GRAPH, CIRCUIT, texas_ablated(GRAPH), part="map")
    hue = style.SUPERNODES[CIRCUIT.supernode("Texas").color]
    rings = [item.paint for item in figure.scene.items if isinstance(item, Circle) and item.paint.stroke == hue]
    assert sorted(ring.opacity for ring in rings) == pytest.approx([0.18] * 3 + [1.0])


def test_bands_of_errors_are_as_strong_as_their_influence() -> None:
    circuit = replace(CIRCUIT, node_threshold=1.0, filters=Filters(error_bands=True))
    figure = make_figure(GRAPH, circuit, part="map")
    strengths = [
        item.paint.opacity
        for item in figure.scene.items
        if isinstance(item, Rectangle) and item.paint.fill == style.NODE_EDGE and 0 < item.paint.opacity < 1
    ]
    assert len(set(strengths)) > 2
    assert max(strengths) == error_band_opacity(1.0, 1.0)


def test_each_kind_of_node_has_its_shape_and_its_fill_in_the_map() -> None:
    circuit = replace(CIRCUIT, node_threshold=1.0)
    figure = make_figure(GRAPH, circuit, part="map")
    kinds = [GRAPH.node_kinds[node] for node in visible_graph(GRAPH, circuit).nodes]
    circles = [
        one.paint for one in figure.scene.items if isinstance(one, Circle) and one.paint.stroke == style.NODE_EDGE
    ]
    diamonds = [
        one.paint
        for one in figure.scene.items
        if isinstance(one, Polygon) and len(one.points) == 4 and one.paint.stroke is not None
    ]
    grouped = sum(len(group.nodes) for group in CIRCUIT.supernodes)
    # One of each is in the legend.
    assert len(circles) == kinds.count(NodeKind.FEATURE) - grouped + 1
    assert len(diamonds) == kinds.count(NodeKind.ERROR) + 1 > 10
    assert {(one.fill, one.stroke) for one in circles} == {(style.NODE, style.NODE_EDGE)}
    assert {(one.fill, one.stroke) for one in diamonds} == {(style.BACKGROUND, style.NODE_EDGE)}
