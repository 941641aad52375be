"""The strongest paths through a graph, exact over all of its edges: between nodes, and two edges from or to them."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from circuit_widget.attribution.influence import flow, layers_from_top, rows_at_once, slices


class WeightedPath(NamedTuple):
    """Nodes along edges, from source to target, and the signed product of the normalised weights of these edges.

    A node is its column, or, for a logit, the number of columns and its number among logits. For paths from a source to
    whatever it feeds, the product has the effect of the last node as another factor.
    """

    nodes: tuple[int, ...]
    strength: float


class StrongestPaths(NamedTuple):
    """The strongest paths, strongest first, and the summed absolute strength of all paths, of which these are a part."""

    paths: tuple[WeightedPath, ...]
    total: float


class PathWeights:
    """Signed normalised weights, `A[t, s] / sum_s' |A[t, s']|`, by row and by column; 0 in rows without input."""

    def __init__(
        self,
        weights: Float[np.ndarray, "targets sources"],
        feature_layer: Int[np.ndarray, " features"],
        totals: Float64[np.ndarray, " targets"],
    ) -> None:
        self.weights, self.feature_layer, self.totals = weights, feature_layer, totals
        self.n_rows, self.n_columns = weights.shape
        self.n_features = len(feature_layer)
        self._scale = np.divide(1.0, totals, out=np.zeros(len(totals)), where=totals > 0)

    def row(self, row: int) -> Float64[np.ndarray, " sources"]:
        """Return the weights of all edges into a row's node."""
        shares: Float64[np.ndarray, " sources"] = self.weights[row].astype(np.float64) * self._scale[row]
        return shares

    def column(self, column: int) -> Float64[np.ndarray, " targets"]:
        """Return the weights of all edges out of a column's node."""
        shares: Float64[np.ndarray, " targets"] = self.weights[:, column].astype(np.float64) * self._scale
        return shares

    def absolute(
        self, rows: Int[np.ndarray, " some_targets"], columns: slice
    ) -> Float64[np.ndarray, "some_targets some_sources"]:
        """Return absolute weights of some rows."""
        shares: Float64[np.ndarray, "some_targets some_sources"] = (
            np.abs(self.weights[rows, columns]) * self._scale[rows, None]
        )
        return shares

    def node_of(self, row: int) -> int:
        """Return the node of a row."""
        return row if row < self.n_features else row - self.n_features + self.n_columns

    def rows_of(self, nodes: Sequence[int]) -> Bool[np.ndarray, " targets"]:
        """Return the mask of the rows of nodes; errors and tokens have none."""
        own = [*range(self.n_features), *range(self.n_columns, self.n_columns + self.n_rows - self.n_features)]
        return np.isin(own, list(nodes))

    def columns_of(self, nodes: Sequence[int]) -> Bool[np.ndarray, " sources"]:
        """Return the mask of the columns of nodes; logits have none."""
        return np.isin(np.arange(self.n_columns), list(nodes))


class _Start(NamedTuple):
    """The beginning of paths, or, where it is complete, a path: at least as strong as any path that begins so."""

    bound: float
    nodes: tuple[int, ...]
    strength: float
    complete: bool


def paths_between(given: PathWeights, sources: Sequence[int], targets: Sequence[int], count: int) -> StrongestPaths:
    """Return the `count` strongest paths from one of `sources` to one of `targets`, which have no node in common.

    The nodes between them are features that are neither. The graph is acyclic, so one pass from the top layer down finds
    the strength of the best path from each node and the sum over all of its paths. A search that goes on where the best
    path is strongest then finds the strongest paths in order.
    """
    is_target, is_source = given.rows_of(targets), given.rows_of(sources)
    best, total = _strengths_onward(given, is_target, is_source)
    onward = np.zeros(given.n_rows)
    onward[: given.n_features] = best[: given.n_features]
    onward[is_source] = 0
    onward[is_target] = 1

    def go_on(start: _Start) -> list[_Start]:
        strength = start.strength * given.column(start.nodes[-1])
        bounds = np.abs(strength) * onward
        return [
            _Start(bounds[row], (*start.nodes, given.node_of(row)), strength[row], bool(is_target[row]))
            for row in _largest(bounds, count)
        ]

    begin = [node for node in sources if node < given.n_columns]
    starts = [_Start(best[node], (node,), 1.0, False) for node in begin if best[node] > 0]
    return StrongestPaths(_search(starts, go_on, count), float(total[begin].sum()))


def paths_into(given: PathWeights, targets: Sequence[int], count: int) -> StrongestPaths:
    """Return the `count` strongest paths of two edges that end at one of `targets`, none of which is on them before.

    A path of one edge counts where it begins at an error, a token, or a feature without input. All of these paths together
    have the whole input of the targets from outside, but for what comes from them over one other node.
    """
    own = given.columns_of(targets)
    has_input = given.totals[: given.n_features] > 0
    rows: list[int] = np.flatnonzero(given.rows_of(targets)).tolist()

    def sources_of(row: int, strength: float) -> Float64[np.ndarray, " sources"]:
        return np.where(own, 0.0, strength * given.row(row))

    def go_on(start: _Start) -> list[_Start]:
        first = start.nodes[0]
        at_end = len(start.nodes) == 2
        strength = sources_of(first if at_end else _row(given, first), start.strength)
        bounds = np.abs(strength)
        found = _largest(bounds, count if at_end else len(bounds))
        return [
            _Start(
                bounds[node],
                (node, *start.nodes),
                strength[node],
                at_end or not (node < len(has_input) and has_input[node]),
            )
            for node in found
        ]

    inside = np.abs(given.weights[: given.n_features, own]).sum(axis=1, dtype=np.float64)
    from_outside = np.ones(given.n_columns)
    from_outside[: given.n_features][has_input] = 1 - inside[has_input] / given.totals[: given.n_features][has_input]
    total = 0.0
    for row in rows:
        total += float(np.abs(sources_of(row, 1.0)) @ from_outside)
    starts = [_Start(1.0, (given.node_of(row),), 1.0, False) for row in rows]
    return StrongestPaths(_search(starts, go_on, count), total)


def paths_out(
    given: PathWeights, target_weight: Float[np.ndarray, " logits"], sources: Sequence[int], count: int
) -> StrongestPaths:
    """Return the `count` strongest paths of two edges that begin at one of `sources`, none of which is on them later.

    A path of one edge counts where it ends at a logit. The strength of a path has the effect of its last node as another
    factor: influence plus target weight. All of these paths together have the influence of the sources (see `flow`), but
    for what passes through another of them.
    """
    influence = flow(given.weights, given.feature_layer, target_weight).influence
    effect = np.concatenate([influence[: given.n_features], target_weight])
    outside = np.where(given.rows_of(sources), 0.0, effect)

    def go_on(start: _Start) -> list[_Start]:
        strength = start.strength * given.column(start.nodes[-1])
        bounds = np.abs(strength) * outside
        at_end = len(start.nodes) == 2
        found = _largest(bounds, count if at_end else len(bounds))
        return [
            _Start(
                bounds[row],
                (*start.nodes, given.node_of(row)),
                strength[row] * (outside[row] if at_end or row >= given.n_features else 1.0),
                at_end or row >= given.n_features,
            )
            for row in found
        ]

    onward = outside.copy()
    inside = np.flatnonzero(given.rows_of(sources))
    back = effect[inside] @ given.absolute(inside, slice(0, given.n_features))
    onward[: given.n_features] = np.maximum(0.0, onward[: given.n_features] - back)
    onward[given.rows_of(sources)] = 0
    begin = [node for node in sources if node < given.n_columns]
    total = sum(float(np.abs(given.column(node)) @ onward) for node in begin)
    starts = [_Start(float(np.inf), (node,), 1.0, False) for node in begin]
    return StrongestPaths(_search(starts, go_on, count), total)


def _row(given: PathWeights, node: int) -> int:
    return node if node < given.n_features else node - given.n_columns + given.n_features


def _strengths_onward(
    given: PathWeights, is_target: Bool[np.ndarray, " targets"], is_source: Bool[np.ndarray, " targets"]
) -> tuple[Float64[np.ndarray, " sources"], Float64[np.ndarray, " sources"]]:
    """Return for each column the strength of its best path to a target, and the sum over all of its paths."""
    best, total = np.zeros(given.n_columns), np.zeros(given.n_columns)
    for rows, below in layers_from_top(given.feature_layer, given.n_rows):
        for part in slices(rows, rows_at_once(given.n_columns)):
            here = np.arange(part.start, part.stop)
            inner = ~(is_target | is_source)[part] & (here < given.n_features)
            strongest, summed = np.where(is_target[part], 1.0, 0.0), np.where(is_target[part], 1.0, 0.0)
            strongest[inner], summed[inner] = best[here[inner]], total[here[inner]]
            some = summed > 0
            if not some.any():
                continue
            for columns in (slice(0, below), slice(given.n_features, None)):
                weights = given.absolute(here[some], columns)
                total[columns] += summed[some] @ weights
                weights *= strongest[some, None]
                np.maximum(best[columns], weights.max(axis=0, initial=0.0), out=best[columns])
    return best, total


def _largest(bounds: Float64[np.ndarray, " values"], count: int) -> list[int]:
    """Return where the `count` largest positive values are; of equals, those first."""
    order = np.argsort(-bounds, kind="stable")[:count]
    return [int(at) for at in order if bounds[at] > 0]


def _search(starts: Sequence[_Start], go_on: Callable[[_Start], list[_Start]], count: int) -> tuple[WeightedPath, ...]:
    """Return the strongest complete paths: what begins with the highest bound goes on first."""
    heap = [(-start.bound, start.nodes, start) for start in starts]
    heapq.heapify(heap)
    found: list[WeightedPath] = []
    while heap and len(found) < count:
        _, nodes, start = heapq.heappop(heap)
        if start.complete:
            found.append(WeightedPath(nodes, float(start.strength)))
            continue
        for longer in go_on(start):
            heapq.heappush(heap, (-longer.bound, longer.nodes, longer))
    return tuple(found)
