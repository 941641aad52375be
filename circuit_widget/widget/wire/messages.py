"""The messages between kernel and page that belong to no one experiment or study, and how a request is answered.

The page sends a Request. The kernel answers at once with Accepted, then with any number of Progress and Partial, then
with one Reply (and binary buffers) or one Failed. A Notice belongs to no request. What each request has as its body
and its reply is declared in `circuit_widget/widget/jobs/registry.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from circuit_widget.characters import half_character
from circuit_widget.widget.wire.experiment_messages import Code, NodeId, Numbers, Text
from circuit_widget.widget.wire.schema import Listed, Many, OneOf, message

LONGEST_ID = 64

RequestId: TypeAlias = Annotated[str, Field(max_length=LONGEST_ID)]


@message
class Empty:
    """Nothing."""


@message
class CardBody:
    """Request for what is known of a feature beyond this prompt."""

    node: NodeId


@message
class PathsBody:
    """Request for the `k` strongest paths between nodes; no sources, or no targets, for two edges into or out of them."""

    sources: Many[NodeId]
    targets: Many[NodeId]
    k: int


@message
class PathMessage:
    """Nodes from source to target, the signed share of input that each edge between them is, and that of all such paths."""

    nodes: Listed[NodeId]
    edges: Numbers
    share: float


@message
class PathsReply:
    """The strongest paths, strongest first."""

    paths: Listed[PathMessage]


@message
class CheckNodesBody:
    """Request whether the graph has nodes, which a circuit that was opened names and the page does not have."""

    nodes: Many[NodeId]


@message
class CodeBody:
    """Request for Python lines: of the circuit on its graph, or of the trace, the circuit and all experiments."""

    what: Literal["circuit", "everything"]


@message
class CodeReply:
    """Python lines."""

    code: Code


@message
class FigureBody:
    """Request for a figure of what the widget displays; the width is in inches."""

    format: Literal["svg", "pdf", "png"]
    width: Annotated[float, OneOf((3.25, 5.5, 6.75))]
    part: Literal["map", "circuit", "both"]


@message
class RetraceBody:
    """Request for another trace; None stands for what stays, and `TraceChanges` says what else is kept.

    `token` is the id of a target, with `other` of their contrast. `token_position` is that of a token of the prompt which is
    the target.
    """

    prompt: Text | None = None
    token: int | None = None
    other: int | None = None
    token_position: int | None = None
    max_features: int | None = None


@message
class DisplayGraphBody:
    """Request to display the graph before or after the displayed one."""

    to: Literal["earlier", "later"]


@message
class CancelBody:
    """Request to stop another request, which is queued or running."""

    rid: RequestId


@message
class CardExample:
    """A piece of text and the feature's activation at each of its tokens."""

    tokens: Listed[Text]
    activations: Numbers


@message
class CardLevel:
    """Examples of a range of activations, and the share of all activations that is in it; or a group with a name."""

    least: float
    most: float
    share: float | None
    examples: Listed[CardExample]
    name: Text | None


@message
class CardHistogram:
    """How many tokens have which activation: bin `i` begins at `least + i * width`."""

    least: float
    width: float
    counts: Listed[int]


@message
class CardToken:
    """A token that a feature promotes or suppresses, with its direct effect on the token's logit."""

    token: Text
    logit: float


@message
class CardContributor:
    """A query, a key or a pair of both: ids and labels, empty for none; ids of the file for what is no node."""

    query: Text
    key: Text
    query_label: Text
    key_label: Text
    attribution: float


@message
class CardContributors:
    """What contributes to the attention scores of a feature, strongest first; `total` is how many its file lists."""

    side: Literal["pair", "query", "key"]
    total: int
    rows: Listed[CardContributor]


@message
class Card:
    """What is known of a feature beyond this prompt; `negative` is whether its tokens are those of a negative activation."""

    node: NodeId
    layer: int
    feature: int
    label: Text | None
    frequency: float | None
    maximum: float | None
    examples: Listed[CardExample]
    promoted: Listed[CardToken]
    suppressed: Listed[CardToken]
    negative: bool
    minimum: float | None
    mean: float | None
    lowest: Listed[CardExample]
    levels: Listed[CardLevel]
    histogram: CardHistogram | None
    origin: Text | None
    label_origin: Text | None
    label_is_automatic: bool
    contributors: Listed[CardContributors]


@message
class FileReply:
    """A file's name and media type; its bytes are the reply's one buffer."""

    filename: str
    mime: str


@message
class Request:
    """A request of the page, which chooses `rid`; every message about it has the same one.

    `graph` is the number of the graph that the page displays; one for a graph that is no longer displayed is refused.
    """

    type: Literal["request"]
    rid: RequestId
    name: str
    body: dict[str, object]
    graph: int | None = None


@message
class Accepted:
    """The request is well formed and queued; `label` is its name, where the kernel names it."""

    rid: RequestId
    label: Text | None = None
    type: Literal["accepted"] = "accepted"


@message
class Progress:
    """How far a request is, from 0 to 1; at most ten a second. `label` names it for views that did not request it."""

    rid: RequestId
    fraction: float
    text: Text
    label: Text | None = None
    type: Literal["progress"] = "progress"


@message
class Partial:
    """The reply to a request as far as it is; at most ten a second, each replaces the last."""

    rid: RequestId
    body: dict[str, object]
    type: Literal["partial"] = "partial"


@message
class Reply:
    """The reply to a request."""

    rid: RequestId
    body: dict[str, object]
    type: Literal["reply"] = "reply"


@message
class Failed:
    """Why a request has no reply, in a sentence for the user."""

    rid: RequestId
    code: str
    message: Text
    type: Literal["error"] = "error"


@message
class Notice:
    """A sentence for the user that belongs to no request."""

    message: Text
    type: Literal["notice"] = "notice"


@message
class Capabilities:
    """What the kernel can do for this graph; `why_not` is the reason why interventions are not possible.

    `recorded` is true in an HTML file for readers, which has recorded experiments and no kernel.
    """

    intervene: bool
    why_not: Text
    figure: bool
    recorded: bool = False


@message
class GraphSteps:
    """What undo takes back where it displays the earlier graph, and what redo brings back, in words; None for nothing."""

    earlier: Text | None
    later: Text | None


@message
class Kept:
    """Where the circuit and the history are kept: a file's name, and a sentence; one click does `step`."""

    file: Text | None
    sentence: Text
    step: Literal["start_afresh", "bring_back"] | None


@message
class Settings:
    """How the widget looks; the height of the map is in CSS pixels."""

    theme: Literal["auto", "light", "dark"]
    height: int


def request_id(content: object) -> str | None:
    """Return the id to reply to a message under, also a malformed one, if it has a usable one."""
    rid = content.get("rid") if isinstance(content, dict) else None
    return rid if isinstance(rid, str) and 0 < len(rid) <= LONGEST_ID and half_character(rid) is None else None
