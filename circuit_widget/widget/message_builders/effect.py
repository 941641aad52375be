"""An experiment's effect as a message to the page."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.graph import Feature
from circuit_widget.intervention import Ablate, Add, Intervention, Scale, Set, SwapIn
from circuit_widget.intervention.as_code import effect_code
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.injected_edges import InjectedEdges
from circuit_widget.nodes import Everywhere
from circuit_widget.widget.history.history import HistoryEntry, compared_tokens
from circuit_widget.widget.message_builders.study_results import controls_message
from circuit_widget.widget.wire.experiment_messages import (
    AblateJson,
    AddJson,
    AnswerInputMessage,
    ComparedToken,
    ComparisonMessage,
    ControlsMessage,
    EffectMessage,
    EffectNodes,
    EffectTarget,
    EffectToken,
    InjectedEdgesMessage,
    InjectedFeature,
    InterventionJson,
    ScaleJson,
    SetJson,
    SwapInJson,
)
from circuit_widget.wording.outcome import changed_nodes


def recorded_facts(one: HistoryEntry) -> dict[str, Any]:
    """Return what the message of an experiment and its kept form have alike: what was done, how it ran, and its tokens."""
    effect = one.effect
    return {
        "id": one.number,
        "name": one.name,
        "interventions": tuple(intervention_json(done) for done in effect.interventions),
        "mode": effect.mode,
        "frozen": effect.frozen,
        "seconds": effect.seconds,
        "device": effect.device,
        "dtype": effect.dtype,
        "kl": effect.kl,
        "tokens": tuple(_effect_token(effect, row) for row in effect.tokens.to_dict("records")),
        "injected": tuple(
            InjectedFeature(
                feature.id,
                feature.layer,
                feature.position,
                feature.feature,
                value,
                effect.labels.get(feature.id, ""),
            )
            for feature, value in effect.injected
        ),
    }


def effect_message(one: HistoryEntry, circuit: Circuit, sent: Collection[str]) -> EffectMessage:
    """Return an experiment as a message, without the features that are neither among those sent nor changed."""
    effect = one.effect
    changed = {node for done in effect.interventions for node in changed_nodes(done)}
    return EffectMessage(
        **recorded_facts(one),
        targets=tuple(EffectTarget(token, logit) for token, logit in effect.predicted_logits.items()),
        nodes=_activations(effect, changed.union(sent)),
        code=effect_code(effect.graph, effect.interventions, effect.mode),
        controls=_controls(one, circuit),
        injected_edges=_injected_edges(effect, sent),
    )


def answer_inputs(edges: InjectedEdges) -> tuple[AnswerInputMessage, ...]:
    """Return what the injected features supply to likely tokens as messages."""
    return tuple(AnswerInputMessage(token, one.weight, one.total) for token, one in edges.answers.items())


def _injected_edges(effect: Effect, wanted: Collection[str]) -> InjectedEdgesMessage | None:
    """Return the edges onward from the injected features as a message, without nodes that are not wanted or reached."""
    edges, graph = effect.injected_edges, effect.graph
    if edges is None:
        return None
    rows = zip(graph.row_nodes.tolist(), edges.weights.tolist(), strict=True)
    reached = {graph.node_ids[node]: weight for node, weight in rows if weight != 0}
    sent = set(wanted)
    kept = {node: weight for node, weight in reached.items() if node in sent}
    return InjectedEdgesMessage(tuple(kept), tuple(kept.values()), answer_inputs(edges))


def _controls(one: HistoryEntry, circuit: Circuit) -> ControlsMessage | None:
    """Return the controls of an experiment; of saved ones, the bands of boxes that still have the same nodes."""
    if one.controls is not None:
        return controls_message(one.controls, circuit)
    if one.bands is None:
        return None
    now = {box.id: set(box.nodes) for box in circuit.boxes()}
    pairs = zip(one.bands.displayed.boxes, one.bands.box_nodes, strict=True)
    return replace(one.bands.displayed, boxes=tuple(box for box, nodes in pairs if now.get(box.id) == set(nodes)))


def _effect_token(effect: Effect, row: Any) -> EffectToken:
    """Return a row of an effect's tokens as a message."""
    rank_before, rank_after = effect.rank(row["token_id"])
    return EffectToken(**row, rank_before=rank_before, rank_after=rank_after)


def short_numbers(values: Any) -> tuple[float, ...]:
    """Return float32 numbers with the digits from which the same ones are read."""
    return tuple(float(f"{value:.9g}") for value in np.asarray(values, dtype=np.float32).tolist())


def _activations(effect: Effect, wanted: Collection[str]) -> EffectNodes:
    rows = effect.nodes[effect.nodes["id"].isin(list(wanted))]
    # With the digits of a float32: a notebook that is saved with the state of its widgets has each of them.
    columns = {name: short_numbers(rows[name]) for name in ("before", "after", "predicted")}
    return EffectNodes(ids=tuple(rows["id"].tolist()), **columns)


def comparison_message(one: HistoryEntry, other: HistoryEntry, sent: Collection[str]) -> ComparisonMessage:
    """Return the experiment `other` beside `one`, which is displayed, as a message."""
    rows: Any = compared_tokens(one.effect, other.effect).itertuples(index=False)
    return ComparisonMessage(
        id=other.number,
        beside=one.number,
        name=other.name,
        nodes=_activations(other.effect, sent),
        tokens=tuple(ComparedToken(row.token, row.token_id, row.before, row.first, row.second) for row in rows),
    )


def intervention_json(intervention: Intervention) -> InterventionJson:
    """Return an intervention of an effect as JSON, with every feature by its id."""
    nodes = tuple(changed_nodes(intervention))
    match intervention:
        case Ablate():
            return AblateJson("ablate", nodes)
        case Scale(factor=factor):
            return ScaleJson("scale", nodes, factor)
        case Set(value=value):
            return SetJson("set", nodes, value if isinstance(value, float) else tuple(value))
        case Add(value=value):
            return AddJson("add", nodes, value if isinstance(value, float) else tuple(value))
        case SwapIn(prompt=prompt, pairs=pairs):
            given = intervention.features is not None
            features = tuple(
                node.id if isinstance(node, Feature) else node
                for node in intervention.incoming
                if not isinstance(node, Everywhere)
            )
            text = prompt if isinstance(prompt, str) else tuple(prompt)
            return SwapInJson("swap_in", nodes, text, features if given else None, pairs)
    raise TypeError(f"No message is declared for interventions of kind {intervention.kind}.")
