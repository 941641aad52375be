"""Messages about experiments: interventions, effects, and the list of the experiments made so far."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from circuit_widget.widget.wire.schema import Listed, Many, Pair, message

Mode: TypeAlias = Annotated[str, Field(max_length=24)]
NodeId: TypeAlias = Annotated[str, Field(max_length=64)]
NodeIds: TypeAlias = Many[NodeId]
Numbers: TypeAlias = Many[float]
Text: TypeAlias = Annotated[str, Field(max_length=4_000)]
Code: TypeAlias = Annotated[str, Field(max_length=2_000_000)]


@message
class AblateJson:
    """Set features to zero, remove errors and tokens."""

    kind: Literal["ablate"]
    nodes: NodeIds


@message
class ScaleJson:
    """Multiply features, errors or tokens by a factor."""

    kind: Literal["scale"]
    nodes: NodeIds
    factor: float


@message
class SetJson:
    """Clamp features to a value, or to one value each."""

    kind: Literal["set"]
    nodes: NodeIds
    value: float | Numbers


@message
class AddJson:
    """Add a value to features, or one value each."""

    kind: Literal["add"]
    nodes: NodeIds
    value: float | Numbers


@message
class TurnJson:
    """One turn of a conversation."""

    role: str
    content: Text


OtherPrompt: TypeAlias = Text | Many[int] | Listed[TurnJson]
"""Another prompt, as a text, as token ids, or as a conversation."""


@message
class SwapInJson:
    """Give nodes their values in another prompt; `alignment` pairs positions of this prompt with positions of the other."""

    kind: Literal["swap_in"]
    nodes: NodeIds
    prompt: OtherPrompt
    features: NodeIds | None = None
    alignment: Many[Pair] | None = None


InterventionJson: TypeAlias = Annotated[
    AblateJson | ScaleJson | SetJson | AddJson | SwapInJson, Field(discriminator="kind")
]
Interventions: TypeAlias = Annotated[tuple[InterventionJson, ...], Field(max_length=100, strict=False, fail_fast=True)]


@message
class InterveneBody:
    """Request for the effect of interventions; without a name the kernel names the experiment."""

    interventions: Interventions
    mode: Mode
    name: str | None = None


@message
class RecallBody:
    """Request to display an earlier experiment again, in every view."""

    id: int


@message
class RepeatBody:
    """Request to run an earlier experiment again, as a new one."""

    id: int


@message
class CompareBody:
    """Request for the experiment `id` beside another, the displayed one."""

    id: int
    beside: int


@message
class RenameBody:
    """Request to give an experiment another name."""

    id: int
    name: str


@message
class ForgetBody:
    """Request to delete an experiment."""

    id: int


@message
class ControlsBody:
    """Request for controls: the same intervention on random features that resemble those it changed."""

    id: int
    n: int


@message
class EffectToken:
    """A token's probability and logit at the traced position: before, after, and as the graph predicts them; and its rank."""

    token: Text
    token_id: int
    before: float
    after: float
    predicted: float
    logit_before: float
    logit_after: float
    logit_predicted: float
    rank_before: int
    rank_after: int


@message
class EffectTarget:
    """The logit that the graph predicts for one of its targets."""

    token_id: int
    predicted_logit: float


@message
class EffectNodes:
    """Activations of features before, after, and as the graph predicts them, one entry each."""

    ids: NodeIds
    before: Numbers
    after: Numbers
    predicted: Numbers


@message
class InjectedFeature:
    """A feature that is clamped to a value and is not a node of the graph."""

    id: NodeId
    layer: int
    position: int
    feature: int
    value: float
    label: Text | None


@message
class AnswerInputMessage:
    """The direct effect of the injected features on the logit of a token that is no target, and that logit's whole input."""

    token_id: int
    weight: float
    total: float


@message
class InjectedEdgesMessage:
    """The direct effects of the injected features together on nodes of the graph, one entry each, and on likely tokens."""

    ids: NodeIds
    weights: Numbers
    answers: Listed[AnswerInputMessage]


@message
class ControlToken:
    """A token's probability after the controls: quantiles 0.05, 0.5, 0.95, and the share of controls that change it as much."""

    token_id: int
    low: float
    median: float
    high: float
    p_value: float


@message
class ControlBox:
    """A box's activation after the controls as a share of before, quantiles 0.05 and 0.95; `size` is its number of nodes then."""

    id: NodeId
    size: int
    low: float
    high: float


@message
class ControlsMessage:
    """The effect of the same intervention on `n` sets of random features; `similarity` describes how alike they are."""

    n: int
    seed: int
    similarity: Text
    tokens: Listed[ControlToken]
    boxes: Listed[ControlBox]


@message
class EffectMessage:
    """The effect of an intervention, beside what the graph predicts; `code` is Python that repeats it."""

    id: int
    name: str
    interventions: Interventions
    mode: Mode
    frozen: str
    seconds: float
    device: str
    dtype: str
    kl: float
    tokens: Listed[EffectToken]
    targets: Listed[EffectTarget]
    nodes: EffectNodes
    injected: Many[InjectedFeature]
    code: Code
    controls: ControlsMessage | None = None
    injected_edges: InjectedEdgesMessage | None = None


@message
class ComparedToken:
    """A token's probability before, after the displayed experiment, and after the one it is compared with."""

    token: Text
    token_id: int
    before: float
    after: float
    compared: float


@message
class ComparisonMessage:
    """An experiment beside the displayed one: its activations, and every token that is likely in either."""

    id: int
    beside: int
    name: str
    nodes: EffectNodes
    tokens: Listed[ComparedToken]


@message
class ExperimentEntry:
    """One line of the history: the likeliest token before and its probability after, and the likeliest after."""

    id: int
    name: str
    mode: Mode
    token: Text
    before: float
    after: float
    likeliest: Text
    likeliest_probability: float
