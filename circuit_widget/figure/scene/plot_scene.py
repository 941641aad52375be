"""Quantitative panels in the style of the other ones: a sweep as curves, a validation as points."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.legend import Entry
from circuit_widget.figure.scene.scene import Paint, Pen
from circuit_widget.figure.scene.shapes import node_shape
from circuit_widget.intervention.studies.strength_sweep import Sweep
from circuit_widget.intervention.studies.token_table import plotted_tokens
from circuit_widget.intervention.studies.validation import Influenced, Validation
from circuit_widget.nodes import NodeKind
from circuit_widget.wording.names import token_text
from circuit_widget.wording.numbers import percent, plain_number
from circuit_widget.wording.text import mono_width, shorten, text_width

PlottedStudy: TypeAlias = Sweep | Validation
ASPECT = 0.62
LOWEST, HIGHEST = 120.0, 260.0
"""Height of the inside of a plot."""
LEFT = 38.0
BELOW = 40.0
LONGEST_LABEL = 84.0
MOST_CURVES = 6
MOST_MARKED = 25
"""Values up to which each has a marker."""
LINE = 13.0
"""Between two labels of curves."""
MARKER = 3.2
DASHED, DOTTED = (5.0, 3.0), (1.5, 2.5)
MARKERS = ("feature", "token", "error", "logit")
"""Shapes of the markers of curves: the second cue beside their colours."""
TICKS = 5
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class PlotScale:
    """From numbers between `low` and `high` to places between `start` and `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, number: float) -> float:
        """Return the place of a number; one beyond the ends is at the end."""
        share = (number - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start) if math.isfinite(number) else math.nan


def ticks(low: float, high: float, most: int = TICKS) -> list[float]:
    """Return round numbers between two ends, at most so many: steps of 1, 2, 2.5 or 5 times a power of ten."""
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next((part * power for part in STEPS if (high - low) / (part * power) <= most - 1), STEPS[-1] * power)
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    return [(first + number) * step for number in range(count)]


def draw_sweep(pen: Pen, sweep: Sweep, width: float) -> tuple[float, list[Entry]]:
    """Draw the probability of the likeliest tokens over what was varied; return the height and the legend's entries.

    Measured is solid with markers, predicted dashed, and before the intervention dotted. Values that are not finite are
    left out.
    """
    chosen = list(plotted_tokens(sweep.effects, None).items())[:MOST_CURVES]
    names = [shorten(token_text(text), LONGEST_LABEL, style.CAPTION_SIZE, True) for _, text in chosen]
    room = max(mono_width(name, style.CAPTION_SIZE) for name in names) + 10
    height = min(max(ASPECT * width, LOWEST), HIGHEST)
    low, high = min(sweep.values), max(sweep.values)
    across, up = PlotScale(low, high, LEFT, width - room), PlotScale(0.0, 1.0, height + 6, 6.0)
    _axes(pen, (across, ticks(low, high)), (up, [0.0, 0.5, 1.0]), sweep.axis.replace("_", " "), "probability")
    order = sorted(range(len(sweep.values)), key=lambda at: sweep.values[at])
    ends = []
    for number, (token, _) in enumerate(chosen):
        color = style.SUPERNODES[number % len(style.SUPERNODES)]
        before = sweep.effects[0].probability(token)[0]
        points: list[tuple[float, float]] = []
        guesses: list[tuple[float, float]] = []
        for at in order:
            x, effect = across(sweep.values[at]), sweep.effects[at]
            points.append((x, up(effect.probability(token)[1])))
            guesses.append((x, up(effect.predicted_probability(token))))
        level = up(before)
        pen.lines([(across(low), level, across(high), level)], Paint(stroke=color, width=0.9, dash=DOTTED))
        _curve(pen, guesses, Paint(stroke=color, width=1.1, dash=DASHED))
        _curve(pen, points, Paint(stroke=color, width=1.8))
        if len(points) <= MOST_MARKED:
            for x, y in points:
                if math.isfinite(y):
                    node_shape(pen, MARKERS[number % len(MARKERS)], x, y, MARKER, Paint(fill=color))
        ends.append(next((y for _, y in reversed(points) if math.isfinite(y)), level))
    for (number, name), y in zip(enumerate(names), _spread(ends, 6.0, height + 6), strict=True):
        ink = style.SUPERNODES[number % len(style.SUPERNODES)]
        pen.label(width - room + 8, y, name, style.CAPTION_SIZE, ink, mono=True)
    return height + 6 + BELOW, [
        _line_entry("measured", ()),
        _line_entry("predicted", DASHED),
        _line_entry("before", DOTTED),
    ]


def draw_validation(pen: Pen, validation: Validation, width: float) -> tuple[float, list[Entry]]:
    """Draw measured over predicted changes of groups, else of logits; return the height and the legend's entries.

    Direct edges alone are hollow, pairs with knock-on effects are filled, and a dotted line marks equality. Pairs whose
    numbers are not finite are left out.
    """
    pairs = [pair for pair in validation.influenced if math.isfinite(pair.predicted) and math.isfinite(pair.measured)]
    kind = NodeKind.FEATURE if any(pair.kind is NodeKind.FEATURE for pair in pairs) else NodeKind.LOGIT
    drawn = [pair for pair in pairs if pair.kind is kind]
    height = min(max(ASPECT * width, LOWEST), HIGHEST)
    numbers = [number for pair in drawn for number in (pair.predicted, pair.measured)] or [0.0]
    low, high = _padded(min(numbers), max(numbers))
    across, up = PlotScale(low, high, LEFT, width - 6), PlotScale(low, high, height + 24, 24.0)
    unit = "activation" if kind is NodeKind.FEATURE else "logit"
    marks = ticks(low, high)
    _axes(pen, (across, marks), (up, marks), f"predicted change of {unit}", "measured")
    pen.lines([(across(low), up(low), across(high), up(high))], Paint(stroke=style.NODE_EDGE, width=0.9, dash=DOTTED))
    for pair in drawn:
        _point(pen, pair, across(pair.predicted), up(pair.measured))
    words = shorten(_agreement(validation, kind, drawn), width - LEFT, style.CAPTION_SIZE)
    pen.label(LEFT, 8, words, style.CAPTION_SIZE, style.MUTED)
    return height + 24 + BELOW, [_point_entry("with knock-on effects", False), _point_entry("direct edges alone", True)]


def _agreement(validation: Validation, kind: NodeKind, drawn: Sequence[Influenced]) -> str:
    rows = validation.agreement()
    row = rows[(rows["kind"] == kind.value) & (rows["part"] == "all")].iloc[0]
    words = [f"{len(drawn)} pairs"]
    words += [] if math.isnan(row["spearman"]) else [f"Spearman {row['spearman']:.2f}".replace("-", "−")]
    words += [] if math.isnan(row["sign_share"]) else [f"right sign {percent(float(row['sign_share']))}"]
    return ", ".join(words)


def _point(pen: Pen, pair: Influenced, x: float, y: float) -> None:
    hollow = Paint(style.BACKGROUND, style.EXCITE, 1.2)
    pen.circle(x, y, MARKER, hollow if pair.by_construction else Paint(fill=style.EXCITE, opacity=0.8))


def _point_entry(text: str, direct: bool) -> Entry:
    def draw(pen: Pen, x: float, y: float) -> None:
        pen.circle(x + 5, y, MARKER, Paint(style.BACKGROUND, style.EXCITE, 1.2) if direct else Paint(fill=style.EXCITE))

    return text, 10.0, draw


def _line_entry(text: str, dash: tuple[float, ...]) -> Entry:
    def draw(pen: Pen, x: float, y: float) -> None:
        pen.lines([(x, y, x + 22, y)], Paint(stroke=style.INK, width=1.1 if dash else 1.8, dash=dash))
        if not dash:
            pen.circle(x + 11, y, MARKER, Paint(fill=style.INK))

    return text, 22.0, draw


def _axes(
    pen: Pen, across: tuple[PlotScale, Sequence[float]], up: tuple[PlotScale, Sequence[float]], below: str, beside: str
) -> None:
    """Draw the lines of a grid with their numbers, and what the axes are."""
    (x_of, x_marks), (y_of, y_marks) = across, up
    left, right, bottom, top = x_of.start, x_of.end, y_of.start, y_of.end
    for mark in y_marks:
        pen.lines([(left, y_of(mark), right, y_of(mark))], Paint(stroke=style.GRID, width=0.8))
        pen.label(left - 6, y_of(mark), _mark(mark), style.CAPTION_SIZE, style.MUTED, "end")
    last = -math.inf
    for mark in x_marks:
        x, text = x_of(mark), _mark(mark)
        room = text_width(text, style.CAPTION_SIZE) / 2
        pen.lines([(x, bottom, x, bottom + 4)], Paint(stroke=style.NODE_EDGE, width=0.8))
        if x - room > last:
            pen.label(x, bottom + 12, text, style.CAPTION_SIZE, style.MUTED, "middle")
            last = x + room + 6
    pen.lines([(left, bottom, right, bottom)], Paint(stroke=style.NODE_EDGE, width=0.8))
    pen.label((left + right) / 2, bottom + 28, below, style.CAPTION_SIZE, style.MUTED, "middle")
    pen.label(6, (top + bottom) / 2, beside, style.CAPTION_SIZE, style.MUTED, "middle", turn=-90.0)


def _mark(number: float) -> str:
    return plain_number(round(number, 10))


def _curve(pen: Pen, points: Sequence[tuple[float, float]], paint: Paint) -> None:
    """Draw a broken line through points, interrupted where one has no place."""
    paths: list[list[float]] = []
    for (x0, y0), (x1, y1) in pairwise(points):
        if not (math.isfinite(y0) and math.isfinite(y1)):
            continue
        if not paths or paths[-1][-2:] != [x0, y0]:
            paths.append([x0, y0])
        paths[-1] += [x0, y0, x1, y1, x1, y1]
    pen.curves(paths, paint)


def _spread(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Return heights as near to the wanted ones as labels allow, in their order from the top."""
    order = sorted(range(len(wanted)), key=lambda at: (wanted[at], at))
    places = [0.0] * len(wanted)
    y = top - LINE
    for at in order:
        y = max(wanted[at], y + LINE)
        places[at] = y
    limit = bottom + LINE
    for at in reversed(order):
        limit = min(places[at], limit - LINE)
        places[at] = limit
    return places


def _padded(low: float, high: float) -> tuple[float, float]:
    """Return the ends with some room, and 0 between them."""
    low, high = min(low, 0.0), max(high, 0.0)
    spare = 0.06 * (high - low) or 1.0
    return low - spare, high + spare
