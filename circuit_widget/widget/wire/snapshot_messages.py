"""The snapshot of a graph as a message: texts, numbers, and columns that travel as binary buffers."""

from __future__ import annotations

from typing import Literal, TypeAlias

from circuit_widget.widget.wire.schema import message

VERSION = 3

DType: TypeAlias = Literal["uint8", "uint16", "int16", "int32", "uint32", "float32"]


@message
class SnapshotToken:
    """A token of the prompt."""

    text: str
    token_id: int


@message
class SnapshotTarget:
    """A target token; `node` is the index of its logit, whose value is None where the graph does not have it."""

    node: int
    token: str
    token_id: int
    probability: float
    logit: float | None


@message
class SnapshotModel:
    """The names of what the graph was traced with; empty where they are not known."""

    name: str
    transcoders: str
    device: str
    dtype: str


@message
class SnapshotScores:
    """The scores of the whole graph."""

    replacement: float
    completeness: float


@message
class SnapshotThresholds:
    """The thresholds of a circuit that has none of its own."""

    node: float
    edge: float


@message
class SnapshotColumn:
    """One number for each node, or for each edge: little-endian, of this type."""

    dtype: DType
    data: bytes


@message
class SnapshotMessage:
    """A graph: labels are by node index, edges in the order of their targets, each of which has `inputs` of them.

    The prompt is its text as it was typed, or empty where that is not known.
    `prunings` is their number, in which nodes and edges stay or not; 0 where their stability is not known.
    `error_influence` is the share of the summed influence that errors have.

    `basis` is what the features are: of transcoders, or neurons of the model. `layer_names` is empty where the layers are
    those of the model, and else has one for each. `number` tells the graphs that one widget displays apart.
    `max_features` is how many features the graph was traced with at most, None for no limit.
    """

    version: int
    basis: Literal["features", "neurons"]
    n_layers: int
    layer_names: tuple[str, ...]
    position: int
    prompt: str
    tokens: tuple[SnapshotToken, ...]
    targets: tuple[SnapshotTarget, ...]
    model: SnapshotModel
    scores: SnapshotScores
    thresholds: SnapshotThresholds
    error_influence: float
    prunings: int
    total_nodes: int
    total_edges: int
    ids: tuple[str, ...]
    labels: dict[str, str]
    columns: dict[str, SnapshotColumn]
    number: int = 1
    max_features: int | None = None


@message
class OtherGraphMessage:
    """Another graph beside the displayed one, and which nodes are the same: ids here and there, in the same order.

    Counts are of features. `overlap` is that of their influence, from 0 to 1. `notes` are what is to be kept in mind.
    """

    snapshot: SnapshotMessage
    here: tuple[str, ...]
    there: tuple[str, ...]
    both: int
    only_here: int
    only_there: int
    overlap: float
    notes: tuple[str, ...]
