"""Proposed groups of a graph: its most influential features, clustered by their profiles, named, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int64

from circuit_widget.arguments import check_callable, of_type, truth_value, whole_number
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.circuit.circuit_argument import require_circuit
from circuit_widget.errors import Cancelled, CircuitError, CircuitWidgetError, InterventionError, NoModelError
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.intervention.studies.running import part_of
from circuit_widget.model.runs_model import CANCELLED_IS
from circuit_widget.progress import IsCancelled, ProgressChoice, ReportProgress, reporting
from circuit_widget.proposal.ablations import GroupEffect, group_effects
from circuit_widget.proposal.clustering import clusters_of
from circuit_widget.proposal.feature_similarity import Alike, alike_neurons, alike_of, sides_of
from circuit_widget.proposal.knowledge import NOTHING, Knowledge, knowledge_of
from circuit_widget.proposal.naming import (
    MOST_CARDS,
    Namer,
    all_different,
    measured_reason,
    name_by,
    name_by_effect,
    name_by_rule,
    reason_for,
)
from circuit_widget.proposal.profiles import Profiles, profiles_of
from circuit_widget.proposal.proposal import Proposal, Proposals
from circuit_widget.replacement_model import ReplacementModel

MOST_FEATURES = 1_000
"""How many features are clustered at most: the most influential ones."""

INFLUENCE = 0.95
"""Share of the influence of all features that the clustered ones have, where they are no more than that."""

GROUPS = 12
"""How many groups are proposed at most, unless another number is given."""

LEAST_ALIKE = 0.45
"""Mean similarity below which groups are not joined."""

LEAST_ALIKE_NEURONS = 0.2
"""The same of neurons that are ablated one by one."""

MOST_ABLATIONS, MOST_NEURONS = 64, 256
"""How many features are ablated one by one at most, and how many neurons: the most influential ones. Neurons that are not
ablated are in no group."""

MOST_TRIED = 32
"""How many groups of neurons are ablated to find those that change most, the most influential ones."""


def propose_groups(
    graph: Graph,
    n: int | None = None,
    *,
    model: ReplacementModel | None = None,
    ablations: bool | None = None,
    namer: Namer | None = None,
    circuit: Circuit | None = None,
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> Proposals:
    """Return groups of features that may belong together; see `Graph.propose_groups`."""
    require_graph(graph, CircuitError)
    number, model = check_arguments(graph, n, GROUPS, model, ablations, namer, cancelled)
    if circuit is not None:
        require_circuit(circuit, "circuit is a Circuit, whose groups stay as they are, or None", CircuitError)
    with reporting(progress) as report:
        return groups_of_graph(graph, number, model, ablations, namer, report, cancelled, circuit)


def check_arguments(
    graph: Graph,
    n: object,
    usual: int,
    model: ReplacementModel | None,
    ablations: object,
    namer: object,
    cancelled: object,
) -> tuple[int, ReplacementModel | None]:
    """Return the number of groups, `usual` for None, and the model: the one given, or the one that traced the graph if it is there still.

    Raises:
        CircuitError: `n` is no whole number from 1 to the number of nodes, `ablations` no truth value, `namer` no function,
            or the graph has no features.
        InterventionError: the model is none.
        NoModelError: `ablations` or `namer` without a model.
    """
    number = min(usual, graph.n_nodes)
    if n is not None:
        number = whole_number(n, "n, the number of groups,", CircuitError, least=1, most=graph.n_nodes)
    wanted = ablations is not None and truth_value(ablations, "ablations", CircuitError)
    check_callable(namer, "namer is a function that is given the cards of a group and returns a name", CircuitError)
    check_callable(cancelled, CANCELLED_IS, CircuitWidgetError)
    if not graph.n_features:
        raise CircuitError("This graph has no features to group; trace its prompt with more of them, or prune it less.")
    if model is not None:
        model = of_type(model, ReplacementModel, "A model is what cw.load returns, or None", InterventionError)
    elif isinstance(graph.model, ReplacementModel) and not graph.model.closed:
        model = graph.model
    if (wanted or namer is not None) and model is None:
        what = "Ablations need" if wanted else "The cards that a namer is given need"
        raise NoModelError(
            f"{what} a model, and this graph has none with it; give the one it was traced with as model=."
        )
    return number, model


def groups_of_graph(
    graph: Graph,
    n: int,
    model: ReplacementModel | None,
    ablations: bool | None,
    namer: Namer | None,
    progress: ReportProgress,
    cancelled: IsCancelled | None,
    circuit: Circuit | None = None,
) -> Proposals:
    """Return the proposals for arguments that are checked."""
    progress(0.0, "Comparing features")
    present = () if circuit is None else circuit.supernodes
    grouped = {node for supernode in present for node in supernode.nodes}
    neurons = graph.basis == "neurons"
    measured = model is not None and (neurons if ablations is None else ablations)
    strongest = strongest_features(graph)
    chosen = strongest[[graph.node_ids[one] not in grouped for one in strongest.tolist()]]
    if measured and neurons:
        chosen = np.sort(chosen[np.argsort(-graph.influence[chosen], kind="stable")[:MOST_NEURONS]])
    if not len(chosen):
        return Proposals(())
    profiles = profiles_of(graph)
    _stop_if(cancelled)
    knowledge = NOTHING
    if model is not None:
        knowledge = knowledge_of(
            model,
            graph,
            chosen,
            ablations=(MOST_NEURONS if neurons else MOST_ABLATIONS) if measured else 0,
            progress=part_of(progress, 0.1, 0.8),
            cancelled=cancelled,
        )
    _stop_if(cancelled)
    progress(0.8, "Grouping features")
    alike, least = alike_of(profiles, chosen, knowledge), LEAST_ALIKE
    if neurons and knowledge.answer is not None:
        alike, least = alike_neurons(graph, chosen, alike, knowledge.answer), LEAST_ALIKE_NEURONS
    influence = graph.influence[chosen]
    clusters = sorted(
        (
            sorted(places, key=lambda place: (-influence[place], place))
            for places in clusters_of(alike.total, alike.apart, least)
        ),
        key=lambda places: (-float(influence[places].sum()), places),
    )
    effects: Sequence[GroupEffect | None] = [None] * len(clusters)
    if neurons and model is not None and measured:
        clusters = clusters[: max(n, MOST_TRIED)]
        tried = [chosen[places].tolist() for places in clusters]
        found = group_effects(model, graph, tried, part_of(progress, 0.8, 1.0), cancelled)
        order = sorted(range(len(clusters)), key=lambda number: -abs(found[number].answer))
        clusters, effects = [clusters[number] for number in order], [found[number] for number in order]
    clusters, effects = clusters[:n], effects[:n]
    groups = [chosen[places].tolist() for places in clusters]
    names = []
    for places, members, effect in zip(clusters, groups, effects, strict=True):
        _stop_if(cancelled)
        names.append(_name(graph, profiles, members, places, knowledge, namer, effect))
    taken = [supernode.name for supernode in present]
    proposals = [
        _proposal(graph, profiles, alike, name, members, places, effect, sides_of(knowledge.answer, places))
        for name, members, places, effect in zip(
            all_different(graph, names, groups, taken), groups, clusters, effects, strict=True
        )
    ]
    progress(1.0, "Grouped")
    return Proposals(tuple(proposals))


def strongest_features(graph: Graph) -> Int64[np.ndarray, " n"]:
    """Return the indices of the fewest features with most of the influence of all, in node order."""
    influence = graph.influence[: graph.n_features].astype(np.float64)
    order = np.argsort(-influence, kind="stable")
    reached = int(np.searchsorted(np.cumsum(influence[order]), INFLUENCE * influence.sum())) + 1
    return np.sort(order[: min(reached, MOST_FEATURES)]).astype(np.int64)


def _name(
    graph: Graph,
    profiles: Profiles,
    members: Sequence[int],
    places: Sequence[int],
    knowledge: Knowledge,
    namer: Namer | None,
    effect: GroupEffect | None,
) -> str:
    if namer is None or knowledge.cards is None:
        if effect is not None and effect.words:
            return name_by_effect(graph, members, effect.words)
        return name_by_rule(graph, profiles, members, knowledge.promoted_word(places))
    return name_by(namer, knowledge.cards(places[:MOST_CARDS]), [graph.node_ids[member] for member in members])


def _proposal(
    graph: Graph,
    profiles: Profiles,
    alike: Alike,
    name: str,
    members: Sequence[int],
    places: Sequence[int],
    effect: GroupEffect | None,
    sides: tuple[int, int],
) -> Proposal:
    share = float(graph.influence[members].sum() / max(float(graph.influence[: graph.n_features].sum()), 1e-30))
    values = {kind: _within(alike.views[kind], places) for kind in alike.views} | {
        "alike": _within(alike.total, places)
    }
    evidence = {
        "features": float(len(members)),
        "influence_share": share,
        **{kind: value for kind, value in values.items() if np.isfinite(value)},
        "first_target": float(graph.weights[graph.n_features, members].sum()),
    }
    if effect is None:
        inputs, outputs = _within(alike.inputs, places), _within(alike.outputs, places)
        reason = reason_for(graph, profiles, members, share, inputs, outputs)
    else:
        evidence["measured"] = effect.answer
        reason = measured_reason(graph, members, share, effect, sides)
    return Proposal(name, tuple(graph.node_ids[member] for member in members), reason, evidence)


def _within(cosines: Float32[np.ndarray, "n n"], places: Sequence[int]) -> float:
    """Return the mean over pairs of different features, 1 for a single one, NaN where none is known."""
    if len(places) == 1:
        return 1.0
    pairs = cosines[np.ix_(places, places)][~np.eye(len(places), dtype=bool)]
    known = pairs[~np.isnan(pairs)]
    return float(known.mean()) if len(known) else float("nan")


def _stop_if(cancelled: IsCancelled | None) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled("Proposing groups was cancelled.")
