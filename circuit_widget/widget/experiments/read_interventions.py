"""Interventions as the page sends them, read as those that the model runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from circuit_widget.intervention import Intervention, intervention_from_json
from circuit_widget.widget.experiments.experiments import Experiments
from circuit_widget.widget.wire.experiment_messages import InterventionJson
from circuit_widget.widget.wire.schema import plain

EVERYWHERE = re.compile(r"(\d{1,6})_(\d{1,9})_\*")
"""How the page names a feature at every position: its id, with a star for the position."""


def read_interventions(experiments: Experiments, interventions: Sequence[InterventionJson]) -> tuple[Intervention, ...]:
    """Return the interventions of a request; raises NodeError for nodes that are not known."""
    return tuple(intervention_from_json(_document(experiments, plain(one))) for one in interventions)


def _document(experiments: Experiments, document: dict[str, Any]) -> dict[str, Any]:
    """Return an intervention's JSON with features written out, since not all are nodes, and without what is None."""
    nodes = {
        name: [_node(experiments, node) for node in document[name]]
        for name in ("nodes", "features")
        if document.get(name) is not None
    }
    return {name: value for name, value in {**document, **nodes}.items() if value is not None}


def _node(experiments: Experiments, node: str) -> str | dict[str, int]:
    graph = experiments.graph
    if everywhere := EVERYWHERE.fullmatch(node):
        return {"layer": int(everywhere[1]), "feature": int(everywhere[2])}
    if node in graph.node_ids and graph.index(node) >= graph.n_features:
        return node
    feature = experiments.feature_of(node)
    return {"layer": feature.layer, "position": feature.position, "feature": feature.feature}
