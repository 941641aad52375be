"""`panels`: a figure of several panels, for what belongs together in a paper."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeAlias, runtime_checkable

from circuit_widget.arguments import has_entries, of_type, quoted, whole_number
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import FigureError
from circuit_widget.figure.figure import Figure, FigureEffect, check_boxes, finished, in_font, width_in_inches
from circuit_widget.figure.output.chosen_font import ChosenFont, read_text_font
from circuit_widget.figure.recipe.making import make_recipe
from circuit_widget.figure.scene.panels_scene import (
    BETWEEN,
    LETTERS,
    MARGIN,
    NARROWEST_COLUMN,
    FigurePanel,
    compose_panels,
)
from circuit_widget.figure.scene.theme import Theme, pixels_per_inch
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.intervention.studies.strength_sweep import Sweep
from circuit_widget.intervention.studies.validation import Validation
from circuit_widget.wording.text import printable

EXPECTED = (
    "Panels are a list, or a mapping from titles, of widgets, graphs, effects, controls, sweeps, validations, or pairs and "
    "triples: (graph, circuit), (graph, circuit, effect)"
)


@runtime_checkable
class Displays(Protocol):
    """What displays a graph: the widget."""

    def displayed(self) -> tuple[Graph, Circuit, FigureEffect]:
        """Return the graph, the circuit and the effect that are displayed."""


PanelEntry: TypeAlias = Displays | Graph | Effect | Controls | Sweep | Validation | Sequence[Any]
"""What a panel can be made of."""

PanelEntries: TypeAlias = Sequence[PanelEntry] | Mapping[str, PanelEntry]
"""Panels in reading order, with their titles where it is a mapping."""


def panels(
    entries: PanelEntries,
    columns: int = 2,
    width: float = 6.75,
    title: str | None = None,
    theme: Theme = "paper",
    font: ChosenFont = None,
) -> Figure:
    """Return one figure of several panels, each with a letter: small multiples, a comparison of prompts, a study beside it.

    A graph is its map, (graph, circuit) its circuit, and (graph, circuit, effect) the circuit with what the effect did. An
    effect, or its Controls, is bars; a sweep is curves; a validation is points. A widget is what it displays. Equal circuits
    of a graph have their boxes at the same places, the prompt stands above all panels or, where prompts differ, in each,
    and one legend is below them.

    Args:
        entries: up to 26 of these, or a mapping from titles to them.
        columns: panels in a row.
        width: inches of the whole figure, 2 to 12.
        title: a line above the figure.
        theme, font: as for a figure of one graph.

    Raises:
        FigureError: no panel or too many, something that is no panel, an unknown theme, a font that cannot be read, a width out of
            range, or columns that are too narrow.
        NodeError, CircuitError: a circuit that does not fit its graph.
    """
    inches = width_in_inches(width, theme)
    pixels = pixels_per_inch(theme) * inches
    count = whole_number(columns, "The columns of a figure", FigureError, least=1)
    if title is not None:
        of_type(title, str, "The title of a figure is a text, or None", FigureError)
    if isinstance(entries, Mapping):
        listed = [
            (of_type(name, str, "The title of a panel is a text", FigureError), one) for name, one in entries.items()
        ]
    elif has_entries(entries):
        listed = [("", one) for one in entries]
    else:
        raise FigureError(f"{EXPECTED}; given {quoted(entries)}.")
    if not 1 <= len(listed) <= len(LETTERS):
        raise FigureError(f"A figure has 1 to {len(LETTERS)} panels; given {len(listed)}.")
    count = min(count, len(listed))
    most = int((pixels - 2 * MARGIN + BETWEEN) / (NARROWEST_COLUMN + BETWEEN))
    if count > most:
        raise FigureError(
            f"{count} columns in {inches:g} inches are too narrow to read; use columns={most} or a larger width."
        )
    made = _with_circuits([_panel(printable(name), one) for name, one in listed])
    return figure_of_panels(made, count, inches, title, theme, font)


def figure_of_panels(
    made: Sequence[FigurePanel], columns: int, width: float, title: str | None, theme: Theme, font: ChosenFont
) -> Figure:
    """Return the figure of panels that are checked, `width` inches wide."""
    chosen, pixels = read_text_font(font), pixels_per_inch(theme) * width
    scene = in_font(chosen, lambda: compose_panels(made, columns, pixels, title))
    return finished(scene, make_recipe(made, "panels", width, title, columns), theme, chosen)


def _panel(title: str, entry: object) -> FigurePanel:
    """Return a panel, checked. Raises FigureError for something else, NodeError or CircuitError for a circuit that does not fit."""
    match entry:
        case Sweep() if entry.effects:
            return FigurePanel(title or printable(entry.name), entry.effects[0].graph, Circuit(), study=entry)
        case Validation() if entry.effects:
            return FigurePanel(title, next(iter(entry.effects.values())).graph, Circuit(), study=entry)
        case Effect():
            return FigurePanel(title, entry.graph, Circuit(), entry, bars=True)
        case Controls():
            return FigurePanel(title, entry.effect.graph, Circuit(), entry.effect, entry, bars=True)
        case Graph():
            return FigurePanel(title, entry, Circuit())
        case [Graph() as graph, Circuit() as circuit]:
            return _of_circuit(title, graph, circuit, None)
        case [Graph() as graph, Circuit() as circuit, (Effect() | Controls() | None) as effect]:
            return _of_circuit(title, graph, circuit, effect)
        case Displays():
            return _of_circuit(title, *entry.displayed())
        case _:
            raise FigureError(f"{EXPECTED}; given {quoted(entry)}.")


def _with_circuits(made: list[FigurePanel]) -> list[FigurePanel]:
    """Return the panels, bars of an effect with the groups of the first circuit of their graph."""
    return [
        replace(
            panel,
            circuit=next(
                (one.circuit for one in made if one.graph is panel.graph and one.circuit.boxes()), panel.circuit
            ),
        )
        if panel.bars
        else panel
        for panel in made
    ]


def _of_circuit(title: str, graph: Graph, circuit: Circuit, effect: FigureEffect) -> FigurePanel:
    document = check_boxes(circuit.check(graph))
    if isinstance(effect, Controls):
        return FigurePanel(title, graph, document, effect.effect, effect)
    return FigurePanel(title, graph, document, effect)
