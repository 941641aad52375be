"""The embedded model's own graph: as exact as any other, and quick."""

import numpy as np

import circuit_widget as cw
from circuit_widget.intervention import Ablate
from tests.work import operations

DALLAS = "the capital of the state containing Dallas is"
MOST_OPERATIONS = 6_000
"""Of torch: half a second on one core of 2020."""


def test_the_dallas_graph_takes_few_operations_even_the_first_time() -> None:
    model = cw.load("demo")
    assert 0 < len(operations(lambda: model.trace(DALLAS))) < MOST_OPERATIONS
    graph = model.trace(DALLAS)
    assert graph.n_features > 0
    assert graph.targets[0].token == "Austin"


def test_edges_of_the_embedded_model_are_its_direct_effects() -> None:
    model = cw.load("demo", device="cpu")
    graph = model.trace(DALLAS)
    for source in graph.influence[: graph.n_features].argsort()[-10:].tolist():
        effect = model.intervene(graph, Ablate(graph.node_ids[source]), mode="direct")
        change = (effect.nodes["after"] - effect.nodes["before"]).to_numpy()
        others = np.arange(graph.n_features) != source
        # Activations reach 40 here, and float32 keeps seven digits of their difference.
        np.testing.assert_allclose(
            change[others], -graph.weights[: graph.n_features, source][others], atol=1e-5, rtol=2e-6
        )
