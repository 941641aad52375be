"""The header of a snapshot: everything about a graph that is not a column of numbers."""

from __future__ import annotations

from typing import Literal, TypeAlias

from circuit_widget.widget.wire.schema import message

VERSION = 1

DType: TypeAlias = Literal["uint8", "int16", "int32", "uint32", "float32"]


@message
class SnapshotToken:
    """A token of the prompt."""

    text: str
    token_id: int


@message
class SnapshotTarget:
    """An explained token; `node` is the index of its logit."""

    node: int
    token: str
    token_id: int
    probability: float
    logit: float


@message
class SnapshotModel:
    """What the graph was traced with, by name; empty where it is not known."""

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
class SnapshotArray:
    """Where a column is: its number of items, and the offset in bytes from the beginning of the array section."""

    dtype: DType
    length: int
    offset: int


@message
class SnapshotHeader:
    """The header: labels are by node index; the prompt is its text as it was typed, or empty where that is not known."""

    version: int
    n_layers: int
    position: int
    prompt: str
    tokens: tuple[SnapshotToken, ...]
    targets: tuple[SnapshotTarget, ...]
    model: SnapshotModel
    scores: SnapshotScores
    total_nodes: int
    ids: tuple[str, ...]
    labels: dict[str, str]
    arrays: dict[str, SnapshotArray]
