"""What travels about studies, each of many runs of the model: sweeps, steered texts, validations; and alignments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from circuit_widget.widget.wire.experiment_messages import (
    Code,
    Interventions,
    Mode,
    Name,
    NodeId,
    NodeIds,
    Numbers,
    Pair,
    Text,
)
from circuit_widget.widget.wire.schema import Limit

Texts: TypeAlias = Annotated[tuple[Text, ...], Limit(20_000)]
Axis: TypeAlias = Literal["factor", "last_layer", "groups", "pairs"]


@dataclass(frozen=True)
class AlignBody:
    """Asks which position of this prompt stands for which of another."""

    prompt: Text


@dataclass(frozen=True)
class AlignmentMessage:
    """The tokens of this prompt and of another, and pairs of positions that stand for each other."""

    tokens: Texts
    others: Texts
    pairs: Annotated[tuple[Pair, ...], Limit(20_000)]


@dataclass(frozen=True)
class SweepBody:
    """Asks for the same over a range: factors of a strength, last frozen layers, each box of the circuit, pairs of them."""

    axis: Axis
    interventions: Interventions
    mode: Mode
    name: Name


@dataclass(frozen=True)
class SweepToken:
    """A token along a sweep: before it, and after each experiment, measured and predicted."""

    token: Text
    token_id: int
    before: float
    probability: Numbers
    predicted_probability: Numbers
    logit_before: float
    logit: Numbers
    predicted_logit: Numbers


@dataclass(frozen=True)
class SweepBox:
    """A box along a sweep: summed activation as a share of before."""

    id: NodeId
    name: Name
    measured: Numbers
    predicted: Numbers


@dataclass(frozen=True)
class SweepMessage:
    """A sweep as far as it is: `labels` (and `values`, where numbers were varied) of the experiments done of `total`.

    `nodes` are those whose strength is varied, where that is what varies.
    """

    kind: Literal["sweep"]
    axis: Axis
    name: Name
    mode: Mode
    frozen: str
    total: int
    nodes: NodeIds
    values: Numbers
    labels: Texts
    tokens: tuple[SweepToken, ...]
    boxes: tuple[SweepBox, ...]
    code: Code


@dataclass(frozen=True)
class GenerateBody:
    """Asks what the model goes on to say, as it is and under interventions."""

    interventions: Interventions
    new_tokens: bool
    max_new_tokens: int
    temperature: float
    seed: int | None
    name: Name


@dataclass(frozen=True)
class SaidToken:
    """A sampled token; `differs` marks what the other text does not say."""

    token: Text
    probability: float
    differs: bool


@dataclass(frozen=True)
class GenerationMessage:
    """The text the model says as it is, and under interventions, as far as it is."""

    kind: Literal["generation"]
    name: Name
    new_tokens: bool
    temperature: float
    seed: int | None
    ended: bool
    gap: str
    unsteered: Annotated[tuple[SaidToken, ...], Limit(20_000)]
    steered: Annotated[tuple[SaidToken, ...], Limit(20_000)]
    code: Code


@dataclass(frozen=True)
class ValidateBody:
    """Asks whether the graph predicts what ablating each box does to the others."""

    mode: Mode


@dataclass(frozen=True)
class ValidationPair:
    """What ablating `source` does to `target`: change predicted and measured; `direct` where no other feature is between."""

    source: Text
    target: Text
    of: Literal["feature", "logit"]
    predicted: float
    measured: float
    direct: bool


@dataclass(frozen=True)
class ValidationAgreement:
    """How well prediction and measurement of some pairs agree; None where there are too few."""

    of: Literal["feature", "logit"]
    part: Literal["all", "direct", "knock_on", "beyond_direct"]
    pairs: int
    spearman: float | None
    sign_share: float | None


@dataclass(frozen=True)
class ValidationMessage:
    """Ablations predicted and measured; what is left of the target's probability without the circuit, and with it alone."""

    kind: Literal["validation"]
    mode: Mode
    frozen: str
    groups: int
    pairs: Annotated[tuple[ValidationPair, ...], Limit(20_000)]
    agreement: tuple[ValidationAgreement, ...]
    token: Text
    necessity: float | None
    sufficiency: float | None
    code: Code


StudyMessage: TypeAlias = SweepMessage | GenerationMessage | ValidationMessage
