"""Figures of several panels: letters, titles, one layout of equal circuits, curves and points that follow the numbers."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

import circuit_widget as cw
from circuit_widget.errors import FigureError
from circuit_widget.figure.figure import Figure
from circuit_widget.figure.output.recipe_in_file import read_recipe
from circuit_widget.figure.panels import panels
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.plot_scene import PlotScale, ticks
from circuit_widget.figure.scene.scene import Circle, Curves, Label, Lines
from circuit_widget.intervention.studies.strength_sweep import Sweep
from circuit_widget.intervention.studies.validation import Validation
from circuit_widget.wording.text import text_width
from tests.figure.graphs import california_swapped_in, circuit_of_dallas, dallas, texas_ablated
from tests.figure.test_overlaps import box_conflicts, conflicts

PROMPT = "the capital of the state containing Dallas is"
GRAPH = dallas()
CIRCUIT = circuit_of_dallas()
WIDTHS = (3.25, 5.5, 6.75, 9.0)


@pytest.fixture(scope="module")
def model() -> cw.ReplacementModel:
    return cw.load("demo", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def graph(model: cw.ReplacementModel) -> cw.Graph:
    return model.trace(PROMPT)


@pytest.fixture(scope="module")
def sweep(model: cw.ReplacementModel, graph: cw.Graph) -> Sweep:
    return model.sweep(graph, graph.labelled("Texas"), [2, -1, 0, 1])


@pytest.fixture(scope="module")
def validation(model: cw.ReplacementModel, graph: cw.Graph) -> Validation:
    return model.validate(graph, n=4)


def texts(figure: Figure) -> list[str]:
    return [item.text for item in figure.scene.items if isinstance(item, Label)]


def three(width: float = 6.75, columns: int = 3) -> Figure:
    effects = {"before": None, "ablated": texas_ablated(GRAPH), "swapped": california_swapped_in(GRAPH)}
    return panels({name: (GRAPH, CIRCUIT, effect) for name, effect in effects.items()}, columns, width)


def test_panels_have_letters_and_titles_in_reading_order_and_the_prompt_once() -> None:
    found = texts(three())
    assert [text for text in found if text in ("a", "before", "b", "ablated", "c", "swapped")] == [
        "a", "before", "b", "ablated", "c", "swapped",
    ]  # fmt: skip
    assert found[: len(GRAPH.tokens) - 1] == [token.text for token in GRAPH.tokens[1:]]
    assert found.count("containing") == 1
    assert found.count("excites") == 1


@pytest.mark.parametrize(("columns", "width"), [(1, 3.25), (2, 5.5), (3, 6.75), (2, 9.0)])
def test_equal_circuits_have_their_boxes_at_the_same_places_and_nothing_covers_anything(
    columns: int, width: float
) -> None:
    figure = three(width, columns)
    places: dict[str, list[tuple[float, float]]] = {}
    for item in figure.scene.items:
        if isinstance(item, Label) and item.bold and item.anchor == "middle":
            places.setdefault(item.text, []).append((item.x, item.y))
    first = places["say Texas"]
    assert len(first) == 3
    for group in CIRCUIT.supernodes:
        steps = [(x - x0, y - y0) for (x, y), (x0, y0) in zip(places[group.name], first, strict=True)]
        assert all(step == pytest.approx(steps[0]) for step in steps)
    assert conflicts(figure.scene) == box_conflicts(figure.scene) == []


def test_prompts_that_differ_stand_in_each_panel() -> None:
    other = dallas(("<bos>", "the", "capital", "of", "the", "state", "containing", "Oakland", "is"))
    found = texts(panels([(GRAPH, CIRCUIT), (other, CIRCUIT)]))
    assert found.count("containing") == 2
    assert found.index("a") < found.index("b")
    assert {"Dallas", "Oakland"} <= set(found)


def test_an_effect_alone_is_bars_with_the_groups_of_the_circuit_beside_it() -> None:
    effect = texas_ablated(GRAPH)
    alone, beside = texts(panels([effect])), texts(panels([(GRAPH, CIRCUIT), effect]))
    assert "next token: probability before → after" in alone
    assert "ablate Texas ×0" not in alone
    assert "ablate Texas ×0" in beside
    assert "activation after, % of before" in beside


def test_curves_follow_the_sweep_and_predictions_are_dashed(sweep: Sweep) -> None:
    figure = panels([sweep], 1, 5.5)
    lines = [item for item in figure.scene.items if isinstance(item, Curves)]
    color = style.SUPERNODES[0]
    (measured,) = [line.paths[0] for line in lines if line.paint.stroke == color and not line.paint.dash]
    (predicted,) = [line.paths[0] for line in lines if line.paint.stroke == color and line.paint.dash]
    (before,) = [
        item.segments[0] for item in figure.scene.items if isinstance(item, Lines) and item.paint.stroke == color
    ]
    answer = int(sweep.effects[0].logits_before.argmax())
    order = [1, 2, 3, 0]
    corners = [measured[:2], *(measured[at : at + 2] for at in range(6, len(measured), 6))]
    guesses = [predicted[:2], *(predicted[at : at + 2] for at in range(6, len(predicted), 6))]
    zero, one = grid_heights(figure)
    for (x, y), (_, guess), at in zip(corners, guesses, order, strict=True):
        effect = sweep.effects[at]
        assert (y - zero) / (one - zero) == pytest.approx(effect.probability(answer)[1], abs=1e-6)
        assert (guess - zero) / (one - zero) == pytest.approx(effect.predicted_probability(answer), abs=1e-6)
        share = (sweep.values[at] + 1) / 3
        assert x == pytest.approx(corners[0][0] + share * (corners[-1][0] - corners[0][0]))
    assert (before[1] - zero) / (one - zero) == pytest.approx(sweep.effects[0].probability(answer)[0], abs=1e-6)
    assert {"measured", "predicted", "before", "factor", "probability"} <= set(texts(figure))
    assert not {"excites", "inhibits"} & set(texts(figure)), "curves have no sign, whatever their colour"


def grid_heights(figure: Figure) -> tuple[float, float]:
    """Where the lines of 0 and 1 are."""
    marks = {item.text: item.y for item in figure.scene.items if isinstance(item, Label) and item.anchor == "end"}
    return marks["0"], marks["1"]


def test_points_follow_the_validation_and_direct_edges_are_hollow(validation: Validation) -> None:
    figure = panels([validation], 1, 5.5)
    groups = [pair for pair in validation.influenced if pair.kind == "feature"]
    points = [item for item in figure.scene.items if isinstance(item, Circle)][: len(groups)]
    assert len(points) == len(groups) > 2
    for (point, pair), (other, second) in zip(
        zip(points, groups, strict=True), zip(points[1:], groups[1:], strict=False), strict=False
    ):
        assert (point.x < other.x) == (pair.predicted < second.predicted) or pair.predicted == second.predicted
        assert (point.y > other.y) == (pair.measured < second.measured) or pair.measured == second.measured
        assert (point.paint.fill == style.BACKGROUND) == pair.by_construction
    (equality,) = [item.segments[0] for item in figure.scene.items if isinstance(item, Lines) and item.paint.dash]
    predicted = [(point.x - equality[0]) / (equality[2] - equality[0]) for point in points]
    measured = [(point.y - equality[1]) / (equality[3] - equality[1]) for point in points]
    numbers = [pair.predicted for pair in groups]
    scale = (max(numbers) - min(numbers)) / (max(predicted) - min(predicted))
    for across, up, pair in zip(predicted, measured, groups, strict=True):
        assert (up - across) * scale == pytest.approx(pair.measured - pair.predicted, abs=1e-6)
    assert any(abs(pair.measured - pair.predicted) > 1e-3 for pair in groups), "exchanged points would look the same"
    assert any(text.startswith(f"{len(groups)} pairs") for text in texts(figure))


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_covers_anything_in_studies(sweep: Sweep, validation: Validation, width: float) -> None:
    figure = panels({"dose": sweep, "validation": validation}, 1 if width < 5 else 2, width)
    assert conflicts(figure.scene) == []


def test_numbers_that_are_not_finite_interrupt_a_curve(sweep: Sweep) -> None:
    broken = replace(sweep.effects[2], logits_predicted=sweep.effects[2].logits_predicted * float("nan"))
    effects = (*sweep.effects[:2], broken, *sweep.effects[3:])
    figure = panels([replace(sweep, effects=effects)], 1)
    dashed = [item for item in figure.scene.items if isinstance(item, Curves) and item.paint.dash]
    assert [len(item.paths) for item in dashed] == [1] * len(dashed), "one value is left of those before it"
    assert all(math.isfinite(number) for item in dashed for path in item.paths for number in path)
    assert {len(path) for item in dashed for path in item.paths} == {8}


def test_the_legend_has_no_band_where_none_is_drawn_and_names_panels_whose_edges_are_others(
    model: cw.ReplacementModel, graph: cw.Graph
) -> None:
    texas = graph.labelled("Texas")
    circuit = cw.Circuit().group("Texas", texas).group("capital", graph.labelled("capital")).pin([graph.node_ids[-1]])
    circuit = circuit.cut_edges(0.5)
    controls = model.controls(graph, cw.SwapIn(texas, "the capital of the state containing Oakland is"), n=4)
    alone = texts(panels([(graph, circuit), (graph, circuit, controls)]))
    assert not [text for text in alone if "random" in text], "a circuit has no bars, and so no band of controls"
    assert "5% to 95% of 4 random controls" in texts(panels([controls]))
    cuts = [text for text in alone if ": edges from 50%" in text]
    assert [text.split(":")[0] for text in cuts] == ["a", "b"], "what is swapped in adds edges"
    same = texts(panels([(graph, circuit), (graph, circuit)]))
    assert [text.split(":")[0] for text in same if ": edges from 50%" in text] == ["circuit"]


@pytest.mark.parametrize("columns", [2, 3])
def test_words_of_bars_stay_within_a_narrow_column(model: cw.ReplacementModel, graph: cw.Graph, columns: int) -> None:
    texas = graph.labelled("Texas")
    circuit = cw.Circuit().group("Texas", texas).group("capital", graph.labelled("capital"))
    controls = model.controls(graph, cw.Ablate(texas), n=4)
    figure = panels([(graph, circuit), (graph, circuit, controls), controls][-columns:], columns, 1.85 * columns)
    assert conflicts(figure.scene) == []
    assert {"measured", "predicted", "random", "probability before → after"} <= set(texts(figure))
    for item in figure.scene.items:
        if isinstance(item, Label) and item.anchor == "start" and not item.turn:
            assert item.x + text_width(item.text, item.size) <= figure.scene.width + 1, item.text


def test_a_widget_is_what_it_displays(model: cw.ReplacementModel, graph: cw.Graph) -> None:
    widget = graph.show(model)
    nodes = [node for node in graph.node_ids if node.startswith("1_")][:2]
    widget.group("some", nodes)
    found = texts(panels({"mine": widget}))
    assert {"a", "mine", "some"} <= set(found)
    widget.close()


def test_a_file_of_panels_has_the_recipe_of_each(sweep: Sweep, tmp_path: Path) -> None:
    file = panels({"one": sweep, "two": (sweep.effects[0].graph, cw.Circuit())}).save(tmp_path / "panels.svg")
    recipe = read_recipe(file)
    assert [one["title"] for one in recipe["panels"]] == ["one", "two"]
    assert recipe["panels"][0]["study"] == {
        "kind": "sweep", "axis": "factor", "values": [2, -1, 0, 1], "name": sweep.name,
        "first": [one.to_json() for one in sweep.effects[0].interventions], "mode": "total",
    }  # fmt: skip
    assert recipe["columns"] == 2
    assert [one["graph"] for one in recipe["panels"]] == [0, 0], "the graph of both stands once"
    assert len(recipe["graphs"]) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (([],), "1 to 26 panels; given 0"),
        (([GRAPH] * 27,), "1 to 26 panels; given 27"),
        ((GRAPH,), "Panels are a list, or a mapping"),
        (([(CIRCUIT, GRAPH)],), "Panels are a list, or a mapping"),
        (([None],), "given None"),
        (({1: GRAPH},), "The title of a panel is a text; given 1"),
        (([GRAPH] * 3, 3, 3.25), "3 columns in 3.25 inches are too narrow to read; use columns=1"),
        (([GRAPH], 0), "columns of a figure"),
        (([GRAPH], 1, 1.0), "2 to 12 inches; given 1.0"),
    ],
)
def test_what_is_no_panel_is_refused(wrong: tuple[object, ...], message: str) -> None:
    with pytest.raises(FigureError, match=message):
        panels(*wrong)


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 1, [0, 0.25, 0.5, 0.75, 1]),
        (-5, 5, [-5, -2.5, 0, 2.5, 5]),
        (0, 0, [0]),
        (-0.3, 0.1, [-0.3, -0.2, -0.1, 0, 0.1]),
    ],
)
def test_axes_have_round_numbers(low: float, high: float, wanted: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(wanted)


def test_a_scale_ends_at_its_ends() -> None:
    scale = PlotScale(0.0, 2.0, 10.0, 30.0)
    assert [scale(number) for number in (-1.0, 0.0, 1.0, 2.0, 9.0)] == [10.0, 10.0, 20.0, 30.0, 30.0]
    assert PlotScale(1.0, 1.0, 0.0, 10.0)(1.0) == 5.0


def test_a_name_that_fits_its_box_fits_it_in_small_text_too() -> None:
    figure = panels([(GRAPH, CIRCUIT)] * 2, 2, 3.5)
    found = texts(figure)
    assert min(item.size for item in figure.scene.items if isinstance(item, Label)) < 10, "of boxes made smaller"
    assert found.count("capital") > 2, "in the prompt, and in each panel as a group and as a token"
    assert not [text for text in found if text.endswith("…")]


@pytest.mark.parametrize("width", [5.5, 6.75, 9.0])
def test_circuits_of_different_prompts_have_groups_of_one_name_at_one_place(width: float) -> None:
    other = dallas(
        ("<bos>", "the", "capital", "of", "the", "state", "containing", "Oakland", "is"),
        ("Sacramento", "Fresno", "California"),
    )
    circuit = (
        CIRCUIT.ungroup("say Austin").group("say Sacramento", CIRCUIT.supernode("say Austin").nodes).ungroup("capital")
    )
    figure = panels([(GRAPH, CIRCUIT), (other, circuit)], 2, width)
    bold = [one for one in figure.scene.items if isinstance(one, Label) and one.bold and one.anchor == "middle"]
    half = figure.scene.width / 2
    left, right = ({one.text: (one.x, one.y) for one in bold if (one.x > half) == side} for side in (False, True))
    shared = left.keys() & right.keys()
    assert shared == {"Texas", "Dallas", "of → name", "say Texas"}
    assert len({(round(right[name][0] - left[name][0], 3), right[name][1] - left[name][1]) for name in shared}) == 1
    assert {"capital", "say Austin"} <= left.keys()
    assert not conflicts(figure.scene)
