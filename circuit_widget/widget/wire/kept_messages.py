"""The file that keeps a widget's work, as messages: its circuit and its experiments with their numbers.

Of an effect's logits, those of its likely tokens are kept, with what follows from all of them.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from circuit_widget.widget.wire.experiment_messages import (
    AnswerInputMessage,
    ControlsMessage,
    EffectToken,
    InjectedFeature,
    Interventions,
    Mode,
    NodeId,
    NodeIds,
    Numbers,
    Text,
)
from circuit_widget.widget.wire.schema import Listed, Many, message

MOST_NODES = 2_000_000
MOST_TOKENS = 2**22
"""Size of the largest vocabulary."""

NodeNumbers: TypeAlias = Annotated[tuple[float, ...], Field(max_length=MOST_NODES, strict=False, fail_fast=True)]


@message
class KeptGraph:
    """The graph that the work belongs to: its identity, and what names it to a reader."""

    identity: str
    prompt: Text
    model: Text
    transcoders: Text


@message
class KeptLogits:
    """Logits of likely tokens before, after, and as the graph predicts them, and their ranks, one entry each."""

    token_ids: Many[int]
    before: Numbers
    after: Numbers
    predicted: Numbers
    rank_before: Many[int]
    rank_after: Many[int]


@message
class KeptNodes:
    """Activations of the graph's features in its order, then of the features `others`, which are not in the graph."""

    others: Annotated[tuple[NodeId, ...], Field(max_length=MOST_NODES, strict=False, fail_fast=True)]
    before: NodeNumbers
    after: NodeNumbers
    predicted: NodeNumbers


@message
class KeptReading:
    """What a target that is a contrast or a direction reads before, after, and as predicted."""

    token_id: int
    kind: Literal["contrast", "direction"]
    before: float
    after: float
    predicted: float


@message
class KeptInjectedEdges:
    """The direct effects of the injected features together on the graph's features and targets, and on likely tokens."""

    weights: NodeNumbers
    answers: Listed[AnswerInputMessage]


@message
class KeptControls:
    """Controls as they were displayed, and the nodes of the boxes then."""

    displayed: ControlsMessage
    box_nodes: Listed[NodeIds]


@message
class KeptExperiment:
    """One experiment; `log_totals` are the logarithms of the summed exponentials of all logits."""

    id: int
    name: str
    interventions: Interventions
    mode: Mode
    frozen: str
    seconds: float
    device: str
    dtype: str
    vocabulary: Annotated[int, Field(ge=1, le=MOST_TOKENS)]
    kl: float
    log_totals: Annotated[tuple[float, float, float], Field(strict=False)]
    tokens: Listed[EffectToken]
    logits: KeptLogits
    nodes: KeptNodes
    injected: Many[InjectedFeature]
    readings: Listed[KeptReading]
    controls: KeptControls | None
    injected_edges: KeptInjectedEdges | None = None


@message
class KeptWork:
    """The circuit and the experiments on one graph; `made` is the number of experiments ever made."""

    format: Literal["circuit-widget work"]
    version: int
    graph: KeptGraph
    circuit: dict[str, object]
    made: int
    displayed: int | None
    experiments: Many[KeptExperiment]
