"""Puts the parts of a figure on one page: map, circuit, effect, legend."""

from dataclasses import replace
from typing import Literal, TypeAlias

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.circuit.filters import Filters
from circuit_widget.display.filtering import known_stability
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.arrangement import circuit_picture
from circuit_widget.figure.scene.circuit_picture import CircuitPicture
from circuit_widget.figure.scene.circuit_scene import draw_circuit, numbers_left_out
from circuit_widget.figure.scene.effect_scene import draw_effect
from circuit_widget.figure.scene.intervention_scene import draw_intervention
from circuit_widget.figure.scene.legend import (
    cutoff_entry,
    draw_legend,
    error_band_entry,
    group_entries,
    number_entry,
    outcome_entries,
    shape_entries,
    sign_entries,
    stability_entry,
)
from circuit_widget.figure.scene.map_scene import draw_map, map_height
from circuit_widget.figure.scene.prompt import draw_prompt, graph_title
from circuit_widget.figure.scene.scene import Pen, Scene
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.wording.names import BASIS_WORDS, kind_word, token_text
from circuit_widget.wording.numbers import probability
from circuit_widget.wording.text import apart, printable, shorten

Part: TypeAlias = Literal["map", "circuit", "both", "intervention"]

MARGIN = 3.0
GAP = 22.0
BESIDE = 640.0
"""Width from which the bars of an effect are beside the circuit."""
BARS = 236.0
TWO_COLUMNS = 420.0


def compose(
    graph: Graph,
    circuit: Circuit,
    effect: Effect | None,
    controls: Controls | None,
    part: Part,
    width: float,
    title: str | None,
) -> Scene:
    """Return the scene of a figure `width` scene pixels wide, as high as its parts need."""
    inner = width - 2 * MARGIN
    pen = Pen(MARGIN, MARGIN)
    if title:
        pen.label(0, 9, shorten(printable(title), inner, style.TITLE_SIZE), style.TITLE_SIZE, style.INK, bold=True)
        pen.y += 28
    entries = []
    note = ""
    picture: CircuitPicture | None = None
    if part in ("map", "both"):
        nodes = draw_map(pen, graph, circuit, effect, inner, map_height(graph))
        pen.y += map_height(graph)
        entries += shape_entries(list(dict.fromkeys(node.kind for node in nodes)), BASIS_WORDS[graph.basis])
        if circuit.filters.error_bands:
            entries.append(error_band_entry(kind_word(graph, "error")))
        note = f"{len(nodes):,} of {graph.n_nodes:,} nodes{_filtered(circuit.filters)}"
    else:
        pen.y += draw_prompt(pen, graph, inner) + 10
    if part == "intervention" and effect is not None:
        height, picture = draw_intervention(pen, graph, circuit, effect, controls, inner)
        pen.y += height
    elif part != "map" and (circuit.boxes() or effect):
        pen.y += GAP if part == "both" else 0.0
        height, picture = _circuit_and_effect(pen, graph, circuit, effect, controls, inner)
        pen.y += height
    entries += sign_entries(pen.items)
    if part in ("map", "both") and circuit.edge_stability and (stability := known_stability(graph)) is not None:
        entries.append(stability_entry(stability.prunings))
    if picture is not None:
        entries += outcome_entries(picture, controls)
    if picture is not None and len(picture.drawn) < picture.total:
        entries.append(cutoff_entry(len(picture.drawn), picture.total, picture.least_share))
    if picture is not None and (missing := numbers_left_out(picture)):
        entries.append(number_entry(missing, len(picture.drawn)))
    if part == "map":
        entries += group_entries(circuit)
    pen.y += 10
    pen.y += draw_legend(pen, entries, note, inner)
    return Scene(width, round(pen.y + MARGIN), tuple(pen.items), _title(graph, title), _description(graph, circuit))


def _filtered(filters: Filters) -> str:
    """Return what filters and hands hide, as the note about the map says it."""
    words = "" if replace(filters, hidden=()) == Filters() else ", filtered"
    return f"{words}, {len(filters.hidden):,} hidden by hand" if filters.hidden else words


def _circuit_and_effect(
    pen: Pen, graph: Graph, circuit: Circuit, effect: Effect | None, controls: Controls | None, width: float
) -> tuple[float, CircuitPicture | None]:
    """Draw bars beside the circuit where there is room, else below it; return the height of both, and the circuit."""
    columns = 2 if width >= TWO_COLUMNS else 1
    if not circuit.boxes():
        return draw_effect(pen, graph, circuit, effect, controls, width, columns) if effect else 0.0, None
    beside = effect is not None and width >= BESIDE
    room = width - BARS - 24 if beside else width
    picture = circuit_picture(graph, circuit, effect, room)
    if effect is None:
        draw_circuit(pen, picture)
        return picture.height, picture
    if beside:
        bars = Pen(pen.x + width - BARS, pen.y)
        height = max(picture.height, draw_effect(bars, graph, circuit, effect, controls, BARS, 1))
        draw_circuit(_shifted(pen, (height - picture.height) / 2), picture)
        pen.items += bars.items
        return height, picture
    draw_circuit(pen, picture)
    below = _shifted(pen, picture.height + 14)
    return picture.height + 14 + draw_effect(below, graph, circuit, effect, controls, width, columns), picture


def _shifted(pen: Pen, down: float) -> Pen:
    """Return a pen lower down that writes on the same page."""
    return Pen(pen.x, pen.y + down, pen.items)


def _title(graph: Graph, title: str | None) -> str:
    return printable(title) if title else graph_title(graph)


def _description(graph: Graph, circuit: Circuit) -> str:
    text = _explained(graph)
    names = [apart(printable(supernode.name)) for supernode in circuit.supernodes]
    return f"{text} Supernodes: {', '.join(names)}." if names else text


def _explained(graph: Graph) -> str:
    """Return what the graph explains in a sentence: the model's answer only where no other token can be likelier."""
    choices = graph.recipe.get("targets")
    chosen = choices if isinstance(choices, list) else [None] * len(graph.targets)
    tokens = [
        target
        for target, choice in zip(graph.targets, chosen, strict=True)
        if not isinstance(choice, dict) or "token" in choice
    ]
    if not tokens:
        return f"It explains {', '.join(f'“{apart(printable(target.token.strip()))}”' for target in graph.targets)}."
    likeliest = max(tokens, key=lambda target: target.probability)
    left = 1 - sum(target.probability for target in tokens)
    words = (
        "The model's answer is" if likeliest.probability > left else "The likeliest of the outputs that it explains is"
    )
    return f"{words} “{apart(token_text(likeliest.token))}” with probability {probability(likeliest.probability)}."
