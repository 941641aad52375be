"""Labels on the map: nothing overlaps, the most influential first, and figures have what the functions place."""

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.figure.figure import Figure, make_figure
from circuit_widget.figure.layout.map_labels import (
    LABEL_CLEAR,
    LABEL_GAP,
    LABEL_REPEAT,
    LABEL_ROOM,
    MOST_LABELS,
    Area,
    LabelledMap,
    MapDot,
    MapLabel,
    label_area,
    lead_areas,
    map_labels,
)
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.scene import Circle, Label
from circuit_widget.wording.text import text_width
from tests.figure.cases import map_dots
from tests.figure.graphs import dallas, texas_ablated

SIZE = 10.5
FRAME = Area(34.0, 2.0, 560.0, 360.0)
LABELS = ("Texas", "a", "state", "say a capital", "Texas, West Virginia, Czechia", "東京 の 州", "e\u0301" * 40)
DOTS = st.lists(
    st.builds(
        MapDot,
        st.floats(0, 600),
        st.floats(-20, 400),
        st.floats(2, 11),
        st.sampled_from(("", "  ", *LABELS)),
        st.floats(0, 1),
        st.booleans(),
    ),
    max_size=60,
)
AREAS = st.lists(
    st.builds(lambda x, y, w, h: Area(x, y, x + w, y + h), *[st.floats(0, 500)] * 2, *[st.floats(1, 90)] * 2),
    max_size=3,
)
ZOOM = st.floats(1, 12)


def overlap(one: Area, other: Area) -> bool:
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    return across > 1e-9 and min(one.y1, other.y1) - max(one.y0, other.y0) > 1e-9


def gap(area: Area, dot: MapDot) -> float:
    """How far a dot's rim is from an area; negative where they overlap."""
    dx = max(area.x0 - dot.x, 0.0, dot.x - area.x1)
    dy = max(area.y0 - dot.y, 0.0, dot.y - area.y1)
    return math.hypot(dx, dy) - dot.radius


@given(DOTS, AREAS, ZOOM)
def test_labels_overlap_nothing_and_stay_in_their_frame(dots: list[MapDot], taken: list[Area], zoom: float) -> None:
    labels = map_labels(LabelledMap(dots, FRAME, taken, zoom, SIZE))
    areas = [label_area(label, SIZE) for label in labels]
    assert not any(overlap(*pair) for pair in itertools.combinations(areas, 2))
    leads = [(one.dot, area) for one in labels for area in lead_areas(one.lead)]
    pairs = itertools.combinations(leads, 2)
    assert not any(overlap(one, other) for (dot, one), (other_dot, other) in pairs if dot != other_dot)
    assert not any(overlap(lead, area) for _, lead in leads for area in areas)
    assert not any(gap(lead, dot) < 0 for own, lead in leads for index, dot in enumerate(dots) if index != own)
    assert not any(overlap(area, other) for area in (*areas, *(lead for _, lead in leads)) for other in taken)
    for label, area in zip(labels, areas, strict=True):
        assert FRAME.x0 <= area.x0 <= area.x1 <= FRAME.x1
        assert FRAME.y0 <= area.y0 <= area.y1 <= FRAME.y1
        others = [dot for index, dot in enumerate(dots) if index != label.dot]
        assert all(gap(area, dot) >= LABEL_CLEAR - 1e-9 for dot in others)
        own = dots[label.dot]
        if label.lead:
            assert math.hypot(label.lead[0] - own.x, label.lead[1] - own.y) == pytest.approx(own.radius)
            end = own._replace(x=label.lead[-2], y=label.lead[-1], radius=0.0)
            assert gap(area, end) <= LABEL_GAP + 1e-9
        assert 0 < gap(area, own) <= (LABEL_GAP + 1e-9 if not label.lead else 100)


@given(DOTS, ZOOM)
def test_labels_are_placed_first_ones_first_then_by_influence(dots: list[MapDot], zoom: float) -> None:
    labels = map_labels(LabelledMap(dots, FRAME, (), zoom, SIZE))
    ranks = [(not dots[one.dot].first, -dots[one.dot].influence, one.dot) for one in labels]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks) <= MOST_LABELS * zoom + 1
    assert labels == map_labels(LabelledMap(tuple(dots), FRAME, [], zoom, SIZE))


@given(DOTS, ZOOM)
def test_a_label_is_the_text_or_its_beginning_as_wide_as_zoom_allows(dots: list[MapDot], zoom: float) -> None:
    for label in map_labels(LabelledMap(dots, FRAME, (), zoom, SIZE)):
        whole = dots[label.dot].text
        assert label.text.strip()
        assert label.text == whole or (
            label.text[-1] == "…" and len(label.text) > 1 and whole.startswith(label.text[:-1])
        )
        assert label.w == text_width(label.text, SIZE) <= max(LABEL_ROOM * zoom, 0) + 1e-5


@settings(max_examples=30)
@given(DOTS, st.data())
def test_a_label_that_precedes_others_is_left_out_only_for_dots(dots: list[MapDot], data: st.DataObject) -> None:
    labelled = [index for index, dot in enumerate(dots) if dot.text.strip()]
    if not labelled:
        return
    chosen = data.draw(st.sampled_from(labelled))
    others = [dot._replace(first=False) for dot in dots]
    preferred = [dot._replace(first=index == chosen) for index, dot in enumerate(others)]
    alone = [dot._replace(text=dot.text if index == chosen else "") for index, dot in enumerate(others)]
    assert map_labels(LabelledMap(preferred, FRAME, (), 1.0, SIZE))[:1] == tuple(
        label for label in map_labels(LabelledMap(alone, FRAME, (), 1.0, SIZE)) if label.dot == chosen
    ) or not map_labels(LabelledMap(alone, FRAME, (), 1.0, SIZE))


def lone(x: float, y: float, text: str = "Texas", influence: float = 1.0, first: bool = False) -> MapDot:
    return MapDot(x, y, 5.0, text, influence, first)


def anchors(labels: tuple[MapLabel, ...]) -> list[str]:
    return [label.anchor for label in labels]


def test_a_label_is_at_the_right_of_its_dot_or_where_else_there_is_room() -> None:
    assert anchors(map_labels(LabelledMap([lone(300, 200)], FRAME, (), 1.0, SIZE))) == ["start"]
    assert anchors(map_labels(LabelledMap([lone(555, 200)], FRAME, (), 1.0, SIZE))) == ["end"]
    between = [lone(300, 200), lone(320, 200, ""), lone(280, 200, "")]
    (above,) = map_labels(LabelledMap(between, FRAME, (), 1.0, SIZE))
    assert (above.anchor, above.x + above.w / 2) == ("middle", 300)
    assert above.y < 190
    (below,) = map_labels(LabelledMap(between, FRAME, [Area(0, 150, 600, 195)], 1.0, SIZE))
    assert below.y > 210


def test_the_same_label_is_not_repeated_beside_itself_but_apart_from_it() -> None:
    near = [lone(100, 200, influence=2.0), lone(100 + LABEL_REPEAT - 1, 200), lone(100 + 2 * LABEL_REPEAT, 200)]
    assert [label.dot for label in map_labels(LabelledMap(near, FRAME, (), 1.0, SIZE))] == [0, 2]
    chosen = [*near[:1], near[1]._replace(first=True), *near[2:]]
    assert {1, 2} <= {label.dot for label in map_labels(LabelledMap(chosen, FRAME, (), 1.0, SIZE))}


def test_more_of_the_labels_in_view_are_there_when_zoomed_in() -> None:
    shares = []
    for zoom in (1.0, 2.0, 4.0, 8.0):
        dots, frame = map_dots(5, 250, 560, 360, zoom)
        within = [dot for dot in dots if dot.text and frame.x0 < dot.x < frame.x1 and frame.y0 < dot.y < frame.y1]
        shares.append(len(map_labels(LabelledMap(dots, frame, (), zoom, SIZE))) / len(within))
    assert shares == sorted(shares)
    assert shares[-1] > 3 * shares[0]


def map_texts(figure: Figure) -> dict[str, Label]:
    return {item.text: item for item in figure.scene.items if isinstance(item, Label)}


FEATURE, LABEL, LONG = "1_3_7", "cities", "a label much too long for the map"
GRAPH = dallas(labels={FEATURE: LABEL, "3_73_8": "regions", "0_13_3": LONG})


@pytest.mark.parametrize("width", [3.25, 5.5, 6.75])
def test_a_figure_has_labels_in_real_points_beside_their_nodes(width: float) -> None:
    figure = make_figure(GRAPH, part="map", width=width)
    found = map_texts(figure)
    assert {LABEL, "regions"} <= found.keys()
    assert 72 / style.PX_PER_INCH * found[LABEL].size >= 7
    assert f">{LABEL}</text>" in figure.svg()
    assert any(text.startswith("a label") and text.endswith("…") for text in found)
    label = found[LABEL]
    start = label.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[label.anchor] * text_width(LABEL, label.size)
    area = Area(start, label.y - 6, start + text_width(LABEL, label.size), label.y + 6)
    circles = [item for item in figure.scene.items if isinstance(item, Circle)]
    gaps = sorted(gap(area, MapDot(one.x, one.y, one.radius, "", 0.0, False)) for one in circles)
    assert 0 < gaps[0] < 21


def test_the_circuits_label_goes_before_the_graphs_and_pins_before_influence() -> None:
    circuit = Circuit().label(FEATURE, "Lone Star").pin([FEATURE])
    found = map_texts(make_figure(GRAPH, circuit, texas_ablated(GRAPH), part="map"))
    assert "Lone Star" in found
    assert LABEL not in found
    assert (found["Lone Star"].color, found["regions"].color) == (style.INK, style.MUTED)


def test_nodes_without_a_label_have_none() -> None:
    bare = replace(GRAPH, labels={})
    assert not any("feature " in text or "error " in text for text in map_texts(make_figure(bare, part="map")))
    assert len(map_texts(make_figure(bare, part="map"))) < len(map_texts(make_figure(GRAPH, part="map")))


def test_a_label_of_effects_on_one_prompt_begins_with_the_words_that_differ() -> None:
    def text_of(label: str) -> str:
        (found,) = map_labels(LabelledMap([lone(300, 200)._replace(text=label)], FRAME, (), 1.0, SIZE))
        return found.text

    assert text_of("here: +Paris −the") == "+Paris −the"
    assert text_of("here: −“.” +Washington") == "−“.” +Washingt…"
    assert text_of("here: mine") == "here: mine"
