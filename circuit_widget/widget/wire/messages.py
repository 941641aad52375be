"""Every message between the frontend and the kernel, declared once.

`python -m circuit_widget.widget.wire.frontend_types` writes them into js/src/wire.

The frontend asks with a Request. The kernel answers at once with Accepted, then with any number of Progress and
Partial, then with one Reply (and binary buffers) or one Failed. A Notice belongs to no request. A newer request to run
the model takes the place of an older one of the same name that has not started: the older fails with code "superseded".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias

from circuit_widget.characters import half_character
from circuit_widget.errors import MessageError
from circuit_widget.widget.wire.experiment_messages import (
    CompareBody,
    ComparisonMessage,
    ControlsBody,
    EffectMessage,
    ForgetBody,
    InterveneBody,
    Name,
    NodeId,
    Numbers,
    RecallBody,
    RenameBody,
    Text,
)
from circuit_widget.widget.wire.schema import Limit, OneOf, parse, shown
from circuit_widget.widget.wire.study_messages import (
    AlignBody,
    AlignmentMessage,
    GenerateBody,
    GenerationMessage,
    SweepBody,
    SweepMessage,
    ValidateBody,
    ValidationMessage,
)

RequestId: TypeAlias = Annotated[str, Limit(64)]


@dataclass(frozen=True)
class Empty:
    """Nothing."""


@dataclass(frozen=True)
class CardBody:
    """Asks what is known about a feature beyond this prompt."""

    node: NodeId


@dataclass(frozen=True)
class FigureBody:
    """Asks for a picture of what the widget shows; the width is in inches."""

    format: Literal["svg", "pdf", "png"]
    width: Annotated[float, OneOf((3.25, 5.5, 6.75))]
    part: Literal["map", "circuit", "both"]


@dataclass(frozen=True)
class CancelBody:
    """Stops a request that is queued or running."""

    rid: RequestId


@dataclass(frozen=True)
class CardExample:
    """A piece of text and the feature's activation at each of its tokens."""

    tokens: tuple[Text, ...]
    activations: Numbers


@dataclass(frozen=True)
class CardToken:
    """A token that a feature promotes or suppresses, with its direct effect on the token's logit."""

    token: Text
    logit: float


@dataclass(frozen=True)
class Card:
    """What is known about a feature beyond this prompt."""

    node: NodeId
    layer: int
    feature: int
    label: Text | None
    frequency: float | None
    maximum: float | None
    examples: tuple[CardExample, ...]
    promoted: tuple[CardToken, ...]
    suppressed: tuple[CardToken, ...]


@dataclass(frozen=True)
class FileReply:
    """A file's name and media type; its bytes are the reply's one buffer."""

    filename: Name
    mime: str


@dataclass(frozen=True)
class Request:
    """A question of the frontend; `rid` is chosen by it and comes back with every answer."""

    type: Literal["request"]
    rid: RequestId
    name: str
    body: Mapping[str, object]


@dataclass(frozen=True)
class Accepted:
    """The request is well formed and queued."""

    rid: RequestId
    type: Literal["accepted"] = "accepted"


@dataclass(frozen=True)
class Progress:
    """How far a request is, from 0 to 1; at most ten a second."""

    rid: RequestId
    fraction: float
    text: Text
    type: Literal["progress"] = "progress"


@dataclass(frozen=True)
class Partial:
    """The answer to a request as far as it is; at most ten a second, each in the place of the last."""

    rid: RequestId
    body: Mapping[str, object]
    type: Literal["partial"] = "partial"


@dataclass(frozen=True)
class Reply:
    """The answer to a request."""

    rid: RequestId
    body: Mapping[str, object]
    type: Literal["reply"] = "reply"


@dataclass(frozen=True)
class Failed:
    """Why a request has no answer, in a sentence for the user."""

    rid: RequestId
    code: str
    message: Text
    type: Literal["error"] = "error"


@dataclass(frozen=True)
class Notice:
    """Something the user should know that belongs to no request."""

    message: Text
    type: Literal["notice"] = "notice"


@dataclass(frozen=True)
class Capabilities:
    """What the kernel can do for this graph; `why_not` says why interventions are not possible."""

    intervene: bool
    why_not: Text
    figure: bool


@dataclass(frozen=True)
class Settings:
    """How the widget looks; the height of the map is in CSS pixels."""

    theme: Literal["auto", "light", "dark"]
    height: int


Body: TypeAlias = (
    Empty | InterveneBody | RecallBody | CompareBody | RenameBody | ForgetBody | ControlsBody
    | AlignBody | SweepBody | GenerateBody | ValidateBody | CardBody | FigureBody | CancelBody
)  # fmt: skip

REQUESTS: Mapping[str, tuple[type[Body], type]] = MappingProxyType(
    {
        "ping": (Empty, Empty),
        "intervene": (InterveneBody, EffectMessage),
        "recall": (RecallBody, EffectMessage),
        "compare": (CompareBody, ComparisonMessage),
        "rename": (RenameBody, Empty),
        "forget": (ForgetBody, Empty),
        "table": (Empty, FileReply),
        "controls": (ControlsBody, EffectMessage),
        "align": (AlignBody, AlignmentMessage),
        "sweep": (SweepBody, SweepMessage),
        "generate": (GenerateBody, GenerationMessage),
        "validate": (ValidateBody, ValidationMessage),
        "card": (CardBody, Card),
        "figure": (FigureBody, FileReply),
        "cancel": (CancelBody, Empty),
    }
)


def request(content: object) -> tuple[Request, Body]:
    """Return a message of the frontend as a request and its body; anything else is refused with a MessageError."""
    envelope = parse(Request, content, "The message")
    if envelope.name not in REQUESTS:
        raise MessageError(f"There is no request {shown(envelope.name)}; expected one of {', '.join(REQUESTS)}.")
    body, _ = REQUESTS[envelope.name]
    return envelope, parse(body, envelope.body, f"The body of {envelope.name}")


def request_id(content: object) -> str | None:
    """Return the id to answer a message under, also a malformed one, if it has a usable one."""
    rid = content.get("rid") if isinstance(content, dict) else None
    return rid if isinstance(rid, str) and 0 < len(rid) <= 64 and half_character(rid) is None else None
