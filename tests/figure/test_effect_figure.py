"""The bars of an effect: what was predicted is a tick on each, and what random controls did a band behind it."""

from dataclasses import replace

import pytest

import circuit_widget as cw
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.figure.figure import Figure
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.effect_scene import draw_effect
from circuit_widget.figure.scene.scene import Label, Lines, Paint, Pen, Rectangle
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.wording.numbers import percent
from tests.figure.graphs import circuit_of_dallas, dallas, texas_ablated

PROMPT = "the capital of the state containing Dallas is"
WIDTH = 300.0
BAND = Paint(style.FAINT, opacity=0.45)


@pytest.fixture(scope="module")
def model() -> cw.ReplacementModel:
    return cw.load("demo", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def controls(model: cw.ReplacementModel) -> Controls:
    graph = model.trace(PROMPT)
    return model.controls(graph, cw.Ablate(graph.labelled("Texas")), n=6)


def draw(controls: Controls, circuit: Circuit, *, with_controls: bool) -> Pen:
    pen = Pen(0, 0)
    effect = controls.effect
    draw_effect(pen, effect.graph, circuit, effect, controls if with_controls else None, WIDTH, 1)
    return pen


def test_every_output_bar_has_a_tick_where_the_graph_predicted_it(controls: Controls) -> None:
    pen = draw(controls, Circuit(), with_controls=False)
    names = min(104.0, 0.36 * WIDTH)
    bar = WIDTH - names - 76 - 8
    ticks = sorted(line[0] for item in pen.items if isinstance(item, Lines) for line in item.segments)
    table = controls.effect.tokens
    most = table[["before", "after"]].max(axis=1)
    likeliest = table.assign(most=most)[most >= 0.005].nlargest(5, ["most", "logit_after"])
    assert ticks == pytest.approx(sorted(names + bar * share for share in likeliest["predicted"]), abs=0.1)


def test_bands_are_where_controls_were_and_are_named(controls: Controls) -> None:
    features = [node for node in controls.effect.graph.node_ids if node.startswith("1_")][:3]
    circuit = Circuit().group("some", features)
    plain, banded = (draw(controls, circuit, with_controls=with_band) for with_band in (False, True))
    bands = [item for item in banded.items if isinstance(item, Rectangle) and item.paint == BAND and item.h == 16]
    rows = [item for item in banded.items if isinstance(item, Rectangle) and item.paint.fill == style.TRACK]
    assert len(rows) == 1
    assert not [item for item in plain.items if isinstance(item, Rectangle) and item.paint == BAND]
    assert "random" in [item.text for item in banded.items if isinstance(item, Label)]
    low, high = controls.activation_band(features) or (0, 0)
    last = bands[-1]
    assert last.x == pytest.approx(rows[0].x + rows[0].w * low / 1.25, abs=0.6)
    assert last.w == pytest.approx(max(2.0, rows[0].w * (high - low) / 1.25), abs=0.6)


def test_a_figure_with_controls_has_them_in_its_recipe(controls: Controls) -> None:
    figure = controls.effect.graph.figure(None, controls)
    outcome = figure.recipe["panels"][0]["outcome"]
    assert (outcome["controls"]["n"], outcome["controls"]["seed"], outcome["mode"]) == (6, controls.seed, "total")


def test_what_was_pruned_and_changed_all_the_same_is_named(model: cw.ReplacementModel, controls: Controls) -> None:
    graph = controls.effect.graph
    small = graph.prune(node_threshold=0.5)
    errors = graph.node_ids[graph.n_features : graph.n_features + graph.n_errors]
    error = next(node for node in errors if node not in small.node_ids and not node.endswith("_0"))
    effect = model.intervene(small, cw.Ablate(error))
    pen = Pen(0, 0)
    draw_effect(pen, small, Circuit(), effect, None, WIDTH, 1)
    assert "ablate error ×0" in [item.text for item in pen.items if isinstance(item, Label)]


@pytest.mark.parametrize("columns", [1, 2])
def test_predictions_for_neurons_come_with_a_caution_below_them(controls: Controls, columns: int) -> None:
    effect = controls.effect
    circuit = Circuit().group("some", [node for node in effect.graph.node_ids if node.startswith("1_")][:3])
    of_neurons = replace(effect.graph, recipe={**effect.graph.recipe, "basis": "neurons"}, model=None)
    caution = "predicted indirect effects may have the wrong sign"
    height = {}
    for graph in (effect.graph, of_neurons):
        pen = Pen(0, 0)
        height[graph.basis] = draw_effect(pen, graph, circuit, effect, None, 2 * WIDTH, columns)
        texts = [item for item in pen.items if isinstance(item, Label)]
        cautions = [item for item in texts if item.text == caution]
        assert len(cautions) == (graph.basis == "neurons")
        assert all(one.y >= max(item.y for item in texts) for one in cautions)
    assert height["neurons"] == height["features"] + 20
    pen = Pen(0, 0)
    draw_effect(pen, of_neurons, Circuit(), effect, None, WIDTH, columns)
    assert caution in [item.text for item in pen.items if isinstance(item, Label)]


def test_an_intervention_has_the_band_of_controls_behind_each_output_and_says_how_many(controls: Controls) -> None:
    graph = controls.effect.graph
    circuit = Circuit().group("some", [node for node in graph.node_ids if node.startswith("1_")][:3])
    figures = [graph.figure(circuit, one, "intervention") for one in (controls.effect, controls)]
    bands = [
        [item for item in figure.scene.items if isinstance(item, Rectangle) and item.paint == BAND and item.h == 16]
        for figure in figures
    ]
    names = [
        item for item in figures[1].scene.items if isinstance(item, Label) and item.mono and item.anchor == "start"
    ]
    half = figures[1].scene.width / 2
    outputs = [
        name for name in names if name.x > half and any(band.y + 8 == pytest.approx(name.y) for band in bands[1])
    ]
    table = controls.effect.tokens
    assert bands[0] == []
    assert len(bands[1]) == len(outputs) + 1, "those of the outputs, and that of the group"
    assert len(outputs) >= 2
    for name in outputs:
        (band,) = [item for item in bands[1] if item.y + 8 == pytest.approx(name.y)]
        (row,) = [row for _, row in table.iterrows() if row["token"].strip() == name.text]
        low, _, high = controls.band(controls.values(int(row["token_id"])))
        assert band.w == pytest.approx(max(2.0, (high - low) * bar_beside(figures[1])), abs=0.01)
    words = [[item.text for item in figure.scene.items if isinstance(item, Label)] for figure in figures]
    assert [("5% to 95% of 6 random controls" in texts) for texts in words] == [False, True]


def bar_beside(figure: Figure) -> float:
    """How long the bar of a certain output is after the intervention, in a picture beside that before."""
    half = (figure.scene.width - 6 - 26) / 2
    return half - min(104.0, 0.36 * half) - 80


def test_each_output_has_the_band_of_its_own_controls(controls: Controls) -> None:
    pen = draw(controls, Circuit(), with_controls=True)
    names = min(104.0, 0.36 * WIDTH)
    bar = WIDTH - names - 76 - 8
    table = controls.effect.tokens
    seen = set()
    for name in (item for item in pen.items if isinstance(item, Label) and item.mono):
        (band,) = [
            item for item in pen.items if isinstance(item, Rectangle) and item.paint == BAND and item.y + 8 == name.y
        ]
        (row,) = [row for _, row in table.iterrows() if row["token"].strip() == name.text]
        low, _, high = controls.band(controls.values(int(row["token_id"])))
        assert band.x == pytest.approx(names + bar * low, abs=0.01)
        assert band.w == pytest.approx(max(2.0, bar * (high - low)), abs=0.01)
        seen.add(round(band.w, 2))
    assert len(seen) > 1


def test_the_percentage_beside_an_activation_is_measured_and_what_was_frozen_is_named() -> None:
    graph, circuit = dallas(), circuit_of_dallas()
    effect = replace(texas_ablated(graph), mode="frozen_attention", frozen="attention patterns frozen")
    pen = Pen(0, 0)
    draw_effect(pen, graph, circuit, effect, None, WIDTH, 1)
    texts = [item for item in pen.items if isinstance(item, Label)]
    assert "attention patterns frozen" in [item.text for item in texts]
    for group in circuit.supernodes:
        (name,) = [item for item in texts if item.text == group.name and item.anchor == "start" and not item.mono]
        (number,) = [item for item in texts if item.y == name.y and item.anchor == "end"]
        measured, predicted = effect.ratio(group.nodes)
        assert number.text == percent(measured) != percent(predicted)


def test_the_key_names_the_bar_measured_the_tick_predicted_and_the_band_random(controls: Controls) -> None:
    features = [node for node in controls.effect.graph.node_ids if node.startswith("1_")][:3]
    pen = draw(controls, Circuit().group("some", features), with_controls=True)
    texts = {item.text: item for item in pen.items if isinstance(item, Label)}
    kinds = {}
    for word in ("measured", "predicted", "random"):
        label = texts[word]
        signs = [
            (abs(label.x - (item.x if isinstance(item, Rectangle) else item.segments[0][0])), item)
            for item in pen.items
            if (isinstance(item, Rectangle) and item.y < label.y < item.y + item.h)
            or (isinstance(item, Lines) and item.segments[0][1] < label.y < item.segments[0][3])
        ]
        kinds[word] = min(signs, key=lambda sign: sign[0])[1]
    assert isinstance(kinds["predicted"], Lines)
    assert [kinds[word].paint.fill for word in ("measured", "random")] == [style.EXCITE, style.FAINT]
