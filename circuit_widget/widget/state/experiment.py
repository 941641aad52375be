"""What is done to whom in an experiment, by name, and its effect as the frontend gets it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from circuit_widget.arguments import one_line
from circuit_widget.characters import beginning, shortened
from circuit_widget.circuit.document import Circuit, NodeChoice
from circuit_widget.errors import CircuitError, NodeError
from circuit_widget.graph import Feature, Graph
from circuit_widget.intervention import Add, Intervention, Set, SwapIn
from circuit_widget.intervention.as_code import effect_code
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.kinds import node_tuple
from circuit_widget.nodes import Everywhere, several_nodes
from circuit_widget.widget.state.history import LONGEST_NAME, HistoryEntry, compared_tokens
from circuit_widget.widget.state.study_results import controls_message
from circuit_widget.widget.wire.schema import plain
from circuit_widget.wording.outcome import changed_nodes, short_description


def nodes_of(graph: Graph, circuit: Circuit, wanted: NodeChoice) -> tuple[str | Feature, ...]:
    """Return the nodes meant by a supernode's name, a node id, a Feature, a label, or any number of those.

    Of a label all features that have it are meant, by the circuit's labels before those of the graph.

    Raises CircuitError, naming what comes nearest, for a text that is none of these.
    """
    members = {name: one.nodes for one in circuit.supernodes for name in (one.id, one.name)}
    nodes: dict[str | Feature, None] = {}
    for one in several_nodes(wanted, CircuitError):
        if isinstance(one, str) and one in members:
            nodes.update(dict.fromkeys(members[one]))
        elif isinstance(one, Feature):
            nodes[one] = None
        else:
            nodes.update(dict.fromkeys(_labelled(graph, circuit, one) or [_known(graph, circuit, one)]))
    return tuple(nodes)


def _labelled(graph: Graph, circuit: Circuit, label: str) -> list[str]:
    """Return the features with a label; of a text that is a node's id, none."""
    if not isinstance(label, str) or label in graph.node_ids:
        return []
    labels = {**graph.labels, **circuit.labels}
    return [node for node in graph.node_ids[: graph.n_features] if labels.get(node) == label]


def _known(graph: Graph, circuit: Circuit, node: str) -> str:
    try:
        graph.index(node)
    except NodeError:
        if not isinstance(node, str):
            raise
        names = [supernode.name for supernode in circuit.supernodes]
        names += dict.fromkeys([*circuit.labels.values(), *graph.labels.values()])
        nearest = (
            difflib.get_close_matches(beginning(node, 80), [*names, *graph.node_ids], n=3, cutoff=0.5) or names[:5]
        )
        there = f"the nearest are {', '.join(nearest)}" if nearest else "the circuit has no supernode yet"
        raise CircuitError(f"There is no supernode and no node “{one_line(node, 80)}”; {there}.") from None
    return node


def changed_by(graph: Graph, circuit: Circuit, intervention: Intervention) -> Intervention:
    """Return an intervention on the nodes meant, as `nodes_of` finds them, less those that it cannot change.

    Features can be set and added to; errors and tokens can be ablated, scaled and swapped in as well; logits cannot be
    changed. What is named by itself stays, so that the model says why it cannot be changed.

    Raises CircuitError for what `nodes_of` does not find, and when nothing is left.
    """
    places = node_tuple(intervention.nodes)
    named = [place for place in places if not isinstance(place, Everywhere)]
    nodes = nodes_of(graph, circuit, named)
    end = graph.n_features if isinstance(intervention, Set | Add) else graph.weights.shape[1]
    found = [node for node in nodes if isinstance(node, Feature) or node in named or graph.index(node) < end]
    meant = (*found, *(place for place in places if isinstance(place, Everywhere)))
    if not meant:
        given = ", ".join(f"“{one_line(_id(node), 80)}”" for node in named[:3])
        raise CircuitError(f"Nothing that can be changed is in {given or 'no nodes'}; features, errors and tokens can.")
    return replace(intervention, nodes=meant)


def experiment_name(graph: Graph, circuit: Circuit, interventions: Sequence[Intervention]) -> str:
    """Return what an experiment is called: "Texas ×0, capital ×2"."""
    name = ", ".join(short_description(graph, circuit, one) for one in interventions)
    return shortened(name, LONGEST_NAME)


def _id(node: str | Feature) -> str:
    return node.id if isinstance(node, Feature) else node


def effect_message(one: HistoryEntry, circuit: Circuit, shown: Collection[str]) -> dict[str, Any]:
    """Return an experiment as an EffectMessage, less the features that the frontend does not show and no intervention changed."""
    effect = one.effect
    document = effect.to_json(one.number, one.name)
    changed = {node for done in effect.interventions for node in changed_nodes(done)}
    nodes = document["nodes"]
    places = [place for place, node in enumerate(nodes["ids"]) if node in shown or node in changed]
    return {
        **document,
        "mode": effect.mode,
        "interventions": [_with_ids(done.to_json(), done) for done in effect.interventions],
        "nodes": {column: [values[place] for place in places] for column, values in nodes.items()},
        "tokens": [{**row, **_ranks(effect, row["token_id"])} for row in document["tokens"]],
        "kl": effect.kl,
        "code": effect_code(effect.graph, effect.interventions, effect.mode),
        "controls": None if one.controls is None else plain(controls_message(one.controls, circuit)),
    }


def _ranks(effect: Effect, token: int) -> dict[str, int]:
    return dict(zip(("rank_before", "rank_after"), effect.rank(token), strict=True))


def comparison_message(one: HistoryEntry, other: HistoryEntry, shown: Collection[str]) -> dict[str, Any]:
    """Return the experiment `other` beside `one`, which is on show, as a ComparisonMessage."""
    nodes = other.effect.to_json()["nodes"]
    places = [place for place, node in enumerate(nodes["ids"]) if node in shown]
    frame = compared_tokens(one.effect, other.effect)
    return {
        "id": other.number,
        "beside": one.number,
        "name": other.name,
        "nodes": {column: [values[place] for place in places] for column, values in nodes.items()},
        "tokens": frame.rename(columns={"first": "after", "second": "compared"}).to_dict("records"),
    }


def _with_ids(document: Mapping[str, Any], intervention: Intervention) -> dict[str, Any]:
    """Return an intervention's JSON with every feature by its id."""
    plain = {**document, "nodes": list(changed_nodes(intervention))}
    if isinstance(intervention, SwapIn) and intervention.features is not None:
        plain["features"] = [_id(node) for node in intervention.incoming if not isinstance(node, Everywhere)]
    return plain
