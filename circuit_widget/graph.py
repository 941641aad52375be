"""The attribution graph of one prompt: its nodes, and the signed direct effects between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Union

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from circuit_widget.attribution.influence import cumulative_share, edge_scores, node_influence
from circuit_widget.attribution.prune import holding
from circuit_widget.attribution.prune import prune as prune_arrays
from circuit_widget.attribution.scores import fold_dropped, replacement_and_completeness, scores_of
from circuit_widget.errors import CircuitError, NodeError
from circuit_widget.graph_arrays import ARRAYS, ERROR_ARRAYS, FEATURE_ARRAYS, check_arrays, check_weights
from circuit_widget.node import (
    Feature,
    NodeKind,
    PromptToken,
    Scores,
    Target,
    error_id,
    feature_id,
    logit_id,
    no_such_node,
    token_id,
)

if TYPE_CHECKING:
    import networkx
    import pandas

    from circuit_widget.circuit import Circuit
    from circuit_widget.figure.figure import Figure, Part
    from circuit_widget.intervention import Effect
    from circuit_widget.replacement_model import ReplacementModel
    from circuit_widget.widget.widget import CircuitWidget

__all__ = [
    "Feature",
    "Graph",
    "NodeKind",
    "PromptToken",
    "Scores",
    "Target",
    "error_id",
    "feature_id",
    "logit_id",
    "token_id",
]

JSON: TypeAlias = Union[bool, int, float, str, Sequence["JSON"], Mapping[str, "JSON"], None]  # noqa: UP007


@dataclass(frozen=True, eq=False)
class Graph:
    """The attribution graph of one prompt at one position.

    Attention patterns and normalisation denominators are frozen at their values in the forward pass, transcoder errors
    are constants. Rows of `weights` are the targets of edges (features, then logits), columns their sources (features,
    then errors, then tokens); the order of nodes everywhere is features, errors, tokens, logits. Arrays are read-only.
    Use `Graph.build` to make one: it computes influence, share and scores.

    `influence[n]` is the share of the effect on the targets, weighted by their probability, that passes through node n
    (0 for logits). `share[n]` is the summed share of all influence held by n and every node with more of it (0 for
    logits). Both, and `recorded_scores`, describe the whole graph also after `prune`.

    Raises ValueError when the arrays do not fit together.
    """

    tokens: tuple[PromptToken, ...]
    targets: tuple[Target, ...]
    position: int
    n_layers: int
    feature_layer: Int32[np.ndarray, " features"]
    feature_position: Int32[np.ndarray, " features"]
    feature_index: Int32[np.ndarray, " features"]
    activation: Float32[np.ndarray, " features"]
    error_layer: Int32[np.ndarray, " errors"]
    error_position: Int32[np.ndarray, " errors"]
    token_position: Int32[np.ndarray, " token_nodes"]
    weights: Float32[np.ndarray, "targets sources"]
    influence: Float32[np.ndarray, " nodes"]
    share: Float32[np.ndarray, " nodes"]
    recorded_scores: Scores
    labels: Mapping[str, str] = field(default_factory=dict)
    recipe: Mapping[str, JSON] = field(default_factory=dict)
    model: ReplacementModel | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        for name, dtype in ARRAYS.items():
            array = np.ascontiguousarray(getattr(self, name), dtype=dtype).view()
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "tokens", tuple(self.tokens))
        object.__setattr__(self, "targets", tuple(self.targets))
        object.__setattr__(self, "labels", MappingProxyType(dict(self.labels)))
        object.__setattr__(self, "recipe", MappingProxyType(dict(self.recipe)))
        check_arrays(self)

    def __reduce__(self) -> tuple[Any, ...]:
        # Other processes get the graph; the model stays where it is.
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        plain = {"labels": dict(self.labels), "recipe": dict(self.recipe), "model": None}
        return partial(Graph, **{**values, **plain}), ()

    @classmethod
    def build(
        cls,
        *,
        tokens: Sequence[PromptToken],
        targets: Sequence[Target],
        position: int,
        n_layers: int,
        feature_layer: Int32[np.ndarray, " features"],
        feature_position: Int32[np.ndarray, " features"],
        feature_index: Int32[np.ndarray, " features"],
        activation: Float32[np.ndarray, " features"],
        error_layer: Int32[np.ndarray, " errors"],
        error_position: Int32[np.ndarray, " errors"],
        token_position: Int32[np.ndarray, " token_nodes"],
        weights: Float32[np.ndarray, "targets sources"],
        labels: Mapping[str, str] | None = None,
        recipe: Mapping[str, JSON] | None = None,
        model: ReplacementModel | None = None,
    ) -> Self:
        """A graph from its nodes and weights; influence, share and scores are computed here.

        Features come sorted by (layer, position, feature), errors by (layer, position), tokens by position. A feature
        is fed by features of lower layers only. Raises ValueError when the arrays do not fit together.
        """
        target_weight = np.array([target.probability for target in targets], dtype=np.float64)
        check_weights(weights, feature_layer, len(targets))
        by_source = node_influence(weights, feature_layer, target_weight)
        scores = scores_of(by_source, weights, len(feature_layer), len(error_layer), target_weight)
        logits = np.zeros(len(targets), dtype=np.float32)
        influence = np.concatenate([by_source.astype(np.float32), logits])
        share = np.concatenate([cumulative_share(influence[: len(by_source)]), logits])
        return cls(
            tokens=tuple(tokens),
            targets=tuple(targets),
            position=position,
            n_layers=n_layers,
            feature_layer=feature_layer,
            feature_position=feature_position,
            feature_index=feature_index,
            activation=activation,
            error_layer=error_layer,
            error_position=error_position,
            token_position=token_position,
            weights=weights,
            influence=influence,
            share=share,
            recorded_scores=Scores(*scores),
            labels=labels or {},
            recipe=recipe or {},
            model=model,
        )

    @property
    def n_features(self) -> int:
        """Number of feature nodes."""
        return len(self.feature_layer)

    @property
    def n_errors(self) -> int:
        """Number of error nodes."""
        return len(self.error_layer)

    @property
    def n_nodes(self) -> int:
        """Number of nodes of all kinds."""
        return int(self.weights.shape[1]) + len(self.targets)

    @property
    def target_weight(self) -> Float64[np.ndarray, " logits"]:
        """Weight of each logit in influence and scores: its probability."""
        return np.array([target.probability for target in self.targets], dtype=np.float64)

    @property
    def pruned(self) -> bool:
        """Whether nodes or edges of the traced graph are missing."""
        return "thresholds" in self.recipe

    @cached_property
    def node_ids(self) -> tuple[str, ...]:
        """Ids of all nodes, in node order."""
        features = zip(
            self.feature_layer.tolist(), self.feature_index.tolist(), self.feature_position.tolist(), strict=True
        )
        errors = zip(self.error_layer.tolist(), self.error_position.tolist(), strict=True)
        return (
            *(feature_id(*place) for place in features),
            *(error_id(*place) for place in errors),
            *(token_id(self.tokens[place].token_id, place) for place in self.token_position.tolist()),
            *(logit_id(self.n_layers, target.token_id, self.position) for target in self.targets),
        )

    @cached_property
    def node_kinds(self) -> tuple[NodeKind, ...]:
        """Kinds of all nodes, in node order."""
        counts = (self.n_features, self.n_errors, len(self.token_position), len(self.targets))
        return tuple(kind for kind, count in zip(NodeKind, counts, strict=True) for _ in range(count))

    @cached_property
    def node_layer(self) -> Int32[np.ndarray, " nodes"]:
        """Layers of all nodes, in node order: -1 for tokens, n_layers for logits."""
        tokens, logits = np.full(len(self.token_position), -1), np.full(len(self.targets), self.n_layers)
        return np.concatenate([self.feature_layer, self.error_layer, tokens, logits], dtype=np.int32)

    @cached_property
    def node_position(self) -> Int32[np.ndarray, " nodes"]:
        """Positions of all nodes, in node order; the traced position for logits."""
        logits = np.full(len(self.targets), self.position)
        return np.concatenate([self.feature_position, self.error_position, self.token_position, logits], dtype=np.int32)

    @cached_property
    def row_nodes(self) -> Int64[np.ndarray, " targets"]:
        """Place in node order of each row of `weights`."""
        return np.concatenate([np.arange(self.n_features), np.arange(self.weights.shape[1], self.n_nodes)])

    @cached_property
    def _index(self) -> dict[str, int]:
        return {node: index for index, node in enumerate(self.node_ids)}

    def index(self, node: str | Feature) -> int:
        """Place of a node in node order. Raises NodeError, naming the nearest ids, when the graph has no such node."""
        wanted = node.id if isinstance(node, Feature) else node
        found = self._index.get(wanted) if isinstance(wanted, str) else None
        if found is None:
            raise NodeError(no_such_node(wanted, self.node_ids))
        return found

    def resolve(self, nodes: str | Feature | Iterable[str | Feature]) -> tuple[int, ...]:
        """Places of several nodes in node order, or of a single one. Raises NodeError as `index` does."""
        if isinstance(nodes, str | Feature):
            return (self.index(nodes),)
        return tuple(self.index(node) for node in nodes)

    def edge_share(self) -> Float32[np.ndarray, "targets sources"]:
        """For every edge, the summed share of edge score held by it and all edges with more, in the shape of `weights`.

        The score of an edge is `Â[t,s] (I_t + w_t)`. Computed once, on first use; 1 where there is no edge.
        """
        return self._edge_share

    @cached_property
    def _edge_share(self) -> Float32[np.ndarray, "targets sources"]:
        effect = np.concatenate([self.influence[: self.n_features], self.target_weight])
        share = cumulative_share(edge_scores(self.weights, effect))
        share.setflags(write=False)
        return share

    def prune(self, node_threshold: float = 0.8, edge_threshold: float = 0.98) -> Graph:
        """The part that carries nearly all of the effect, as a graph of its own.

        Keeps the fewest nodes that hold `node_threshold` of the summed influence, then the fewest edges that hold
        `edge_threshold` of the summed edge score; features and errors left without a way to the logits go, tokens and
        logits always stay. Both thresholds lie in [0, 1]. Influence, share and scores remain those of the whole graph.
        Raises CircuitError when a threshold is out of range.
        """
        for name, threshold in (("node", node_threshold), ("edge", edge_threshold)):
            if not 0 <= threshold <= 1:
                raise CircuitError(f"The {name} threshold is a share between 0 and 1; given {threshold}.")
        n_sources = self.weights.shape[1]
        keep = holding(self.share[:n_sources], self.influence[:n_sources], node_threshold)
        left = prune_arrays(
            self.weights,
            self.feature_layer,
            self.target_weight,
            keep[: self.n_features],
            keep[self.n_features : self.n_features + self.n_errors],
            edge_threshold,
        )
        others = np.ones(self.n_nodes - self.n_features - self.n_errors, dtype=bool)
        nodes = np.concatenate([left.features, left.errors, others])
        left_ids = {node for node, stays in zip(self.node_ids, nodes, strict=True) if stays}
        return replace(
            self,
            **{name: getattr(self, name)[left.features] for name in FEATURE_ARRAYS},
            **{name: getattr(self, name)[left.errors] for name in ERROR_ARRAYS},
            weights=left.weights,
            influence=self.influence[nodes],
            share=self.share[nodes],
            labels={node: text for node, text in self.labels.items() if node in left_ids},
            recipe={**self.recipe, "thresholds": {"node": node_threshold, "edge": edge_threshold}},
        )

    def scores(self, keep: Iterable[str | Feature] | None = None) -> Scores:
        """Replacement and completeness score: of the whole graph, or of the circuit in which only `keep` are features.

        The signed edges of every other feature then count as error of its layer and position; tokens, errors and
        logits always belong, so naming them changes nothing. Raises NodeError for unknown nodes, and CircuitError for
        a circuit of a pruned graph, which no longer holds the edges the answer depends on.
        """
        if keep is None:
            return self.recorded_scores
        if self.pruned:
            raise CircuitError(
                "This graph was pruned and no longer holds every edge that the scores of a circuit depend on. "
                "Ask the graph it was pruned from."
            )
        kept = np.zeros(self.n_nodes, dtype=bool)
        kept[list(self.resolve(keep))] = True
        kept_features = kept[: self.n_features]
        positions = len(self.tokens)
        weights, n_errors = fold_dropped(
            self.weights,
            kept_features,
            self.feature_layer * positions + self.feature_position,
            self.error_layer * positions + self.error_position,
        )
        return Scores(
            *replacement_and_completeness(weights, self.feature_layer[kept_features], n_errors, self.target_weight)
        )

    def to_frames(self) -> tuple[pandas.DataFrame, pandas.DataFrame]:
        """Nodes and edges as pandas frames.

        Nodes, in node order: id, kind, layer (-1 for tokens, n_layers for logits), position, feature (missing where
        there is none), token and token_id (of the prompt at that position; for a logit, the token it stands for),
        activation (missing but for features), influence, label. Edges, one for each nonzero weight: source, target
        (node ids), weight (signed direct effect).
        """
        from circuit_widget.graph_tables import edge_frame, node_frame

        return node_frame(self), edge_frame(self)

    def to_networkx(self) -> networkx.DiGraph[str]:
        """The graph as a networkx.DiGraph: node ids with the columns of `to_frames` as attributes, weighted edges."""
        from circuit_widget.graph_tables import network

        return network(self)

    def save(self, path: str | Path) -> Path:
        """Write the graph to a safetensors file, whole or not at all, and return its path. The model is not part of it.

        Raises GraphFileError when the file cannot be written.
        """
        from circuit_widget.graph_file import save_graph

        return save_graph(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Graph:
        """Read a graph that `save` wrote. Nothing in the file is executed.

        Raises GraphFileError for a missing, cut off, foreign, newer or contradictory file.
        """
        from circuit_widget.graph_file import load_graph

        return load_graph(Path(path))

    def show(self, model: ReplacementModel | None = None, **settings: Any) -> CircuitWidget:
        """A widget on this graph; `model` defaults to the one that traced it, without one nothing can be ablated."""
        from circuit_widget.widget.widget import CircuitWidget

        return CircuitWidget(self, model=model or self.model, **settings)

    def figure(
        self,
        circuit: Circuit | None = None,
        effect: Effect | None = None,
        part: Part = "both",
        width: float = 6.75,
        title: str | None = None,
    ) -> Figure:
        """A figure of the graph for a paper, `width` inches wide: its map, a circuit on it, or both.

        Raises FigureError for an unknown part or width, NodeError or CircuitError for a circuit that does not fit.
        """
        from circuit_widget.figure.figure import make_figure

        return make_figure(self, circuit, effect, part, width, title)
