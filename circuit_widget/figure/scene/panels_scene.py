"""Small multiples: panels of one figure, in columns, with letters and titles, one legend and one layout of equal circuits."""

from collections.abc import Sequence
from dataclasses import dataclass

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.alignment import aligned
from circuit_widget.figure.scene.arrangement import circuit_pictures
from circuit_widget.figure.scene.circuit_picture import CircuitPicture
from circuit_widget.figure.scene.circuit_scene import draw_circuit
from circuit_widget.figure.scene.effect_scene import draw_effect, draw_interventions
from circuit_widget.figure.scene.legend import (
    Entry,
    controls_entry,
    cutoff_entry,
    draw_legend,
    outcome_entries,
    shape_entries,
    sign_entries,
)
from circuit_widget.figure.scene.map_scene import draw_map, map_height
from circuit_widget.figure.scene.plot_scene import PlottedStudy, draw_sweep, draw_validation
from circuit_widget.figure.scene.prompt import draw_prompt, graph_title
from circuit_widget.figure.scene.scene import Item, Pen, Scene
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.intervention.studies.strength_sweep import Sweep
from circuit_widget.wording.names import BASIS_WORDS
from circuit_widget.wording.text import printable, shorten, text_width

MARGIN = 3.0
BETWEEN = 24.0
ROW_GAP = 22.0
HEADING = 24.0
LETTERS = "abcdefghijklmnopqrstuvwxyz"
NARROWEST_COLUMN = 170.0
"""Scene pixels in which the widest box of a circuit still has room."""


@dataclass(frozen=True)
class FigurePanel:
    """What one panel shows: a study, else the circuit of a graph with what an effect did to it, an effect alone, or a map.

    With `bars`, it has the bars of the effect alone, whose groups are those of the circuit. A circuit without boxes is a
    map.
    """

    title: str
    graph: Graph
    circuit: Circuit
    effect: Effect | None = None
    controls: Controls | None = None
    study: PlottedStudy | None = None
    bars: bool = False


def compose_panels(panels: Sequence[FigurePanel], columns: int, width: float, title: str | None) -> Scene:
    """Return the scene of a figure of panels, `width` scene pixels wide, in rows of so many columns."""
    inner = width - 2 * MARGIN
    column = (inner - BETWEEN * (columns - 1)) / columns
    pen = Pen(MARGIN, MARGIN)
    if title:
        pen.label(0, 9, shorten(printable(title), inner, style.TITLE_SIZE), style.TITLE_SIZE, style.INK, bold=True)
        pen.y += 28
    one_prompt = all(panel.graph.tokens == panels[0].graph.tokens for panel in panels)
    if one_prompt:
        pen.y += draw_prompt(pen, panels[0].graph, inner) + 14
    pictures = shared_pictures(panels, column)
    entries: list[Entry] = []
    edges: list[Item] = []
    for start in range(0, len(panels), columns):
        row = range(start, min(start + columns, len(panels)))
        pens = [Pen(pen.x + (place - start) * (column + BETWEEN), pen.y, pen.items) for place in row]
        tops = []
        for place, across in zip(row, pens, strict=True):
            _heading(across, place, panels[place], column)
            tops.append(HEADING + _above(across, panels[place], pictures[place], column, one_prompt))
        # Circuits in a row begin at the same height, whatever stands above them.
        first = max((top for place, top in zip(row, tops, strict=True) if pictures[place]), default=0.0)
        lowest = 0.0
        for place, across, top in zip(row, pens, tops, strict=True):
            y = first if pictures[place] else top
            below = Pen(across.x, across.y + y, pen.items)
            already = len(pen.items)
            height, own = _draw(below, panels[place], pictures[place], column)
            entries += own
            if panels[place].study is None:
                edges += pen.items[already:]
            lowest = max(lowest, y + height)
        pen.y += lowest + ROW_GAP
    entries = [
        *sign_entries(edges),
        *_cutoff_entries(pictures),
        *{text: (text, sign, draw) for text, sign, draw in entries}.values(),
    ]
    pen.y += draw_legend(pen, entries, "", inner)
    words = title or "; ".join(panel.title for panel in panels if panel.title) or graph_title(panels[0].graph)
    description = f"{len(panels)} panels: {'; '.join(panel.title or graph_title(panel.graph) for panel in panels)}."
    return Scene(width, round(pen.y + MARGIN), tuple(pen.items), printable(words), printable(description))


def shared_pictures(panels: Sequence[FigurePanel], width: float) -> list[CircuitPicture | None]:
    """Return the picture of each panel's circuit, None where it has none: boxes that are alike at equal places."""
    pictures: list[CircuitPicture | None] = [None] * len(panels)
    for at, panel in enumerate(panels):
        if pictures[at] is not None or not _is_circuit(panel):
            continue
        alike = [
            other
            for other, one in enumerate(panels)
            if _is_circuit(one) and one.graph is panel.graph and one.circuit == panel.circuit
        ]
        effects = [panels[other].effect for other in alike]
        for other, picture in zip(alike, circuit_pictures(panel.graph, panel.circuit, effects, width), strict=True):
            pictures[other] = picture
    return _aligned(panels, pictures, width)


def _aligned(
    panels: Sequence[FigurePanel], pictures: list[CircuitPicture | None], width: float
) -> list[CircuitPicture | None]:
    """Return the pictures, those of several graphs in one layout where their circuits have groups of the same names."""
    drawn = [at for at, picture in enumerate(pictures) if picture is not None]
    if len({id(panels[at].graph) for at in drawn}) < 2:
        return pictures
    names = [{group.name for group in panels[at].circuit.supernodes} for at in drawn]
    if not set.intersection(*names):
        return pictures
    found = [picture for picture in pictures if picture is not None]
    together = aligned([panels[at].graph for at in drawn], [panels[at].circuit for at in drawn], found, width)
    placed = dict(zip(drawn, together, strict=True))
    return [placed.get(at) for at in range(len(pictures))]


def _cutoff_entries(pictures: Sequence[CircuitPicture | None]) -> list[Entry]:
    """Return how many edges are drawn, in an entry for all circuits or, where they differ, in one for each with its letters."""
    letters: dict[tuple[int, int, float], list[str]] = {}
    for letter, picture in zip(LETTERS, pictures, strict=False):
        if picture is not None:
            letters.setdefault((len(picture.links), picture.total, picture.least_share), []).append(letter)
    cut = [(numbers, ", ".join(found)) for numbers, found in letters.items() if numbers[0] < numbers[1]]
    return [cutoff_entry(*numbers, *([where] if len(letters) > 1 else [])) for numbers, where in cut]


def _is_circuit(panel: FigurePanel) -> bool:
    return panel.study is None and not panel.bars and bool(panel.circuit.boxes())


def _heading(pen: Pen, place: int, panel: FigurePanel, width: float) -> None:
    """Write the letter and the title of a panel."""
    letter = LETTERS[place]
    room = text_width(letter, style.TITLE_SIZE) + 8
    pen.label(0, 8, letter, style.TITLE_SIZE, style.INK, bold=True)
    pen.label(room, 8, shorten(panel.title, width - room, style.TEXT_SIZE), style.TEXT_SIZE, style.INK)


def _above(pen: Pen, panel: FigurePanel, picture: CircuitPicture | None, width: float, one_prompt: bool) -> float:
    """Draw the prompt of a panel where it has its own, and the interventions on its circuit; return their height."""
    y = 0.0 if one_prompt else draw_prompt(Pen(pen.x, pen.y + HEADING, pen.items), panel.graph, width) + 10
    if picture is not None and panel.effect is not None:
        below = Pen(pen.x, pen.y + HEADING + y, pen.items)
        y += draw_interventions(below, panel.graph, panel.circuit, panel.effect, width)
    return y


def _draw(pen: Pen, panel: FigurePanel, picture: CircuitPicture | None, width: float) -> tuple[float, list[Entry]]:
    """Draw what is in a panel; return its height and the entries of the legend that it needs, without those of signs."""
    if panel.study is not None:
        return (
            draw_sweep(pen, panel.study, width)
            if isinstance(panel.study, Sweep)
            else draw_validation(pen, panel.study, width)
        )
    if picture is not None:
        draw_circuit(pen, picture)
        # The band of controls is behind bars, which a panel of a circuit does not have.
        return picture.height, outcome_entries(picture, None)
    if panel.effect is not None:
        height = draw_effect(pen, panel.graph, panel.circuit, panel.effect, panel.controls, width, 1)
        return height, [] if panel.controls is None else [controls_entry(panel.controls)]
    nodes = draw_map(pen, panel.graph, panel.circuit, None, width, map_height(panel.graph))
    kinds = list(dict.fromkeys(node.kind for node in nodes))
    return map_height(panel.graph), shape_entries(kinds, BASIS_WORDS[panel.graph.basis])
