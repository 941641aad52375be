"""An intervention as two pictures of one circuit: before it, and after it, with the likeliest outputs of each."""

from dataclasses import dataclass

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.figure.layout.circuit_layout import BOX_TEXT, WHOLE_ROWS
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.arrangement import circuit_picture
from circuit_widget.figure.scene.circuit_picture import CircuitPicture, without_effect
from circuit_widget.figure.scene.circuit_scene import draw_circuit
from circuit_widget.figure.scene.effect_scene import draw_activations, draw_interventions, interventions_height
from circuit_widget.figure.scene.outputs import When, draw_outputs, output_rows, rows_at_any_time
from circuit_widget.figure.scene.scene import Paint, Pen
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.studies.controls import Controls

BETWEEN = 26.0
"""Between the two pictures, with a line in its middle."""
NARROWEST_SIDE = 250.0
"""Width below which one picture is above the other."""
COMPACT_TEXT = 9.6
"""Size of the text of boxes there, 6.4 pt in print: two pictures and the bars then fit on one page."""
SMALLEST = BOX_TEXT * WHOLE_ROWS - 1e-9
"""Text in boxes below which one picture is above the other."""
HEADING = 22.0
BELOW_CIRCUIT = 10.0
BELOW_SIDE = 16.0
WORDS = {"before": "before", "after": "after the intervention"}


@dataclass(frozen=True)
class _Half:
    """One of the two pictures, `width` wide, and the rows of the outputs below it."""

    when: When
    picture: CircuitPicture
    width: float
    rows: tuple[int, ...]


def draw_intervention(
    pen: Pen, graph: Graph, circuit: Circuit, effect: Effect, controls: Controls | None, width: float
) -> tuple[float, CircuitPicture]:
    """Draw the circuit before and after, side by side where there is room; return the height of all, and the picture after.

    Both have the same layout, so that a box is at the same place in each.
    """
    half = (width - BETWEEN) / 2
    narrow = half < NARROWEST_SIDE
    full = circuit_picture(graph, circuit, effect, width, COMPACT_TEXT if narrow else BOX_TEXT)
    picture = full if narrow else circuit_picture(graph, circuit, effect, half)
    beside = picture is not full and picture.layout.text_size >= SMALLEST and picture.height <= 2 * full.height
    if not beside:
        picture, half = full, width
    # Below each other, one list has every output with its probability before and after.
    first = output_rows(effect, "before") if beside else []
    second = output_rows(effect, "after") if beside else rows_at_any_time(effect)
    before = _Half("before", without_effect(graph, picture), half, tuple(first))
    after = _Half("after", picture, half, tuple(second))
    if beside:
        top = HEADING + interventions_height(graph, circuit, effect, half)
        y = _draw(pen, before, graph, circuit, effect, controls, top)
        across = Pen(pen.x + half + BETWEEN, pen.y, pen.items)
        y = max(y, _draw(across, after, graph, circuit, effect, controls, top))
        middle = half + BETWEEN / 2
        pen.lines([(middle, 2.0, middle, y)], Paint(stroke=style.LINE, width=1.0))
    else:
        y = _draw(pen, before, graph, circuit, effect, controls, HEADING) + BELOW_SIDE
        pen.lines([(0.0, y - BELOW_SIDE / 2, width, y - BELOW_SIDE / 2)], Paint(stroke=style.LINE, width=1.0))
        below = Pen(pen.x, pen.y + y, pen.items)
        top = HEADING + interventions_height(graph, circuit, effect, half)
        y += _draw(below, after, graph, circuit, effect, controls, top)
    below = Pen(pen.x, pen.y + y + BELOW_SIDE, pen.items)
    return y + BELOW_SIDE + draw_activations(below, graph, circuit, effect, controls, width), picture


def _draw(
    pen: Pen, side: _Half, graph: Graph, circuit: Circuit, effect: Effect, controls: Controls | None, top: float
) -> float:
    """Draw one side with its circuit from `top` on; return its height."""
    pen.label(0, 8, WORDS[side.when], style.TEXT_SIZE, style.INK, bold=True)
    if side.when == "after":
        draw_interventions(Pen(pen.x, pen.y + HEADING, pen.items), graph, circuit, effect, side.width)
    draw_circuit(Pen(pen.x, pen.y + top, pen.items), side.picture)
    y = top + side.picture.height + BELOW_CIRCUIT
    if not side.rows:
        return y
    return draw_outputs(pen, effect, controls, side.when, side.rows, y, side.width)
