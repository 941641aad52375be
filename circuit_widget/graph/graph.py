"""The attribution graph of one prompt: its nodes, and the signed direct effects between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, Union

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from circuit_widget.errors import NodeError
from circuit_widget.graph import node_table as nodes
from circuit_widget.graph.arrays import ARRAYS, check_arrays, check_kinds, check_texts, check_weights, exactly
from circuit_widget.graph.description import described
from circuit_widget.graph.edges_by_score import edges_by_score
from circuit_widget.graph.flow_values import flow_of
from circuit_widget.graph.labelling import GivenLabels, labelled_nodes
from circuit_widget.graph.node_table import Edges
from circuit_widget.graph.paths import paths
from circuit_widget.graph.pruning_stability import stability
from circuit_widget.graph.qk_contributors import qk_frame
from circuit_widget.graph.subgraph import prune, scores_of_circuit
from circuit_widget.graph.tracing_model import TracingModel, required
from circuit_widget.graph.verification import Verification
from circuit_widget.nodes import Feature, NodeKind, PromptToken, Scores, Target, no_such_node, several_nodes

if TYPE_CHECKING:
    import networkx
    import pandas

    from circuit_widget.figure.figure import Figure, FigureCircuit, FigureEffect, Part
    from circuit_widget.figure.output.chosen_font import ChosenFont
    from circuit_widget.figure.scene.theme import Theme
    from circuit_widget.proposal import Proposals, ProposedCircuit
    from circuit_widget.widget.widget import CircuitWidget

JSON: TypeAlias = Union[bool, int, float, str, Sequence["JSON"], Mapping[str, "JSON"], None]  # noqa: UP007


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """The attribution graph of one prompt at one position.

    Attention patterns and normalisation denominators are frozen at their values in the forward pass, transcoder errors
    are constants. Rows of `weights` are the targets of edges (features, then logits), columns their sources (features,
    then errors, then tokens); the order of nodes everywhere is features, errors, tokens, logits. Arrays are read-only.
    Use `Graph.build` to make one: it computes influence, share and scores.

    `influence[n]` is the share of the effect on the targets, weighted by their probability, that passes through node n
    (0 for logits). `share[n]` is the share of all influence of n and every node with more influence (0 for logits).
    Both, and `recorded_scores`, describe the whole graph also after `prune`.

    Raises ValueError when the arrays do not fit together, or a token or label has half of a character.
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
    model: TracingModel | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_kinds(self.tokens, self.targets, self.labels, self.recipe)
        for name, dtype in ARRAYS.items():
            array = exactly(name, getattr(self, name), dtype).view()
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "tokens", tuple(self.tokens))
        object.__setattr__(self, "targets", tuple(self.targets))
        object.__setattr__(self, "labels", MappingProxyType(dict(self.labels)))
        object.__setattr__(self, "recipe", MappingProxyType(dict(self.recipe)))
        check_texts(self)
        check_arrays(self)

    __repr__ = described

    def __reduce__(self) -> tuple[Any, ...]:
        # A pickled or copied graph has no model, which stays in its process.
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
        feature_layer: np.ndarray,
        feature_position: np.ndarray,
        feature_index: np.ndarray,
        activation: np.ndarray,
        error_layer: np.ndarray,
        error_position: np.ndarray,
        token_position: np.ndarray,
        weights: np.ndarray,
        labels: Mapping[str, str] | None = None,
        recipe: Mapping[str, JSON] | None = None,
        model: TracingModel | None = None,
    ) -> Self:
        """A graph from its nodes and weights; influence, share and scores are computed here.

        Features are sorted by (layer, position, feature), errors by (layer, position), tokens by position. Edges between
        features lead to higher layers only. `weights` has a row for each feature, then each target, and a column for each
        feature, then error, then token. Raises ValueError when the arrays do not fit together.
        """
        labels, recipe = {} if labels is None else labels, {} if recipe is None else recipe
        check_kinds(tokens, targets, labels, recipe)
        feature_layer = exactly("feature_layer", feature_layer, np.int32)
        error_layer = exactly("error_layer", error_layer, np.int32)
        weights = exactly("weights", weights, np.float32)
        check_weights(weights, feature_layer, len(targets))
        found = flow_of(weights, feature_layer, len(error_layer), targets)
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
            influence=found.influence,
            share=found.share,
            recorded_scores=found.scores,
            labels=labels,
            recipe=recipe,
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
        """Whether the graph is the result of `prune`."""
        return "thresholds" in self.recipe

    @property
    def basis(self) -> Literal["features", "neurons"]:
        """What the features are: of transcoders, or neurons of the model, whose errors are the other neurons."""
        return "neurons" if self.recipe.get("basis") == "neurons" else "features"

    @property
    def left_out(self) -> int:
        """Number of active features that are not nodes but part of the error of their layer and position."""
        number = self.recipe.get("left_out_features", 0)
        return number if isinstance(number, int) else 0

    @cached_property
    def node_ids(self) -> tuple[str, ...]:
        """Ids of all nodes, in node order."""
        return nodes.node_ids(self)

    @cached_property
    def node_kinds(self) -> tuple[NodeKind, ...]:
        """Kinds of all nodes, in node order."""
        return nodes.node_kinds(self)

    @cached_property
    def node_layer(self) -> Int32[np.ndarray, " nodes"]:
        """Layers of all nodes, in node order: -1 for tokens, n_layers for logits."""
        return nodes.node_layer(self)

    @cached_property
    def node_position(self) -> Int32[np.ndarray, " nodes"]:
        """Positions of all nodes, in node order; the traced position for logits."""
        return nodes.node_position(self)

    @cached_property
    def row_nodes(self) -> Int64[np.ndarray, " targets"]:
        """Index in node order of each row of `weights`."""
        return nodes.row_nodes(self)

    @cached_property
    def input_total(self) -> Float64[np.ndarray, " nodes"]:
        """Summed absolute weight of all edges into each node, in node order; 0 for nodes without incoming edges."""
        return nodes.input_total(self)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {node: index for index, node in enumerate(self.node_ids)}

    def index(self, node: str | Feature) -> int:
        """Index of a node in node order. Raises NodeError, naming the nearest ids, when the graph has no such node."""
        found = self.find(node)
        if found is None:
            raise NodeError(no_such_node(node.id if isinstance(node, Feature) else node, self.node_ids))
        return found

    def find(self, node: str | Feature) -> int | None:
        """Index of a node in node order, or None when the graph has no such node."""
        wanted = node.id if isinstance(node, Feature) else node
        return self._index.get(wanted) if isinstance(wanted, str) else None

    def resolve(self, nodes: str | Feature | Iterable[str | Feature]) -> tuple[int, ...]:
        """Indices of several nodes in node order, or of a single one. Raises NodeError as `index` does."""
        return tuple(self.index(node) for node in several_nodes(nodes, NodeError))

    def labelled(self, label: str) -> tuple[str, ...]:
        """Ids of the features with exactly this label. Raises NodeError, naming the nearest labels, where there is none."""
        return nodes.labelled(self, label)

    qk_contributors = qk_frame

    paths = paths

    def with_labels(self, labels: GivenLabels) -> Graph:
        """A copy with these labels besides its own: by node id, Feature or Everywhere, or what `label_features` returns.

        Raises NodeError for a node that is not in the graph or is no feature, or a label that is no text of one line.
        """
        return replace(self, labels={**self.labels, **labelled_nodes(self, labels)})

    def strongest_edges(self, count: int | None = None, among: Iterable[int] | None = None) -> Edges:
        """The edges with the highest score `Â[t, s] (I_t + w_t)`, the strongest first.

        The edge leads from s to t; `Â` are the absolute weights with each row scaled to sum 1, `I_t` is the influence of t
        and `w_t` its target weight (0 for features). Of edges with equal scores, those of the first targets come first.

        At most `count`, of those between the nodes `among` (indices in node order), by default all. Each has the share of
        the whole graph's score of this edge and all edges at least as strong. Raises NodeError for another count,
        or an index that no node has.
        """
        return edges_by_score(self, count, among)

    # Functions of this room as methods, with this graph as their first argument.
    prune = prune
    stability = stability

    def scores(self, keep: Iterable[str | Feature] | None = None) -> Scores:
        """Replacement and completeness score: of the whole graph, or of the circuit in which only `keep` are features.

        The signed edges of every other feature then count as error of its layer and position. Tokens, errors and logits
        are always part of the circuit. Raises NodeError for unknown nodes, and CircuitError for a circuit of a pruned
        graph, which no longer has all the edges that the scores depend on.
        """
        return self.recorded_scores if keep is None else scores_of_circuit(self, self.resolve(keep))

    def verify(self, n: int = 50) -> Verification:
        """The `n` strongest edges beside their values when the model that traced this graph measures them again.

        Raises NoModelError when the graph came from a file, without its model: then `model.verify(graph)` does it.
        """
        return required(self.model, "verify").verify(self, n)

    def validate(self, groups: Any = None, **settings: Any) -> Any:
        """How well this graph predicts ablations, of a circuit's boxes or of the most influential features.

        Returns the Validation of `model.validate(graph, groups, ...)`. Raises NoModelError for a graph from a file.
        """
        return required(self.model, "validate").validate(self, groups, **settings)

    def propose_groups(self, n: int | None = None, **settings: Any) -> Proposals:
        """At most `n` groups, by default 12, of features that may belong together, each with its reason and its evidence.

        Features are alike that have the same inputs and the same outputs in this graph, each with its sign. `model`, by
        default the one that traced the graph, adds what is in their examples and what they promote; `ablations=True` what
        ablating each of the 64 most influential ones changes. Neurons are grouped by what ablating each of the 256 most
        influential ones changes, at one token, unless `ablations=False`; the group that changes the first target most comes
        first. `namer` is given the cards of a group's strongest features, at
        most 12, and returns its name. Supernodes of `circuit` keep their features and names. Otherwise as in `trace`.
        Raises CircuitError for a wrong `n` or a graph without features, NoModelError where a model is needed.
        """
        from circuit_widget.proposal.grouping import propose_groups

        return propose_groups(self, n, **settings)

    def propose_circuit(self, n: int | None = None, **settings: Any) -> ProposedCircuit:
        """The first `n` groups of `propose_groups`, by default 8, as a circuit with tokens and targets.

        With a model: how necessary and sufficient it is, and what the best next group adds. Settings and errors are alike.
        """
        from circuit_widget.proposal.proposed_circuit import propose_circuit

        return propose_circuit(self, n, **settings)

    def to_frames(self) -> tuple[pandas.DataFrame, pandas.DataFrame]:
        """Nodes and edges as pandas frames.

        Nodes, in node order: id, kind, layer (-1 for tokens, n_layers for logits), position, feature (missing where there
        is none), token and token_id (of the prompt there, or the logit's own), activation (missing but for features),
        influence, share, label. Edges, one for each nonzero weight: source, target (ids), weight (signed direct effect).
        """
        from circuit_widget.graph.tables import edge_frame, node_frame

        return node_frame(self), edge_frame(self)

    def to_networkx(self) -> networkx.DiGraph[str]:
        """The graph as a networkx.DiGraph: node ids with the columns of `to_frames` as attributes, weighted edges."""
        from circuit_widget.graph.tables import network

        return network(self)

    @classmethod
    def from_networkx(cls, net: networkx.DiGraph[str]) -> Graph:
        """The graph that `to_networkx` made a network of. Raises GraphFileError for another network."""
        from circuit_widget.graph.tables import graph_of_network

        return graph_of_network(net)

    def save(self, path: str | Path) -> Path:
        """Write the graph to a safetensors file, completely or not at all, and return its path. The model is not saved.

        Raises GraphFileError when the file cannot be written, or could not be read back.
        """
        from circuit_widget.graph.file import save_graph

        return save_graph(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Graph:
        """Read a graph that `save` wrote. Nothing in the file is executed.

        Its numbers are checked against those computed from its weights. Raises GraphFileError for any other file.
        """
        from circuit_widget.graph.file import load_graph

        return load_graph(path)

    def export(self, path: str | Path, *, slug: str | None = None, scan: str | None = None) -> Path:
        """Write the graph for other tools, by the end of the path, and return the path that was written.

        .json: what circuit-tracer, Neuronpedia and Anthropic's viewer show, with `slug` (by default as the file) and `scan`
        as names of graph and model. .graphml. .csv and .parquet: two tables, `x.nodes` and `x.edges`, as in `to_frames`.
        Raises GraphFileError for another or wrong path, and for names with other characters than letters, digits, `_.-`.
        """
        from circuit_widget.graph.exporting import export

        return export(self, path, slug, scan)

    def show(self, model: TracingModel | None = None, **settings: Any) -> CircuitWidget:
        """A widget on this graph; `model`, by default the one that traced it, has to fit; see `model.attach`."""
        from circuit_widget.widget.widget import CircuitWidget

        return CircuitWidget(self, model=self.model if model is None else model, **settings)

    def figure(
        self,
        circuit: FigureCircuit = None,
        effect: FigureEffect = None,
        part: Part = "both",
        width: float = 6.75,
        title: str | None = None,
        theme: Theme = "paper",
        font: ChosenFont = None,
    ) -> Figure:
        """A figure of the graph for a paper, `width` inches wide: its map, a circuit, or both; 8 pt text, never below 6.

        With an effect, it has its bars; with the Controls of an effect, also their band behind the bars. Themes are "paper",
        "slides" and "grey"; `font` is a font file, "Inter" or "Noto Sans Mono": see `make_figure`.

        Raises FigureError for an unknown part, theme or width, and a font that cannot be read, NodeError or
        CircuitError for a circuit that does not fit.
        """
        from circuit_widget.figure.figure import make_figure

        return make_figure(self, circuit, effect, part, width, title, theme, font)
