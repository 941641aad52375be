"""The layout: the numbers of the fixture, nothing on anything else, everything inside, order kept."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuit_widget.figure.layout.circuit_layout import (
    BOX_HEIGHT,
    BOX_TEXT,
    LINE_STEP,
    WHOLE_ROWS,
    LayoutBox,
    PlacedBox,
    circuit_layout,
)
from circuit_widget.figure.layout.map_layout import MapLayout, MapNode, columns_with_text, map_layout
from circuit_widget.wording.text import mono_width, printable, shorten, text_width, token_label, wrapped
from tests.figure.cases import DALLAS, boxes_and_links, fixture, map_nodes, numbered, stored

FIXTURE = Path(__file__).parents[1] / "fixtures" / "layout.json"


def differences(actual: Any, expected: Any, path: str = "") -> list[str]:
    if isinstance(expected, float) or (isinstance(expected, int) and not isinstance(expected, bool)):
        return [] if math.isclose(actual, expected, abs_tol=1e-6) else [f"{path}: {actual} for {expected}"]
    if isinstance(expected, dict):
        return [text for key in expected for text in differences(actual[key], expected[key], f"{path}.{key}")]
    if isinstance(expected, list | tuple):
        if len(actual) != len(expected):
            return [f"{path}: {len(actual)} items for {len(expected)}"]
        return [text for at, one in enumerate(expected) for text in differences(actual[at], one, f"{path}[{at}]")]
    return [] if actual == expected else [f"{path}: {actual!r} for {expected!r}"]


def test_the_layout_gives_the_numbers_that_check_the_frontend() -> None:
    expected = json.loads(FIXTURE.read_text())
    found = fixture()
    assert found.keys() == expected.keys()
    assert differences(found, expected) == []


def distance(layout: MapLayout, one: int, other: int) -> float:
    return math.hypot(layout.x[one] - layout.x[other], layout.y[one] - layout.y[other])


@pytest.mark.parametrize("seed", range(6))
def test_nodes_do_not_overlap_where_there_is_room(seed: int) -> None:
    nodes = map_nodes(seed, 70, 9, 4)
    layout = map_layout(nodes, DALLAS, numbered(4), 740, 400)
    for one, other in itertools.combinations(range(len(nodes)), 2):
        assert distance(layout, one, other) >= layout.radius[one] + layout.radius[other] - 1e-6


@pytest.mark.parametrize(("width", "height"), [(740, 400), (351, 300), (200, 160), (1400, 700)])
@pytest.mark.parametrize("count", [0, 5, 80, 400])
def test_nodes_stay_in_their_cell(count: int, width: float, height: float) -> None:
    nodes = map_nodes(11, count, 9, 12)
    layout = map_layout(nodes, DALLAS, numbered(12), width, height)
    columns = {column.position: column for column in layout.columns}
    for index, node in enumerate(nodes):
        column, row = columns[node.position], layout.rows[node.layer + 1]
        assert column.x0 - 1e-6 <= layout.x[index] <= column.x1 + 1e-6
        assert abs(layout.y[index] - row.y) <= row.height / 2 + 1e-6
        assert not row.in_band
    assert layout.columns[-1].x1 <= width
    assert [row.y for row in layout.rows] == sorted((row.y for row in layout.rows), reverse=True)


def test_the_most_influential_node_of_a_cell_is_largest_and_first() -> None:
    influences = (0.1, 0.5, 0.02, 0.3)
    nodes = [MapNode("feature", 1, 2, influence) for influence in influences]
    layout = map_layout(nodes, DALLAS, numbered(4), 740, 400)
    by_place = sorted(range(4), key=lambda index: layout.x[index])
    assert by_place == [1, 3, 0, 2]
    assert sorted(layout.radius, reverse=True) == [layout.radius[index] for index in by_place]


def test_a_position_without_visible_nodes_has_no_column() -> None:
    nodes = [MapNode("token", -1, position, 0.1) for position in (1, 4)]
    layout = map_layout(nodes, DALLAS, numbered(4), 740, 400)
    assert [column.position for column in layout.columns] == [1, 4, 5]
    assert layout.columns[0].x1 == pytest.approx(layout.columns[1].x0)


def test_three_positions_in_a_row_without_visible_nodes_are_one_band_with_their_number() -> None:
    nodes = [MapNode("token", -1, position, 0.1) for position in (3, 5, 6)] + [MapNode("feature", 1, 60, 0.2)]
    layout = map_layout(nodes, ["the"] * 1_500, numbered(4), 740, 400)
    bands = {(column.position, column.last): column.text for column in layout.columns if column.last > column.position}
    assert bands == {(0, 2): "3 tokens", (7, 59): "53 tokens", (61, 1_499): "1,439 tokens"}
    assert [column.position for column in layout.columns if column.last == column.position] == [3, 5, 6, 60]
    assert all(before.x1 == pytest.approx(after.x0) for before, after in itertools.pairwise(layout.columns))


@pytest.mark.parametrize("count", [40, 200, 2_000])
def test_texts_of_a_long_prompt_are_never_written_over_each_other(count: int) -> None:
    tokens = [MapNode("token", -1, position, 0.001) for position in range(count)]
    busy = [3, count // 2, count - 1]
    outputs = [MapNode("logit", 4, count - 1, 0.0) for _ in range(3)]
    layout = map_layout(
        [*tokens, *(MapNode("feature", 1, at, 0.1) for at in busy), *outputs], ["the"] * count, numbered(4), 500, 300
    )
    assert layout.slanted
    assert distance(layout, -1, -2) >= layout.radius[-1] + layout.radius[-2]
    found = columns_with_text(layout.columns)
    assert set(busy) <= set(found)
    assert len(found) > 10
    middles = [(layout.columns[at].x0 + layout.columns[at].x1) / 2 for at in found]
    assert all(other - one >= 17 - 1e-6 for one, other in itertools.pairwise(middles))
    assert {layout.y[at] for at in range(count)} == {layout.rows[0].y}
    wide = [column.x1 - column.x0 for column in layout.columns]
    assert min(wide[at] for at in busy) > 1.5 * min(wide)
    assert len(columns_with_text(layout.columns, 3.0)) >= len(found)


@pytest.mark.parametrize("height", [300, 900])
def test_layers_without_nodes_are_thin_bands_and_rows_with_many_are_high(height: float) -> None:
    few = [MapNode("feature", layer, 3, 0.01) for layer in (0, 1, 9, 20)]
    crowd = [MapNode("feature", 9, 1, 0.01) for _ in range(40)]
    ends = [MapNode("token", -1, 1, 0.1), MapNode("token", -1, 3, 0.1), MapNode("logit", 26, 3, 0.0)]
    layout = map_layout([*few, *crowd, *ends], DALLAS, numbered(26), 240, height)
    rows = layout.rows
    assert [row.in_band for row in rows] == [layer not in (-1, 0, 1, 9, 20, 26) for layer in range(-1, 27)]
    bands = [math.fsum(rows[layer + 1].height for layer in run) for run in (range(2, 9), range(10, 20), range(21, 26))]
    assert bands == pytest.approx([7.0, 7.0, 7.0])
    assert all(row.label == "" for row in rows if row.in_band)
    assert rows[10].height > rows[1].height + 20
    for below, above in itertools.pairwise(rows):
        assert below.y - above.y == pytest.approx((below.height + above.height) / 2)
    for one, other in itertools.combinations(range(4, 44), 2):
        assert distance(layout, one, other) >= layout.radius[one] + layout.radius[other] - 1e-6


def test_texts_are_slanted_where_nodes_need_their_room() -> None:
    tokens = [MapNode("token", -1, position, 0.1) for position in range(9)]
    crowd = [MapNode("feature", 1, 4, 0.01) for _ in range(90)]
    assert not map_layout(tokens, DALLAS, numbered(4), 560, 300).slanted
    assert map_layout([*tokens, *crowd], DALLAS, numbered(4), 560, 300).slanted


def test_layer_labels_thin_out_before_they_touch() -> None:
    layout = map_layout(map_nodes(1, 10, 9, 48), DALLAS, numbered(48), 740, 300)
    labelled = [row for row in layout.rows if row.label]
    assert (labelled[0].label, labelled[-1].label) == ("emb", "out")
    assert all(low.y - high.y >= 10.9 for low, high in itertools.pairwise(labelled))
    assert len(layout.rows) == 50


def test_tokens_too_wide_for_the_map_are_slanted_and_stay_inside() -> None:
    upright = map_layout(map_nodes(1, 10, 9, 4), DALLAS, numbered(4), 740, 300)
    narrow = map_layout(map_nodes(1, 10, 9, 4), DALLAS, numbered(4), 300, 300)
    assert (upright.slanted, narrow.slanted) == (False, True)
    for column in narrow.columns:
        length = mono_width(column.text, 11.5)
        assert (column.x0 + column.x1) / 2 - 0.766 * length >= 0
        assert narrow.token_y + 0.643 * length <= 300 + 11.5


def overlap(one: PlacedBox, other: PlacedBox) -> bool:
    return abs(one.x - other.x) < (one.w + other.w) / 2 and abs(one.y - other.y) < (one.h + other.h) / 2


def inside(box: PlacedBox, width: float, height: float) -> bool:
    across = box.w / 2 - 1e-6 <= box.x <= width - box.w / 2 + 1e-6
    return across and box.h / 2 - 1e-6 <= box.y <= height - box.h / 2 + 1e-6


@pytest.mark.parametrize("arrange", [lambda boxes, seed: boxes, stored], ids=["by layer", "some placed by hand"])
@pytest.mark.parametrize("count", [1, 6, 14, 25])
@pytest.mark.parametrize(("width", "height"), [(460, 400), (729, 420), (351, 420)])
@pytest.mark.parametrize("seed", range(4))
def test_boxes_never_overlap_and_stay_inside(seed: int, width: float, height: float, count: int, arrange: Any) -> None:
    boxes = arrange(boxes_and_links(seed, count)[0], seed)
    layout = circuit_layout(boxes, width, height)
    assert [one for one in layout.boxes if not inside(one, width, height)] == []
    assert [pair for pair in itertools.combinations(layout.boxes, 2) if overlap(*pair)] == []


@given(
    st.lists(
        st.builds(
            LayoutBox,
            st.text(st.characters(codec="utf-8"), min_size=1, max_size=12),
            st.integers(1, 9),
            st.floats(0, 5),
            st.floats(1, 9),
            st.just(False),
            st.none(),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_higher_layers_are_higher_and_later_positions_further_right(boxes: list[LayoutBox]) -> None:
    layout = circuit_layout(boxes, 900, 700)
    for (one, first), (other, second) in itertools.permutations(zip(boxes, layout.boxes, strict=True), 2):
        if math.floor(one.layer + 0.5) < math.floor(other.layer + 0.5):
            assert first.y > second.y
        if first.y == second.y and one.position < other.position:
            assert first.x < second.x


def test_boxes_are_made_a_little_smaller_before_those_of_a_layer_are_put_into_several_lines() -> None:
    tokens = [LayoutBox(name, 1, -1, at, alone=True) for at, name in ((3, "capital"), (8, "Dallas"), (9, "is"))]
    groups = [LayoutBox(name, 1, 0, at) for at, name in ((3, "capital at capital"), (8, "Dallas"), (9, "is"))]
    layout = circuit_layout([*tokens, *groups], 270, 400)
    assert len({round(box.y) for box in layout.boxes}) == 2
    assert layout.text_size == pytest.approx(BOX_TEXT * WHOLE_ROWS)
    assert [box.x for box in layout.boxes[3:]] == sorted(box.x for box in layout.boxes[3:])
    narrow = circuit_layout([*tokens, *groups], 180, 400)
    assert len({round(box.y) for box in narrow.boxes}) == 4, "smaller text would not be read"
    assert narrow.text_size == BOX_TEXT


def test_a_stored_place_is_kept_and_the_others_stay_where_they_were() -> None:
    boxes = boxes_and_links(3, 8)[0]
    before = circuit_layout(boxes, 900, 700).boxes
    others = before[:2] + before[3:]
    spots = [(x / 20, y / 20) for x in range(3, 18) for y in range(2, 19)]
    free = next(
        (x, y) for x, y in spots if all(abs(box.x - 900 * x) > 190 or abs(box.y - 700 * y) > 60 for box in others)
    )
    moved = [box._replace(stored=free) if index == 2 else box for index, box in enumerate(boxes)]
    after = circuit_layout(moved, 900, 700).boxes
    assert (after[2].x, after[2].y) == pytest.approx((900 * free[0], 700 * free[1]))
    assert [one for index, one in enumerate(after) if index != 2] == [
        one for index, one in enumerate(before) if index != 2
    ]


def test_cards_say_that_a_box_holds_several() -> None:
    boxes = [LayoutBox("x", members, 0, position) for position, members in enumerate((1, 2, 3, 40))]
    layout = circuit_layout(boxes, 900, 300)
    assert [box.cards for box in layout.boxes] == [0, 1, 2, 2]


def test_text_is_measured_and_cut_by_what_is_seen() -> None:
    assert text_width("", 12) == 0
    assert text_width("東京", 10) == 20
    assert text_width("e\u0301", 10) == text_width("e", 10)
    assert shorten("capital", 400, 12) == "capital"
    cut = shorten("a rather long name", 60, 12)
    assert cut.endswith("…")
    assert text_width(cut, 12) <= 60
    assert mono_width(shorten("東京特許許可局", 40, 11.5, True), 11.5) <= 40


def test_a_long_name_is_broken_into_lines_of_similar_width() -> None:
    assert wrapped("capital", 152, 12, 3) == ("capital",)
    assert wrapped("say the capital of the state", 152, 12, 3) == ("say the capital", "of the state")
    long = "a name that goes on and on and on, and then on again, without an end in sight"
    lines = wrapped(long, 152, 12, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert long.startswith(" ".join(lines).removesuffix("…"))
    assert all(text_width(line, 12) <= 152 for line in lines)
    # A word that no line has room for is cut, and what follows it is not lost.
    word, rest = wrapped("Donaudampfschifffahrtsgesellschaft ships", 100, 12, 3)
    assert word.endswith("…")
    assert rest == "ships"


def test_boxes_are_as_high_as_their_names_and_never_overlap() -> None:
    names = ("Texas", "say the capital of the state", "a name that goes on and on and on, and then on again and again")
    boxes = [LayoutBox(names[index % 3], 3, index // 3, index % 3) for index in range(18)]
    for width, height in ((460, 400), (740, 620), (351, 300)):
        layout = circuit_layout(boxes, width, height)
        scale = layout.text_size / BOX_TEXT
        assert [round(box.h / scale, 6) for box in layout.boxes[:3]] == [
            BOX_HEIGHT,
            BOX_HEIGHT + LINE_STEP,
            BOX_HEIGHT + 2 * LINE_STEP,
        ]
        for one, other in itertools.combinations(layout.boxes, 2):
            assert abs(one.x - other.x) >= (one.w + other.w) / 2 or abs(one.y - other.y) >= (one.h + other.h) / 2


def test_token_text_becomes_one_visible_line() -> None:
    assert token_label(" Dallas") == "Dallas"
    assert token_label("  ") == "··"
    assert token_label("\n\t") == "\\n\\t"
    assert token_label("\u202eevil\x00") == "\ufffdevil\ufffd"
    assert token_label("x" * 40) == "x" * 15 + "…"
    assert printable("a\u2066b\nc") == "a\ufffdb\\nc"


@pytest.mark.parametrize("width", [900, 740, 594])
def test_outputs_are_in_one_line_side_by_side(width: float) -> None:
    nodes = map_nodes(4, 120, 9, 4, logits=10)
    layout = map_layout(nodes, DALLAS, numbered(4), width, 360)
    outputs = [index for index, node in enumerate(nodes) if node.kind == "logit"]
    assert {layout.y[index] for index in outputs} == {layout.rows[-1].y}
    for one, other in itertools.pairwise(outputs):
        assert layout.x[other] - layout.x[one] >= layout.radius[one] + layout.radius[other]


@pytest.mark.parametrize("width", [400, 586, 537])
def test_a_proposed_circuit_with_long_names_has_room_in_a_cell(width: int) -> None:
    long = ["say Paris at is, layers 24 to 29", "from “capital” at capital, layers 0 to 12", "name " * 16, "is"]
    groups = [LayoutBox(long[at % 4], 12, at * 1.6, at % 5) for at in range(8)]
    tokens = [LayoutBox("containing", 1, -1, at, True) for at in range(5)]
    outputs = [LayoutBox("Austin", 1, 14, 5, True) for _ in range(3)]
    boxes = circuit_layout([*groups, *tokens, *outputs], width, 360).boxes
    for one, other in itertools.combinations(boxes, 2):
        assert abs(one.x - other.x) >= (one.w + other.w) / 2 or abs(one.y - other.y) >= (one.h + other.h) / 2
    assert all(one.w / 2 <= one.x <= width - one.w / 2 and one.h / 2 <= one.y <= 360 - one.h / 2 for one in boxes)
