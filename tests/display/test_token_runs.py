"""Long prompts: tokens with nothing to show are hidden where they are in a run."""

import numpy as np
import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.display.token_runs import runs_without
from circuit_widget.display.visible_graph import visible_graph
from circuit_widget.graph import Graph, PromptToken
from tests.widget.small_graph import small_graph


@pytest.mark.parametrize(
    ("busy", "positions", "expected"),
    [
        ([], 0, []),
        ([], 2, []),
        ([], 3, [(0, 2)]),
        ([0, 4], 5, [(1, 3)]),
        ([1, 4], 8, [(5, 7)]),
        ([3, 3, 9, 40], 10, [(0, 2), (4, 8)]),
    ],
)
def test_runs_have_at_least_three_positions(busy: list[int], positions: int, expected: list[tuple[int, int]]) -> None:
    assert runs_without(busy, positions) == expected


PLACES = np.array([0, 1, 12, 13, 20, 29], dtype=np.int32)
"""Where the positions of the small graph are in a prompt of 30 tokens."""


def spread(n_tokens: int = 30) -> Graph:
    """Return the small graph with tokens between its own that have no edges."""
    small = small_graph()
    places = np.minimum(PLACES, n_tokens - 1 - np.arange(6)[::-1])
    weights = np.zeros((small.weights.shape[0], small.n_features + small.n_errors + n_tokens), dtype=np.float32)
    ranked = small.n_features + small.n_errors
    weights[:, :ranked] = small.weights[:, :ranked]
    weights[:, ranked + places] = small.weights[:, ranked:]
    return small_graph(
        tokens=[PromptToken(f"t{at}", at) for at in range(n_tokens)],
        position=n_tokens - 1,
        feature_position=places[small.feature_position],
        error_position=places[small.error_position],
        token_position=np.arange(n_tokens, dtype=np.int32),
        labels={},
        weights=weights,
    )


def visible_tokens(graph: Graph, circuit: Circuit) -> list[int]:
    nodes = visible_graph(graph, circuit).nodes
    return [int(graph.node_position[node]) for node in nodes if graph.node_kinds[node] == "token"]


def test_tokens_in_runs_without_edges_are_hidden_and_two_between_others_are_not() -> None:
    circuit = Circuit().threshold(node=0.95, edge=1.0)
    assert visible_tokens(spread(), circuit) == PLACES.tolist()
    assert visible_tokens(spread(), circuit.pin(["E_9_9", "E_23_23"])) == [0, 1, 9, 10, 11, 12, 13, 20, 21, 22, 23, 29]


def test_a_prompt_of_24_tokens_shows_all_but_an_unused_first_one() -> None:
    assert len(visible_tokens(spread(25), Circuit())) < 10
    assert len(visible_tokens(spread(24), Circuit())) >= 23
