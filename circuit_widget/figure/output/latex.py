r"""The block that a LaTeX article has for a figure: the picture, and a caption that says what it was made from."""

import re
from collections.abc import Iterator, Sequence

from circuit_widget.characters import shortened
from circuit_widget.errors import FigureError
from circuit_widget.figure.output.tikz import escaped
from circuit_widget.figure.recipe.recipe import (
    FigureRecipe,
    GraphRecipe,
    OutcomeRecipe,
    PanelRecipe,
    SweepRecipe,
    ValidationRecipe,
)
from circuit_widget.intervention.mode import NAMED_MODES
from circuit_widget.wording.numbers import percent
from circuit_widget.wording.text import printable

LETTERS = "abcdefghijklmnopqrstuvwxyz"
FILE = re.compile(r"[A-Za-z0-9_./+-]+")
"""Names of files that LaTeX takes as they are."""
LABEL = re.compile(r"[A-Za-z0-9:_.+-]+")
MOST_TARGETS = 3
LONGEST_TEXT = 200
"""Characters of a prompt or a name in a caption."""

PARTS = {
    "map": "Attribution graph",
    "circuit": "Circuit",
    "both": "Attribution graph and circuit",
    "intervention": "Circuit before and after an intervention",
}


def write_latex(recipe: FigureRecipe, file: str, caption: str | None, label: str) -> str:
    r"""Return the block: `\begin{figure}`, the picture at its own width, `\caption`, `\label`, `\end{figure}`.

    Every text in it is escaped but `caption`, which is LaTeX. Raises FigureError for a name of a file or a label that LaTeX
    would read as something else.
    """
    for what, given, allowed in (("name of a file", file, FILE), ("label", label, LABEL)):
        if not allowed.fullmatch(given):
            raise FigureError(
                f"A {what} in LaTeX has letters, digits and signs such as - and . alone; given {given!r:.100}. Rename it."
            )
    lines = [
        r"\begin{figure}",
        r"  \centering",
        rf"  \includegraphics[width={recipe.width_inches:g}in]{{{file}}}",
        *([] if caption is None else [rf"  \caption{{{caption}}}"]),
        rf"  \label{{{label}}}",
        r"\end{figure}",
    ]
    return "\n".join(lines) + "\n"


def caption_of(recipe: FigureRecipe) -> str:
    """Return the caption in LaTeX: prompt, model, features, targets, what was changed and frozen, and how many controls."""
    return " ".join(_sentences(recipe))


def _sentences(recipe: FigureRecipe) -> Iterator[str]:
    if recipe.title:
        yield f"{_text(recipe.title)}."
    one = recipe.graphs[0]
    if recipe.part == "panels":
        if len(recipe.graphs) == 1:
            yield f"All panels are of {_graph(one)}."
        for letter, panel in zip(LETTERS, recipe.panels, strict=False):
            yield from _panel(letter, panel, recipe.graphs)
        yield from _limits(recipe.graphs)
        return
    (panel,) = recipe.panels
    part = "map" if recipe.part == "both" and not _has_boxes(panel) else recipe.part
    yield f"{PARTS[part]} of {_graph(one)}."
    yield from _limits(recipe.graphs)
    if panel.outcome is not None:
        yield f"Intervention: {_outcome(panel.outcome)}."
        yield from _controls(panel.outcome)


def _panel(letter: str, panel: PanelRecipe, graphs: Sequence[GraphRecipe]) -> Iterator[str]:
    if isinstance(panel.study, SweepRecipe):
        what = _sweep(panel.study)
    elif isinstance(panel.study, ValidationRecipe):
        count = len(panel.study.ablations)
        what = f"what ablating each of {count} groups changes, predicted and measured ({_frozen(panel.study.mode)})"
    elif panel.bars and panel.outcome is not None:
        what = f"probabilities and activations; intervention: {_outcome(panel.outcome)}"
    else:
        what = "circuit" if _has_boxes(panel) else "attribution graph"
        if panel.outcome is not None:
            what += f"; intervention: {_outcome(panel.outcome)}"
    where = "" if len(graphs) == 1 else f", of {_graph(graphs[panel.graph])}"
    title = f"{_text(panel.title)}: " if panel.title else ""
    yield rf"\textbf{{{letter}}} {title}{what}{where}."
    if panel.outcome is not None and panel.bars:
        yield from _controls(panel.outcome)


def _graph(recipe: GraphRecipe) -> str:
    """Return model, features, prompt and targets."""
    model = "a model without a name" if recipe.model is None else f"the model {_text(recipe.model)}"
    basis = "its neurons as features" if recipe.basis == "neurons" else "transcoders"
    if recipe.basis != "neurons" and recipe.transcoders is not None:
        basis = f"the transcoders {_text(recipe.transcoders)}"
    names = [f"``{_text(name.strip() or name)}''" for name in recipe.target_names[:MOST_TARGETS]]
    more = f" and {len(recipe.target_names) - MOST_TARGETS} more" if len(recipe.target_names) > MOST_TARGETS else ""
    return f"{model} with {basis} on the prompt ``{_text(prompt_text(recipe.prompt))}'', explaining {', '.join(names)}{more}"


def prompt_text(tokens: Sequence[str]) -> str:
    """Return the tokens behind the first as they follow one another; those of words alone with spaces between."""
    texts = tokens[1:]
    has_spaces = any(len(text) > 1 and text.startswith(" ") for text in texts)
    return ("" if has_spaces else " ").join(texts).strip()


def _limits(graphs: Sequence[GraphRecipe]) -> Iterator[str]:
    """Yield what graphs leave out: features that were not kept, and what pruning took."""
    for count, basis in dict.fromkeys((one.max_features, one.basis) for one in graphs if one.max_features is not None):
        yield f"The {count:,} {basis} with most influence are nodes."
    for one in dict.fromkeys(one.pruned for one in graphs if one.pruned is not None):
        yield f"Pruned to {_text(percent(one.node))} of influence and {_text(percent(one.edge))} of edge score."


def _outcome(recipe: OutcomeRecipe) -> str:
    return f"{', '.join(map(_text, recipe.words))} ({_text(recipe.frozen)})"


def _controls(recipe: OutcomeRecipe) -> Iterator[str]:
    if recipe.controls is not None:
        yield (
            f"The band is the range over {recipe.controls.n} controls: the same change of similar random features "
            f"(seed {recipe.controls.seed})."
        )


def _sweep(recipe: SweepRecipe) -> str:
    name = _text(recipe.name)
    if recipe.axis == "last_layer":
        return f"{name}, with the MLP outputs up to each layer frozen in turn"
    ends = f"{min(recipe.values):g} to {max(recipe.values):g}"
    return f"{name} times {_text(ends)}, measured and predicted ({_frozen(recipe.mode)})"


def _frozen(mode: str) -> str:
    return _text(NAMED_MODES.get(mode, f"MLP outputs of layers {mode} frozen"))


def _has_boxes(panel: PanelRecipe) -> bool:
    return bool(panel.circuit.get("pinned") or panel.circuit.get("supernodes"))


def _text(text: str) -> str:
    return escaped(shortened(printable(text), LONGEST_TEXT))
