"""Figures of graphs and circuits: made once, saved as SVG, PDF or PNG."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from circuit_widget.circuit import Circuit
from circuit_widget.errors import FigureError
from circuit_widget.figure.compose import Part, compose
from circuit_widget.figure.pdf import write_pdf
from circuit_widget.figure.png import dots_per_inch, write_png
from circuit_widget.figure.recipe import make_recipe, read_recipe
from circuit_widget.figure.scene import Scene
from circuit_widget.figure.style import PX_PER_INCH
from circuit_widget.figure.svg import write_svg
from circuit_widget.graph import Graph
from circuit_widget.intervention.controls import Controls
from circuit_widget.intervention.effect import Effect
from circuit_widget.system.atomic_write import write_bytes
from circuit_widget.system.paths import given_path

__all__ = ["Figure", "Part", "make_figure", "read_recipe"]

NARROWEST = 2.0
WIDEST = 12.0
MOST_DOTS = 20_000


@dataclass(frozen=True)
class Figure:
    """A picture for a paper, and how it came about.

    Attributes:
        scene: what is drawn, as numbers and text.
        recipe: model, transcoders, prompt, thresholds, circuit, interventions and versions, as plain JSON; it is also
            in the metadata of every file, for `read_recipe`.
    """

    scene: Scene
    recipe: Mapping[str, Any]

    def svg(self) -> str:
        """The figure as an SVG document with real text."""
        return write_svg(self.scene, self.recipe)

    def pdf(self) -> bytes:
        """The figure as a PDF page with real text and embedded fonts. Raises FigureError where typst is missing."""
        width, height = (72 * size / PX_PER_INCH for size in (self.scene.width, self.scene.height))
        return write_pdf(self.svg(), self.recipe, self.scene.title, self.scene.description, width, height)

    def png(self, scale: float = 2.0) -> bytes:
        """The figure as a PNG of 108 × `scale` dots to the inch: 216 by default.

        Raises FigureError where resvg-py is missing, and for a scale that gives no picture or one too large.
        """
        sizes = [scale * size for size in (self.scene.width, self.scene.height)]
        if not 1 <= min(sizes) <= max(sizes) <= MOST_DOTS:
            raise FigureError(
                f"A PNG is 1 to {MOST_DOTS:,} dots wide and high; scale {scale} gives {sizes[0]:.0f} × {sizes[1]:.0f}."
            )
        return write_png(self.svg(), self.recipe, round(sizes[0]), dots_per_inch(scale))

    def save(self, path: str | Path) -> Path:
        """Write the figure, whole or not at all, as what the file's ending says: .svg, .pdf or .png; returns the path.

        Raises FigureError for another ending, for a file that cannot be written, and where a library is missing.
        """
        file = given_path(path, FigureError)
        writers: dict[str, Callable[[], bytes]] = {
            ".svg": lambda: self.svg().encode(),
            ".pdf": self.pdf,
            ".png": self.png,
        }
        writer = writers.get(file.suffix.lower())
        if writer is None:
            raise FigureError(f"A figure is saved as .svg, .pdf or .png; given {file.name!r}.")
        return write_bytes(file, writer(), "figure", FigureError)

    def _repr_svg_(self) -> str:
        return self.svg()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002
        return {"image/svg+xml": self.svg(), "text/plain": f"Figure: {self.scene.title}"}


def make_figure(
    graph: Graph,
    circuit: Circuit | None = None,
    effect: Effect | Controls | None = None,
    part: Part = "both",
    width: float = 6.75,
    title: str | None = None,
) -> Figure:
    """What the screen shows, as a figure: the same display rule, layout and scales, on a light ground.

    Args:
        graph: the attribution graph.
        circuit: supernodes, pins, labels, places and thresholds; without one, the thresholds of a new circuit hold.
        effect: the effect to show: percentages beside the boxes, bars before and after; its Controls add their band.
        part: "map", "circuit", or "both"; "both" leaves out a circuit that has no boxes.
        width: inches, 2 to 12; papers have columns of 3.25 and text of 5.5 or 6.75.
        title: a line above the figure.

    Raises:
        FigureError: an unknown part, a width out of range, or a circuit asked for that has no boxes.
        NodeError, CircuitError: the circuit does not fit the graph.
    """
    if part not in get_args(Part):
        raise FigureError(f"The part of a figure is map, circuit or both; given {part!r}.")
    if isinstance(width, bool) or not isinstance(width, int | float) or not NARROWEST <= width <= WIDEST:
        raise FigureError(f"The width of a figure is {NARROWEST:g} to {WIDEST:g} inches; given {width!r}.")
    document = (circuit or Circuit()).check(graph)
    if part == "circuit" and not document.boxes():
        raise FigureError("The circuit has no boxes to draw: pin or group nodes first, or draw the map.")
    controls, done = (effect, effect.effect) if isinstance(effect, Controls) else (None, effect)
    scene = compose(graph, document, done, controls, part, PX_PER_INCH * width, title)
    return Figure(scene, make_recipe(graph, document, done, controls, part, float(width)))
