"""An experiment of the history in the form in which it is kept, and read again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import MessageError
from circuit_widget.graph import Feature, Graph
from circuit_widget.intervention import Intervention, intervention_from_json
from circuit_widget.intervention.effect import Effect, most_likely
from circuit_widget.intervention.execution.target_readings import TargetReading
from circuit_widget.intervention.injected_edges import AnswerInput, InjectedEdges
from circuit_widget.intervention.mode import read_mode
from circuit_widget.intervention.saved_readings import SavedReadings
from circuit_widget.widget.history.history import Bands, HistoryEntry, check_name
from circuit_widget.widget.message_builders.effect import answer_inputs, recorded_facts, short_numbers
from circuit_widget.widget.message_builders.study_results import controls_message
from circuit_widget.widget.wire.kept_messages import (
    KeptControls,
    KeptExperiment,
    KeptInjectedEdges,
    KeptLogits,
    KeptNodes,
    KeptReading,
)
from circuit_widget.widget.wire.schema import plain

if TYPE_CHECKING:
    import pandas

LIKELY = 100
"""How many of the likeliest tokens, before and after, have their logits kept."""

FEATURE_ID = re.compile(r"(\d{1,9})_(\d{1,9})_(\d{1,9})")
COLUMNS = ("before", "after", "predicted")


def kept_experiment(one: HistoryEntry, circuit: Circuit) -> KeptExperiment:
    """Return the kept form of an experiment; the bands of its controls are those of the circuit's boxes."""
    effect = one.effect
    return KeptExperiment(
        **recorded_facts(one),
        vocabulary=len(effect.logits_before),
        log_totals=effect.log_totals,
        logits=_logits(effect),
        nodes=_nodes(effect),
        readings=tuple(
            KeptReading(token, one.kind, float(one.before), float(one.after), float(one.predicted))
            for token, one in effect.readings.items()
        ),
        controls=_controls(one, circuit),
        injected_edges=_kept_edges(effect),
    )


def _kept_edges(effect: Effect) -> KeptInjectedEdges | None:
    edges = effect.injected_edges
    return None if edges is None else KeptInjectedEdges(short_numbers(edges.weights), answer_inputs(edges))


def _logits(effect: Effect) -> KeptLogits:
    if effect.saved is not None:
        known = sorted(effect.saved.ranks)
    else:
        likely = [*most_likely(effect.logits_before, LIKELY), *most_likely(effect.logits_after, LIKELY)]
        known = sorted({*map(int, likely), *map(int, effect.tokens["token_id"]), *effect.target_tokens})
    ranks = [effect.rank(token) for token in known]
    logits = (effect.logits_before, effect.logits_after, effect.logits_predicted)
    before, after, predicted = (short_numbers(column[known]) for column in logits)
    rank_before, rank_after = (tuple(rank[place] for rank in ranks) for place in (0, 1))
    return KeptLogits(tuple(known), before, after, predicted, rank_before, rank_after)


def _nodes(effect: Effect) -> KeptNodes:
    graph, table = effect.graph, effect.nodes.set_index("id")
    features = list(graph.node_ids[: graph.n_features])
    known = set(features)
    others = [node for node in table.index if node not in known]
    rows = table.loc[[*features, *others]]
    before, after, predicted = (short_numbers(rows[name].to_numpy()) for name in COLUMNS)
    return KeptNodes(tuple(others), before, after, predicted)


def _controls(one: HistoryEntry, circuit: Circuit) -> KeptControls | None:
    if one.controls is None:
        bands = one.bands
        return None if bands is None else KeptControls(bands.displayed, tuple(bands.box_nodes))
    displayed = controls_message(one.controls, circuit)
    nodes = {box.id: box.nodes for box in circuit.boxes()}
    return KeptControls(displayed, tuple(nodes[box.id] for box in displayed.boxes))


def history_entry(kept: KeptExperiment, graph: Graph) -> HistoryEntry:
    """Return an experiment on a graph from its kept form.

    Raises MessageError for columns of different lengths, tokens and nodes that there are not, and other contradictions;
    the errors of interventions and names for those.
    """
    check_name(kept.name)
    mode = read_mode(kept.mode, graph.n_layers).name
    logits, ranks = _read_logits(kept.logits, kept.vocabulary)
    nodes = _read_nodes(kept.nodes, graph)
    for token in kept.tokens:
        if token.token_id not in ranks:
            raise MessageError(f"token {token.token_id} has no logits")
        if not all(0 <= share <= 1.000001 for share in (token.before, token.after, token.predicted)):
            raise MessageError(f"the probabilities of token {token.token_id} are not between 0 and 1")
    if not kept.tokens:
        raise MessageError("it has no tokens")
    missing = [one.token_id for one in graph.targets if one.token_id < kept.vocabulary and one.token_id not in ranks]
    if missing:
        raise MessageError(f"target {missing[0]} has no logits")
    injected = tuple((Feature(one.layer, one.position, one.feature), one.value) for one in kept.injected)
    effect = Effect(
        graph=graph,
        interventions=tuple(_intervention(plain(one), graph) for one in kept.interventions),
        mode=mode,
        frozen=kept.frozen,
        nodes=nodes,
        tokens=_token_table(kept),
        logits_before=logits["before"],
        logits_after=logits["after"],
        logits_predicted=logits["predicted"],
        injected=injected,
        labels={one.id: one.label for one in kept.injected if one.label},
        seconds=kept.seconds,
        device=kept.device,
        dtype=kept.dtype,
        readings={one.token_id: TargetReading(one.kind, one.before, one.after, one.predicted) for one in kept.readings},
        saved=SavedReadings(kept.log_totals, kept.kl, ranks),
        injected_edges=_read_edges(kept.injected_edges, graph, kept.vocabulary),
    )
    return HistoryEntry(kept.id, kept.name, effect, None, _bands(kept.controls))


def _token_table(kept: KeptExperiment) -> pandas.DataFrame:
    import pandas

    logits = [f"logit_{name}" for name in COLUMNS]
    columns = ["token", "token_id", *COLUMNS, *logits]
    rows = [[getattr(token, name) for name in columns] for token in kept.tokens]
    table = pandas.DataFrame(rows, columns=columns)
    return table.assign(**{name: _float32("logits", table[name]) for name in logits})


def _read_logits(kept: KeptLogits, vocabulary: int) -> tuple[dict[str, np.ndarray], Mapping[int, tuple[int, int]]]:
    _check_lengths(
        "logits", len(kept.token_ids), *(getattr(kept, name) for name in (*COLUMNS, "rank_before", "rank_after"))
    )
    if len(set(kept.token_ids)) != len(kept.token_ids):
        raise MessageError("a token is listed twice")
    for token in kept.token_ids:
        if not 0 <= token < vocabulary:
            raise MessageError(f"token {token} is not in the vocabulary of {vocabulary:,}")
    logits = {}
    for name in COLUMNS:
        logits[name] = np.full(vocabulary, np.nan, dtype=np.float32)
        logits[name][list(kept.token_ids)] = _float32("logits", getattr(kept, name))
    pairs = zip(kept.rank_before, kept.rank_after, strict=True)
    return logits, dict(zip(kept.token_ids, pairs, strict=True))


def _read_nodes(kept: KeptNodes, graph: Graph) -> pandas.DataFrame:
    import pandas

    ids = [*graph.node_ids[: graph.n_features], *kept.others]
    _check_lengths("activations", len(ids), *(getattr(kept, name) for name in COLUMNS))
    if len(set(ids)) != len(ids):
        raise MessageError("a feature is listed twice")
    for node in kept.others:
        _feature(node)
    columns = {name: _float32("activations", getattr(kept, name)) for name in COLUMNS}
    return pandas.DataFrame({"id": ids, **columns})


def _read_edges(kept: KeptInjectedEdges | None, graph: Graph, vocabulary: int) -> InjectedEdges | None:
    if kept is None:
        return None
    _check_lengths("edges of injected features", len(graph.weights), kept.weights)
    for answer in kept.answers:
        if not 0 <= answer.token_id < vocabulary or answer.total < 0:
            raise MessageError(f"the input of token {answer.token_id} is not that of a token")
    return InjectedEdges(
        _float32("edges of injected features", kept.weights),
        {answer.token_id: AnswerInput(answer.weight, answer.total) for answer in kept.answers},
    )


def _float32(what: str, values: Any) -> Float32[np.ndarray, " values"]:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.size and np.abs(numbers).max() > np.finfo(np.float32).max:
        raise MessageError(f"its {what} have numbers that are too large")
    return numbers.astype(np.float32)


def _check_lengths(what: str, expected: int, *columns: Sequence[object]) -> None:
    for column in columns:
        if len(column) != expected:
            raise MessageError(f"its {what} have {len(column):,} entries where {expected:,} are expected")


def _bands(kept: KeptControls | None) -> Bands | None:
    if kept is None:
        return None
    _check_lengths("bands", len(kept.displayed.boxes), kept.box_nodes)
    return Bands(kept.displayed, kept.box_nodes)


def _intervention(document: dict[str, Any], graph: Graph) -> Intervention:
    """Return an intervention of the kept form, which has every feature by its id, also those that are not nodes."""
    nodes = {
        name: [node if graph.find(node) is not None else vars(_feature(node)) for node in document[name]]
        for name in ("nodes", "features")
        if document.get(name) is not None
    }
    return intervention_from_json({name: value for name, value in {**document, **nodes}.items() if value is not None})


def _feature(node: str) -> Feature:
    found = FEATURE_ID.fullmatch(node)
    if found is None:
        raise MessageError(f"{node!r} is neither a node of the graph nor a feature")
    layer, feature, position = map(int, found.groups())
    return Feature(layer, position, feature)
