"""Notices that a model is no longer the one that a graph was traced with."""

from __future__ import annotations

import torch

from circuit_widget.graph import Graph
from circuit_widget.graph.recipe_checks import LOG_PROBABILITIES
from circuit_widget.system.warning import warn
from circuit_widget.tracing.foreign_graph import dtype_name
from circuit_widget.tracing.prompt_run import PromptRun

SAME_LOGIT = 1e-3
"""Largest difference between the logits of two runs of one model, as a share of the logit or of 1."""

SAME_LOGIT_16_BIT = 5e-2
"""The same where weights have 16 bits."""


def warn_of_changed_weights(graph: Graph, run: PromptRun, dtype: torch.dtype) -> None:
    """Warn where a run gives the first token among a graph's targets another logit than when the graph was traced."""
    logits = run.captured.logits
    target = next((target for target in graph.targets if target.token_id < len(logits)), None)
    if target is None:
        return
    what, now = "logit", float(logits[target.token_id])
    if graph.recipe.get("logits") == LOG_PROBABILITIES:
        what, now = "log probability", now - float(torch.logsumexp(logits.double(), dim=0))
    of_16_bit = {dtype_name(one) for one in (torch.bfloat16, torch.float16)}
    allowed = SAME_LOGIT_16_BIT if of_16_bit & {dtype_name(dtype), str(graph.recipe.get("dtype"))} else SAME_LOGIT
    if abs(now - target.logit) > allowed * max(1.0, abs(target.logit)):
        warn(
            f"The model gives {target.token!r} the {what} {now:.4g}, and {target.logit:.4g} when this graph was traced: its "
            "weights have changed since. What is measured is of the present weights, what is predicted of the earlier "
            "ones. Trace the prompt again."
        )
