"""Figures: what the screen shows is in them, whatever the text says, in every format, with the recipe."""

import shutil
import struct
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import replace
from operator import mul
from pathlib import Path
from xml.etree import ElementTree

import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.display.visible_graph import visible_graph
from circuit_widget.errors import FigureError, NodeError
from circuit_widget.figure.figure import Figure, make_figure
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.map_scene import node_marks
from circuit_widget.figure.scene.scene import Circle, Curves, Label, Polygon, Rectangle
from circuit_widget.intervention import Effect
from circuit_widget.wording.names import token_text
from circuit_widget.wording.numbers import probability
from tests.figure.graphs import (
    HOSTILE,
    HOSTILE_ANSWERS,
    california_swapped_in,
    circuit_of_dallas,
    dallas,
    effect_on,
    texas_ablated,
)

SVG = "{http://www.w3.org/2000/svg}"
GRAPH = dallas()
CIRCUIT = circuit_of_dallas()


def texts(figure: Figure) -> list[str]:
    return [item.text for item in figure.scene.items if isinstance(item, Label)]


def label(figure: Figure, text: str) -> Label:
    (found,) = [item for item in figure.scene.items if isinstance(item, Label) and item.text == text]
    return found


def hostile_figure() -> Figure:
    graph = dallas(HOSTILE, HOSTILE_ANSWERS, {"1_3_7": "</text><script>x</script>"})
    circuit = CIRCUIT.rename("Texas", '"><img src=x onerror=alert(1)>').pin(["1_33_7"]).label("1_33_7", "]]>&<")
    return make_figure(graph, circuit, texas_ablated(graph), title="</title><script>alert(2)</script>\x07")


def test_the_svg_is_well_formed_and_nothing_in_it_runs() -> None:
    figure = hostile_figure()
    root = ElementTree.fromstring(figure.svg())
    allowed = {"svg", "title", "desc", "metadata", "rect", "path", "polygon", "circle", "text"}
    assert {element.tag.removeprefix(SVG) for element in root.iter() if "recipe" not in element.tag} <= allowed
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not any(name.startswith("on") or "href" in name or name == "style" for name in attributes)
    assert "<script" not in figure.svg()
    written = [element.text for element in root.iter(f"{SVG}text")]
    assert '"><img src=x onerror=alert(1)>'[:12] in " ".join(text or "" for text in written)
    assert "</title><script>alert(2)</script>\ufffd" in written


def test_hostile_text_is_drawn_as_it_is() -> None:
    found = texts(hostile_figure())
    assert "\\n" in found
    assert "··" in found
    assert "東京" in found
    assert any(text.startswith("]]>&<") for text in found)
    assert not any("\u202e" in text or "\x00" in text for text in found)


def test_the_svg_has_real_sizes() -> None:
    figure = make_figure(GRAPH, CIRCUIT, width=3.25)
    root = ElementTree.fromstring(figure.svg())
    assert root.get("width") == "3.25in"
    assert root.get("viewBox") == f"0 0 351 {figure.scene.height:g}"
    points = {72 / style.PX_PER_INCH * item.size for item in figure.scene.items if isinstance(item, Label)}
    assert min(points) >= 7
    assert max(points) <= 9


def test_the_map_shows_tokens_layers_answers_and_how_much_is_visible() -> None:
    figure = make_figure(GRAPH, part="map")
    found = texts(figure)
    assert [text for text in found if text in ("capital", "Dallas", "containing")] == [
        "capital",
        "containing",
        "Dallas",
    ]
    assert {"emb", "0", "3", "out", "Austin 0.91", "excites", "inhibits"} <= set(found)
    assert f"{len(visible_graph(GRAPH, Circuit()).nodes)} of {GRAPH.n_nodes} nodes" in found


def test_answers_whose_probability_would_read_zero_are_not_named() -> None:
    targets = (*GRAPH.targets[:2], replace(GRAPH.targets[2], probability=0.004))
    found = texts(make_figure(replace(GRAPH, targets=targets), part="map"))
    assert "Houston 0.05" in found
    assert not any(text.startswith("Texas") for text in found)


def test_the_display_rule_is_that_of_the_screen() -> None:
    visible = visible_graph(GRAPH, Circuit(node_threshold=0.5, edge_threshold=0.9))
    ranked = GRAPH.n_features + GRAPH.n_errors
    by_rule = {
        node
        for node in range(GRAPH.n_nodes)
        if node >= ranked or GRAPH.share[node] <= max(0.5, GRAPH.share[: GRAPH.weights.shape[1]].min())
    }
    first = ranked
    fed = set(visible.source.tolist())
    assert set(visible.nodes.tolist()) == by_rule - ({first} - fed)
    kept = set(visible.nodes.tolist())
    assert fed <= kept
    assert set(visible.target.tolist()) <= kept
    # Above the threshold is the strongest edge of a node, and nothing else.
    above = visible.source[visible.score > 0.9].tolist()
    assert len(above) == len(set(above)) > 0
    assert all((visible.source[visible.score <= 0.9] != source).all() for source in above)
    rows = {int(node): row for row, node in enumerate(GRAPH.row_nodes)}
    for source, target, share in zip(visible.source, visible.target, visible.share, strict=True):
        row = GRAPH.weights[rows[int(target)]]
        assert share == pytest.approx(row[source] / abs(row).sum(), rel=1e-5)


def test_a_pinned_or_grouped_node_is_visible_whatever_its_share() -> None:
    weakest = GRAPH.node_ids[int(GRAPH.share[: GRAPH.n_features].argmax())]
    place = GRAPH.index(weakest)
    thin = Circuit(node_threshold=0.1)
    assert place not in visible_graph(GRAPH, thin).nodes
    assert place in visible_graph(GRAPH, thin.pin([weakest])).nodes
    assert place in visible_graph(GRAPH, thin.group("weak", [weakest])).nodes


def test_the_circuit_shows_boxes_and_what_the_effect_did() -> None:
    figure = make_figure(GRAPH, CIRCUIT, texas_ablated(GRAPH), part="circuit")
    found = texts(figure)
    assert {"ablate Texas ×0", "×0", "nothing frozen", "0.91 → 0.04"} <= set(found)
    # Once beside its box, once beside its bar; the box that is clamped says only what was done to it.
    assert [found.count(text) for text in ("18%", "42%", "115%", "0%")] == [2, 2, 2, 1]
    beside = {item.text: item.color for item in figure.scene.items if isinstance(item, Label) and item.bold}
    assert beside["42%"] == style.INHIBIT
    assert beside["115%"] == style.EXCITE


def test_a_suppressed_box_is_faded_and_the_others_are_not() -> None:
    figure = make_figure(GRAPH, CIRCUIT, texas_ablated(GRAPH), part="circuit")
    colors = {item.text: item.color for item in figure.scene.items if isinstance(item, Label) and item.bold}
    assert colors["say Texas"] == style.INK
    assert colors["say Austin"] != style.INK
    assert colors["Texas"] == colors["say Austin"]


def test_percentages_are_ratios_of_summed_activations() -> None:
    first, second, *_ = CIRCUIT.supernode("Dallas").nodes
    effect = effect_on(GRAPH, {first: 0.0, second: 2.0})
    measured, _ = effect.ratio(CIRCUIT.supernode("Dallas").nodes)
    figure = make_figure(GRAPH, CIRCUIT, effect, part="circuit")
    assert f"{100 * measured:.0f}%" in texts(figure)


def test_sign_is_color_and_form() -> None:
    figure = make_figure(GRAPH, CIRCUIT, part="circuit")
    lines = [item for item in figure.scene.items if isinstance(item, Curves) and item.paint.stroke]
    assert {(line.paint.stroke, bool(line.paint.dash)) for line in lines} == {
        (style.EXCITE, False),
        (style.INHIBIT, True),
    }
    heads = [item for item in figure.scene.items if isinstance(item, Polygon) and item.paint.fill == style.EXCITE]
    assert len(heads) == sum(line.paint.stroke == style.EXCITE for line in lines)
    assert not any(isinstance(item, Polygon) and item.paint.fill == style.INHIBIT for item in figure.scene.items)


def test_a_supernode_shows_its_hue_in_map_and_circuit() -> None:
    figure = make_figure(GRAPH, CIRCUIT)
    for group in CIRCUIT.supernodes:
        hue = style.SUPERNODES[group.color]
        rings = [item for item in figure.scene.items if isinstance(item, Circle) and item.paint.stroke == hue]
        edges = [item for item in figure.scene.items if isinstance(item, Curves) and item.paint.fill == hue]
        assert (len(rings), len(edges)) == (len(group.nodes), 1)


def test_the_legend_explains_what_is_drawn_and_nothing_else() -> None:
    alone = texts(make_figure(GRAPH, Circuit().pin([GRAPH.node_ids[0]]), part="circuit"))
    assert not {"excites", "inhibits", "feature", "error"} & set(alone)
    with_error = texts(make_figure(GRAPH, Circuit().pin(["2_-1_8"]), part="map"))
    assert {"feature", "error", "token", "output"} <= set(with_error)
    assert "error" not in texts(make_figure(GRAPH, part="map"))


def test_the_legend_says_how_many_edges_between_boxes_are_left_out() -> None:
    def entries(least_share: float | None) -> list[str]:
        figure = make_figure(GRAPH, CIRCUIT.cut_edges(least_share), part="circuit", width=5.5)
        return [text for text in texts(figure) if text.startswith("circuit: edges")]

    assert entries(0) == []
    (half,) = entries(0.5)
    (most,) = entries(1)
    assert half.startswith("circuit: edges from 50%, ")
    drawn, total = (int(number) for number in most.removeprefix("circuit: edges from 100%, ").split(" of "))
    assert 0 < drawn < total


def test_what_was_swapped_in_is_orange_and_named() -> None:
    figure = make_figure(GRAPH, CIRCUIT, california_swapped_in(GRAPH), part="circuit")
    found = texts(figure)
    assert {"California", "swap", "swap Texas from “Oakland”"} <= set(found)
    boxes = [item for item in figure.scene.items if isinstance(item, Rectangle) and item.paint.stroke == style.INJECTED]
    assert len(boxes) == 3, "two features: one card behind the box; and the legend's"


def along(path: tuple[float, ...]) -> Iterator[tuple[float, float]]:
    """Points of a run of cubics."""
    for at in range(0, len(path) - 2, 6):
        x0, y0, x1, y1, x2, y2, x3, y3 = path[at : at + 8]
        for t in (step / 40 for step in range(41)):
            weights = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3)
            yield (
                sum(map(mul, weights, (x0, x1, x2, x3))),
                sum(map(mul, weights, (y0, y1, y2, y3))),
            )


@pytest.mark.parametrize("width", [3.25, 5.5, 6.75, 12])
def test_edges_go_around_what_was_swapped_in(width: float) -> None:
    for stored in ({}, {"s1": (0.5, 0.5)}):
        circuit = replace(CIRCUIT, positions=stored)
        figure = make_figure(GRAPH, circuit, california_swapped_in(GRAPH), part="circuit", width=width)
        items = figure.scene.items
        *_, box, _ = (item for item in items if isinstance(item, Rectangle) and item.paint.stroke == style.INJECTED)
        edges = [item for item in items if isinstance(item, Curves) and item.paint.stroke and not item.closed]
        assert edges
        for x, y in (point for edge in edges for path in edge.paths for point in along(path)):
            assert not (box.x < x < box.x + box.w and box.y < y < box.y + box.h), (x, y, box)


def test_outputs_of_the_map_are_there_as_they_are_likely() -> None:
    def presence(effect: Effect | None) -> dict[str, float]:
        found = node_marks(GRAPH, CIRCUIT, effect).presence
        logits = GRAPH.node_ids[GRAPH.weights.shape[1] :]
        return {target.token: found[node] for node, target in zip(logits, GRAPH.targets, strict=True)}

    before = presence(None)
    for target in GRAPH.targets:
        assert before[target.token] == pytest.approx(max(0.3, target.probability**0.5))
    ablated = texas_ablated(GRAPH)
    after = dict(zip(ablated.tokens["token"], ablated.tokens["after"], strict=True))
    assert presence(ablated)["Austin"] == pytest.approx(max(0.3, after["Austin"] ** 0.5)) != before["Austin"]


@pytest.mark.parametrize("width", [2.0, 3.25, 5.5, 6.75, 12])
@pytest.mark.parametrize("part", ["map", "circuit", "both"])
def test_everything_is_inside_the_page(part: str, width: float) -> None:
    figure = make_figure(GRAPH, CIRCUIT, texas_ablated(GRAPH), part=part, width=width)
    scene = figure.scene
    assert scene.width == 108 * width
    for item in scene.items:
        if isinstance(item, Rectangle):
            assert -0.5 <= item.x <= item.x + item.w <= scene.width + 0.5, item
            assert -0.5 <= item.y <= item.y + item.h <= scene.height + 0.5, item
        if isinstance(item, Circle | Label):
            assert 0 <= item.x <= scene.width, item
            assert 0 <= item.y <= scene.height, item


def test_both_without_a_circuit_is_the_map() -> None:
    assert make_figure(GRAPH).scene.items == make_figure(GRAPH, part="both").scene.items
    assert "Austin 0.91" in texts(make_figure(GRAPH))


def test_figures_are_the_same_every_time() -> None:
    one, other = (make_figure(GRAPH, CIRCUIT, texas_ablated(GRAPH)) for _ in range(2))
    assert one.svg() == other.svg()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"part": "circuit"}, "has no boxes to draw: pin or group nodes first"),
        ({"part": "inspector"}, "map, circuit, both or intervention; given 'inspector'"),
        ({"width": 1}, "2 to 12 inches; given 1"),
        ({"width": float("nan")}, "2 to 12 inches; given nan"),
        ({"width": "6.75"}, "2 to 12 inches; given '6.75'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(FigureError, match=message):
        make_figure(GRAPH, **wrong)


def test_a_circuit_of_another_graph_is_refused() -> None:
    with pytest.raises(NodeError, match="3_1_2"):
        make_figure(GRAPH, Circuit().pin(["3_1_2"]))


def test_the_pdf_holds_real_text_at_its_size(tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    file = make_figure(GRAPH, CIRCUIT, texas_ablated(GRAPH), width=5.5).save(tmp_path / "dallas.pdf")
    text = subprocess.run(["pdftotext", file, "-"], capture_output=True, text=True, check=True).stdout
    for words in ("containing", "say Austin", "0.91 → 0.04", "ablate Texas ×0", "18%"):
        assert words in text
    facts = subprocess.run(["pdfinfo", file], capture_output=True, text=True, check=True).stdout
    assert "Pages:           1" in facts
    assert "Page size:       396 x" in facts
    fonts = subprocess.run(["pdffonts", file], capture_output=True, text=True, check=True).stdout
    assert "Inter-Regular" in fonts
    assert "NotoSansMono" in fonts


def test_a_hostile_pdf_is_a_pdf() -> None:
    assert hostile_figure().pdf().startswith(b"%PDF-")


@pytest.mark.parametrize("dpi", [72, 300, 450.5])
def test_a_png_has_the_requested_size_and_states_its_resolution(dpi: float) -> None:
    figure = make_figure(GRAPH, CIRCUIT, part="circuit", width=3.25)
    png = figure.png(dpi)
    width, height = struct.unpack(">II", png[16:24])
    assert abs(width - 3.25 * dpi) <= 1
    assert abs(height - figure.scene.height * dpi / 108) <= 1
    per_metre = struct.unpack(">II", png[png.index(b"pHYs") + 4 :][:8])
    assert per_metre == (round(dpi / 0.0254),) * 2


def test_a_png_has_300_dots_to_the_inch_by_default(tmp_path: Path) -> None:
    figure = make_figure(GRAPH, CIRCUIT, part="circuit", width=3.25)
    for png, dpi in (
        (figure.png(), 300),
        (figure.save(tmp_path / "a.png").read_bytes(), 300),
        (figure.save(tmp_path / "b.png", dpi=100).read_bytes(), 100),
    ):
        assert struct.unpack(">I", png[16:20]) == (round(3.25 * dpi),)


def test_a_png_is_not_blank_and_every_chunk_is_whole() -> None:
    png = make_figure(GRAPH, CIRCUIT, part="circuit", width=2).png(108)
    at, pixels = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + body),)
        pixels += body if kind == b"IDAT" else b""
        at += 12 + length
    assert len(set(zlib.decompress(pixels))) > 50


def test_a_figure_of_9_inches_at_100_dots_is_900_dots_wide() -> None:
    assert struct.unpack(">I", make_figure(GRAPH, width=9).png(100)[16:20]) == (900,)


@pytest.mark.parametrize("dpi", [0, -1, 0.0001, 1e6, float("nan"), float("inf")])
def test_a_png_too_small_or_too_large_is_refused(dpi: float) -> None:
    with pytest.raises(FigureError, match="1 to 20,000 dots"):
        make_figure(GRAPH).png(dpi)


def test_a_notebook_shows_the_figure() -> None:
    figure = make_figure(GRAPH)
    assert figure._repr_svg_() == figure.svg()
    assert figure._repr_mimebundle_()["image/svg+xml"] == figure.svg()
    assert "the capital of the state containing Dallas is" in figure._repr_mimebundle_()["text/plain"]


def test_a_new_answer_is_a_dashed_box_with_its_probabilities_beside_it() -> None:
    figure = make_figure(GRAPH, CIRCUIT, texas_ablated(GRAPH), part="circuit")
    answer, labels = GRAPH.targets[1], [one for one in figure.scene.items if isinstance(one, Label)]
    boxes = [one for one in figure.scene.items if isinstance(one, Rectangle) and one.paint.stroke == style.ANSWER]
    box = next(one for one in boxes if one.paint.dash)
    inside = [one for one in labels if box.x < one.x < box.x + box.w and box.y < one.y < box.y + box.h]
    assert [(one.text, one.color) for one in inside] == [(token_text(answer.token), style.ANSWER)]
    text = f"{probability(answer.probability)} → 0.30"
    beside = [one for one in labels if one.text == text and one.y == inside[0].y and one.x > box.x + box.w]
    assert [one.color for one in beside] == [style.EXCITE]


def test_a_new_answer_is_not_there_without_an_effect() -> None:
    assert token_text(GRAPH.targets[1].token) not in texts(make_figure(GRAPH, CIRCUIT, part="circuit"))
