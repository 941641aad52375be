"""Messages about studies, each of many runs of the model: sweeps, steered texts, validations; and about alignments."""

from __future__ import annotations

from typing import Literal, TypeAlias

from circuit_widget.widget.wire.experiment_messages import (
    Code,
    Interventions,
    Mode,
    NodeId,
    NodeIds,
    Numbers,
    Text,
)
from circuit_widget.widget.wire.schema import Listed, Many, Pair, message

Texts: TypeAlias = Many[Text]
Axis: TypeAlias = Literal["factor", "last_layer", "groups", "pairs"]


@message
class AlignBody:
    """Request for the alignment of this prompt with another: which position corresponds to which."""

    prompt: Text


@message
class AlignmentMessage:
    """The tokens of this prompt and of another, and pairs of positions that correspond to each other."""

    tokens: Texts
    others: Texts
    pairs: Many[Pair]


@message
class SweepBody:
    """Request for a sweep: over strengths, last frozen layers, boxes, or pairs of boxes; without a name the kernel names it."""

    axis: Axis
    interventions: Interventions
    mode: Mode
    name: str | None = None


@message
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


@message
class SweepBox:
    """A box along a sweep: summed activation as a share of before."""

    id: NodeId
    name: str
    measured: Numbers
    predicted: Numbers


@message
class SweepMessage:
    """A sweep as far as it is: `labels` (and `values`, where numbers were varied) of the experiments done of `total`.

    `nodes` are those whose strength is varied, where that is what varies.
    """

    kind: Literal["sweep"]
    axis: Axis
    name: str
    mode: Mode
    frozen: str
    total: int
    nodes: NodeIds
    values: Numbers
    labels: Texts
    tokens: Listed[SweepToken]
    boxes: Listed[SweepBox]
    code: Code


@message
class GenerateBody:
    """Request for generated text: of the model as it is, and under interventions. Without a name the kernel names it."""

    interventions: Interventions
    new_tokens: bool
    max_new_tokens: int
    temperature: float
    seed: int | None
    name: str | None = None


@message
class GeneratedToken:
    """A sampled token; `differs` marks those that the other text does not have."""

    token: Text
    probability: float
    differs: bool


@message
class GenerationMessage:
    """The text that the model generates as it is, and under interventions, as far as it is."""

    kind: Literal["generation"]
    name: str
    new_tokens: bool
    temperature: float
    seed: int | None
    ended: bool
    gap: str
    unsteered: Many[GeneratedToken]
    steered: Many[GeneratedToken]
    code: Code


@message
class ValidateBody:
    """Request for a validation: whether the graph predicts what ablating each box does to the others."""

    mode: Mode


@message
class ValidationPair:
    """What ablating `source` does to `target`: change predicted and measured; `direct` where no other feature is between."""

    source: Text
    target: Text
    of: Literal["feature", "logit"]
    predicted: float
    measured: float
    direct: bool


@message
class ValidationAgreement:
    """How well prediction and measurement of some pairs agree; None where there are too few."""

    of: Literal["feature", "logit"]
    part: Literal["all", "direct", "knock_on", "beyond_direct"]
    pairs: int
    spearman: float | None
    sign_share: float | None


@message
class ValidationMessage:
    """Ablations predicted and measured; `sentence` is what they mean, and what the circuit keeps of the target."""

    kind: Literal["validation"]
    mode: Mode
    frozen: str
    groups: int
    pairs: Many[ValidationPair]
    agreement: Listed[ValidationAgreement]
    sentence: Text
    code: Code


StudyMessage: TypeAlias = SweepMessage | GenerationMessage | ValidationMessage
