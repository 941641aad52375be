"""Stability over prompts that mean the same: which features and edges are in the graphs of all of them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from jaxtyping import Float64, Int64

from circuit_widget.arguments import entries_of, quoted, share_of
from circuit_widget.attribution.targets import TargetChoice
from circuit_widget.errors import Cancelled, CircuitError, CircuitWidgetError, PromptError
from circuit_widget.graph import Graph
from circuit_widget.intervention.studies.running import part_of
from circuit_widget.model.runs_model import runs_model
from circuit_widget.model.tokens.prompt import PromptInput
from circuit_widget.nodes import NodeKind, PromptToken
from circuit_widget.progress import IsCancelled, ProgressChoice, reporting

if TYPE_CHECKING:
    import pandas


class Tracer(Protocol):
    """The parts of a ReplacementModel that are used here."""

    lock: threading.RLock

    def tokenize(self, prompt: PromptInput) -> tuple[PromptToken, ...]:
        """Return the tokens of a prompt."""

    @property
    def trace(self) -> Any:
        """The method that returns the graph of a prompt."""


class OfGraph(NamedTuple):
    """What one graph has of nodes without their positions and of edges between these; indices into all of them."""

    places: Int64[np.ndarray, " nodes"]
    kept: Int64[np.ndarray, " kept_nodes"]
    edges: Int64[np.ndarray, " edges"]
    weights: Float64[np.ndarray, " edges"]
    kept_edges: Int64[np.ndarray, " kept_edges"]


@dataclass(frozen=True, eq=False, repr=False)
class PromptStability:
    """In the graphs of how many prompts each feature and each edge is.

    A feature is the same with the same layer and number wherever it is active, since positions of paraphrases differ; so
    are an error with the same layer, a token with the same id, and a logit of the same token. Their influence and weights
    are summed over positions. Influence is a share of that of all nodes of the kind in the same graph, since targets have
    other probabilities after other prompts. A node or edge is in the graph of a prompt if `graph.prune(node_threshold, edge_threshold)`
    keeps it there at one position at least.

    Attributes:
        prompts, graphs: the prompts, and the whole graph of each.
        node_threshold, edge_threshold: as in `Graph.prune`.
    """

    prompts: tuple[PromptInput, ...]
    graphs: tuple[Graph, ...] = field(repr=False)
    node_threshold: float
    edge_threshold: float

    @cached_property
    def _ids(self) -> dict[str, int]:
        """The ids of all nodes without their positions, each with its place."""
        ids: dict[str, int] = {}
        for graph in self.graphs:
            for node in graph.node_ids:
                ids.setdefault(_without_position(node), len(ids))
        return ids

    @cached_property
    def _of_graphs(self) -> tuple[OfGraph, ...]:
        return tuple(self._of_graph(graph) for graph in self.graphs)

    def _of_graph(self, graph: Graph) -> OfGraph:
        count = len(self._ids)
        pruned = graph.prune(self.node_threshold, self.edge_threshold)
        edges, weights = self._edges(graph, count)
        kept = np.unique(self._places(pruned))
        return OfGraph(self._places(graph), kept, edges, weights, self._edges(pruned, count)[0])

    def _places(self, graph: Graph) -> Int64[np.ndarray, " nodes"]:
        return np.array([self._ids[_without_position(node)] for node in graph.node_ids], dtype=np.int64)

    def _edges(self, graph: Graph, count: int) -> tuple[Int64[np.ndarray, " edges"], Float64[np.ndarray, " edges"]]:
        places = self._places(graph)
        target, source = np.nonzero(graph.weights)
        numbers, back = np.unique(places[graph.row_nodes[target]] * count + places[source], return_inverse=True)
        return numbers, np.bincount(back, graph.weights[target, source], minlength=len(numbers))

    @property
    def prompts_of(self) -> Mapping[str, int]:
        """In the graphs of how many prompts each node is that is kept for one at least, by its id without position."""
        kept = np.concatenate([one.kept for one in self._of_graphs])
        counts = np.bincount(kept, minlength=len(self._ids)).tolist()
        return {node: count for node, count in zip(self._ids, counts, strict=True) if count}

    @property
    def nodes(self) -> pandas.DataFrame:
        """One row for each node that is kept for one prompt at least, those of most prompts and most influence first.

        Columns: id (without position), kind, layer, feature, token, label, prompts (how many keep it), stability (their share
        of all), influence_share (mean over all prompts), and influence_share_1, influence_share_2 ... for each prompt: in its
        whole graph, 0 where it is not active there.
        """
        import pandas

        from circuit_widget.graph.tables import node_frame

        count = len(self._ids)
        prompts = sum(
            (np.bincount(one.kept, minlength=count) for one in self._of_graphs), np.zeros(count, dtype=np.int64)
        )
        shares = [
            np.bincount(one.places, _influence_shares(graph), minlength=count)
            for one, graph in zip(self._of_graphs, self.graphs, strict=True)
        ]
        frames = [
            node_frame(graph).assign(id=[_without_position(node) for node in graph.node_ids])[
                ["id", "kind", "layer", "feature", "token", "label"]
            ]
            for graph in self.graphs
        ]
        found = pandas.concat(frames, ignore_index=True).drop_duplicates("id", ignore_index=True)
        found["token"] = found["token"].where(found["kind"].isin(["token", "logit"]), None)
        found = found.assign(
            prompts=prompts,
            stability=prompts / len(self.graphs),
            influence_share=np.mean(shares, axis=0),
            **{f"influence_share_{number}": one for number, one in enumerate(shares, 1)},
        )
        found = found[found["prompts"] > 0]
        return found.sort_values(["prompts", "influence_share"], ascending=False, kind="stable").reset_index(drop=True)

    @property
    def edges(self) -> pandas.DataFrame:
        """One row for each edge that is kept for one prompt at least, those of most prompts and largest mean weight first.

        Columns: source, target (ids without positions), prompts, stability (as of nodes), weight (mean over all prompts,
        summed over positions), and weight_1, weight_2 ... for each prompt: in its whole graph, 0 where it has no such edge.
        """
        import pandas

        numbers = np.unique(np.concatenate([one.kept_edges for one in self._of_graphs]))
        prompts = sum((np.isin(numbers, one.kept_edges).astype(np.int64) for one in self._of_graphs), np.int64(0))
        weights = [_read(numbers, one.edges, one.weights) for one in self._of_graphs]
        mean = np.mean(weights, axis=0)
        ids = np.array(list(self._ids), dtype=object)
        found = pandas.DataFrame(
            {
                "source": ids[numbers % len(ids)],
                "target": ids[numbers // len(ids)],
                "prompts": prompts,
                "stability": prompts / len(self.graphs),
                "weight": mean,
                **{f"weight_{number}": one for number, one in enumerate(weights, 1)},
            }
        )
        order = np.lexsort([-np.abs(mean), -np.asarray(prompts)])
        return found.iloc[order].reset_index(drop=True)

    @property
    def occurrences(self) -> pandas.DataFrame:
        """One row for each feature, prompt and position: where the features of `nodes` are active.

        Columns: prompt (from 1), node (its id in that graph), id (without position), layer, feature, position, token,
        influence, activation, kept (whether pruning keeps it there).
        """
        import pandas

        from circuit_widget.graph.tables import node_frame

        nodes = self.nodes
        wanted = set(nodes["id"][nodes["kind"] == "feature"])
        frames = []
        for number, graph in enumerate(self.graphs, 1):
            kept = set(graph.prune(self.node_threshold, self.edge_threshold).node_ids)
            frame = node_frame(graph).rename(columns={"id": "node"})
            frame = frame.assign(
                prompt=number,
                id=[_without_position(node) for node in graph.node_ids],
                kept=[node in kept for node in graph.node_ids],
            )
            frames.append(frame[frame["id"].isin(wanted)])
        columns = ["prompt", "node", "id", "layer", "feature", "position", "token", "influence", "activation", "kept"]
        return pandas.concat(frames, ignore_index=True)[columns]

    def __repr__(self) -> str:
        nodes, count = self.nodes, len(self.graphs)
        features = nodes[nodes["kind"] == "feature"]
        stable = features[features["prompts"] == count]
        shares = [float(stable[f"influence_share_{number}"].sum()) for number in range(1, count + 1)]
        first = [graph.targets[0].token for graph in self.graphs]
        differ = len(set(first)) > 1
        basis = self.graphs[0].basis
        return (
            f"Of {len(features):,} {basis} that are kept for at least one of {count} prompts, {len(stable):,} "
            f"{'is' if len(stable) == 1 else 'are'} kept for all, with {min(shares):.0%} to {max(shares):.0%} of the influence of "
            f"all {basis}. "
            + (
                f"The first targets differ ({', '.join(map(repr, first))}), so the graphs explain different things; give targets "
                "to explain the same."
                if differ
                else f"The first target of all is {first[0]!r}."
            )
        )


@runs_model
def stability(
    model: Tracer,
    prompts: Iterable[PromptInput],
    *,
    targets: Sequence[TargetChoice] | TargetChoice | None = None,
    position: int = -1,
    max_features: int | None = None,
    node_threshold: float = 0.8,
    edge_threshold: float = 0.98,
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> PromptStability:
    """Return in the graphs of how many prompts, which mean the same, each feature and each edge is.

    Each prompt is traced with the same `targets`, `position` and `max_features`, see `trace`, and pruned with the same
    thresholds, see `Graph.prune`. Features are the same with the same layer and number, at whatever position they are.

    Raises:
        PromptError: fewer than two prompts, the same prompt twice, or one that cannot be traced; the text names it.
        CircuitError: a threshold is out of range.
        OutOfMemory, Cancelled: as `trace` does.
    """
    expected = "The prompts are a list of at least two that mean the same"
    listed = entries_of(prompts, expected, PromptError)
    if len(listed) < 2:
        raise PromptError(f"{expected}; given {len(listed)}.")
    node_threshold = share_of(node_threshold, "The node threshold", CircuitError)
    edge_threshold = share_of(edge_threshold, "The edge threshold", CircuitError)
    seen: dict[tuple[int, ...], int] = {}
    for number, prompt in enumerate(listed, 1):
        try:
            ids = tuple(token.token_id for token in model.tokenize(prompt))
        except CircuitWidgetError as error:
            raise _named(error, number, prompt) from error
        if ids in seen:
            raise PromptError(
                f"Prompts {seen[ids]} and {number} have the same tokens, so they would count twice; leave one out."
            )
        seen[ids] = number
    graphs = []
    with reporting(progress) as report:
        for number, prompt in enumerate(listed, 1):
            part = part_of(report, (number - 1) / len(listed), number / len(listed))
            settings = {"targets": targets, "position": position, "max_features": max_features}
            try:
                graphs.append(model.trace(prompt, **settings, progress=part, cancelled=cancelled))
            except Cancelled:
                raise
            except CircuitWidgetError as error:
                raise _named(error, number, prompt) from error
    return PromptStability(tuple(listed), tuple(graphs), node_threshold, edge_threshold)


def _named(error: CircuitWidgetError, number: int, prompt: object) -> CircuitWidgetError:
    """Return an error of one prompt with which prompt it is."""
    return type(error)(f"Prompt {number}, {quoted(prompt)}: {error}")


def _influence_shares(graph: Graph) -> Float64[np.ndarray, " nodes"]:
    """Return the share that each node has of the influence of all nodes of its kind; 0 where that is 0."""
    shares: Float64[np.ndarray, " nodes"] = graph.influence.astype(np.float64)
    kinds = np.array([str(kind) for kind in graph.node_kinds])
    for kind in NodeKind:
        shares[kinds == kind] /= max(float(shares[kinds == kind].sum()), 1e-30)
    return shares


def _without_position(node: str) -> str:
    return node.rpartition("_")[0]


def _read(
    wanted: Int64[np.ndarray, " wanted"], numbers: Int64[np.ndarray, " some"], values: Float64[np.ndarray, " some"]
) -> Float64[np.ndarray, " wanted"]:
    """Return the values of some numbers, which ascend; 0 for those that are not among them."""
    found: Float64[np.ndarray, " wanted"] = np.zeros(len(wanted), dtype=np.float64)
    if len(numbers):
        places = np.minimum(np.searchsorted(numbers, wanted), len(numbers) - 1)
        there = numbers[places] == wanted
        found[there] = values[places[there]]
    return found
