"""Influence, pruning and scores against the numbers of the reference library."""

import numpy as np
import pytest

from tests.graph.graphs import REFERENCES, Reference


@pytest.fixture(scope="module", params=REFERENCES)
def reference(request: pytest.FixtureRequest) -> Reference:
    return Reference(request.param)


def test_scores(reference: Reference) -> None:
    scores = reference.graph.scores()
    assert scores.replacement == pytest.approx(reference.replacement, abs=1e-6)
    assert scores.completeness == pytest.approx(reference.completeness, abs=1e-6)


def test_share_of_influence(reference: Reference) -> None:
    sources = reference.columns
    np.testing.assert_allclose(reference.graph.share[sources], reference.share[sources], atol=1e-5, rtol=0)


def test_pruned_nodes(reference: Reference) -> None:
    kept = [node for node, stays in zip(reference.graph.node_ids, reference.node_mask, strict=True) if stays]
    assert list(reference.graph.prune(0.8, 0.98).node_ids) == kept


def test_pruned_edges(reference: Reference) -> None:
    graph, small = reference.graph, reference.graph.prune(0.8, 0.98)
    indices = np.array([graph.index(node) for node in small.node_ids])
    rows = indices[small.row_nodes]
    rows = np.where(rows < graph.n_features, rows, rows - graph.weights.shape[1] + graph.n_features)
    pruned = np.zeros_like(graph.weights)
    pruned[np.ix_(rows, indices[: small.weights.shape[1]])] = small.weights
    np.testing.assert_array_equal(pruned, np.where(reference.edge_mask, graph.weights, 0))


def test_no_threshold_keeps_an_edge_of_weight_zero(reference: Reference) -> None:
    whole = reference.graph.prune(1, 1)
    assert np.count_nonzero(whole.weights) <= np.count_nonzero(reference.graph.weights)
    assert len(whole.to_frames()[1]) == np.count_nonzero(whole.weights)
