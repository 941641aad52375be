"""The nodes of an attribution graph, and their ids."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from circuit_widget.arguments import entries_of, one_line, quoted, whole_number
from circuit_widget.errors import CircuitWidgetError, NodeError


class NodeKind(StrEnum):
    """The four kinds of node, in the order a graph lists them."""

    FEATURE = "feature"
    ERROR = "error"
    TOKEN = "token"
    LOGIT = "logit"


FEATURE_NUMBERS = {
    "layer": "The layer of a feature",
    "position": "The position of a feature",
    "feature": "The number of a feature in its layer",
}
"""What errors call the three numbers of a feature."""


@dataclass(frozen=True, order=True)
class Feature:
    """One transcoder feature at one position of a prompt, active or not; all three numbers count from 0.

    Raises NodeError for anything else.
    """

    layer: int
    position: int
    feature: int

    def __post_init__(self) -> None:
        for name in FEATURE_NUMBERS:
            number = getattr(self, name)
            # Features are made by the thousand, nearly always of Python's own numbers.
            if type(number) is not int or number < 0:
                object.__setattr__(self, name, whole_number(number, FEATURE_NUMBERS[name], NodeError))

    @property
    def id(self) -> str:
        """The node id of this feature."""
        return feature_id(self.layer, self.feature, self.position)


@dataclass(frozen=True, order=True)
class Everywhere:
    """One transcoder feature at every position of a prompt, for interventions; both numbers count from 0.

    Raises NodeError for anything else.
    """

    layer: int
    feature: int

    def __post_init__(self) -> None:
        there = Feature(self.layer, 0, self.feature)
        object.__setattr__(self, "layer", there.layer)
        object.__setattr__(self, "feature", there.feature)

    def at(self, position: int) -> Feature:
        """Return the feature at one position."""
        return Feature(self.layer, position, self.feature)


@dataclass(frozen=True, order=True)
class ErrorNode:
    """The part of one layer's MLP output at one position that the transcoders do not reconstruct; numbers count from 0."""

    layer: int
    position: int

    @property
    def id(self) -> str:
        """The node id of this error."""
        return error_id(self.layer, self.position)


@dataclass(frozen=True, order=True)
class TokenNode:
    """The embedding of the token at one position."""

    token_id: int
    position: int

    @property
    def id(self) -> str:
        """The node id of this token."""
        return token_id(self.token_id, self.position)


UNKNOWN_TOKEN = -1
"""Id of a prompt's token in a graph from a file of another tool that does not give it."""


def token_name(vocabulary_id: int) -> str:
    """Return what stands for the text of a token that a file does not give."""
    return f"[token {vocabulary_id}]"


@dataclass(frozen=True)
class PromptToken:
    """A token of the prompt, with its displayed text."""

    text: str
    token_id: int


@dataclass(frozen=True)
class Target:
    """A logit that the graph explains: its value in the model, and its probability over the whole vocabulary.

    A contrast or a direction has a `token_id` at or above the size of the vocabulary, as in circuit-tracer, and is no token.
    """

    token: str
    token_id: int
    probability: float
    logit: float


@dataclass(frozen=True)
class Scores:
    """How much of the effect on the targets is explained; both are in [0, 1], and 1 without errors."""

    replacement: float
    completeness: float


def feature_id(layer: int, feature: int, position: int) -> str:
    """Id of a feature node."""
    return f"{layer}_{feature}_{position}"


def error_id(layer: int, position: int) -> str:
    """Id of an error node."""
    return f"{layer}_-1_{position}"


def token_id(vocabulary_id: int, position: int) -> str:
    """Id of a token node."""
    return f"E_{vocabulary_id}_{position}"


def logit_id(n_layers: int, vocabulary_id: int, position: int) -> str:
    """Id of a logit node; `position` is the traced position."""
    return f"{n_layers + 1}_{vocabulary_id}_{position}"


_ERROR_ID = re.compile("([0-9]{1,9})_-1_([0-9]{1,9})")
_TOKEN_ID = re.compile("E_([0-9]{1,9})_([0-9]{1,9})")


def read_constant(node: str) -> ErrorNode | TokenNode | None:
    """Return the error or token with this node id, or None for any other id."""
    error, token = _ERROR_ID.fullmatch(node), _TOKEN_ID.fullmatch(node)
    if error is not None:
        return ErrorNode(int(error[1]), int(error[2]))
    return None if token is None else TokenNode(int(token[1]), int(token[2]))


def several_nodes(nodes: object, error: type[CircuitWidgetError]) -> tuple[Any, ...]:
    """Return one or several nodes as a tuple; the nodes themselves are not checked.

    Raises:
        CircuitWidgetError: `error`, for anything but a node or a list.
    """
    if isinstance(nodes, str | Feature | Everywhere):
        return (nodes,)
    return tuple(entries_of(nodes, "Nodes are node ids or Features", error))


def no_such_node(wanted: object, node_ids: Sequence[str]) -> str:
    """The error message for a node that a graph does not have."""
    if not isinstance(wanted, str):
        return f"A node is given by its id or as a Feature(layer, position, feature); given {quoted(wanted)}."
    text = one_line(wanted, 41)
    nearest = difflib.get_close_matches(wanted[:40], node_ids, n=3, cutoff=0.5)
    if nearest:
        return f"The graph has no node “{text}”; the nearest ids are {', '.join(nearest)}."
    return f"The graph has no node “{text}”; ids look like {node_ids[0]}, and graph.node_ids lists them all."
