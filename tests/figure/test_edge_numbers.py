"""Numbers on edges: on their edges, clear of boxes and of each other, and the same as on screen."""

from itertools import combinations

import pytest

from circuit_widget.figure.figure import make_figure
from circuit_widget.figure.layout.circuit_layout import circuit_layout
from circuit_widget.figure.layout.edge_numbers import NUMBER_HEIGHT, box_area, number_places
from circuit_widget.figure.layout.map_labels import Area
from circuit_widget.figure.layout.routing import Route, route_edges, visible_links
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.scene import Label
from tests.figure.cases import boxes_and_links
from tests.figure.graphs import circuit_of_dallas, dallas, texas_ablated

WIDTH = 34.0


def overlap(one: Area, other: Area) -> bool:
    return one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1


@pytest.mark.parametrize("seed", range(20))
def test_numbers_cover_no_box_no_other_number_and_no_end_of_the_page(seed: int) -> None:
    boxes, links = boxes_and_links(seed, 4 + seed)
    width, height = 320.0 + 40 * (seed % 8), 420.0
    placed = circuit_layout(boxes, width, height).boxes
    routes = route_edges(placed, visible_links(links), width)
    taken = [box_area(box) for box in placed]
    found = number_places(taken, routes, [WIDTH] * len(routes), width, height)
    assert len(found) == len(routes)
    areas = [
        Area(x - WIDTH / 2, y - NUMBER_HEIGHT / 2, x + WIDTH / 2, y + NUMBER_HEIGHT / 2) for x, y in filter(None, found)
    ]
    assert 2 * len(areas) >= len(routes)
    assert not any(overlap(area, box) for area in areas for box in taken)
    assert not any(overlap(one, other) for one, other in combinations(areas, 2))
    assert all(area.x0 >= 0 and area.y0 >= 0 and area.x1 <= width and area.y1 <= height for area in areas)


def test_a_number_is_at_the_middle_of_its_edge_or_else_beside_what_is_there_or_left_out() -> None:
    route = Route((0.0, 50.0, 100.0, 50.0, 200.0, 50.0, 300.0, 50.0), (303.0, 50.0), (1.0, 0.0), 2.0)
    assert number_places([], [route], [WIDTH], 300, 100) == ((150.0, 50.0),)
    ((x, y),) = filter(None, number_places([Area(140, 40, 160, 60)], [route], [WIDTH], 300, 100))
    assert y == 50
    assert WIDTH / 2 + 10 <= abs(x - 150) < WIDTH / 2 + 25
    assert number_places([Area(0, 40, 300, 60)], [route], [WIDTH], 300, 100) == (None,)


def test_a_figure_has_the_numbers_of_its_circuit() -> None:
    def numbers(circuit_has_them: bool) -> list[str]:
        circuit = circuit_of_dallas().number_edges(circuit_has_them)
        figure = make_figure(dallas(), circuit, texas_ablated(dallas()), part="circuit", width=5.5)
        return [
            item.text
            for item in figure.scene.items
            if isinstance(item, Label) and item.text[0] in "+−" and item.color in (style.EXCITE, style.INHIBIT)
        ]

    plain = numbers(False)
    written = numbers(True)
    assert len(written) > len(plain)
    assert all(text.endswith("%") for text in written if text not in plain)
