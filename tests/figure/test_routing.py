"""How edges run: around boxes, side by side, in order, stopping short, the same every time."""

import itertools
import math

import pytest

from circuit_widget.figure.layout.circuit_layout import CircuitLayout, PlacedBox, circuit_layout
from circuit_widget.figure.layout.routing import (
    LEAST_SHARE,
    Link,
    Route,
    map_edge,
    route_edges,
    visible_links,
)
from circuit_widget.figure.layout.strokes import edge_width, head_length
from tests.figure.cases import boxes_and_links, stored


def samples(route: Route) -> list[tuple[float, float]]:
    points = []
    for at in range(0, len(route.path) - 2, 6):
        x0, y0, x1, y1, x2, y2, x3, y3 = route.path[at : at + 8]
        for step in range(41):
            t, u = step / 40, 1 - step / 40
            points.append(
                (
                    u**3 * x0 + 3 * u * u * t * x1 + 3 * u * t * t * x2 + t**3 * x3,
                    u**3 * y0 + 3 * u * u * t * y1 + 3 * u * t * t * y2 + t**3 * y3,
                )
            )
    return points


def crossed(layout: CircuitLayout, link: Link, route: Route) -> list[int]:
    """Boxes, other than the ends, that the edge runs through."""
    return [
        index
        for index, box in enumerate(layout.boxes)
        if index not in (link.source, link.target)
        and any(abs(x - box.x) < box.w / 2 - 1 and abs(y - box.y) < box.h / 2 - 1 for x, y in samples(route))
    ]


@pytest.mark.parametrize("seed", range(12))
def test_rising_edges_run_around_the_boxes_between_their_ends(seed: int) -> None:
    boxes, links = boxes_and_links(seed, 9)
    layout = circuit_layout(boxes, 729, 460)
    rising = [link for link in links if layout.boxes[link.target].y < layout.boxes[link.source].y - 40]
    routes = route_edges(layout.boxes, rising, 729)
    assert len(rising) > 3
    through = {
        link: found for link, route in zip(rising, routes, strict=True) if (found := crossed(layout, link, route))
    }
    assert through == {}


def test_an_edge_bends_around_a_box_in_its_way() -> None:
    boxes = [PlacedBox(200, y, 90, 30, 0) for y in (300, 200, 100)]
    (route,) = route_edges(boxes, [Link(0, 2, 0.5)], 400)
    assert all(abs(x - 200) > 45 or abs(y - 200) > 15 for x, y in samples(route))
    assert min(x for x, _ in samples(route)) > 4


def test_a_clear_way_is_straight() -> None:
    boxes = [PlacedBox(200, y, 90, 30, 0) for y in (300, 100)]
    (route,) = route_edges(boxes, [Link(0, 1, 0.5)], 400)
    assert [x for x, _ in samples(route)] == pytest.approx([200] * 41)


@pytest.mark.parametrize("seed", range(6))
def test_heads_stop_short_of_the_box_and_lines_start_at_its_rim(seed: int) -> None:
    boxes, links = boxes_and_links(seed, 9)
    layout = circuit_layout(stored(boxes, seed), 729, 460)
    for link, route in zip(links, route_edges(layout.boxes, links, 729), strict=True):
        target = layout.boxes[link.target]
        (x, y), (dx, dy) = route.tip, route.direction
        outside = max(abs(x - target.x) - target.w / 2, abs(y - target.y) - target.h / 2)
        assert 2.9 <= outside <= 3.1 + 4 * target.cards
        assert math.hypot(dx, dy) == 1
        end = route.path[-2:]
        assert math.dist(end, (x - dx * head_length(route.width), y - dy * head_length(route.width))) < 1e-6
        source = layout.boxes[link.source]
        x0, y0 = route.path[:2]
        assert abs(x0 - source.x) <= source.w / 2 + 4 * source.cards + 1e-6
        assert abs(y0 - source.y) <= source.h / 2 + 4 * source.cards + 1e-6


def test_edges_into_a_box_arrive_side_by_side_in_the_order_of_their_sources() -> None:
    sources = [PlacedBox(x, 300, 70, 30, 0) for x in (60, 200, 340, 480)]
    target = PlacedBox(270, 100, 120, 30, 0)
    links = [Link(index, 4, 0.2) for index in (2, 0, 3, 1)]
    routes = route_edges([*sources, target], links, 540)
    arrivals = {link.source: route.tip[0] for link, route in zip(links, routes, strict=True)}
    ordered = [arrivals[index] for index in range(4)]
    assert ordered == sorted(ordered)
    assert all(after - before >= 10 for before, after in itertools.pairwise(ordered))


def test_downward_edges_arrive_from_above_and_level_ones_from_the_side() -> None:
    boxes = [PlacedBox(100, 100, 80, 30, 0), PlacedBox(300, 300, 80, 30, 0), PlacedBox(300, 100, 80, 30, 0)]
    down, level, back = route_edges(boxes, [Link(0, 1, 0.2), Link(0, 2, 0.2), Link(2, 0, 0.1)], 400)
    assert (down.direction, level.direction, back.direction) == ((0, 1), (1, 0), (-1, 0))
    assert down.tip[1] == 300 - 15 - 3
    assert (level.tip[0], back.tip[0]) == (300 - 40 - 3, 100 + 40 + 3)


def test_routes_are_the_same_every_time() -> None:
    boxes, links = boxes_and_links(5, 20)
    layout = circuit_layout(boxes, 729, 420)
    assert route_edges(layout.boxes, links, 729) == route_edges(layout.boxes, links, 729)


def test_weak_edges_are_left_out_but_every_box_keeps_its_strongest() -> None:
    links = [
        Link(0, 1, 0.5),
        Link(2, 1, LEAST_SHARE / 2),
        Link(0, 3, 0.01),
        Link(2, 3, -0.02),
        Link(1, 4, -LEAST_SHARE),
    ]
    assert visible_links(links) == (links[0], links[3], links[4])
    assert visible_links(links, 0) == tuple(links)
    assert visible_links(links, 1) == (links[0], links[3], links[4])
    assert visible_links([*links, Link(0, 4, 0.03)], 0.02) == (*links[:2], *links[3:], Link(0, 4, 0.03))


def test_width_grows_with_the_share_whatever_its_sign() -> None:
    widths = [edge_width(share) for share in (0.0, 0.01, -0.1, 0.4, -1.0, 3.0)]
    assert widths == sorted(widths)
    assert edge_width(0.3) == edge_width(-0.3)


def test_a_long_map_edge_bows_out_of_its_own_column() -> None:
    straight = map_edge(100, 300, 5, 100, 250, 5)
    bowed = map_edge(100, 300, 5, 100, 20, 5)
    aside = map_edge(100, 300, 5, 200, 20, 5)
    assert straight[2] == 100
    assert bowed[2] > 110
    assert aside[2] == 100
    assert (bowed[1], bowed[7]) == (295, 25)
