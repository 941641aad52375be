"""Makes the recipe of a figure from the graphs, circuits, effects and studies that it shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from circuit_widget import __version__
from circuit_widget.characters import repaired
from circuit_widget.display.visible_graph import thresholds_of, visible_graph
from circuit_widget.figure.recipe.recipe import (
    SCHEMA,
    ControlsRecipe,
    FigureRecipe,
    GraphRecipe,
    OutcomeRecipe,
    PanelRecipe,
    SweepRecipe,
    ThresholdsRecipe,
    ValidationRecipe,
)
from circuit_widget.figure.scene.panels_scene import FigurePanel
from circuit_widget.figure.scene.plot_scene import PlottedStudy
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_hash import identity
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.intervention.studies.strength_sweep import Sweep
from circuit_widget.tracing.tracing_again import limit_of
from circuit_widget.wording.outcome import description


def make_recipe(
    panels: Sequence[FigurePanel], part: str, width: float, title: str | None, columns: int | None = None
) -> dict[str, Any]:
    """Return the recipe of a figure as plain JSON; `columns` are those of a figure of several panels.

    There is no time in it, and everything without an order of its own is sorted: the same figure has the same recipe.
    """
    graphs: list[Graph] = []
    for panel in panels:
        if not any(panel.graph is graph for graph in graphs):
            graphs.append(panel.graph)
    numbers = [next(at for at, graph in enumerate(graphs) if graph is panel.graph) for panel in panels]
    recipes = [
        graph_recipe(graph, [panel for panel, number in zip(panels, numbers, strict=True) if number == at])
        for at, graph in enumerate(graphs)
    ]
    drawn = [_panel_recipe(panel, number) for panel, number in zip(panels, numbers, strict=True)]
    made: Any = part
    named = None if title is None else repaired(title)
    schema: Any = SCHEMA
    return FigureRecipe(schema, __version__, made, width, columns, named, tuple(recipes), tuple(drawn)).to_json()


def graph_recipe(graph: Graph, panels: Sequence[FigurePanel]) -> GraphRecipe:
    """Return how a graph is traced again, with the labels of the nodes that these panels draw."""
    known: dict[str, Any] = json.loads(json.dumps(dict(graph.recipe), default=_plain))
    drawn = {int(node) for panel in panels for node in visible_graph(graph, panel.circuit).nodes}
    drawn |= {index for panel in panels for box in panel.circuit.boxes() for index in graph.resolve(box.nodes)}
    ids = sorted(graph.node_ids[index] for index in drawn)
    thresholds = known.get("thresholds")
    targets = known.get("targets")
    return GraphRecipe(
        **{name: known.get(name) for name in ("model", "transcoders", "device", "dtype", "input_site", "output_site")},
        basis="neurons" if graph.basis == "neurons" else "features",
        provenance=known.get("provenance", {}),
        versions=known.get("versions", {}),
        prompt=tuple(token.text for token in graph.tokens),
        prompt_token_ids=tuple(token.token_id for token in graph.tokens),
        position=graph.position,
        targets=None if targets is None else tuple(targets),
        target_names=tuple(target.token for target in graph.targets),
        max_features=limit_of(graph),
        step=known.get("step"),
        pruned=None if thresholds is None else ThresholdsRecipe(float(thresholds["node"]), float(thresholds["edge"])),
        nodes=identity(graph),
        labels={node: graph.labels[node] for node in ids if node in graph.labels},
    )


def _panel_recipe(panel: FigurePanel, number: int) -> PanelRecipe:
    thresholds = thresholds_of(panel.graph, panel.circuit)
    return PanelRecipe(
        title=repaired(panel.title),
        graph=number,
        circuit=panel.circuit.to_json(),
        display=ThresholdsRecipe(thresholds.node, thresholds.edge),
        outcome=None if panel.effect is None else _outcome_recipe(panel, panel.effect, panel.controls),
        study=None if panel.study is None else _study_recipe(panel.study),
        bars=panel.bars,
    )


def _outcome_recipe(panel: FigurePanel, effect: Effect, controls: Controls | None) -> OutcomeRecipe:
    drawn = OutcomeRecipe(
        tuple(one.to_json() for one in effect.interventions),
        tuple(repaired(description(panel.graph, panel.circuit, one)) for one in effect.interventions),
        effect.mode,
        effect.frozen,
        effect.device,
        effect.dtype,
        None,
    )
    if controls is None:
        return drawn
    how = ControlsRecipe(len(controls.controls), controls.seed, controls.same_position, controls.similarity)
    return replace(drawn, controls=how)


def _study_recipe(study: PlottedStudy) -> SweepRecipe | ValidationRecipe:
    if isinstance(study, Sweep):
        first, axis = study.effects[0], "last_layer" if study.axis == "last_layer" else "factor"
        listed = tuple(one.to_json() for one in first.interventions)
        return SweepRecipe("sweep", repaired(study.name), axis, tuple(study.values), listed, first.mode)  # type: ignore[arg-type]
    ablations = tuple((name, effect.interventions[0].to_json()) for name, effect in study.effects.items())
    return ValidationRecipe("validation", ablations, next(iter(study.effects.values())).mode)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
