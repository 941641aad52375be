"""Handlers of requests about the graph: its features and other nodes, figures, and the HTML file for readers."""

from __future__ import annotations

from collections.abc import Callable

from circuit_widget.errors import CircuitError, NodeError
from circuit_widget.graph.paths import edge_shares, strongest_paths
from circuit_widget.proposal.grouping import propose_groups
from circuit_widget.proposal.proposed_circuit import GROUPS, pinned_nodes
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.widget.html_file.write import html_of
from circuit_widget.widget.message_builders.card import card_message
from circuit_widget.widget.message_builders.proposals import proposals_message
from circuit_widget.widget.requests.request_kind import Context, Task
from circuit_widget.widget.state.file_names import file_stem
from circuit_widget.widget.wire.envelopes import Empty
from circuit_widget.widget.wire.graph_messages import (
    Card,
    CardBody,
    CheckNodesBody,
    FigureBody,
    FileReply,
    PathMessage,
    PathsBody,
    PathsReply,
    ProposalsMessage,
)
from circuit_widget.widget.wire.picture_messages import PictureReply
from circuit_widget.widget.worker.worker import Job, JobResult

LEAST_GROUPS = 3
"""How many groups are proposed at most where the circuit has about as many as a proposed circuit."""

MIME = {"svg": "image/svg+xml", "pdf": "application/pdf", "png": "image/png"}


def card(context: Context, body: CardBody) -> Task[Card]:
    """Return what is known of a feature beyond this prompt, with what it promotes here."""
    experiments = context.experiments
    feature = experiments.feature_of(body.node)
    return Task(lambda _: card_message(experiments.graph, experiments.model, body.node, feature), JobResult)


def paths(context: Context, body: PathsBody) -> Task[PathsReply]:
    """Return the strongest paths between nodes, into them or out of them, over all edges of the graph."""
    graph = context.experiments.graph

    def find(_: object) -> PathsReply:
        found = strongest_paths(graph, body.sources or None, body.targets or None, body.k)
        return PathsReply(
            tuple(
                PathMessage(
                    tuple(graph.node_ids[node] for node in path.nodes),
                    tuple(edge_shares(graph, path.nodes)),
                    path.strength / found.total,
                )
                for path in found.paths
            )
        )

    return Task(find, JobResult)


def check_nodes(context: Context, body: CheckNodesBody) -> Empty:
    """Answer where the graph has all of some nodes of a circuit that is opened; else raise CircuitError."""
    try:
        context.experiments.graph.resolve(body.nodes)
    except NodeError as problem:
        raise CircuitError(f"The circuit was not opened: it is of another graph. {problem}") from problem
    return Empty()


def propose(context: Context, _: Empty) -> Task[ProposalsMessage]:
    """Propose groups of features that are in none yet, and the tokens and outputs that belong to a circuit."""
    experiments = context.experiments
    graph, circuit, model = experiments.graph, experiments.traits.circuit, experiments.model
    if not isinstance(model, ReplacementModel) or model.closed:
        model = None
    n = min(max(GROUPS - len(circuit.supernodes), LEAST_GROUPS), graph.n_nodes)

    def work(job: Job) -> ProposalsMessage:
        groups = propose_groups(graph, n, model=model, circuit=circuit, progress=job.progress, cancelled=job.cancelled)
        return proposals_message(graph, circuit, groups, pinned_nodes(graph))

    return Task(work, JobResult, runs_model=True)


def figure(context: Context, body: FigureBody) -> Task[FileReply]:
    """Return a figure of what the widget displays, as a file."""
    experiments = context.experiments

    def draw(_: object) -> bytes:
        made = experiments.figure(body.part, body.width, body.theme)
        formats: dict[str, Callable[[], str | bytes]] = {"svg": made.svg, "pdf": made.pdf, "png": made.png}
        drawn = formats[body.format]()
        return drawn.encode() if isinstance(drawn, str) else drawn

    reply = FileReply(f"{file_stem(experiments.graph)}.{body.format}", MIME[body.format])
    return Task(draw, lambda data: JobResult(reply, (data,)))


def picture(context: Context, _: Empty) -> PictureReply:
    """Return the picture in the notebook as it was drawn last."""
    return PictureReply(tuple(context.picture()))


def html(context: Context, _: Empty) -> Task[FileReply]:
    """Return what the widget displays as one HTML file that opens without a kernel."""
    experiments = context.experiments
    state = experiments.state()

    def write(job: Job) -> bytes:
        return html_of(state, job.progress, job.cancelled).encode()

    reply = FileReply(f"{file_stem(experiments.graph)}.html", "text/html")
    return Task(write, lambda data: JobResult(reply, (data,)))
