"""Proposed groups of a graph: its most influential features, clustered by their profiles, named, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from circuit_widget.arguments import check_callable, of_type, truth_value, whole_number
from circuit_widget.circuit.document import Circuit
from circuit_widget.errors import Cancelled, CircuitError, CircuitWidgetError, InterventionError, NoModelError
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.model.running import CANCELLED_IS
from circuit_widget.progress import IsCancelled, ProgressChoice, ReportProgress, reporting
from circuit_widget.proposal.clustering import clusters_of
from circuit_widget.proposal.knowledge import NOTHING, Knowledge, View, knowledge_of
from circuit_widget.proposal.naming import MOST_CARDS, Namer, all_different, name_by, name_by_rule, reason_for
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

OPPOSITE = -0.2
"""Mean cosine of inputs or outputs in this graph below which two features are never in one group."""

INPUTS = {"sources": 1.0, "origins": 1.0, "examples": 1.5}
OUTPUTS = {"targets": 1.0, "logits": 1.0, "promoted": 1.0}
"""The weight of each kind of evidence in the similarity of inputs, and of outputs."""

ABLATIONS = 0.5
"""The weight of what ablations change in the similarity of two features, where inputs and outputs have 1 each."""


@dataclass(frozen=True)
class Alike:
    """How alike features are: cosines by kind of evidence, NaN where not known, and what follows from them."""

    views: dict[str, Float32[np.ndarray, "n n"]]
    inputs: Float32[np.ndarray, "n n"]
    outputs: Float32[np.ndarray, "n n"]
    total: Float32[np.ndarray, "n n"]
    apart: Bool[np.ndarray, "n n"]


def propose_groups(
    graph: Graph,
    n: int | None = None,
    *,
    model: ReplacementModel | None = None,
    ablations: bool = False,
    namer: Namer | None = None,
    circuit: Circuit | None = None,
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> Proposals:
    """Return groups of features that may belong together, the most influential first; see `Graph.propose_groups`."""
    require_graph(graph, CircuitError)
    number, model = check_arguments(graph, n, GROUPS, model, ablations, namer, cancelled)
    if circuit is not None:
        of_type(circuit, Circuit, "circuit is a Circuit, whose groups stay as they are, or None", CircuitError)
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
    needs = truth_value(ablations, "ablations", CircuitError) or namer is not None
    check_callable(namer, "namer is a function that is given the cards of a group and returns a name", CircuitError)
    check_callable(cancelled, CANCELLED_IS, CircuitWidgetError)
    if not graph.n_features:
        raise CircuitError("This graph has no features to group; trace its prompt with more of them, or prune it less.")
    if model is not None:
        model = of_type(model, ReplacementModel, "A model is what cw.load returns, or None", InterventionError)
    elif isinstance(graph.model, ReplacementModel) and not graph.model.closed:
        model = graph.model
    if needs and model is None:
        what = "Ablations need" if ablations else "The cards that a namer is given need"
        raise NoModelError(
            f"{what} a model, and this graph has none with it; give the one it was traced with as model=."
        )
    return number, model


def groups_of_graph(
    graph: Graph,
    n: int,
    model: ReplacementModel | None,
    ablations: bool,
    namer: Namer | None,
    progress: ReportProgress,
    cancelled: IsCancelled | None,
    circuit: Circuit | None = None,
) -> Proposals:
    """Return the proposals for arguments that are checked."""
    progress(0.0, "Comparing features")
    present = () if circuit is None else circuit.supernodes
    grouped = {node for supernode in present for node in supernode.nodes}
    strongest = strongest_features(graph)
    chosen = strongest[[graph.node_ids[one] not in grouped for one in strongest.tolist()]]
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
            ablations=ablations,
            progress=lambda done, text: progress(0.1 + 0.7 * done, text),
            cancelled=cancelled,
        )
    _stop_if(cancelled)
    progress(0.8, "Grouping features")
    alike = alike_of(profiles, chosen, knowledge)
    influence = graph.influence[chosen]
    clusters = sorted(
        (
            sorted(places, key=lambda place: (-influence[place], place))
            for places in clusters_of(alike.total, alike.apart, LEAST_ALIKE)
        ),
        key=lambda places: (-float(influence[places].sum()), places),
    )[:n]
    groups = [[int(chosen[place]) for place in places] for places in clusters]
    names = []
    for places, members in zip(clusters, groups, strict=True):
        _stop_if(cancelled)
        names.append(_name(graph, profiles, members, places, knowledge, namer))
    taken = [supernode.name for supernode in present]
    proposals = [
        _proposal(graph, profiles, alike, name, members, places)
        for name, members, places in zip(all_different(graph, names, groups, taken), groups, clusters, strict=True)
    ]
    progress(1.0, "Grouped")
    return Proposals(tuple(proposals))


def strongest_features(graph: Graph) -> Int64[np.ndarray, " n"]:
    """Return the indices of the fewest features with most of the influence of all, in node order."""
    influence = graph.influence[: graph.n_features].astype(np.float64)
    order = np.argsort(-influence, kind="stable")
    reached = int(np.searchsorted(np.cumsum(influence[order]), INFLUENCE * influence.sum())) + 1
    return np.sort(order[: min(reached, MOST_FEATURES)]).astype(np.int64)


def alike_of(profiles: Profiles, chosen: Int64[np.ndarray, " n"], knowledge: Knowledge) -> Alike:
    """Return how alike features are, given by their indices.

    The similarity of inputs is the weighted mean of the cosines that are known, so is that of outputs, and the total is the
    mean of the two, with what ablations change where that is known. Features whose inputs or outputs in this graph are
    opposite are apart, whatever else they have in common.
    """
    own = {name: getattr(profiles, name)[chosen] for name in ("sources", "origins", "targets", "logits")}
    views = {name: rows @ rows.T for name, rows in own.items()}
    views |= {name: _cosines(view) for name, view in knowledge.views.items()}
    inputs, outputs = _mean(views, INPUTS), _mean(views, OUTPUTS)
    total = (inputs + outputs) / 2
    if "ablations" in views:
        signature = views["ablations"]
        total = np.where(np.isnan(signature), total, (2 * total + ABLATIONS * signature) / (2 + ABLATIONS))
    within = [_mean(views, dict.fromkeys(names, 1.0)) for names in (("sources", "origins"), ("targets", "logits"))]
    return Alike(views, inputs, outputs, total, (within[0] < OPPOSITE) | (within[1] < OPPOSITE))


def _cosines(view: View) -> Float32[np.ndarray, "n n"]:
    found: Float32[np.ndarray, "n n"] = view.rows @ view.rows.T
    found[~view.known] = np.nan
    found[:, ~view.known] = np.nan
    return found


def _mean(views: dict[str, Float32[np.ndarray, "n n"]], weights: dict[str, float]) -> Float32[np.ndarray, "n n"]:
    present = {name: weight for name, weight in weights.items() if name in views}
    total = sum(np.nan_to_num(views[name]) * np.float32(weight) for name, weight in present.items())
    known = sum(~np.isnan(views[name]) * np.float32(weight) for name, weight in present.items())
    found: Float32[np.ndarray, "n n"] = np.asarray(total / known, dtype=np.float32)
    return found


def _name(
    graph: Graph,
    profiles: Profiles,
    members: Sequence[int],
    places: Sequence[int],
    knowledge: Knowledge,
    namer: Namer | None,
) -> str:
    if namer is None or knowledge.cards is None:
        return name_by_rule(graph, profiles, members, knowledge.promoted_word(places))
    return name_by(namer, knowledge.cards(places[:MOST_CARDS]), [graph.node_ids[member] for member in members])


def _proposal(
    graph: Graph, profiles: Profiles, alike: Alike, name: str, members: Sequence[int], places: Sequence[int]
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
    inputs, outputs = _within(alike.inputs, places), _within(alike.outputs, places)
    reason = reason_for(graph, profiles, members, share, inputs, outputs)
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
