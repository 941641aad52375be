"""Bad input of figures: each is refused with a sentence that says what to do, or the figure of it is right."""

import io
import math
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pypdf
import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import CircuitError, FigureError
from circuit_widget.figure.figure import Figure, Part, make_figure
from circuit_widget.figure.panels import panels
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.scene import Circle, Curves, Item, Label, Lines, Polygon, Rectangle
from circuit_widget.graph import Graph
from circuit_widget.intervention import Effect
from tests.figure.graphs import circuit_of_dallas, dallas, texas_ablated
from tests.figure.test_overlaps import box_conflicts, conflicts, text_area

GRAPH = dallas()
CIRCUIT = circuit_of_dallas()
EFFECT = texas_ablated(GRAPH)
PARTS: tuple[Part, ...] = ("circuit", "both", "intervention")
LONG = 10_000
FORMATS = ("svg", "pdf", "png", "tex", "html")


def texts(figure: Figure) -> list[str]:
    return [item.text for item in figure.scene.items if isinstance(item, Label)]


def numbers_of(item: Item) -> Sequence[float]:
    """The places and sizes of an item."""
    match item:
        case Label():
            return (item.x, item.y, item.size)
        case Rectangle():
            return (item.x, item.y, item.w, item.h)
        case Circle():
            return (item.x, item.y, item.radius)
        case Polygon():
            return [number for point in item.points for number in point]
        case Lines():
            return [number for segment in item.segments for number in segment]
        case Curves():
            return [number for path in item.paths for number in path]


def check_sound(figure: Figure) -> None:
    """Every place is a number, nothing covers anything or leaves the page, and the file is an SVG without "nan"."""
    assert all(math.isfinite(number) for item in figure.scene.items for number in numbers_of(item))
    assert conflicts(figure.scene) == box_conflicts(figure.scene) == []
    drawn = re.sub(r"<metadata>.*?</metadata>", "", figure.svg(), flags=re.DOTALL)
    assert not re.search(r"\bnan\b|\binf\b", drawn, re.IGNORECASE)
    ElementTree.fromstring(figure.svg())


def box_names(figure: Figure) -> set[str]:
    return {item.text for item in figure.scene.items if isinstance(item, Label) and item.anchor == "middle"}


def without_edges() -> Graph:
    """The graph where no node has an effect on any other one, so that none has influence."""
    names = [
        "tokens", "targets", "position", "n_layers", "feature_layer", "feature_position", "feature_index", "activation",
        "error_layer", "error_position", "token_position", "labels", "recipe",
    ]  # fmt: skip
    parts: dict[str, Any] = {name: getattr(GRAPH, name) for name in names}
    return Graph.build(**parts, weights=np.zeros_like(GRAPH.weights))


def broken(effect: Effect, column: str, number: float = math.nan) -> Effect:
    """The effect where all activations and probabilities of a column are the same number."""
    tokens = effect.tokens.assign(**{column: number, f"logit_{column}": number})
    logits = {f"logits_{column}": np.full(2, number, dtype=np.float32)}
    return replace(effect, nodes=effect.nodes.assign(**{column: number}), tokens=tokens, **logits)


@pytest.mark.parametrize("part", ["circuit", "intervention"])
def test_a_circuit_without_boxes_is_refused_in_words(part: Part) -> None:
    with pytest.raises(
        FigureError, match="The circuit has no boxes to draw: pin or group nodes first, or draw the map"
    ):
        make_figure(GRAPH, Circuit(), EFFECT, part)


def test_panels_of_a_circuit_without_boxes_are_the_map_and_the_bars() -> None:
    figure = panels([(GRAPH, Circuit()), (GRAPH, Circuit(), EFFECT)])
    found = texts(figure)
    assert {"a", "emb", "b", "next token: probability before → after"} <= set(found)
    check_sound(figure)


def test_an_empty_widget_has_the_figure_of_its_map() -> None:
    widget = GRAPH.show()
    assert "emb" in texts(widget.figure())
    with pytest.raises(FigureError, match="no boxes to draw"):
        widget.figure("circuit")
    widget.close()


@pytest.mark.parametrize("part", ["map", *PARTS])
def test_a_graph_without_edges_has_all_boxes_and_no_edge_is_claimed(part: Part) -> None:
    graph = without_edges()
    assert not graph.influence[: graph.n_features].any()
    figure = make_figure(graph, CIRCUIT, texas_ablated(graph) if part != "map" else None, part)
    check_sound(figure)
    found = set(texts(figure))
    if part != "map":
        assert {group.name for group in CIRCUIT.supernodes} <= box_names(figure)
    assert not {"excites", "inhibits"} & found
    assert not [text for text in found if ": edges from" in text]
    if part in ("map", "both"):
        grouped = sum(len(box.nodes) for box in CIRCUIT.boxes() if box.name is not None)
        drawn = next(text for text in found if text.endswith(f" of {graph.n_nodes} nodes"))
        assert int(drawn.split()[0]) >= grouped, "what is in a group is displayed whatever its influence"


@pytest.mark.parametrize(("width", "part"), [(3.25, "circuit"), (5.5, "both"), (6.75, "intervention")])
def test_forty_boxes_have_their_names_whole(width: float, part: Part) -> None:
    circuit = Circuit()
    for number, node in enumerate(GRAPH.node_ids[:40]):
        circuit = circuit.group(f"group {number}", [node])
    figure = make_figure(GRAPH, circuit, EFFECT, part, width)
    check_sound(figure)
    assert {f"group {number}" for number in range(40)} <= box_names(figure)


@pytest.mark.parametrize("text", ["x" * LONG, "word " * (LONG // 5)], ids=["one word", "words"])
def test_a_text_of_ten_thousand_characters_is_cut_with_a_sign(text: str) -> None:
    with pytest.raises(CircuitError, match="A name has 1 to 80 characters; given"):
        CIRCUIT.rename("Texas", text)
    words = ("<bos>", text, "capital", text, "the", "state", text, "Dallas", "is")
    graph = dallas(words, (text, "Houston", "Texas"), {CIRCUIT.supernode("Texas").nodes[0]: text})
    effect = texas_ablated(graph)
    circuit = CIRCUIT.ungroup("Texas").pin(CIRCUIT.supernode("Texas").nodes[:1])
    figures = [make_figure(graph, circuit, effect, part, title=text) for part in PARTS]
    figures.append(panels({text: (graph, circuit, effect), "bars": effect}, 1, 3.25, title=text))
    for figure in figures:
        check_sound(figure)
        cut = [one for one in texts(figure) if one.endswith("…")]
        assert cut
        assert all(text.startswith(one[:-1].strip()) for one in cut if one[:2] == text[:2])
        assert max(len(one) for one in texts(figure)) < 300
    assert len(figures[0].latex()) < 3_000


def test_a_name_as_long_as_names_may_be_is_whole_or_cut_with_a_sign() -> None:
    for name in ("a long name of many words " * 4, "W" * 80):
        circuit = CIRCUIT.rename("Texas", name[:80].strip())
        for part in PARTS:
            figure = make_figure(GRAPH, circuit, EFFECT, part, 3.25)
            check_sound(figure)
            lines = [one for one in texts(figure) if one.strip("…") and name.startswith(one.strip("…").strip()[:8])]
            assert lines


@pytest.mark.parametrize("part", PARTS)
def test_scripts_without_glyphs_and_from_right_to_left_are_whole(part: Part) -> None:
    words = ("<bos>", "ما", "هي", "عاصمة", "ולמה", "state", "तमिल", "\U00013000\U00013001", "is")
    graph = dallas(words, ("أوستن", "חיפה", "\U00010380\U00010381"))
    names = {"Texas": "عاصمة الولاية", "say Texas": "\U00013000\U00013001", "Dallas": "למה 12 לא"}
    circuit = CIRCUIT
    for old, new in names.items():
        circuit = circuit.rename(old, new)
    figure = make_figure(graph, circuit, texas_ablated(graph), part, title="عاصمة (a) 12%")
    check_sound(figure)
    assert set(names.values()) <= box_names(figure)
    assert texts(figure)[0] == "عاصمة (a) 12%"
    with pytest.warns(UserWarning, match="Egyptian"):
        page = pypdf.PdfReader(io.BytesIO(figure.pdf())).pages[0].extract_text()
    assert "\U00013000" in page
    assert "למה" in page or "המל" in page, "a reader returns the letters in the order of reading, or of the page"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("column", ["before", "after", "predicted"])
def test_numbers_that_are_not_finite_are_dashes_without_bars_or_colour(column: str, part: Part) -> None:
    effect = broken(EFFECT, column)
    figure = make_figure(GRAPH, CIRCUIT, effect, part)
    check_sound(figure)
    found = texts(figure)
    labels = [item for item in figure.scene.items if isinstance(item, Label)]
    if column == "predicted":
        assert {"42%", "18%", "0.91 → 0.04"} <= set(found)
        return
    assert {"before": "– → 0.04", "after": "0.91 → –"}[column] in found
    assert found.count("–") >= 4, "beside each group that has activations and is not clamped"
    assert not {item.color for item in labels if "–" in item.text} & {style.INHIBIT, style.EXCITE}
    assert "below 30% of before" not in found, "nothing is faded for what is not known"


@pytest.mark.parametrize("column", ["before", "after", "predicted"])
def test_bars_of_numbers_that_are_not_finite_are_not_drawn(column: str) -> None:
    whole, less = panels([EFFECT], 1), panels([broken(EFFECT, column)], 1)
    check_sound(less)
    kind = Lines if column == "predicted" else Rectangle
    counts = [sum(isinstance(item, kind) for item in figure.scene.items) for figure in (whole, less)]
    assert counts[1] < counts[0]


@pytest.mark.parametrize("factor", [-100.0, -1.0, 1234.0, 1e9])
@pytest.mark.parametrize("width", [3.25, 6.75])
def test_percentages_of_any_width_have_room(factor: float, width: float) -> None:
    nodes = EFFECT.nodes.assign(after=factor * EFFECT.nodes["before"])
    effect = replace(EFFECT, nodes=nodes)
    check_sound(make_figure(GRAPH, CIRCUIT, effect, "circuit", width))
    check_sound(panels([(GRAPH, CIRCUIT), effect], 1, width))


def test_an_infinite_activation_is_no_number_either() -> None:
    figure = make_figure(GRAPH, CIRCUIT, broken(EFFECT, "after", math.inf), "both")
    check_sound(figure)
    assert texts(figure).count("–") >= 4


@pytest.mark.parametrize("ending", FORMATS)
def test_a_folder_that_is_a_file_and_one_that_cannot_be_written_to_are_named(ending: str, tmp_path: Path) -> None:
    figure, file = make_figure(GRAPH), tmp_path / "file"
    file.write_text("whole")
    with pytest.raises(
        FigureError, match=r"cannot be written to .*file.*: Not a directory\. Choose a folder that exists"
    ):
        figure.save(file / f"figure.{ending}")
    if Path("/proc/self").exists():
        with pytest.raises(FigureError, match=r"cannot be written to /proc/figure.*: .*\. Choose a folder"):
            figure.save(f"/proc/figure.{ending}")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert file.read_text() == "whole"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_link_to_a_device_is_named(tmp_path: Path) -> None:
    (tmp_path / "figure.svg").symlink_to("/dev/full")
    with pytest.raises(FigureError, match=r"figure\.svg: It is a device, not a file\. Choose another name\."):
        make_figure(GRAPH).save(tmp_path / "figure.svg")


FULL = """
import resource, sys
from tests.figure.graphs import circuit_of_dallas, dallas
from circuit_widget.figure.figure import make_figure
figure = make_figure(dallas(), circuit_of_dallas())
for path in sys.argv[1:]:
    limit = (int(1e9), resource.RLIM_INFINITY)
    content = figure.save(path).stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (content // 2, resource.RLIM_INFINITY))
    try: figure.save(path, recipe=True)
    except Exception as error: print(type(error).__name__, error)
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_disk_that_fills_up_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    """The limit on the size of files fails a write half way, as a disk without room does."""
    paths = [tmp_path / f"figure.{ending}" for ending in ("svg", "tex", "html")]
    done = subprocess.run([sys.executable, "-c", FULL, *map(str, paths)], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(paths)
    for line, path in zip(lines, paths, strict=True):
        assert line.startswith(f"FigureError The figure cannot be written to {path}: File too large. Choose a folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)
    whole = make_figure(GRAPH, CIRCUIT)
    contents: list[Callable[[], str]] = [whole.svg, whole.tikz, whole.html]
    for path, content in zip(paths, contents, strict=True):
        assert path.read_text(encoding="utf-8") == content()


def test_what_is_wrong_is_found() -> None:
    """The check itself: a place that is no number is reported."""
    figure = make_figure(GRAPH)
    label = next(item for item in figure.scene.items if isinstance(item, Label))
    moved = replace(label, x=math.nan)
    assert math.isnan(text_area(moved).x0)
    with pytest.raises(AssertionError):
        check_sound(replace(figure, scene=replace(figure.scene, items=(*figure.scene.items, moved))))
