"""A figure of an intervention: one circuit before and after, at the same places, with the likeliest outputs of each."""

from dataclasses import replace

import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import FigureError
from circuit_widget.figure.figure import Figure, make_figure
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.scene import Label, Lines, Rectangle
from circuit_widget.intervention import Effect
from circuit_widget.wording.numbers import percent, probability
from tests.figure.graphs import california_swapped_in, circuit_of_dallas, dallas, texas_ablated

GRAPH = dallas()
CIRCUIT = circuit_of_dallas()
WIDTHS = (3.25, 5.5, 6.75, 10.0)


def drawn(effect: Effect, width: float = 6.75) -> Figure:
    return make_figure(GRAPH, CIRCUIT, effect, "intervention", width)


def labels(figure: Figure) -> list[Label]:
    return [item for item in figure.scene.items if isinstance(item, Label)]


def sides(figure: Figure) -> tuple[list[Label], list[Label], tuple[float, float]]:
    """The texts of the circuits and outputs before and after, and how far the second side is from the first."""
    (before,) = [one for one in labels(figure) if one.text == "before"]
    (after,) = [one for one in labels(figure) if one.text == "after the intervention"]
    (end,) = [one.y for one in labels(figure) if one.text == "activation after, % of before"]
    beside = after.y == before.y
    texts = [one for one in labels(figure) if before.y < one.y < end]
    first = [one for one in texts if (one.x < after.x if beside else one.y < after.y)]
    return (
        first,
        [one for one in texts if one not in first and one is not after],
        (after.x - before.x, after.y - before.y),
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("effect", [texas_ablated(GRAPH), california_swapped_in(GRAPH)], ids=["ablated", "swapped"])
def test_every_box_is_at_the_same_place_before_and_after(effect: Effect, width: float) -> None:
    before, after, (across, down) = sides(drawn(effect, width))
    places = [
        {one.text: (one.x, one.y) for one in side if one.anchor == "middle" and one.bold} for side in (before, after)
    ]
    for group in CIRCUIT.supernodes:
        (x0, y0), (x1, y1) = (side[group.name] for side in places)
        (x2, y2), (x3, y3) = (side[CIRCUIT.supernodes[0].name] for side in places)
        assert (x1 - x0, y1 - y0) == pytest.approx((x3 - x2, y3 - y2))
    assert (across > 0) != (down > 0)


def test_sides_are_one_above_the_other_in_a_narrow_column_and_beside_each_other_on_a_page() -> None:
    for width, beside in ((3.25, False), (6.75, True), (10.0, True)):
        _, _, (across, _) = sides(drawn(california_swapped_in(GRAPH), width))
        assert (across > 0) == beside


def test_before_is_what_was_and_after_is_what_is() -> None:
    effect = texas_ablated(GRAPH)
    before, after, _ = sides(drawn(effect))
    texts_before, texts_after = ([one.text for one in side] for side in (before, after))
    answer = effect.tokens.iloc[0]
    was, now = probability(answer["before"]), probability(answer["after"])
    assert was in texts_before
    assert not any("→" in text and was in text for text in texts_before)
    assert f"{was} → {now}" in texts_after
    assert not any(text.endswith("%") or text == "×0" for text in texts_before)
    measured, _ = effect.ratio(CIRCUIT.supernode("say Texas").nodes)
    assert {percent(measured), "×0", "ablate Texas ×0"} <= set(texts_after)


def test_the_likeliest_tokens_are_those_of_each_time_and_the_answer_before_stays() -> None:
    effect = texas_ablated(GRAPH)
    figure = drawn(effect)
    rows = []
    for side in sides(figure)[:2]:
        names = [one for one in side if one.mono and one.anchor == "start"]
        numbers = [one for one in side if one.anchor == "end" and one.bold]
        rows.append([(one.text, next(other.text for other in numbers if other.y == one.y)) for one in names])
    table = effect.tokens
    for displayed, when in zip(rows, ("before", "after"), strict=True):
        order = table.sort_values(when, ascending=False, kind="stable")
        wanted = [(token, probability(value)) for token, value in zip(order["token"], order[when], strict=True)]
        assert displayed == wanted
    assert rows[0][0][0] == "Austin" != rows[1][0][0]
    assert rows[1][-1] == ("Austin", "0.04")


@pytest.mark.parametrize("effect", [texas_ablated(GRAPH), california_swapped_in(GRAPH)], ids=["ablated", "swapped"])
def test_in_a_narrow_column_it_fits_on_a_page_and_every_output_stands_there_once(effect: Effect) -> None:
    figure = drawn(effect, 3.25)
    assert figure.scene.height / figure.scene.px_per_inch <= 10.0
    assert min(one.size for one in labels(figure)) * figure.scene.points >= 6.0
    before, after, _ = sides(figure)
    assert [one.text for one in before if one.mono and one.anchor == "start"] == []
    names = [one.text for one in after if one.mono and one.anchor == "start"]
    assert sorted(names) == sorted(effect.tokens["token"])


def test_an_answer_that_is_no_longer_likely_still_stands_among_those_after() -> None:
    effect = texas_ablated(GRAPH)
    tokens = effect.tokens.assign(after=[0.0001, 0.6, 0.3])
    before, after, _ = sides(drawn(replace(effect, tokens=tokens)))
    names = [[one.text for one in side if one.mono and one.anchor == "start"] for side in (before, after)]
    assert names == [["Austin", "Houston", "Texas"], ["Houston", "Texas", "Austin"]]


def test_bars_of_outputs_are_as_long_as_likely_and_ticks_are_where_predicted() -> None:
    effect = texas_ablated(GRAPH)
    figure = drawn(effect)
    before, after, _ = sides(figure)
    ticks = [line for item in figure.scene.items if isinstance(item, Lines) for line in item.segments]
    for side, when in ((before, "before"), (after, "after")):
        found = []
        for name in (one for one in side if one.mono and one.anchor == "start"):
            row = effect.tokens[effect.tokens["token"] == name.text].iloc[0]
            near = [
                item
                for item in figure.scene.items
                if isinstance(item, Rectangle) and item.h == 8 and item.y + 4 == name.y and 0 < item.x - name.x < 150
            ]
            (bar,) = near
            found.append((bar.w, row[when]))
            tone = style.EXCITE if row["after"] > row["before"] else style.INHIBIT
            assert bar.paint.fill == (tone if when == "after" else style.FAINT)
            own = [tick for tick in ticks if tick[1] == name.y - 6.5 and 0 <= tick[0] - bar.x < 200]
            assert len(own) == (when == "after")
            found += [(tick[0] - bar.x, row["predicted"]) for tick in own]
        assert len({round(length / share, 3) for length, share in found}) == 1


def test_what_is_suppressed_fades_after_and_not_before() -> None:
    before, after, _ = sides(drawn(texas_ablated(GRAPH)))
    ink = [{one.text: one.color for one in side if one.anchor == "middle" and one.bold} for side in (before, after)]
    assert [side["say Austin"] for side in ink] == [style.INK, style.MUTED]
    assert [side["say Texas"] for side in ink] == [style.INK, style.INK]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_prompt_and_what_was_frozen_stand_in_it(width: float) -> None:
    effect = replace(texas_ablated(GRAPH), mode="frozen_attention", frozen="attention patterns frozen")
    texts = [one.text for one in labels(drawn(effect, width))]
    assert "attention patterns frozen" in texts
    assert [token.text for token in GRAPH.tokens[1:]] == texts[: len(GRAPH.tokens) - 1]


def test_the_legend_explains_what_only_an_effect_shows() -> None:
    words = {"swapped in", "new answer", "below 30% of before"}
    swapped = {one.text for one in labels(drawn(california_swapped_in(GRAPH)))}
    assert words <= swapped
    nothing = make_figure(GRAPH, CIRCUIT, part="circuit")
    assert not words & {one.text for one in labels(nothing)}


@pytest.mark.parametrize("width", WIDTHS)
def test_a_box_swapped_in_is_in_the_row_of_its_own_and_tied_to_it_where_nothing_is_between(width: float) -> None:
    _, after, _ = sides(drawn(california_swapped_in(GRAPH), width))
    places = {one.text: one.y for one in after if one.anchor == "middle" and one.bold}
    assert places["California"] == places["Texas"]


@pytest.mark.parametrize(
    ("circuit", "effect", "message"),
    [
        (CIRCUIT, None, 'needs its effect: graph.figure\\(circuit, effect, part="intervention"\\)'),
        (Circuit(), texas_ablated(GRAPH), "has no boxes to draw"),
    ],
)
def test_an_intervention_without_an_effect_or_a_circuit_is_refused(
    circuit: Circuit, effect: Effect | None, message: str
) -> None:
    with pytest.raises(FigureError, match=message):
        make_figure(GRAPH, circuit, effect, "intervention")
