"""Graphs for tests: those of the reference library, and small ones with random weights."""

import numpy as np

from circuit_widget.graph import Graph, PromptToken, Target
from tests.models import REFERENCE, REFERENCE_CASES

REFERENCES = tuple(f"{case}/{prompt}" for case in REFERENCE_CASES for prompt in ("p0", "p1"))
REFERENCE_LAYERS = 4


class Reference:
    """A graph of the reference library with every active feature, and the results of that library.

    Its matrix is square, in our order of nodes; rows of errors and tokens are empty.
    """

    def __init__(self, name: str) -> None:
        found = np.load(REFERENCE / f"{name}_graph.npz")
        layer, position, feature = found["active_features"][found["selected_features"]].T
        self.size = len(found["adjacency_matrix"])
        self.n_features, self.n_logits = len(layer), len(found["logit_tokens"])
        tokens = found["input_tokens"].tolist()
        error_layer, error_position = np.divmod(np.arange(REFERENCE_LAYERS * len(tokens)), len(tokens))
        self.rows = np.r_[: self.n_features, self.size - self.n_logits : self.size]
        self.columns = np.arange(self.size - self.n_logits)
        self.node_mask = found["prune_node_mask"]
        self.share = found["prune_cumulative_scores"]
        self.replacement, self.completeness = float(found["replacement_score"]), float(found["completeness_score"])
        edge_mask = np.unpackbits(found["prune_edge_mask"], axis=1, count=self.size).astype(bool)
        self.edge_mask = edge_mask[np.ix_(self.rows, self.columns)]
        self.graph = Graph.build(
            tokens=[PromptToken(f"<{number}>", number) for number in tokens],
            targets=[
                Target(f"<{number}>", number, probability, 0.0)
                for number, probability in zip(
                    found["logit_tokens"].tolist(), found["logit_probabilities"].tolist(), strict=True
                )
            ],
            position=len(tokens) - 1,
            n_layers=REFERENCE_LAYERS,
            feature_layer=layer,
            feature_position=position,
            feature_index=feature,
            activation=found["activation_values"][found["selected_features"]],
            error_layer=error_layer,
            error_position=error_position,
            token_position=np.arange(len(tokens)),
            weights=found["adjacency_matrix"][np.ix_(self.rows, self.columns)],
        )


def random_graph(
    seed: int, *, n_layers: int = 3, n_positions: int = 3, density: float = 0.5, n_targets: int = 2, labels: bool = True
) -> Graph:
    """A graph with up to three features at each layer and position, some of its nodes unconnected."""
    random = np.random.default_rng(seed)
    grid = [(layer, position) for layer in range(n_layers) for position in range(n_positions)]
    features = [
        (layer, position, int(feature))
        for layer, position in grid
        for feature in np.sort(random.choice(50, random.integers(0, 4), replace=False))
    ]
    layer, position, feature = np.array(features, dtype=np.int32).reshape(-1, 3).T
    error_layer, error_position = np.array(grid, dtype=np.int32).T
    source_layer = np.concatenate([layer, error_layer, np.full(n_positions, -1)])
    target_layer = np.concatenate([layer, np.full(n_targets, n_layers)])
    shape = (len(target_layer), len(source_layer))
    weights = random.standard_normal(shape).astype(np.float32)
    weights *= (source_layer < target_layer[:, None]) & (random.random(shape) < density)
    probability = random.dirichlet(np.ones(n_targets + 1))[:n_targets]
    return Graph.build(
        tokens=[PromptToken(f" word{index}", 7 + index) for index in range(n_positions)],
        targets=[Target(f" answer{index}", 90 + index, float(p), 1.5) for index, p in enumerate(probability)],
        position=n_positions - 1,
        n_layers=n_layers,
        feature_layer=layer,
        feature_position=position,
        feature_index=feature,
        activation=random.random(len(layer), dtype=np.float32) + 0.1,
        error_layer=error_layer,
        error_position=error_position,
        token_position=np.arange(n_positions),
        weights=weights,
        labels={f"{layer[0]}_{feature[0]}_{position[0]}": "Texas"} if labels and len(layer) else {},
        recipe={"model": "random", "prompt": [7, 8, 9]},
    )


def dense(graph: Graph) -> np.ndarray:
    """The square matrix of a graph, in double precision: rows of errors and tokens are empty."""
    square = np.zeros((graph.n_nodes, graph.n_nodes))
    square[np.ix_(graph.row_nodes, np.arange(graph.weights.shape[1]))] = graph.weights
    return square
