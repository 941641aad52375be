"""Handlers of requests for another graph: another trace, and the graphs before and after the displayed one."""

from __future__ import annotations

from circuit_widget.attribution.targets import Contrast, TargetChoice
from circuit_widget.comparison.compare import GraphComparison, compare
from circuit_widget.errors import CircuitError, PromptError
from circuit_widget.graph import Graph
from circuit_widget.tracing.tracing_again import TraceChanges, target_of, trace_again
from circuit_widget.widget.requests.request_kind import Context, Task
from circuit_widget.widget.wire.envelopes import Empty
from circuit_widget.widget.wire.graph_messages import DisplayGraphBody, RetraceBody
from circuit_widget.widget.worker.worker import Job, JobResult
from circuit_widget.wording.text import printable

MOST_NAMED = 3


def retrace(context: Context, body: RetraceBody) -> Task[Empty]:
    """Trace again with some settings changed, and display the graph with what fits it of the circuit."""
    experiments = context.experiments
    model = experiments.required_model()
    changes = TraceChanges(
        prompt=body.prompt,
        targets=_targets(experiments.graph, body),
        token_position=body.token_position,
        max_features=body.max_features,
    )

    def work(job: Job) -> Graph:
        return trace_again(model, experiments.graph, changes, job.progress, job.cancelled)

    def deliver(graph: Graph) -> JobResult[Empty]:
        context.graphs.display(graph, trace_name(changes, graph))
        return JobResult(Empty())

    return Task(work, deliver, runs_model=True)


def display_graph(context: Context, body: DisplayGraphBody) -> Empty:
    """Display the graph before or after the displayed one, with its circuit and its experiments."""
    context.graphs.step(body.to)
    return Empty()


def compare_earlier(context: Context, _: Empty) -> Task[Empty]:
    """Display the graph before the displayed one beside it, with what is in both."""
    graph, earlier = context.experiments.graph, context.graphs.earlier
    if earlier is None:
        raise CircuitError(
            "There is no earlier graph to compare with. Explain something else first, or trace another prompt."
        )

    def work(_: Job) -> GraphComparison:
        return compare(graph, earlier)

    def deliver(comparison: GraphComparison) -> JobResult[Empty]:
        context.experiments.traits.set("comparison", comparison)
        return JobResult(Empty())

    return Task(work, deliver)


def trace_name(changes: TraceChanges, graph: Graph) -> str:
    """Return the name of the step to the graph of another trace: what undo takes back."""
    if changes.targets is not None or changes.token_position is not None:
        names = [printable(target.token.strip()) for target in graph.targets[:MOST_NAMED]]
        return f"tracing {', '.join(names)}{' …' if len(graph.targets) > MOST_NAMED else ''}"
    if changes.prompt is not None:
        return "tracing another prompt"
    return "tracing again" if changes.max_features is None else f"tracing with {changes.max_features:,} features"


def _targets(graph: Graph, body: RetraceBody) -> list[TargetChoice] | None:
    if body.token is None:
        return None
    if body.other is None:
        return [target_of(graph, body.token)]
    first, other = target_of(graph, body.token), target_of(graph, body.other)
    if not isinstance(first, int) or not isinstance(other, int):
        raise PromptError("A contrast is of two tokens, and one of these outputs is a contrast or a direction itself.")
    return [Contrast(first, other)]
