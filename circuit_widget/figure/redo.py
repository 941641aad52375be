"""`redo`: makes a figure again from the recipe in its file, and checks that it is the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from circuit_widget import __version__
from circuit_widget.arguments import has_entries, one_line, quoted, truth_value
from circuit_widget.attribution.targets import target_from_json
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import FigureError
from circuit_widget.figure.figure import Figure, Fonts, make_figure
from circuit_widget.figure.output.chosen_font import ChosenFont, same_font
from circuit_widget.figure.output.fonts import chosen_folders
from circuit_widget.figure.output.recipe_in_file import BESIDE, PICTURE, recipe_text
from circuit_widget.figure.output.typeset import typst_version
from circuit_widget.figure.panels import figure_of_panels
from circuit_widget.figure.recipe.recipe import (
    FigureRecipe,
    GraphRecipe,
    OutcomeRecipe,
    PanelRecipe,
    SweepRecipe,
    ValidationRecipe,
    read,
)
from circuit_widget.figure.redo_model import ModelChoice, check_choice, model_of
from circuit_widget.figure.scene.panels_scene import FigurePanel
from circuit_widget.figure.scene.plot_scene import PlottedStudy
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_hash import identity
from circuit_widget.graph.opening import open as open_graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.kinds import Intervention, intervention_from_json
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.intervention.studies.running import part_of
from circuit_widget.model.language_model import versions
from circuit_widget.nodes import PromptToken
from circuit_widget.progress import ProgressChoice, ReportProgress, reporting
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.system.atomic_write import check_destination, write_bytes
from circuit_widget.system.paths import require_path
from circuit_widget.system.warning import warn

GraphFile: TypeAlias = Graph | str | os.PathLike[str]
LOADED = 0.3
"""Share of the progress that loading the model is."""


@dataclass(frozen=True)
class Original:
    """A figure's file that is made again: its recipe, the ending of its format, and the hash of its bytes.

    `sha256` is None for a recipe in a file of its own that names no figure.
    """

    name: str
    recipe: FigureRecipe
    ending: str
    sha256: str | None


def redo(
    path: str | Path,
    output: str | Path | None = None,
    *,
    model: ModelChoice = None,
    transcoders: str | os.PathLike[str] | None = None,
    graph: GraphFile | Sequence[GraphFile] | None = None,
    fonts: Fonts = (),
    exact: bool = True,
    progress: ProgressChoice = None,
) -> Figure:
    """Make a figure again from its file, or from the recipe beside it, and return it: the same bytes in its format.

    The model is loaded, the prompts are traced, and the interventions run as the recipe says. What can be known before is
    checked before: the recipe, the versions of the package and its libraries, the hashes of the model's files, and that
    graphs which were read from files are given. A recipe is data: it runs no code, and nothing is downloaded.

    Args:
        path: a figure (.svg, .pdf, .png, .tex, .html), or its recipe (.recipe.json).
        output: a file to write the figure to, in the format of its ending.
        model: the model, loaded, or its name or path, where the recipe's is from a folder; the hashes have to be the same.
        transcoders: their directory or name, likewise.
        graph: a graph, or its file, in place of a trace; several where a figure has several.
        fonts: folders of font files, as for `Figure.save`.
        exact: raise an error where the figure is not the same; otherwise that is a CircuitWidgetWarning.

    Raises:
        FigureError: a file without a recipe, or with one that was changed; something that the figure was made from is
            missing or is another; the figure was made again and is not the same.
        LoadError, GraphFileError: the model or a graph file cannot be read.
    """
    exact = truth_value(exact, "exact", FigureError)
    check_choice(model, transcoders)
    fonts = chosen_folders(fonts)
    target = None if output is None else require_path(output, FigureError)
    if target is not None:
        _ending(target)
        check_destination(target, "figure", FigureError)
    original = _original(require_path(path, FigureError))
    given = _given_graphs(graph)
    _check_graphs(original.recipe, given)
    _check_versions(original, given, exact)
    wanted = original.recipe.font
    font = None if wanted is None else same_font(wanted.name, wanted.sha256, chosen_folders(fonts))
    with reporting(progress) as report:
        figure = _made(original.recipe, given, model, transcoders, font, report)
        report(1.0, "Drawn")
    _compare(original, figure, fonts, exact)
    if target is not None:
        dots = None if original.recipe.set is None else original.recipe.set.dots_per_inch
        write_bytes(target, _content(figure, _ending(target), fonts, dots), "figure", FigureError)
    return figure


def _original(file: Path) -> Original:
    """Return what is in a figure's file. Raises FigureError for one without a recipe, and for a widget's page."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise FigureError(f"The figure {str(file)!r} cannot be read: {error.strerror}.") from error
    name = repr(one_line(file.name, 120))
    recipe = read(recipe_text(file, content), name)
    if file.suffix.lower() == ".html" and PICTURE.search(content):
        raise FigureError(
            f"{name} is a widget's page for readers, which has its date in it, and is not made again. Make a figure of "
            "what it shows: widget.figure().save('figure.html')."
        )
    if not file.name.lower().endswith(BESIDE):
        return Original(name, recipe, file.suffix.lower(), hashlib.sha256(content).hexdigest())
    if recipe.beside is None:
        return Original(name, recipe, ".svg", None)
    return Original(
        repr(one_line(recipe.beside.name, 120)), recipe, _ending(Path(recipe.beside.name)), recipe.beside.sha256
    )


def _given_graphs(graph: object) -> list[Graph]:
    listed: list[Any] = (
        [] if graph is None else list(graph) if has_entries(graph) and not isinstance(graph, Graph) else [graph]
    )
    return [one if isinstance(one, Graph) else open_graph(require_path(one, FigureError)) for one in listed]


def _check_versions(original: Original, given: Sequence[Graph], exact: bool) -> None:
    """Say which versions the figure was made with, where they are others here. Raises FigureError if it is to be exact."""
    recipe = original.recipe
    pairs = {"circuit_widget": (recipe.circuit_widget, __version__)}
    if recipe.set is not None:
        pairs["typst"] = (recipe.set.typst, typst_version())
    here = versions()
    for graph in recipe.graphs:
        if _matching(graph, given) is None:
            pairs |= {name: (version, here[name]) for name, version in graph.versions.items() if name in here}
    others = [
        f"{name} {one_line(made, 40)} (here {now or 'none'})" for name, (made, now) in pairs.items() if made != now
    ]
    if others:
        _differs(
            f"{original.name} was made with {', '.join(others)}, so its bytes would be others. Install these versions, or "
            "pass exact=False.",
            exact,
        )


def _check_graphs(recipe: FigureRecipe, given: Sequence[Graph]) -> None:
    """Raise FigureError for a graph that has to be given and is not, and for one that is given and is of another figure."""
    for graph in recipe.graphs:
        if _matching(graph, given) is None and not graph.traced:
            prompt = one_line("".join(f" {token.strip()}" for token in graph.prompt).strip(), 120)
            raise FigureError(
                f"The graph of “{prompt}” was read from a file and cannot be traced again from the recipe. Pass the file: "
                "redo(file, graph=...)."
            )
    known = {graph.nodes for graph in recipe.graphs}
    for number, one in enumerate(given):
        if identity(one) not in known:
            raise FigureError(
                f"Graph {number + 1} of those that were given has another prompt, other targets or other nodes than the "
                "figure's: give the one that it was made from, pruned as it was then."
            )


def _matching(recipe: GraphRecipe, given: Sequence[Graph]) -> Graph | None:
    return next((one for one in given if identity(one) == recipe.nodes), None)


def _made(
    recipe: FigureRecipe,
    given: Sequence[Graph],
    model: ModelChoice,
    transcoders: str | os.PathLike[str] | None,
    font: ChosenFont,
    report: ReportProgress,
) -> Figure:
    models: list[tuple[GraphRecipe, ReplacementModel]] = []

    def model_for(graph: GraphRecipe) -> ReplacementModel:
        same = (known for one, known in models if _loads_alike(one, graph))
        found = next(same, None)
        if found is None:
            report(0.0, "Loading the model")
            found = model_of(graph, model, transcoders)
            models.append((graph, found))
        return found

    # All models are loaded, and compared with the recipe, before the first prompt is traced.
    runs = {panel.graph for panel in recipe.panels if panel.outcome is not None or panel.study is not None}
    needed = [at for at, one in enumerate(recipe.graphs) if at in runs or _matching(one, given) is None]
    loaded = {at: model_for(recipe.graphs[at]) for at in needed}
    steps = len(recipe.graphs) + len(recipe.panels)

    def step(number: int) -> ReportProgress:
        return part_of(report, *(LOADED + (1 - LOADED) * (number + end) / steps for end in (0, 1)))

    graphs = []
    for at, one in enumerate(recipe.graphs):
        found = _matching(one, given) or _traced(one, loaded[at], step(at))
        graphs.append(replace(found, labels=one.labels, model=loaded.get(at, found.model)))
    made: list[FigurePanel] = []
    for number, panel in enumerate(recipe.panels):
        at = panel.graph
        made.append(_panel(panel, graphs[at], loaded.get(at), recipe.panels[:number], made, step(len(graphs) + number)))
    if recipe.part == "panels":
        return figure_of_panels(made, recipe.columns or 1, recipe.width_inches, recipe.title, recipe.theme, font)
    (only,) = made
    outcome = only.effect if only.controls is None else only.controls
    return make_figure(
        only.graph, only.circuit, outcome, recipe.part, recipe.width_inches, recipe.title, recipe.theme, font
    )


def _loads_alike(one: GraphRecipe, other: GraphRecipe) -> bool:
    names = ("model", "transcoders", "provenance", "device", "dtype", "input_site", "output_site")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _traced(recipe: GraphRecipe, model: ReplacementModel, report: ReportProgress) -> Graph:
    """Return a graph traced again. Raises FigureError where it has other nodes than the figure's."""
    tokens = [PromptToken(text, token) for text, token in zip(recipe.prompt, recipe.prompt_token_ids, strict=True)]
    graph = model.trace(
        model.prompt_of(tokens),
        targets=[target_from_json(target) for target in recipe.targets or ()],
        position=recipe.position,
        max_features=recipe.max_features,
        step=recipe.step,
        progress=report,
    )
    if recipe.pruned is not None:
        graph = graph.prune(recipe.pruned.node, recipe.pruned.edge)
    if identity(graph) != recipe.nodes:
        raise FigureError(
            f"The prompt was traced again and the graph has other nodes than the figure's ({graph.n_features:,} "
            f"{graph.basis}): the recipe was changed, or this machine adds up numbers otherwise. Give the graph's file: "
            "redo(file, graph=...)."
        )
    return graph


def _panel(
    recipe: PanelRecipe,
    graph: Graph,
    model: ReplacementModel | None,
    before: Sequence[PanelRecipe],
    made: Sequence[FigurePanel],
    report: ReportProgress,
) -> FigurePanel:
    circuit = Circuit.from_json(recipe.circuit)
    panel = FigurePanel(recipe.title, graph, circuit, bars=recipe.bars)
    if model is None or (recipe.outcome is None and recipe.study is None):
        return panel
    for earlier, drawn in zip(before, made, strict=True):
        # What several panels show runs once.
        if (earlier.graph, earlier.outcome, earlier.study) == (recipe.graph, recipe.outcome, recipe.study):
            return replace(panel, effect=drawn.effect, controls=drawn.controls, study=drawn.study)
    if recipe.study is not None:
        panel = replace(panel, study=_study(recipe.study, graph, model, report))
    if recipe.outcome is not None:
        effect, controls = _outcome(recipe.outcome, graph, model, report)
        panel = replace(panel, effect=effect, controls=controls)
    return panel


def _outcome(
    recipe: OutcomeRecipe, graph: Graph, model: ReplacementModel, report: ReportProgress
) -> tuple[Effect, Controls | None]:
    listed = [intervention_from_json(one) for one in recipe.interventions]
    if recipe.controls is None:
        return model.intervene(graph, listed, mode=recipe.mode, progress=report), None
    how = recipe.controls
    found = model.controls(
        graph,
        listed,
        n=how.n,
        seed=how.seed,
        same_position=how.same_position,
        mode=recipe.mode,
        progress=report,
    )
    return found.effect, found


def _study(
    recipe: SweepRecipe | ValidationRecipe, graph: Graph, model: ReplacementModel, report: ReportProgress
) -> PlottedStudy:
    if isinstance(recipe, ValidationRecipe):
        groups = {name: intervention_from_json(one).members for name, one in recipe.ablations}
        return model.validate(graph, groups, mode=recipe.mode, progress=report)
    first: list[Intervention] = [intervention_from_json(one) for one in recipe.first]
    if recipe.axis == "factor":
        return model.sweep(graph, first[0].members, recipe.values, mode=recipe.mode, progress=report)
    return model.sweep_last_layer(graph, first, first=round(recipe.values[0]), progress=report)


def _compare(original: Original, figure: Figure, fonts: Fonts, exact: bool) -> None:
    """Compare a figure that was made again with its file. Raises FigureError where it is another, if it is to be exact."""
    if original.sha256 is None:
        return
    dots = None if original.recipe.set is None else original.recipe.set.dots_per_inch
    content = _content(figure, original.ending, fonts, dots)
    if hashlib.sha256(content).hexdigest() == original.sha256:
        return
    before = replace(original.recipe, beside=None).to_json()
    after: Any = json.loads(recipe_text(Path(f"figure{original.ending}"), content))
    place = difference(before, after, "")
    why = (
        "its recipe is the same, so the file was changed after it was made, or drawn by another build of this version"
        if place is None
        else f"of its recipe, {one_line(place, 300)}"
    )
    _differs(f"{original.name} was made again, and the figure is not the same: {why}.", exact)


def difference(before: object, after: object, place: str) -> str | None:
    """Return the first place where two JSON values differ, with what is there in both; None where they are equal."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            found = difference(before.get(name), after.get(name), f"{place}.{name}" if place else str(name))
            if found is not None:
                return found
        return None
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        found_in = (difference(one, other, f"{place}[{at}]") for at, (one, other) in pairs)
        return next((one for one in found_in if one is not None), None)
    return None if before == after else f"{place} was {quoted(before)} and is {quoted(after)}"


def _content(figure: Figure, ending: str, fonts: Fonts, dots_per_inch: float | None) -> bytes:
    """Return a figure in a format."""
    match ending:
        case ".svg":
            return figure.svg().encode()
        case ".tex":
            return figure.tikz().encode()
        case ".html":
            return figure.html().encode()
        case ".pdf":
            return figure.pdf(fonts)
        case _:
            return figure.png(fonts=fonts) if dots_per_inch is None else figure.png(dots_per_inch, fonts)


def _ending(file: Path) -> str:
    ending = file.suffix.lower()
    if ending not in (".svg", ".pdf", ".png", ".tex", ".html"):
        raise FigureError(f"A figure is saved as .svg, .pdf, .png, .tex or .html; given {quoted(file.name)}.")
    return ending


def _differs(sentence: str, exact: bool) -> None:
    if exact:
        raise FigureError(sentence)
    warn(sentence)
