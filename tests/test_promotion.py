"""NumPy 1 and 2 choose the type of a result differently where an array meets a single number; nothing may hang on it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.circuit.box_edges import box_edges, edges_among
from circuit_widget.widget.wire.snapshot import snapshot_of

NUMPY_2 = np.lib.NumpyVersion(np.__version__) >= "2.0.0b1"


@pytest.fixture
def by_type_alone() -> Iterator[None]:
    """Let NumPy 1 promote as NumPy 2 does, and warn where its own rules, which depend on values, differ."""
    numpy_1: Any = np
    before = numpy_1._get_promotion_state()
    numpy_1._set_promotion_state("weak_and_warn")
    yield
    numpy_1._set_promotion_state(before)


@pytest.mark.skipif(NUMPY_2, reason="NumPy 2 has one set of rules; make test-oldest runs this with NumPy 1")
@pytest.mark.filterwarnings("error:result dtype changed")
def test_no_result_depends_on_how_numpy_promotes(by_type_alone: None) -> None:
    with pytest.warns(UserWarning, match="result dtype changed"):
        assert (np.zeros(1, dtype=np.uint32) + np.uint64(1)).dtype == np.uint64
    model = cw.load("demo")
    prompt = "the capital of the state containing Dallas is"
    graph = model.trace(prompt, progress=False)
    limited = model.trace(prompt, max_features=100, progress=False)
    pruned = graph.prune(0.8)
    assert (graph.n_features, limited.n_features, pruned.n_features) == (312, 100, 24)
    nodes = list(pruned.node_ids[:4])
    assert graph.scores(keep=nodes).replacement < graph.scores().replacement
    assert graph.to_networkx().number_of_nodes() == len(graph.to_frames()[0])
    assert graph.verify(10).agrees
    boxes = [graph.resolve(nodes), [graph.n_nodes - 10]]
    assert box_edges(edges_among(graph, boxes), boxes)
    assert model.estimate(prompt).features == 312
    circuit = cw.Circuit(pinned=nodes)
    effect = model.sweep(graph, nodes, [0.0, 2.0]).effects[0]
    assert graph.figure(circuit, effect).svg()
    assert 0 < effect.predicted_probability("Austin") < 1
    controls = model.controls(graph, [cw.Ablate(nodes[:1])], n=3)
    assert graph.figure(circuit, controls).svg()
    assert model.validate(graph).to_frame().shape[0]
    assert snapshot_of(graph)
