"""The messages about the graph: its features and paths, proposals, figures, another trace, and the state of its view."""

from __future__ import annotations

from typing import Annotated, Literal

from circuit_widget.widget.wire.experiment_messages import Code, NodeId, NodeIds, Numbers, Text
from circuit_widget.widget.wire.schema import Listed, Many, OneOf, message


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
    part: Literal["map", "circuit", "both", "intervention"]
    theme: Literal["paper", "slides", "grey"]


@message
class BoxEdgesMessage:
    """The edges between boxes of a circuit, with weak ones counted that the page does not have.

    `number` is that of the graph. `boxes` are the nodes of each box, and `outside` the part of its nodes' input that comes from
    outside the box, summed over them. `source` and `target` are indices of boxes, `share` is the signed share of the target's
    input from outside.
    """

    number: int
    boxes: tuple[tuple[NodeId, ...], ...]
    outside: tuple[float, ...]
    source: tuple[int, ...]
    target: tuple[int, ...]
    share: tuple[float, ...]


@message
class ProposalMessage:
    """A proposed group, with the reason in a sentence and the evidence in numbers; without a name, a node to pin."""

    name: Text | None
    nodes: NodeIds
    reason: Text
    evidence: Text


@message
class ProposalsMessage:
    """What the circuit has not: groups, the most influential first, then tokens and outputs."""

    proposals: Listed[ProposalMessage]


@message
class OtherWordsBody:
    """Request for the stability of the graph over prompts that mean the same."""

    prompts: Listed[Text]


@message
class PromptStabilityMessage:
    """In the graphs of how many of some prompts nodes are, by their ids without positions; in no graph where they are not listed."""

    prompts: tuple[str, ...]
    ids: tuple[str, ...]
    kept: tuple[int, ...]


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
    """What is known of a feature beyond this prompt.

    `negative` is whether its tokens are those of a negative activation. `first_token` is whether the node is at the first
    token of its prompt, which the histogram leaves out.
    """

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
    first_token: bool
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
class DoubtfulName:
    """A supernode that came along from another graph under a name that may not fit any more, and why."""

    supernode: Text
    name: Text
    reason: Text


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
