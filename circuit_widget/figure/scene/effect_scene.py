"""An effect as bars: output probabilities before and after, activations measured and predicted."""

import math

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.scene import Paint, Pen
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.wording.names import BASIS_CAUTIONS, token_text
from circuit_widget.wording.numbers import percent, probability
from circuit_widget.wording.outcome import BoxActivation, activations, description, displayed_tokens, probability_tone
from circuit_widget.wording.text import printable, shorten, text_width, wrapped

BARS = {"below": style.INHIBIT, "above": style.EXCITE, "same": style.NODE_EDGE}
ROW = 21.0
TOKEN_ROWS = 5
"""Most tokens with bars."""
ACTIVATIONS = 12
NUMBERS = 76.0
NUMBER = 46.0
"""Room for a percentage, unless one is wider."""
SHORTEST = 0.8
"""Length of a bar of nothing: a line where it begins."""
TOKEN_HEADINGS = ("next token: probability before → after", "probability before → after", "before → after")
"""What stands above the bars of tokens: the first that has room."""
LEAST_SCALE = 1.25
"""Where bars of activations end at least, as a share of before."""
FARTHEST = 3.0
"""Where bars of activations end at most."""


def draw_effect(
    pen: Pen,
    graph: Graph,
    circuit: Circuit,
    effect: Effect,
    controls: Controls | None,
    width: float,
    columns: int,
) -> float:
    """Draw the bars in one column or two, with the band of controls behind them; return their height."""
    gap = 28.0
    column = (width - gap) / 2 if columns == 2 else width
    y = draw_interventions(pen, graph, circuit, effect, width)
    below = _tokens(pen, effect, controls, y, column)
    rows = activations(graph, circuit, effect, controls)[:ACTIVATIONS]
    if not rows:
        return _caution(pen, graph, below, width)
    if columns == 2:
        across = Pen(pen.x + column + gap, pen.y)
        other = _bars(across, rows, y, column)
        pen.items += across.items
        return _caution(pen, graph, max(below, other), width)
    return _caution(pen, graph, _bars(pen, rows, below + 14, column), width)


def draw_activations(
    pen: Pen, graph: Graph, circuit: Circuit, effect: Effect, controls: Controls | None, width: float
) -> float:
    """Draw the bars of activations alone, and what to keep in mind of them; return their height."""
    rows = activations(graph, circuit, effect, controls)[:ACTIVATIONS]
    return _caution(pen, graph, _bars(pen, rows, 0.0, width) if rows else 0.0, width)


def interventions_height(graph: Graph, circuit: Circuit, effect: Effect, width: float) -> float:
    """Return the height of what `draw_interventions` draws."""
    return draw_interventions(Pen(), graph, circuit, effect, width)


def _caution(pen: Pen, graph: Graph, y: float, width: float) -> float:
    """Draw what to keep in mind of the predictions, where there is something; return the height with it."""
    caution = BASIS_CAUTIONS[graph.basis]
    if not caution:
        return y
    lines = wrapped(caution, width, style.CAPTION_SIZE, 3)
    for number, line in enumerate(lines):
        pen.label(0, y + 12 + 15 * number, line, style.CAPTION_SIZE, style.MUTED)
    return y + 5 + 15 * len(lines)


def draw_interventions(pen: Pen, graph: Graph, circuit: Circuit, effect: Effect, width: float) -> float:
    """Draw the interventions as chips, and what was frozen meanwhile; return their height."""
    y = 0.0
    x = 0.0
    for one in effect.interventions:
        text = shorten(description(graph, circuit, one), width - 22, style.CAPTION_SIZE)
        room = text_width(text, style.CAPTION_SIZE) + 20
        if x > 0 and x + room > width:
            x, y = 0.0, y + 24
        pen.rectangle(x, y, room, 19, Paint(style.INHIBIT_GROUND, style.INHIBIT, 0.9), 9.5)
        pen.label(x + room / 2, y + 9.5, text, style.CAPTION_SIZE, style.INHIBIT, "middle", bold=True)
        x += room + 7
    frozen = shorten(effect.frozen, width, style.CAPTION_SIZE)
    if x + text_width(frozen, style.CAPTION_SIZE) > width:
        x, y = 0.0, y + 21
    pen.label(x, y + 9.5, frozen, style.CAPTION_SIZE, style.MUTED)
    return y + 30


def draw_heading(pen: Pen, y: float, text: str) -> None:
    """Write what a block of bars shows."""
    pen.label(0, y + 7, text, style.CAPTION_SIZE, style.MUTED)


def _tokens(pen: Pen, effect: Effect, controls: Controls | None, y: float, width: float) -> float:
    """Draw the tokens that are the likeliest before or after."""
    table = effect.tokens
    most = table[["before", "after"]].max(axis=1).fillna(0.0)
    order = sorted(range(len(table)), key=lambda row: (-float(most.iloc[row]), -float(table["logit_after"].iloc[row])))
    room = (words for words in TOKEN_HEADINGS if text_width(words, style.CAPTION_SIZE) <= width)
    draw_heading(pen, y, next(room, TOKEN_HEADINGS[-1]))
    y += 22
    names = min(104.0, 0.36 * width)
    bar = width - names - NUMBERS - 8
    pairs = [(float(table["before"].iloc[row]), float(table["after"].iloc[row])) for row in order]
    count, more = displayed_tokens(pairs, TOKEN_ROWS)
    for row in order[:count]:
        before, after = float(table["before"].iloc[row]), float(table["after"].iloc[row])
        middle = y + ROW / 2
        text = token_text(str(table["token"].iloc[row]))
        pen.label(0, middle, shorten(text, names - 8, style.TOKEN_SIZE, True), style.TOKEN_SIZE, style.INK, mono=True)
        if controls is not None:
            low, _, high = controls.band(controls.values(int(table["token_id"].iloc[row])))
            draw_band(pen, names, middle, bar, low, high)
        color = BARS[probability_tone(before, after)]
        draw_bar(pen, names, middle - 6, bar * before, 5, style.FAINT)
        draw_bar(pen, names, middle + 1, bar * after, 5, color)
        draw_tick(pen, names + bar * float(table["predicted"].iloc[row]), middle + 3.5, 4)
        end = probability(after)
        pen.label(width, middle, end, style.CAPTION_SIZE, style.INK, "end", bold=True)
        aside = width - text_width("0.00", style.CAPTION_SIZE) - 5
        pen.label(aside, middle, f"{probability(before)} →", style.CAPTION_SIZE, style.MUTED, "end")
        y += ROW
    if more:
        pen.label(0, y + ROW / 2, more, style.CAPTION_SIZE, style.MUTED)
        y += ROW
    return y


def _bars(pen: Pen, rows: list[BoxActivation], y: float, width: float) -> float:
    """Draw each measured activation as a bar, the predicted one as a tick, and a line at 100%."""
    draw_heading(pen, y, "activation after, % of before")
    random = any(row.band is not None for row in rows)
    names_in_key = ["measured", "predicted", *(["random"] if random else [])]
    key = width - sum(text_width(name, style.CAPTION_SIZE) + 23 for name in names_in_key)
    if key > text_width("activation after, % of before", style.CAPTION_SIZE) + 10:
        _key(pen, key, y + 7, random, width)
    else:
        y += 15 + _key(pen, 0, y + 22, random, width)
    y += 22
    most = max(LEAST_SCALE, *(value for row in rows for value in (row.measured, row.predicted) if math.isfinite(value)))
    scale = min(FARTHEST, most)
    names = min(124.0, 0.4 * width)
    numbers = max(text_width(percent(row.measured), style.CAPTION_SIZE) for row in rows)
    bar = width - names - max(NUMBER, numbers + 8)
    top = y
    for row in rows:
        middle = y + ROW / 2
        name = shorten(printable(row.name), names - 10, style.TEXT_SIZE)
        pen.label(0, middle, name, style.TEXT_SIZE, style.MUTED if row.clamped else style.INK)
        pen.rectangle(names, middle - 4.5, bar, 9, Paint(fill=style.TRACK), 1.5)
        if row.band is not None:
            draw_band(pen, names, middle, bar, *(min(max(end, 0.0), scale) / scale for end in row.band))
        length = bar * min(max(row.measured, 0.0), scale) / scale
        color = style.FAINT if row.clamped else style.EXCITE
        pen.rectangle(names, middle - 4.5, max(0.8, length), 9, Paint(fill=color, opacity=0.8), 1.5)
        if math.isfinite(row.predicted) and not row.clamped:
            draw_tick(pen, names + bar * min(max(row.predicted, 0.0), scale) / scale, middle, 7.5)
        pen.label(width, middle, percent(row.measured), style.CAPTION_SIZE, style.INK, "end")
        y += ROW
    unchanged = names + bar / scale
    pen.lines([(unchanged, top + 1, unchanged, y - 1)], Paint(stroke=style.NODE_EDGE, width=0.8, dash=(2.0, 2.0)))
    return y


def draw_bar(pen: Pen, x: float, y: float, length: float, height: float, color: str) -> None:
    """Draw the bar of a probability; nothing for one that is not a number."""
    if math.isfinite(length):
        pen.rectangle(x, y, max(SHORTEST, length), height, Paint(fill=color), 0.8)


def draw_tick(pen: Pen, x: float, middle: float, half: float) -> None:
    """Draw the tick of a prediction; nothing for one that is not a number."""
    if math.isfinite(x):
        pen.lines([(x, middle - half, x, middle + half)], Paint(stroke=style.INK, width=1.8))


def draw_band(pen: Pen, x: float, middle: float, bar: float, low: float, high: float) -> None:
    """Draw the range over random controls, as shares of the bar."""
    pen.rectangle(x + bar * low, middle - 8, max(2.0, bar * (high - low)), 16, Paint(style.FAINT, opacity=0.45), 1.5)


def _key(pen: Pen, x: float, y: float, random: bool, width: float) -> float:
    """Draw what the marks of bars mean; return the height that a second line takes, where one is needed."""
    pen.rectangle(x, y - 4, 14, 8, Paint(fill=style.EXCITE, opacity=0.8), 1.5)
    pen.label(x + 18, y, "measured", style.CAPTION_SIZE, style.MUTED)
    x += 18 + text_width("measured", style.CAPTION_SIZE) + 12
    pen.lines([(x, y - 6, x, y + 6)], Paint(stroke=style.INK, width=1.8))
    pen.label(x + 6, y, "predicted", style.CAPTION_SIZE, style.MUTED)
    below = 0.0
    if random:
        x += 6 + text_width("predicted", style.CAPTION_SIZE) + 12
        if x + 16 + text_width("random", style.CAPTION_SIZE) > width:
            x, below = 0.0, 15.0
        y += below
        pen.rectangle(x, y - 6, 12, 12, Paint(style.FAINT, opacity=0.45), 1.5)
        pen.label(x + 16, y, "random", style.CAPTION_SIZE, style.MUTED)
    return below
