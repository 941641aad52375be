"""The stability of a graph that is there: other prompts that mean the same are traced as it was."""

from __future__ import annotations

from collections.abc import Sequence

from circuit_widget.comparison.prompt_stability import PromptStability
from circuit_widget.display.visible_graph import EDGE_THRESHOLD, NODE_THRESHOLD
from circuit_widget.errors import Cancelled, CircuitWidgetError, PromptError
from circuit_widget.graph import Graph
from circuit_widget.intervention.studies.running import part_of
from circuit_widget.progress import IsCancelled, ReportProgress
from circuit_widget.tracing.tracing_again import TraceableModel, TraceChanges, target_of, trace_again


def stability_in_other_words(
    model: TraceableModel, graph: Graph, prompts: Sequence[str], progress: ReportProgress, cancelled: IsCancelled
) -> PromptStability:
    """Return in the graphs of how many prompts, that of `graph` among them, each feature and each edge is.

    The prompts are traced with the targets and settings of the graph; see `ReplacementModel.stability`. Raises PromptError
    for no prompt, the same one twice, or one that cannot be traced, and otherwise as `ReplacementModel.trace` does.
    """
    own = str(graph.recipe.get("prompt") or "")
    texts = [own.strip(), *(prompt.strip() for prompt in prompts)]
    if len(texts) < 2:
        raise PromptError("Give at least one prompt that means the same.")
    if len(set(texts)) < len(texts):
        raise PromptError("A prompt is given twice, so it would count twice; leave one out.")
    targets = [target_of(graph, target.token_id) for target in graph.targets]
    graphs = [graph]
    for number, prompt in enumerate(texts[1:]):
        part = part_of(progress, number / (len(texts) - 1), (number + 1) / (len(texts) - 1))
        try:
            graphs.append(trace_again(model, graph, TraceChanges(prompt, targets), part, cancelled))
        except Cancelled:
            raise
        except CircuitWidgetError as error:
            raise type(error)(f"“{prompt}”: {error}") from error
    return PromptStability((own, *texts[1:]), tuple(graphs), NODE_THRESHOLD, EDGE_THRESHOLD)
