"""`compare`: two graphs beside each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from circuit_widget.comparison.matching import NOWHERE, MatchedEdges, MatchedNodes, match_edges, match_nodes
from circuit_widget.comparison.same_features import check_same_features
from circuit_widget.errors import CircuitError, InterventionError
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.graph.tables import node_frame
from circuit_widget.intervention.alignment import Alignment, Pairs, alignment_between, pair_tuple
from circuit_widget.nodes import UNKNOWN_TOKEN, NodeKind, PromptToken

if TYPE_CHECKING:
    import pandas

    from circuit_widget.widget.widget import CircuitWidget

BOTH, HERE, THERE = "both", "only here", "only there"


class FeatureCounts(NamedTuple):
    """How many features of two graphs are in both, only in the first and only in the second."""

    both: int
    only_here: int
    only_there: int


@dataclass(frozen=True, eq=False, repr=False)
class GraphComparison:
    """Two graphs, with what is in both, only here (in `graph`) and only there (in `other`).

    Attributes:
        graph, other: the graphs; numbers of the first are "before", those of the second "after".
        alignment: which positions are counterparts.
        notes: what is to be kept in mind, in sentences.
    """

    graph: Graph = field(repr=False)
    other: Graph = field(repr=False)
    alignment: Alignment
    notes: tuple[str, ...]

    @cached_property
    def _nodes(self) -> MatchedNodes:
        return match_nodes(self.graph, self.other, self.alignment.pairs)

    @cached_property
    def _edges(self) -> MatchedEdges:
        return match_edges(self.graph, self.other, self._nodes)

    @property
    def nodes(self) -> pandas.DataFrame:
        """One row for each node of either graph: those of `graph` in node order, then those that only `other` has.

        Columns: id, other_id (missing where a graph has no such node), kind, layer (-1 for tokens, n_layers for logits),
        position, other_position, feature, token, other_token, label, where ("both", "only here", "only there"),
        influence_before, influence_after (as in `Graph`, weighted by the targets' probability), activation_before,
        activation_after (missing where there is none).
        """
        import pandas

        here, there = (
            node_frame(graph).reindex(np.where(indices == NOWHERE, graph.n_nodes, indices)).reset_index(drop=True)
            for graph, indices in ((self.graph, self._nodes.here), (self.other, self._nodes.there))
        )
        either = here.combine_first(there)
        return pandas.DataFrame(
            {
                "id": here["id"],
                "other_id": there["id"],
                "kind": either["kind"],
                "layer": either["layer"].astype(np.int64),
                "position": here["position"].astype("Int64"),
                "other_position": there["position"].astype("Int64"),
                "feature": either["feature"].astype("Int64"),
                "token": here["token"],
                "other_token": there["token"],
                "label": here["label"].where(here["label"].fillna("") != "", there["label"]).fillna(""),
                "where": _where(self._nodes.here != NOWHERE, self._nodes.there != NOWHERE),
                "influence_before": here["influence"],
                "influence_after": there["influence"],
                "activation_before": here["activation"],
                "activation_after": there["activation"],
            }
        )

    @property
    def edges(self) -> pandas.DataFrame:
        """One row for each edge of either graph, those with the largest absolute weight first.

        Columns: source, target, other_source, other_target (ids, missing where a graph has no such node), where ("both",
        "only here", "only there"), weight_before, weight_after (missing where there is no such edge).
        """
        import pandas

        edges = self._edges
        here, there = (
            np.array([*graph.node_ids, None], dtype=object)[indices]
            for graph, indices in ((self.graph, self._nodes.here), (self.other, self._nodes.there))
        )
        return pandas.DataFrame(
            {
                "source": here[edges.source],
                "target": here[edges.target],
                "other_source": there[edges.source],
                "other_target": there[edges.target],
                "where": _where(~np.isnan(edges.before), ~np.isnan(edges.after)),
                "weight_before": edges.before,
                "weight_after": edges.after,
            }
        )

    @property
    def same_nodes(self) -> tuple[tuple[str, str], ...]:
        """The ids of the nodes that are in both graphs: here and there, in node order of `graph`."""
        in_both = self._in_both
        here, there = self._nodes.here[in_both], self._nodes.there[in_both]
        return tuple(
            (self.graph.node_ids[one], self.other.node_ids[other])
            for one, other in zip(here.tolist(), there.tolist(), strict=True)
        )

    @property
    def feature_counts(self) -> FeatureCounts:
        """How many features are in both graphs, only here and only there."""
        both = int((self._nodes.here[self._in_both] < self.graph.n_features).sum())
        return FeatureCounts(both, self.graph.n_features - both, self.other.n_features - both)

    @property
    def overlap(self) -> float:
        """Overlap of influence: of each feature the smaller of its shares of the influence of all features here and there, summed.

        From 0, where no feature is in both, to 1, where all are with the same shares: the intersection of two
        histograms (Swain and Ballard 1991).
        """
        here, there = self._nodes.here[self._in_both], self._nodes.there[self._in_both]
        are_features = here < self.graph.n_features
        before = _shares(self.graph)[here[are_features]]
        return float(np.minimum(before, _shares(self.other)[there[are_features]]).sum())

    @property
    def _in_both(self) -> Bool[np.ndarray, " nodes"]:
        in_both: Bool[np.ndarray, " nodes"] = (self._nodes.here != NOWHERE) & (self._nodes.there != NOWHERE)
        return in_both

    def show(self, **settings: Any) -> CircuitWidget:
        """A widget on `graph` with the map of `other` beside its own; settings as of `Graph.show`."""
        widget = self.graph.show(**settings)
        widget.comparison = self
        return widget

    @property
    def summary(self) -> str:
        """How much is in both, in sentences: features with their share of influence, edges, targets; then the notes."""
        nodes, edges = self._nodes, self._edges
        here, there = nodes.here[self._in_both], nodes.there[self._in_both]
        both, *only_features = self.feature_counts
        shares = [_influence_of(self.graph, here), _influence_of(self.other, there)]
        shared_edges = int((~np.isnan(edges.before) & ~np.isnan(edges.after)).sum())
        only = [int((~np.isnan(one)).sum()) - shared_edges for one in (edges.before, edges.after)]
        targets = [
            self.graph.targets[index - self.graph.weights.shape[1]].token
            for index in here.tolist()
            if self.graph.node_kinds[index] is NodeKind.LOGIT
        ]
        named = f"Targets in both: {', '.join(map(repr, targets))}." if targets else "No target is in both."
        return " ".join(
            [
                f"Of {self.graph.basis}, {both:,} {_are(both)} in both graphs ({shares[0]:.0%} of the influence of all here, "
                f"{shares[1]:.0%} there), {only_features[0]:,} only here and {only_features[1]:,} only there; "
                f"of edges, {shared_edges:,} {_are(shared_edges)} in both, {only[0]:,} only here and {only[1]:,} only there.",
                named,
                *self.notes,
            ]
        )

    def __repr__(self) -> str:
        return self.summary


def compare(graph: Graph, other: Graph, alignment: Pairs | None = None) -> GraphComparison:
    """Return two graphs beside each other: which nodes and edges are in both, with their numbers before and after.

    The graphs are of two prompts, two targets, or a model before and after it was fine-tuned. The same feature (layer and
    number) at positions that are counterparts is one node, so is the error of a layer there; tokens are matched by
    position, outputs by token. `alignment` maps positions of `graph` to positions of `other`, as a mapping or pairs; by
    default it is that of `model.align`. Needs no model.

    Raises:
        CircuitError: no graph, features that do not mean the same in both, an alignment that has a position twice.
        InterventionError: prompts that cannot be aligned, or an alignment that is malformed.
    """
    require_graph(graph, CircuitError)
    require_graph(other, CircuitError)
    pairs = None if alignment is None else pair_tuple(alignment)
    twice = [
        there for number, (_, there) in enumerate(pairs or ()) if there in [one for _, one in (pairs or ())[:number]]
    ]
    if twice:
        raise CircuitError(f"The alignment pairs two positions with position {twice[0]}; give each position one.")
    trusted = check_same_features(graph, other)
    found = alignment_between(*_comparable(graph, other), pairs)
    return GraphComparison(
        graph,
        other,
        Alignment(graph.tokens, other.tokens, found.pairs),
        (*_aligned(found), *trusted, *_partial(graph, other), *_weighted(graph, other)),
    )


def _comparable(graph: Graph, other: Graph) -> tuple[tuple[PromptToken, ...], tuple[PromptToken, ...]]:
    """Return the tokens of two prompts, with ids that are the same for the same texts where a file lacks a token's id.

    Raises:
        InterventionError: the prompts differ in length, and the text of a token without id is not known either.
    """
    tokens = graph.tokens, other.tokens
    if all(one.token_id != UNKNOWN_TOKEN for prompt in tokens for one in prompt):
        return tokens
    if len(tokens[0]) != len(tokens[1]) and any(not one.text.strip() for prompt in tokens for one in prompt):
        raise InterventionError(
            "A graph's file does not say which tokens its prompt has; give an alignment of the positions."
        )
    ids = {text: number for number, text in enumerate(sorted({one.text for prompt in tokens for one in prompt}))}
    here, there = (tuple(PromptToken(one.text, ids[one.text]) for one in prompt) for prompt in tokens)
    return here, there


def _aligned(alignment: Alignment) -> tuple[str, ...]:
    counts = len(alignment.tokens), len(alignment.other_tokens)
    if counts[0] == counts[1] == len(alignment.pairs):
        return ()
    return (f"{len(alignment.pairs)} of {counts[0]} positions here have one of {counts[1]} there as counterpart.",)


def _partial(graph: Graph, other: Graph) -> tuple[str, ...]:
    """Return the caution for graphs that lack nodes their prompts have."""
    cut = [name for one, name in ((graph, "here"), (other, "there")) if one.pruned]
    small = [name for one, name in ((graph, "here"), (other, "there")) if one.left_out]
    which = "Both graphs are" if len(cut) == 2 else f"The graph {' and '.join(cut)} is"
    notes = [f"{which} pruned: what pruning dropped counts as not in the graph."] if cut else []
    if small:
        notes.append(f"Active {graph.basis} are left out {' and '.join(small)}, and count as not in the graph.")
    return tuple(notes)


def _weighted(graph: Graph, other: Graph) -> tuple[str, ...]:
    """Return the caution for influence that is weighted by very different probabilities."""
    sums = [float(one.target_weight.sum()) for one in (graph, other)]
    if max(sums) <= 2 * min(sums):
        return ()
    return (
        f"Influence is weighted by the probability of the targets, {sums[0]:.2g} here and {sums[1]:.2g} there: compare it within "
        "a graph.",
    )


def _influence_of(graph: Graph, indices: Int64[np.ndarray, " nodes"]) -> float:
    """Return the share that some nodes' features have of the influence of all features; 0 where there is none."""
    return float(_shares(graph)[indices[indices < graph.n_features]].sum())


def _shares(graph: Graph) -> Float64[np.ndarray, " features"]:
    """Return the share that each feature has of the influence of all features; 0 where there is none."""
    own: Float64[np.ndarray, " features"] = graph.influence[: graph.n_features].astype(np.float64)
    return own / max(float(own.sum()), 1e-30)


def _where(here: Bool[np.ndarray, " n"], there: Bool[np.ndarray, " n"]) -> np.ndarray:
    found: np.ndarray = np.where(here & there, BOTH, np.where(here, HERE, THERE)).astype(object)
    return found


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
