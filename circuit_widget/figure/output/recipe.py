"""The recipe of a figure: the data it was made from, written into every file and read back from it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from circuit_widget import __version__
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.display.visible_graph import thresholds_of
from circuit_widget.errors import FigureError
from circuit_widget.figure.output import pdf, png, tikz
from circuit_widget.figure.output.svg import RECIPE_NAMESPACE
from circuit_widget.figure.scene.panels_scene import FigurePanel
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.intervention.studies.strength_sweep import Sweep
from circuit_widget.intervention.studies.validation import Validation


def make_recipe(
    graph: Graph, circuit: Circuit, effect: Effect | None, controls: Controls | None, part: str, width: float
) -> dict[str, Any]:
    """Return the recipe as plain JSON: model, transcoders, prompt, thresholds, circuit, interventions, versions, part."""
    thresholds = thresholds_of(graph, circuit)
    recipe: dict[str, Any] = {
        **json.loads(json.dumps(dict(graph.recipe), default=_plain)),
        "prompt": {
            "tokens": [token.text for token in graph.tokens],
            "token_ids": [token.token_id for token in graph.tokens],
            "position": graph.position,
        },
        "targets": [{"token": target.token, "token_id": target.token_id} for target in graph.targets],
        "display": {"node_threshold": thresholds.node, "edge_threshold": thresholds.edge},
        "circuit": circuit.to_json(),
        "figure": {"part": part, "width_inches": width, "circuit_widget": __version__},
    }
    if effect is not None:
        recipe["effect"] = {
            "interventions": [intervention.to_json() for intervention in effect.interventions],
            "mode": effect.mode,
            "device": effect.device,
            "dtype": effect.dtype,
        }
    if controls is not None:
        recipe["controls"] = {"n": len(controls.controls), "seed": controls.seed, "similarity": controls.similarity}
    return recipe


def make_panels_recipe(panels: Sequence[FigurePanel], columns: int, width: float) -> dict[str, Any]:
    """Return the recipe of a figure of panels: that of each, with its title and what was varied or ablated in a study."""
    recipes = []
    for panel in panels:
        recipe = make_recipe(panel.graph, panel.circuit, panel.effect, panel.controls, "panel", width)
        if panel.study is not None:
            recipe["study"] = _study(panel.study)
        recipes.append({**recipe, "title": panel.title})
    return {
        "panels": recipes,
        "figure": {"columns": columns, "width_inches": width, "circuit_widget": __version__},
    }


def _study(study: Sweep | Validation) -> dict[str, Any]:
    if isinstance(study, Sweep):
        first = [intervention.to_json() for intervention in study.effects[0].interventions]
        return {"kind": "sweep", "axis": study.axis, "values": list(study.values), "first": first}
    ablations = {
        name: [intervention.to_json() for intervention in effect.interventions]
        for name, effect in study.effects.items()
    }
    return {"kind": "validation", "ablations": ablations, "mode": next(iter(study.effects.values())).mode}


def read_recipe(path: str | Path) -> dict[str, Any]:
    """Return the recipe in a figure's file (.svg, .pdf, .png, .tex). Raises FigureError for a file without a recipe."""
    file = Path(path)
    readers = {".svg": _from_svg, ".pdf": pdf.keywords, ".png": png.text_chunk, ".tex": tikz.recipe_text}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise FigureError(f"A figure ends in .svg, .pdf, .png or .tex; given {file.name!r}.")
    try:
        text = reader(file.read_bytes())
        recipe = None if text is None else json.loads(text)
    except OSError as error:
        raise FigureError(f"The figure {str(path)!r} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError, ElementTree.ParseError) as error:
        raise FigureError(f"{file.name!r} is not a whole {file.suffix[1:].upper()} file.") from error
    if not isinstance(recipe, dict):
        raise FigureError(f"{file.name!r} contains no recipe; only figures made by circuit-widget do.")
    return recipe


def _from_svg(content: bytes) -> str | None:
    return ElementTree.fromstring(content).findtext(f".//{{{RECIPE_NAMESPACE}}}recipe")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
