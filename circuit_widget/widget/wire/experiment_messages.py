"""What travels about experiments: interventions, effects, and the list of those made so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from circuit_widget.widget.wire.schema import Limit

Mode: TypeAlias = Annotated[str, Limit(24)]
NodeId: TypeAlias = Annotated[str, Limit(64)]
NodeIds: TypeAlias = Annotated[tuple[NodeId, ...], Limit(20_000)]
Numbers: TypeAlias = Annotated[tuple[float, ...], Limit(20_000)]
Name: TypeAlias = Annotated[str, Limit(200)]
Text: TypeAlias = Annotated[str, Limit(4_000)]
Code: TypeAlias = Annotated[str, Limit(2_000_000)]
Pair: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class AblateJson:
    """Sets features to zero, takes errors and tokens away."""

    kind: Literal["ablate"]
    nodes: NodeIds


@dataclass(frozen=True)
class ScaleJson:
    """Multiplies features, errors or tokens by a factor."""

    kind: Literal["scale"]
    nodes: NodeIds
    factor: float


@dataclass(frozen=True)
class SetJson:
    """Sets features to a value, or to one value each."""

    kind: Literal["set"]
    nodes: NodeIds
    value: float | Numbers


@dataclass(frozen=True)
class AddJson:
    """Adds a value to features, or one value each."""

    kind: Literal["add"]
    nodes: NodeIds
    value: float | Numbers


@dataclass(frozen=True)
class TurnJson:
    """One turn of a conversation."""

    role: str
    content: Text


OtherPrompt: TypeAlias = Text | Annotated[tuple[int, ...], Limit(20_000)] | tuple[TurnJson, ...]
"""Another prompt, as a text, as token ids, or as a conversation."""


@dataclass(frozen=True)
class SwapInJson:
    """Gives nodes what they are in another prompt; `alignment` pairs positions of this prompt with positions of that."""

    kind: Literal["swap_in"]
    nodes: NodeIds
    prompt: OtherPrompt
    features: NodeIds | None = None
    alignment: Annotated[tuple[Pair, ...], Limit(20_000)] | None = None


InterventionJson: TypeAlias = AblateJson | ScaleJson | SetJson | AddJson | SwapInJson
Interventions: TypeAlias = Annotated[tuple[InterventionJson, ...], Limit(100)]


@dataclass(frozen=True)
class InterveneBody:
    """Asks what the model does when nodes are changed."""

    interventions: Interventions
    mode: Mode
    name: Name


@dataclass(frozen=True)
class RecallBody:
    """Puts an experiment made before back on show, in every view."""

    id: int


@dataclass(frozen=True)
class CompareBody:
    """Asks for the experiment `id` beside another, the one on show."""

    id: int
    beside: int


@dataclass(frozen=True)
class RenameBody:
    """Gives an experiment another name."""

    id: int
    name: Name


@dataclass(frozen=True)
class ForgetBody:
    """Deletes an experiment."""

    id: int


@dataclass(frozen=True)
class ControlsBody:
    """Asks for an experiment beside the same on random features like those it touched."""

    id: int
    n: int


@dataclass(frozen=True)
class EffectToken:
    """A token's probability and logit at the traced position: before, after, as the graph predicted it; and its rank."""

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


@dataclass(frozen=True)
class EffectTarget:
    """The logit that the graph predicted for one of its targets."""

    token_id: int
    predicted_logit: float


@dataclass(frozen=True)
class EffectNodes:
    """Activations of features before and after, and as the graph predicted them, one entry each."""

    ids: NodeIds
    before: Numbers
    after: Numbers
    predicted: Numbers


@dataclass(frozen=True)
class InjectedFeature:
    """A feature given a value that is not a node of the graph."""

    id: NodeId
    layer: int
    position: int
    feature: int
    value: float
    label: Text | None


@dataclass(frozen=True)
class ControlToken:
    """A token's probability after the controls: quantiles 0.05, 0.5, 0.95, and how often chance does as much."""

    token_id: int
    low: float
    median: float
    high: float
    p_value: float


@dataclass(frozen=True)
class ControlBox:
    """A box's activation after the controls as a share of before, quantiles 0.05 and 0.95; `size` is its number of nodes then."""

    id: NodeId
    size: int
    low: float
    high: float


@dataclass(frozen=True)
class ControlsMessage:
    """What the same intervention did on `n` sets of random features; `similarity` says how alike they are."""

    n: int
    seed: int
    similarity: Text
    tokens: tuple[ControlToken, ...]
    boxes: tuple[ControlBox, ...]


@dataclass(frozen=True)
class EffectMessage:
    """What an intervention did, beside what the graph predicted; `code` are Python lines that do the same again."""

    id: int
    name: Name
    interventions: Interventions
    mode: Mode
    frozen: str
    seconds: float
    device: str
    dtype: str
    kl: float
    tokens: tuple[EffectToken, ...]
    targets: tuple[EffectTarget, ...]
    nodes: EffectNodes
    injected: Annotated[tuple[InjectedFeature, ...], Limit(20_000)]
    code: Code
    controls: ControlsMessage | None = None


@dataclass(frozen=True)
class ComparedToken:
    """A token's probability before, after the experiment on show, and after the one it is compared with."""

    token: Text
    token_id: int
    before: float
    after: float
    compared: float


@dataclass(frozen=True)
class ComparisonMessage:
    """An experiment beside the one on show: its activations, and every token that is likely in either."""

    id: int
    beside: int
    name: Name
    nodes: EffectNodes
    tokens: tuple[ComparedToken, ...]


@dataclass(frozen=True)
class ExperimentEntry:
    """One line of the history: the likeliest token before and its probability after, and the likeliest after."""

    id: int
    name: Name
    mode: Mode
    token: Text
    before: float
    after: float
    likeliest: Text
    likeliest_probability: float
