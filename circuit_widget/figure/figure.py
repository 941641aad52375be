"""Figures of graphs and circuits: made once, saved as SVG, PDF, PNG, TikZ or HTML."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, get_args

from circuit_widget.arguments import of_type, one_of, plain_number, quoted, truth_value
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.circuit.circuit_argument import require_circuit
from circuit_widget.errors import FigureError
from circuit_widget.figure.output.chosen_font import ChosenFont, lacking, lacking_words, read_text_font
from circuit_widget.figure.output.fonts import chosen_folders
from circuit_widget.figure.output.glyphs import Coverage, cover, missing_glyphs
from circuit_widget.figure.output.html import write_html
from circuit_widget.figure.output.latex import caption_of, write_latex
from circuit_widget.figure.output.pdf import write_pdf
from circuit_widget.figure.output.png import write_png
from circuit_widget.figure.output.recipe_in_file import read_recipe, write_recipe
from circuit_widget.figure.output.svg import texts_of, write_svg
from circuit_widget.figure.output.tikz import write_tikz
from circuit_widget.figure.recipe.making import make_recipe
from circuit_widget.figure.recipe.recipe import read
from circuit_widget.figure.scene.compose import Part, compose
from circuit_widget.figure.scene.panels_scene import FigurePanel
from circuit_widget.figure.scene.scene import Label, Scene
from circuit_widget.figure.scene.style import PX_PER_INCH
from circuit_widget.figure.scene.text_font import TextFont
from circuit_widget.figure.scene.theme import Theme, pixels_per_inch, themed
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.system.atomic_write import write_bytes
from circuit_widget.system.paths import require_path
from circuit_widget.system.warning import warn
from circuit_widget.wording.text import measured_with

__all__ = ["ChosenFont", "Figure", "FigureCircuit", "FigureEffect", "Part", "Theme", "make_figure", "read_recipe"]

Made = TypeVar("Made")

NARROWEST = 2.0
WIDEST = 12.0
MOST_DOTS = 20_000

MOST_BOXES = 100
"""More cannot be distinguished on a page, and routing edges around them takes minutes."""

DPI = 300.0
"""Dots to the inch of a PNG: what journals ask for."""

FigureCircuit: TypeAlias = Circuit | None
"""The circuit of a figure; None for a figure of the map alone."""

FigureEffect: TypeAlias = Effect | Controls | None
"""What the bars of a figure show: an effect, an effect with the band of its controls, or nothing."""

Fonts: TypeAlias = str | Path | Sequence[str | Path]
"""Folders of font files."""


@dataclass(frozen=True)
class Figure:
    """A picture for a paper, and the recipe it was made from.

    Attributes:
        scene: what is drawn, as numbers and text.
        recipe: model, transcoders, hashes, prompt, targets, thresholds, circuit, interventions, seeds, layout and versions,
            as plain JSON; it is also in the metadata of every file, and `cw.redo(file)` makes the figure again from it.
    """

    scene: Scene
    recipe: Mapping[str, Any]

    def svg(self) -> str:
        """Return the figure as an SVG document with real text."""
        return write_svg(self.scene, self.recipe)

    def tikz(self) -> str:
        """Return the figure as a LaTeX document with one TikZ picture, in sans serif and typewriter fonts of LaTeX.

        It compiles by itself with pdfLaTeX and the packages tikz and lmodern; the tikzpicture can be copied into a paper.
        Characters beyond Latin-1 are drawn as boxes. The recipe is the first comment.
        """
        return in_font(self.scene.font, lambda: write_tikz(self.scene, self.recipe))

    def html(self) -> str:
        """Return the figure as an HTML page with the SVG in it, which loads nothing and runs nothing."""
        return write_html(self.scene, self.recipe)

    def latex(self, file: str = "figure.pdf", caption: bool | str = True, label: str | None = None) -> str:
        r"""Return the block that an article has for the figure saved as `file`: `\begin{figure}`, picture, caption, label.

        `caption=True` states prompt, model, transcoders or neurons, interventions, what was frozen, and how many controls;
        every text in it is escaped. A caption of your own is LaTeX. The picture has its own width, so that its text has the
        size that it was made for. The article needs the package graphicx and, for signs such as quotation marks in
        tokens, `\usepackage[T1]{fontenc}`. By default the label is "fig:" and the name of the file.

        Raises FigureError for a file that is no .pdf or .png, and for a name or a label that LaTeX would read as something
        else.
        """
        name = of_type(file, str, "The file of a figure in LaTeX is a text", FigureError)
        if Path(name).suffix.lower() not in (".pdf", ".png"):
            raise FigureError(f"LaTeX includes a figure as .pdf or .png; given {quoted(name)}.")
        if not isinstance(plain_number(caption), bool | str):
            raise FigureError(
                f"A caption is a text, True for one that is written here, or False; given {quoted(caption)}."
            )
        named = f"fig:{Path(name).stem}" if label is None else of_type(label, str, "A label is a text", FigureError)
        recipe = read(json.dumps(self.recipe), "the figure")
        words = caption if isinstance(caption, str) else caption_of(recipe) if caption else None
        return write_latex(recipe, name, words, named)

    def pdf(self, fonts: Fonts = ()) -> bytes:
        """Return the figure as a PDF page with real text and embedded fonts.

        Text is set in the fonts that come with the package. Characters that they lack are taken from fonts in the
        folders of `fonts`, then from the fonts of this machine. Characters that no font has are drawn as boxes and kept
        in the page's text; a CircuitWidgetWarning names them, and a font to install. Raises FigureError where a library
        is missing.
        """
        return write_pdf(self.scene, self.recipe, self._coverage(fonts))

    def png(self, dpi: float = DPI, fonts: Fonts = ()) -> bytes:
        """Return the figure as a PNG of so many dots to the inch, which the file states; fonts are found as for a PDF.

        Raises FigureError where a library is missing, and for a resolution whose picture is empty or too large.
        """
        return write_png(self.scene, self.recipe, self._coverage(fonts), self._dots_per_inch(dpi))

    def _dots_per_inch(self, dpi: object) -> float:
        dots = plain_number(dpi)
        is_number = isinstance(dots, int | float) and not isinstance(dots, bool) and abs(dots) < MOST_DOTS
        inches = [size / self.scene.px_per_inch for size in (self.scene.width, self.scene.height)]
        sizes = [dots * size if is_number else 0.0 for size in inches]
        if not 1 <= min(sizes) <= max(sizes) <= MOST_DOTS:
            gives = f" gives {sizes[0]:.0f} × {sizes[1]:.0f}" if is_number else " is no number that gives one"
            raise FigureError(f"A PNG is 1 to {MOST_DOTS:,} dots wide and high; dpi {quoted(dpi)}{gives}.")
        return float(dots)

    def missing_glyphs(self, fonts: Fonts = ()) -> str:
        """Return the characters of the figure that no font here has, each once; `fonts` are folders of more fonts.

        It does not apply to SVG, which is drawn with the fonts of the viewer's machine. Raises FigureError for a folder
        that does not exist, and where a library is missing.
        """
        return self._found(fonts).missing

    def save(self, path: str | Path, fonts: Fonts = (), dpi: float = DPI, *, recipe: bool = False) -> Path:
        """Write the figure, whole or not at all, in the format of its ending: .svg, .pdf, .png, .tex or .html; return the path.

        `fonts` are folders of font files for characters that the bundled fonts lack, as in `pdf`; SVG, TikZ (.tex) and HTML
        need none. `dpi` is for PNG alone, as in `png`. With `recipe`, the recipe is also written beside it, as
        name.recipe.json.
        Raises FigureError for another ending, for a file that cannot be written, and where a library is missing.
        """
        file = require_path(path, FigureError)
        beside = truth_value(recipe, "recipe", FigureError)
        fonts = chosen_folders(fonts)
        match file.suffix.lower():
            case ".svg":
                content = self.svg().encode()
            case ".pdf":
                content = write_pdf(self.scene, self.recipe, self._coverage(fonts))
            case ".png":
                content = write_png(self.scene, self.recipe, self._coverage(fonts), self._dots_per_inch(dpi))
            case ".tex":
                content = self.tikz().encode()
            case ".html":
                content = self.html().encode()
            case _:
                raise FigureError(f"A figure is saved as .svg, .pdf, .png, .tex or .html; given {file.name!r}.")
        written = write_bytes(file, content, "figure", FigureError)
        if beside:
            write_recipe(written, content)
        return written

    def _coverage(self, fonts: Fonts) -> Coverage:
        """Return fonts for the text; the warning points to the caller of the public method that calls this."""
        coverage = self._found(fonts)
        if coverage.missing:
            warn(missing_glyphs(coverage.missing))
        return coverage

    def _found(self, fonts: Fonts) -> Coverage:
        own = () if self.scene.font is None else self.scene.font.advances
        return cover(texts_of(self.scene), chosen_folders(fonts), own)

    def _repr_svg_(self) -> str:
        return self.svg()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002
        return {"image/svg+xml": self.svg(), "text/plain": f"Figure: {self.scene.title}"}


def make_figure(
    graph: Graph,
    circuit: FigureCircuit = None,
    effect: FigureEffect = None,
    part: Part = "both",
    width: float = 6.75,
    title: str | None = None,
    theme: Theme = "paper",
    font: ChosenFont = None,
) -> Figure:
    """Return what the screen shows as a figure: the same display rule, layout and scales, on a light background.

    Text is 8 pt in print, and never below 6.

    Args:
        graph: the attribution graph.
        circuit: supernodes, pins, labels, positions and thresholds; by default an empty circuit with its thresholds.
        effect: the effect to show: percentages beside the boxes, bars before and after; its Controls add their band.
        part: "map", "circuit", or "both"; "both" leaves out a circuit that has no boxes. "intervention" is the circuit
            before and after the effect, each with its likeliest outputs: side by side, or one above the other.
        width: inches, 2 to 12; papers have columns of 3.25 and text of 5.5 or 6.75.
        title: a line above the figure.
        theme: "paper"; "slides", with text and lines half as large again; or "grey", for print without colour: signs are then
            a grey beside dash and head, and groups of the map have rings of their own dashes.
        font: a font file (.ttf, .otf) for all text but tokens, or "Inter" or "Noto Sans Mono", which come with the package.
            Widths are measured with it, and SVG and PDF carry it. By default Inter, which an SVG only names.

    Raises:
        FigureError: an unknown part or theme, a font that cannot be read, a width out of range, a circuit without boxes
            where it is the figure, one of more than 100 boxes, or part="intervention" without an effect.
        NodeError, CircuitError: the circuit does not fit the graph.
    """
    one_of(part, get_args(Part), "The part of a figure", FigureError)
    width = width_in_inches(width, theme)
    chosen = read_text_font(font)
    require_graph(graph, FigureError)
    if circuit is not None:
        require_circuit(circuit, "The circuit of a figure is a Circuit, or None", FigureError)
    if effect is not None:
        of_type(effect, (Effect, Controls), "The effect of a figure is an Effect, its Controls, or None", FigureError)
    if title is not None:
        of_type(title, str, "The title of a figure is a text, or None", FigureError)
    document = (circuit or Circuit()).check(graph)
    if part != "map":
        check_boxes(document)
    if part == "intervention" and effect is None:
        raise FigureError(
            'A figure of an intervention needs its effect: graph.figure(circuit, effect, part="intervention").'
        )
    if part in ("circuit", "intervention") and not document.boxes():
        raise FigureError("The circuit has no boxes to draw: pin or group nodes first, or draw the map.")
    controls, drawn = (effect, effect.effect) if isinstance(effect, Controls) else (None, effect)
    pixels = pixels_per_inch(theme) * width
    scene = in_font(chosen, lambda: compose(graph, document, drawn, controls, part, pixels, title))
    recipe = make_recipe([FigurePanel("", graph, document, drawn, controls)], part, width, title)
    return finished(scene, recipe, theme, chosen)


def width_in_inches(width: object, theme: object) -> float:
    """Return the width of a figure, checked. Raises FigureError for an unknown theme, and for a width out of its range."""
    chosen = one_of(theme, get_args(Theme), "The theme of a figure", FigureError)
    narrowest = NARROWEST * PX_PER_INCH / pixels_per_inch(chosen)
    inches = plain_number(width)
    if isinstance(inches, bool) or not isinstance(inches, int | float) or not narrowest <= inches <= WIDEST:
        on = " on slides" if chosen == "slides" else ""
        raise FigureError(f"The width of a figure{on} is {narrowest:g} to {WIDEST:g} inches; given {quoted(width)}.")
    return float(inches)


def in_font(font: TextFont | None, make: Callable[[], Made]) -> Made:
    """Return what `make` makes where texts are measured with the chosen font."""
    return measured_with(None if font is None else font.advance, make)


def finished(scene: Scene, recipe: Mapping[str, Any], theme: Theme, font: TextFont | None) -> Figure:
    """Return the figure of a scene in its theme and its font, both in its recipe; a warning names what the font lacks."""
    texts = [item.text for item in scene.items if isinstance(item, Label) and not item.mono]
    if font is not None and (missing := lacking(font, texts)):
        warn(lacking_words(font, missing))
    look = {"theme": theme, "font": None if font is None else {"name": font.name, "sha256": font.digest}}
    return Figure(replace(themed(scene, theme), font=font), {**recipe, **look})


def check_boxes(circuit: Circuit) -> Circuit:
    """Return a circuit that can be drawn. Raises FigureError for one of too many boxes."""
    if (count := len(circuit.boxes())) > MOST_BOXES:
        raise FigureError(
            f"The circuit has {count:,} boxes; a figure shows at most {MOST_BOXES}. Group nodes, unpin some, or draw the "
            'map alone: part="map".'
        )
    return circuit
